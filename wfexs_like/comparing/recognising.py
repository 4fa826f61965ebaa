"""Recognising: what format a file is of, by how it begins, and only then by what it is called."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final, Literal

Format = Literal[
    "gzip", "bzip2", "bam", "bcf", "cram", "vcf", "sam", "fasta", "fastq", "pdf", "png", "page", "zip", "tar",
    "csv", "tsv", "json", "text",
]  # fmt: skip

START: Final = 8192
_TAR_PLACE: Final = 257
_MAGIC: Final[tuple[tuple[bytes, Format], ...]] = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"BZh", "bzip2"),
    (b"BAM\1", "bam"),
    (b"BCF\2", "bcf"),
    (b"CRAM", "cram"),
    (b"%PDF-", "pdf"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"##fileformat=VCF", "vcf"),
)
_ENDINGS: Final[dict[str, Format]] = {
    ".sam": "sam",
    ".vcf": "vcf",
    ".html": "page",
    ".htm": "page",
    ".xhtml": "page",
    ".svg": "page",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".geojson": "json",
    ".jsonld": "json",
    ".ipynb": "json",
    **dict.fromkeys((".fa", ".fasta", ".fna", ".faa", ".ffn", ".fas"), "fasta"),
    **dict.fromkeys((".fq", ".fastq"), "fastq"),
}


def recognise(start: bytes, name: str) -> Format | None:
    """The format of a file that begins with ``start``; ``None`` for those that only their bytes tell of."""
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return kind
    if start[_TAR_PLACE : _TAR_PLACE + 5] == b"ustar":
        return "tar"
    if b"\0" in start:
        return None
    return _ENDINGS.get(PurePosixPath(name).suffix.lower(), "text")
