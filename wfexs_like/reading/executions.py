"""Executions: actions, as what ran, with what filled which parameter."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from typing import Final

from wfexs_like.reading.account import Agent, Execution, Item, Parameter, Slot, Status
from wfexs_like.reading.graph import Graph, number, tail
from wfexs_like.reading.items import Items
from wfexs_like.reading.metadata import Entity, is_elsewhere, references, values
from wfexs_like.reading.moments import moment, seconds_between
from wfexs_like.reading.software import Surroundings

ACTIONS: Final = ("CreateAction", "ActivateAction", "UpdateAction")
"""The types of an execution."""

_STATUSES: Final[Mapping[str, Status]] = {
    "completedactionstatus": "completed",
    "failedactionstatus": "failed",
    "activeactionstatus": "active",
    "potentialactionstatus": "potential",
}
_EXIT_CODE: Final = re.compile(r"\(?\bexit (?:code|status):? (-?[0-9]{1,10})\b\)?")
_AT_END: Final = re.compile(rf"{_EXIT_CODE.pattern}\s*\Z")
_END: Final = 60
_SENTENCE: Final = re.compile(r"[A-Z][a-z]*\s.*[.!]", re.DOTALL)
_SEARCHED: Final = 100_000


class Executions:
    """Makes executions out of actions, each once."""

    def __init__(self, graph: Graph, items: Items, surroundings: Surroundings) -> None:
        self.graph = graph
        self.items = items
        self.surroundings = surroundings
        self._made: dict[str, Execution] = {}
        self._about = self._subjects()

    def execution(self, identifier: str, *, whole: bool = False, agents: tuple[Agent, ...] = ()) -> Execution:
        """What an action tells. ``whole`` is a workflow's run; ``agents`` stand for those that it doesn't name."""
        if identifier not in self._made:
            self._made[identifier] = self._read(identifier, self.graph[identifier], whole, agents)
        return self._made[identifier]

    def _read(self, identifier: str, entity: Entity, whole: bool, agents: tuple[Agent, ...]) -> Execution:
        graph, remarks = self.graph, self.graph.remarks
        started, ended = moment(entity.get("startTime"), remarks), moment(entity.get("endTime"), remarks)
        instrument = next((self.surroundings.software(one) for one, _ in graph.follow(entity, "instrument")), None)
        error = graph.text(entity, "error")
        description = graph.text(entity, "description")
        logs = tuple(self.items.item(one) for one in self._logs(identifier, entity))
        made = self._slots(entity, "result", instrument.outputs if instrument else (), {one.id for one in logs})
        return Execution(
            id=identifier,
            name=graph.label(identifier, entity),
            status=self._status(entity, error),
            instrument=instrument,
            started=started,
            ended=ended,
            seconds=seconds_between(started, ended, remarks),
            error=error,
            command=None if whole else _command(description),
            exit_code=_exit_code(entity, error, description, whole=whole),
            agents=self.surroundings.agents(entity, "agent") or agents,
            inputs=self._slots(entity, "object", instrument.inputs if instrument else ()),
            outputs=made,
            images=self.surroundings.images(entity),
            resources=self.surroundings.quantities(entity, "resourceUsage"),
            environment=self.surroundings.environment(entity),
            logs=logs,
        )

    def _status(self, entity: Entity, error: str | None) -> Status:
        for one in values(entity.get("actionStatus")):
            told = one.get("@id") if isinstance(one, dict) else one
            if isinstance(told, str):
                found = _STATUSES.get(tail(told).rpartition(":")[2].lower())
                if found is not None:
                    return found
                self.graph.remarks.add(f"{told[:100]!r} is no status that anybody knows")
        return "failed" if error is not None else "unknown"

    # -- what filled which parameter --------------------------------------------------------------------------------

    def _slots(
        self, entity: Entity, name: str, parameters: tuple[Parameter, ...], logs: Set[str] = frozenset()
    ) -> tuple[Slot, ...]:
        """What an action took or made, in the order of the parameters; what fills none of them comes last.

        Its ``logs`` are told as that: some makers have them among the results.
        """
        items = [self.items.item(one) for one, told in self.graph.follow(entity, name) if self._is_data(one, told)]
        known = {one.id: one for one in parameters}
        by_name = {one.name: one.id for one in parameters}
        filled: dict[str, list[Item]] = defaultdict(list)
        rest: list[Item] = []
        for item in items:
            slots = [one for one in item.slots if one in known]
            if not slots and item.name in by_name and item.kind == "value":
                slots = [by_name[item.name]]
            for slot in slots:
                filled[slot].append(item)
            if not slots:
                rest.append(item)
        inner = {part.id for found in filled.values() for item in found for part in item.parts}
        slots_told = [
            Slot(name=one.name, parameter=one, items=_outermost(filled[one.id]))
            for one in parameters
            if one.id in filled
        ]
        unsaid = tuple(one for one in rest if one.id not in inner and one.id not in logs)
        return (*slots_told, *((Slot(name="", parameter=None, items=unsaid),) if unsaid else ()))

    def _is_data(self, identifier: str, entity: Entity) -> bool:
        """Not an action or a parameter that stands where data should."""
        kinds = self.graph.kinds(identifier)
        known = entity or self.items.item(identifier).path is not None or is_elsewhere(identifier)
        return (
            bool(known)
            and identifier != self.graph.root_id
            and not (kinds & {"FormalParameter", "ControlAction", "OrganizeAction", *ACTIONS})
        )

    # -- logs -------------------------------------------------------------------------------------------------------

    def _subjects(self) -> dict[str, list[str]]:
        """The files that are about something else, by what that is."""
        found: dict[str, list[str]] = defaultdict(list)
        for identifier, entity in self.graph.of_type("File", "MediaObject", "ImageObject"):
            for one in references(entity.get("about")):
                found[self.graph.find(one)].append(identifier)
        return found

    def _logs(self, identifier: str, entity: Entity) -> Iterator[str]:
        seen = dict.fromkeys(self._about.get(identifier, ()))
        seen.update(dict.fromkeys(one for one, told in self.graph.follow(entity, "subjectOf") if told))
        yield from seen


def _outermost(items: list[Item]) -> tuple[Item, ...]:
    """Without those that are parts of another."""
    inner = {part.id for item in items for part in item.parts}
    return tuple(one for one in items if one.id not in inner)


def _command(description: str | None) -> str | None:
    """The command line, which a description of an action is to be, but for what is plainly a sentence.

    Source: Process Run Crate 0.5, "description".
    """
    if description is None or _SENTENCE.fullmatch(description[:_SEARCHED].strip()):
        return None
    match = _AT_END.search(description[-_END:])
    return (description if match is None else description[: -len(match[0])].rstrip()) or None


def _exit_code(entity: Entity, error: str | None, description: str | None, *, whole: bool) -> int | None:
    """As it is told, or in the words of a program's run: a workflow's may tell of its steps' exit codes."""
    told = number(next(iter(values(entity.get("exitCode"))), None))
    if told is not None:
        return int(told)
    for text in () if whole else (description, error):
        found = _EXIT_CODE.findall(text[-_SEARCHED:]) if text else []
        if found:
            return int(found[-1])
    return None
