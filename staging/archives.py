"""Archives: zip and tar unpacked so that nothing in them can reach out, hide, overwrite or fill the disk.

An entry is refused by name. What is refused: absolute paths and ``..``, names that two file systems would read
differently (twins by case or Unicode form, a file that is a folder too), devices, pipes, hard links, links (unless they
are asked for and stay inside), set-uid files, sparse files, encrypted entries, entries that lie over each other, and
more entries or bytes than ``Limits`` allow. On failure nothing is left.
"""

from __future__ import annotations

import shutil
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, Protocol

from staging.errors import DiskError, FetchError, PolicyError, WfexsError, from_os_error
from staging.fingerprints import Tree, TreeEntry, check_link
from staging.paths import safe_relative
from staging.streams import CHUNK, Sink

_LONGEST_LINK: Final = 4096


class ArchiveError(WfexsError):
    """A file that is no archive, or a damaged one."""

    kind = "definition"
    exit_code = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much an archive may hold.

    ``entries`` counts files, folders and links; ``size`` is bytes unpacked, of all. Beyond ``ratio_from`` bytes
    unpacked the archive may not be ``ratio`` times as large as it is packed: nothing real is, and deflate's own
    limit is 1032.
    """

    entries: int = 100_000
    size: int = 4 << 40
    ratio: int = 250
    ratio_from: int = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry as the archive states it, before anything of it is believed.

    ``kind`` is ``f`` (file), ``d`` (folder), ``l`` (link) or, in words, what it is instead. ``size`` is in bytes.
    """

    name: str
    kind: str
    size: int = 0
    executable: bool = False


class Reader(Protocol):
    """An open archive of one format. ``errors`` is what its library raises for damage."""

    errors: tuple[type[Exception], ...]

    def entries(self) -> Iterator[tuple[Entry, Callable[[], IO[bytes]]]]:
        """Every entry in order, with a way to its body (for a link, its target).

        A body is read before the next entry is asked for.
        """

    def close(self) -> None:
        """Let go of the file."""


def unpack(
    archive: Path,
    into: Path,
    *,
    links: bool = False,
    limits: Limits | None = None,
    cancelled: threading.Event | None = None,
) -> Tree:
    """Unpack a zip or tar (plain, gzip, bzip2, xz) into the new folder ``into``; which it is, its bytes say.

    Args:
        archive: the file.
        into: where to; must not exist.
        links: whether symbolic links that stay inside are made, rather than refused.
        limits: how much it may hold.
        cancelled: set by another thread to give up.

    Raises:
        ArchiveError: it is no archive, or damaged.
        PolicyError: an entry could do harm; ``where`` is its name.
        DiskError: the disk is full, or will be.
    """
    limits = limits or Limits()
    try:
        packed = archive.stat().st_size
        with archive.open("rb") as stream:
            start = stream.read(8)
        into.mkdir()
    except OSError as error:
        raise from_os_error(error, f"unpack {archive.name}") from error
    try:
        reader = _reader(archive, start, limits)
    except BaseException:
        into.rmdir()
        raise
    try:
        with closing(reader):
            return _Unpacking(reader, into, links=links, limits=limits, packed=packed, cancelled=cancelled).run()
    except BaseException as error:
        shutil.rmtree(into, ignore_errors=True)
        if isinstance(error, reader.errors):
            raise ArchiveError(f"{archive.name} is damaged: {error}", where=archive.name) from error
        if isinstance(error, OSError):
            raise from_os_error(error, f"unpack {archive.name}") from error
        raise


def _reader(archive: Path, start: bytes, limits: Limits) -> Reader:
    # Each format's library is loaded when one of its archives turns up.
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        from staging.zip_archives import ZipReader

        return ZipReader(archive, limits.entries)
    from staging.tar_archives import TarReader

    return TarReader(archive)


@dataclass(slots=True)
class _Places:
    """The names that are taken, each with its kind. Parents count: ``a/b`` makes ``a`` a folder."""

    taken: dict[str, tuple[str, str]] = field(default_factory=dict)
    parents: set[str] = field(default_factory=set)

    def take(self, path: str, kind: str) -> None:
        """Claim a name. A folder may be named again.

        Raises:
            PolicyError: it is taken, by itself or by a twin.
        """
        parts = path.split("/")
        for count in range(1, len(parts)):
            parent = "/".join(parts[:count])
            if parent not in self.parents:
                self._claim(parent, "d", path)
                self.parents.add(parent)
        self._claim(path, kind, path)

    def empty_folders(self) -> Iterator[str]:
        """The folders that nothing lies in."""
        return (path for path, kind in self.taken.values() if kind == "d" and path not in self.parents)

    def _claim(self, path: str, kind: str, entry: str) -> None:
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())
        other, what = self.taken.setdefault(key, (path, ""))
        if other != path:
            raise PolicyError(f"the archive's entries {other!r} and {path!r} are twins", where=entry)
        if what and (what, kind) != ("d", "d"):
            raise PolicyError(f"the archive has more than one entry {path!r}", where=entry)
        self.taken[key] = (path, kind)


