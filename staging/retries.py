"""Retries: asking again, less and less often, until patience ends."""

from __future__ import annotations

import random
import time
from typing import Final

from staging.errors import FetchError
from staging.fetchers.base import FetchContext

PATIENCE: Final = 45.0
"""Seconds without any progress after which a source counts as dead, whatever retries are left."""

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
"""Seconds; each pause is about twice the one before, give or take a quarter."""


class Patience:
    """How long one fetch goes on trying. Every real step forward renews it."""

    def __init__(self, context: FetchContext) -> None:
        self._context = context
        self.renew()

    def renew(self) -> None:
        """Bytes arrived that will not have to be fetched again."""
        self._failures = 0
        self._deadline = time.monotonic() + PATIENCE

    def clip(self, seconds: float) -> float:
        """``seconds``, or what is left when that is less (never under one second)."""
        return max(1.0, min(seconds, self._deadline - time.monotonic()))

    def pause(self, error: FetchError, *, at_least: float = 0.0) -> None:
        """Wait before the next attempt, ``at_least`` as long as the source asks for (seconds).

        Raises:
            FetchError: the ``error`` that was given, when it is not transient or patience has ended.
        """
        context = self._context
        if not error.transient or self._failures >= context.retries or context.cancelled.is_set():
            raise error
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._failures) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
        pause = max(pause, at_least)
        self._failures += 1
        if time.monotonic() + pause >= self._deadline:
            raise error
        context.progress.say(f"{error.message}; trying again in {pause:.1f} s")
        if context.cancelled.wait(pause):
            raise error
