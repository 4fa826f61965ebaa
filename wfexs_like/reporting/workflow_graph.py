"""The workflow as nodes and arrows: by what it plans, or, where it doesn't say, by what its steps took and made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from wfexs_like.reading.account import Account, Item, Run, Slot, Software, Workflow

MOST = 60
"""So many nodes are drawn of steps."""
_ENDS = 12
"""So many nodes are drawn of inputs, and of outputs."""

NodeKind = Literal["input", "step", "output"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """``note`` is what runs in it; ``count`` how often it was executed in the run that is told of, 0 if unknown."""

    key: str
    label: str
    kind: NodeKind
    note: str = ""
    count: int = 0
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowGraph:
    """``folded`` says what was put together or left out, in a sentence; empty where all is there."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...]
    folded: str = ""


def graph_of(account: Account) -> WorkflowGraph:
    """What can be drawn; without nodes where nothing of steps is told."""
    run = next((one for one in reversed(account.runs) if one.steps), None)
    workflow = account.workflow
    seen = _observed(run) if run is not None else _Edges()
    planned = _planned(workflow, seen) if workflow is not None else None
    if planned is not None:
        nodes, edges = planned
        if not any(a.startswith("s:") and b.startswith("s:") for a, b in edges):
            edges = [*edges, *seen.all()]
    elif run is not None:
        nodes, edges = {one.step: _tool(one.step, one.execution.instrument) for one in run.steps}, seen.all()
    else:
        return WorkflowGraph(nodes=(), edges=())
    if not nodes:
        return WorkflowGraph(nodes=(), edges=())
    counts: dict[str, int] = defaultdict(int)
    failed: dict[str, bool] = defaultdict(bool)
    for one in run.steps if run is not None else ():
        counts[one.step] += 1
        failed[one.step] = one.execution.status == "failed"
    steps = [
        Node(key=_step(name), label=name, kind="step", note=note, count=counts[name], failed=failed[name])
        for name, note in nodes.items()
    ]
    return _folded(steps, _known(edges, {one.key for one in steps}))


def _step(name: str) -> str:
    return f"s:{name}"


def _tool(step: str, software: Software | None) -> str:
    """What runs in the step, where that is called otherwise, and its version where that isn't a mere digest."""
    if software is None or software.name == step.rsplit("/", 1)[-1]:
        return ""
    number = software.version or ""
    return software.name if not number or ":" in number or number in software.name else f"{software.name} {number}"


def _known(edges: Iterable[tuple[str, str]], steps: set[str]) -> list[tuple[str, str]]:
    """Those between steps and ends, each once; an end is a start (``i:``) or a result (``o:``)."""
    return [
        (a, b)
        for a, b in dict.fromkeys(edges)
        if (a in steps or a.startswith("i:")) and (b in steps or b.startswith("o:")) and a != b
    ]


# -- as it was planned ------------------------------------------------------------------------------------------------


def _planned(workflow: Workflow, seen: _Edges) -> tuple[dict[str, str], list[tuple[str, str]]] | None:
    """The steps that aren't sub-workflows, with their tools, and the arrows by way of sub-workflows' parameters."""
    names = [one.name for one in workflow.steps]
    if not names:
        return None
    inner = {name.rsplit("/", 1)[0] for name in names if "/" in name}
    leaves = [one for one in workflow.steps if one.name not in inner]
    takes: dict[str, list[str]] = defaultdict(list)
    makes: dict[str, list[str]] = defaultdict(list)
    for one in leaves:
        for parameter in one.tool.inputs if one.tool is not None else ():
            takes[parameter.id].append(_step(one.name))
        for parameter in one.tool.outputs if one.tool is not None else ():
            makes[parameter.id].append(_step(one.name))
    for parameter in workflow.software.inputs:
        makes[parameter.id].append(f"i:{parameter.name}")
    for parameter in workflow.software.outputs:
        takes[parameter.id].append(f"o:{parameter.name}")
    onward: dict[str, list[str]] = defaultdict(list)
    for link in workflow.connections:
        onward[link.source].append(link.target)
    edges = []
    for source, makers in makes.items():
        for target in _reached(source, onward, takes):
            between = [(a, b) for a in makers for b in takes[target]]
            # A tool of several steps has the same parameters in each: what happened tells which was meant.
            happened = [one for one in between if one in seen.steps]
            edges += happened if len(between) > 1 and happened else between
    return {one.name: _tool(one.name, one.tool) for one in leaves}, edges


