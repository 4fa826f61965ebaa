"""The journal: written line by line, honest at any moment."""

from __future__ import annotations

import json
import time
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


def test_an_image_was_used_when_a_container_of_it_was_started(path: Path) -> None:
    images = [{"name": name, "digest": name * 64, "id": "c" * 64} for name in "ab"]
    begun = {"event": "container-started", "container": "w-1", "image": "a", "digest": f"sha256:{'a' * 64}"}
    _write(path, {**FIRST, "images": images}, begun, END)

    assert [(one.name, one.started) for one in replay(path, brief=True).images] == [("a", True), ("b", False)]


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


def test_what_was_removed_has_no_path_but_its_former_name(path: Path) -> None:
    _write(path, FIRST, STEP, STEP_END, {**END, "moved": {}, "outputs": {}})

    out = replay(path).steps[0].outputs["out"]

    assert isinstance(out, dict)
    former = out.pop("transient")
    assert str(former).startswith("runs/3/tmp/")
    assert out == {"class": "File", "basename": "o"}


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


def _attempt(number: int, **more: Any) -> dict[str, Any]:
    return {"id": str(10 + number), "name": "align (a)", "step": "align", "attempt": number, **more}


def test_attempts_of_one_name_are_told_apart_in_order(path: Path) -> None:
    _write(
        path,
        FIRST,
        {**STEP, **_attempt(1)},
        {**STEP_END, **_attempt(1), "status": "failed", "exit_code": 7, "after": "retry"},
        {**STEP, **_attempt(2)},
        {**STEP_END, **_attempt(2)},
        END,
    )

    steps = replay(path).steps

    assert [(one.id, one.name, one.attempt, one.status, one.exit_code, one.after) for one in steps] == [
        ("11", "align (a)", 1, Status.FAILED, 7, "retry"),
        ("12", "align (a)", 2, Status.COMPLETED, 0, None),
    ]


def test_times_that_the_engine_told_count_more_than_those_of_the_lines(path: Path) -> None:
    begun, over = "2026-01-01T00:00:01.250+00:00", "2026-01-01T00:00:01.750+00:00"
    _write(path, FIRST, STEP, {**STEP_END, "started": begun, "ended": over}, END)

    (step,) = replay(path).steps

    assert (step.started, step.ended) == (begun, over)


def test_a_time_of_the_engine_that_is_none_is_damage(path: Path) -> None:
    _write(path, FIRST, STEP, {**STEP_END, "started": "yesterday"}, END)

    with pytest.raises(WfexsError, match="damaged"):
        replay(path)


def test_work_that_was_done_before_is_told_by_its_end_alone(path: Path) -> None:
    told = {
        "cached": True,
        "command": ["bash", ".command.sh"],
        "script": "echo a",
        "tag": "a",
        "environment": {"A": "1"},
        "trace": {"realtime": 12},
        "inputs": {"reads": {"class": "File", "basename": "o", "path": "runs/3/tmp/o"}},
        "container": "busybox",
        "started": "2025-12-31T00:00:00.000+00:00",
        "ended": "2025-12-31T00:00:01.000+00:00",
    }
    _write(path, FIRST, {**STEP_END, **told}, END)

    (step,) = replay(path).steps

    assert step.cached
    assert (step.command, step.script, step.tag, step.container) == (("bash", ".command.sh"), "echo a", "a", "busybox")
    assert (step.environment, step.trace) == ({"A": "1"}, {"realtime": 12})
    assert (step.started, step.ended) == (told["started"], told["ended"])
    assert step.inputs["reads"]["path"] == "runs/3/outputs/o"


def test_a_journal_of_before_has_one_attempt_of_each_name_and_says_no_more_than_it_did(path: Path) -> None:
    other = {**STEP_END, "name": "b", "status": "skipped", "tool": "b.cwl"}
    _write(path, FIRST, STEP, other, {**STEP_END, "tool": None}, END)

    execution = replay(path)

    assert (execution.resumed, execution.platform) == (None, {})
    one, two = execution.steps
    assert (one.id, one.name, one.tool, one.started, one.ended) == ("a", "a", "a.cwl", STEP["time"], STEP_END["time"])
    assert (two.id, two.name, two.tool, two.started, two.ended) == ("b", "b", "b.cwl", None, STEP_END["time"])
    for step in (one, two):
        assert (step.attempt, step.cached, step.after, step.script, step.tag) == (1, False, None, None, None)
        assert (step.environment, step.trace) == ({}, {})


def test_the_run_says_what_its_engine_ran_on_and_what_it_went_on_from(path: Path) -> None:
    _write(path, {**FIRST, "resumed": 2, "engine": {**FIRST["engine"], "platform": {"java": "17"}}}, END)

    execution = replay(path)

    assert (execution.resumed, execution.platform) == (2, {"java": "17"})


def test_ten_thousand_steps_are_told_in_a_moment(path: Path) -> None:
    count = 10_000
    products = [
        {**END["outputs"]["r"], "basename": str(number), "path": f"runs/3/outputs/{number}"} for number in range(count)
    ]
    moved = {f"runs/3/tmp/{number}": f"runs/3/outputs/{number}" for number in range(count)}
    lines = [FIRST]
    for number in range(count):
        made = {"out": {"class": "File", "basename": "o", "path": f"runs/3/tmp/{number}"}}
        lines += [{**STEP, "id": str(number)}, {**STEP_END, "id": str(number), "outputs": made}]
    _write(path, *lines, {**END, "outputs": {"r": products}, "moved": moved})

    begun = time.process_time()
    execution = replay(path)
    taken = time.process_time() - begun

    assert len(execution.steps) == count
    assert execution.steps[-1].outputs["out"]["path"] == f"runs/3/outputs/{count - 1}"
    assert taken < 5, "far above what it takes, and far below what anything that grows with the square would"


def test_a_folder_that_was_moved_is_told_where_it_is_now(path: Path) -> None:
    made = {"class": "Directory", "path": "runs/1/engine/work/ab/d"}
    step = {**STEP_END, "outputs": {"out": made}}
    _write(
        path,
        FIRST,
        STEP,
        step,
        {**END, "moved": {made["path"]: "runs/1/outputs/d"}, "outputs": {}, "gone": ["runs/1/engine/work/"]},
    )

    assert replay(path).steps[0].outputs["out"] == {"class": "Directory", "path": "runs/1/outputs/d"}
