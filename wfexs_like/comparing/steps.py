"""Steps: the first one of two runs that took the same and made something else.

Of many tasks of one step, which begin in another order in each run, each is held against those alone that may have
taken the same: the sha256 of its files and its texts say which.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence

from wfexs_like.comparing.data import Comparing, short_name
from wfexs_like.comparing.files import Manner
from wfexs_like.comparing.report import FirstStep
from wfexs_like.comparing.sides import Side
from wfexs_like.reading.account import Execution, Item, Slot, StepRun

_STRICT = Manner(strict=True)


def first_step(a: Side, b: Side, manner: Manner) -> FirstStep | None:
    """The first step of which both took the same and made something else, in the order in which the steps began.

    That is an order in which each step comes after those it needs.
    """
    theirs = _Waiting(b.run.steps)
    for one in a.run.steps:
        other = theirs.take(a, b, one)
        if other is None:
            continue
        made = list(_unlike(Comparing(a, b, manner), one.execution.outputs, other.outputs))
        if one.execution.status != other.status:
            made.insert(0, "status")
        if made:
            return FirstStep(name=one.step, differs=", ".join(made[:5]))
    return None


class _Waiting:
    """The attempts of a run that are still without a partner, by their step and what they took."""

    def __init__(self, steps: Sequence[StepRun]) -> None:
        self._known: dict[tuple[str, Hashable], list[Execution]] = defaultdict(list)
        self._all: dict[str, list[list[Execution]]] = defaultdict(list)
        self._unknown: dict[str, list[Execution]] = defaultdict(list)
        for one in steps:
            key = _taken(one.execution)
            group = self._unknown[one.step] if key is None else self._known[one.step, key]
            if not group:
                self._all[one.step].append(group)
            group.append(one.execution)

    def take(self, a: Side, b: Side, one: StepRun) -> Execution | None:
        """The next that took what ``one`` took, ``None`` where there is none; it has found its partner then."""
        key = _taken(one.execution)
        few = (self._known.get((one.step, key), []), self._unknown.get(one.step, []))
        for group in self._all.get(one.step, []) if key is None else few:
            for place, other in enumerate(group):
                if _took_the_same(a, b, one.execution, other):
                    return group.pop(place)
        return None


def _taken(execution: Execution) -> Hashable | None:
    """What two that took the same have in common; ``None`` where that can't be said before they are compared."""
    found = []
    for slot in execution.inputs:
        for item in slot.items:
            if item.kind == "file" and "sha256" not in item.digests:
                return None
            name = item.name if slot.parameter is None else short_name(slot.name)
            found.append((name, item.kind, _content(item)))
    return tuple(sorted(found))


def _content(item: Item) -> str:
    """Alike for what is the same; of numbers, folders and structures, which have many forms, nothing is told."""
    if item.kind == "file":
        return item.digests["sha256"]
    return item.value if isinstance(item.value, str) else ""


def _took_the_same(a: Side, b: Side, one: Execution, other: Execution) -> bool:
    """Whether it is told what both took, and that it is the same."""
    found = list(Comparing(a, b, _STRICT).slots(one.inputs, other.inputs))
    return bool(found) and all(each.comparison.same for each in found)


def _unlike(comparing: Comparing, a: Sequence[Slot], b: Sequence[Slot]) -> Iterator[str]:
    return (one.name for one in comparing.slots(a, b) if one.comparison.verdict == "different")
