"""Connections: which parameter of a workflow or tool is fed by which other, as ParameterConnections.

Where the workflow's text says it (CWL), it is taken from there. Where only runs show it (Nextflow), two parameters are
connected when the very file or folder that came out of one went into the other; plain values have no such identity, so
nothing is said of them. Source: Provenance Run Crate 0.5, "Representing parameter connections".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath

from engines.execution import Execution
from staging.plan import Role
from wfexs_like.crate.graph import Entity, Ref
from wfexs_like.crate.open_outputs import other_outputs
from wfexs_like.crate.prospective import Prospective
from wfexs_like.crate.structure import End, Pair, Place, executed, flows, places_in
from wfexs_like.crate.tools import Tools
from wfexs_like.crate.values import Formal


def seen_pairs(ground: Prospective, execution: Execution, published: str | None) -> Iterator[Pair]:
    """What a run shows: files and folders that went from one parameter to another.

    ``published`` is the parameter of all outputs that have none of their own.
    """
    yield from flows(execution)
    made: dict[str, str] = {}
    documented = {one.name for one in ground.documented_outputs}
    others = other_outputs(execution.outputs, documented)
    for name, value in execution.outputs.items():
        slot = published if name in others else name
        if slot is not None:
            made |= dict.fromkeys(places_in(value), slot)
    taken: dict[str, str | None] = {}
    for step in executed(execution):
        for slot, value in step.inputs.items():
            for place in places_in(value):
                if place not in taken:
                    taken[place] = _parameter_at(ground, place)
                if (parameter := taken[place]) is not None:
                    yield (None, parameter), (step.step, slot)
        for slot, value in step.outputs.items():
            for place in places_in(value):
                if place in made:
                    yield (step.step, slot), (None, made[place])


def _parameter_at(ground: Prospective, place: str) -> str | None:
    """The workflow's input that a file was staged for."""
    path = PurePosixPath(place)
    item, _ = ground.item_at(path) if not path.is_absolute() else (None, None)
    if item is None or item.role is not Role.INPUT:
        return None
    name = item.name if item.name in ground.inputs else re.split(r"[.\[]", item.name)[0]
    return name if name in ground.inputs else None


class Connections:
    """Makes ParameterConnections. ``step_at`` gives the HowToStep at a path, ``None`` where none is told."""

    def __init__(
        self,
        ground: Prospective,
        main: Entity,
        tools: Tools,
        places: Mapping[str, Place],
        step_at: Callable[[str], Entity | None],
    ) -> None:
        self.ground = ground
        self.main = main
        self.tools = tools
        self.places = places
        self.step_at = step_at

    def connect(self, pair: Pair) -> None:
        """Tell one, unless a parameter in it isn't told."""
        source, target = self._source(pair[0]), self._target(pair)
        if source is None or target is None:
            return
        formal, holder = target
        # One for all steps that the same two parameters are connected at.
        mark = hashlib.sha256(f"{source.entity.id}\n{formal.entity.id}".encode()).hexdigest()[:16]
        entity = self.ground.graph.add(f"#connection/{mark}", "ParameterConnection")
        entity.set("name", f"{source.name} to {formal.name}")
        entity.set("sourceParameter", Ref(source.entity.id)).set("targetParameter", Ref(formal.entity.id))
        holder.add("connection", Ref(entity.id))

    def _source(self, end: End) -> Formal | None:
        path, name = end
        if path is None:
            return self.ground.inputs.get(name)
        place = self.places.get(path)
        if place is None:
            return None
        tool = self.tools.of(place.tool)
        found = self.tools.declared(tool, "output", name)
        # Within a sub-workflow its inputs are sources.
        return found or (self.tools.declared(tool, "input", name) if tool.is_workflow else None)

    def _target(self, pair: Pair) -> tuple[Formal, Entity] | None:
        """The parameter that is fed, and who tells of it: the step that takes it, or the workflow that hands it on."""
        (origin, _), (path, name) = pair
        if path is None:
            formal = self.ground.outputs.get(name)
            return None if formal is None else (formal, self.main)
        place = self.places.get(path)
        if place is None:
            return None
        tool = self.tools.of(place.tool)
        if tool.is_workflow and origin is not None and origin.startswith(f"{path}/"):
            formal = self.tools.declared(tool, "output", name)
            return None if formal is None or not tool.ran else (formal, tool.entity)
        step = self.step_at(path)
        formal = self.tools.declared(tool, "input", name)
        return None if formal is None or step is None else (formal, step)
