"""A listener to progress that keeps what a person should read."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Heard:
    """Hears what a person should read."""

    said: list[str] = field(default_factory=list)

    def begin(self, key: str, label: str, total: int | None) -> None: ...

    def advance(self, key: str, done: int, total: int | None = None) -> None: ...

    def end(self, key: str, outcome: str) -> None: ...

    def say(self, message: str) -> None:
        self.said.append(message)
