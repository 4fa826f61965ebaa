"""Signing a folder: ``manifest-sha512.txt`` lists every file in it, and ``manifest-sha512.txt.sig`` signs that list.

Two commands check it, ``ssh-keygen -Y verify`` and ``sha512sum -c``. Symbolic links, which the latter follows, are told
by comments of the list.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from staging.errors import PolicyError, UsageError, from_os_error
from staging.fingerprints import CHUNK, check_link, walk
from staging.paths import safe_relative
from wfexs_like.crate.payload import Copied, Writer
from wfexs_like.seal.file_lists import ListedFile, write_list
from wfexs_like.seal.naming import MANIFEST, MANIFEST_SCHEMA, SIGNATURE
from wfexs_like.seal.signatures import sign_bytes
from wfexs_like.seal.ssh_keys import Signer

_AT_ONCE: Final = 2


def sign_folder(folder: Path, signer: Signer) -> None:
    """List and sign every file below ``folder``, which is read once and should not change meanwhile.

    Raises:
        UsageError: it has a list or a signature already.
        PolicyError: it holds something that is no file, folder or link that stays inside, or a name that can't travel.
        DiskError: the disk is full. WfexsError: it can't be read.
    """
    for name in (MANIFEST, SIGNATURE):
        if os.path.lexists(folder / name):
            raise UsageError(f"{folder} has a {name} already", hint="sign what is not signed yet", where=name)
    try:
        files, links = _survey(folder)
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            digests = pool.map(lambda path: _sha512(folder / path), files)
            listed = [ListedFile(path=path, digest=digest) for path, digest in zip(files, digests, strict=True)]
        content = write_list(listed, links=links, headers=(MANIFEST_SCHEMA,))
        for name, text in ((MANIFEST, content), (SIGNATURE, sign_bytes(content, signer))):
            with (folder / name).open("xb") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
    except OSError as error:
        raise from_os_error(error, f"sign {folder}") from error


class ListingWriter:
    """A crate's writer that keeps the sha512 of all that goes through it; ``sign`` writes the list and its signature.

    Bytes are hashed on their way; only a file that the file system cloned is read once more. ``root`` is where the
    files of a folder lie, ``None`` for a ZIP file.
    """

    def __init__(self, inner: Writer, root: Path | None) -> None:
        self._inner = inner
        self._root = root
        self._files: list[ListedFile] = []
        self._links: dict[str, str] = {}

    def file(self, path: str, source: BinaryIO, *, executable: bool = False) -> Copied:
        """Copy a stream."""
        hashing = _Hashing(source)
        copied = self._inner.file(path, hashing, executable=executable)  # type: ignore[arg-type]  # read, fileno
        digest = hashing.digest.hexdigest()
        if hashing.size != copied.size:
            assert self._root is not None
            digest = _sha512(self._root / path)
        self._files.append(ListedFile(path=path, digest=digest))
        return copied

    @contextmanager
    def opened(self, path: str) -> Iterator[BinaryIO]:
        """A file to write to."""
        with self._inner.opened(path) as stream:
            hashing = _HashingSink(stream)
            yield hashing  # type: ignore[misc]  # write
        self._files.append(ListedFile(path=path, digest=hashing.digest.hexdigest()))

    def content(self, path: str, content: bytes) -> Copied:
        """Write bytes."""
        self._files.append(ListedFile(path=path, digest=hashlib.sha512(content).hexdigest()))
        return self._inner.content(path, content)

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link."""
        self._links[path] = target
        self._inner.link(path, target)

    def folder(self, path: str) -> None:
        """Make a folder."""
        self._inner.folder(path)

    def close(self) -> None:
        """Finish."""
        self._inner.close()

    def sign(self, signer: Signer) -> None:
        """Write the list of all that was written, and its signature; nothing may be written after them."""
        content = write_list(self._files, links=self._links, headers=(MANIFEST_SCHEMA,))
        self._inner.content(MANIFEST, content)
        self._inner.content(SIGNATURE, sign_bytes(content, signer))


class _Hashing:
    """A stream that hashes what is read from it."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.digest = hashlib.sha512()
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        chunk = self._source.read(size)
        self.digest.update(chunk)
        self.size += len(chunk)
        return chunk

    def readinto(self, buffer: bytearray | memoryview) -> int:
        count: int = self._source.readinto(buffer)  # type: ignore[attr-defined]
        with memoryview(buffer) as view, view[:count] as part:
            self.digest.update(part)
        self.size += count
        return count

    def fileno(self) -> int:
        return self._source.fileno()


class _HashingSink:
    """A stream that hashes what is written to it."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self.digest = hashlib.sha512()

    def write(self, content: bytes | memoryview) -> int:
        count = self._target.write(content)
        self.digest.update(memoryview(content)[:count])
        return count


def _survey(folder: Path) -> tuple[list[str], dict[str, str]]:
    files: list[str] = []
    links: dict[str, str] = {}
    for path, status in walk(folder):
        safe_relative(path)
        if stat.S_ISLNK(status.st_mode):
            links[path] = os.readlink(folder / path)  # noqa: PTH115 - the text itself, not a Path
            check_link(path, links[path])
        elif stat.S_ISREG(status.st_mode):
            files.append(path)
        elif not stat.S_ISDIR(status.st_mode):
            raise PolicyError(f"{path!r} is neither a file, a folder nor a link", where=path)
    return files, links


def _sha512(path: Path) -> str:
    digest = hashlib.sha512()
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), "rb", buffering=0) as stream:  # noqa: PTH123
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
