"""Binding: the parameters that were asked for, fitted to a Nextflow workflow's own before anything is fetched. Pure.

A path is a text to Nextflow: a file or a folder fits a parameter that is a text. The other way round a text for a path
is a fault, for nothing outside the workflow is there when it runs but what is staged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import cast

from engines.base import Beside, Bound, FormalParameter, WorkflowInterface
from engines.binding import Misfits, fault_of, missing, named, override, unknown, unlisted
from engines.fitting import members, misfits
from engines.nextflow.reading.parameters_schema import check
from staging.definition import DirectoryValue, EngineSettings, FileValue, OutputPlace, Param, Value
from staging.errors import DefinitionError, Fault
from staging.plan import Json

_PATHS = ("File", "Directory")
_TYPE = re.compile(r"(?:, where .* is expected| is too large for \w+|\(\S+\))\Z")
_SCHEMA_WORDS = {
    "int": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
}
_PROJECT = ("$projectDir/", "${projectDir}/", "$baseDir/", "${baseDir}/")


def bind(
    interface: WorkflowInterface,
    params: tuple[Param, ...],
    beside: Beside | None = None,  # noqa: ARG001 - Nextflow has no secondary files: each is a parameter of its own
    settings: EngineSettings | None = None,
) -> Bound:
    """Fit parameters to the workflow's; each keeps its dotted name where the interface has one (``align.index``).

    ``settings`` may let unknown names through, and lists for texts. All faults are found.
    """
    settings = settings or EngineSettings()
    slots = {one.name: one for one in interface.inputs}
    rule = _rule(interface, lists_as_text=settings.lists_as_text)
    faults: list[Fault] = []
    bound: dict[str, Param] = {}
    for param in params:
        for one in named(param, slots):
            slot = slots.get(one.name)
            if one.name in bound:
                faults.append(fault_of(one, "", f"the input {one.name!r} is given twice", None))
            elif slot is not None:
                bound[one.name] = unlisted(slot, one, rule)
                faults += rule(slot, bound[one.name])
            elif settings.ignore_unknown:
                bound[one.name] = one
            else:
                faults.append(unknown(one, slots))
    faults += (replace(one, message=in_schema_words(one.message)) for one in missing(slots, bound, params))
    faults += _broken(interface, bound)
    return Bound(params=tuple(bound.values()), faults=tuple(faults))


def bind_override(interface: WorkflowInterface, name: str, value: Json) -> Json:
    """The value of ``run --param name=value`` in the parameter's own type; a text is read as that type where it can be.

    Raises:
        DefinitionError: there is no such parameter, or the value doesn't fit. Files have to be staged.
    """
    given = override(interface, name, value, _rule(interface, lists_as_text=False))
    param = Param(name=name, value=cast("Value", given), file="--param", where=name)
    for fault in _broken(interface, {name: param}):
        raise DefinitionError((fault,), message=f"{name}: {fault.message}", hint=fault.hint)
    return given


def _broken(interface: WorkflowInterface, bound: Mapping[str, Param]) -> list[Fault]:
    """The constraints of the workflow's own schema that no type says."""
    if interface.constraints is None:
        return []
    broken = check(interface.constraints, {name: one.value for name, one in bound.items()})
    return [fault_of(bound[one.name], one.place, one.message, None) for one in broken]


def _rule(interface: WorkflowInterface, *, lists_as_text: bool) -> Misfits:
    documents = frozenset(interface.documents)
    project = interface.entry.parent

    def rule(slot: FormalParameter, param: Param) -> list[Fault]:
        if param.value is None:
            # Missing is told apart; null stands for the default or for nothing.
            return []
        own = _own(slot, documents, project)
        value = _stand_in(slot.type, param.value, own)
        found = misfits(_widened(slot.type, lists_as_text=lists_as_text), value)
        # Told in the words of the type itself, which does not speak of all that would do as well.
        own_words = {one.place: one for one in misfits(slot.type, value)}
        told = [own_words.get(one.place, one) for one in found]
        return [fault_of(param, one.place, in_schema_words(one.message), _hint(slot.type) or one.hint) for one in told]

    return rule


def _own(slot: FormalParameter, documents: frozenset[str], project: PurePosixPath) -> frozenset[str]:
    """The texts that mean something which is there at a run without being staged as an input."""
    texts = {str(PurePosixPath(one).relative_to(project)) for one in documents if _is_below(one, project)}
    known = {prefix + one for one in texts for prefix in _PROJECT}
    pending: list[Json] = [slot.default]
    while pending:
        one = pending.pop()
        if isinstance(one, str):
            known.add(one)
        elif isinstance(one, list | tuple):
            pending += one
    return frozenset(known)


def _is_below(document: str, project: PurePosixPath) -> bool:
    return PurePosixPath(document).is_relative_to(project)


def _stand_in(kind: Json, value: Value, own: frozenset[str]) -> Value:
    """The value with a file or a folder for each place of outputs, and for each text that means the workflow's own."""
    if isinstance(value, OutputPlace):
        return FileValue() if value.kind == "File" else DirectoryValue()
    options = members(kind)
    if isinstance(value, tuple):
        items = [one.get("items") for one in options if isinstance(one, Mapping) and one.get("type") == "array"]
        return tuple(_stand_in(items[0] if items else "Any", one, own) for one in value)
    if isinstance(value, str) and "Directory" in options and _is_inside(value):
        # Read from the folder that a run is started in, which is that of its outputs.
        return DirectoryValue()
    if isinstance(value, str) and value in own and "string" not in options:
        paths = [one for one in options if one in _PATHS]
        return value if not paths else FileValue() if paths[0] == "File" else DirectoryValue()
    return value


def _is_inside(text: str) -> bool:
    """Whether a text is a path that leads nowhere but below the folder that it is read from."""
    parts = PurePosixPath(text).parts
    return bool(text) and "://" not in text and not text.startswith(("/", "$", "~", "-")) and ".." not in parts


def _widened(kind: Json, *, lists_as_text: bool) -> Json:
    """The type with files and folders wherever it has a text."""
    widened: list[Json] = []
    for one in members(kind):
        if isinstance(one, Mapping) and one.get("type") == "array":
            widened.append({**one, "items": _widened(one.get("items"), lists_as_text=False)})
            continue
        widened.append(one)
        if one == "string":
            widened += _PATHS
        if lists_as_text and (one in ("string", *_PATHS)):
            widened.append({"type": "array", "items": ["string", "long", "double", *_PATHS]})
    return widened


def in_schema_words(message: str) -> str:
    """A message with its type called as a schema of parameters calls it: ``integer``, not ``long``.

    Files and folders keep the names that a stage file has for them.
    """
    match = _TYPE.search(message)
    if match is None or "one of " in match[0]:
        return message
    said = re.sub(r"\b[a-z]+\b", lambda one: _SCHEMA_WORDS.get(one[0], one[0]), match[0])
    return message[: match.start()] + said


def _hint(kind: Json) -> str | None:
    """How a path has to be written, for a parameter that is nothing but one."""
    options = [one for one in members(kind) if one != "null"]
    if not options or not all(one in _PATHS for one in options):
        return None
    name = str(options[0])
    hint = f"write it as {{c-l-a-s-s: {name}, url: ...}}, so that it is staged: nothing else is there when it runs"
    return hint if name == "File" else f"{hint}; as {{c-l-a-s-s: {name}, autoFill: true}} where outputs are to go"
