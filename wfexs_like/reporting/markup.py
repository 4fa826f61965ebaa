"""Markup: text from anywhere as HTML that can do no harm, cut to what a page is for.

Everything that is put between tags or into an attribute comes from here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

from wfexs_like.cli.render import duration, one_line, plain, size
from wfexs_like.reading.account import Quantity
from wfexs_like.reporting.extras import Fact

LONGEST: Final = 160
"""So many characters of a name are shown."""
LONGEST_BLOCK: Final = 6000
"""So many of a text of several lines."""
ROOM: Final = 2_000_000
"""So many characters all rows of a page's tables may take together."""
METADATA: Final = "ro-crate-metadata.json"
_MARKS: Final = re.compile("[\u061c\u200b\u200e\u200f\u2028\u2029\ufeff\ufffe\uffff]")
_WEB: Final = re.compile(r"(?:https?|ftp)://[^\s\\\"'<>`]+", re.IGNORECASE)
_MOST_OF_AN_ADDRESS: Final = 2000
_PLAIN_NUMBERS: Final = ("UNITLESS", "NUM", "1")
_LONGEST_FACT: Final = 2000
_DIGEST: Final = re.compile(r"(sha\d+:[0-9a-f]{12})[0-9a-f]+")


def text(value: str, limit: int = LONGEST) -> str:
    """On one line."""
    return escape(_visible(one_line(cut(value, limit))))


def block(value: str, limit: int = LONGEST_BLOCK) -> str:
    """On its own lines; of a long text the beginning and, where errors tell most, the end."""
    if len(value) > limit:
        value = f"{value[: limit // 3]}\n… {len(value) - limit:,} characters left out …\n{value[-2 * limit // 3 :]}"
    return escape(_visible(plain(value)))


def cut(value: str, limit: int) -> str:
    """The text, or as much of its beginning as is shown of a longer one."""
    return value if len(value) <= limit else f"{value[: limit - 1]}…"


def _visible(value: str) -> str:
    return _MARKS.sub(lambda match: f"\\u{ord(match.group()):04x}", value)


def version(value: str | None) -> str:
    """A program's version; of one that is told by a digest, enough to compare. Not yet HTML."""
    return cut(_DIGEST.sub(r"\1", value), 60) if value else ""


def soft(value: str) -> str:
    """Something beside the point, already HTML."""
    return f'<span class="soft">{value}</span>' if value else ""


def code(value: str, limit: int = LONGEST) -> str:
    """Something to copy."""
    return f"<code>{text(value, limit)}</code>" if value else ""


def web(label: str, address: str | None) -> str:
    """A link to a page of the web, or the label alone where the address is anything else."""
    if address and len(address) <= _MOST_OF_AN_ADDRESS and _WEB.fullmatch(address):
        return f'<a href="{escape(address)}">{text(label)}</a>'
    return text(label)


def badge(status: str) -> str:
    """A status in its colour, with a sign for who can't tell colours."""
    kind, sign = STATUS.get(status, ("", "?"))
    return f'<span class="badge {kind}">{sign} {text(status)}</span>'


STATUS: Final = {
    "completed": ("ok", "✓"),
    "failed": ("bad", "✗"),
    "active": ("", "…"),
    "potential": ("", "-"),
    "unknown": ("", "?"),
    "no run": ("", "-"),
}


def moment(value: datetime | None) -> str:
    """A time to the second, in UTC; empty where it isn't known."""
    if value is None:
        return ""
    utc = value.astimezone(UTC)
    return f'<time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}">{utc:%Y-%m-%d %H:%M:%S} UTC</time>'


def clock(value: datetime | None, day: datetime | None) -> str:
    """The time of day of a moment, with the date only where that isn't the one of ``day``."""
    if value is None or day is None or value.astimezone(UTC).date() != day.astimezone(UTC).date():
        return moment(value)
    utc = value.astimezone(UTC)
    return f'<time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}">{utc:%H:%M:%S}</time>'


def took(seconds: float | None) -> str:
    """A length of time; empty where it isn't known."""
    return "" if seconds is None else duration(seconds)


