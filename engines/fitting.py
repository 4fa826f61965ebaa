"""CWL types: whether a value fits one, and if not, what would. Pure.

Source: CWL v1.2, Command Line Tool Description, section 5.1.1 (CWLType, records, enums, arrays). A type is in the JSON
form of ``engines.base.FormalParameter``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from staging.definition import DirectoryValue, FileValue, Value
from staging.identifiers import Identifier
from staging.paths import safe_name
from staging.plan import Json

# 32 and 64 bit signed integers (CWL v1.2 ``int`` and ``long``).
_INT = 2**31
_LONG = 2**63
_MOST_SYMBOLS = 12
_NAMED_BY_PATH = ("", "file", "http", "https", "ftp")


@dataclass(frozen=True, slots=True)
class Misfit:
    """Where a value does not fit (a path below the parameter, ``""`` for itself), why, and what would help."""

    place: str
    message: str
    hint: str | None = None


def describe(kind: Json) -> str:
    """A type in words that a person types: ``File``, ``int[]``, ``string or null``."""
    if isinstance(kind, str):
        return kind
    if isinstance(kind, Sequence):
        return " or ".join(describe(one) for one in kind)
    if isinstance(kind, Mapping):
        inner = kind.get("type")
        if inner == "array":
            items = describe(kind.get("items"))
            return f"({items})[]" if " " in items else f"{items}[]"
        if inner == "enum":
            symbols = [str(one) for one in _list(kind.get("symbols"))]
            more = ", ..." if len(symbols) > _MOST_SYMBOLS else ""
            return f"one of {', '.join(symbols[:_MOST_SYMBOLS])}{more}"
        if inner == "record":
            return f"record of {', '.join(str(one['name']) for one in fields_of(kind)) or 'nothing'}"
    return "value"


def fields_of(kind: Mapping[str, Json]) -> list[Mapping[str, Any]]:
    """The fields of a record type."""
    return [one for one in _list(kind.get("fields")) if isinstance(one, Mapping)]


def members(kind: Json) -> list[Json]:
    """The members of a union; a plain type is its own only member."""
    return list(kind) if isinstance(kind, Sequence) and not isinstance(kind, str) else [kind]


def is_nullable(kind: Json) -> bool:
    """Whether ``null`` is allowed."""
    return "null" in members(kind)


def admits_record(kind: Json) -> bool:
    """Whether a map can be meant as one value of this type."""
    return any(one == "Any" or (isinstance(one, Mapping) and one.get("type") == "record") for one in members(kind))


def misfits(kind: Json, value: Value, *, secondary: Sequence[str] = (), place: str = "") -> list[Misfit]:
    """All places where a value does not fit a type; none when it does. ``secondary`` are secondaryFiles patterns."""
    options = members(kind)
    found = [_misfits(one, value, secondary, place) for one in options]
    if not all(found):
        return []
    if len(found) == 1:
        return found[0]
    # What is wrong inside of a file, list or record says more than that no type fits.
    deeper = [faults for one, faults in zip(options, found, strict=True) if _same_shape(one, value)]
    if deeper:
        return min(deeper, key=len)
    return [_unlike(kind, value, place)]


def _misfits(kind: Json, value: Value, secondary: Sequence[str], place: str) -> list[Misfit]:  # noqa: PLR0911
    if isinstance(kind, str):
        return _misfits_named(kind, value, secondary, place)
    if isinstance(kind, Sequence):
        return misfits(kind, value, secondary=secondary, place=place)
    if not isinstance(kind, Mapping):
        return [_unlike(kind, value, place)]
    inner = kind.get("type")
    if inner == "array":
        if not isinstance(value, tuple):
            return [_unlike(kind, value, place)]
        items = kind.get("items")
        faults = (
            misfits(items, one, secondary=secondary, place=f"{place}[{number}]") for number, one in enumerate(value)
        )
        return [fault for some in faults for fault in some]
    if inner == "enum":
        return _misfits_enum(kind, value, place)
    if inner == "record":
        return _misfits_record(kind, value, place)
    return misfits(inner, value, secondary=secondary, place=place)


def _misfits_named(kind: str, value: Value, secondary: Sequence[str], place: str) -> list[Misfit]:
    fits: bool
    match kind:
        case "null":
            fits = value is None
        case "Any":
            fits = value is not None
        case "boolean":
            fits = isinstance(value, bool)
        case "int" | "long":
            limit = _INT if kind == "int" else _LONG
            fits = isinstance(value, int) and not isinstance(value, bool)
            if fits and isinstance(value, int) and not -limit <= value < limit:
                return [Misfit(place, f"{value} is too large for {kind}", f"{-limit} to {limit - 1}")]
        case "float" | "double":
            fits = isinstance(value, int | float) and not isinstance(value, bool)
        case "string":
            fits = isinstance(value, str)
        case "File" | "stdin" | "stdout" | "stderr":
            fits = isinstance(value, FileValue)
            if isinstance(value, FileValue):
                return _missing_secondary(value, secondary, place)
        case "Directory":
            fits = isinstance(value, DirectoryValue)
        case _:
            # A type that this software has no rule for is left to the engine.
            fits = True
    return [] if fits else [_unlike(kind, value, place)]


def _misfits_enum(kind: Mapping[str, Json], value: Value, place: str) -> list[Misfit]:
    symbols = [str(one) for one in _list(kind.get("symbols"))]
    if isinstance(value, str) and value in symbols:
        return []
    if isinstance(value, str):
        near = difflib.get_close_matches(value, symbols, n=1)
        hint = f"did you mean {near[0]!r}?" if near else None
        return [Misfit(place, f"{value!r} is not {describe(kind)}", hint)]
    return [_unlike(kind, value, place)]


def _misfits_record(kind: Mapping[str, Json], value: Value, place: str) -> list[Misfit]:
    if not isinstance(value, Mapping):
        return [_unlike(kind, value, place)]
    fields = {str(one["name"]): one for one in fields_of(kind)}
    faults: list[Misfit] = []
    for name in value:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(fields) or 'none'}"
            faults.append(Misfit(f"{place}.{name}", f"the record has no field {name!r}", hint))
    for name, field in fields.items():
        given = value.get(name)
        if given is None:
            if not is_nullable(field["type"]):
                message = f"the field {name!r} ({describe(field['type'])}) is missing"
                faults.append(Misfit(f"{place}.{name}", message))
            continue
        patterns = [str(one) for one in _list(field.get("secondaryFiles"))]
        faults += misfits(field["type"], given, secondary=patterns, place=f"{place}.{name}")
    return faults


def _missing_secondary(value: FileValue, patterns: Sequence[str], place: str) -> list[Misfit]:
    name = basename_of(value)
    there = [basename_of(one) for one in value.secondary]
    if name is None or None in there:
        return []
    faults = []
    for pattern in patterns:
        if pattern.endswith("?") or "$(" in pattern or "${" in pattern:
            continue
        expected = secondary_name(name, pattern)
        if expected not in there:
            message = f"{name!r} needs {expected!r} beside it (secondaryFiles {pattern!r})"
            faults.append(Misfit(place, message, "list it as a secondary file"))
    return faults


def secondary_name(primary: str, pattern: str) -> str:
    """The name that a secondaryFiles pattern means: each leading ``^`` takes one extension away, the rest is added."""
    name = primary
    while pattern.startswith("^"):
        pattern = pattern[1:]
        stem, dot, _ = name.rpartition(".")
        if dot:
            name = stem
    return name + pattern


def basename_of(value: FileValue | DirectoryValue) -> str | None:
    """The name a value is staged under, when it can be known before it is fetched."""
    if value.basename is not None:
        return value.basename
    if value.source is None or not value.source.mirrors:
        return None
    first: Identifier = value.source.mirrors[0]
    if first.scheme not in _NAMED_BY_PATH:
        return None
    body = first.body if first.scheme in ("", "file") else first.body.partition("?")[0]
    return safe_name(body, default="") or None


def _same_shape(kind: Json, value: Value) -> bool:
    """Whether a value is at least of the kind of thing that a type is."""
    if isinstance(kind, str):
        return isinstance(value, FileValue) if kind == "File" else kind in ("int", "long") and type(value) is int
    if isinstance(kind, Mapping):
        inner = kind.get("type")
        return (
            (inner == "array" and isinstance(value, tuple))
            or (inner == "record" and isinstance(value, Mapping))
            or (inner == "enum" and isinstance(value, str))
        )
    return False


def _unlike(kind: Json, value: Value, place: str) -> Misfit:
    wanted = describe([one for one in members(kind) if one != "null"] or kind)
    hint = None
    plain = {one for one in members(kind) if isinstance(one, str)}
    arrays = [one for one in members(kind) if isinstance(one, Mapping) and one.get("type") == "array"]
    if arrays and not isinstance(value, tuple) and value is not None:
        hint = "write it as a list, also when it has one element"
    elif isinstance(value, str) and plain & {"File", "Directory"}:
        hint = "say that it is one, with its class and its url"
    elif "string" in plain and isinstance(value, int | float):
        hint = "put it in quotes"
    return Misfit(place, f"{_named(value)}, where {wanted} is expected", hint)


def _named(value: Value) -> str:  # noqa: PLR0911
    match value:
        case None:
            return "null"
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {value[:60]!r}"
        case FileValue():
            return "a File"
        case DirectoryValue():
            return "a Directory"
        case tuple():
            return f"a list of {len(value)}"
        case _:
            return "a map"


def _list(value: Json) -> Iterator[Json]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        yield from value
