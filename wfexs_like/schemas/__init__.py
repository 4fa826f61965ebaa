"""Schemas: the JSON Schema of every document that scripts read from us, by name. ``stage`` is what people write.

They say what may be relied on; keys that are not named here may appear.
"""

from __future__ import annotations

from typing import Final

from wfexs_like.schemas.definitions import DEFINITIONS
from wfexs_like.schemas.forms import Schema, record
from wfexs_like.schemas.lock import LOCK
from wfexs_like.schemas.results import RESULTS

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


def names() -> tuple[str, ...]:
    """Every name that ``schema_of`` knows: the documents first, then the results of the verbs."""
    return ("stage", "lock", *(f"{name}-result" if name == "stage" else name for name in sorted(RESULTS)))


def schema_of(name: str) -> Schema:
    """The JSON Schema of that name; ``stage`` is the stage file, ``stage-result`` what the verb ``stage`` prints.

    Raises:
        KeyError: there is none.
    """
    if name == "stage":
        from staging.loading import stage_schema

        return dict(stage_schema())
    if name == "lock":
        return {"$schema": _DRAFT, "title": "wfexs-like lock file", **LOCK}
    result = name.removesuffix("-result")
    title = f"wfexs-like/{result}/1"
    parts = [record({"schema": {"const": title}}), *RESULTS[result]]
    used = _reachable(parts)
    return {
        "$schema": _DRAFT,
        "title": title,
        "allOf": parts,
        **({"$defs": {one: DEFINITIONS[one] for one in sorted(used)}} if used else {}),
    }


def _reachable(schema: object) -> set[str]:
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            target = one.get("$ref")
            if isinstance(target, str) and target.rsplit("/", 1)[-1] not in found:
                name = target.rsplit("/", 1)[-1]
                found.add(name)
                waiting.append(DEFINITIONS[name])
            waiting += one.values()
    return found
