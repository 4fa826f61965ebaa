"""Compare: two runs held against each other, from their workflow to the first step that made something else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from wfexs_like.comparing.data import Compared, Comparing, short_name
from wfexs_like.comparing.files import Manner
from wfexs_like.comparing.report import CompareReport, Difference, Named
from wfexs_like.comparing.sides import Side
from wfexs_like.comparing.steps import first_step
from wfexs_like.comparing.verdicts import excerpts
from wfexs_like.reading.account import Execution, Image, Slot


def compare(a: Side, b: Side, manner: Manner) -> CompareReport:
    """Hold two runs against each other."""
    comparing = Comparing(a, b, manner)
    differences: list[Difference] = []
    circumstances: list[Difference] = []
    _workflows(a, b, differences, circumstances)
    _engines(a, b, circumstances)
    _images(a.images(), b.images(), circumstances)
    _inputs(a, b, differences, circumstances)
    ours, theirs = a.run.execution, b.run.execution
    if ours.status != theirs.status:
        # Who says nothing of the status means that it was a success: Process Run Crate 0.5, "actionStatus".
        silent = {ours.status, theirs.status} == {"unknown", "completed"}
        (circumstances if silent else differences).append(Difference(what="status", a=ours.status, b=theirs.status))
    files = tuple(comparing.slots(ours.outputs, theirs.outputs))
    if ours.status == theirs.status == "failed":
        circumstances.append(Difference(what="both runs failed: what was made until then is all that there is"))
    elif not files and not differences:
        circumstances.append(Difference(what="neither of them tells of an output"))
    differences += [_told("output", one) for one in files if not one.comparison.same]
    step = first_step(a, b, manner) if differences else None
    return CompareReport(
        a=_named(a),
        b=_named(b),
        verdict="different" if differences else "same",
        differences=tuple(differences),
        circumstances=tuple(circumstances),
        files=files,
        step=step,
    )


def _named(side: Side) -> Named:
    execution = side.run.execution
    return Named(label=side.label, run=execution.name, status=execution.status, secret=side.secret)


def _told(noun: str, one: Compared) -> Difference:
    found = one.comparison
    where = f" ({found.where})" if found.where else ""
    return Difference(what=f"{noun} {one.name}: {found.reason}{where}", a=found.a, b=found.b)


def _workflows(a: Side, b: Side, differences: list[Difference], circumstances: list[Difference]) -> None:
    ours, theirs = a.documents(), b.documents()
    if not ours or not theirs:
        missing = " and ".join(side.label for side, told in ((a, ours), (b, theirs)) if not told)
        circumstances.append(Difference(what=f"workflow: nobody says which documents it is made of in {missing}"))
        return
    mains = [set(told.values()) for told in (ours, theirs)]
    swapped = any(ours[name] != theirs[name] for name in ours.keys() & theirs.keys())
    # A crate that tells of nothing but the main document isn't at odds with one that tells of all.
    if not swapped and (mains[0] <= mains[1] or mains[1] <= mains[0]):
        return
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            first, second = (_digest(told.get(name)) for told in (ours, theirs))
            differences.append(Difference(what=f"workflow {name}", a=first, b=second))


def _engines(a: Side, b: Side, circumstances: list[Difference]) -> None:
    names = [
        None if side.run.engine is None else f"{side.run.engine.name} {side.run.engine.version or ''}".strip()
        for side in (a, b)
    ]
    if names[0] != names[1]:
        circumstances.append(Difference(what="engine", a=names[0], b=names[1]))


def _images(a: Sequence[Image], b: Sequence[Image], circumstances: list[Difference]) -> None:
    ours, theirs = ({one.sha256 or one.name: one for one in side} for side in (a, b))
    by_name: Mapping[str, list[str | None]] = defaultdict(lambda: [None, None])
    for place, (side, other) in enumerate(((ours, theirs), (theirs, ours))):
        for key, one in side.items():
            if key not in other:
                by_name[one.name][place] = _digest(one.sha256) or "no digest stated"
    circumstances += [Difference(what=f"image {name}", a=pair[0], b=pair[1]) for name, pair in sorted(by_name.items())]


def _inputs(a: Side, b: Side, differences: list[Difference], circumstances: list[Difference]) -> None:
    """What was given: by digest and value alone. A parameter's default is the same as nothing at all."""
    comparing = Comparing(a, b, Manner(strict=True))
    ours, theirs = (_given(side.run.execution) for side in (a, b))
    filled = [{short_name(one.name) for one in side} for side in (ours, theirs)]
    for one in comparing.slots(_told_apart(ours, filled[1]), _told_apart(theirs, filled[0])):
        if one.comparison.verdict == "unknown":
            circumstances.append(_told("input", one))
        elif not one.comparison.same:
            differences.append(_told("input", one))


def _given(execution: Execution) -> tuple[Slot, ...]:
    """What filled parameters; all that was used, where nobody says which parameter it filled."""
    filled = tuple(one for one in execution.inputs if one.parameter is not None)
    return filled or execution.inputs


def _told_apart(slots: Iterable[Slot], other: set[str]) -> tuple[Slot, ...]:
    return tuple(one for one in slots if short_name(one.name) in other or not _is_default(one))


def _is_default(slot: Slot) -> bool:
    if slot.parameter is None or slot.parameter.default is None or len(slot.items) != 1:
        return len(slot.items) == 1 and slot.items[0].kind == "value" and slot.items[0].value in (None, "null", [])
    item = slot.items[0]
    return item.kind == "value" and (
        item.value == slot.parameter.default or str(item.value) == str(slot.parameter.default)
    )


def _digest(digest: str | None) -> str | None:
    return None if digest is None else excerpts(digest, None)[0]
