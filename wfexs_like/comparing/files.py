"""Files: two files held against each other, by their bytes and then by what their format says of their content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from wfexs_like.comparing.recognising import START, Format, recognise
from wfexs_like.comparing.sources import Budget, Source, first_difference
from wfexs_like.comparing.verdicts import (
    IDENTICAL,
    CannotCompareError,
    Comparison,
    NotThatFormatError,
    different,
    unknown,
)

TOLERANCE: Final = 1e-6
_DEEPEST: Final = 4
_BINARY: Final = frozenset({"gzip", "bzip2", "bam", "bcf", "cram", "pdf", "png", "zip", "tar"})
_MISMATCH: Final = "its bytes differ"
_PACKED: Final = {"gzip": "gzip headers or blocks differ", "bzip2": "bzip2 blocks differ"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How files are compared: ``strict`` is by their bytes alone, ``tolerance`` is relative."""

    strict: bool = False
    tolerance: float = TOLERANCE


def compare_files(a: Source, b: Source, manner: Manner) -> Comparison:
    """What is to be said of two files. Nothing that is in them makes it fail; a file that can't be read does.

    Raises:
        OSError: one can't be read.
    """
    budget = Budget((a.size or 0) + (b.size or 0))
    try:
        return _compare(a, b, manner, budget, 0)
    except CannotCompareError as error:
        return unknown(f"its bytes differ, and whether it is equivalent can't be told: {error}")
    except NotThatFormatError as error:
        return unknown(f"it can't be read: {error}")


def _compare(a: Source, b: Source, manner: Manner, budget: Budget, depth: int) -> Comparison:
    mismatch = first_difference(a, b)
    if mismatch is None:
        return IDENTICAL
    # Which limit or damage is met first depends on which of the two is read first: always the same one.
    if not mismatch.less:
        return _look_into(b, a, mismatch.offset, manner=manner, budget=budget, depth=depth).mirrored()
    return _look_into(a, b, mismatch.offset, manner=manner, budget=budget, depth=depth)


def _look_into(a: Source, b: Source, offset: int, *, manner: Manner, budget: Budget, depth: int) -> Comparison:
    """What is to be said of two files whose bytes differ."""
    plain = different(_MISMATCH, f"byte {offset}")
    if manner.strict:
        return plain
    kinds = [recognise(side.start(START), side.name) for side in (a, b)]
    kind: Format | None = kinds[0]
    if kinds[0] != kinds[1]:
        # One that is called by another name is still text.
        kind = "text" if not {*kinds} & {None, *_BINARY} else None
    if kind is None:
        return plain
    if depth > _DEEPEST:
        raise CannotCompareError("it is packed too often")
    try:
        return _by_format(kind, a, b, manner=manner, budget=budget, depth=depth)
    except NotThatFormatError:
        return plain
    except RecursionError as error:
        raise CannotCompareError("it is nested too deeply") from error


def _by_format(kind: Format, a: Source, b: Source, *, manner: Manner, budget: Budget, depth: int) -> Comparison:
    if kind in {"gzip", "bzip2"}:
        inside = [side.unpacked(bzip2=kind == "bzip2", budget=budget) for side in (a, b)]
        found = _compare(inside[0], inside[1], manner, budget, depth + 1)
        if found.verdict == "identical":
            return Comparison(verdict="equivalent", reason=f"{_PACKED[kind]}, the content is the same")
        return found
    if kind == "cram":
        return different("its bytes differ, and CRAM is compared by nothing else")
    again = partial(_compare, manner=manner, budget=budget, depth=depth + 1)
    return _comparer(kind, manner, budget, again)(a, b)


def _comparer(  # noqa: PLR0911 - a line for each format
    kind: Format, manner: Manner, budget: Budget, again: Callable[[Source, Source], Comparison]
) -> Callable[[Source, Source], Comparison]:
    """The module of a format is imported when there is a file of it."""
    if kind in {"vcf", "sam"}:
        from wfexs_like.comparing.formats import headered

        return headered.compare_vcf if kind == "vcf" else headered.compare_sam
    if kind in {"bam", "bcf"}:
        from wfexs_like.comparing.formats import binary_records

        return binary_records.compare_bam if kind == "bam" else binary_records.compare_bcf
    if kind in {"fasta", "fastq"}:
        from wfexs_like.comparing.formats import sequences

        return sequences.compare_fasta if kind == "fasta" else sequences.compare_fastq
    if kind in {"csv", "tsv"}:
        from wfexs_like.comparing.formats.tables import compare_tables

        return partial(compare_tables, delimiter="," if kind == "csv" else "\t", tolerance=manner.tolerance)
    if kind == "json":
        from wfexs_like.comparing.formats.documents import compare_json

        return partial(compare_json, tolerance=manner.tolerance)
    if kind == "pdf":
        from wfexs_like.comparing.formats.pdf import compare_pdf

        return compare_pdf
    if kind == "png":
        from wfexs_like.comparing.formats.png import compare_png

        return partial(compare_png, budget=budget)
    if kind in {"zip", "tar"}:
        from wfexs_like.comparing.formats import archives

        return partial(archives.compare_zips if kind == "zip" else archives.compare_tars, budget=budget, compare=again)
    from wfexs_like.comparing.formats import text

    return text.compare_pages if kind == "page" else text.compare_text
