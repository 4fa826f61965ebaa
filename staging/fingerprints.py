"""Fingerprints: what bytes are, whatever they are called."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote

from staging.errors import PolicyError, WfexsError

CHUNK = 1 << 20
_MOST_LINKS = 40  # what Linux follows in one path
_HEX64 = re.compile(r"[0-9a-f]{64}")
# Stamps of inodes come from a clock that advances by the kernel's tick (at most 10 ms), on old file systems by seconds.
_TICK_NS = 20_000_000
_COARSE_TICK_NS = 2_100_000_000
_SECOND_NS = 1_000_000_000


class FingerprintError(WfexsError):
    """A text that can't be a fingerprint."""

    kind = "definition"
    exit_code = 3


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Fingerprint:
    """An algorithm and a lower-case hexadecimal digest. Only ``sha256`` attests anything here."""

    algorithm: str = "sha256"
    digest: str

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """Read ``sha256:<64 hex digits>`` or the digits alone.

        Raises:
            FingerprintError: anything else.
        """
        algorithm, colon, digest = text.strip().lower().rpartition(":")
        if (colon and algorithm != "sha256") or not _HEX64.fullmatch(digest):
            raise FingerprintError(f"{text!r} is not a sha256", hint="64 hexadecimal digits are expected")
        return cls(digest=digest)

    @classmethod
    def of_bytes(cls, content: bytes) -> Fingerprint:
        """The fingerprint of bytes in memory."""
        return cls(digest=hashlib.sha256(content).hexdigest())

    @classmethod
    def of_stream(cls, stream: BinaryIO) -> Fingerprint:
        """The fingerprint of what is left in a stream, read in chunks of 1 MiB."""
        digest = hashlib.sha256()
        buffer = bytearray(CHUNK)
        view = memoryview(buffer)
        while count := stream.readinto(buffer):  # type: ignore[attr-defined]
            digest.update(view[:count])
        return cls(digest=digest.hexdigest())

    @classmethod
    def of_file(cls, path: Path) -> Fingerprint:
        """The fingerprint of a file's bytes."""
        with path.open("rb", buffering=0) as stream:
            return cls.of_stream(stream)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatSignature:
    """What the file system says of a file, without reading it: while it is unchanged, so are the bytes.

    Times are in nanoseconds since the epoch. ``ctime`` can't be set back by a program, which is why a change that keeps
    size and mtime is still seen.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: Path | str | int) -> StatSignature:
        """The signature of a regular file (links are not followed) or of an open descriptor."""
        return cls.of_status(os.fstat(path) if isinstance(path, int) else os.lstat(path))

    @classmethod
    def of_status(cls, status: os.stat_result) -> StatSignature:
        """The signature in a ``stat`` result that is at hand already."""
        return cls(
            device=status.st_dev,
            inode=status.st_ino,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            ctime_ns=status.st_ctime_ns,
        )

    def is_settled(self, now_ns: int) -> bool:
        """Whether a change made from ``now_ns`` on (ns since the epoch) is sure to show in the signature.

        Two changes within one tick of the file system's clock bear the same time, so a file that changed just now may
        change once more unseen. Whoever hashes a file may keep its signature only when it had settled before.
        """
        newest = max(self.mtime_ns, self.ctime_ns)
        whole = self.mtime_ns % _SECOND_NS == 0 and self.ctime_ns % _SECOND_NS == 0
        return newest + (_COARSE_TICK_NS if whole else _TICK_NS) <= now_ns

    def is_same_but_linked(self, other: StatSignature) -> bool:
        """Whether only ``ctime`` differs, which is what a hard link made or removed changes."""
        mine = (self.device, self.inode, self.size, self.mtime_ns)
        return mine == (other.device, other.inode, other.size, other.mtime_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEntry:
    """One line of a tree: file (``f``), executable file (``x``), symbolic link (``l``) or empty folder (``d``).

    ``digest`` is the file's sha256, or for a link its target text; empty for a folder. ``path`` is relative, with
    ``/``.
    """

    kind: str
    path: str
    digest: str = ""
    size: int = 0

    def line(self) -> str:
        """The entry's line in the tree's text, without the newline."""
        digest = quote(self.digest, safe="/") if self.kind == "l" else self.digest
        return "\t".join((self.kind, digest, str(self.size), quote(self.path, safe="/")))

    @classmethod
    def parse(cls, line: str) -> TreeEntry:
        """Read one line back.

        Raises:
            FingerprintError: the line is not of that form.
        """
        try:
            kind, digest, size, path = line.split("\t")
            entry = cls(
                kind=kind, digest=unquote(digest) if kind == "l" else digest, size=int(size), path=unquote(path)
            )
        except ValueError as error:
            raise FingerprintError(f"{line!r} is not a line of a tree") from error
        shape = {
            "f": _HEX64.fullmatch(digest),
            "x": _HEX64.fullmatch(digest),
            "l": digest,
            "d": not digest and size == "0",
        }
        # Written again it must be the same text: there is one way to write an entry, and so one digest of a tree.
        if not shape.get(kind) or entry.size < 0 or entry.line() != line:
            raise FingerprintError(f"{line!r} is not a line of a tree")
        if any(part in ("", ".", "..") for part in entry.path.split("/")) or "\0" in entry.path:
            raise FingerprintError(f"{entry.path!r} is not a path within a tree")
        return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The content of a folder, as one text and so one fingerprint.

    The tree rule: one line for each regular file, symbolic link and *empty* folder below the root, sorted by the UTF-8
    bytes of its path; a line is ``kind TAB digest TAB size TAB path NEWLINE``. ``kind`` is ``f`` (file), ``x`` (file
    that
    its owner may execute), ``l`` (link; its digest field is the target, percent-encoded) or ``d`` (empty folder, no
    digest,
    size 0). Paths are relative to the root, ``/``-separated and percent-encoded. The tree's fingerprint is the
    sha256 of
    that text. Times, owners and other mode bits don't count.
    """

    entries: tuple[TreeEntry, ...]

    @classmethod
    def of(cls, entries: list[TreeEntry]) -> Tree:
        """A tree from entries in any order.

        Raises:
            PolicyError: two entries can't be in one folder, or a link leads out of it.
        """
        tree = cls(entries=tuple(sorted(entries, key=lambda entry: entry.path.encode())))
        _check_together(tree.entries)
        return tree

    @classmethod
    def of_directory(cls, root: Path) -> Tree:
        """Read a folder.

        Raises:
            PolicyError: it holds a device, socket or FIFO, a name that is not UTF-8, or a link that leaves the folder.
        """
        return cls.of([_read_entry(root, path, status) for path, status in walk(root)])

    @classmethod
    def parse(cls, text: str) -> Tree:
        """Read a tree's text back.

        Raises:
            FingerprintError: it is not a tree's text.
            PolicyError: two entries can't be in one folder, or a link leads out of it.
        """
        tree = cls.of([TreeEntry.parse(line) for line in text.split("\n")[:-1]])
        if tree.text() != text:
            raise FingerprintError("the tree's lines are not in order")
        return tree

    def text(self) -> str:
        """The text whose sha256 is the tree's fingerprint."""
        return "".join(f"{entry.line()}\n" for entry in self.entries)

    @property
    def fingerprint(self) -> Fingerprint:
        """The fingerprint of the whole."""
        return Fingerprint.of_bytes(self.text().encode())

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(entry.size for entry in self.entries)


