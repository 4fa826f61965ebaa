"""Outputs of a workflow that doesn't say beforehand what it makes: what the stage file expects, and all else."""

from __future__ import annotations

from collections.abc import Mapping

from engines.base import FormalParameter
from engines.execution import Status
from staging.definition import ExpectedOutput
from staging.plan import Json
from wfexs_like.crate.subject import CrateSubject

_PUBLISHED = "published"


def documented_outputs(subject: CrateSubject) -> tuple[FormalParameter, ...]:
    """The outputs that are known by name: the workflow's, and for an open one those that the stage file expects."""
    stated = subject.interface.outputs
    if not subject.interface.open_outputs:
        return stated
    known = {one.name for one in stated}
    return (*stated, *(_expected(one) for one in subject.plan.outputs if one.name not in known))


def _expected(one: ExpectedOutput) -> FormalParameter:
    kind: Json = "Any" if one.kind == "Value" else one.kind
    many = one.maximum != 1
    told = "an output that whoever staged the workflow expects"
    if one.glob is not None:
        told += f": what lies at {one.glob} among the files that it publishes"
    elif one.fill_from is not None:
        told += f": what lies at the place that the parameter {one.fill_from} names"
    return FormalParameter(
        name=one.name, type={"type": "array", "items": kind} if many else kind, required=one.minimum > 0, doc=told
    )


def published_parameter(subject: CrateSubject) -> FormalParameter | None:
    """The one parameter that all other files of the runs are of, ``None`` if no run has any."""
    if not subject.interface.open_outputs:
        return None
    known = {one.name for one in documented_outputs(subject)}
    told = (one for one in subject.executions if one.status is not Status.RUNNING)
    if not any(other_outputs(one.outputs, known) for one in told):
        return None
    name = _PUBLISHED
    taken = known | {one.name for one in subject.interface.inputs}
    while name in taken:
        name += "_files"
    return FormalParameter(
        name=name,
        type={"type": "array", "items": "File"},
        required=False,
        doc="other files that the workflow publishes; which they are is known when it has run",
    )


def other_outputs(outputs: Mapping[str, Json], known: set[str]) -> dict[str, Json]:
    """The outputs that no parameter of their own has, by the path at which they were published."""
    return {path: outputs[path] for path in sorted(set(outputs) - known)}
