"""The tally of a run: how many steps it had and what became of them, in words and in the engine's own word for a step.

Attempts that were tried again are not counted as steps: the attempt that followed is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engines.execution import Execution, Status, StepRun

_WORDS = {"nextflow": "task"}


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts of how steps ended.

    ``again`` counts steps of which an attempt failed and was followed by another, ``cached`` those that an earlier run
    did. ``ignored``, ``failed`` and ``stopped`` did not go well.
    """

    steps: int = 0
    again: int = 0
    ignored: int = 0
    failed: int = 0
    stopped: int = 0
    cached: int = 0

    @classmethod
    def of(cls, steps: Iterable[StepRun]) -> Tally:
        """Count each."""
        tally = cls()
        for step in steps:
            tally.add(step)
        return tally

    def add(self, step: StepRun) -> None:
        """Count one attempt."""
        if step.after == "retry":
            self.again += step.attempt == 1
            return
        self.steps += 1
        self.cached += step.cached
        if step.status is Status.FAILED:
            if step.after == "ignore":
                self.ignored += 1
            else:
                self.failed += 1
        elif step.status is Status.KILLED:
            self.stopped += 1


def in_words(execution: Execution) -> str:
    """``14 tasks (2 tried again, 1 ignored, 3 taken from run 2)``; nothing where no step was heard of."""
    if not execution.steps:
        return ""
    tally = Tally.of(execution.steps)
    word = _WORDS.get(execution.engine, "step")
    from_where = f"taken from run {execution.resumed}" if execution.resumed is not None else "done by an earlier run"
    found = (
        (tally.again, "tried again"),
        (tally.ignored, "failed and ignored"),
        (tally.failed, "failed"),
        (tally.stopped, "stopped"),
        (tally.cached, from_where),
    )
    more = ", ".join(f"{count} {what}" for count, what in found if count)
    return f"{tally.steps} {word}{'' if tally.steps == 1 else 's'}{f' ({more})' if more else ''}"
