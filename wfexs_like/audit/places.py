"""Places: where this host may have kept what should be secret, and what of it is found there.

Files (their names, where links lead to, their contents), and of every process that we may look at: its arguments, its
environment, and the files that it holds open and that no longer have a name (proc(5)).
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

from wfexs_like.audit.searching import Search

Kind = Literal["content", "name", "link", "arguments", "environment", "unnamed"]

_PROC: Final = Path("/proc")
_DELETED: Final = " (deleted)"
_MEMORY: Final = ("/memfd:", "/dev/zero", "/SYSV", "/[aio]", "/anon_hugepage", "/i915")
_NOT_FILES: Final = frozenset(("/proc", "/sys"))
_QUIET: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a canary was found. ``offset`` in bytes; ``form`` as in ``Hit``; ``process``: the command's name."""

    path: Path
    kind: Kind
    offset: int
    form: str
    canary: str
    process: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something in a folder that was walked."""

    path: Path
    status: os.stat_result


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What is to be looked at: all in ``roots`` but ``besides``; other file systems too, /proc and /sys not."""

    roots: tuple[Path, ...]
    besides: tuple[Path, ...] = ()

    def entries(self) -> Iterator[Entry]:
        """Everything there, folders too, each once. What goes away meanwhile, or can't be read, is passed over."""
        besides = frozenset(map(str, self.besides)) | _NOT_FILES
        seen: set[tuple[int, int]] = set()
        for root in self.roots:
            yield from _entries(root, besides, seen)

    def changed_since(self, moment: float) -> Iterator[Entry]:
        """Those whose content or whose naming changed at ``moment`` (seconds since the epoch) or later."""
        return (one for one in self.entries() if max(one.status.st_mtime, one.status.st_ctime) >= moment)


def search_files(search: Search, walk: Walk, *, since: float = 0.0) -> Iterator[Place]:
    """What is found in files: every name, and the contents of files that changed at ``since`` or later."""
    for entry in walk.entries():
        name = os.fsencode(entry.path.name)
        for hit in search.in_bytes(name):
            yield Place(path=entry.path, kind="name", offset=hit.offset, form=hit.form, canary=hit.needle.canary)
        mode = entry.status.st_mode
        if stat.S_ISLNK(mode):
            with contextlib.suppress(OSError):
                for hit in search.in_bytes(os.fsencode(entry.path.readlink())):
                    yield Place(
                        path=entry.path, kind="link", offset=hit.offset, form=hit.form, canary=hit.needle.canary
                    )
        elif stat.S_ISREG(mode) and max(entry.status.st_mtime, entry.status.st_ctime) >= since:
            yield from _in_file(search, entry.path, _QUIET)


def search_processes(search: Search, *, besides: Collection[int] = (), folders: Sequence[Path] = ()) -> Iterator[Place]:
    """What is found in the processes that we may look at; not in ourselves, nor in those with the ids ``besides``.

    Files without a name that were in one of ``folders`` are passed over.
    """
    for folder in _PROC.iterdir():
        if not folder.name.isdecimal() or int(folder.name) in (os.getpid(), *besides):
            continue
        command = _read(folder / "comm").decode(errors="replace").strip()
        kinds: tuple[tuple[str, Kind], ...] = (("cmdline", "arguments"), ("environ", "environment"))
        for name, kind in kinds:
            for hit in search.in_bytes(_read(folder / name)):
                yield Place(
                    path=folder / name,
                    kind=kind,
                    offset=hit.offset,
                    form=hit.form,
                    canary=hit.needle.canary,
                    process=command,
                )
        yield from _unnamed(search, folder, command, folders)


def mounted(kind: str) -> tuple[Path, ...]:
    """Where file systems of a kind (``fuse.gocryptfs``, ``tmpfs``) are mounted in our mount namespace (proc(5))."""
    lines = (_PROC / "self" / "mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    split = (line.partition(" - ") for line in lines)
    return tuple(Path(_unescaped(before.split()[4])) for before, _, after in split if after.split()[0] == kind)


def _unescaped(text: str) -> str:
    """A path as mountinfo has it: blanks, tabs, line ends and backslashes in octal digits."""
    for code in ("040", "011", "012", "134"):
        text = text.replace(f"\\{code}", chr(int(code, 8)))
    return text


def _unnamed(search: Search, folder: Path, command: str, besides: Sequence[Path]) -> Iterator[Place]:
    """What is in files that a process holds open and that have no name any more. Memory is no file."""
    try:
        held = list((folder / "fd").iterdir())
    except OSError:
        return
    for path in held:
        try:
            named = str(path.readlink())
            if any(named.startswith(f"{one}/") for one in besides):
                continue
            if not named.endswith(_DELETED) or named.startswith(_MEMORY) or not stat.S_ISREG(path.stat().st_mode):
                continue
        except OSError:
            continue
        for place in _in_file(search, path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK):
            yield Place(
                path=Path(named.removesuffix(_DELETED)),
                kind="unnamed",
                offset=place.offset,
                form=place.form,
                canary=place.canary,
                process=command,
            )


def _in_file(search: Search, path: Path, flags: int) -> Iterator[Place]:
    try:
        descriptor = os.open(path, flags)
    except OSError:
        return
    try:
        for hit in search.in_file(partial(os.pread, descriptor)):
            yield Place(path=path, kind="content", offset=hit.offset, form=hit.form, canary=hit.needle.canary)
    except OSError:
        return
    finally:
        os.close(descriptor)


def _entries(root: Path, besides: Collection[str], seen: set[tuple[int, int]]) -> Iterator[Entry]:
    waiting: list[str] = [str(root)]
    while waiting:
        path = waiting.pop()
        if path in besides:
            continue
        try:
            status = os.lstat(path)
        except OSError:
            continue
        if path == str(root) or not stat.S_ISDIR(status.st_mode):
            yield Entry(path=Path(path), status=status)
        if not stat.S_ISDIR(status.st_mode) or (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        if path != str(root):
            yield Entry(path=Path(path), status=status)
        with contextlib.suppress(OSError):
            waiting += [entry.path for entry in os.scandir(path)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def unique(places: Sequence[Place]) -> tuple[Place, ...]:
    """Each place once, sorted by where it is."""
    return tuple(sorted(set(places), key=lambda one: (str(one.path), one.kind, one.offset, one.form, one.canary)))
