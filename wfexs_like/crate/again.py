"""The command by which somebody else runs the workflow again, for a language that one engine alone runs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from staging.plan import Json
from wfexs_like.crate.prospective import Prospective

_LONGEST = 2000
_NOT_TOLD = "…"


def command_line(ground: Prospective) -> str | None:
    """Nextflow's command line with the plan's values, files by where they are in the crate or by their names.

    ``None`` for another language, and where a value doesn't fit in a word.
    """
    plan = ground.plan
    if plan.workflow.language != "nextflow":
        return None
    words = ["nextflow", "run", str(plan.workflow.path)]
    if plan.settings.profiles:
        words += ["-profile", ",".join(plan.settings.profiles)]
    for name, value in plan.parameters.items():
        if value is None:
            continue
        word = _word(ground, name, value)
        if word is None:
            return None
        words += [f"--{name}", word]
    command = f"NXF_VER={plan.engine_version} {shlex.join(words)}"
    return command if len(command) <= _LONGEST and "\n" not in command else None


def _word(ground: Prospective, name: str, value: Json) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return ground.discretion.value(value)
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, Mapping) or value.get("class") not in ("File", "Directory"):
        return None
    return str(value["outputPlace"]) if "outputPlace" in value else _place(ground, name, value)


def _place(ground: Prospective, name: str, value: Mapping[str, Json]) -> str:
    content = ground.locate(name, value)
    if content.hidden:
        return _NOT_TOLD
    inside = content.path is not None and ground.payload.holds(str(content.path))
    return str(content.path) if inside else content.basename
