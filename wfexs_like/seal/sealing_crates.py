"""Sealing a crate while it is written: writers that take a plain crate's files and put out only sealed bytes.

Each byte is read once, its digest is the plaintext's (so that it is checked as in any export), and no plaintext is
written. ``finish`` adds the sealed manifest.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from staging.errors import DigestError
from staging.fingerprints import CHUNK
from staging.paths import MAX_NAME_BYTES, MAX_PATH_BYTES, safe_relative
from wfexs_like.crate.graph import METADATA
from wfexs_like.crate.payload import Copied, Writer
from wfexs_like.seal.file_lists import ListedFile
from wfexs_like.seal.headers import SLOTS, new_session_key, seal_header
from wfexs_like.seal.manifests import SEALED_MANIFEST, SEALED_SIGNATURE, SUFFIX, SealedManifest
from wfexs_like.seal.recipients import Recipient
from wfexs_like.seal.segments import SEGMENT, SealingWriter, writer_to
from wfexs_like.seal.signatures import sign_bytes
from wfexs_like.seal.ssh_keys import Signer

TAR_END: Final = 2 * tarfile.BLOCKSIZE
_FEW_SLOTS: Final = 16
"""For small files, which are made anew at once when more than eight people are to open them."""
_OPAQUE: Final = "sealed/{:06d}" + SUFFIX


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedFile:
    """One sealed file of a crate: where it lies, its ``length`` in bytes, and what its plaintext and its body are."""

    place: str
    length: int
    size: int
    sha256: str
    body_sha256: str


class _Recording:
    """What a plain crate consists of, as it is written."""

    def __init__(self, recipients: Sequence[Recipient]) -> None:
        self.recipients = tuple(recipients)
        self.files: dict[str, ListedFile] = {}
        self.links: dict[str, str] = {}
        self.folders: set[str] = set()
        self.executables: set[str] = set()
        self.metadata = b""
        """The plain crate's metadata, once they were written."""

    def _record(self, path: str, copied: Copied, *, executable: bool = False) -> None:
        self.files[path] = ListedFile(path=path, digest=copied.sha256, size=copied.size)
        if executable:
            self.executables.add(path)

    def _manifest(self, places: dict[str, str]) -> bytes:
        manifest = SealedManifest(
            files=self.files,
            links=self.links,
            folders=frozenset(self.folders),
            executables=frozenset(self.executables),
            places=places,
        )
        manifest.check()
        return manifest.text()

    def link(self, path: str, target: str) -> None:
        """Remember a symbolic link: only the sealed manifest tells of it."""
        self.links[str(safe_relative(path))] = target

    def skeleton(self, folder: Path) -> None:
        """The plain crate's metadata in ``folder``, and an empty file in the place of each other one."""
        for path in self.folders:
            (folder / path).mkdir(parents=True, exist_ok=True)
        for path in self.files:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(self.metadata if path == METADATA else b"")


class SealedFiles(_Recording):
    """A crate whose files are sealed one by one, into any writer; ``opaque`` gives them names that say nothing."""

    def __init__(self, inner: Writer, recipients: Sequence[Recipient], *, opaque: bool) -> None:
        super().__init__(recipients)
        self._inner = inner
        self._opaque = opaque
        self.sealed: dict[str, SealedFile] = {}
        """By the plain path."""
        self._places: dict[str, str] = {}

    def file(self, path: str, source: BinaryIO, *, executable: bool = False) -> Copied:
        """Seal a stream."""
        return self._file(path, source, _size_of(source), executable=executable)

    def opened(self, path: str) -> AbstractContextManager[BinaryIO]:
        """A file to write plaintext to."""
        return self._opened(path)

    def content(self, path: str, content: bytes) -> Copied:
        """Seal bytes."""
        if path == METADATA:
            self.metadata = content
        return self._file(path, io.BytesIO(content), len(content))

    def folder(self, path: str) -> None:
        """Make a folder, where its name may be seen."""
        self.folders.add(str(safe_relative(path)))
        if not self._opaque:
            self._inner.folder(path)

    def close(self) -> None:
        """Finish."""
        self._inner.close()

    def finish(self, signer: Signer | None) -> None:
        """Seal the manifest, and its signature."""
        text = self._manifest(self._places)
        for name, content in _own_files(text, signer):
            self._seal(name, name + SUFFIX, io.BytesIO(content), len(content))

    def _file(self, path: str, source: BinaryIO, size: int | None, *, executable: bool = False) -> Copied:
        copied = self._seal(path, self._place(path), source, size)
        self._record(path, copied, executable=executable)
        return copied

    @contextmanager
    def _opened(self, path: str) -> Iterator[BinaryIO]:
        with self._sealing(path, self._place(path)) as sink:
            yield sink  # type: ignore[misc]  # write
        one = self.sealed[path]
        self._record(path, Copied(sha256=one.sha256, size=one.size))

    def _place(self, path: str) -> str:
        safe_relative(path)
        place = path + SUFFIX
        too_long = len(place.rpartition("/")[2].encode()) > MAX_NAME_BYTES or len(place.encode()) > MAX_PATH_BYTES
        if self._opaque or too_long:
            place = self._places[path] = _OPAQUE.format(len(self.sealed) + 1)
        return place

    def _seal(self, path: str, place: str, source: BinaryIO, size: int | None) -> Copied:
        with self._sealing(path, place, size) as sink:
            sink.take_from(source, name=path)
        return Copied(sha256=sink.sealed.sha256 or "", size=sink.sealed.size)

    @contextmanager
    def _sealing(self, path: str, place: str, size: int | None = None) -> Iterator[SealingWriter]:
        key = new_session_key()
        small = size is not None and size <= SEGMENT
        header = seal_header(self.recipients, key, slots=_FEW_SLOTS if small else SLOTS)
        with self._inner.opened(place) as out:
            writer_to(out)(memoryview(header))
            with SealingWriter(out, key, name=place) as sink:
                yield sink
        done = sink.sealed
        self.sealed[path] = SealedFile(
            place=place,
            length=len(header) + done.body_size,
            size=done.size,
            sha256=done.sha256 or "",
            body_sha256=done.body_sha256 or "",
        )


