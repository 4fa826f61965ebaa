"""Which runtime a run's steps are to have: the one that was asked for, or the first that works on this host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, cast

from engines.containers.base import CONTAINERS, ContainerRuntime, RuntimeFacts
from staging.errors import ContainerError

ANY: Final = "any"
"""The wish for whichever works."""

ORDER: Final = ("docker", "podman", "apptainer")
"""In which they are tried for ``any``; what other packages bring comes after."""


def choose(wanted: str, environment: Mapping[str, str]) -> tuple[ContainerRuntime, RuntimeFacts]:
    """The runtime named ``wanted`` (``any``: the first that works), asked who it is.

    ``environment`` is the user's, with ``WFEXS_LIKE_CACHE`` naming the cache folder where that is not the usual one.

    Raises:
        ContainerError: there is none of that name, or it doesn't work here; for ``any``, each one's reason.
    """
    there = CONTAINERS.names()
    if wanted != ANY:
        if wanted not in there:
            raise ContainerError(
                f"there is no container runtime {wanted!r}", hint=f"known: {', '.join((*_in_order(there), ANY))}"
            )
        runtime = _made(wanted, environment)
        return runtime, runtime.about()
    reasons: dict[str, ContainerError] = {}
    for name in _in_order(there):
        runtime = _made(name, environment)
        try:
            return runtime, runtime.about()
        except ContainerError as error:
            reasons[name] = error
    told = "; ".join(one.message for one in reasons.values())
    hints = "; ".join(f"{name}: {one.hint}" for name, one in reasons.items() if one.hint)
    raise ContainerError(f"no container runtime works here: {told}", hint=f"one is enough. {hints}")


def _made(name: str, environment: Mapping[str, str]) -> ContainerRuntime:
    # The registry speaks of classes; a runtime's is only ever made with the environment.
    make = cast("Callable[[Mapping[str, str]], ContainerRuntime]", CONTAINERS.load(name))
    return make(environment)


def _in_order(names: tuple[str, ...]) -> tuple[str, ...]:
    """The usual ones first, then the others by name."""
    return (*(one for one in ORDER if one in names), *(one for one in names if one not in ORDER))
