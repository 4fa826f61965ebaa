"""Needs: what a tool asks of the machine that it runs on.

What the tool's own text says comes first. Where it says nothing, or computes it, it is what the engine set aside for
the runs in the crate, which is the engine's default or the computed value.
Source: schema.org SoftwareApplication (``processorRequirements``, ``memoryRequirements``, ``storageRequirements``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engines.base import Tool
from wfexs_like.crate.graph import Entity

PROPERTIES: Final = {
    "cores": "processorRequirements",
    "memory": "memoryRequirements",
    "storage": "storageRequirements",
}
_KIBI: Final = 1024
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def state(entity: Entity, needs: Mapping[str, float]) -> None:
    """Say of a tool what its text asks for."""
    for key, name in PROPERTIES.items():
        if key in needs:
            entity.set(name, amount(key, needs[key]))


def observe(entity: Entity, known: Tool | None, allotted: Mapping[str, float]) -> None:
    """Say of a tool what an engine set aside for it, where its text says nothing."""
    stated = {} if known is None else known.needs
    for key, name in PROPERTIES.items():
        if key in allotted and key not in stated:
            entity.add(name, amount(key, allotted[key]))


def amount(key: str, value: float) -> str:
    """A number of cores or bytes in words: ``2 cores``, ``1.5 GiB``."""
    if key == "cores":
        return f"{value:g} core{'' if value == 1 else 's'}"
    power = 0
    while value >= _KIBI and power < len(_UNITS) - 1:
        value, power = value / _KIBI, power + 1
    return f"{value:.4g} {_UNITS[power]}"
