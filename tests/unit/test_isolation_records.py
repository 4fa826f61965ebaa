"""Records that were damaged, and runs that turn out not to be believable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engines.execution import Status
from engines.journal import JOURNAL, replay
from engines.summary import refuse_run
from staging.errors import DigestError, WfexsError

FIRST: dict[str, Any] = {
    "event": "run-started",
    "time": "2026-01-01T00:00:00.000+00:00",
    "run": 3,
    "uuid": "11111111-2222-3333-4444-555555555555",
    "engine": {"name": "cwltool", "version": "3", "sha256": "ab"},
}
END: dict[str, Any] = {
    "event": "run-ended",
    "time": "2026-01-01T00:00:03.000+00:00",
    "status": "completed",
    "exit_code": 0,
    "tail": ["last words"],
}


def _journal(tmp_path: Path, *events: dict[str, Any]) -> Path:
    folder = tmp_path / "runs" / "3"
    folder.mkdir(parents=True)
    path = folder / JOURNAL
    path.write_text("".join(json.dumps(one) + "\n" for one in events))
    return path


@pytest.mark.parametrize(
    ("first", "end"),
    [
        ({"time": "yesterday"}, {}),
        ({"time": 7}, {}),
        ({"run": "third"}, {}),
        ({"run": None}, {}),
        ({"uuid": None}, {}),
        ({"uuid": "mine"}, {}),
        ({"engine": "cwltool"}, {}),
        ({}, {"status": "well"}),
        ({}, {"time": "2026-01-01T00:00:00"}),
        ({}, {"logs": 3}),
    ],
)
def test_a_damaged_record_is_named(tmp_path: Path, first: dict[str, Any], end: dict[str, Any]) -> None:
    changed = {key: value for key, value in {**FIRST, **first}.items() if value is not None}
    path = _journal(tmp_path, changed, {**END, **end})

    with pytest.raises(WfexsError, match="the record of run 3 is damaged") as caught:
        replay(path)

    assert caught.value.where == str(path)


def test_a_run_that_was_refused_after_its_end_is_a_failed_one(tmp_path: Path) -> None:
    path = _journal(tmp_path, FIRST, END)
    assert replay(path).status is Status.COMPLETED

    execution = refuse_run(path.parent, DigestError("an input was changed while it ran"))

    assert execution == replay(path)
    assert (execution.status, execution.error) == (Status.FAILED, "an input was changed while it ran")
    assert json.loads((path.parent / "run.json").read_text())["status"] == "failed"
