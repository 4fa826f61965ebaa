"""Step texts: what a crate says in words of one attempt at a step, silent on this machine and on what is secret."""

from __future__ import annotations

import shlex
import textwrap
from pathlib import PurePosixPath

from engines.child.step_logs import log_stem
from engines.execution import Execution, Status, StepRun
from staging.errors import NotFoundError
from wfexs_like.crate.payload import open_inside
from wfexs_like.crate.prospective import Prospective

LONGEST_COMMAND = 4000
"""So many characters of a command line or script are told."""
LAST_LINES = 10
_LAST_BYTES = 8192
_STOPPED = "it had not ended when the run did"


class StepTexts:
    """The texts of the runs of one working directory."""

    def __init__(self, ground: Prospective) -> None:
        self._content = ground.subject.content
        self._discretion = ground.discretion
        self._secretive = ground.secretive
        self._known: dict[str, str] = {}

    def name(self, execution: Execution, step: StepRun) -> str:
        """Which attempt at which step, or member of it, this is."""
        name = step.step if self._secretive else self._discretion.log(step.name)
        attempt = f", attempt {step.attempt}" if step.attempt > 1 or step.after == "retry" else ""
        return f"{name} in run {execution.run}{attempt}"

    def description(self, execution: Execution, step: StepRun) -> str:
        """What was executed: the script, or the command line."""
        text = textwrap.dedent(step.script).strip() if step.script else shlex.join(step.command)
        if self._secretive:
            told = f"The step {step.step}. What was executed is not told, for it may tell what must not be disclosed."
        elif not text:
            told = f"The step {step.step} of the workflow."
        else:
            told = self._known.get(text) or self._known.setdefault(text, self._shown(text))
        if step.cached:
            whose = f"run {execution.resumed}" if execution.resumed is not None else "an earlier run"
            told += f"\n(Not executed again: {whose} had done this work, and the times are those of then.)"
        if step.exit_code is not None:
            told += f"\n(exit code {step.exit_code})"
        return told

    def _shown(self, text: str) -> str:
        told = self._discretion.log(text)
        return told if len(told) <= LONGEST_COMMAND else f"{told[:LONGEST_COMMAND]}…"

    def error(self, execution: Execution, step: StepRun) -> str:
        """Why it did not end well, and what it wrote last."""
        code = "" if step.exit_code is None else f" with exit code {step.exit_code}"
        error = f"it failed{code}" if step.status is Status.FAILED else _STOPPED
        if step.error and not self._secretive:
            error = self._discretion.log(step.error)
        if step.after == "retry":
            error += "; it was tried again"
        elif step.after == "ignore":
            error += "; this was ignored, as the workflow wants it"
        lines = self._last_lines(execution, step) if step.status is Status.FAILED else []
        return "\n".join((error, *lines))

    def _last_lines(self, execution: Execution, step: StepRun) -> list[str]:
        """What the step wrote last."""
        if self._secretive:
            return []
        try:
            with open_inside(self._content, f"{log_path(execution, step)}.stderr") as stream:
                size = stream.seek(0, 2)
                stream.seek(max(0, size - _LAST_BYTES))
                lines = stream.read().decode(errors="replace").splitlines()
        except (NotFoundError, OSError):
            return []
        # What is left of a line that was cut may be part of a name that would be known, and left out, as a whole.
        whole = lines[1:] if size > _LAST_BYTES else lines
        return [self._discretion.log(line) for line in whole[-LAST_LINES:] if line.strip()]


def log_path(execution: Execution, step: StepRun) -> PurePosixPath:
    """Where a step's logs are, without their suffix."""
    return PurePosixPath("runs", str(execution.run), "logs", "steps", log_stem(step.name, step.id))
