"""Secondary files that lie beside their primary and that nobody named: what cwltool looks for, staged like the named.

Source: CWL v1.2, SecondaryFileSchema. Pure, but for what ``beside`` knows.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

from engines.base import Beside
from engines.fitting import basename_of, secondary_name
from staging.definition import DirectoryValue, FileValue, Source, Value
from staging.identifiers import Identifier
from staging.plan import Json, Kind


def with_secondaries(kind: Json, value: Value, patterns: Sequence[str], beside: Beside) -> Value:
    """The value with the secondary files that its type asks for and ``beside`` sees, where none was named."""
    if isinstance(value, FileValue):
        return _completed(value, patterns, beside)
    if isinstance(kind, Sequence) and not isinstance(kind, str):
        # Of several types the one that the value is of: with the others nothing changes.
        changed = (with_secondaries(one, value, patterns, beside) for one in kind)
        return next((one for one in changed if one != value), value)
    inner = kind.get("type") if isinstance(kind, Mapping) else None
    if isinstance(kind, Mapping) and inner == "array" and isinstance(value, tuple):
        return tuple(with_secondaries(kind.get("items"), one, patterns, beside) for one in value)
    if isinstance(kind, Mapping) and inner == "record" and isinstance(value, Mapping):
        return _of_record(kind, value, beside)
    return with_secondaries(inner, value, patterns, beside) if isinstance(inner, Mapping | list) else value


def _of_record(kind: Mapping[str, Json], value: Mapping[str, Value], beside: Beside) -> Mapping[str, Value]:
    completed = dict(value)
    fields = kind.get("fields")
    for field in fields if isinstance(fields, list) else ():
        if isinstance(field, Mapping) and field.get("name") in completed:
            name, patterns = str(field["name"]), field.get("secondaryFiles")
            texts = [str(one) for one in patterns] if isinstance(patterns, list) else []
            completed[name] = with_secondaries(field.get("type"), completed[name], texts, beside)
    return completed


def _completed(value: FileValue, patterns: Sequence[str], beside: Beside) -> FileValue:
    name = basename_of(value)
    if value.source is None or name is None:
        return value
    found = list(value.secondary)
    there = {basename_of(one) for one in found}
    for pattern in patterns:
        plain = pattern.removesuffix("?")
        if "$(" in plain or "${" in plain:
            continue
        expected = secondary_name(name, plain)
        neighbours = tuple(_neighbour(one, plain) for one in value.source.mirrors[:1])
        kind = beside(neighbours[0]) if expected not in there else None
        if kind is not None:
            make = FileValue if kind is Kind.FILE else DirectoryValue
            source = Source(mirrors=neighbours, where=value.where, licences=value.source.licences)
            found.append(
                make(
                    source=source,
                    basename=expected,
                    disclosable=value.disclosable,
                    cacheable=value.cacheable,
                    clonable=value.clonable,
                    where=value.where,
                )
            )
    return replace(value, secondary=tuple(found))


def _neighbour(primary: Identifier, pattern: str) -> Identifier:
    folder, name = posixpath.split(primary.body)
    return replace(
        primary, body=posixpath.join(folder, secondary_name(name, quote(pattern, safe="^._-+~"))), fragment=""
    )
