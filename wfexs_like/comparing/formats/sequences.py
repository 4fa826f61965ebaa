"""FASTA and FASTQ: the order of the sequences doesn't count."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Final

from wfexs_like.comparing.records import Record, compare_records
from wfexs_like.comparing.sources import Source, lines_of
from wfexs_like.comparing.verdicts import Comparison, NotThatFormatError, different, equivalent

_LINES_OF_FASTQ: Final = 4


def compare_fasta(a: Source, b: Source) -> Comparison:
    """Two FASTA texts."""
    return _compare(a, b, fastq=False)


def compare_fastq(a: Source, b: Source) -> Comparison:
    """Two FASTQ texts of four lines a read."""
    return _compare(a, b, fastq=True)


def _compare(a: Source, b: Source, *, fastq: bool) -> Comparison:
    difference = compare_records(partial(_records, a, fastq=fastq), partial(_records, b, fastq=fastq))
    if difference is None:
        return equivalent("line ends differ")
    if difference.reordered:
        return equivalent("the same sequences are in another order")
    return different("its sequences differ", f"sequence {difference.number}", difference.a, difference.b)


@contextmanager
def _records(source: Source, *, fastq: bool) -> Iterator[Iterator[Record]]:
    with source.stream() as stream:
        yield _reads(stream) if fastq else _sequences(stream)


def _sequences(stream: IO[bytes]) -> Iterator[Record]:
    """The sequences: a chromosome is hashed as it is read."""
    name, digest, start = None, hashlib.sha256(), b""
    for line in lines_of(stream):
        bare = line.rstrip(b"\r\n")
        if bare.startswith(b">"):
            if name is not None:
                yield name + b"\n" + digest.digest(), name + b" " + start
            name, digest, start = bare, hashlib.sha256(), b""
        elif name is None:
            raise NotThatFormatError("it has no name for its first sequence")
        else:
            digest.update(bare + b"\n")
            start = start or bare
    if name is not None:
        yield name + b"\n" + digest.digest(), name + b" " + start


def _reads(stream: IO[bytes]) -> Iterator[Record]:
    read: list[bytes] = []
    for line in lines_of(stream):
        read.append(line.rstrip(b"\r\n"))
        if len(read) == _LINES_OF_FASTQ:
            if not (read[0].startswith(b"@") and read[2].startswith(b"+")):
                raise NotThatFormatError("it isn't made of reads of four lines")
            yield b"\n".join(read), b" ".join(read[:2])
            read = []
    if read:
        raise NotThatFormatError("its last read isn't whole")
