"""Steps: what a workflow's steps are, and each run of each of them.

A step is a HowToStep of its workflow, a ControlAction of each run, and a CreateAction for each attempt (an
ActivateAction where nothing came of it). A step that was skipped has no action; one whose work an earlier run had done
says so. Times, exit codes and quantities are those of the record: what it doesn't tell, is not told.
Source: Provenance Run Crate 0.5.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from engines.execution import Execution, Status, StepRun
from staging.plan import Json
from wfexs_like.crate.abstract import describe_abstract
from wfexs_like.crate.connections import Connections, seen_pairs
from wfexs_like.crate.diagram import describe_diagram
from wfexs_like.crate.discretion import is_of_a_secret
from wfexs_like.crate.graph import ROOT, Entity, Ref, fragment, path_id
from wfexs_like.crate.hosts import describe_engine, describe_host
from wfexs_like.crate.moments import moment
from wfexs_like.crate.needs import observe
from wfexs_like.crate.prospective import Prospective
from wfexs_like.crate.step_data import StepData
from wfexs_like.crate.step_texts import StepTexts, log_path
from wfexs_like.crate.structure import NESTED, Pair, Place, depth, executed, places, stated_pairs
from wfexs_like.crate.tools import ToolEntity, Tools, inside
from wfexs_like.crate.usage import usage
from wfexs_like.crate.values import Formal, Values, told_by_program
from wfexs_like.crate.vocabulary import COMPLETED, FAILED
from wfexs_like.flow.images import same_name


@dataclass(slots=True, kw_only=True)
class _Ran:
    """One action of a step: its times, whether the step failed for it, what it made and took by slot."""

    action: Ref
    started: str | None
    ended: str | None
    failed: bool
    made: dict[str, list[Ref]] = field(default_factory=dict)
    took: dict[str, list[Ref]] = field(default_factory=dict)


class Steps:
    """Describes the steps of the workflow ``main`` and, run by run, what became of them."""

    def __init__(self, ground: Prospective, main: Entity, executions: Sequence[Execution]) -> None:
        self.ground = ground
        self.graph = ground.graph
        self.main = main
        self.interface = ground.subject.interface
        self.places = places(self.interface, executions)
        self.tools = Tools(ground, main)
        self.stated = stated_pairs(self.interface, self.places)
        self._nested = any(one.parent is not None for one in self.places.values())
        self._seen: dict[Pair, None] = {}
        self._steps: dict[str, Entity] = {}
        self._texts = StepTexts(ground)

    # -- the workflow ----------------------------------------------------------------------------------------------

    def _owner(self, place: Place) -> Entity | None:
        """The workflow that a step is in; ``None`` for a sub-workflow of which nothing ran."""
        if place.parent is None:
            return self.main
        tool = self.tools.of(self.places[place.parent].tool)
        return tool.entity if tool.ran else None

    def _step(self, path: str) -> Entity | None:
        """The HowToStep at a path: one for all uses of the workflow that it is in."""
        place = self.places[path]
        owner = self._owner(place)
        if path not in self._steps and owner is not None:
            parent = self.ground.plan.workflow.process if place.parent is None else None
            name = f"{parent}/{place.name}" if parent else place.name
            step_id = inside(owner.id, quote(name, safe="/~"))
            if step_id in self.graph and "HowToStep" not in self.graph[step_id].types:
                step_id = inside(owner.id, f"step/{quote(name, safe='/~')}")
            if step_id not in self.graph:
                entity = self.graph.add(step_id, "HowToStep", name=place.name, position=place.position)
                tool = self.tools.of(place.tool)
                entity.set("workExample", Ref(tool.entity.id))
                entity.add("buildInstructions", self.tools.recipe(tool, place.tool))
                entity.add("description", self.ground.words(place.about))
            owner.types["HowTo"] = None
            owner.add("step", Ref(step_id))
            self._steps[path] = self.graph[step_id]
        return self._steps.get(path)

    def settle(self) -> None:
        """Tell what no run needed to be told: steps that none came to, parameters, connections, and the parts."""
        for path in self.places:
            self._step(path)
        connections = Connections(self.ground, self.main, self.tools, self.places, self._step)
        pairs = (*self.stated, *sorted(self._seen, key=str))
        for pair in pairs:
            connections.connect(pair)
        describe_diagram(self.ground, self.main, self.places, pairs)
        describe_abstract(self.ground, self.main, self.places, pairs)
        self.tools.settle()
        self._parts()

    def _parts(self) -> None:
        """A workflow has those tools as parts that ran; its other documents say what they are parts of."""
        before = [str(one) for _, one in self.main.properties.get("hasPart", {})]
        self.main.set("hasPart")
        for place in sorted(self.places.values(), key=lambda one: one.position):
            tool, owner = self.tools.of(place.tool), self._owner(place)
            if owner is not None and tool.ran:
                owner.add("hasPart", Ref(tool.entity.id))
            elif tool.entity.id not in before:
                before.append(tool.entity.id)
        ran = {one.entity.id for one in self.tools.entities.values() if one.ran}
        for one in before:
            if one not in ran:
                self.graph[one].add("isPartOf", Ref(self.main.id))

    # -- runs ------------------------------------------------------------------------------------------------------

    def run(self, execution: Execution, action: Entity, published: str | None) -> None:
        """The steps of one run, whose own ``action`` has been described."""
        if not self.stated:
            self._seen |= dict.fromkeys(seen_pairs(self.ground, execution, published))
        data = StepData(self.ground, execution.run)
        values = Values(self.graph, data, self.ground.discretion)
        groups: dict[str, list[_Ran]] = defaultdict(list)
        for step in executed(execution):
            groups[step.step].append(self._attempt(execution, step, action, data, values))
        self._sub_workflows(execution, action, groups)
        if not groups:
            return
        organize = self.graph.add(fragment("organize", execution.uuid), "OrganizeAction")
        organize.set("name", f"{execution.engine} {execution.engine_version} in run {execution.run}")
        organize.set("instrument", Ref(self.ground.engine.id)).set("result", Ref(action.id))
        for name in ("agent", "startTime", "endTime", "actionStatus", "error"):
            organize.add(name, *(one for _, one in action.properties.get(name, {})))
        describe_host(self.graph, self.ground.discretion, execution.host, organize)
        describe_engine(self.ground.discretion, execution, self.ground.engine)
        for path in sorted(groups, key=lambda one: (self.places[one].position, one)):
            organize.add("object", self._control(execution, path, groups[path]))
        self.graph.add(ROOT).add("mentions", Ref(organize.id))

    def _control(self, execution: Execution, path: str, group: list[_Ran]) -> Ref:
        """The engine's care for one step: all that was run for it."""
        step = self._step(path)
        assert step is not None
        control = self.graph.add(fragment("control", execution.uuid, path), "ControlAction")
        control.set("name", f"step {path.rstrip(NESTED)} in run {execution.run}")
        control.set("instrument", Ref(step.id)).add("object", *(one.action for one in group))
        _span(control, group)
        failed = sum(one.failed for one in group)
        control.set("actionStatus", FAILED if failed else COMPLETED)
        if failed:
            control.set(
                "error", f"{failed} of {len(group)} did not end well" if len(group) > 1 else "it did not end well"
            )
        return Ref(control.id)

    def _attempt(self, execution: Execution, step: StepRun, run: Entity, data: StepData, values: Values) -> _Ran:
        """One attempt at a step."""
        tool = self.tools.run(self.places[step.step].tool)
        # A step's own word for a tool is the same as its place's, but for a language that lets a run choose.
        took = self._slots(tool, "input", step.inputs, data, values)
        made = self._slots(tool, "output", step.outputs, data, values)
        action = self.graph.add(_identity(execution, step.id), "CreateAction")
        action.set("name", self._texts.name(execution, step))
        action.set("description", self._texts.description(execution, step))
        action.set("instrument", Ref(tool.entity.id))
        if not self.ground.secretive:
            # What is set aside, and what is read, may be as large as what must not be told.
            observe(tool.entity, tool.known, step.allotted)
        action.add("agent", *(one for _, one in run.properties["agent"]))
        action.add("startTime", moment(step.started)).add("endTime", moment(step.ended))
        action.add("object", *(one for refs in took.values() for one in refs))
        action.add("result", *(one for refs in made.values() for one in refs))
        action.add("containerImage", *self._images(execution, step))
        action.add("resourceUsage", *usage(self.graph, step.resources, secretive=self.ground.secretive))
        if not self.ground.secretive:
            action.add("environment", *(self._variable(name, text) for name, text in step.environment.items()))
        completed = step.status is Status.COMPLETED
        action.set("actionStatus", COMPLETED if completed else FAILED)
        action.add("error", None if completed else self._texts.error(execution, step))
        logs = self._logs(action, execution, step)
        if not action.has("result"):
            # What a program without outputs leaves behind is what it wrote.
            action.add("result", *logs[:1])
        if not action.has("result"):
            action.types = {"ActivateAction": None}
        self.graph.add(ROOT).add("mentions", Ref(action.id))
        bad = step.status in (Status.FAILED, Status.KILLED) and step.after not in ("retry", "ignore")
        # What crosses the border of a sub-workflow is asked of all steps where no text says it.
        inner = self.places[step.step].parent is not None or (not self.stated and self._nested)
        return _Ran(
            action=Ref(action.id),
            started=step.started,
            ended=step.ended,
            failed=bad,
            made=made if inner else {},
            took=took if inner else {},
        )

    def _slots(
        self, tool: ToolEntity, side: str, tree: Mapping[str, Json], data: StepData, values: Values
    ) -> dict[str, list[Ref]]:
        """What a step took or made, by slot."""
        found: dict[str, list[Ref]] = {}
        for slot, value in tree.items():
            if value is None:
                continue
            formal = self.tools.formal(tool, side, slot, value)
            if self.ground.secretive:
                found[slot] = self._guarded(slot, value, formal, data, values)
                continue
            refs, _ = values.describe(slot, told_by_program(value, self.ground.discretion), formal, data.locate)
            refs += [inner for one in refs for inner in values.files_of(one)]
            found[slot] = list(dict.fromkeys(refs))
        return found

    def _guarded(self, slot: str, value: Json, formal: Formal, data: StepData, values: Values) -> list[Ref]:
        """Where something must not be told, only what the workflow's own inputs and outputs tell anyway."""
        refs: list[Ref] = []
        for one in value if isinstance(value, list | tuple) else [value]:
            known = None
            if isinstance(one, Mapping) and one.get("class") in ("File", "Directory") and "secondaryFiles" not in one:
                known = data.known(data.locate(slot, one))
            if known is None or known.startswith("#undisclosed/"):
                return values.undisclosed(slot, formal)[0]
            refs.append(known)
        for ref in refs:
            formal.observed.add(next(iter(self.graph[ref].types)))
            formal.entity.add("workExample", ref)
            self.graph[ref].add("exampleOfWork", Ref(formal.entity.id))
        return refs or values.undisclosed(slot, formal)[0]

    # -- what else is known of an attempt -----------------------------------------------------------------------------

    def _logs(self, action: Entity, execution: Execution, step: StepRun) -> list[Ref]:
        """The step's logs that are in the crate, which say whose they are."""
        refs = []
        for stream in ("stderr", "stdout"):
            log = path_id(f"{log_path(execution, step)}.{stream}")
            if log in self.graph:
                self.graph[log].add("about", Ref(action.id))
                refs.append(Ref(log))
        return refs

    def _variable(self, name: str, text: str) -> Ref:
        shown = "not disclosed" if is_of_a_secret(name) else self.ground.discretion.log(text)
        mark = hashlib.sha256(shown.encode()).hexdigest()[:16]
        return Ref(self.graph.add(fragment("variable", name, mark), "PropertyValue", name=name, value=shown).id)

    def _images(self, execution: Execution, step: StepRun) -> list[Ref]:
        """The image that the step ran in, where it ran in one; that of an earlier run for work that was done then."""
        if execution.runtime is None or step.container is None:
            return []
        wanted = same_name(step.container)
        used = [one for one in execution.images if one.started or step.cached]
        found = [one for one in used if same_name(one.name) == wanted]
        return self.ground.images.used(found or [one for one in used if one.digest in wanted or one.id in wanted])

    # -- sub-workflows ---------------------------------------------------------------------------------------------

    def _sub_workflows(self, execution: Execution, run: Entity, groups: dict[str, list[_Ran]]) -> None:
        """An action for each sub-workflow of which a step ran, the innermost first.

        The record tells only of steps: a sub-workflow lasts from the first of its steps to the last, and the members of
        a scattered one are told as one.
        """
        parents: set[str] = set()
        for path in groups:
            parent = self.places[path].parent
            while parent is not None:
                parents.add(parent)
                parent = self.places[parent].parent
        for path in sorted(parents, key=lambda one: (-depth(one, self.places), one)):
            inner = {one: rans for one, rans in groups.items() if self.places[one].parent == path}
            groups[path].append(self._sub_workflow(execution, run, path, inner, groups))

    def _sub_workflow(
        self,
        execution: Execution,
        run: Entity,
        path: str,
        inner: Mapping[str, list[_Ran]],
        groups: Mapping[str, list[_Ran]],
    ) -> _Ran:
        tool = self.tools.run(self.places[path].tool)
        rans = [one for group in inner.values() for one in group]
        action = self.graph.add(_identity(execution, f"{path}/"), "CreateAction")
        action.set("name", f"sub-workflow {path.rstrip(NESTED)} in run {execution.run}").set(
            "instrument", Ref(tool.entity.id)
        )
        action.set("description", "Its times are from the first of its steps to the last; all its members are in here.")
        action.add("agent", *(one for _, one in run.properties["agent"]))
        made, took = self._passed(path, inner) if self.stated else self._crossed(path, inner, groups, run)
        for side, slots in (("output", made), ("input", took)):
            for slot, refs in slots.items():
                formal = self.tools.declared(tool, side, slot)
                for ref in refs if formal is not None else ():
                    assert formal is not None
                    formal.observed.add(next(iter(self.graph[ref].types)))
                    formal.entity.add("workExample", ref)
                    self.graph[ref].add("exampleOfWork", Ref(formal.entity.id))
        action.add("object", *(one for refs in took.values() for one in refs))
        action.add("result", *(one for refs in made.values() for one in refs))
        if not action.has("result"):
            action.types = {"ActivateAction": None}
        _span(action, rans)
        failed = any(one.failed for one in rans)
        action.set("actionStatus", FAILED if failed else COMPLETED)
        if failed:
            action.set("error", "one of its steps did not end well")
        self.graph.add(ROOT).add("mentions", Ref(action.id))
        started = [one.started for one in rans if one.started]
        ended = [one.ended for one in rans if one.ended]
        return _Ran(
            action=Ref(action.id),
            started=min(started, default=None),
            ended=max(ended) if len(ended) == len(rans) else None,
            failed=failed,
            made=made,
            took=took,
        )

    def _passed(self, path: str, inner: Mapping[str, list[_Ran]]) -> tuple[dict[str, list[Ref]], dict[str, list[Ref]]]:
        """What a sub-workflow handed on, by the connections in it, and the files that came to it from outside."""
        made: dict[str, list[Ref]] = defaultdict(list)
        took: dict[str, list[Ref]] = defaultdict(list)
        own = {ref for rans in inner.values() for ran in rans for refs in ran.made.values() for ref in refs}
        for (source, slot), (target, name) in self.stated:
            if target == path and source is not None and source in inner:
                made[name] += [ref for ran in inner[source] for ref in ran.made.get(slot, ())]
            elif source == path and target is not None and target in inner:
                refs = [ref for ran in inner[target] for ref in ran.took.get(name, ())]
                took[slot] += [ref for ref in refs if ref not in own and self._is_data(ref)]
        return made, took

    def _crossed(
        self, path: str, inner: Mapping[str, list[_Ran]], groups: Mapping[str, list[_Ran]], run: Entity
    ) -> tuple[dict[str, list[Ref]], dict[str, list[Ref]]]:
        """The same where no text says it: what came from outside, and what others took or the workflow handed out."""
        made = {ref: None for rans in inner.values() for ran in rans for refs in ran.made.values() for ref in refs}
        took = {ref: None for rans in inner.values() for ran in rans for refs in ran.took.values() for ref in refs}
        elsewhere = {
            ref
            for other, rans in groups.items()
            if not other.startswith(path)
            for ran in rans
            for refs in ran.took.values()
            for ref in refs
        }
        elsewhere |= {Ref(str(one)) for _, one in run.properties.get("result", {})}
        handed = [ref for ref in made if ref in elsewhere]
        return {"": handed or list(made)}, {"": [ref for ref in took if ref not in made and self._is_data(ref)]}

    def _is_data(self, ref: Ref) -> bool:
        return bool(self.graph[ref].types.keys() & {"File", "Dataset", "Collection"})


def _span(action: Entity, rans: Iterable[_Ran]) -> None:
    """From the first start to the last end; no end where one isn't known."""
    rans = list(rans)
    started = [one.started for one in rans if one.started]
    ended = [one.ended for one in rans if one.ended]
    action.add("startTime", moment(min(started, default=None)))
    if ended and len(ended) == len(rans):
        action.add("endTime", moment(max(ended)))


def _identity(execution: Execution, step: str) -> str:
    """A UUID of the kind that the profile wants, the same each time."""
    digest = hashlib.sha256(f"{execution.uuid}\n{step}".encode()).digest()
    return f"#{uuid.UUID(bytes=digest[:16], version=4)}"
