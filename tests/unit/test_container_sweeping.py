"""Which runs' containers are looked for when nobody runs them any more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engines.journal import JOURNAL
from staging.errors import ContainerError
from staging.progress import Silent
from tests.support.heard import Heard
from wfexs_like.flow.sweeping import sweep_dead

STARTED = {"event": "container-started", "container": "c"}
ENDED = {"event": "run-ended", "status": "completed"}


@pytest.mark.parametrize(
    ("events", "swept"),
    [
        ([], True),
        ([STARTED, {"event": "container-ended", "container": "c", "exit_code": 1}, ENDED], False),
        ([STARTED, {"event": "container-ended", "container": "c", "exit_code": 137}, ENDED], True),
        ([STARTED, {"event": "container-ended", "container": "c", "exit_code": None}, ENDED], True),
        ([STARTED, ENDED], True),
        ([ENDED], False),
    ],
)
def test_a_run_that_may_have_left_a_container_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: list[dict[str, Any]], swept: bool
) -> None:
    class Runtime:
        def sweep(self, _label: str, value: str) -> tuple[str, ...]:
            return (f"of {value}",)

    monkeypatch.setattr("wfexs_like.flow.sweeping.choose", lambda *_: (Runtime(), None))
    first = {"event": "run-started", "uuid": "u", "runtime": {"name": "docker"}}
    lines = [json.dumps({"time": "2026-01-01T00:00:00Z", **one}) for one in (first, *events)]
    (tmp_path / JOURNAL).write_text("".join(f"{one}\n" for one in lines))

    assert sweep_dead([tmp_path], {}, Silent()) == (("of u",) if swept else ())


def test_what_can_not_be_looked_for_is_said_of_the_run_however_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise ContainerError("docker does not answer")

    monkeypatch.setattr("wfexs_like.flow.sweeping.choose", gone)
    first = {"event": "run-started", "uuid": "u", "runtime": {"name": "docker"}}
    lines = [
        json.dumps({"time": "2026-01-01T00:00:00Z", **one}) for one in (first, STARTED, {**ENDED, "status": "failed"})
    ]
    folder = tmp_path / "3"
    folder.mkdir()
    (folder / JOURNAL).write_text("".join(f"{one}\n" for one in lines))
    heard = Heard()

    assert sweep_dead([folder], {}, heard) == ()

    assert heard.said == ["containers of run 3 may be left in docker: docker does not answer"]