def walk(root: Path) -> list[tuple[str, os.stat_result]]:
    """Every file, link and empty folder below ``root`` as (relative path, ``lstat``), in no special order.

    Raises:
        PolicyError: a name that is not UTF-8.
    """
    found: list[tuple[str, os.stat_result]] = []
    pending = [""]
    while pending:
        prefix = pending.pop()
        folder = root / prefix if prefix else root
        with os.scandir(folder) as entries:
            children = list(entries)
        if not children and prefix:
            found.append((prefix, folder.lstat()))
        for child in children:
            relative = f"{prefix}/{child.name}" if prefix else child.name
            try:
                relative.encode()
            except UnicodeEncodeError as error:
                raise PolicyError(f"the file name {relative!r} is not UTF-8", where=repr(relative)) from error
            if child.is_dir(follow_symlinks=False):
                pending.append(relative)
            else:
                found.append((relative, child.stat(follow_symlinks=False)))
    return found


def _read_entry(root: Path, path: str, status: os.stat_result) -> TreeEntry:
    full = root / path
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(full)  # noqa: PTH115 - the text itself, not a Path
        check_link(path, target)
        return TreeEntry(kind="l", path=path, digest=target)
    if stat.S_ISDIR(status.st_mode):
        return TreeEntry(kind="d", path=path)
    if not stat.S_ISREG(status.st_mode):
        raise PolicyError(f"{path!r} is neither a file, a folder nor a link", where=path)
    kind = "x" if status.st_mode & stat.S_IXUSR else "f"
    return TreeEntry(kind=kind, path=path, digest=Fingerprint.of_file(full).digest, size=status.st_size)


def check_link(path: str, target: str) -> None:
    """Refuse a link in a tree that points out of the tree.

    Raises:
        PolicyError: the target is absolute, climbs above the root or is not UTF-8.
    """
    try:
        target.encode()
    except UnicodeEncodeError as error:
        raise PolicyError(f"the link {path!r} has a target that is not UTF-8", where=path) from error
    normal = os.path.normpath(os.path.join(os.path.dirname(path), target))  # noqa: PTH118, PTH120 - text only
    if target.startswith("/") or normal == ".." or normal.startswith("../"):
        raise PolicyError(f"the link {path!r} points out of its folder, to {target!r}", where=path)


def _check_together(entries: Sequence[TreeEntry]) -> None:
    """Refuse what no folder can hold (a name twice, something below a file) and links that lead out by way of links."""
    kinds = {entry.path: entry.kind for entry in entries}
    if len(kinds) != len(entries):
        twice = next(one.path for one, other in pairwise(entries) if one.path == other.path)
        raise PolicyError(f"{twice!r} is in the folder twice", where=twice)
    parents = {entry.path.rpartition("/")[0] for entry in entries}
    while parents:
        for parent in parents:
            if parent in kinds:
                raise PolicyError(f"something lies below {parent!r}, which is no folder", where=parent)
        parents = {parent.rpartition("/")[0] for parent in parents} - {""} if parents != {""} else set()
    links = {entry.path: entry.digest for entry in entries if entry.kind == "l"}
    for path, target in links.items():
        check_link(path, target)
        _follow(path, links)


def _follow(path: str, links: Mapping[str, str]) -> None:
    """Go where a link leads, through all other links on its way; a loop leads nowhere."""
    here: list[str] = []
    ahead = path.split("/")[::-1]
    followed = 0
    while ahead and followed <= _MOST_LINKS:
        part = ahead.pop()
        if part == ".." and not here:
            raise PolicyError(f"the link {path!r} points out of its folder by way of other links", where=path)
        if part == "..":
            here.pop()
        elif part not in ("", "."):
            here.append(part)
            target = links.get("/".join(here))
            if target is not None:
                followed += 1
                here.pop()
                ahead += target.split("/")[::-1]
