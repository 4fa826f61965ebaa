"""Judges of PROV documents: the prov library reads PROV-JSON, and what W3C's PROV-CONSTRAINTS forbids is looked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from prov.model import (
    ProvActivity,
    ProvCommunication,
    ProvDocument,
    ProvElement,
    ProvEntity,
    ProvGeneration,
    ProvRelation,
    ProvSpecialization,
    ProvUsage,
)

FIRST, LAST = datetime.fromisoformat("0001-01-01T00:00:00+00:00"), datetime.fromisoformat("9999-12-31T00:00:00+00:00")


def read_prov_json(text: str) -> ProvDocument:
    document = ProvDocument.deserialize(content=text, format="json")
    assert isinstance(document, ProvDocument)
    return document


def violations(document: ProvDocument) -> list[str]:
    """Each breach of a constraint, by what it is of."""
    return list(_violations(document))


def _violations(document: ProvDocument) -> Iterator[str]:
    kinds: defaultdict[str, set[type]] = defaultdict(set)
    for one in document.get_records(ProvElement):
        kinds[one.identifier.uri].add(type(one))
    yield from (
        f"{one} is an entity and an activity" for one, has in kinds.items() if {ProvEntity, ProvActivity} <= has
    )
    times = {
        one.identifier.uri: (one.get_startTime() or FIRST, one.get_endTime() or LAST)
        for one in document.get_records(ProvActivity)
    }
    yield from (f"{one} ended before it began" for one, (began, ended) in times.items() if began > ended)
    for relation in document.get_records(ProvRelation):
        yield from (
            f"{relation} speaks of {one.uri}, of which nothing is told"
            for _, one in relation.formal_attributes
            if hasattr(one, "uri") and one.uri not in kinds
        )
    makers: defaultdict[str, list[str]] = defaultdict(list)
    for entity, activity in _pairs(document, ProvGeneration):
        makers[entity].append(activity)
    for entity, activities in makers.items():
        if max(times[one][0] for one in activities) > min(times[one][1] for one in activities):
            yield f"{entity} came to be twice"
    for activity, entity in _pairs(document, ProvUsage):
        if any(times[one][0] > times[activity][1] for one in makers[entity]):
            yield f"{activity} used {entity} before it came to be"
    for informed, informant in _pairs(document, ProvCommunication):
        if times[informant][0] > times[informed][1]:
            yield f"{informed} was informed by {informant}, which began later"
    yield from (f"{one} is a kind of itself" for one, other in _pairs(document, ProvSpecialization) if one == other)


def _pairs(document: ProvDocument, kind: type) -> Iterator[tuple[str, str]]:
    for one in document.get_records(kind):
        found = [value for _, value in one.formal_attributes[:2]]
        if all(found):
            yield found[0].uri, found[1].uri
