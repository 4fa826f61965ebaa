"""The layout of a zip: whether every reader finds the same in it.

Some readers go by the directory at its end, others (those that read from a pipe) by the headers before the entries, and
bytes that neither tells of may be anything. Who attests what a zip holds must know that there is nothing else in it.

Source: PKWARE's APPNOTE.TXT, 4.3 (layout), 4.4 (fields), 4.6.9 (Unicode path).
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from typing import IO, Final

from staging.errors import PolicyError

_LOCAL: Final = struct.Struct("<4sHHHHHLLLHH")
_END: Final = struct.Struct("<4sHHHHLLH")
_ZIP64_END: Final = 56 + 20
"""Bytes of zip64's end record and its locator."""
_ALL_ONES: Final = 0xFFFFFFFF
_DESCRIBED_AFTER: Final = 0x8
_UTF_8: Final = 0x800
_ZIP64_EXTRA: Final = 0x0001
_UNICODE_PATH: Final = 0x7075
_NAME_IN_PATH: Final = 5


def refuse_hidden(file: zipfile.ZipFile, stream: IO[bytes]) -> None:
    """See that the zip is its entries one after the other, then its directory, and that both say the same.

    Raises:
        PolicyError: there is more in it, or an entry is told of in two ways; ``where`` names it.
    """
    end = 0
    for info in sorted(file.infolist(), key=lambda one: one.header_offset):
        if info.header_offset != end:
            raise _hides(f"{info.header_offset - end} bytes before the entry {info.filename!r}", info.filename)
        end = _end_of(info, stream)
    if end != file.start_dir:
        raise _hides(f"{file.start_dir - end} bytes before its directory", "")
    _check_end(file, stream)


def _end_of(info: zipfile.ZipInfo, stream: IO[bytes]) -> int:
    """Where an entry ends, its descriptor with it."""
    stream.seek(info.header_offset)
    front = stream.read(_LOCAL.size)
    if len(front) < _LOCAL.size or not front.startswith(b"PK\x03\x04"):
        raise _in_two_ways(info)
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack(front)
    name, extra = stream.read(name_length), stream.read(extra_length)
    if name.decode("utf-8" if flags & _UTF_8 else "cp437", "replace") != info.orig_filename:
        raise _in_two_ways(info)
    long = next((content for kind, content in _extras(extra) if kind == _ZIP64_EXTRA), b"")
    if len(long) >= 16:  # noqa: PLR2004 - both sizes
        long_size, long_packed = struct.unpack_from("<QQ", long)
        size, packed = long_size if size == _ALL_ONES else size, long_packed if packed == _ALL_ONES else packed
    stated = (crc, packed, size)
    known = (info.CRC, info.compress_size, info.file_size)
    after = bool(flags & _DESCRIBED_AFTER)
    if (flags, method) != (info.flag_bits, info.compress_type) or (stated != known and not after):
        raise _in_two_ways(info)
    if after and any(one not in (0, _ALL_ONES, right) for one, right in zip(stated, known, strict=True)):
        raise _in_two_ways(info)
    for kind, content in (*_extras(extra), *_extras(info.extra)):
        if kind == _UNICODE_PATH and content[_NAME_IN_PATH:].decode("utf-8", "replace") != info.orig_filename:
            raise _in_two_ways(info)
    if info.is_dir() and info.file_size:
        raise _hides(f"{info.file_size} bytes in the folder {info.filename!r}", info.filename)
    end: int = info.header_offset + _LOCAL.size + name_length + extra_length + info.compress_size
    return end + (_descriptor(info, end, stream) if after else 0)


def _descriptor(info: zipfile.ZipInfo, end: int, stream: IO[bytes]) -> int:
    """How many bytes are said of an entry after it: with a mark or without, sizes of 4 or 8 bytes."""
    values = (info.CRC, info.compress_size, info.file_size)
    stream.seek(end)
    found = stream.read(24)
    for form in ("<LLL", "<LQQ"):
        if form == "<LLL" and max(values) > _ALL_ONES:
            continue
        for mark in (b"PK\x07\x08", b""):
            content = mark + struct.pack(form, *values)
            # Four zero bytes may follow the short form only if it is the long one.
            if found.startswith(content) and (found[len(content) :][:2] == b"PK" or len(found) == len(content)):
                return len(content)
    raise _in_two_ways(info)


def _check_end(file: zipfile.ZipFile, stream: IO[bytes]) -> None:
    whole = stream.seek(0, 2)
    place = whole - _END.size - len(file.comment)
    stream.seek(max(0, place))
    record = stream.read(_END.size)
    if place < 0 or len(record) < _END.size or not record.startswith(b"PK\x05\x06"):
        raise _hides("bytes after its end", "")
    *_, size, start, comment = _END.unpack(record)
    stream.seek(max(0, place - 20))
    long = stream.read(4) == b"PK\x06\x07"
    real = place - file.start_dir - (_ZIP64_END if long else 0)
    allowed = (_ALL_ONES,) if long else ()
    if size not in (real, *allowed) or start not in (file.start_dir, *allowed) or comment != len(file.comment):
        raise _hides("another directory", "")


def _extras(content: bytes) -> Iterator[tuple[int, bytes]]:
    while len(content) >= 4:  # noqa: PLR2004 - kind and length
        kind, length = struct.unpack_from("<HH", content)
        yield kind, content[4 : 4 + length]
        content = content[4 + length :]


def _hides(what: str, where: str) -> PolicyError:
    return PolicyError(
        f"the archive hides {what}: other programs may find there what is not looked at here",
        hint="unpack it, look at what came out, and name that folder",
        where=where,
    )


def _in_two_ways(info: zipfile.ZipInfo) -> PolicyError:
    return PolicyError(
        f"the archive tells of its entry {info.filename!r} in two ways: programs differ in which they believe",
        hint="unpack it, look at what came out, and name that folder",
        where=info.filename,
    )
