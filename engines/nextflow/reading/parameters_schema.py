"""The parameters' schema: ``nextflow_schema.json`` read as formal parameters, and the constraints that no type says.

Source: JSON Schema draft-07 and 2020-12 as nf-core's schema builder and the plugins nf-validation and nf-schema use
them (``definitions`` or ``$defs``, ``allOf``, ``format: file-path`` and its kin). Pure.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from engines.base import FormalParameter
from staging.definition import DirectoryValue, FileValue, Value
from staging.errors import DefinitionError, Fault
from staging.plan import Json

NAME = "nextflow_schema.json"
_MAX_NESTING = 40
_MAX_PARAMETERS = 10_000
# A repeated group can take for ever to match (or not): such a pattern, and a long text, are left to the engine.
_MAX_PATTERN = 500
_MAX_MATCHED = 500
_REPEATED_GROUP = re.compile(r"\)[*+{]")
_PATHS: Mapping[str, tuple[str, ...]] = {
    "file-path": ("File",),
    "directory-path": ("Directory",),
    "path": ("File", "Directory"),
    # A pattern stands for many files, or for none: a text.
    "file-path-pattern": ("string",),
}
_PLAIN = {"string": "string", "integer": "long", "number": "double", "boolean": "boolean", "null": "null"}
_TYPES = (*_PLAIN, "array", "object")
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")


@dataclass(frozen=True, slots=True)
class Broken:
    """A value that breaks a constraint: the parameter, the path below it (``[0].name``), and why."""

    name: str
    place: str
    message: str


def formal_parameters(text: bytes | str, *, file: str = NAME) -> tuple[FormalParameter, ...]:
    """Every parameter that a schema tells of, in its order, hidden ones too; nested ones have dotted names.

    Raises:
        DefinitionError: it is no such schema; it names the file and the place.
    """
    schema = read_schema(text, file=file)
    slots: dict[str, FormalParameter] = {}
    for name, definition, required in _properties(schema, file):
        slots[name] = _parameter(name, definition, required=required)
    return tuple(slots.values())


def read_schema(text: bytes | str, *, file: str = NAME) -> Mapping[str, Any]:
    """A schema as a map.

    Raises:
        DefinitionError: it is no JSON object, or its parts are not of the kind that they have to be.
    """
    try:
        schema = json.loads(text)
    except json.JSONDecodeError as error:
        raise _broken(file, "", f"it is not JSON: {error.msg}", line=error.lineno, column=error.colno) from error
    except (ValueError, RecursionError) as error:
        raise _broken(file, "", "it is not JSON that can be read") from error
    if not isinstance(schema, dict):
        raise _broken(file, "", "it is not a JSON object")
    for _ in _properties(schema, file):
        pass
    return schema


def check(schema: Mapping[str, Any], values: Mapping[str, Value]) -> tuple[Broken, ...]:
    """The constraints that values break, of those that can be told without a look at a file.

    Checked are ``pattern``, ``minLength``, ``maxLength``, ``minimum``, ``maximum`` and the exclusive ones,
    ``multipleOf``, ``enum``, ``const``, ``minItems``, ``maxItems``, ``uniqueItems`` and ``items``, of the values that
    are given under the parameters' own names; other keywords say nothing here. Files and folders are staged under other
    names, but those end like the ones that were asked for, so a ``pattern`` is held against their names.
    """
    found: list[Broken] = []
    for name, definition, _ in _properties(schema, NAME):
        if values.get(name) is not None:
            found += (Broken(name, place, message) for place, message in _breaks(definition, values[name], ""))
    return tuple(found)


def unchecked_patterns(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The parameters whose ``pattern`` (or that of their elements) is left to the engine, whatever their value."""
    found = []
    for name, definition, _ in _properties(schema, NAME):
        items = definition.get("items")
        stated = (definition.get("pattern"), items.get("pattern") if isinstance(items, Mapping) else None)
        if any(isinstance(one, str) and _compiled(one) is None for one in stated):
            found.append(name)
    return tuple(found)


# -- the schema's parts ----------------------------------------------------------------------------------------------


