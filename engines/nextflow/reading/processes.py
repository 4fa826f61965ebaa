"""Processes: what the probe tells of each, as the interface has it, and what is worth saying of them before a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engines.base import FormalParameter, Tool, Wish
from engines.containers.policy import sure_refusal
from engines.nextflow.reading.packages import needs_of, recipe_below, software_in, software_of, with_notes

_MOST_NAMES = 10
_PATH_KINDS = {"file": "File", "path": "File", "env": "string", "stdout": "string", "stdin": "string"}


def tool_of(process: Mapping[str, Any], aliases: Mapping[str, Sequence[str]], folder: Path) -> Tool:
    """A process of the interface; ``aliases`` are the names under which it is included, ``folder`` the workflow's."""
    container = process.get("container")
    recipe = recipe_below(process.get("conda"), folder)
    software = software_of(process.get("conda")) if recipe is None else software_in(folder / recipe)
    script = Path(str(process.get("script") or ""))
    if script.is_relative_to(folder):
        software = with_notes(software, script)
    return Tool(
        id=str(process["name"]),
        kind="process",
        container=str(container) if container else None,
        container_recipe=_recipe(process),
        secrets=_names(process.get("secret")),
        software=software,
        needs=needs_of(process),
        aliases=tuple(sorted({str(one) for one in aliases.get(str(process["name"]), ())})),
        recipe_file=recipe,
        inputs=tuple(_slots(process.get("inputs") or ())),
        outputs=tuple(_slots(process.get("outputs") or ())),
    )


def _recipe(process: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What else there is to say of its image: other ones that it may run in, or why they are not known before."""
    recipe: dict[str, Any] = {}
    if process.get("unknown"):
        recipe["unknown"] = str(process["unknown"])
    if len(process.get("containers") or ()) > 1:
        recipe["also"] = [str(one) for one in process["containers"][1:]]
    return recipe or None


def without_image(told: Mapping[str, Any]) -> list[str]:
    """Those that stay outside of all containers are named aloud."""
    names = [
        str(one["name"])
        for one in told.get("processes") or ()
        if not one.get("container") and not one.get("unknown") and not one.get("unread")
    ]
    if not names:
        return []
    shown = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
    one, its = ("process names", "its tasks run") if len(names) == 1 else ("processes name", "their tasks run")
    return [f"{len(names)} {one} no container, so {its} on this machine itself: {shown}"]


def refused_options(told: Mapping[str, Any]) -> list[str]:
    """Processes whose tasks no run is going to start, for what they ask of their containers."""
    notes = []
    for one in told.get("processes") or ():
        options = one.get("containerOptions")
        reason = sure_refusal(options) if isinstance(options, str) and one.get("container") else None
        if reason:
            notes.append(f"every run will refuse the tasks of {one['name']}: {reason}")
    more = len(notes) - _MOST_NAMES
    return notes[:_MOST_NAMES] + ([f"... and {more} more such processes"] if more > 0 else [])


def _names(value: Any) -> tuple[str, ...]:
    """The names in a directive that takes one or several."""
    several = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(one for one in several if isinstance(one, str) and one))


def _slots(declared: Sequence[Mapping[str, Any]]) -> list[FormalParameter]:
    slots: list[FormalParameter] = []
    for index, one in enumerate(declared):
        kind = str(one.get("kind"))
        if kind == "tuple" and not one.get("channelEmitName"):
            slots += _slots(one.get("inner") or ())
            continue
        name = one.get("channelEmitName") or one.get("name") or one.get("filePattern") or f"{kind}{index}"
        if name == "$":
            continue
        slots.append(
            FormalParameter(
                name=str(name),
                type=_PATH_KINDS.get(kind, "Any"),
                required=not one.get("optional"),
            )
        )
    return slots


def unnamed_secrets(told: Mapping[str, Any], wish: Wish) -> list[str]:
    """The secrets that some process can't do without and that no run would have; it may be one that never runs."""
    wanted: dict[str, str] = {}
    for process in told.get("processes") or ():
        for secret in _names(process.get("secret")):
            wanted.setdefault(str(secret), str(process["name"]))
    where = "workflow_config.nextflow.secrets"
    return [
        f"the process {process} needs the secret {secret}: to run it, list {secret} under {where}"
        for secret, process in wanted.items()
        if secret not in wish.settings.secrets
    ]
