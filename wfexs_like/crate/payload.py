"""Payload: bytes go into the crate and are hashed on the way, so that a crate attests what it holds.

A crate is written to a folder or straight into a ZIP file. Each file is read once. A file that isn't what the plan or
the run's record says is a ``DigestError``.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from staging.errors import DigestError, NotFoundError, PolicyError
from staging.fingerprints import CHUNK, Fingerprint, Tree, TreeEntry, check_link, walk
from staging.paths import safe_join, safe_relative

_FICLONE = 0x40049409
_WORTH_A_CLONE = 4 << 20
_COMPRESSED = frozenset(
    {".bam", ".bz2", ".c4gh", ".cram", ".gz", ".jpeg", ".jpg", ".png", ".tgz", ".xz", ".zip", ".zst"}
)  # deflating these only takes time
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was written: ``sha256`` and ``size`` (bytes) of the bytes in the crate."""

    sha256: str
    size: int


class Writer(Protocol):
    """Where a crate's files go. Paths are relative to the crate's root."""

    def file(self, path: str, source: BinaryIO, *, executable: bool = False) -> Copied:
        """Copy a stream."""

    def opened(self, path: str) -> AbstractContextManager[BinaryIO]:
        """A file to write to; it is finished when the block ends."""

    def content(self, path: str, content: bytes) -> Copied:
        """Write bytes."""

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link."""

    def folder(self, path: str) -> None:
        """Make a folder (it may be there)."""

    def close(self) -> None:
        """Finish: everything is on the disk."""


class FolderWriter:
    """A crate in a folder, which must not exist yet."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self._made = {PurePosixPath()}

    def file(self, path: str, source: BinaryIO, *, executable: bool = False) -> Copied:
        """Copy a stream; where the file system can, as a clone that shares its blocks until one side is changed."""
        target = self._place(path)
        with target.open("xb", buffering=0) as out:
            if executable:
                os.fchmod(out.fileno(), stat.S_IMODE(os.fstat(out.fileno()).st_mode) | 0o111)
            if _clone(source, out):
                with target.open("rb", buffering=0) as clone:
                    return _pump(clone, None)
            return _pump(source, out)

    def opened(self, path: str) -> AbstractContextManager[BinaryIO]:
        """A file to write to."""
        return self._place(path).open("xb", buffering=0)

    def content(self, path: str, content: bytes) -> Copied:
        """Write bytes."""
        with self._place(path).open("xb") as out:
            out.write(content)
        return Copied(sha256=hashlib.sha256(content).hexdigest(), size=len(content))

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link."""
        self._place(path).symlink_to(target)

    def folder(self, path: str) -> None:
        """Make a folder."""
        self._folder(safe_relative(path))

    def close(self) -> None:
        """Nothing is left to do."""

    def _place(self, path: str) -> Path:
        relative = safe_relative(path)
        self._folder(relative.parent)
        return self.root / relative

    def _folder(self, relative: PurePosixPath) -> None:
        if relative not in self._made:
            (self.root / relative).mkdir(parents=True, exist_ok=True)
            self._made |= {relative, *relative.parents}


class ZipWriter:
    """A crate in a ZIP file; times are always 1980-01-01, so that the same content gives the same bytes."""

    def __init__(self, target: Path) -> None:
        self._zip = zipfile.ZipFile(target, "x", compression=zipfile.ZIP_DEFLATED, compresslevel=6)
        self._folders: set[str] = set()

    def file(self, path: str, source: BinaryIO, *, executable: bool = False) -> Copied:
        """Copy a stream."""
        info = _member(path, stat.S_IFREG | (0o755 if executable else 0o644))
        with self._zip.open(info, "w", force_zip64=True) as out:
            return _pump(source, out)  # type: ignore[arg-type]

    def opened(self, path: str) -> AbstractContextManager[BinaryIO]:
        """A file to write to."""
        return self._zip.open(_member(path, stat.S_IFREG | 0o644), "w", force_zip64=True)  # type: ignore[return-value]

    def content(self, path: str, content: bytes) -> Copied:
        """Write bytes."""
        self._zip.writestr(_member(path, stat.S_IFREG | 0o644), content)
        return Copied(sha256=hashlib.sha256(content).hexdigest(), size=len(content))

    def link(self, path: str, target: str) -> None:
        """Store a symbolic link, as Info-ZIP does."""
        self._zip.writestr(_member(path, stat.S_IFLNK | 0o777), target.encode())

    def folder(self, path: str) -> None:
        """Store a folder's entry, once."""
        if path not in self._folders:
            self._folders.add(path)
            info = _member(f"{path}/", stat.S_IFDIR | 0o755)
            info.external_attr |= 0x10
            self._zip.writestr(info, b"")

    def close(self) -> None:
        """Write the directory of the ZIP file."""
        self._zip.close()


