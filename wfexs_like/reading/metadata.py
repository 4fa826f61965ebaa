"""Metadata: the entities of a crate's JSON-LD by @id, with limits, and without fetching anything.

Source: RO-Crate 1.1, "RO-Crate JSON-LD": flattened, compacted, one entity an @id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from staging.crate_source import METADATA
from staging.crowded import is_crowded
from staging.errors import CrateError, PolicyError
from staging.paths import safe_relative
from wfexs_like.reading.plain_paths import is_plain_path

LARGEST_METADATA: Final = 256 << 20
"""Bytes; a crate with a hundred thousand files has about 30 MB of metadata."""

WHAT: Final = "the crate's metadata "
"""What every complaint of theirs begins with."""

Entity = Mapping[str, Any]

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//|_:")


class _FaultError(ValueError):
    """The metadata can't be what anybody means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What the metadata say, by @id; ``faults`` are what is wrong with them as they are.

    ``context`` is what the document says of its terms, as it stands there.
    """

    entities: Mapping[str, Entity]
    context: object = None
    faults: tuple[str, ...] = ()

    def __getitem__(self, identifier: str | None) -> Entity:
        """The entity of that @id; an empty one where nothing is said of it."""
        return self.entities.get(identifier, {}) if identifier is not None else {}

    @property
    def descriptor(self) -> Entity:
        """The metadata's own entity."""
        return self.entities.get(METADATA) or self.entities.get(f"./{METADATA}") or {}

    @property
    def root_id(self) -> str:
        """The @id of the root data entity."""
        return reference(self.descriptor.get("about")) or "./"

    @property
    def root(self) -> Entity:
        """The root data entity; an empty one when the crate has none."""
        return self[self.root_id]

    def of(self, entity: Entity, name: str) -> Iterator[tuple[str, Entity]]:
        """The entities that a property refers to, each with its @id; an empty one where nothing is said of it."""
        for identifier in references(entity.get(name)):
            yield identifier, self[identifier]


def parse_metadata(content: bytes) -> Metadata:
    """The metadata of a crate.

    Raises:
        PolicyError: it has more values than memory should be spent on, or they are nested too deeply.
        CrateError: it is no RO-Crate's.
    """
    if is_crowded(content):
        raise PolicyError(f"{WHAT}can't be understood: it has too many values", where=METADATA)
    try:
        document = json.loads(content, parse_constant=_refuse_constant, object_pairs_hook=_once)
    except RecursionError as error:
        raise PolicyError(f"{WHAT}can't be understood: it is nested too deeply", where=METADATA) from error
    except ValueError as error:
        reason = str(error) if isinstance(error, _FaultError) else f"it is not JSON: {error}"
        raise CrateError(f"{WHAT}can't be understood: {reason}"[:300], where=METADATA) from error
    graph = document.get("@graph") if isinstance(document, dict) else None
    if not isinstance(graph, list):
        raise CrateError(f"{WHAT}can't be understood: it has no @graph", where=METADATA)
    faults: list[str] = []
    entities: dict[str, Entity] = {}
    for one in graph:
        identifier = one.get("@id") if isinstance(one, dict) else None
        if not isinstance(identifier, str) or not identifier:
            faults.append("an entity has no @id")
        elif identifier in entities:
            faults.append(f"it describes {identifier[:200]!r} more than once")
        else:
            entities[identifier] = one
    return Metadata(entities=entities, context=document.get("@context"), faults=tuple(faults))


def values(value: object) -> list[Any]:
    """A property's values: none, one, or all that are in an array."""
    return [] if value is None else value if isinstance(value, list) else [value]


def reference(value: object) -> str | None:
    """The ``@id`` that a value of the metadata refers to, when it is one."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    found = value.get("@id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and found else None


def references(value: object) -> tuple[str, ...]:
    """Every ``@id`` that a value of the metadata refers to."""
    return tuple(found for one in values(value) if (found := reference(one)) is not None)


def types(entity: Entity) -> frozenset[str]:
    """The entity's types."""
    return frozenset(one for one in values(entity.get("@type")) if isinstance(one, str))


def text(value: object) -> str | None:
    """A property's text; ``None`` when it is something else, or empty."""
    return value if isinstance(value, str) and value else None


def is_elsewhere(identifier: str) -> bool:
    """Whether an ``@id`` is an absolute URI or a blank node: nothing that lies in the crate."""
    return _SCHEME.match(identifier) is not None


def paths_of(identifier: str) -> tuple[str, ...]:
    """The paths that a data entity's ``@id`` may mean, likeliest first: decoded, as it is, without a fragment.

    None for what lies elsewhere, for a fragment of the metadata, and where it leads out of the crate.
    """
    if is_plain_path(identifier):
        return (identifier,)
    if is_elsewhere(identifier) or identifier.startswith("#"):
        return ()
    found: dict[str, None] = {}
    document = identifier.partition("#")[0]
    for one in dict.fromkeys((unquote(identifier), identifier, unquote(document))):
        try:
            found[str(safe_relative(one.removeprefix("./").rstrip("/")))] = None
        except PolicyError:
            if one == unquote(identifier):
                return ()
    return tuple(found)


def _refuse_constant(name: str) -> object:
    raise _FaultError(f"it has {name}, which is not JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _FaultError(f"an object in it has {name[:100]!r} twice")
            seen.add(name)
    return found
