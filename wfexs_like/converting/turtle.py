"""PROV-O as Turtle: written piece by piece, since a general serialiser takes minutes for a large crate.

Every name from outside is in ASCII, and every text has its quotes, line breaks and all that could turn a line round
written as escapes.
Source: PROV-O and RDF 1.1 Turtle (W3C Recommendations 2013 and 2014).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from wfexs_like.converting.addresses import sound
from wfexs_like.converting.statements import (
    NAMESPACES,
    Address,
    Document,
    Element,
    Relation,
    RelationKind,
    Value,
)

_KINDS: Final = {"entity": "prov:Entity", "activity": "prov:Activity", "agent": "prov:Agent"}
_QUALIFIED: Final[dict[RelationKind, tuple[str, str, str, str]]] = {
    "used": ("prov:qualifiedUsage", "prov:Usage", "prov:entity", ""),
    "wasGeneratedBy": ("prov:qualifiedGeneration", "prov:Generation", "prov:activity", ""),
    "wasAssociatedWith": ("prov:qualifiedAssociation", "prov:Association", "prov:agent", "prov:hadPlan"),
    "actedOnBehalfOf": ("prov:qualifiedDelegation", "prov:Delegation", "prov:agent", "prov:hadActivity"),
}
"""By relation: the qualified property, its class, what leads to the object and what to the third."""

_LOCAL: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_PLAIN: Final = re.compile(
    r"(?:[A-Za-z0-9_%-][A-Za-z0-9_.%-]*/)*[A-Za-z0-9_%-][A-Za-z0-9_.%-]*(?:#[A-Za-z0-9_.%/-]+)?|#[A-Za-z0-9_.%/-]+"
)
"""What every reader resolves to the same: no scheme, no dots or nothing for a segment, no query."""
_ESCAPED: Final = re.compile(
    '["\\\\\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]'
)
_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def turtle(document: Document) -> Iterator[str]:
    """The document as Turtle, in pieces that end with a line break."""
    writer = _Writer(document)
    yield from writer.pieces()


class _Writer:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.names = {uri: prefix for prefix, uri in NAMESPACES.items()}
        self.written: dict[str, str] = {}
        self.of_subject: defaultdict[str, list[Relation]] = defaultdict(list)
        for one in document.relations:
            self.of_subject[one.subject].append(one)

    def pieces(self) -> Iterator[str]:
        for prefix, uri in NAMESPACES.items():
            yield f"@prefix {prefix}: <{uri}> .\n"
        yield f"@base <{self.document.base}> .\n\n"
        for uri, label in self.document.roles.items():
            yield f"{self.uri(uri)} a prov:Role ;\n    rdfs:label {text(label)} .\n"
        for element in self.document.elements.values():
            yield self.element(element)

    def element(self, element: Element) -> str:
        lines = [f"a {', '.join((_KINDS[element.kind], *map(self.uri, element.types)))}"]
        if element.label is not None:
            lines.append(f"rdfs:label {text(element.label)}")
        if element.started is not None:
            lines.append(f"prov:startedAtTime {moment(element.started)}")
        if element.ended is not None:
            lines.append(f"prov:endedAtTime {moment(element.ended)}")
        lines += [f"{self.uri(uri)} {self.value(value)}" for uri, value in element.attributes]
        # Taken out: what is an agent and a plan is told of twice, its relations once.
        for relation in self.of_subject.pop(element.id, ()):
            lines += self.relation(relation)
        return f"{self.uri(element.id)} " + " ;\n    ".join(lines) + " .\n"

    def relation(self, relation: Relation) -> Iterator[str]:
        target = None if relation.object is None else self.uri(relation.object)
        if target is not None:
            yield f"prov:{relation.kind} {target}"
        qualified = _QUALIFIED.get(relation.kind)
        if qualified is None or (relation.role is None and relation.also is None):
            return
        name, kind, to, third = qualified
        inside = [f"a {kind}"]
        if target is not None:
            inside.append(f"{to} {target}")
        if relation.role is not None:
            inside.append(f"prov:hadRole {self.uri(relation.role)}")
        if relation.also is not None:
            inside.append(f"{third} {self.uri(relation.also)}")
        yield f"{name} [ {' ; '.join(inside)} ]"

    def uri(self, uri: str) -> str:
        found = self.written.get(uri)
        if found is None:
            found = self.written[uri] = self._uri(uri)
        return found

    def _uri(self, uri: str) -> str:
        inner = uri.removeprefix(self.document.base)
        if inner != uri:
            return f"<{inner}>" if _PLAIN.fullmatch(inner) else f"<{uri}>"
        end = max(uri.rfind("#"), uri.rfind("/"), uri.rfind(":")) + 1
        prefix, local = self.names.get(uri[:end]), uri[end:]
        return f"{prefix}:{local}" if prefix is not None and _LOCAL.fullmatch(local) else f"<{uri}>"

    def value(self, value: Value) -> str:
        if isinstance(value, Address):
            return self.uri(value.uri)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float):
            return f'"{lexical(value)}"^^xsd:double'
        return text(value)


def text(value: str) -> str:
    """A literal of that text."""
    return f'"{_ESCAPED.sub(_escape, sound(value))}"'


def _escape(match: re.Match[str]) -> str:
    return _SHORT.get(match[0]) or f"\\u{ord(match[0]):04X}"


def lexical(value: float) -> str:
    """A number as ``xsd:double`` has it, which knows infinity and what is no number."""
    return {"inf": "INF", "-inf": "-INF", "nan": "NaN"}.get(repr(value), repr(value))


def moment(time: datetime) -> str:
    """A literal of that moment."""
    return f'"{time.isoformat()}"^^xsd:dateTime'