def _member(path: str, mode: int) -> zipfile.ZipInfo:
    safe_relative(path.rstrip("/"))
    info = zipfile.ZipInfo(path, date_time=_ZIP_TIME)
    # Layers of images are compressed, and named by their digests.
    compressed = PurePosixPath(path).suffix.lower() in _COMPRESSED or path.startswith("containers/blobs/")
    small = not stat.S_ISREG(mode) or compressed
    info.compress_type = zipfile.ZIP_STORED if small else zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = mode << 16
    return info


def _clone(source: BinaryIO, target: BinaryIO) -> bool:
    try:
        if os.fstat(source.fileno()).st_size < _WORTH_A_CLONE:
            return False
        fcntl.ioctl(target.fileno(), _FICLONE, source.fileno())
    except OSError:
        return False
    return True


def _pump(source: BinaryIO, target: BinaryIO | None) -> Copied:
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
        if target is not None:
            view = memoryview(chunk)
            while view:
                view = view[target.write(view) :]
    return Copied(sha256=digest.hexdigest(), size=size)


class Payload:
    """The files of a working directory's ``content`` on their way into a crate."""

    def __init__(self, content: Path, writer: Writer) -> None:
        self.content = content
        self.writer = writer
        self._copied: dict[str, Copied] = {}
        self._trees: dict[str, Tree] = {}
        self._modified: dict[str, float] = {}
        self._folder: tuple[str, Path] | None = None

    def file(self, path: PurePosixPath | str, expected: str | None) -> Copied:
        """Copy the file at ``path`` (relative, here and there) and check its digest.

        Raises:
            DigestError: it isn't what ``expected`` (sha256) says.
            NotFoundError: it is gone.
            PolicyError: it is reached by a link out of the working directory.
        """
        name = str(path)
        copied = self._copied.get(name)
        if copied is None:
            with self._open(name) as source:
                status = os.fstat(source.fileno())
                copied = self.writer.file(name, source, executable=bool(status.st_mode & stat.S_IXUSR))
            self._copied[name] = copied
            self._modified[name] = status.st_mtime
        if expected is not None and copied.sha256 != expected:
            raise _wrong(name, expected, copied.sha256)
        return copied

    def _open(self, name: str) -> BinaryIO:
        """Open a file for reading; many lie beside each other, and the way to their folder is looked at once."""
        parent, _, last = str(safe_relative(name)).rpartition("/")
        if not parent:
            return open_inside(self.content, name)
        if self._folder is None or self._folder[0] != parent:
            self._folder = (parent, safe_join(self.content, parent).resolve())
        file = self._folder[1] / last
        return open_inside(self.content, name) if file.is_symlink() else _open_regular(file, name, os.O_NOFOLLOW)

    def modified(self, path: PurePosixPath) -> float | None:
        """When a file's bytes were last written (seconds since the epoch), by the file system."""
        known = self._modified.get(str(path))
        if known is not None:
            return known
        try:
            return safe_join(self.content, path).lstat().st_mtime
        except (OSError, PolicyError):
            return None

    def tree(self, path: PurePosixPath | str, expected: str | None) -> Tree:
        """Copy the folder at ``path`` with all it holds and check its digest by the tree rule.

        Raises:
            DigestError: it isn't what ``expected`` (sha256 of the tree) says.
            NotFoundError: it is gone.
            PolicyError: it holds a link that leaves it, or something that is no file, folder or link.
        """
        name = str(path)
        tree = self._trees.get(name)
        if tree is None:
            root = safe_join(self.content, name)
            if not root.is_dir():
                raise NotFoundError(f"the folder {name!r} is no longer in the working directory", where=name)
            self.writer.folder(name)
            tree = Tree.of([self._entry(root, name, relative, status) for relative, status in walk(root)])
            self._trees[name] = tree
        if expected is not None and tree.fingerprint.digest != expected:
            raise _wrong(name, expected, tree.fingerprint.digest)
        return tree

    def _entry(self, root: Path, name: str, relative: str, status: os.stat_result) -> TreeEntry:
        inner = f"{name}/{relative}"
        if stat.S_ISLNK(status.st_mode):
            target = os.readlink(root / relative)  # noqa: PTH115 - the text itself, not a Path
            check_link(relative, target)
            self.writer.link(inner, target)
            return TreeEntry(kind="l", path=relative, digest=target)
        if stat.S_ISDIR(status.st_mode):
            self.writer.folder(inner)
            return TreeEntry(kind="d", path=relative)
        if not stat.S_ISREG(status.st_mode):
            raise PolicyError(f"{inner!r} is neither a file, a folder nor a link", where=inner)
        copied = self.file(inner, None)
        kind = "x" if status.st_mode & stat.S_IXUSR else "f"
        return TreeEntry(kind=kind, path=relative, digest=copied.sha256, size=copied.size)

    def written(self, path: str, content: bytes) -> Copied:
        """Write a file that we made."""
        copied = self._copied[path] = self.writer.content(path, content)
        return copied

    def files(self) -> Iterator[tuple[str, int]]:
        """All files that were written, with their sizes in bytes."""
        for path, copied in self._copied.items():
            yield path, copied.size

    def folders(self) -> Iterator[str]:
        """All folders that were copied as a whole."""
        yield from self._trees

    def holds(self, path: str) -> bool:
        """Whether that file or folder was copied."""
        return path in self._copied or path in self._trees


