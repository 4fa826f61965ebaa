"""Expectations: the outputs that the stage file counts on, held against those the workflow has or made."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from engines.base import WorkflowInterface
from staging.definition import ExpectedOutput
from staging.errors import Fault
from staging.plan import Json

_SHOWN_PATHS = 3
_CLASSES = {"File": "File", "stdout": "File", "stderr": "File", "Directory": "Directory"}
_CLASSES |= dict.fromkeys(("boolean", "int", "long", "float", "double", "string", "enum", "record"), "Value")


def unknown_outputs(
    interface: WorkflowInterface, expected: Sequence[ExpectedOutput], file: str = ""
) -> tuple[Fault, ...]:
    """A fault for each expected output that the workflow can't have: no such name, or never of that class.

    Any name may come of a workflow with open outputs. ``file`` is the stage file's name.
    """
    types = {one.name: one.type for one in interface.outputs}
    names = list(types)
    faults = []
    for one in expected:
        where = one.where or f"outputs.{one.name}"
        if one.name in types:
            possible = _kinds_of(types[one.name])
            if one.kind != "Value" and possible and one.kind not in possible:
                message = f"the workflow's output {one.name!r} is never a {one.kind}"
                hint = f"write c-l-a-s-s: {' or '.join(sorted(possible))}"
                faults.append(
                    Fault(file=file, where=where, message=message, line=one.line, column=one.column, hint=hint)
                )
            continue
        if interface.open_outputs:
            continue
        near = difflib.get_close_matches(one.name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names) or 'none'}"
        message = f"the workflow has no output {one.name!r}"
        faults.append(Fault(file=file, where=where, message=message, line=one.line, column=one.column, hint=hint))
    return tuple(faults)


def check(
    expected: Sequence[ExpectedOutput], outputs: Mapping[str, Json], *, claimed: bool = False, folder: str = ""
) -> str | None:
    """The sentence that says which expected output is missing or too many, or ``None`` when all is well.

    ``claimed``: the outputs were chosen by ``engines.claims``, which looked at ``glob`` already; then they hold what
    else was published too. ``folder`` is what the paths of all begin with, ended by ``/``.
    """
    for one in expected:
        found = list(_items(outputs.get(one.name)))
        others = sorted({_kind(item) for item in found if one.kind != "Value" and _kind(item) != one.kind})
        if others:
            return f"the output {one.name!r} is a {others[0]}, the stage file expects a {one.kind}"
        if one.glob is not None and not claimed:
            found = [item for item in found if fnmatchcase(_basename(item), one.glob)]
        if len(found) < one.minimum:
            miss = f"the output {one.name!r} has {_count(len(found))}, the stage file expects {_range(one)}"
            return miss + (_instead(one, expected, outputs, folder) if claimed and not found else "")
        if one.maximum is not None and len(found) > one.maximum:
            return f"the output {one.name!r} has {_count(len(found))}, the stage file expects {_range(one)}"
    return None


def _instead(one: ExpectedOutput, expected: Sequence[ExpectedOutput], outputs: Mapping[str, Json], folder: str) -> str:
    """What was published, for an output that none of it is: first what no other output is either."""
    names = {other.name for other in expected}
    in_turn = sorted(outputs.items(), key=lambda named: named[0] in names)
    paths = [_path(item).removeprefix(folder) for _, value in in_turn for item in _items(value)]
    told = list(dict.fromkeys(path for path in paths if path))
    more = f" and {len(told) - _SHOWN_PATHS} more" if len(told) > _SHOWN_PATHS else ""
    published = (
        f"the run published {', '.join(map(repr, told[:_SHOWN_PATHS]))}{more}" if told else "nothing was published"
    )
    return f": nothing fits its glob {one.glob!r}, {published}" if one.glob is not None else f": {published}"


def _path(item: Json) -> str:
    return str(item.get("path") or item.get("basename") or "") if isinstance(item, Mapping) else ""


def _kinds_of(kind: Json) -> set[str]:
    """The classes that a value of a CWL type may have; none when anything is possible."""
    if isinstance(kind, Sequence) and not isinstance(kind, str):
        found = [_kinds_of(one) for one in kind if one != "null"]
        return set().union(*found) if all(found) else set()
    if isinstance(kind, Mapping):
        return _kinds_of(kind.get("items") if kind.get("type") == "array" else kind.get("type"))
    known = _CLASSES.get(kind.rstrip("?").removesuffix("[]")) if isinstance(kind, str) else None
    return {known} if known is not None else set()


def _items(value: Json) -> Iterator[Json]:
    if value is None:
        return
    if isinstance(value, Sequence) and not isinstance(value, str):
        for one in value:
            yield from _items(one)
    else:
        yield value


def _kind(item: Json) -> str:
    kind = item.get("class") if isinstance(item, Mapping) else None
    return kind if kind in ("File", "Directory") and isinstance(kind, str) else "Value"


def _basename(item: Json) -> str:
    return str(item.get("basename", "")) if isinstance(item, Mapping) else str(item)


def _count(number: int) -> str:
    return "no value" if number == 0 else "1 value" if number == 1 else f"{number} values"


def _range(one: ExpectedOutput) -> str:
    if one.maximum is None:
        return f"{one.minimum} or more"
    return str(one.minimum) if one.minimum == one.maximum else f"{one.minimum} to {one.maximum}"
