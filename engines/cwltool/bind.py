"""Binding: the parameters that were asked for, fitted to the workflow's own inputs before anything is fetched. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engines.base import Beside, Bound, FormalParameter, WorkflowInterface
from engines.binding import fault_of, missing, named, override, unknown, unlisted
from engines.cwltool.secondaries import with_secondaries
from engines.fitting import misfits
from staging.definition import OutputPlace, Param, Value
from staging.errors import Fault
from staging.plan import Json


def bind(interface: WorkflowInterface, params: tuple[Param, ...], beside: Beside | None = None) -> Bound:
    """Fit parameters to the workflow's inputs.

    A map stays a record where the input is one; otherwise it stands for several inputs with dotted names (``a.b``).
    All faults are found: unknown names, missing inputs, values that don't fit.
    """
    slots = {one.name: one for one in interface.inputs}
    faults: list[Fault] = []
    bound: dict[str, Param] = {}
    for param in params:
        for one in named(param, slots):
            slot = slots.get(one.name)
            if slot is None:
                faults.append(unknown(one, slots))
            elif _has_output_place(one.value):
                hint = "leave it out: a CWL workflow says itself what it makes, and where"
                faults.append(fault_of(one, "", f"the input {one.name!r} takes no place for outputs", hint))
                bound[one.name] = one
            elif one.name in bound:
                faults.append(fault_of(one, "", f"the input {one.name!r} is given twice", None))
            else:
                bound[one.name] = unlisted(slot, one, _misfits)
                if beside is not None:
                    completed = with_secondaries(slot.type, bound[one.name].value, slot.secondary, beside)
                    bound[one.name] = replace(bound[one.name], value=completed)
                faults += _misfits(slot, bound[one.name])
    faults += missing(slots, bound, params)
    return Bound(params=tuple(bound.values()), faults=tuple(faults))


def bind_override(interface: WorkflowInterface, name: str, value: Json) -> Json:
    """The value of ``run --param name=value`` in the input's own type; a text is read as that type where it can be.

    Raises:
        DefinitionError: there is no such input, or the value doesn't fit. Files have to be staged.
    """
    return override(interface, name, value, _misfits)


def _has_output_place(value: Value) -> bool:
    if isinstance(value, tuple):
        return any(_has_output_place(one) for one in value)
    if isinstance(value, Mapping):
        return any(_has_output_place(one) for one in value.values())
    return isinstance(value, OutputPlace)


def _misfits(slot: FormalParameter, param: Param) -> list[Fault]:
    if param.value is None:
        # Missing is told apart; null stands for the default or for nothing.
        return []
    found = misfits(slot.type, param.value, secondary=slot.secondary)
    return [fault_of(param, one.place, one.message, one.hint) for one in found]
