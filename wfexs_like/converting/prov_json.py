"""PROV-JSON.

Source: The PROV-JSON Serialization (W3C Member Submission 2013).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from wfexs_like.converting.addresses import sound
from wfexs_like.converting.names import Names
from wfexs_like.converting.statements import Address, Attribute, Document, Element, Relation, RelationKind, Value
from wfexs_like.converting.turtle import lexical

_FORMAL: Final[dict[RelationKind, tuple[str, str, str]]] = {
    "used": ("prov:activity", "prov:entity", ""),
    "wasGeneratedBy": ("prov:entity", "prov:activity", ""),
    "wasAssociatedWith": ("prov:activity", "prov:agent", "prov:plan"),
    "wasInformedBy": ("prov:informed", "prov:informant", ""),
    "actedOnBehalfOf": ("prov:delegate", "prov:responsible", "prov:activity"),
    "wasAttributedTo": ("prov:entity", "prov:agent", ""),
    "specializationOf": ("prov:specificEntity", "prov:generalEntity", ""),
    "hadMember": ("prov:collection", "prov:entity", ""),
    "wasInfluencedBy": ("prov:influencee", "prov:influencer", ""),
}
"""By relation: what its subject, its object and its third are called."""


def prov_json(document: Document) -> Iterator[str]:
    """The document as PROV-JSON, in pieces: a line for each record, which is quick to write and can be searched."""
    names = Names(document.base)
    encode = json.JSONEncoder(allow_nan=False).encode
    records: defaultdict[str, list[str]] = defaultdict(list)
    for element in document.elements.values():
        records[element.kind].append(f"  {encode(names.short(element.id))}: {encode(_element(element, names))}")
    for number, relation in enumerate(document.relations, 1):
        records[relation.kind].append(f'  "_:r{number}": {encode(_relation(relation, names))}')
    # What readers know by themselves may not be declared otherwise, and needn't be at all.
    known = ("prov", "xsd")
    prefixes = {prefix: uri for prefix, uri in sorted(names.prefixes.items()) if prefix not in known}
    yield f'{{\n"prefix": {encode(prefixes)}'
    for kind, lines in records.items():
        yield f',\n"{kind}": {{\n'
        yield ",\n".join(lines)
        yield "\n}"
    yield "\n}\n"


def _element(element: Element, names: Names) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if element.types:
        said["prov:type"] = _one_or_all([_value(Address(one), names) for one in element.types])
    if element.label is not None:
        said["prov:label"] = sound(element.label)
    if element.started is not None:
        said["prov:startTime"] = element.started.isoformat()
    if element.ended is not None:
        said["prov:endTime"] = element.ended.isoformat()
    return said | _attributes(element.attributes, names)


def _attributes(attributes: tuple[Attribute, ...], names: Names) -> dict[str, Any]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for uri, value in attributes:
        found[names.short(uri)].append(_value(value, names))
    return {name: _one_or_all(values) for name, values in found.items()}


def _relation(relation: Relation, names: Names) -> dict[str, Any]:
    subject, to, third = _FORMAL[relation.kind]
    said: dict[str, Any] = {subject: names.short(relation.subject)}
    if relation.object is not None:
        said[to] = names.short(relation.object)
    if relation.also is not None:
        said[third] = names.short(relation.also)
    if relation.role is not None:
        said["prov:role"] = _value(Address(relation.role), names)
    if relation.label is not None:
        said["prov:label"] = sound(relation.label)
    return said


def _value(value: Value, names: Names) -> Any:
    if isinstance(value, Address):
        return {"$": names.short(value.uri), "type": "prov:QUALIFIED_NAME"}
    if isinstance(value, bool):
        return {"$": "true" if value else "false", "type": "xsd:boolean"}
    if isinstance(value, int):
        return {"$": str(value), "type": "xsd:integer"}
    if isinstance(value, float):
        return {"$": lexical(value), "type": "xsd:double"}
    return sound(value)


def _one_or_all(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
