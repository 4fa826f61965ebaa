"""A listener to progress that keeps what it hears, from any thread."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Heard:
    """What it heard: ``said`` a person should read, ``done`` are the sizes told and ``keys`` what they are of."""

    said: list[str] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    def begin(self, key: str, label: str, total: int | None) -> None: ...

    def advance(self, key: str, done: int, total: int | None = None) -> None:
        self.keys.add(key)
        self.done.append(done)

    def end(self, key: str, outcome: str) -> None: ...

    def say(self, message: str) -> None:
        self.said.append(message)
