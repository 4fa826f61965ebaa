"""Values that nobody gave: a workflow's own defaults, and what its scripts and configuration set while it ran. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from staging.plan import Json, canonical

PROJECT = "$projectDir"
"""How a default names the folder that the workflow lies in."""
_TELLING = 3
"""A shorter value that must not be told is found in too much that has nothing to do with it."""


def by_dotted_name(values: Mapping[str, Json], known: set[str], above: str = "") -> dict[str, Json]:
    """Nested parameters by their dotted names, as far down as somebody knows such a name."""
    found: dict[str, Json] = {}
    for key, value in values.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping) and name not in known and any(one.startswith(f"{name}.") for one in known):
            found |= by_dotted_name(value, known, f"{name}.")
        else:
            found[name] = value
    return found


def is_default(default: Json, value: Json, folder: str) -> bool:
    """Whether a run's value is the default. A run knows the ``folder`` that the workflow lies in."""
    return (default.replace(PROJECT, folder) if isinstance(default, str) else default) == value


def gives_away(default: Json, hidden: Iterable[Json]) -> bool:
    """Whether a default holds a value that must not be told: a workflow may make one out of another parameter."""
    told = default if isinstance(default, str) else canonical(default).decode()
    texts = (one if isinstance(one, str) else canonical(one).decode() for one in hidden if one is not None)
    return any(text in told for text in texts if len(text) >= _TELLING)
