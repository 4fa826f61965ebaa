"""Verdicts: what is said of two files, with the reason and the first difference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

Word = Literal["identical", "equivalent", "different", "unknown"]

_LONGEST: Final = 80
_BEFORE: Final = 20


class CannotCompareError(Exception):
    """A limit was met: whether the two are equivalent isn't known. Its text is the reason."""


class NotThatFormatError(Exception):
    """One of the two isn't what it looked like; then only its bytes count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is said of two files.

    ``reason`` tells nothing of what is in them. ``where`` is the first difference (``line 3``), ``a`` and ``b`` what
    is there, cut short: these three may tell of the content.
    """

    verdict: Word
    reason: str = ""
    where: str | None = None
    a: str | None = None
    b: str | None = None

    @property
    def same(self) -> bool:
        """Whether the two are as good as each other."""
        return self.verdict in {"identical", "equivalent"}

    def mirrored(self) -> Comparison:
        """The same, of the two the other way round."""
        return replace(self, a=self.b, b=self.a)

    def discreet(self) -> Comparison:
        """The same, without anything of the content."""
        return replace(self, where=None, a=None, b=None)


IDENTICAL: Final = Comparison(verdict="identical")


def equivalent(*reasons: str) -> Comparison:
    """Equivalent for these reasons."""
    return Comparison(verdict="equivalent", reason="; ".join(dict.fromkeys(one for one in reasons if one)))


def different(reason: str, where: str | None = None, a: object = None, b: object = None) -> Comparison:
    """Different, first at ``where``; of long texts what is around the first difference is shown."""
    first, second = excerpts(a, b)
    return Comparison(verdict="different", reason=reason, where=where, a=first, b=second)


def unknown(reason: str) -> Comparison:
    """Nobody can tell."""
    return Comparison(verdict="unknown", reason=reason)


def excerpts(a: object, b: object) -> tuple[str | None, str | None]:
    """Two values as short texts: of long ones the part around their first difference."""
    first, second = _text(a), _text(b)
    start = 0
    if first is not None and second is not None:
        most = min(len(first), len(second))
        common = next((place for place in range(most) if first[place] != second[place]), most)
        start = max(0, common - _BEFORE) if common > _LONGEST - _BEFORE else 0
    return _cut(first, start), _cut(second, start)


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def _cut(text: str | None, start: int) -> str | None:
    if text is None:
        return None
    end = "…" if len(text) > start + _LONGEST else ""
    return f"{'…' if start else ''}{text[start : start + _LONGEST]}{end}"