def verify_outside(
    content: Path, path: PurePosixPath | str, expected: str, *, folder: bool, size: int | None = None
) -> None:
    """Read something that stays out of the crate, to be sure that what the crate says of it is so.

    ``size`` is what a file's is said to be, in bytes.

    Raises:
        DigestError: it isn't what ``expected`` says.
        NotFoundError: it is gone.
    """
    if folder:
        root = safe_join(content, str(path))
        if not root.is_dir():
            raise NotFoundError(f"the folder {str(path)!r} is no longer in the working directory", where=str(path))
        actual = Tree.of_directory(root).fingerprint.digest
    else:
        measured = measure(content, str(path))
        actual = measured.sha256
        if size is not None and actual == expected and measured.size != size:
            raise DigestError(
                f"{path} has {measured.size} bytes, the record says {size}",
                where=str(path),
                hint="the record was changed after it was written: stage or run again",
                path=str(path),
                expected=f"{size} bytes",
                actual=f"{measured.size} bytes",
            )
    if actual != expected:
        raise _wrong(str(path), expected, actual)


def measure(content: Path, path: str) -> Copied:
    """Digest and size of a file of the working directory, by reading it."""
    with open_inside(content, path) as stream:
        return _pump(stream, None)


def open_inside(content: Path, path: str) -> BinaryIO:
    """Open a regular file of the working directory for reading.

    Raises:
        NotFoundError: there is none.
        PolicyError: the path leads out of the working directory, or to a device.
    """
    return _open_regular(safe_join(content, path), path)


def _open_regular(full: Path, path: str, flags: int = 0) -> BinaryIO:
    try:
        # O_NONBLOCK: a FIFO in a file's place must not keep us waiting for its other end.
        descriptor = os.open(full, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | flags)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise NotFoundError(
                f"the file {path!r} is no longer in the working directory",
                where=path,
                hint="it was removed after it was recorded: stage or run again",
            ) from error
        raise
    stream = os.fdopen(descriptor, "rb", buffering=0)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        stream.close()
        raise PolicyError(f"{path!r} is not a regular file", where=path)
    return stream


def _wrong(path: str, expected: str, actual: str) -> DigestError:
    return DigestError(
        f"sha256 of {path} is {actual}, the record says {expected}",
        where=path,
        hint="the file was changed after it was recorded: stage or run again",
        path=path,
        expected=f"sha256:{expected}",
        actual=f"sha256:{actual}",
    )


__all__ = [
    "Copied",
    "Fingerprint",
    "FolderWriter",
    "Payload",
    "Writer",
    "ZipWriter",
    "measure",
    "open_inside",
]
