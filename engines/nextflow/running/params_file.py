"""The parameters as a params file has them: dotted names as maps, and the project's own folder in full. Pure.

Source: tried with 22.10.7 and 24.10.0: in a params file a dot in a name stands for itself, and so does ``$projectDir``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_PROJECT = re.compile(r"\A\$(?:\{(?:projectDir|baseDir)\}|(?:projectDir|baseDir))(?=/|\Z)")


def as_params_file(parameters: Mapping[str, Any], project: str) -> dict[str, Any]:
    """``align.seed`` inside of ``align``; a text that starts with ``$projectDir`` starts with ``project``.

    A name whose folder of names is no map keeps its dots: then it was meant so.
    """
    nested: dict[str, Any] = {}
    for name in sorted(parameters, key=lambda one: one.count(".")):
        *above, last = name.split(".")
        value = _in_full(parameters[name], project)
        inner = nested
        for part in above:
            below = inner.setdefault(part, {}) if part else None
            if not isinstance(below, dict):
                nested[name] = value
                break
            inner = below
        else:
            inner[last] = value
    return nested


def _in_full(value: Any, project: str) -> Any:
    if isinstance(value, str):
        return _PROJECT.sub(lambda _: project, value)
    if isinstance(value, Mapping):
        return {key: _in_full(one, project) for key, one in value.items()}
    return [_in_full(one, project) for one in value] if isinstance(value, list | tuple) else value
