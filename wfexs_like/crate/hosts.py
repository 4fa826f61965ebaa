"""Hosts: the machine that a run was made on, by what matters to its results and its times, and never by its name.

Each fact is a PropertyValue of the engine's OrganizeAction; its ``propertyID`` says exactly what was asked. The
profiles have no words for hardware (Provenance Run Crate 0.5 names it as future work), so these are the pages that
define the quantities.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from engines.execution import Execution
from staging.plan import Json
from wfexs_like.crate.discretion import Discretion
from wfexs_like.crate.graph import Entity, Graph, Literal, Ref, fragment

_MANUAL: Final = "https://man7.org/linux/man-pages"
_QUDT: Final = "https://qudt.org/vocab/unit"


class Fact(NamedTuple):
    """One thing that is known of a machine: its name for people, its ``propertyID``, its unit's address and symbol."""

    name: str
    identifier: str
    unit: str | None = None
    symbol: str | None = None


FACTS: Final[Mapping[str, Fact]] = {
    "architecture": Fact("processor architecture", f"{_MANUAL}/man2/uname.2.html#machine"),
    "processor": Fact("processor model", f"{_MANUAL}/man5/proc_cpuinfo.5.html#model_name"),
    "cores": Fact("processor cores", f"{_MANUAL}/man2/sched_getaffinity.2.html", f"{_QUDT}/UNITLESS"),
    "memory": Fact("memory", f"{_MANUAL}/man3/sysconf.3.html#_SC_PHYS_PAGES", f"{_QUDT}/BYTE", "B"),
    "gpus": Fact("graphics processor", "https://www.wikidata.org/wiki/Q183484"),
    "kernel": Fact("kernel", f"{_MANUAL}/man2/uname.2.html#release"),
    "operating_system": Fact(
        "operating system", "https://www.freedesktop.org/software/systemd/man/latest/os-release.html#PRETTY_NAME="
    ),
}
"""What ``Execution.host`` may hold that is told."""


def describe_host(graph: Graph, discretion: Discretion, host: Mapping[str, Json], action: Entity) -> None:
    """Add what is known of the machine to the engine's ``action``."""
    for key, fact in FACTS.items():
        value = host.get(key)
        for one in value if isinstance(value, list | tuple) else [value]:
            action.add("additionalProperty", _property(graph, discretion, key, fact, one))


def describe_engine(discretion: Discretion, execution: Execution, engine: Entity) -> None:
    """Say of the engine what it ran on: the operating system, and its Python or Java."""
    system = execution.host.get("operating_system")
    if isinstance(system, str):
        engine.add("operatingSystem", discretion.text(system))
    for name, version in sorted(execution.platform.items()):
        engine.add("runtimePlatform", discretion.text(f"{name.capitalize()} {version}"))


def _property(graph: Graph, discretion: Discretion, key: str, fact: Fact, value: Json) -> Ref | None:
    shown: Literal | None = discretion.text(value) if isinstance(value, str) else None
    if isinstance(value, int) and not isinstance(value, bool):
        shown = value
    if shown is None or shown == "":
        return None
    entity = graph.add(fragment("host", key, str(shown)), "PropertyValue", name=fact.name, value=shown)
    entity.set("propertyID", fact.identifier).set("unitCode", fact.unit).set("unitText", fact.symbol)
    return Ref(entity.id)
