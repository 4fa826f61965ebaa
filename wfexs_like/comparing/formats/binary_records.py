"""BAM and BCF: a header of lines, then records of bytes. Their order doesn't count, nor do lines on how it was made.

Records name sequences and keys by their place in the header, so the order of the lines that define them counts.
Source: SAM 1.6, section 4.2; VCF 4.5, section 6.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Final, NamedTuple

from wfexs_like.comparing.formats.headered import LARGEST_HEADER, compare_headers, made_sam, made_vcf, told
from wfexs_like.comparing.records import Record, compare_records
from wfexs_like.comparing.sources import Source, read_exactly, read_full
from wfexs_like.comparing.verdicts import Comparison, NotThatFormatError, different, equivalent

_BAM: Final = b"BAM\1"
_BCF: Final = b"BCF\2"
_MOST_SEQUENCES: Final = 10_000_000
_FIXED: Final = 32  # bytes of a BAM record before its name


class _Head(NamedTuple):
    lines: list[bytes]
    sequences: list[tuple[bytes, int]]


def compare_bam(a: Source, b: Source) -> Comparison:
    """Two BAM files, whose blocks are unpacked already."""
    return _compare(a, b, _bam_head, _bam_record, made_sam)


def compare_bcf(a: Source, b: Source) -> Comparison:
    """Two BCF files, whose blocks are unpacked already."""
    return _compare(a, b, _bcf_head, _bcf_record, made_vcf)


def _compare(
    a: Source,
    b: Source,
    head: Callable[[IO[bytes]], _Head],
    record: Callable[[IO[bytes]], Record | None],
    made: Callable[[bytes], str | None],
) -> Comparison:
    heads = []
    for side in (a, b):
        with side.stream() as stream:
            heads.append(head(stream))
    found, reason = compare_headers(heads[0].lines, heads[1].lines, made, ordered=made is made_vcf)
    if found is not None:
        return found
    if heads[0].sequences != heads[1].sequences:
        return different("the sequences it refers to differ", "header")
    difference = compare_records(partial(_records, a, head, record), partial(_records, b, head, record))
    if difference is not None and not difference.reordered:
        return different("its records differ", f"record {difference.number}", difference.a, difference.b)
    return equivalent(reason, told(difference, "records"))


@contextmanager
def _records(
    source: Source, head: Callable[[IO[bytes]], _Head], record: Callable[[IO[bytes]], Record | None]
) -> Iterator[Iterator[Record]]:
    with source.stream() as stream:
        head(stream)
        yield iter(partial(record, stream), None)


def _lines(stream: IO[bytes]) -> list[bytes]:
    text = read_exactly(stream, _number(stream), most=LARGEST_HEADER)
    return text.rstrip(b"\0").splitlines()


def _number(stream: IO[bytes]) -> int:
    return int(struct.unpack("<I", read_exactly(stream, 4))[0])


def _sizes(stream: IO[bytes], numbers: int) -> bytes:
    """The numbers, of four bytes each, that a record begins with; nothing where there are no more records."""
    found = read_full(stream, 4 * numbers)
    if 0 < len(found) < 4 * numbers:
        raise NotThatFormatError("it ends too early")
    return found


def _bam_head(stream: IO[bytes]) -> _Head:
    if read_exactly(stream, 4) != _BAM:
        raise NotThatFormatError("it is no BAM file")
    lines = _lines(stream)
    count = _number(stream)
    if count > _MOST_SEQUENCES:
        raise NotThatFormatError("it refers to too many sequences")
    return _Head(lines, [(read_exactly(stream, _number(stream), most=1 << 16), _number(stream)) for _ in range(count)])


def _bam_record(stream: IO[bytes]) -> Record | None:
    size = _sizes(stream, 1)
    if not size:
        return None
    content = read_exactly(stream, int(struct.unpack("<I", size)[0]))
    if len(content) < _FIXED:
        raise NotThatFormatError("a record of it is too short")
    reference, position, length = struct.unpack_from("<iiB", content)
    name = content[_FIXED : _FIXED + length].rstrip(b"\0")
    return content, name + f" at {reference}:{position + 1}".encode()


def _bcf_head(stream: IO[bytes]) -> _Head:
    if read_exactly(stream, 5)[:4] != _BCF:
        raise NotThatFormatError("it is no BCF file")
    return _Head(_lines(stream), [])


def _bcf_record(stream: IO[bytes]) -> Record | None:
    sizes = _sizes(stream, 2)
    if not sizes:
        return None
    shared, individual = struct.unpack("<II", sizes)
    content = read_exactly(stream, shared) + read_exactly(stream, individual)
    if shared < 8:  # noqa: PLR2004 - sequence and position
        raise NotThatFormatError("a record of it is too short")
    sequence, position = struct.unpack_from("<ii", content)
    return sizes + content, f"{sequence}:{position + 1}".encode()
