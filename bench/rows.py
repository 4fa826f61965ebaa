"""The rows of the speed table, and the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; times in seconds, memory in bytes.

    ``bare`` is the engine's own command line on the same work, ``limit`` what the machine allows; ``goal`` is the
    number ``ours`` should stay below, and ``rule`` how it is made. ``least`` and ``least_bare`` are the shortest of the
    times that ``ours`` and ``bare`` are the medians of; ``processor`` and ``processor_bare`` what these took of the
    processors. ``memory_goal`` is what ``memory`` should stay below.
    """

    work: str
    ours: float
    least: float | None = None
    processor: float | None = None
    bare: float | None = None
    least_bare: float | None = None
    processor_bare: float | None = None
    bare_note: str = ""
    limit: float | None = None
    limit_note: str = ""
    goal: float | None = None
    rule: str = ""
    memory: int = 0
    memory_goal: int | None = None

    @property
    def met(self) -> bool | None:
        if self.goal is None and self.memory_goal is None:
            return None
        in_time = self.goal is None or self.ours <= self.goal
        return in_time and (self.memory_goal is None or self.memory <= self.memory_goal)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, which reads well as plain text too."""
    lines = [("work", "ours s", "bare engine s, ratio", "limit s, ratio", "goal s", "met", "peak MiB")]
    lines += [_cells(row) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.work,
        f"{row.ours:.2f}{_spread(row.least, row.processor)}",
        _times(row.bare, row.bare_note, row.ours, _spread(row.least_bare, row.processor_bare)),
        _times(row.limit, row.limit_note, row.ours),
        "-" if row.goal is None else f"{row.goal:.2f}{f' ({row.rule})' if row.rule else ''}",
        {None: "-", True: "yes", False: "NO"}[row.met],
        _mebibytes(row.memory) + (f" (goal {_mebibytes(row.memory_goal)})" if row.memory_goal is not None else ""),
    )


def _times(value: float | None, note: str, ours: float, spread: str = "") -> str:
    if value is None:
        return "-"
    return f"{value:.2f}{spread}{f' ({note})' if note else ''}, {ours / value:.2f} x"


def _spread(least: float | None, processor: float | None) -> str:
    said = [f"{word} {value:.2f}" for word, value in (("least", least), ("cpu", processor)) if value is not None]
    return f" ({', '.join(said)})" if said else ""


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.0f}"
