"""Missing: what a reader would look for and isn't told, and what is told and isn't there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from wfexs_like.reading.account import Account, Execution
from wfexs_like.reading.contents import Contents
from wfexs_like.reading.graph import Graph
from wfexs_like.reading.metadata import is_elsewhere, values

NAMED: Final = 20
"""So many files or references of a kind are named one by one; then only how many more there are is told."""
_LONGEST: Final = 300


def missing(account: Account, graph: Graph, contents: Contents | None) -> tuple[str, ...]:
    """One sentence for each; ``contents`` are the crate's files, where they are at hand."""
    found = [*_of_root(graph), *_of_crate(account), *_of_workflow(account), *_of_runs(account), *_of_data(account)]
    if contents is not None:
        absent = [one.path or one.id for one in account.data if one.path is not None and not one.present]
        found += _each(absent, "{} is not in the crate", "files or folders that are not in the crate")
    found += _each(_dangling(graph), "{}, of which nothing is said", "references to what nothing is said of")
    return tuple(found)


def _of_root(graph: Graph) -> Iterator[str]:
    if not graph.root:
        yield "nothing is said of the crate itself: its metadata describe no root data entity"


def _of_crate(account: Account) -> Iterator[str]:
    if account.name is None:
        yield "the crate has no name"
    if account.published is None:
        yield "it isn't told when the crate was made"
    if account.licence is None:
        yield "no licence is told"
    if not account.people and not any(one.execution.agents for one in account.runs):
        yield "nobody is named: neither who made the crate nor who ran anything"
    if not account.profiles:
        yield "the crate doesn't say which profile it conforms to"


def _of_workflow(account: Account) -> Iterator[str]:
    workflow = account.workflow
    if workflow is None:
        yield "there is no workflow"
        return
    if workflow.language is None:
        yield "it isn't told which language the workflow is written in"
    if workflow.source is None and workflow.software.version is None:
        yield "neither the workflow's version nor where it was had is told"
    if not workflow.software.inputs and not workflow.software.outputs:
        yield "the workflow's parameters aren't told"
    if not workflow.steps:
        yield "the workflow's steps aren't told"
    elif not workflow.connections:
        yield "how the workflow's steps are connected isn't told"


def _of_runs(account: Account) -> Iterator[str]:
    if not account.runs:
        yield "nothing is told of a run"
        return
    runs = [one.execution for one in account.runs]
    steps = [one.execution for run in account.runs for one in run.steps]
    for noun, executions in (("run", runs), ("step", steps)):
        yield from _times(noun, executions)
        yield from _some(noun, executions, [one.status == "unknown" for one in executions], "a status")
    yield from _some("run", runs, [not one.agents for one in runs], "who started it")
    if account.workflow is not None:
        if not any(one.engine for one in account.runs):
            yield "the engine isn't told"
        elif not all(one.engine.version for one in account.runs if one.engine):
            yield "the engine's version isn't told"
        if not steps:
            yield "no step of a run is told"
    if not any(one.images for one in (*runs, *steps)):
        yield "no container image is told of what ran"
    elif any(image.sha256 is None for one in (*runs, *steps) for image in one.images):
        yield "container images are told without a digest"
    if not any(one.host for one in account.runs):
        yield "nothing is told of the machine"
    if not any(one.resources for one in (*runs, *steps)):
        yield "what was used of time and memory isn't told"
    yield from _some("run", runs, [not one.outputs for one in runs], "what it made")
    yield from _some("run", runs, [not one.inputs for one in runs], "what it took")


def _times(noun: str, executions: Sequence[Execution]) -> Iterator[str]:
    yield from _some(noun, executions, [one.started is None for one in executions], "when it began")
    yield from _some(noun, executions, [one.ended is None for one in executions], "when it ended")


def _some(noun: str, executions: Sequence[Execution], lacks: Sequence[bool], what: str) -> Iterator[str]:
    number, total = sum(lacks), len(executions)
    if number and number == total:
        yield f"no {noun} tells {what}"
    elif number:
        yield f"{number} of {total} {noun}s {'does' if number == 1 else 'do'} not tell {what}"


def _of_data(account: Account) -> Iterator[str]:
    files = [one for one in account.data if one.kind == "file"]
    bare = sum(not one.digests for one in files)
    if files and bare:
        some = f"{bare} of {len(files)} files {'has' if bare == 1 else 'have'} no digest"
        yield "no file has a digest" if bare == len(files) else some
    unsized = sum(one.size is None for one in files)
    if files and unsized:
        some = f"{unsized} of {len(files)} files {'has' if unsized == 1 else 'have'} no size"
        yield "no file has a size" if unsized == len(files) else some


def _each(found: Iterable[str], sentence: str, many: str) -> Iterator[str]:
    count = 0
    for one in found:
        count += 1
        if count <= NAMED:
            yield sentence.format(one if len(one) <= _LONGEST else f"{one[:_LONGEST]}…")
    if count > NAMED:
        yield f"and {count - NAMED} more {many}"


def _dangling(graph: Graph) -> Iterator[str]:
    """References to what lies in the crate or its metadata and isn't described; what lies elsewhere needs no word."""
    seen: set[str] = set()
    for identifier, entity in graph.entities.items():
        for name, told in entity.items():
            if type(told) is str or name.startswith("@"):
                continue
            for one in values(told):
                target = one.get("@id") if isinstance(one, dict) else None
                if not isinstance(target, str) or target in graph.entities or target in seen:
                    continue
                if not target.startswith("_:") and is_elsewhere(target):
                    continue
                seen.add(target)
                if graph.find(target) not in graph.entities:
                    yield f"{identifier[:_LONGEST]} refers as {name[:_LONGEST]} to {target[:_LONGEST]}"
