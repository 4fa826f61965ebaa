"""Usage: what a step's run consumed, as PropertyValues with a quantity and a unit that programs know.

Source: Provenance Run Crate 0.5, "Representing resource usage": ``propertyID`` says exactly what was measured, where
there is a public word for it; units are those of QUDT.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from wfexs_like.crate.graph import Graph, Ref, fragment

_MANUAL = "https://man7.org/linux/man-pages"
_SECOND = "https://qudt.org/vocab/unit/SEC"
_BYTE = "https://qudt.org/vocab/unit/BYTE"


class Quantity(NamedTuple):
    """One thing that is measured: its name for people, its ``propertyID``, its unit's address and symbol."""

    name: str
    identifier: str
    unit: str
    symbol: str


QUANTITIES: Final[Mapping[str, Quantity]] = {
    "wall_seconds": Quantity("wall-clock time", "https://w3id.org/ro/terms/nf-trace#realTime", _SECOND, "s"),
    "cpu_seconds": Quantity("processor time", f"{_MANUAL}/man2/getrusage.2.html#ru_utime+ru_stime", _SECOND, "s"),
    "max_rss_bytes": Quantity("peak resident memory", f"{_MANUAL}/man2/getrusage.2.html#ru_maxrss", _BYTE, "B"),
    "max_memory_bytes": Quantity(
        "peak memory of the container", "https://docs.kernel.org/admin-guide/cgroup-v2.html#memory.peak", _BYTE, "B"
    ),
    "read_characters": Quantity("bytes read", f"{_MANUAL}/man5/proc_pid_io.5.html#rchar", _BYTE, "B"),
    "written_characters": Quantity("bytes written", f"{_MANUAL}/man5/proc_pid_io.5.html#wchar", _BYTE, "B"),
    "read_bytes": Quantity("bytes read from storage", f"{_MANUAL}/man5/proc_pid_io.5.html#read_bytes", _BYTE, "B"),
    "written_bytes": Quantity("bytes written to storage", f"{_MANUAL}/man5/proc_pid_io.5.html#write_bytes", _BYTE, "B"),
}
"""What ``StepRun.resources`` may hold."""


_TELLING: Final = frozenset({"read_characters", "written_characters", "read_bytes", "written_bytes"})


def usage(graph: Graph, resources: Mapping[str, float], *, secretive: bool = False) -> list[Ref]:
    """The PropertyValues of what was measured; the same amount is the same entity, whoever used it.

    ``secretive``: what tells the size of what a step read or wrote is left out.
    """
    refs = []
    for key, quantity in QUANTITIES.items():
        amount = resources.get(key)
        if amount is None or (secretive and key in _TELLING):
            continue
        entity_id = fragment("usage", key, str(amount))
        if entity_id not in graph:
            entity = graph.add(entity_id, "PropertyValue", name=quantity.name, value=amount)
            entity.set("propertyID", quantity.identifier)
            entity.set("unitCode", quantity.unit).set("unitText", quantity.symbol)
        refs.append(Ref(entity_id))
    return refs
