"""What the witness in the engine says, made events of the journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.nextflow.running.belonging import Belonging
from engines.nextflow.running.telling import Teller, iso, resources
from engines.relative import Relative

CONTENT = "/home/somebody/work"
WORK = f"{CONTENT}/runs/1/engine/work"
TRACE = {
    "submit": 1763740800000, "start": 1763740800100, "complete": 1763740801350, "realtime": 1200, "%cpu": 150.0,
    "peak_rss": 4096, "read_bytes": 10, "write_bytes": 20, "status": "COMPLETED",
}  # fmt: skip


def word(kind: str, **more: Any) -> dict[str, Any]:
    """One word of the witness on a task."""
    return {
        "event": kind, "id": "1", "hash": "ab/cdef01", "name": "FLOW:ALIGN (s 1)", "process": "FLOW:ALIGN",
        "tag": "s 1", "attempt": 1, "workdir": f"{WORK}/ab/cdef01", "container": None, "script": "bwa",
        "environment": {}, "inputs": [], "trace": TRACE, **more,
    }  # fmt: skip


def ended(**more: Any) -> dict[str, Any]:
    made = {"outputs": [], "exit": 0, "failed": False, "aborted": False, "action": None, "error": None}
    return word("task-completed", **{**made, **more})


@pytest.fixture
def teller() -> Teller:
    return _teller()


def _teller(*, resumed: bool = False) -> Teller:
    content = Path(CONTENT)
    return Teller(Relative(content), Belonging(content, content / "runs" / "1", resumed=resumed))


def test_a_task_is_told_by_its_hash_its_process_and_its_name(teller: Teller) -> None:
    (begun,) = teller.events(word("task-submitted"))
    (done,) = teller.events(ended())

    for event in (begun, done):
        assert (event["id"], event["name"], event["step"], event["tool"], event["attempt"]) == (
            "ab/cdef01", "FLOW:ALIGN (s 1)", "FLOW:ALIGN", "ALIGN", 1,
        )  # fmt: skip
    assert (begun["event"], begun["tag"], begun["script"]) == ("step-started", "s 1", "bwa")
    assert (done["event"], done["status"], done["exit_code"]) == ("step-ended", "completed", 0)
    assert done["started"] == "2025-11-21T16:00:00.100+00:00"
    assert done["ended"] == "2025-11-21T16:00:01.350+00:00"
    assert done["trace"] == TRACE
    assert teller.names == {f"{WORK}/ab/cdef01": "FLOW:ALIGN (s 1)"}


def test_other_words_are_no_steps(teller: Teller) -> None:
    for kind in ("flow-begun", "flow-completed", "published", "task-pending"):
        assert list(teller.events({"event": kind})) == []


_TOO_LONG = "Process exceeded running time"


@pytest.mark.parametrize(
    ("said", "status", "exit_code", "error"),
    [
        ({"exit": 7, "failed": True}, "failed", 7, "exit code 7"),
        ({"exit": 137, "failed": True}, "failed", 137, "exit code 137 (signal 9; was there enough memory?)"),
        (
            {"exit": 0, "failed": True},
            "failed",
            0,
            "it ended well, but an output that it declares is missing or is not as declared",
        ),
        ({"exit": 2**31 - 1, "failed": True, "error": "Process exceeded\nrunning time"}, "failed", None, _TOO_LONG),
        ({"exit": None, "failed": True, "error": f"no {CONTENT}/x"}, "failed", None, "no x"),
        ({"exit": None, "failed": True}, "failed", None, "it failed"),
        ({"exit": None, "trace": {"status": "FAILED"}}, "failed", None, "it failed"),
        ({"exit": None, "aborted": True}, "killed", None, None),
        ({"exit": None, "trace": {"status": "ABORTED"}}, "killed", None, None),
    ],
)
def test_how_a_task_ended(
    teller: Teller, said: dict[str, Any], status: str, exit_code: int | None, error: str | None
) -> None:
    (event,) = teller.events(ended(**said))

    assert (event["status"], event["exit_code"]) == (status, exit_code)
    assert event.get("error") == error
    assert ("error" in event) == (status == "failed")
    assert CONTENT not in event.get("error", "")


def test_what_was_done_about_a_failure_is_told_in_small_letters(teller: Teller) -> None:
    (event,) = teller.events(ended(exit=1, failed=True, action="RETRY", attempt=2))

    assert (event["after"], event["attempt"]) == ("retry", 2)


def test_a_cached_task_begins_and_ends_at_once_with_the_times_of_then(teller: Teller) -> None:
    begun, done = teller.events({**ended(), "event": "task-cached"})

    assert begun["cached"] is done["cached"] is True
    assert done["started"] == "2025-11-21T16:00:00.100+00:00"
    assert teller.reused == {"ab/cdef01": f"{WORK}/ab/cdef01"}


def test_a_cached_task_without_a_folder_has_no_work_to_check(teller: Teller) -> None:
    list(teller.events({**ended(), "event": "task-cached", "workdir": None}))

    assert teller.reused == {}


def test_inputs_are_where_the_engine_took_them_from(teller: Teller) -> None:
    inputs = [
        {"name": "reads", "files": [{"path": f"{CONTENT}/inputs/a.fq", "stage": "a.fq"}]},
        {"name": "index", "files": [{"path": f"{WORK}/01/23/i.1", "stage": "i/1"}, {"path": f"{WORK}/01/23/i.2"}]},
        {"name": "none", "files": []},
        {"name": "word", "value": [1, "two"]},
        {"name": "word", "value": None},
        {"name": None, "value": 3},
    ]

    (event,) = teller.events(word("task-submitted", inputs=inputs))

    assert event["inputs"] == {
        "reads": {"class": "File", "path": "inputs/a.fq"},
        "index": [
            {"class": "File", "path": "runs/1/engine/work/01/23/i.1", "basename": "i/1"},
            {"class": "File", "path": "runs/1/engine/work/01/23/i.2"},
        ],
        "none": [],
        "word": [1, "two"],
        "word_2": None,
        "input5": 3,
    }
    assert teller.strangers == []


def _taken(teller: Teller, path: str) -> list[str]:
    list(teller.events(word("task-submitted", inputs=[{"name": "x", "files": [{"path": path}]}])))
    return teller.strangers


@pytest.mark.parametrize("path", ["/etc/passwd", f"{CONTENT}-other/x", "/home/somebody"])
def test_what_lies_outside_is_a_stranger(teller: Teller, path: str) -> None:
    assert _taken(teller, path) == [f"FLOW:ALIGN (s 1) took {path}"]


@pytest.mark.parametrize("name", ["runs/2/outputs/x", "runs/2/engine/work/ab/cd/x", "runs/10/x", "runs/2"])
def test_what_another_run_made_is_a_stranger(teller: Teller, name: str) -> None:
    assert _taken(teller, f"{CONTENT}/{name}") == [f"FLOW:ALIGN (s 1) took {name}"]


def test_the_work_that_a_run_goes_on_from_is_none() -> None:
    assert _taken(_teller(resumed=True), f"{CONTENT}/runs/2/engine/work/ab/cd/x") == []
    assert _taken(_teller(resumed=True), f"{CONTENT}/runs/2/outputs/x") != []


@pytest.mark.parametrize(
    "name",
    [
        "journal.jsonl", "engine/params.json", "engine/state/history", "logs/nextflow.log",
        "tmp/nxf/secrets/store.json", "engine", "outputs/.nextflow/history", "outputs/.nextflow.log",
    ],
)  # fmt: skip
def test_the_record_and_the_scratch_space_of_the_run_itself_are_strangers(teller: Teller, name: str) -> None:
    assert _taken(teller, f"{CONTENT}/runs/1/{name}") != []


@pytest.mark.parametrize(
    ("name", "belongs"),
    [
        ("inputs/a/b.txt", True), ("workflow/assets/x", True), ("environment/x", True),
        ("runs/1/engine/work/ab/cd/x", True), ("runs/1/outputs/res/x", True),
        ("plan.lock", False), ("engine/plugins/x", False), ("runs", False),
    ],
)  # fmt: skip
def test_what_was_staged_for_the_workflow_and_what_tasks_made_belongs(teller: Teller, name: str, belongs: bool) -> None:
    assert (_taken(teller, f"{CONTENT}/{name}") == []) == belongs


def test_an_exit_code_that_the_engine_does_not_know_is_none_in_the_trace_too(teller: Teller) -> None:
    (done,) = teller.events(ended(exit=2147483647, failed=True, trace={**TRACE, "exit": 2147483647}))

    assert (done["exit_code"], done["trace"]["exit"]) == (None, None)


def test_a_link_that_leads_out_is_a_stranger_whether_taken_or_handed_on(tmp_path: Path) -> None:
    content = tmp_path / "content"
    made = content / "runs/1/engine/work/ab/cd/out.txt"
    made.parent.mkdir(parents=True)
    made.symlink_to("/etc/passwd")
    teller = Teller(Relative(content), Belonging(content, content / "runs/1", resumed=False))

    list(teller.events(ended(outputs=[{"name": "x", "value": {"path": str(made)}}])))

    short = "runs/1/engine/work/ab/cd/out.txt"
    assert teller.strangers == [f"FLOW:ALIGN (s 1) handed on {short}, a link to /etc/passwd"]


def test_outputs_are_values_files_and_lists_of_them(teller: Teller) -> None:
    file = {"path": f"{WORK}/ab/cdef01/x.bam"}
    outputs = [
        {"name": "bam", "value": file},
        {"name": "pair", "value": ["s1", file, [file]]},
        {"name": None, "value": {"path": 3, "size": 1}},
        {"name": "absent", "value": None},
    ]

    (event,) = teller.events(ended(outputs=outputs))

    told = {"class": "File", "path": "runs/1/engine/work/ab/cdef01/x.bam"}
    assert event["outputs"] == {"bam": told, "pair": ["s1", told, [told]], "output2": {"path": 3, "size": 1}}


def test_quantities_are_told_in_seconds_and_bytes() -> None:
    assert resources(TRACE) == {
        "wall_seconds": 1.2, "cpu_seconds": 1.8, "max_rss_bytes": 4096, "read_bytes": 10, "written_bytes": 20,
    }  # fmt: skip


def test_quantities_that_are_not_known_are_not_told() -> None:
    assert resources({}) == {}
    assert resources({"realtime": None, "%cpu": 3, "peak_rss": "-", "read_bytes": True}) == {}


@given(st.one_of(st.none(), st.text(), st.booleans(), st.integers(max_value=0), st.floats(max_value=0)))
def test_no_time_is_no_time(value: Any) -> None:
    if value is not True:
        assert iso(value) is None
