"""The structure of a workflow as its runs and its inspection tell it: which steps there are, and what flows where.

Pure. A language whose inspection tells no steps (Nextflow) has those that its runs had, in the order in which files
went from one to the next. There a step's own name tells the workflows that it is in: ``ALIGN:INDEX:BUILD`` is the
process BUILD in the workflow INDEX, which the workflow ALIGN calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from engines.base import WorkflowInterface
from engines.execution import Execution, Status, StepRun
from staging.plan import Json

NESTED = ":"
"""What Nextflow has between the names of workflows and of a process; a path and a tool that end in it are workflows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A step's place in the workflow. ``path`` is that of step names, ``name`` its last part.

    ``parent`` is the path of the step whose sub-workflow it is in (``None``: it is in the main workflow), ``tool`` the
    process it runs, ``position`` its topological place.
    """

    path: str
    name: str
    tool: str
    position: int
    parent: str | None = None
    about: str | None = None


def executed(execution: Execution) -> list[StepRun]:
    """The attempts at steps that were begun, in order; what was skipped isn't among them."""
    return [one for one in execution.steps if one.status not in (Status.SKIPPED, Status.RUNNING)]


def has_steps(executions: Iterable[Execution]) -> bool:
    """Whether any run that is over tells of a step."""
    return any(executed(one) for one in executions if one.status is not Status.RUNNING)


def places(interface: WorkflowInterface, executions: Sequence[Execution]) -> dict[str, Place]:
    """Every step by its path: those of the workflow's text, then those that only runs tell of."""
    found: dict[str, Place] = {}
    declared = {one.name for one in interface.steps}
    for step in sorted(interface.steps, key=lambda one: one.position):
        parent, _, name = step.name.rpartition("/")
        inside = parent if parent in declared else None
        found[step.name] = Place(
            path=step.name,
            name=name if inside else step.name,
            tool=step.tool,
            position=step.position,
            parent=inside,
            about=step.label or step.doc,
        )
    heard: dict[str, str] = {}
    for execution in executions:
        for one in executed(execution):
            if one.step not in found:
                heard.setdefault(one.step, one.tool or one.step)
    order = ordered(heard, {(source[0], target[0]) for one in executions for source, target in flows(one)})
    for path in order:
        around = _around(path, found) if interface.language == "nextflow" else None
        last = path.rpartition(NESTED)[2] if around is not None else path
        found[path] = Place(path=path, name=last, tool=heard[path], position=len(found), parent=around)
    return found


def _around(path: str, found: dict[str, Place]) -> str | None:
    """The workflow that a Nextflow process is called in, with those around it; ``None`` for the main one."""
    outer: str | None = None
    names = path.split(NESTED)[:-1]
    for depth, name in enumerate(names, start=1):
        inner = NESTED.join(names[:depth]) + NESTED
        if inner not in found:
            found[inner] = Place(path=inner, name=name, tool=f"{name}{NESTED}", position=len(found), parent=outer)
        outer = inner
    return outer


def depth(path: str, found: Mapping[str, Place]) -> int:
    """How many workflows a step is in, below the main one."""
    count = 0
    parent = found[path].parent
    while parent is not None:
        count, parent = count + 1, found[parent].parent
    return count


def ordered(names: Iterable[str], needs: Iterable[tuple[str, str]]) -> list[str]:
    """The names so that each comes after what it needs, otherwise as they came; ``needs`` are (before, after) pairs.

    Where things need each other in a circle, as in a workflow that goes round, they stay as they came.
    """
    waiting = list(dict.fromkeys(names))
    known = set(waiting)
    before: dict[str, set[str]] = {name: set() for name in waiting}
    for first, second in needs:
        if first in known and second in known and first != second:
            before[second].add(first)
    done: dict[str, None] = {}
    while waiting:
        free = next((name for name in waiting if before[name] <= done.keys()), waiting[0])
        waiting.remove(free)
        done[free] = None
    return list(done)


Slot = tuple[str, str]
"""A step's path, and the name of one of its inputs or outputs."""


def flows(execution: Execution) -> set[tuple[Slot, Slot]]:
    """Which outputs of steps were inputs of others, as (output, input): by the very file or folder."""
    made: dict[str, Slot] = {}
    steps = executed(execution)
    for step in steps:
        for slot, value in step.outputs.items():
            for place in places_in(value):
                made.setdefault(place, (step.step, slot))
    found = set()
    for step in steps:
        for slot, value in step.inputs.items():
            for place in places_in(value):
                source = made.get(place)
                if source is not None and source[0] != step.step:
                    found.add((source, (step.step, slot)))
    return found


def places_in(value: Json) -> Iterator[str]:
    """Where each file and folder in a value is, or was; secondary files have no say of their own."""
    if isinstance(value, Mapping):
        if value.get("class") in ("File", "Directory"):
            place = place_of(value)
            if place is not None:
                yield place
            return
        for one in value.values():
            yield from places_in(one)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for one in value:
            yield from places_in(one)


def place_of(value: Mapping[str, Json]) -> str | None:
    """Where a file or folder of a step is, or was while the run lasted."""
    for key in ("path", "transient", "location"):
        if isinstance(stated := value.get(key), str) and stated:
            return stated
    return None


End = tuple[str | None, str]
"""A parameter: the path of its step (``None``: the workflow itself) and its name."""
Pair = tuple[End, End]


def stated_pairs(interface: WorkflowInterface, places: Mapping[str, Place]) -> list[Pair]:
    """What the workflow's text says, as (source, target); a tool alone takes and makes what its workflow does."""
    pairs = [(_end(source), _end(target)) for source, target in interface.connections]
    if not interface.steps and interface.language == "cwl":
        for path in places:
            pairs += [((None, one.name), (path, one.name)) for one in interface.inputs]
            pairs += [((path, one.name), (None, one.name)) for one in interface.outputs]
    return list(dict.fromkeys(pairs))


def _end(text: str) -> End:
    path, _, name = text.rpartition("/")
    return path or None, name
