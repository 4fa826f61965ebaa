"""Binding: what every engine does alike to fit asked parameters to a workflow's inputs. Pure."""

from __future__ import annotations

import contextlib
import difflib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from engines.base import FormalParameter, WorkflowInterface
from engines.fitting import admits_record, describe, is_nullable, members
from staging.definition import DirectoryValue, FileValue, Param, Value
from staging.errors import DefinitionError, Fault
from staging.plan import Json, no_key_twice

Misfits = Callable[[FormalParameter, Param], list[Fault]]
"""An engine's own rule: the faults of a value in the slot that it is for."""

_MOST_NAMES = 20


def named(param: Param, slots: Mapping[str, FormalParameter]) -> Iterator[Param]:
    """The parameter itself, or what its nested maps mean by dotted names."""
    value = param.value
    slot = slots.get(param.name)
    inside = any(name.startswith(f"{param.name}.") for name in slots)
    if not isinstance(value, Mapping) or not inside or (slot is not None and admits_record(slot.type)):
        yield param
        return
    for key, one in value.items():
        yield from named(replace(param, name=f"{param.name}.{key}", value=one, where=f"{param.where}.{key}"), slots)


def unlisted(slot: FormalParameter, param: Param, misfits: Misfits) -> Param:
    """WfExS's stage files name a single file by a list of one address as well: it is the file where no list fits."""
    value = param.value
    if not isinstance(value, tuple) or len(value) != 1 or not isinstance(value[0], FileValue | DirectoryValue):
        return param
    alone = replace(param, value=value[0])
    return alone if misfits(slot, param) and not misfits(slot, alone) else param


def missing(slots: Mapping[str, FormalParameter], bound: Mapping[str, Param], asked: Sequence[Param]) -> list[Fault]:
    """A fault for each required input that has no value."""
    faults: list[Fault] = []
    for name, slot in slots.items():
        if slot.required and (name not in bound or bound[name].value is None):
            message = f"the workflow needs the input {name!r} ({describe(slot.type)})"
            place = bound.get(name) or (replace(asked[0], where="params", line=None, column=None) if asked else None)
            faults.append(fault_of(place, "", message, slot.label or None))
    return faults


def override(interface: WorkflowInterface, name: str, value: Json, misfits: Misfits) -> Json:
    """The value of ``run --param name=value`` in the input's own type; a text is read as that type where it can be.

    Raises:
        DefinitionError: there is no such input, or the value doesn't fit. Files have to be staged.
    """
    slots = {one.name: one for one in interface.inputs}
    param = Param(name=name, value=None, file="--param", where=name)
    if name not in slots:
        raise DefinitionError((fault := unknown(param, slots),), message=fault.message, hint=fault.hint)
    if isinstance(value, str) and not _is_utf8(value):
        message = f"the value of {name!r} is not UTF-8"
        raise DefinitionError((fault_of(param, "", message, None),), message=message)
    kind = slots[name].type
    candidates = list(_readings(value)) if isinstance(value, str) else [value]
    if isinstance(value, str) and _takes_text(kind, value):
        candidates = [value]
    faults: list[Fault] = []
    for candidate in candidates:
        found = misfits(slots[name], replace(param, value=_as_value(candidate)))
        if not found and not (candidate is None and not is_nullable(kind)):
            return candidate
        faults = faults or found
    if _has_files(kind):
        message = f"the input {name!r} is {describe(kind)}, and a file has to be staged before a run can use it"
        hint = "write it into the stage file, and stage that"
        raise DefinitionError(
            (Fault(file="--param", where=name, message=message, hint=hint),), message=message, hint=hint
        )
    first = (
        faults[0] if faults else Fault(file="--param", where=name, message=f"null, where {describe(kind)} is expected")
    )
    raise DefinitionError((first,), message=f"{name}: {first.message}", hint=first.hint)


def unknown(param: Param, slots: Mapping[str, FormalParameter]) -> Fault:
    """The fault of a name that no input has, with the nearest that one has."""
    near = difflib.get_close_matches(param.name, slots, n=1)
    listed = ", ".join(list(slots)[:_MOST_NAMES]) + (", ..." if len(slots) > _MOST_NAMES else "")
    hint = f"did you mean {near[0]!r}?" if near else f"its inputs are {listed or 'none'}"
    return fault_of(param, "", f"the workflow has no input {param.name!r}", hint)


def fault_of(param: Param | None, place: str, message: str, hint: str | None) -> Fault:
    """A fault of a parameter, at a place below it (``[0].name``)."""
    if param is None:
        return Fault(file="", where="params", message=message, hint=hint)
    where = (param.where or f"params.{param.name}") + place
    return Fault(file=param.file, where=where, message=message, line=param.line, column=param.column, hint=hint)


def _readings(text: str) -> Iterator[Json]:
    """What a text on the command line may mean: JSON, else itself."""
    with contextlib.suppress(ValueError, RecursionError):
        yield json.loads(text, parse_constant=_not_json, object_pairs_hook=no_key_twice)
    yield text


def _is_utf8(text: str) -> bool:
    """Whether bytes of the command line were text (others come as lone surrogates, PEP 383)."""
    return not any("\ud800" <= one <= "\udfff" for one in text)


def _not_json(word: str) -> Any:
    raise ValueError(word)


def _takes_text(kind: Json, text: str) -> bool:
    """Whether the text is wanted as it is: the input is a string (or a symbol), also when it looks like a number."""
    for one in members(kind):
        if one == "string" or (isinstance(one, Mapping) and one.get("type") == "enum"):
            return not (text == "null" and is_nullable(kind))
    return False


def _has_files(kind: Json) -> bool:
    for one in members(kind):
        if one in ("File", "Directory"):
            return True
        if isinstance(one, Mapping):
            inner = [one.get("items"), *(field.get("type") for field in one.get("fields") or ())]  # type: ignore[union-attr]
            if any(_has_files(part) for part in inner if part is not None):
                return True
    return False


def _as_value(value: Json) -> Value:
    if isinstance(value, Mapping):
        return {key: _as_value(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_as_value(one) for one in value)
    return value  # type: ignore[return-value]
