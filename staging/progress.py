"""Progress: how a room on a lower floor tells what it is doing, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Hears of long work. All methods may be called from any thread."""

    def begin(self, key: str, label: str, total: int | None) -> None:
        """Work ``key`` starts; ``total`` is in bytes, ``None`` while unknown."""

    def advance(self, key: str, done: int, total: int | None = None) -> None:
        """``done`` bytes of it are done, counted from its start; ``total`` when it became known."""

    def end(self, key: str, outcome: str) -> None:
        """It ended: ``fetched``, ``cache``, ``failed``, or ``absent`` (it was not there, and need not be).

        Or ``part``: it is there, and more is told when all is there that it is a part of.
        """

    def say(self, message: str) -> None:
        """One plain line that a person should read (trust on first use, a mirror that failed, a retry)."""


class Silent:
    """Nobody listens."""

    def begin(self, key: str, label: str, total: int | None) -> None:
        """Nothing."""

    def advance(self, key: str, done: int, total: int | None = None) -> None:
        """Nothing."""

    def end(self, key: str, outcome: str) -> None:
        """Nothing."""

    def say(self, message: str) -> None:
        """Nothing."""
