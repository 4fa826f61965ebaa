"""Formats: the identifier that EDAM has for what a file's name lets expect.

Source: EDAM, the ontology of bioscientific data analysis (https://edamontology.org, CC-BY-SA-4.0): identifiers and
labels of its format branch. An ending that it has nothing for has none here.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

_EDAM: Final = "http://edamontology.org/format_"
_NUMBERS: Final = {
    "bai": ("3327", "BAI"),
    "bam": ("2572", "BAM"),
    "bcf": ("3020", "BCF"),
    "bed": ("3003", "BED"),
    "cram": ("3462", "CRAM"),
    "csv": ("3752", "CSV"),
    "fa": ("1929", "FASTA"),
    "fasta": ("1929", "FASTA"),
    "fastq": ("1930", "FASTQ"),
    "fna": ("1929", "FASTA"),
    "fq": ("1930", "FASTQ"),
    "gff3": ("1975", "GFF3"),
    "gif": ("3467", "GIF"),
    "gtf": ("2306", "GTF"),
    "gz": ("3989", "GZIP format"),
    "html": ("2331", "HTML"),
    "jpeg": ("3579", "JPG"),
    "jpg": ("3579", "JPG"),
    "json": ("3464", "JSON"),
    "log": ("2330", "Textual format"),
    "pdf": ("3508", "PDF"),
    "png": ("3603", "PNG"),
    "sam": ("2573", "SAM"),
    "svg": ("3604", "SVG"),
    "tar": ("3981", "TAR format"),
    "tif": ("3591", "TIFF"),
    "tiff": ("3591", "TIFF"),
    "tsv": ("3475", "TSV"),
    "txt": ("2330", "Textual format"),
    "vcf": ("3016", "VCF"),
    "xml": ("2332", "XML"),
    "yaml": ("3750", "YAML"),
    "yml": ("3750", "YAML"),
    "zip": ("3987", "ZIP format"),
}
_WRAPPERS: Final = frozenset({"gz"})


def edam_format(name: str) -> tuple[str, str] | None:
    """Identifier and label of the format of a file of that name: of what it holds where it is packed.

    One alone: a validator takes no more of them beside a media type.
    """
    endings = [one.lower().lstrip(".") for one in PurePosixPath(name).suffixes]
    if len(endings) > 1 and endings[-1] in _WRAPPERS and endings[-2] in _NUMBERS:
        endings.pop()
    number, label = _NUMBERS.get(endings[-1], ("", "")) if endings else ("", "")
    return (_EDAM + number, label) if number else None
