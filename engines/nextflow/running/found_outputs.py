"""Found outputs: the values of a run's outputs, from what lies in the folder that it published to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engines.claims import claim
from engines.nextflow.running.publishing import entries
from staging.plan import Plan
from staging.resolving import output_places


def found_outputs(plan: Plan, outputs: Path) -> dict[str, Any]:
    """Outputs by name: those that the stage file expects, and what else was published by its path."""
    found = entries(outputs)
    claimed = claim(plan.outputs, found, output_places(plan.parameters))
    kinds = dict(found)
    values: dict[str, Any] = {}
    taken: set[str] = set()
    for one in plan.outputs:
        paths = claimed.get(one.name, [])
        taken.update(paths)
        objects = [_object(outputs, path, kinds.get(path, "Directory")) for path in paths]
        if objects:
            values[one.name] = objects[0] if len(objects) == 1 and one.maximum == 1 else objects
    folders = tuple(f"{path}/" for path in taken if kinds.get(path, "Directory") == "Directory")
    for path, kind in found:
        if kind == "File" and path not in taken and not path.startswith(folders) and "." not in taken:
            values.setdefault(path, _object(outputs, path, kind))
    return values


def _object(outputs: Path, path: str, kind: str) -> dict[str, Any]:
    return {"class": kind, "path": str(outputs / path) if path != "." else str(outputs)}
