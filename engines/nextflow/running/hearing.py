"""Hearing: whether what the witness in the engine said is of its form, and whether it is all that there was to say.

The workflow's own code runs beside the witness and can end the engine at any moment, or speak in the witness's place.
An exit code of 0 says no more than that nobody gave another one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

FORGED = "something in the workflow spoke in the place of the engine"

_TASKS = ("task-submitted", "task-completed", "task-cached")
_FLOWS = ("flow-created", "flow-begun", "flow-completed")


class Hearing:
    """What was heard up to now."""

    def __init__(self) -> None:
        self.flow: Mapping[str, Any] = {}
        """How the engine says that the workflow ended; empty until it has."""
        self.parameters: Mapping[str, Any] | None = None
        self.is_forged = False
        """Something was said that the witness does not say."""
        self._number = 0
        self._gap = False
        self._untold: str | None = None
        self._running: dict[str, str] = {}

    def take(self, told: object) -> Mapping[str, Any] | None:
        """A word that can be gone by, ``None`` for another, which is remembered."""
        if not isinstance(told, dict) or not _is_number(told.get("number")):
            self.is_forged = True
            return None
        self._gap = self._gap or told["number"] != self._number + 1
        self._number = told["number"]
        if told.get("unsaid"):
            self._untold = self._untold or str(told.get("name") or "")
            return None
        if not _is_well_shaped(told):
            self.is_forged = True
            return None
        self._note(told)
        return told

    def _note(self, told: Mapping[str, Any]) -> None:
        kind = told["event"]
        if kind in _FLOWS:
            self.parameters = told.get("params") or self.parameters
            self.flow = told if kind == "flow-completed" else self.flow
        elif kind == "task-submitted":
            self._running[told["hash"]] = told["name"]
        elif kind in _TASKS:
            self._running.pop(told["hash"], None)

    def missing(self) -> str | None:
        """Why this is not the whole of a workflow that came to its end, ``None`` if it is."""
        if self._untold is not None:
            whose = f"of task {self._untold!r} " if self._untold else ""
            return f"what is to be recorded {whose}could not be told"
        if self._gap:
            return "not all of what the engine did was heard"
        for name in self._running.values():
            return f"the engine ended while task {name!r} was still running"
        if not self.flow or self.flow.get("terminated") is False:
            return "the engine ended before the workflow did"
        return None


def _is_well_shaped(told: Mapping[str, Any]) -> bool:
    kind = told.get("event")
    if kind in _TASKS:
        return _fits(told, _TASK, needed=("hash", "name", "process")) and bool(told["hash"])
    if kind == "published":
        return _fits(told, {"target": _is_path, "source": _is_path}, needed=("target",))
    return kind in _FLOWS and _fits(told, {"params": _is_map, "message": _is_text, "report": _is_text})


def _fits(value: object, form: Mapping[str, Callable[[object], bool]], needed: tuple[str, ...] = ()) -> bool:
    """Whether a map has what is ``needed``, and what it has of a form is as that says or ``None``."""
    return (
        isinstance(value, dict)
        and all(value.get(key) is not None for key in needed)
        and all(value.get(key) is None or check(value[key]) for key, check in form.items())
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_map(value: object) -> bool:
    return isinstance(value, dict)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_truth(value: object) -> bool:
    return isinstance(value, bool)


def _is_path(value: object) -> bool:
    """An absolute path that the system can be asked about."""
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        return False
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        return False
    return True


def _is_input(value: object) -> bool:
    return _fits(value, {"name": _is_text, "files": _are(_is_input_file)})


def _is_input_file(value: object) -> bool:
    return _fits(value, {"path": _is_path, "stage": _is_text}, needed=("path",))


def _is_output(value: object) -> bool:
    return _fits(value, {"name": _is_text, "value": _has_paths})


def _has_paths(value: object) -> bool:
    """Whether every path in an output's value is one."""
    if isinstance(value, list):
        return all(_has_paths(one) for one in value)
    if isinstance(value, dict):
        return _is_path(value["path"]) if set(value) == {"path"} else all(_has_paths(one) for one in value.values())
    return True


def _are(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(check(one) for one in value)


_TASK: Mapping[str, Callable[[object], bool]] = {
    "hash": _is_text,
    "name": _is_text,
    "process": _is_text,
    "tag": _is_text,
    "attempt": _is_number,
    "workdir": _is_path,
    "container": _is_text,
    "script": _is_text,
    "environment": _is_map,
    "trace": _is_map,
    "inputs": _are(_is_input),
    "outputs": _are(_is_output),
    "exit": _is_number,
    "failed": _is_truth,
    "aborted": _is_truth,
    "links": _is_truth,
    "action": _is_text,
    "error": _is_text,
}