def _reached(source: str, onward: Mapping[str, Sequence[str]], takes: Mapping[str, Sequence[str]]) -> list[str]:
    """The parameters of steps and results that a value gets to, through those of sub-workflows."""
    found, ready, been = [], [source], {source}
    for one in ready:
        for target in onward.get(one, ()):
            if target in been:
                continue
            been.add(target)
            if target in takes:
                found.append(target)
            else:
                ready.append(target)
    return found


# -- as it happened ---------------------------------------------------------------------------------------------------


class _Edges:
    """What one run's executions gave to each other."""

    def __init__(self) -> None:
        self.steps: dict[tuple[str, str], None] = {}
        self.ends: dict[tuple[str, str], None] = {}

    def all(self) -> list[tuple[str, str]]:
        """Arrows between steps, then those from inputs and to outputs."""
        return [*self.steps, *self.ends]


def _observed(run: Run) -> _Edges:
    made: dict[str, str] = {}
    for one in run.steps:
        for item in _items(one.execution.outputs):
            made.setdefault(item.id, _step(one.step))
    given = {item.id: f"i:{slot.name}" for slot in run.execution.inputs for item in _items((slot,))}
    edges = _Edges()
    for one in run.steps:
        step = _step(one.step)
        for item in _items(one.execution.inputs):
            source = made.get(item.id)
            if source is not None and source != step:
                edges.steps[source, step] = None
            elif source is None and item.id in given and item.kind != "value":
                edges.ends[given[item.id], step] = None
    for slot in run.execution.outputs:
        for item in _items((slot,)):
            if item.id in made:
                edges.ends[made[item.id], f"o:{slot.name}"] = None
    return edges


def _items(slots: Iterable[Slot]) -> Iterable[Item]:
    ready = [item for slot in slots for item in slot.items]
    for item in ready:
        yield item
        ready += item.parts


# -- few enough to be seen --------------------------------------------------------------------------------------------


def _folded(steps: list[Node], edges: list[tuple[str, str]]) -> WorkflowGraph:
    told = ""
    total = len(steps)
    if total > MOST:
        by_place = _merged(steps, edges, lambda node: node.label.split("/", 1)[0])
        by_tool = _merged(steps, edges, lambda node: node.note or node.label)
        steps, edges = by_tool if len(by_place[0]) > MOST and 1 < len(by_tool[0]) <= MOST else by_place
        how = "by the tool that they run" if steps is by_tool[0] else "by the sub-workflow that they are in"
        told = f"{total:,} steps are drawn as {len(steps):,}, {how}." if len(steps) < total else ""
    if len(steps) > MOST:
        told = f"{told} Of these, the first {MOST} are shown." if told else f"Of {total:,} steps {MOST} are drawn."
        steps = steps[:MOST]
        edges = _known(edges, {one.key for one in steps})
    ends, edges = _ends(edges)
    return WorkflowGraph(nodes=(*ends, *steps), edges=tuple(edges), folded=told)


def _merged(
    steps: Sequence[Node], edges: Sequence[tuple[str, str]], name: Callable[[Node], str]
) -> tuple[list[Node], list[tuple[str, str]]]:
    """The nodes with one name as one, and the arrows between those."""
    members: dict[str, list[Node]] = defaultdict(list)
    for one in steps:
        members[name(one)].append(one)
    merged = []
    now: dict[str, str] = {}
    for label, several in members.items():
        first = several[0]
        if len(several) > 1:
            first = Node(
                key=f"s:{label}",
                label=label,
                kind="step",
                note=f"{len(several):,} steps",
                count=sum(one.count for one in several),
                failed=any(one.failed for one in several),
            )
        now.update((one.key, first.key) for one in several)
        merged.append(first)
    return merged, _known(((now.get(a, a), now.get(b, b)) for a, b in edges), {one.key for one in merged})


def _ends(edges: Sequence[tuple[str, str]]) -> tuple[list[Node], list[tuple[str, str]]]:
    """Inputs and outputs that an arrow leads from or to; all as one where they are many."""
    inputs = list(dict.fromkeys(a for a, _ in edges if a.startswith("i:")))
    outputs = list(dict.fromkeys(b for _, b in edges if b.startswith("o:")))
    nodes: list[Node] = []
    now: dict[str, str] = {}
    sides: tuple[tuple[NodeKind, list[str]], ...] = (("input", inputs), ("output", outputs))
    for kind, keys in sides:
        if len(keys) > _ENDS:
            whole = f"{kind[0]}:"
            now.update(dict.fromkeys(keys, whole))
            nodes.append(Node(key=whole, label=f"{len(keys):,} {kind}s", kind=kind))
        else:
            nodes += [Node(key=key, label=key[2:], kind=kind) for key in keys]
    return nodes, list(dict.fromkeys((now.get(a, a), now.get(b, b)) for a, b in edges))
