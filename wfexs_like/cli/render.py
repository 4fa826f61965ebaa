"""Rendering: how sizes, times, tables and foreign text look to a person. Pure functions, one style everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

# Everything that could move the cursor, change colours, or turn the reading direction round.
_UNSAFE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_BREAKS: Final = re.compile("[\t\n\x85\u2028\u2029]")
_ANSI: Final = re.compile(r"\x1b\[[0-9;:]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_STEP = 1000
_MINUTE, _HOUR = 60, 3600
_SHORT: Final = 0.095
_STYLES: Final[Mapping[str, str]] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
}
_STATUS_STYLE: Final[Mapping[str, str]] = {
    "completed": "green",
    "ok": "green",
    "failed": "red",
    "killed": "red",
    "missing": "red",
    "running": "yellow",
    "limited": "yellow",
}


def plain(text: str) -> str:
    """``text`` from anywhere, harmless on a terminal: colours are dropped, control characters are shown escaped."""
    return _UNSAFE.sub(_escaped, _ANSI.sub("", text.replace("\r\n", "\n")))


def one_line(text: str) -> str:
    """``text`` from anywhere as part of a line: harmless, and a line break or a tabulator in it is shown escaped."""
    return _BREAKS.sub(_escaped, plain(text))


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape", "surrogatepass").decode("ascii")


def styled(text: str, style: str, *, colour: bool) -> str:
    """``text`` in a style (``bold``, ``dim``, ``red``, ``green``, ``yellow``) where colours are wanted."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if colour and style in _STYLES else text


def status(word: str, *, colour: bool) -> str:
    """A status in its colour."""
    return styled(word, _STATUS_STYLE.get(word, ""), colour=colour)


def size(count: int | None) -> str:
    """Bytes for a person: ``5 B``, ``1.4 MB`` (powers of 1000); ``?`` when not known."""
    if count is None:
        return "?"
    if count < _STEP:
        return f"{count} B"
    value, unit = float(count), "B"
    for unit in ("kB", "MB", "GB", "TB", "PB"):  # noqa: B007 - the unit that fits is used below
        value /= _STEP
        if value < _STEP - 0.05:
            break
    return f"{value:.1f} {unit}"


def duration(seconds: float | None) -> str:
    """A length of time for a person: ``40 ms``, ``0.14 s``, ``3 min 12 s``, ``2 h 05 min``; ``?`` when not known."""
    if seconds is None:
        return "?"
    if seconds < 10:  # noqa: PLR2004 - below this parts of a second matter
        return _short_duration(seconds)
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"


def _short_duration(seconds: float) -> str:
    if 0 < seconds < 0.001:  # noqa: PLR2004 - nobody measures that
        return "under 1 ms"
    if 0 < seconds < _SHORT:
        return f"{1000 * seconds:.2g} ms"
    return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"


def elapsed(started: str | None, ended: str | None) -> float | None:
    """Seconds between two ISO 8601 times, ``None`` when one is not known."""
    from datetime import datetime

    if started is None or ended is None:
        return None
    try:
        return max(0.0, (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds())
    except (ValueError, TypeError):
        return None


def moment(text: str | None) -> str:
    """An ISO 8601 time to the second, in UTC: ``2024-05-01 12:00:00``; ``?`` when not known."""
    return text[:19].replace("T", " ") if text else "?"


def short_digest(digest: str | None) -> str:
    """The first 12 characters of a digest, enough for a person to compare."""
    return digest.rsplit(":", 1)[-1][:12] if digest else "-"


def counted(number: int, noun: str) -> str:
    """``1 item``, ``2 items``, ``no items``."""
    return f"{number or 'no'} {noun}" + ("" if number == 1 else "s")


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, colour: bool = False) -> str:
    """Columns under their names, as wide as they need to be; the last one is never padded."""
    lines = [tuple(plain(cell).replace("\n", " ") for cell in row) for row in rows]
    everything = [tuple(header), *lines]
    widths = [max(len(row[column]) for row in everything) for column in range(len(header))]
    printed = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in everything
    ]
    return "\n".join([styled(printed[0], "bold", colour=colour), *printed[1:]])


def value_line(value: object) -> str:
    """A CWL value on one line: the path of a file, the text of a scalar, a count of the rest."""
    if isinstance(value, Mapping):
        if value.get("class") in ("File", "Directory"):
            where = str(value.get("path") or value.get("basename") or "?")
            count = value.get("size")
            return f"{where} ({size(count)})" if isinstance(count, int) else where
        return "{" + ", ".join(f"{key}: {value_line(one)}" for key, one in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        shown = ", ".join(value_line(one) for one in value[:3])
        return f"[{shown}]" if len(value) <= 3 else f"[{shown}, ... {len(value) - 3} more]"  # noqa: PLR2004 - a taste
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
