"""Bars: rows of a label, a value and what is drawn below them; as wide as the page, with letters of one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wfexs_like.reporting.markup import Sheet, cut, text

ROW = 31
"""A row's height in pixels."""
BAR = 10
LABEL = 27
"""So many characters fit beside the value on the narrowest screen."""
_TOP = 17
HATCH = (
    '<svg class="hidden" aria-hidden="true" focusable="false"><defs><pattern id="hatch" width="6" height="6" '
    'patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatched" width="6" height="6"/>'
    '<line class="hatch" x1="0" y1="0" x2="0" y2="6"/></pattern></defs></svg>'
)
"""What marks a failure besides its colour; once on a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A piece of a row, from ``start`` to ``end`` (0 to 1); ``kind`` is ``fail``, ``other``, ``again`` or empty."""

    start: float
    end: float
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """``whole`` is what is told to who points at it."""

    label: str
    value: str
    bars: tuple[Bar, ...]
    whole: str = ""
    failed: bool = False


def draw_bars(
    sheet: Sheet, title: str, description: str, rows: Sequence[Row], ticks: Sequence[tuple[float, str]] = ()
) -> str:
    """The drawing. ``ticks`` are upright lines at 0 to 1, with what stands below them."""
    ids = sheet.new_id("title"), sheet.new_id("description")
    height = len(rows) * ROW + (18 if ticks else 0)
    lines = "".join(
        f'<line class="grid" x1="{at:.2%}" x2="{at:.2%}" y1="0" y2="{len(rows) * ROW}"/>'
        f'<text class="faint" x="{at:.2%}" y="{len(rows) * ROW + 13}" font-size="11" '
        f'text-anchor="{"start" if at < 0.02 else "end" if at > 0.95 else "middle"}">{text(word)}</text>'  # noqa: PLR2004
        for at, word in ticks
    )
    drawn = "".join(_row(one, number * ROW) for number, one in enumerate(rows))
    return (
        f'<svg role="img" aria-labelledby="{ids[0]} {ids[1]}" width="100%" height="{height}">'
        f'<title id="{ids[0]}">{text(title)}</title><desc id="{ids[1]}">{text(description, 2000)}</desc>'
        f"{lines}{drawn}</svg>"
    )


def _row(one: Row, top: int) -> str:
    bars = "".join(
        f'<rect class="bar {bar.kind}" x="{min(bar.start, 0.993):.2%}" y="{top + _TOP}" '
        f'width="{max(min(bar.end, 1.0) - min(bar.start, 0.993), 0.007):.2%}" height="{BAR}" rx="2"/>'
        for bar in one.bars
    )
    failed = ' class="failing"' if one.failed else ""
    return (
        f"<g><title>{text(one.whole or f'{one.label}: {one.value}', 300)}</title>"
        f'<rect class="track" x="0" y="{top + _TOP}" width="100%" height="{BAR}" rx="2"/>{bars}'
        f'<text x="0" y="{top + 12}">{text(cut(one.label, LABEL))}</text>'
        f'<text{failed or " class=faint"} x="100%" y="{top + 12}" text-anchor="end">{text(one.value)}</text></g>'
    )
