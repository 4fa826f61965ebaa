"""Grouping: the executions of a run's steps, told apart where they are few and put together where they are many."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from wfexs_like.reading.account import StepRun

_ATTEMPT = re.compile(r"attempt (\d{1,4})\b", re.IGNORECASE)
_LONGEST = 1000
_OF_RUN = re.compile(r" in run \d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One execution with a name that no other of its run has; ``attempt`` counts from 1."""

    label: str
    attempt: int
    run: StepRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All executions of one step."""

    step: str
    runs: tuple[StepRun, ...]

    @property
    def failed(self) -> int:
        """How many of them failed."""
        return sum(one.execution.status == "failed" for one in self.runs)

    @property
    def seconds(self) -> float | None:
        """How long they took, one after the other."""
        known = [one.execution.seconds for one in self.runs if one.execution.seconds is not None]
        return sum(known) if known else None


def groups(steps: Sequence[StepRun]) -> tuple[Group, ...]:
    """By step, in the order in which they began."""
    found: dict[str, list[StepRun]] = defaultdict(list)
    for one in steps:
        found[one.step].append(one)
    return tuple(Group(step=step, runs=tuple(runs)) for step, runs in found.items())


def named(steps: Sequence[StepRun]) -> tuple[Named, ...]:
    """Each with a label: the step's name, the member of a scatter where it was executed more than once, the attempt."""
    members: dict[str, dict[str, list[tuple[StepRun, int]]]] = defaultdict(lambda: defaultdict(list))
    for one in steps:
        inputs = "\n".join(sorted(item.id for slot in one.execution.inputs for item in slot.items))
        told = _ATTEMPT.search(one.execution.name[:_LONGEST])
        # Without a word on attempts and without inputs, each is taken for a member of its own.
        member = _own_name(one) if told else inputs or str(len(members[one.step]))
        tries = members[one.step][member]
        tries.append((one, int(told.group(1)) if told else len(tries) + 1))
    labels: dict[int, Named] = {}
    for step, each in members.items():
        for number, tries in enumerate(each.values(), start=1):
            label = step if len(each) == 1 else _member(step, _own_name(tries[0][0]), number)
            for one, attempt in tries:
                again = f", attempt {attempt}" if len(tries) > 1 or attempt > 1 else ""
                labels[id(one)] = Named(label=f"{label}{again}", attempt=attempt, run=one)
    return tuple(labels[id(one)] for one in steps)


def _own_name(one: StepRun) -> str:
    """The execution's name without the run and the attempt."""
    return _OF_RUN.sub("", one.execution.name[:_LONGEST]).partition(", attempt ")[0].strip()


def _member(step: str, own: str, number: int) -> str:
    """What to call one of a step's several executions: by its own name where that says more than the step's."""
    last = step.rsplit("/", 1)[-1]
    return own if last in own and own not in (step, last) else f"{step} #{number}"


def spans(runs: Sequence[StepRun], until: datetime) -> list[tuple[datetime, datetime]]:
    """When any of them was at work, without overlaps, in order; one without an end is at work ``until`` then."""
    known = sorted(
        (one.execution.started, one.execution.ended or until) for one in runs if one.execution.started is not None
    )
    merged: list[tuple[datetime, datetime]] = []
    for started, ended in known:
        if merged and started <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(ended, merged[-1][1]))
        else:
            merged.append((started, max(started, ended)))
    return merged