class _Checks:
    """What every entry is held against before anything of it is believed."""

    def __init__(self, *, links: bool, limits: Limits, packed: int) -> None:
        self._links = links
        self._limits = limits
        self._packed = packed
        self.places = _Places()

    def count(self, count: int, entry: Entry) -> None:
        if count > self._limits.entries:
            raise PolicyError(
                f"the archive has more than {self._limits.entries} entries", where=entry.name, limit=count
            )

    def path_of(self, entry: Entry, written: int) -> str:
        """The entry's path, once all that it states has been found harmless; ``written`` bytes came before it."""
        try:
            path = str(safe_relative(entry.name))
        except PolicyError as error:
            raise PolicyError(f"the archive's entry {error.message}", hint=error.hint, where=entry.name) from error
        if entry.kind not in "fdl":
            raise PolicyError(f"the archive's entry {path!r} is {entry.kind}", where=path)
        if entry.kind == "l" and not self._links:
            raise PolicyError(f"the archive's entry {path!r} is a symbolic link", where=path)
        self.places.take(path, entry.kind)
        if entry.kind == "f":
            self.room(path, written + entry.size)
        return path

    def room(self, path: str, total: int) -> None:
        """Refuse more bytes than there should be; ``total`` is what is unpacked with this entry."""
        limits = self._limits
        if total > limits.size or (total > limits.ratio_from and total > limits.ratio * max(1, self._packed)):
            raise PolicyError(
                f"the archive unpacks to far more than it should hold: {total} bytes with {path!r}", where=path
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """An entry of an archive that is read where it is. ``target`` is a link's; ``open`` gives the bytes of a file."""

    entry: Entry
    open: Callable[[], IO[bytes]]
    target: str | None = None


@contextmanager
def look_into_zip(archive: Path, *, limits: Limits | None = None) -> Iterator[dict[str, Inside]]:
    """A zip's entries by path, each found as harmless as ``unpack`` wants it, without unpacking one.

    Nothing is in it but those: what one program finds there, all do (``staging.zip_layout``).

    A body that is damaged raises one of ``ZipReader.errors`` when it is read.

    Raises:
        ArchiveError: it is no zip, or damaged.
        PolicyError: an entry could do harm, or something is hidden; ``where`` is its name.
    """
    from staging.zip_archives import ZipReader

    limits = limits or Limits()
    try:
        packed = archive.stat().st_size
        reader = ZipReader(archive, limits.entries)
    except OSError as error:
        raise from_os_error(error, f"read {archive.name}") from error
    with closing(reader):
        checks = _Checks(links=True, limits=limits, packed=packed)
        found: dict[str, Inside] = {}
        written = 0
        try:
            for count, (entry, body) in enumerate(reader.entries(), 1):
                checks.count(count, entry)
                path = checks.path_of(entry, written)
                target = None
                if entry.kind == "l":
                    with body() as stream:
                        target = _link_target(stream, path)
                written += entry.size if entry.kind == "f" else 0
                found[path] = Inside(entry=entry, open=body, target=target)
            reader.refuse_hidden()
        except reader.errors as error:
            raise ArchiveError(f"{archive.name} is damaged: {error}", where=archive.name) from error
        yield found


class _Unpacking:
    """One archive on its way into a folder that nobody else writes to."""

    def __init__(
        self,
        reader: Reader,
        into: Path,
        *,
        links: bool,
        limits: Limits,
        packed: int,
        cancelled: threading.Event | None,
    ) -> None:
        self._reader = reader
        self._into = into
        self._checks = _Checks(links=links, limits=limits, packed=packed)
        self._cancelled = cancelled
        self._written = 0

    def run(self) -> Tree:
        found: list[TreeEntry] = []
        links: list[tuple[str, str]] = []
        for count, (entry, body) in enumerate(self._reader.entries(), 1):
            self._checks.count(count, entry)
            path = self._checked(entry)
            target = self._into / path
            if entry.kind == "d":
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with body() as stream:
                if entry.kind == "l":
                    links.append((path, _link_target(stream, path)))
                else:
                    found.append(self._write(entry, path, stream))
        # Links come last: while files are written there is none that they could be written through.
        for path, text in links:
            (self._into / path).symlink_to(text)
            found.append(TreeEntry(kind="l", path=path, digest=text))
        return Tree.of([*found, *(TreeEntry(kind="d", path=path) for path in self._checks.places.empty_folders())])

    def _checked(self, entry: Entry) -> str:
        path = self._checks.path_of(entry, self._written)
        if entry.kind == "f" and entry.size > shutil.disk_usage(self._into).free:
            raise DiskError(f"cannot unpack {path!r}: no space left for its {entry.size} bytes", where=path)
        return path

    def _write(self, entry: Entry, path: str, stream: IO[bytes]) -> TreeEntry:
        with Sink(self._into / path, mode=0o755 if entry.executable else 0o644) as sink:
            while chunk := stream.read(CHUNK):
                if self._cancelled is not None and self._cancelled.is_set():
                    raise FetchError("given up")
                sink.write(chunk)
                if sink.size > entry.size:
                    raise PolicyError(f"the archive's entry {path!r} holds more than it says", where=path)
                self._checks.room(path, self._written + sink.size)
        if sink.size != entry.size:
            raise ArchiveError(f"the archive's entry {path!r} holds {sink.size} of {entry.size} bytes", where=path)
        if entry.executable:
            (self._into / path).chmod(0o755)
        self._written += sink.size
        kind = "x" if entry.executable else "f"
        return TreeEntry(kind=kind, path=path, digest=sink.fingerprint.digest, size=sink.size)


def _link_target(stream: IO[bytes], path: str) -> str:
    raw = stream.read(_LONGEST_LINK + 1)
    try:
        target = raw.decode()
    except UnicodeDecodeError as error:
        raise PolicyError(f"the archive's link {path!r} has a target that is not UTF-8", where=path) from error
    if not target or "\0" in target or len(raw) > _LONGEST_LINK:
        raise PolicyError(f"the archive's link {path!r} has a target that can't be one", where=path)
    check_link(path, target)
    return target
