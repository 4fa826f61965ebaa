"""The summary of a run beside its journal, and the word that a run can't be believed after all."""

from __future__ import annotations

import json
import os
from pathlib import Path

from engines.execution import Execution, StepRun
from engines.journal import JOURNAL, refuse, replay
from staging.errors import WfexsError
from staging.plan import Json


def keep_summary(folder: Path, execution: Execution) -> None:
    """``run.json``: the end of the journal for those who don't want to replay it. The journal is the truth."""
    summary = {
        "schema": "wfexs-like/run/1",
        "run": execution.run,
        "uuid": execution.uuid,
        "status": execution.status.value,
        "exit_code": execution.exit_code,
        "started": execution.started,
        "ended": execution.ended,
        "error": execution.error,
        "offline": offline(execution),
        "outputs": execution.outputs,
        "steps": [_step(step) for step in execution.steps],
    }
    # A name that nothing of the run can have taken.
    temporary = folder / f".run.{os.urandom(8).hex()}.json"
    with temporary.open("x") as stream:
        stream.write(json.dumps(summary, indent=1, sort_keys=True) + "\n")
    temporary.replace(folder / "run.json")


def offline(execution: Execution) -> dict[str, Json]:
    """Whether a run was cut off from the network, whether that was watched, and what it tried to reach."""
    form: dict[str, Json] = {
        "isolated": execution.network == "namespace",
        "watched": execution.watched,
        "attempts": [
            {
                "protocol": one.protocol,
                "address": one.address,
                "port": one.port,
                "name": one.name,
                "count": one.count,
                "step": one.step,
                "program": one.program,
                "time": one.time,
            }
            for one in execution.attempts
        ],
    }
    if execution.containers_watched is not None:
        form["containers_watched"] = execution.containers_watched
    if execution.unwatched_because:
        form["unwatched_because"] = execution.unwatched_because
    if execution.attempts_unlisted:
        form["unlisted"] = execution.attempts_unlisted
    return form


def _step(step: StepRun) -> dict[str, Json]:
    """One attempt at one step, in short; ``cached`` and ``after`` only where they say something."""
    summary: dict[str, Json] = {
        "name": step.name,
        "attempt": step.attempt,
        "status": step.status.value,
        "exit_code": step.exit_code,
    }
    if step.cached:
        summary["cached"] = True
    if step.after is not None:
        summary["after"] = step.after
    return summary


def refuse_run(folder: Path, error: WfexsError) -> Execution:
    """Record that a run that ended counts as failed, because of ``error``; returns what it is now."""
    refuse(folder / JOURNAL, error.message, error.kind)
    execution = replay(folder / JOURNAL)
    keep_summary(folder, execution)
    return execution
