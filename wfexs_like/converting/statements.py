"""Statements of W3C PROV, apart from how they are written.

Source: PROV-DM: The PROV Data Model (W3C Recommendation 2013).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, NamedTuple

PROV: Final = "http://www.w3.org/ns/prov#"
XSD: Final = "http://www.w3.org/2001/XMLSchema#"
RDFS: Final = "http://www.w3.org/2000/01/rdf-schema#"
SCHEMA: Final = "http://schema.org/"
WFPROV: Final = "http://purl.org/wf4ever/wfprov#"
WFDESC: Final = "http://purl.org/wf4ever/wfdesc#"
WF4EVER: Final = "http://purl.org/wf4ever/wf4ever#"
CWLPROV: Final = "https://w3id.org/cwl/prov#"
WFRUN: Final = "https://w3id.org/ro/terms/workflow-run#"
OWN: Final = "urn:wfexs-like:terms:"
"""Of what has no public word: ``command``, ``exitCode``, ``address``, ``sealed``, ``variable``."""

NAMESPACES: Final = {
    "prov": PROV,
    "xsd": XSD,
    "rdfs": RDFS,
    "schema": SCHEMA,
    "wfprov": WFPROV,
    "wfdesc": WFDESC,
    "wf4ever": WF4EVER,
    "cwlprov": CWLPROV,
    "wfrun": WFRUN,
    "wfexs": OWN,
    "hash": "urn:hash::sha256:",
    "uuid": "urn:uuid:",
    "orcid": "https://orcid.org/",
}


class Address(NamedTuple):
    """A value that is another thing's URI, and no text."""

    uri: str


Value = str | bool | int | float | Address
Attribute = tuple[str, Value]
"""A property's URI and its value."""

ElementKind = Literal["entity", "activity", "agent"]
RelationKind = Literal[
    "used",
    "wasGeneratedBy",
    "wasAssociatedWith",
    "wasInformedBy",
    "actedOnBehalfOf",
    "wasAttributedTo",
    "specializationOf",
    "hadMember",
    "wasInfluencedBy",
]


class Element(NamedTuple):
    """An entity, an activity or an agent. Only an activity has times; they are aware."""

    # A tuple, as are relations: there are hundreds of thousands of them.
    kind: ElementKind
    id: str
    types: tuple[str, ...] = ()
    label: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    attributes: tuple[Attribute, ...] = ()


class Relation(NamedTuple):
    """Between two elements, in the order of PROV-DM (``used(activity, entity)``, ``wasGeneratedBy(entity, activity)``).

    ``object`` is ``None`` for an association with an agent whom nobody names. ``also`` is the third one: the plan of an
    association, the activity of a delegation. ``role`` is what it was used or made as, ``label`` that role's name.
    """

    kind: RelationKind
    subject: str
    object: str | None
    also: str | None = None
    role: str | None = None
    label: str | None = None


@dataclass(slots=True, kw_only=True)
class Document:
    """All that is told, without repetition, in the order in which it came.

    ``elements`` are by kind and URI: an engine may be an agent here and a plan there. ``base`` is what the addresses
    inside of the crate begin with. ``roles`` are the names of the roles by URI.
    """

    base: str
    elements: dict[tuple[ElementKind, str], Element] = field(default_factory=dict)
    relations: dict[Relation, None] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)

    def add(self, element: Element) -> str:
        """Tell of an element, unless it has been told of; its URI."""
        self.elements.setdefault((element.kind, element.id), element)
        return element.id

    def relate(
        self,
        kind: RelationKind,
        subject: str,
        to: str | None,
        *,
        also: str | None = None,
        role: str | None = None,
        label: str | None = None,
    ) -> None:
        """Tell of a relation, once."""
        self.relations[Relation(kind, subject, to, also, role, label)] = None
