"""Reasons: why a run counts as failed, in a sentence, of all that is known of it when the engine has ended."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engines.child.step_logs import log_stem
from engines.launcher import last_words
from engines.nextflow.running.hearing import FORGED, Hearing
from engines.nextflow.running.image_needs import lacking
from engines.nextflow.running.last_error import last_error, log_lines, unpublished
from engines.nextflow.running.publishing import altered
from engines.nextflow.running.telling import Teller
from engines.phrasing import died, sentence
from engines.relative import Relative
from staging.errors import ContainerError, PolicyError

_TAIL = 20
_PROCESS = re.compile(r"^Error executing process > '(.+)'$", re.MULTILINE)
_CAUSE = re.compile(r"^Caused by:\n((?:[ \t]+\S.*\n?)+)", re.MULTILINE)


class Reasons:
    """Of one run. What it collects is put in while the run lasts.

    ``images`` are those of tasks by their hashes, in a run with containers. ``strays`` has a sentence for each file
    that was published to or from outside of the run; ``intruder`` is the sentence for what lay where this run keeps
    what continues it; ``failed`` is the end of the first task that failed for good.
    """

    def __init__(self, folder: Path, log: Path, relative: Relative, teller: Teller, hearing: Hearing) -> None:
        self.folder = folder
        self.log = log
        self.relative = relative
        self.teller = teller
        self.hearing = hearing
        self.outputs = folder / "outputs"
        self.work = folder / "engine" / "work"
        self.images: dict[str, str] = {}
        self.strays: list[str] = []
        self.intruder: str | None = None
        self.failed: Mapping[str, Any] | None = None

    def failure(self, exit_code: int) -> dict[str, Any] | None:
        """Why the run counts as failed, ``None`` when it does not."""
        if self.hearing.is_forged or self.intruder is not None:
            return {"error": FORGED if self.hearing.is_forged else self.intruder, "error_kind": PolicyError.kind}
        if self.failed is not None:
            step = self.failed
            lack = self._lack(step)
            if lack is not None:
                error = f"task {step['name']!r} failed: {lack}"
                return {"error": error, "error_kind": ContainerError.kind, "tail": self._tail(step)}
            reason = step["error"] if step["exit_code"] else self._cause() or step["error"]
            return {"error": f"task {step['name']!r} failed: {reason}", "tail": self._tail(step)}
        if exit_code != 0:
            words = [self.relative.text(line) for line in last_words(self.log, _TAIL)]
            return {"error": self._engine_failure(exit_code, words), "tail": words}
        return self._breach() or self._unfinished(exit_code)

    def _lack(self, step: Mapping[str, Any]) -> str | None:
        """What the image of a failed task lacks for the engine; ``None`` for one that failed otherwise."""
        image = self.images.get(step["id"])
        if image is None or not step["exit_code"]:
            return None
        program = lacking(step["exit_code"], self._tail(step))
        return (
            None if program is None else f"the image {image} has no {program}, which Nextflow needs in every container"
        )

    def _breach(self) -> dict[str, Any] | None:
        """What the run took in or handed out that is not its own."""
        if self.strays:
            return {"error": self.strays[0], "error_kind": PolicyError.kind}
        if self.teller.strangers:
            return {
                "error": f"a task used a file that was not staged: {self.teller.strangers[0]}",
                "error_kind": PolicyError.kind,
            }
        return None

    def _unfinished(self, exit_code: int) -> dict[str, Any] | None:
        """What is missing for a workflow that came to its end well, whatever the exit code."""
        if self.hearing.flow.get("success") is False:
            words = [self.relative.text(line) for line in last_words(self.log, _TAIL)]
            return {"error": self._engine_failure(exit_code, words), "tail": words}
        missing = self.hearing.missing()
        lost = unpublished(self.folder / "logs" / "nextflow.log")
        if missing is None and lost is not None:
            missing = f"the engine could not publish {self.relative.path(lost)}: its log says why"
        return None if missing is None else {"error": missing}

    def altered(self, published: Mapping[str, str]) -> dict[str, Any] | None:
        """Why the run counts as failed when an output is not what its task published."""
        found = altered(published)
        if found is None:
            return None
        target, source = found
        task = self.teller.names.get(str(self._task_folder(source)))
        whose = f"task {task!r}" if task else "a task"
        return {
            "error": f"the output {os.path.relpath(target, self.outputs)!r} and the file that {whose} published as it"
            " are no longer the same: something else wrote to one of them",
            "error_kind": PolicyError.kind,
        }

    def _engine_failure(self, exit_code: int, words: Sequence[str]) -> str:
        """Why the engine ended with an error that is no task's that had begun."""
        if exit_code < 0:
            return died(exit_code)
        report = str(self.hearing.flow.get("report") or "")
        process, cause = _PROCESS.search(report), self._cause()
        if process and cause:
            return f"task {process.group(1)!r} failed: {cause}"
        logged = [self.relative.text(line) for line in log_lines(self.folder / "logs" / "nextflow.log")]
        said = self.relative.text(report or str(self.hearing.flow.get("message") or ""))
        return sentence(last_error(words, logged, said) or "the engine ended with an error")

    def collision(self, target: str, sources: Sequence[str]) -> str:
        """The sentence for a name that two tasks gave to different files."""
        tasks = dict.fromkeys(self.teller.names.get(str(self._task_folder(one)), "") for one in sources)
        named = " and ".join(repr(name) for name in tasks if name) or "several tasks"
        name = (
            Path(target).relative_to(self.outputs) if Path(target).is_relative_to(self.outputs) else Path(target).name
        )
        return f"{named} published different files as {str(name)!r}: which of them is left there is chance"

    def _task_folder(self, path: str) -> Path:
        """The task's folder that a path lies in: two levels below the folder of all work."""
        parts = Path(path).parts
        return Path(*parts[: len(self.work.parts) + 2])

    def _cause(self) -> str | None:
        """What the engine's report on the error has as its cause, for an error that is not an exit code."""
        cause = _CAUSE.search(str(self.hearing.flow.get("report") or ""))
        return sentence(self.relative.text(cause.group(1))) if cause else None

    def _tail(self, step: Mapping[str, Any]) -> list[str]:
        """The last lines that a task wrote."""
        name = log_stem(step["name"], step["id"])
        for stream in ("stderr", "stdout"):
            words = last_words(self.folder / "logs" / "steps" / f"{name}.{stream}", _TAIL)
            if words:
                # The wrapper's own words have the task's folder before each name.
                folder = f"{self.teller.folders.get(step['id'], '')}/"
                return [self.relative.text(line.replace(folder, "") if folder != "/" else line) for line in words]
        return []
