"""Values that nobody gave: a workflow's own defaults, and what its scripts and configuration set while it ran. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from staging.plan import Json, canonical

PROJECT = "$projectDir"
"""How a default names the folder that the workflow lies in."""
_TELLING = 3
"""A shorter name that must not be told is found in too much that has nothing to do with it."""


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


def gives_away(default: Json, names: Iterable[str]) -> bool:
    """Whether a default holds the name of a file that must not be told, whole or without its endings.

    A workflow may make the default of one parameter out of another parameter.
    """
    told = default if isinstance(default, str) else canonical(default).decode()
    stems = (one.partition(".")[0] or one for one in names)
    return any(stem in told for stem in stems if len(stem) >= _TELLING)
