"""Telling: what our witness inside the engine said, as events of the run's journal.

A task is a step's run: its hash tells attempts apart, its process is the step and the tool. Inputs are told by the
parameter they came in by, each file where the engine took it from, so that a file which is another task's output is the
connection between the two.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from engines.journal import timestamp
from engines.nextflow.running.belonging import Belonging
from engines.phrasing import UNTOLD, sentence
from engines.relative import Relative

_NEVER = (None, 0)
# Nextflow tells an exit code that it does not know as the largest int.
_UNKNOWN_EXIT = 2**31 - 1
_SIGNALLED = 128
_ALLOTTED = {"cores": "cpus", "memory": "memory", "storage": "disk"}
# The year 9999, in milliseconds: what a date can be.
_END_OF_TIME = 253_402_300_800_000


class Teller:
    """Makes journal events of a witness's words. ``belonging`` says which files a task may take."""

    def __init__(self, relative: Relative, belonging: Belonging) -> None:
        self._relative = relative
        self._belonging = belonging
        self.strangers: list[str] = []
        """Files that a task took and that were neither staged nor made by the run, each with the task's name."""
        self.names: dict[str, str] = {}
        """The tasks' names by their work folders."""
        self.folders: dict[str, str] = {}
        """The tasks' work folders by their hashes."""
        self.reused: dict[str, str] = {}
        """The work folders of tasks that were not run again, by the task's hash."""

    def events(self, told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The events of one word; none for what is no task's."""
        kind = told["event"]
        if kind.startswith("task-") and told.get("workdir"):
            self.names[told["workdir"]] = told["name"]
            self.folders[told["hash"]] = told["workdir"]
        if kind == "task-submitted":
            yield self._started(told)
        elif kind == "task-completed":
            yield self._ended(told)
        elif kind == "task-cached":
            if told.get("workdir"):
                self.reused[told["hash"]] = told["workdir"]
            yield {**self._started(told), "cached": True}
            yield {**self._ended(told), "cached": True}

    def _common(self, told: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "id": told["hash"],
            "name": told["name"],
            "step": told["process"],
            "tool": str(told["process"]).rpartition(":")[2],
            "attempt": told.get("attempt") or 1,
        }

    def _started(self, told: Mapping[str, Any]) -> dict[str, Any]:
        trace = told.get("trace") or {}
        event = {
            "event": "step-started",
            **self._common(told),
            "time": iso(trace.get("submit")) or timestamp(),
            "inputs": self._inputs(told),
        }
        if shares := allotted(trace):
            event["allotted"] = shares
        for key in ("container", "script", "tag", "environment"):
            if told.get(key):
                event[key] = told[key]
        return event

    def _ended(self, told: Mapping[str, Any]) -> dict[str, Any]:
        trace = dict(told.get("trace") or {})
        if trace.get("exit") == _UNKNOWN_EXIT:
            trace["exit"] = None
        failed = bool(told.get("failed")) or trace.get("status") == "FAILED"
        aborted = not failed and (bool(told.get("aborted")) or trace.get("status") == "ABORTED")
        exit_code = told.get("exit")
        event = {
            "event": "step-ended",
            **self._common(told),
            "time": timestamp(),
            "status": "failed" if failed else "killed" if aborted else "completed",
            "exit_code": None if exit_code == _UNKNOWN_EXIT else exit_code,
            "outputs": self._outputs(told),
            "resources": resources(trace),
            "trace": trace,
        }
        for key, source in (("started", "start"), ("ended", "complete")):
            if trace.get(source) not in _NEVER:
                event[key] = iso(trace[source])
        if failed:
            event["error"] = self._error(told, event["exit_code"])
            if told.get("action"):
                event["after"] = str(told["action"]).lower()
        return event

    def _error(self, told: Mapping[str, Any], exit_code: int | None) -> str:
        if exit_code and exit_code > _SIGNALLED:
            return f"exit code {exit_code} (signal {exit_code - _SIGNALLED}; was there enough memory?)"
        if exit_code:
            return f"exit code {exit_code}"
        if not told.get("error") and exit_code == 0:
            return "it ended well, but an output that it declares is missing or is not as declared"
        return sentence(self._relative.text(str(told.get("error") or UNTOLD)))

    def _inputs(self, told: Mapping[str, Any]) -> dict[str, Any]:
        inputs: dict[str, Any] = {}
        for index, one in enumerate(told.get("inputs") or ()):
            name = _unused(one.get("name") or f"input{index}", inputs)
            if "files" not in one:
                inputs[name] = one.get("value")
                continue
            files = [self._file(file["path"], told, basename=file.get("stage")) for file in one["files"]]
            inputs[name] = files[0] if len(files) == 1 else files
        return inputs

    def _outputs(self, told: Mapping[str, Any]) -> dict[str, Any]:
        outputs: dict[str, Any] = {}
        for index, one in enumerate(told.get("outputs") or ()):
            if one.get("value") is not None:
                name = _unused(one.get("name") or f"output{index}", outputs)
                outputs[name] = self._output(one["value"], told)
        return outputs

    def _output(self, value: Any, told: Mapping[str, Any]) -> Any:
        if isinstance(value, list):
            return [self._output(one, told) for one in value]
        if isinstance(value, dict) and set(value) == {"path"}:
            return self._file(value["path"], told, did="handed on")
        return value

    def _file(
        self, path: str, told: Mapping[str, Any], basename: str | None = None, *, did: str = "took"
    ) -> dict[str, Any]:
        if not self._belonging.holds(path):
            real = os.path.realpath(path)
            leads = "" if real == path else f", a link to {real}"
            self.strangers.append(f"{told['name']} {did} {self._relative.path(path)}{leads}")
        record: dict[str, Any] = {
            "class": "Directory" if os.path.isdir(path) else "File",  # noqa: PTH112
            "path": self._relative.path(path),
        }
        if basename and basename != os.path.basename(path):  # noqa: PTH119
            record["basename"] = basename
        return record


def resources(trace: Mapping[str, Any]) -> dict[str, float]:
    """The engine's quantities under the names that all engines' steps have, in seconds and bytes."""
    found: dict[str, float] = {}
    wall = _number(trace.get("realtime"))
    share = _number(trace.get("%cpu"))
    if wall is not None:
        found["wall_seconds"] = wall / 1000
        if share is not None:
            found["cpu_seconds"] = round(share / 100 * wall / 1000, 3)
    for name, source in (
        ("max_rss_bytes", "peak_rss"),
        ("read_bytes", "read_bytes"),
        ("written_bytes", "write_bytes"),
        ("read_characters", "rchar"),
        ("written_characters", "wchar"),
    ):
        value = _number(trace.get(source))
        # No process has no memory: a task was over before the engine's wrapper first looked.
        if value is not None and (value or name != "max_rss_bytes"):
            found[name] = value
    return found


def allotted(trace: Mapping[str, Any]) -> dict[str, float]:
    """What the engine set aside for a task, in cores and bytes."""
    found = {name: _number(trace.get(field)) for name, field in _ALLOTTED.items()}
    return {name: one for name, one in found.items() if one is not None}


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _unused(name: str, taken: Mapping[str, Any]) -> str:
    number = 2
    unused = name
    while unused in taken:
        unused = f"{name}_{number}"
        number += 1
    return unused


def iso(milliseconds: Any) -> str | None:
    """A time of the engine's, in milliseconds since 1970, as the journal writes it."""
    if not isinstance(milliseconds, int | float) or not 0 < milliseconds < _END_OF_TIME:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
