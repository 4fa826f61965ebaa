"""The tally of a run, in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from engines.execution import Execution, Status, StepRun
from engines.journal import replay
from tests.support.nextflow_crates import journal_of_many
from wfexs_like.crate.tally import in_words


def _step(index: int, status: Status = Status.COMPLETED, **more: Any) -> StepRun:
    return StepRun(name=f"COUNT ({index})", id=f"{index}-{more.get('attempt', 1)}", status=status, **more)


def _words(*steps: StepRun, engine: str = "nextflow", resumed: int | None = None) -> str:
    return in_words(
        Execution(
            run=3,
            uuid="u",
            status=Status.COMPLETED,
            engine=engine,
            engine_version="1",
            steps=steps,
            resumed=resumed,
        )
    )


def test_steps_have_the_engines_own_word() -> None:
    assert _words(_step(1), _step(2)) == "2 tasks"
    assert _words(_step(1), engine="cwltool") == "1 step"
    assert _words() == ""


def test_a_task_that_was_tried_three_times_is_one_task() -> None:
    retried = {"after": "retry"}
    tried = (
        _step(1, Status.FAILED, attempt=1, **retried),
        _step(1, Status.FAILED, attempt=2, **retried),
        _step(1, attempt=3),
    )

    assert _words(*tried, _step(2)) == "2 tasks (1 tried again)"


def test_what_did_not_go_well_and_what_an_earlier_run_did_is_told_apart() -> None:
    steps = (
        _step(1, Status.FAILED, after="ignore"),
        _step(2, Status.FAILED, after="terminate"),
        _step(3, Status.KILLED),
        _step(4, cached=True),
        _step(5, cached=True),
    )

    told = "1 failed and ignored, 1 failed, 1 stopped, 2 taken from run 2"
    assert _words(*steps, resumed=2) == f"5 tasks ({told})"


def test_a_brief_record_gives_the_same_tally_and_holds_nothing_else_of_a_task(tmp_path: Path) -> None:
    journal = journal_of_many(tmp_path, 3, {})
    whole, brief = replay(journal), replay(journal, brief=True)

    assert in_words(brief) == in_words(whole) == "3 tasks"
    assert whole.steps[0].script
    assert whole.steps[0].inputs
    bare = {"inputs": {}, "outputs": {}, "script": None, "trace": {}, "resources": {}, "allotted": {}}
    assert brief.steps == tuple(replace(one, **bare) for one in whole.steps)
    assert brief.final_parameters == whole.final_parameters
