"""Runs: which actions are runs of the workflow, and which were steps of which run."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from wfexs_like.reading.account import Execution, Quantity, Run, Software, StepRun
from wfexs_like.reading.executions import ACTIONS, Executions
from wfexs_like.reading.graph import Graph
from wfexs_like.reading.metadata import Entity
from wfexs_like.reading.software import Surroundings, named
from wfexs_like.reading.workflows import Workflows

DEEPEST: Final = 16
"""Steps within steps are followed so deep."""

_LATEST: Final = datetime.max.replace(tzinfo=UTC)
_NUMBERED: Final = re.compile(r"Run ([0-9]{1,9}) of ")
_SHOWN, _MOST_NAMED = 80, 5
_FACTS: Final = ("additionalProperty", "location", "hostFacts", "processorRequirements", "memoryRequirements")


class Runs:
    """Sorts the actions of a crate."""

    def __init__(
        self, graph: Graph, workflows: Workflows, executions: Executions, surroundings: Surroundings, *, ours: bool
    ) -> None:
        self.graph = graph
        self.workflows = workflows
        self.executions = executions
        self.surroundings = surroundings
        self.ours = ours
        self.actions = dict(graph.of_type(*ACTIONS))
        self._organizers: dict[str, list[str]] = defaultdict(list)
        self._unclaimed: list[str] = []
        for identifier, entity in graph.of_type("OrganizeAction"):
            for result, _ in graph.follow(entity, "result"):
                self._organizers[result].append(identifier)
            if not entity.get("result"):
                self._unclaimed.append(identifier)
        self._taken: set[str] = set()

    def runs(self) -> tuple[Run, ...]:
        """The runs, in the order in which they began: of the workflow where there is one, or each action."""
        whole = [one for one in self.actions if self._is_whole(one)]
        self._taken.update(whole)
        if len(whole) == 1:
            # Some makers don't say what came of an engine's work; of one run there is no doubt.
            self._organizers[whole[0]] += self._unclaimed
        told = [(one, self._steps(one)) for one in whole]
        rest = [one for one in self.actions if one not in self._taken]
        if told:
            rest = self._give_away(rest, told)
        found = [self._run(one, steps) for one, steps in told]
        if told and rest:
            names = ", ".join(self.graph.label(one, self.actions[one])[:_SHOWN] for one in rest[:_MOST_NAMED])
            self.graph.remarks.add(f"{len(rest)} of what was done is neither a run nor a step of one: {names}")
        elif not told:
            found += [self._run(one, []) for one in rest if self._is_run(one)]
        return tuple(sorted(found, key=lambda one: (_began(one.execution.started), one.number or 0)))

    def _is_whole(self, identifier: str) -> bool:
        """A run of the workflow: its instrument is the workflow, or an engine says that it was what came of it."""
        if self.workflows.main is None:
            return identifier in self._organizers
        instruments = [one for one, _ in self.graph.follow(self.actions[identifier], "instrument")]
        return self.workflows.main in instruments

    def _is_run(self, identifier: str) -> bool:
        """Not what only tells how the crate itself was made, or its workflow."""
        results = [one for one, _ in self.graph.follow(self.actions[identifier], "result")]
        return results not in ([self.graph.root_id], [self.workflows.main])

    def _whole(self, identifier: str) -> Execution:
        """What a run was; whoever the engine was started by started it."""
        organizers = [self.graph[one] for one in self._organizers.get(identifier, ())]
        agents = next((found for one in organizers if (found := self.surroundings.agents(one, "agent"))), ())
        return self.executions.execution(identifier, whole=self.workflows.main is not None, agents=agents)

    def _run(self, identifier: str, steps: list[StepRun]) -> Run:
        entity = self.graph[identifier]
        execution = self._whole(identifier) if self._is_whole(identifier) else self.executions.execution(identifier)
        match = _NUMBERED.match(execution.name) if self.ours else None
        organizers = [self.graph[one] for one in self._organizers.get(identifier, ())]
        return Run(
            execution=execution,
            number=int(match[1]) if match else None,
            engine=self._engine(identifier, organizers),
            steps=tuple(sorted(steps, key=lambda one: (_began(one.execution.started), _place(one)))),
            host=self._host((entity, *organizers)),
        )

    def _engine(self, identifier: str, organizers: list[Entity]) -> Software | None:
        for entity in organizers:
            for one, _ in self.graph.follow(entity, "instrument"):
                return self.surroundings.software(one)
        if self.workflows.main is None or not self._is_whole(identifier):
            return None
        for one, _ in self.graph.follow(self.graph[identifier], "executedBy"):
            return self.surroundings.software(one)
        platform = self.graph.text(self.graph[self.workflows.main], "runtimePlatform")
        if platform is None:
            return None
        name, version = named(platform, None)
        return Software(id=platform, name=name, version=version)

    def _host(self, entities: tuple[Entity, ...]) -> tuple[Quantity, ...]:
        found = {one.name: one for entity in entities for one in self.surroundings.quantities(entity, *_FACTS)}
        return tuple(found.values())

    # -- steps ------------------------------------------------------------------------------------------------------

    def _steps(self, run: str) -> list[StepRun]:
        """The steps that an engine says it ran for one run, with those of sub-workflows."""
        found: list[StepRun] = []
        pending = [(control, 0) for one in self._organizers.get(run, ()) for control in self._objects(one)]
        pending += [(one, 0) for one in self._objects(run)]
        seen: set[str] = set()
        while pending:
            control, depth = pending.pop()
            if control in seen or depth > DEEPEST:
                continue
            seen.add(control)
            for action in self._objects(control):
                if action not in self.actions:
                    pending.append((action, depth + 1))
                elif action not in self._taken:
                    self._taken.add(action)
                    found.append(self._step(action, control, run))
                    inner = [*self._organizers.get(action, ()), action]
                    pending += [(one, depth + 1) for organizer in inner for one in self._objects(organizer)]
        return found

    def _objects(self, identifier: str) -> Iterator[str]:
        """The actions that an action is about."""
        for one, _ in self.graph.follow(self.graph[identifier], "object"):
            if one in self.actions or "ControlAction" in self.graph.kinds(one):
                yield one

    def _step(self, action: str, control: str | None, run: str) -> StepRun:
        execution = self.executions.execution(action, agents=self._whole(run).agents)
        steps = self.graph.follow(self.graph[control], "instrument") if control is not None else ()
        step = next((one for one, _ in steps), None)
        if step is not None and (step in self.workflows.names or self.graph[step]):
            name = self.workflows.names.get(step) or self.graph.label(step, self.graph[step])
            return StepRun(step=name, position=self.workflows.positions.get(step), execution=execution)
        planned = self.workflows.uses.get(execution.instrument.id, []) if execution.instrument is not None else []
        if len(planned) == 1:
            return StepRun(step=planned[0].name, position=planned[0].position, execution=execution)
        name = execution.instrument.name if execution.instrument is not None else execution.name
        return StepRun(step=name, position=None, execution=execution)

    def _give_away(self, rest: list[str], told: list[tuple[str, list[StepRun]]]) -> list[str]:
        """Actions that no engine claims are steps where a tool of the workflow ran; what is left is returned."""
        left: list[str] = []
        for action in rest:
            instruments = {one for one, _ in self.graph.follow(self.graph[action], "instrument")}
            if not instruments & self.workflows.tools:
                left.append(action)
                continue
            run, steps = next((one for one in told if self._within(action, one[0])), told[0])
            if len(told) > 1:
                self.graph.remarks.add("which run a step was of is taken from its time: the crate doesn't say")
            steps.append(self._step(action, None, run))
        return left

    def _within(self, action: str, run: str) -> bool:
        """Whether an action began while a run went on."""
        began = self.executions.execution(action).started
        whole = self._whole(run)
        if began is None or whole.started is None:
            return False
        return whole.started <= began and (whole.ended is None or began <= whole.ended)


def _began(started: datetime | None) -> datetime:
    return started if started is not None else _LATEST


def _place(step: StepRun) -> int:
    return step.position if step.position is not None else 1 << 62
