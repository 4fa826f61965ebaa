"""Scanning: all that lies in some folders and changed since a moment is looked at, and what could not be is counted.

One thread walks, others read: reading waits for disks, and the interpreter's lock is free meanwhile. Memory stays flat,
since what waits between them, what is found and what is listed is bounded.
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from staging.progress import Progress
from wfexs_like.audit.host import NETWORK, Root, foreign_mounts
from wfexs_like.audit.places import Kind, Place
from wfexs_like.audit.searching import Search

MOST_PLACES: Final = 10_000
MOST_WRITTEN: Final = 1_000
MOST_PATHS: Final = 20
"""What is listed at most: places of hits, paths that a run may have written (of each run), paths of a reason."""

_READERS: Final = 4
_WAITING: Final = 256
_TOLD_EVERY: Final = 0.2
_QUIET: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_REFUSED: Final = frozenset((errno.EACCES, errno.EPERM))
_GONE: Final = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ELOOP))
_FORBIDDEN: Final = "this user may not read it"
_SPARSE: Final = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time of a run: from ``begin`` to ``end``, in seconds since the epoch."""

    run: int
    begin: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Something whose content or naming changed while a run went on. ``kind``: file, folder, link or other."""

    path: Path
    kind: str


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was looked at in one place: things that changed, and of those the files that were read and their bytes."""

    root: Root
    changed: int = 0
    files: int = 0
    size: int = 0


@dataclass(slots=True, kw_only=True)
class Unread:
    """What was not looked at in one place for one reason: how many files and folders, and the first of them."""

    root: Root
    reason: str
    count: int = 0
    paths: list[Path] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Findings:
    """What a scan found. ``more`` counts the hits that are not listed; ``written`` and ``unlisted`` go by run."""

    places: list[Place] = field(default_factory=list)
    more: int = 0
    tallies: list[Tally] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    written: dict[int, list[Written]] = field(default_factory=dict)
    unlisted: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is looked at: all in ``roots`` that changed at ``since`` (seconds since the epoch) or later.

    ``besides`` are paths that are left out: why, or ``None`` where that is not worth a word.
    """

    roots: Sequence[Root]
    since: float = 0.0
    besides: Mapping[str, str | None] = field(default_factory=dict)
    windows: Sequence[Window] = ()


class _StoppedError(Exception):
    """Somebody wants no more of it."""


class Scan:
    """One scan; ``run`` it once."""

    def __init__(self, search: Search, scope: Scope, progress: Progress) -> None:
        self._search = search
        self._scope = scope
        self._progress = progress
        self._findings = Findings(written={one.run: [] for one in scope.windows})
        self._unread: dict[tuple[str, str], Unread] = {}
        self._queue: queue.Queue[tuple[Tally, Path] | None] = queue.Queue(_WAITING)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._seen: set[tuple[int, int]] = set()
        self._devices: set[int] = set()
        self._told = 0.0

    def run(self) -> Findings:
        """Look at everything. An exception, a signal's too, ends all threads first."""
        readers = [threading.Thread(target=self._reader, daemon=True) for _ in range(_READERS)]
        for one in readers:
            one.start()
        try:
            for root in self._scope.roots:
                self._walk_one(root)
        except BaseException:
            self._stop.set()
            raise
        finally:
            for _ in readers:
                self._queue.put(None)
            for one in readers:
                one.join()
        if self._failure is not None:
            raise self._failure
        self._findings.unread = list(self._unread.values())
        return self._findings

    # Walking

    def _walk_one(self, root: Root) -> None:
        tally = Tally(root=root)
        self._findings.tallies.append(tally)
        key = f"look:{root.path}"
        self._progress.begin(key, f"{root.name} ({self.masked(root.path)})", None)
        try:
            self._walk(tally)
        finally:
            self._progress.end(key, "part")

    def _walk(self, tally: Tally) -> None:
        # A root within another one is looked at as itself.
        others = {str(one.path) for one in self._scope.roots} - {str(tally.root.path)}
        waiting = [str(tally.root.path)]
        while waiting and not self._stop.is_set():
            path = waiting.pop()
            if path in others or not self._may_enter(tally.root, path):
                continue
            try:
                self._meet(tally, path)
                with os.scandir(path) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                        else:
                            self._meet_one(tally, entry.path)
            except OSError as error:
                self._unreadable(tally.root, Path(path), error)

    def _may_enter(self, root: Root, path: str) -> bool:
        """Whether a folder is to be looked into, and was not yet."""
        if self._is_left_out(root, path, self._scope.besides):
            return False
        try:
            status = os.lstat(path)
        except OSError as error:
            self._unreadable(root, Path(path), error)
            return False
        if status.st_dev not in self._devices:
            # It may have been mounted after all mounts were looked at.
            self._devices.add(status.st_dev)
            if self._is_left_out(root, path, foreign_mounts()):
                return False
        identity = (status.st_dev, status.st_ino)
        new = identity not in self._seen
        self._seen.add(identity)
        return new

    def _is_left_out(self, root: Root, path: str, besides: Mapping[str, str | None]) -> bool:
        if path not in besides:
            return False
        reason = besides[path]
        # A home, or whatever else is looked at by name, is that wherever it lies.
        if reason == NETWORK and path == str(root.path):
            return False
        if reason is not None:
            self._pass_over(root, Path(path), reason)
        return True

    def _meet_one(self, tally: Tally, path: str) -> None:
        """Meet something that is no folder: that it can't be looked at is no reason to leave its folder."""
        try:
            self._meet(tally, path)
        except OSError as error:
            self._unreadable(tally.root, Path(path), error)

    def _meet(self, tally: Tally, name: str) -> None:
        status = os.lstat(name)
        if max(status.st_mtime, status.st_ctime) < self._scope.since:
            return
        path = Path(name)
        tally.changed += 1
        self._within_runs(path, status)
        self._in_text(path, "name", os.fsencode(path.name))
        if stat.S_ISLNK(status.st_mode):
            self._in_text(path, "link", os.fsencode(path.readlink()))
        elif stat.S_ISREG(status.st_mode) and status.st_size:
            self._queue.put((tally, path))

    def _within_runs(self, path: Path, status: os.stat_result) -> None:
        for window in self._scope.windows:
            if any(window.begin <= moment <= window.end for moment in (status.st_mtime, status.st_ctime)):
                listed = self._findings.written[window.run]
                if len(listed) < MOST_WRITTEN:
                    listed.append(Written(path=path, kind=_kind(status.st_mode)))
                else:
                    self._findings.unlisted[window.run] = self._findings.unlisted.get(window.run, 0) + 1

    def _in_text(self, path: Path, kind: Kind, text: bytes) -> None:
        for hit in self._search.in_bytes(text):
            self._found(Place(path=path, kind=kind, offset=hit.offset, form=hit.form, canary=hit.needle.canary))

    # Reading

    def _reader(self) -> None:
        while (one := self._queue.get()) is not None:
            if self._stop.is_set():
                continue
            tally, path = one
            try:
                self._read(tally, path)
            except _StoppedError:
                continue
            except OSError as error:
                self._unreadable(tally.root, path, error)
            except BaseException as error:  # noqa: BLE001 - told by whoever waits for us
                self._failure = error
                self._stop.set()

    def _read(self, tally: Tally, path: Path) -> None:
        descriptor = _open(path)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return
            reached: set[str] = set()
            # What is appended meanwhile came after the moment that this attests.
            for begin, end in _extents(descriptor, status):
                for hit in self._search.in_file(self._reading(tally, descriptor, begin, end), reached):
                    self._found(
                        Place(
                            path=path,
                            kind="content",
                            offset=begin + hit.offset,
                            form=hit.form,
                            canary=hit.needle.canary,
                        )
                    )
            for reason in sorted(reached):
                self._pass_over(tally.root, path, reason)
            with self._lock:
                tally.files += 1
        finally:
            os.close(descriptor)

    def _reading(self, tally: Tally, descriptor: int, begin: int, end: int) -> Callable[[int, int], bytes]:
        """Read a part of a file as if it were all of it, count what is read, and stop when that is asked for."""
        furthest = begin

        def read(size: int, offset: int) -> bytes:
            nonlocal furthest
            if self._stop.is_set():
                raise _StoppedError
            place = begin + offset
            data = os.pread(descriptor, min(size, end - place), place) if place < end else b""
            new = place + len(data) - furthest
            if new > 0:
                furthest += new
                self._count(tally, new)
            return data

        return read

    def _count(self, tally: Tally, size: int) -> None:
        with self._lock:
            tally.size += size
            if time.monotonic() - self._told < _TOLD_EVERY:
                return
            self._told = time.monotonic()
        self._progress.advance(f"look:{tally.root.path}", tally.size)

    # Telling

    def masked(self, path: Path) -> Path:
        """The path without what is looked for: that is not to be written anywhere."""
        return masked(self._search, path)

    def _found(self, place: Place) -> None:
        with self._lock:
            if len(self._findings.places) < MOST_PLACES:
                self._findings.places.append(place)
            else:
                self._findings.more += 1

    def _unreadable(self, root: Root, path: Path, error: OSError) -> None:
        if error.errno not in _GONE:
            reason = _FORBIDDEN if error.errno in _REFUSED else (error.strerror or str(error)).lower()
            self._pass_over(root, path, reason)

    def _pass_over(self, root: Root, path: Path, reason: str) -> None:
        with self._lock:
            unread = self._unread.setdefault((str(root.path), reason), Unread(root=root, reason=reason))
            unread.count += 1
            if len(unread.paths) < MOST_PATHS:
                unread.paths.append(path)


