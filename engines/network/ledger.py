"""The ledger: what was tried, the same thing once with its count, and no more different things than anybody reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from engines.network.packets import RESOLVER, Attempted

MOST: Final = 1000
"""So many different attempts are listed; more are counted."""


@dataclass(slots=True)
class _Line:
    number: int
    attempted: Attempted
    place: tuple[str, ...]
    program: str | None
    time: str
    step: str | None
    count: int = 1
    told: tuple[int, str | None] = (0, None)

    def event(self) -> dict[str, Any]:
        """The line, as the journal has it."""
        self.told = (self.count, self.step)
        attempted = self.attempted
        return {
            "event": "attempt",
            "time": self.time,
            "number": self.number,
            "protocol": attempted.protocol,
            # Whom a name is asked of says nothing where nobody chose it.
            "address": None if attempted.protocol == "dns" and attempted.address == RESOLVER else attempted.address,
            "port": attempted.port,
            "name": attempted.name,
            "count": self.count,
            "step": self.step,
            "program": self.program,
        }


class Ledger:
    """Attempts, counted. ``step_at`` says which step works in one of some folders, as soon as that is known."""

    def __init__(self, step_at: Callable[[tuple[str, ...]], str | None]) -> None:
        self._step_at = step_at
        self._lines: dict[tuple[object, ...], _Line] = {}
        self.unlisted = 0

    @property
    def is_full(self) -> bool:
        """Whether something that was not tried before is only counted."""
        return len(self._lines) >= MOST

    def note(
        self, attempted: Attempted, place: tuple[str, ...], program: str | None, time: str
    ) -> dict[str, Any] | None:
        """Write down an attempt; the event to tell when it is one that was not made before."""
        step = self._step_at(place)
        key = (attempted.protocol, attempted.address, attempted.port, attempted.name, step or place)
        line = self._lines.get(key)
        if line is not None:
            line.count += 1
            return None
        if self.is_full:
            self.unlisted += 1
            return None
        line = _Line(len(self._lines) + 1, attempted, place, program, time, step)
        self._lines[key] = line
        return line.event()

    def final(self) -> Iterator[dict[str, Any]]:
        """What is known now and was not when it was told: counts, and steps that were not known yet."""
        for line in self._lines.values():
            if line.step is None:
                line.step = self._step_at(line.place)
            if line.told != (line.count, line.step):
                yield line.event()