def _properties(schema: Mapping[str, Any], file: str) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Each property with its dotted name and whether it is required."""
    yield from _Walk(schema=schema, file=file).group(schema, "#", prefix="", required=True)


@dataclass(slots=True, kw_only=True)
class _Walk:
    """A walk through the groups of a schema; ``seen`` are the references that were followed, by the prefix."""

    schema: Mapping[str, Any]
    file: str
    seen: set[tuple[str, str]] = field(default_factory=set)
    count: int = 0

    def group(
        self, group: Mapping[str, Any], place: str, *, prefix: str, required: bool
    ) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
        self._bound(place)
        needed = group.get("required", [])
        if not isinstance(needed, list) or not all(isinstance(one, str) for one in needed):
            raise _broken(self.file, f"{place}/required", "it is not a list of names")
        for name, definition in _map(group, "properties", self.file, place).items():
            where = f"{place}/properties/{name}"
            if not isinstance(definition, dict):
                raise _broken(self.file, where, "a parameter's definition is not an object")
            own = _resolved(self.schema, definition)
            _check_type(own, where, self.file)
            if "properties" in own:
                yield from self.group(own, where, prefix=f"{prefix}{name}.", required=required and name in needed)
            else:
                self._bound(where)
                yield f"{prefix}{name}", own, required and name in needed
        yield from self._groups(group, place, prefix=prefix, required=required)

    def _groups(
        self, group: Mapping[str, Any], place: str, *, prefix: str, required: bool
    ) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
        groups = group.get("allOf", [])
        if not isinstance(groups, list):
            raise _broken(self.file, f"{place}/allOf", "it is not a list")
        for number, one in enumerate(groups):
            where = f"{place}/allOf/{number}"
            if not isinstance(one, dict):
                raise _broken(self.file, where, "it is not an object")
            if "$ref" not in one:
                yield from self.group(one, where, prefix=prefix, required=required)
                continue
            target = _target(self.schema, one["$ref"])
            if target is None:
                message = f"it refers to {one['$ref']!r}, which the schema does not have"
                raise _broken(self.file, f"{where}/$ref", message)
            reference = (prefix, str(one["$ref"]))
            if reference not in self.seen:
                self.seen.add(reference)
                yield from self.group(target, reference[1], prefix=prefix, required=required)

    def _bound(self, place: str) -> None:
        self.count += 1
        if place.count("/") > _MAX_NESTING or self.count > _MAX_PARAMETERS:
            message = f"it has more than {_MAX_PARAMETERS} parameters, or nests deeper than {_MAX_NESTING} levels"
            raise _broken(self.file, place[:200], message)


def _check_type(definition: Mapping[str, Any], place: str, file: str) -> None:
    """Refuse types that JSON Schema doesn't have, here and in the elements."""
    stated = definition.get("type")
    for one in stated if isinstance(stated, list) else [stated] if "type" in definition else []:
        if not isinstance(one, str) or one not in _TYPES:
            near = difflib.get_close_matches(one, _TYPES, n=1) if isinstance(one, str) else []
            help_ = f"did you mean {near[0]!r}?" if near else f"the types are {', '.join(_TYPES)}"
            raise _broken(file, f"{place}/type", f"{one!r} is no type of a parameter ({help_})")
    items = definition.get("items")
    if isinstance(items, Mapping) and place.count("/") <= _MAX_NESTING:
        _check_type(items, f"{place}/items", file)


def _map(group: Mapping[str, Any], key: str, file: str, place: str) -> Mapping[str, Any]:
    value = group.get(key, {})
    if not isinstance(value, dict):
        raise _broken(file, f"{place}/{key}", "it is not an object")
    return value


