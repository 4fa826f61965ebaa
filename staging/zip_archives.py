"""Zip archives for ``staging.archives``: what the format can hide is looked at before its entries are believed."""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Final

from staging.archives import ArchiveError, Entry
from staging.errors import PolicyError
from staging.zip_layout import refuse_hidden

_END: Final = b"PK\x05\x06"
_END_SIZE: Final = 22
_LONGEST_COMMENT: Final = 0xFFFF
_LOCATOR: Final = b"PK\x06\x07"
_LOCAL_HEADER: Final = 30
_BYTES_AN_ENTRY: Final = 150
_ENCRYPTED: Final = 0x1
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)

# UnicodeDecodeError: a name that says it is UTF-8 and is not.
_ERRORS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    struct.error,
    UnicodeDecodeError,
)


class ZipReader:
    """An open zip archive.

    Raises:
        ArchiveError: it is none, or damaged.
        PolicyError: its directory is larger than ``most`` entries need, or entries lie over each other.
    """

    errors: tuple[type[Exception], ...] = _ERRORS

    def __init__(self, path: Path, most: int) -> None:
        self._path = path
        # The library reads the whole directory into memory, whatever its size.
        with path.open("rb") as stream:
            if directory_size(stream) > largest_directory(most):
                raise PolicyError(f"the archive {path.name} has more than {most} entries", where=path.name)
        try:
            self._file = zipfile.ZipFile(path)
        except (*_ERRORS, ValueError) as error:
            raise ArchiveError(f"{path.name} is no zip archive, or was cut short: {error}", where=path.name) from error
        try:
            refuse_overlaps(self._file)
        except BaseException:
            self._file.close()
            raise

    def entries(self) -> Iterator[tuple[Entry, Callable[[], IO[bytes]]]]:
        """Every entry of the directory."""
        for info in self._file.infolist():
            if info.orig_filename != info.filename:
                raise PolicyError(
                    f"the archive's entry {info.orig_filename!r} has a NUL in its name", where=info.filename
                )
            mode = info.external_attr >> 16
            entry = Entry(
                name=info.filename.removesuffix("/"),
                kind=_kind(info, mode),
                size=info.file_size,
                executable=bool(mode & stat.S_IXUSR),
            )
            yield entry, partial(self._file.open, info)

    def refuse_hidden(self) -> None:
        """See that there is nothing in it but its entries, and that every program finds the same.

        Raises:
            PolicyError: there is more, or an entry is told of in two ways.
        """
        with self._path.open("rb") as stream:
            refuse_hidden(self._file, stream)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _kind(info: zipfile.ZipInfo, mode: int) -> str:
    form = stat.S_IFMT(mode)
    if info.flag_bits & _ENCRYPTED:
        return "encrypted"
    if info.compress_type not in _METHODS:
        return f"compressed in a way that is not known ({info.compress_type})"
    if info.filename.endswith("/"):
        return "d" if form in (0, stat.S_IFDIR) else "a folder by name and something else by mode"
    if form == stat.S_IFLNK:
        return "l"
    if form not in (0, stat.S_IFREG):
        return "neither a file, a folder nor a link"
    return "a file that would run as another user" if mode & (stat.S_ISUID | stat.S_ISGID) else "f"


def largest_directory(most: int) -> int:
    """The size in bytes of a central directory of ``most`` entries, roughly."""
    return most * _BYTES_AN_ENTRY + _LONGEST_COMMENT


def directory_size(stream: IO[bytes]) -> int:
    """The size of the central directory, by the record at the end; 0 where that can't be read."""
    end = stream.seek(0, 2)
    stream.seek(max(0, end - _LONGEST_COMMENT - _END_SIZE - 20))
    tail = stream.read()
    start = tail.rfind(_END, 0, len(tail) - _END_SIZE + len(_END))  # of those that are whole
    if start < 0:
        return 0
    (size,) = struct.unpack_from("<L", tail, start + 12)
    # The library believes zip64's record wherever there is one, whatever the other says.
    if start < 20 or not tail.startswith(_LOCATOR, start - 20):  # noqa: PLR2004 - the locator's size
        return int(size)
    (where,) = struct.unpack_from("<Q", tail, start - 20 + 8)
    if where + 56 > end:
        return 0
    stream.seek(where + 40)
    return int(struct.unpack("<Q", stream.read(8))[0])


def refuse_overlaps(file: zipfile.ZipFile) -> None:
    """See that no entries share their packed bytes: a bomb without nesting.

    Raises:
        PolicyError: two do.
    """
    infos = sorted(file.infolist(), key=lambda info: info.header_offset)
    ends = [*(info.header_offset for info in infos[1:]), file.start_dir]
    for info, end in zip(infos, ends, strict=False):
        if info.header_offset < 0 or info.header_offset + _LOCAL_HEADER + info.compress_size > end:
            raise PolicyError(f"the archive's entry {info.filename!r} lies over another one", where=info.filename)