def masked(search: Search, path: Path) -> Path:
    """A path with ``[canary NAME]`` in place of every canary that is in it, in whatever form."""
    data, parts, begin = os.fsencode(path), [], 0
    for hit in search.in_bytes(data):
        parts += [data[begin : hit.offset], f"[canary {hit.needle.canary}]".encode()]
        begin = hit.offset + len(hit.needle.data)
    return Path(os.fsdecode(b"".join((*parts, data[begin:]))))


def processes_looked_at() -> tuple[int, int]:
    """Of how many other processes we may read arguments, environment and open files, and of how many we may not."""
    may = may_not = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                (folder / "environ").read_bytes()
                next((folder / "fd").iterdir(), None)
            except PermissionError:
                may_not += 1
            except OSError:
                continue
            else:
                may += 1
    return may, may_not


def _open(path: Path) -> int:
    # A look should leave no trace; only the owner of a file may ask for that (open(2)).
    with contextlib.suppress(PermissionError):
        return os.open(path, _QUIET | os.O_NOATIME)
    return os.open(path, _QUIET)


def _extents(descriptor: int, status: os.stat_result) -> Iterator[tuple[int, int]]:
    """The parts of a file that hold data: all of it, but for large files with holes (lseek(2), SEEK_DATA)."""
    if status.st_size - status.st_blocks * 512 < _SPARSE:
        yield 0, status.st_size
        return
    end = 0
    while end < status.st_size:
        try:
            begin = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        end = min(os.lseek(descriptor, begin, os.SEEK_HOLE), status.st_size)
        yield begin, end


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"