def _resolved(schema: Mapping[str, Any], definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """A definition with what it refers to within the schema; a reference elsewhere says nothing here."""
    for _ in range(_MAX_NESTING):
        target: Mapping[str, Any] | None = _target(schema, definition["$ref"]) if "$ref" in definition else None
        if target is None:
            break
        definition = {**target, **{key: value for key, value in definition.items() if key != "$ref"}}
    return definition


def _target(schema: Mapping[str, Any], reference: object) -> Mapping[str, Any] | None:
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    node: object = schema
    for part in reference[2:].split("/"):
        node = node.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else None


def _parameter(name: str, definition: Mapping[str, Any], *, required: bool) -> FormalParameter:
    kinds = _kinds(definition, 0)
    has_default = "default" in definition
    must = required and definition.get("default") is None
    if not must and "null" not in kinds:
        kinds = ["null", *kinds]
    media = definition.get("mimetype")
    return FormalParameter(
        name=name,
        type=kinds[0] if len(kinds) == 1 else kinds,
        required=must and "null" not in kinds,
        default=definition.get("default"),
        has_default=has_default,
        label=_text(definition.get("title")),
        doc=_text(definition.get("description")),
        format=(media,) if isinstance(media, str) and _IRI.fullmatch(media) else (),
    )


def _kinds(definition: Mapping[str, Any], nesting: int) -> list[Json]:
    """The members of a parameter's type in the form of ``FormalParameter.type``, ``null`` first if it is one."""
    found: list[Json] = []
    stated = definition.get("type")
    choices = [one for key in ("oneOf", "anyOf") for one in _listed(definition.get(key)) if isinstance(one, Mapping)]
    if nesting > _MAX_NESTING:
        return ["Any"]
    if stated is None and choices and all("type" in one for one in choices):
        for choice in choices:
            found += _kinds({**definition, "oneOf": None, "anyOf": None, **choice}, nesting + 1)
    else:
        for name in [stated] if isinstance(stated, str) else _listed(stated):
            found += _of_type(str(name), definition, nesting)
    unique = [one for number, one in enumerate(found) if one not in found[:number]]
    if not unique:
        unique = _of_symbols(definition) or ["Any"]
    return ["null", *(one for one in unique if one != "null")] if "null" in unique else unique


def _of_type(name: str, definition: Mapping[str, Any], nesting: int) -> list[Json]:
    if name == "string":
        paths = _PATHS.get(str(definition.get("format")))
        return list(paths) if paths is not None else _of_symbols(definition) or ["string"]
    if name == "array":
        items = definition.get("items")
        inner = _kinds(items, nesting + 1) if isinstance(items, Mapping) else ["Any"]
        return [{"type": "array", "items": inner[0] if len(inner) == 1 else inner}]
    # An object's own keys are parameters of their own; without any it is a map of whatever.
    return [_PLAIN.get(name, "Any")]


def _of_symbols(definition: Mapping[str, Any]) -> list[Json]:
    """An enumeration of texts; one of numbers is its type, and ``check`` knows the numbers."""
    symbols = _listed(definition.get("enum"))
    texts = [one for one in symbols if isinstance(one, str)]
    if not texts or any(not isinstance(one, str) and one is not None for one in symbols):
        return []
    return [*(["null"] if None in symbols else []), {"type": "enum", "symbols": texts}]


# -- constraints -----------------------------------------------------------------------------------------------------


def _breaks(definition: Mapping[str, Any], value: Value, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, bool) or value is None:
        pass
    elif isinstance(value, int | float):
        yield from ((place, message) for message in _of_number(definition, value))
    elif isinstance(value, str | FileValue | DirectoryValue):
        yield from ((place, message) for message in _of_text(definition, value))
    elif isinstance(value, tuple):
        yield from ((place, message) for message in _of_list(definition, value))
        items = definition.get("items")
        if isinstance(items, Mapping):
            for number, one in enumerate(value):
                yield from _breaks(items, one, f"{place}[{number}]")
    if isinstance(value, str | int | float | None):
        symbols = definition.get("enum", [definition["const"]] if "const" in definition else None)
        if isinstance(symbols, list) and not any(_equal(value, one) for one in symbols):
            listed = ", ".join(str(one) for one in symbols[:12]) + (", ..." if symbols[12:] else "")
            yield place, f"{value!r} is not one of {listed}"


def _of_number(definition: Mapping[str, Any], value: float) -> Iterator[str]:
    least, most = definition.get("minimum"), definition.get("maximum")
    above, below = definition.get("exclusiveMinimum"), definition.get("exclusiveMaximum")
    if _is_number(least) and value < least:
        yield f"{value} is less than {least}"
    if _is_number(most) and value > most:
        yield f"{value} is more than {most}"
    if _is_number(above) and value <= above:
        yield f"{value} is not more than {above}"
    if _is_number(below) and value >= below:
        yield f"{value} is not less than {below}"
    step = definition.get("multipleOf")
    if _is_number(step) and step > 0 and not _is_multiple(value, step):
        yield f"{value} is no multiple of {step}"


def _of_text(definition: Mapping[str, Any], value: str | FileValue | DirectoryValue) -> Iterator[str]:
    if isinstance(value, str):
        least, most = definition.get("minLength"), definition.get("maxLength")
        if _is_number(least) and len(value) < least:
            yield f"{value!r} is shorter than {least} characters"
        if _is_number(most) and len(value) > most:
            yield f"{value[:60]!r} is longer than {most} characters"
        text: str | None = value
    else:
        text = value.basename or (value.source.mirrors[0].name if value.source and value.source.mirrors else None)
    pattern = definition.get("pattern")
    if isinstance(pattern, str) and text is not None and not _matches(pattern, text):
        yield f"{text[:60]!r} is not of the form {pattern}"


def _of_list(definition: Mapping[str, Any], value: Sequence[Value]) -> Iterator[str]:
    least, most = definition.get("minItems"), definition.get("maxItems")
    if _is_number(least) and len(value) < least:
        yield f"it has {len(value)} elements, and needs {least}"
    if _is_number(most) and len(value) > most:
        yield f"it has {len(value)} elements, and may have {most}"
    if definition.get("uniqueItems") is True and any(one in value[:number] for number, one in enumerate(value)):
        yield "it has the same element twice"


def _matches(pattern: str, text: str) -> bool:
    """Whether a text has the pattern in it; a pattern that only Java understands, or none can, is the engine's."""
    compiled = _compiled(pattern)
    return compiled is None or len(text) > _MAX_MATCHED or compiled.search(text) is not None


def _compiled(pattern: str) -> re.Pattern[str] | None:
    if len(pattern) > _MAX_PATTERN or _REPEATED_GROUP.search(pattern):
        return None
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return None


def _equal(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) is isinstance(other, bool)


def _is_multiple(value: float, step: float) -> bool:
    if isinstance(value, int) and isinstance(step, int):
        return value % step == 0
    try:
        return math.isclose(value / step, round(value / step), rel_tol=1e-9)
    except (OverflowError, ValueError):
        return True


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _broken(file: str, where: str, message: str, line: int | None = None, column: int | None = None) -> DefinitionError:
    hint = "the workflow's schema of parameters has to be mended"
    fault = Fault(file=file, where=where, message=message, line=line, column=column, hint=hint)
    place = f" at {where}" if where else f" (line {line})" if line else ""
    return DefinitionError((fault,), message=f"{file}{place}: {message}", hint=hint)
