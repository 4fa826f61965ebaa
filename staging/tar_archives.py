"""Tar archives for ``staging.archives``: read to their very end, so that one that breaks off is not taken for whole."""

from __future__ import annotations

import gzip
import io
import lzma
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Final

from staging.archives import ArchiveError, Entry
from staging.errors import PolicyError
from staging.streams import CHUNK

_LARGEST_HEADER: Final = 1 << 20
_LARGEST_TAIL: Final = 1 << 20
_HEADERS: Final = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


class BoundedMember(tarfile.TarInfo):
    """An entry whose extended headers have a bearable size, and without which an archive doesn't just end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> BoundedMember:
        """Read the next header."""
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            # The library would take this for the end of the archive.
            raise tarfile.ReadError(str(error)) from error

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _HEADERS and self.size > _LARGEST_HEADER:
            raise PolicyError(f"the archive has a header of {self.size} bytes", where=self.name)
        member: BoundedMember = super()._proc_member(archive)  # type: ignore[misc]
        return member


_ERRORS: Final = (tarfile.TarError, zlib.error, EOFError, lzma.LZMAError, ValueError)


class TarReader:
    """An open tar archive, plain or compressed.

    Raises:
        ArchiveError: it is none.
    """

    errors: tuple[type[Exception], ...] = (*_ERRORS, gzip.BadGzipFile)

    def __init__(self, path: Path) -> None:
        try:
            self._file = tarfile.open(path, "r:*", tarinfo=BoundedMember, errorlevel=2)  # noqa: SIM115 - closed by close()
        except (*_ERRORS, OSError) as error:
            raise ArchiveError(
                f"{path.name} is neither a zip nor a tar archive", hint="tar may be gzip, bzip2 or xz", where=path.name
            ) from error

    def entries(self) -> Iterator[tuple[Entry, Callable[[], IO[bytes]]]]:
        """Every entry, and then what proves that the archive is whole."""
        for member in self._file:
            name = member.name
            while name.startswith("./"):
                name = name[2:].lstrip("/")
            if name in ("", ".") and member.isdir():
                continue
            kind = _kind(member)
            entry = Entry(
                name=name,
                kind=kind,
                size=member.size if kind == "f" else 0,
                executable=bool(member.mode & stat.S_IXUSR),
            )
            yield entry, partial(self._body, member)
        self._read_tail()

    def _body(self, member: tarfile.TarInfo) -> IO[bytes]:
        if member.issym():
            return io.BytesIO(member.linkname.encode(errors="surrogateescape"))
        body = self._file.extractfile(member)
        if body is None:
            raise ArchiveError(f"the archive's entry {member.name!r} has no content", where=member.name)
        return body

    def _read_tail(self) -> None:
        """A compressed archive's check sum comes after its last byte: read on to there."""
        stream, size = self._file.fileobj, 0
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if size > _LARGEST_TAIL:
                raise PolicyError("the archive goes on after its end", where=str(self._file.name))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _kind(member: tarfile.TarInfo) -> str:
    if member.isdir():
        return "d"
    if member.issym():
        return "l"
    if member.isreg() and not member.issparse():
        return "a file that would run as another user" if member.mode & (stat.S_ISUID | stat.S_ISGID) else "f"
    if member.islnk():
        return "a hard link"
    return "a sparse file" if member.issparse() else "neither a file, a folder nor a link"
