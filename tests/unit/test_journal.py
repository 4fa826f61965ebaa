"""The journal: written line by line, honest at any moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engines.execution import Status
from engines.journal import JOURNAL, KILLED_WITHOUT_WORD, Journal, is_live, replay
from staging.errors import NotFoundError, WfexsError

FIRST: dict[str, Any] = {
    "event": "run-started",
    "time": "2026-01-01T00:00:00.000+00:00",
    "run": 3,
    "uuid": "11111111-2222-3333-4444-555555555555",
    "engine": {"name": "cwltool", "version": "3", "sha256": "ab"},
    "plan_digest": "sha256:cd",
    "parameters": {"n": 1},
    "overrides": {"n": 1},
    "environment": {"A": "b"},
    "host": {"cores": 2},
}
STEP: dict[str, Any] = {
    "event": "step-started",
    "name": "a",
    "time": "2026-01-01T00:00:01.000+00:00",
    "tool": "a.cwl",
    "command": ["x"],
    "inputs": {},
}
STEP_END: dict[str, Any] = {
    "event": "step-ended",
    "name": "a",
    "time": "2026-01-01T00:00:02.000+00:00",
    "status": "completed",
    "exit_code": 0,
    "outputs": {"out": {"class": "File", "basename": "o", "path": "runs/3/tmp/o"}},
}
END: dict[str, Any] = {
    "event": "run-ended",
    "time": "2026-01-01T00:00:03.000+00:00",
    "status": "completed",
    "exit_code": 0,
    "outputs": {"r": {"class": "File", "basename": "o", "path": "runs/3/outputs/o", "sha256": "ff", "size": 5}},
    "moved": {"runs/3/tmp/o": "runs/3/outputs/o"},
    "logs": ["runs/3/logs/engine.log"],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "3"
    folder.mkdir(parents=True)
    return folder / JOURNAL


def _write(path: Path, *events: dict[str, Any]) -> None:
    with Journal(path, events[0]) as journal:
        for event in events[1:]:
            journal.append(event)


def test_a_whole_record_is_told_as_it_was(path: Path) -> None:
    _write(path, FIRST, {"event": "engine-started", "network": "namespace", "argv": ["p"]}, STEP, STEP_END, END)

    execution = replay(path)

    assert (execution.run, execution.status, execution.exit_code) == (3, Status.COMPLETED, 0)
    assert (execution.started, execution.ended) == (FIRST["time"], END["time"])
    assert (execution.network, execution.argv) == ("namespace", ("p",))
    assert execution.overrides == {"n": 1}
    (step,) = execution.steps
    assert (step.name, step.tool, step.status, step.command) == ("a", "a.cwl", Status.COMPLETED, ("x",))
    assert [str(one) for one in execution.logs] == ["runs/3/logs/engine.log"]


def test_what_a_step_made_is_found_where_it_went(path: Path) -> None:
    _write(path, FIRST, STEP, STEP_END, END)

    out = replay(path).steps[0].outputs["out"]

    assert out == {"class": "File", "basename": "o", "path": "runs/3/outputs/o", "sha256": "ff", "size": 5}


def test_what_was_removed_has_no_path(path: Path) -> None:
    _write(path, FIRST, STEP, STEP_END, {**END, "moved": {}, "outputs": {}})

    assert replay(path).steps[0].outputs["out"] == {"class": "File", "basename": "o"}


def test_a_run_that_is_worked_on_is_running(path: Path) -> None:
    with Journal(path, FIRST) as journal:
        journal.append(STEP)

        assert is_live(path)
        execution = replay(path)

    assert (execution.status, execution.ended, execution.error) == (Status.RUNNING, None, None)
    assert execution.steps[0].status is Status.RUNNING


def test_a_record_that_breaks_off_is_of_a_killed_run(path: Path) -> None:
    _write(path, FIRST, STEP)

    execution = replay(path)

    assert (execution.status, execution.error) == (Status.KILLED, KILLED_WITHOUT_WORD)
    assert (execution.ended, execution.exit_code) == (None, None)
    assert (execution.steps[0].status, execution.steps[0].ended) == (Status.KILLED, None)


def test_a_step_that_never_ended_was_killed_with_its_run(path: Path) -> None:
    _write(path, FIRST, STEP, {**END, "status": "killed", "exit_code": None, "error": "it was cancelled"})

    assert replay(path).steps[0].status is Status.KILLED


def test_a_journal_is_never_begun_twice(path: Path) -> None:
    _write(path, FIRST, END)

    with pytest.raises(WfexsError, match="has a record already"):
        Journal(path, {**FIRST, "uuid": "other"})

    assert replay(path).uuid == FIRST["uuid"]
    assert [one.name for one in path.parent.iterdir()] == [JOURNAL]


def test_no_journal_is_not_found(path: Path) -> None:
    with pytest.raises(NotFoundError, match="no record of run 3"):
        replay(path)


def test_a_journal_of_rubbish_is_not_found(path: Path) -> None:
    path.write_bytes(b"\x00\xff not json\n[1, 2]\n")

    with pytest.raises(NotFoundError, match="can't be read"):
        replay(path)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(min_value=0, max_value=2000))
def test_cut_anywhere_it_is_told_without_inventing(path: Path, cut: int) -> None:
    whole = b"".join(json.dumps(one).encode() + b"\n" for one in (FIRST, STEP, STEP_END, END))
    first = len(json.dumps(FIRST)) + 1
    length = first + cut % (len(whole) - first + 1)
    path.write_bytes(whole[:length])

    execution = replay(path)

    complete = length == len(whole)
    assert execution.status is (Status.COMPLETED if complete else Status.KILLED)
    assert (execution.ended is not None) == complete
    assert {time for step in execution.steps for time in (step.started, step.ended)} <= {
        None,
        STEP["time"],
        STEP_END["time"],
    }
