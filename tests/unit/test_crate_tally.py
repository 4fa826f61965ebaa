"""The tally of a run, in words."""

from __future__ import annotations

from typing import Any

from engines.execution import Execution, Status, StepRun
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
