"""How long somebody goes on asking a source that does not answer."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from staging.errors import FetchError
from staging.fetchers.base import FetchContext
from staging.retries import Patience


class Pauses(threading.Event):
    """Nobody waits; how long it would have been is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        return False


def test_it_is_asked_again_less_and_less_often_and_for_less_than_a_minute(tmp_path: Path) -> None:
    pauses = Pauses()
    patience = Patience(FetchContext(partial=tmp_path, cancelled=pauses))

    with pytest.raises(FetchError, match="away"):
        while True:
            patience.pause(FetchError("it is away", transient=True))

    assert len(pauses.seconds) == FetchContext(partial=tmp_path).retries
    assert pauses.seconds == sorted(pauses.seconds)
    assert pauses.seconds[0] > 0.1
    assert sum(pauses.seconds) < 60