class SealedArchive(_Recording):
    """A crate as one sealed file: a tar of everything, with the manifest at its end."""

    def __init__(self, target: Path, recipients: Sequence[Recipient]) -> None:
        super().__init__(recipients)
        key = new_session_key()
        header = seal_header(self.recipients, key)
        self._out = target.open("xb", buffering=0)
        try:
            writer_to(self._out.fileno())(memoryview(header))
            self._sink = SealingWriter(self._out.fileno(), key, name=target.name, plain_digest=False, body_digest=False)
        except BaseException:
            self._out.close()
            raise
        self._finished = False

    def file(self, path: str, source: BinaryIO, *, executable: bool = False) -> Copied:
        """Seal a stream that has a file behind it."""
        copied = self._member(path, source, os.fstat(source.fileno()).st_size, executable=executable)
        self._record(path, copied, executable=executable)
        return copied

    def opened(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Nothing: a tar's entry begins with its size."""
        raise NotImplementedError(path)

    def content(self, path: str, content: bytes) -> Copied:
        """Seal bytes."""
        if path == METADATA:
            self.metadata = content
        copied = self._member(path, io.BytesIO(content), len(content))
        self._record(path, copied)
        return copied

    def folder(self, path: str) -> None:
        """Store a folder's entry, once."""
        if str(safe_relative(path)) not in self.folders:
            self.folders.add(path)
            self._sink.write(_tar_header(path + "/", tarfile.DIRTYPE, 0, 0o755))

    def finish(self, signer: Signer | None) -> None:
        """Put the manifest and its signature at the end."""
        for name, content in _own_files(self._manifest({}), signer):
            self._member(name, io.BytesIO(content), len(content))
        self._sink.write(bytes(TAR_END))
        self._finished = True

    def close(self) -> None:
        """Write what is left; without ``finish`` the file is of no use."""
        with self._out:
            if self._finished:
                self._sink.close()
                os.fsync(self._out.fileno())
            else:
                self._sink.abort()

    def _member(self, path: str, source: BinaryIO, size: int, *, executable: bool = False) -> Copied:
        safe_relative(path)
        self._sink.write(_tar_header(path, tarfile.REGTYPE, size, 0o755 if executable else 0o644))
        digest, left = hashlib.sha256(), size
        while chunk := source.read(min(CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                break
            digest.update(chunk)
            self._sink.write(chunk)
        if left:
            raise DigestError(f"{path} changed its size while it was read", where=path, hint="export again")
        self._sink.write(bytes(-size % tarfile.BLOCKSIZE))
        return Copied(sha256=digest.hexdigest(), size=size)


def _size_of(source: BinaryIO) -> int | None:
    try:
        return os.fstat(source.fileno()).st_size
    except (OSError, AttributeError):
        return None


def _own_files(manifest: bytes, signer: Signer | None) -> Iterator[tuple[str, bytes]]:
    yield SEALED_MANIFEST, manifest
    if signer is not None:
        yield SEALED_SIGNATURE, sign_bytes(manifest, signer)


def _tar_header(name: str, kind: bytes, size: int, mode: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode = kind, size, mode
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
