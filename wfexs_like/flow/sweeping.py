"""Sweeping: containers that a run left behind, killed or failed as it was. A daemon keeps them going."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from engines.containers.choosing import choose
from engines.containers.hearing import REFUSED
from engines.containers.policy import LABEL
from engines.journal import JOURNAL, events, is_live
from staging.errors import WfexsError
from staging.progress import Progress


def sweep_dead(folders: Iterable[Path], environment: Mapping[str, str], progress: Progress) -> tuple[str, ...]:
    """End and remove what the runs in ``folders`` left; the containers' names. A run that still lives is left alone.

    Where a runtime can't be asked, that is said: nothing else depends on it.
    """
    swept: list[str] = []
    for folder in folders:
        left = _left_by(folder / JOURNAL)
        if left is None:
            continue
        runtime, uuid = left
        try:
            found, _ = choose(runtime, environment)
            swept += found.sweep(LABEL, uuid)
        except WfexsError as error:
            progress.say(f"containers of run {folder.name} may be left in {runtime}: {error.message}")
    return tuple(swept)


def _left_by(journal: Path) -> tuple[str, str] | None:
    """The runtime and the uuid of a run that broke off while it had containers, or can't be sure that all are gone."""
    try:
        if is_live(journal):
            return None
        lines = list(events(journal))
    except (OSError, ValueError, WfexsError):
        return None
    first = next((one for one in lines if one["event"] == "run-started"), {})
    runtime = first.get("runtime")
    if not isinstance(runtime, dict):
        return None
    if any(one["event"] == "run-ended" for one in lines) and not _in_doubt(lines):
        return None
    return str(runtime.get("name")), str(first.get("uuid"))


def _in_doubt(lines: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a run that ended may have left a container: one whose end isn't told, or was not its own."""
    left: set[str] = set()
    for one in lines:
        if one["event"] == "container-started":
            left.add(str(one.get("container")))
        elif one["event"] == "container-ended":
            code = one.get("exit_code")
            if isinstance(code, int) and code < REFUSED:
                left.discard(str(one.get("container")))
    return bool(left)
