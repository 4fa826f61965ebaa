"""The main workflow: what it is written in, and the steps it plans, with those of its sub-workflows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from wfexs_like.reading.account import Connection, Slot, Software, Step, Workflow
from wfexs_like.reading.graph import Graph, number
from wfexs_like.reading.items import Items
from wfexs_like.reading.metadata import Entity, references
from wfexs_like.reading.software import Surroundings

DEEPEST: Final = 16
"""Sub-workflows are looked into so deep."""
MOST_STEPS: Final = 50_000


class Workflows:
    """Finds the main workflow and names the steps of all there is below it."""

    def __init__(self, graph: Graph, items: Items, surroundings: Surroundings) -> None:
        self.graph = graph
        self.items = items
        self.surroundings = surroundings
        self.main = self._main()
        self.steps: tuple[Step, ...] = ()
        self.names: dict[str, str] = {}
        self.positions: dict[str, int | None] = {}
        self.tools: set[str] = set()
        self.uses: dict[str, list[Step]] = defaultdict(list)
        if self.main is not None:
            self._steps(self.main)

    def workflow(self) -> Workflow | None:
        """The main workflow; ``None`` in a crate that has none."""
        if self.main is None:
            return None
        graph, entity = self.graph, self.graph[self.main]
        document = self.items.item(self.main)
        language, version = self.surroundings.language(entity)
        told = [document.address, *(graph.text(entity, one) for one in ("isBasedOn", "codeRepository", "url"))]
        software = self.surroundings.software(self.main)
        return Workflow(
            software=software,
            document=document if document.kind in ("file", "folder") or document.path is not None else None,
            language=language,
            language_version=version,
            source=graph.text(entity, "identifier") or next((one for one in told if one and "://" in one), None),
            examples=tuple(self._examples(software)),
            steps=self.steps,
            connections=tuple(self._connections()),
            diagram=next((self.items.item(one) for one, told in graph.follow(entity, "image") if told), None),
        )

    def _examples(self, software: Software) -> Iterator[Slot]:
        for one in software.inputs:
            found = [identifier for identifier, told in self.graph.follow(self.graph[one.id], "workExample") if told]
            if found:
                yield Slot(name=one.name, parameter=one, items=tuple(map(self.items.item, found)))

    def _main(self) -> str | None:
        """What the crate says its main entity is, if that can be run; else the one workflow that runs are of."""
        graph = self.graph
        for identifier, _ in graph.follow(graph.root, "mainEntity"):
            if graph.kinds(identifier) & {
                "ComputationalWorkflow",
                "SoftwareSourceCode",
                "HowTo",
                "SoftwareApplication",
            }:
                return identifier
        workflows = [one for one, _ in graph.of_type("ComputationalWorkflow", "Workflow")]
        inner = {graph.find(two) for one in workflows for two in references(graph[one].get("hasPart"))}
        outer = [one for one in workflows if one not in inner]
        if len(outer) == 1:
            graph.remarks.add(f"{outer[0][:200]} is taken for the main workflow: the crate doesn't say which it is")
            return outer[0]
        return None

    def _steps(self, main: str) -> None:
        found: list[tuple[int, Step]] = []
        # Each: the workflow, what its steps' names begin with, and all that it is in.
        pending: list[tuple[str, str, tuple[str, ...]]] = [(main, "", (main,))]
        while pending:
            workflow, prefix, above = pending.pop()
            entity = self.graph[workflow]
            self.tools.update(one for one, _ in self.graph.follow(entity, "hasPart"))
            for identifier, step in self.graph.follow(entity, "step"):
                if len(found) >= MOST_STEPS:
                    self.graph.remarks.add(f"the workflow has more than {MOST_STEPS} steps: others are left out")
                    pending.clear()
                    break
                name = f"{prefix}{self.graph.label(identifier, step)}"
                tool = next((one for one, _ in self.graph.follow(step, "workExample", "itemListElement")), None)
                place = number(next(iter(self._position(step)), None))
                position = int(place) if place is not None else None
                self.names.setdefault(identifier, name)
                self.positions.setdefault(identifier, position)
                software = self.surroundings.software(tool) if tool is not None else None
                found.append((len(above), Step(id=identifier, name=name, position=position, tool=software)))
                if tool is None:
                    continue
                self.tools.add(tool)
                if "step" in self.graph[tool] and tool not in above and len(above) < DEEPEST:
                    pending.append((tool, f"{name}/", (*above, tool)))
                elif tool in above:
                    self.graph.remarks.add("a step runs the workflow that it is in: that is not followed")
        for _, planned in found:
            if planned.tool is not None:
                self.uses[planned.tool.id].append(planned)
        self.steps = tuple(step for _, step in sorted(found, key=_by_place))

    def _position(self, step: Entity) -> Iterator[object]:
        told = step.get("position")
        yield from told if isinstance(told, list) else [told]

    def _connections(self) -> Iterator[Connection]:
        for _, entity in self.graph.of_type("ParameterConnection"):
            for source, _ in self.graph.follow(entity, "sourceParameter"):
                for target, _ in self.graph.follow(entity, "targetParameter"):
                    yield Connection(source=source, target=target)
                    break
                break


def _by_place(step: tuple[int, Step]) -> tuple[int, int]:
    """The outer ones first, by position."""
    return step[0], step[1].position if step[1].position is not None else 1 << 62