def amount(value: float, unit: str | None) -> str:
    """Something measured, in the unit that suits its size; not yet HTML."""
    if unit == "s":
        return duration(value)
    if unit == "B":
        return size(round(value))
    number = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
    return f"{number} {unit}" if unit and unit not in _PLAIN_NUMBERS else number


def json_text(value: Any) -> str:
    """A parameter's value as people write it: a text by itself, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def quantity(one: Quantity) -> str:
    """A fact of a host, or a measurement, not yet HTML."""
    if isinstance(one.value, int | float) and not isinstance(one.value, bool):
        return amount(one.value, one.unit)
    return (
        f"{json_text(one.value)} {one.unit or ''}".strip() if one.unit not in _PLAIN_NUMBERS else json_text(one.value)
    )


def bytes_of(count: int | None) -> str:
    """A size with the exact number for who points at it."""
    return "" if count is None else f'<span title="{count:,} bytes">{size(count)}</span>'


class Sheet:
    """The page that is being written: where it lies, and how much room is left on it.

    ``inside`` is whether it lies at the root of the crate, so that links to its files lead somewhere.
    """

    def __init__(self, *, inside: bool) -> None:
        self.inside = inside
        self.room = ROOM
        self._ids = 0

    def new_id(self, stem: str) -> str:
        """A name that nothing else on the page has."""
        self._ids += 1
        return f"{stem}-{self._ids}"

    def file(self, label: str, path: str | None) -> str:
        """A link to a file of the crate, where there are such."""
        if not self.inside or not path:
            return text(label)
        address = quote(path.removeprefix("./"), safe="/", errors="replace")
        wrong = not address or address.startswith("/") or ".." in address.split("/") or len(address) > 4 * LONGEST
        return text(label) if wrong else f'<a href="{escape(address)}">{text(label)}</a>'

    def rows(self, things: Sequence[Any], row: Callable[[Any], str], most: int) -> tuple[str, int]:
        """As many rows as fit, and how many things have none."""
        made = []
        for thing in islice(things, most):
            html = row(thing)
            if self.room < len(html):
                break
            self.room -= len(html)
            made.append(html)
        return "".join(made), len(things) - len(made)

    def table(
        self, kind: str, heads: Sequence[str], things: Sequence[Any], row: Callable[[Any], str], most: int
    ) -> str:
        """A table in a box of its own, which says what it leaves out. ``kind`` is its class and what it is called."""
        body, left = self.rows(things, row, most)
        head = "".join(f'<th scope="col">{escape(one)}</th>' for one in heads)
        table = (
            f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(kind)}"><table class="{escape(kind)}">'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )
        return (table if body else "") + self.left_out(left)

    def left_out(self, count: int, what: str = "more") -> str:
        """That so many are not here, and where they are."""
        if count <= 0:
            return ""
        where = f'<a href="{METADATA}">{METADATA}</a>' if self.inside else f"<code>{METADATA}</code>"
        return f'<p class="left">and {count:,} {text(what)} not shown here: {where} has all of them.</p>'


def section(title: str, *parts: str, anchor: str = "") -> str:
    """A section under a heading of the second order; ``title`` and ``parts`` are HTML."""
    opening = f'<section id="{anchor}">' if anchor else "<section>"
    return f"{opening}<h2>{title}</h2>\n{''.join(parts)}</section>\n"


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Names with what they stand for (HTML); those without are left out."""
    told = "".join(f"<div><dt>{text(name)}</dt><dd>{value}</dd></div>" for name, value in rows if value)
    return f"<dl>{told}</dl>" if told else ""


def fact_html(sheet: Sheet, fact: Fact) -> str:
    """What stands beside the label of a fact."""
    shown = code(fact.text) if fact.code else text(fact.text, _LONGEST_FACT)
    if fact.href is not None:
        # A digest is to be copied; the file that it is of stands beside it.
        shown = f"{shown} ({sheet.file(fact.href, fact.href)})" if fact.code else sheet.file(fact.text, fact.href)
    return "<br>".join([shown, *(text(line, _LONGEST_FACT) for line in fact.more)])


def folded(title: str, html: str) -> str:
    """Something to open; print shows it open."""
    return f"<details><summary>{text(title)}</summary>{html}</details>" if html else ""
