"""The graph: a crate's entities in one shape, however its maker wrote them down.

Objects within objects become entities of their own, ``./a`` and ``a`` are the same, a type or a property is known by
its short name whatever vocabulary's address stands before it, and a text may stand where an entity is expected.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from wfexs_like.reading.metadata import Entity, Metadata, is_elsewhere, values

DEEPEST_LIST: Final = 8
"""Lists in lists are looked into so deep."""
_MOST_REMARKS: Final = 200


class Remarks:
    """What had to be guessed, each said once."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}

    def add(self, sentence: str) -> None:
        """Say it, unless it has been said."""
        if len(self._said) < _MOST_REMARKS:
            self._said[sentence] = None

    def all(self) -> tuple[str, ...]:
        """All that was said, in order."""
        return tuple(self._said)


class Graph:
    """The entities, each with its short types, and what refers to them."""

    def __init__(self, metadata: Metadata) -> None:
        self.remarks = Remarks()
        self.entities: dict[str, Entity] = {}
        self._nested = 0
        self._fill(metadata.entities)
        self.types = _types_of(self.entities)
        # Kinds of entities are few, entities may be very many.
        self._alike: dict[frozenset[str], list[tuple[int, str]]] = defaultdict(list)
        for place, (identifier, kinds) in enumerate(self.types.items()):
            self._alike[kinds].append((place, identifier))
        self._aliases: dict[str, str] = {}
        for identifier in self.entities:
            self._aliases.setdefault(_bare(identifier), identifier)
        self.descriptor = self._descriptor(metadata)
        self.root_id = self._root_id()
        self.root: Entity = self.entities.get(self.root_id, {})

    def find(self, identifier: str) -> str:
        """The @id by which an entity is described that may be named a little differently."""
        if identifier in self.entities:
            return identifier
        return self._aliases.get(_bare(identifier), identifier)

    def __getitem__(self, identifier: str) -> Entity:
        """The entity of that @id; an empty one where nothing is said of it."""
        return self.entities.get(self.find(identifier), {})

    def kinds(self, identifier: str) -> frozenset[str]:
        """The short types of an entity."""
        return self.types.get(self.find(identifier), frozenset())

    def of_type(self, *names: str) -> Iterator[tuple[str, Entity]]:
        """All entities of one of these types."""
        wanted = frozenset(names)
        found = [alike for kinds, alike in self._alike.items() if kinds & wanted]
        for _, identifier in found[0] if len(found) == 1 else sorted(one for alike in found for one in alike):
            yield identifier, self.entities[identifier]

    def follow(self, entity: Entity, *names: str) -> Iterator[tuple[str, Entity]]:
        """What properties refer to, each once, by @id; a text is its own @id where no entity has it for one."""
        seen: set[str] = set()
        for name in names:
            for value in values(entity.get(name)):
                found = value.get("@id") if isinstance(value, dict) else value
                if isinstance(found, str) and found:
                    identifier = self.find(found)
                    if identifier not in seen:
                        seen.add(identifier)
                        yield identifier, self.entities.get(identifier, {})

    def text(self, entity: Entity, *names: str) -> str | None:
        """The first text that one of the properties has; of an entity that stands there, its name or @id."""
        for name in names:
            for value in values(entity.get(name)):
                found = self._as_text(value)
                if found:
                    return found
        return None

    def _as_text(self, value: object) -> str | None:
        if isinstance(value, dict):
            identifier = value.get("@id")
            if not isinstance(identifier, str):
                return None
            name = self[identifier].get("name")
            return name if isinstance(name, str) and name else identifier
        return scalar_text(value)

    def label(self, identifier: str, entity: Entity) -> str:
        """What to call an entity: its name, or the end of its @id."""
        return self.text(entity, "name") or tail(identifier)

    # -- making it --------------------------------------------------------------------------------------------------

    def _fill(self, entities: Mapping[str, Entity]) -> None:
        pending: list[tuple[str, Entity]] = []
        for identifier, entity in entities.items():
            self.entities[identifier] = self._flat(entity, pending)
        while pending:
            identifier, entity = pending.pop()
            if identifier not in self.entities:
                self.entities[identifier] = self._flat(entity, pending)

    def _flat(self, entity: Entity, pending: list[tuple[str, Entity]]) -> Entity:
        """The entity with references where objects were; those are put aside to be entities as well."""
        if _all_flat(entity):
            return entity
        found: dict[str, Any] = {}
        for key, value in entity.items():
            if key == "@reverse":
                continue
            name = key if key.startswith("@") else _short(key)
            flat = [self._plain(one, pending) for one in _unrolled(value)]
            found.setdefault(name, flat[0] if len(flat) == 1 and not isinstance(value, list) else flat)
        return found

    def _plain(self, value: Any, pending: list[tuple[str, Entity]]) -> Any:
        if not isinstance(value, dict):
            return value
        if "@value" in value:
            return value["@value"] if not isinstance(value["@value"], dict | list) else None
        identifier = value.get("@id")
        if isinstance(identifier, str) and identifier:
            if len(value) > 1:
                pending.append((identifier, value))
            return {"@id": identifier}
        if not value:
            return None
        self._nested += 1
        identifier = f"_:nested-{self._nested}"
        pending.append((identifier, value))
        return {"@id": identifier}

    def _descriptor(self, metadata: Metadata) -> Entity:
        """The metadata's own entity, by its name wherever the crate says it lies."""
        for name in ("ro-crate-metadata.json", "ro-crate-metadata.jsonld"):
            if name in self.entities or _bare(name) in self._aliases:
                return self[name]
        for identifier, entity in self.entities.items():
            if identifier.endswith(("/ro-crate-metadata.json", "/ro-crate-metadata.jsonld")) and "about" in entity:
                return entity
        return metadata.descriptor

    def _root_id(self) -> str:
        for identifier, _ in self.follow(self.descriptor, "about"):
            return identifier
        return "./" if "./" in self.entities else "."


def scalar_text(value: object) -> str | None:
    """A text, or a number as one; ``None`` for anything else."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        try:
            return str(value)
        except ValueError:  # an integer of thousands of digits
            return None
    return None


def number(value: object) -> float | int | None:
    """A number, told as one or as its text; ``None`` for anything else and for what is not finite."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if len(value) > 40:  # noqa: PLR2004 - longer ones are no numbers that anybody means
            return None
        try:
            value = int(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                return None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int) else None


def tail(identifier: str) -> str:
    """The last part of an @id, for people."""
    shown = identifier.rstrip("/#")
    return unquote(shown.rpartition("#")[2].rpartition("/")[2]) or identifier


def _bare(identifier: str) -> str:
    return identifier if is_elsewhere(identifier) else identifier.removeprefix("./").rstrip("/")


def _all_flat(entity: Entity) -> bool:
    # Most values are texts, and there may be millions.
    for key, value in entity.items():
        if (type(value) is not str or ":" in key) and not _is_flat(key, value):
            return False
    return True


def _is_flat(key: str, value: object) -> bool:
    if ":" in key or key == "@reverse":
        return False
    if isinstance(value, dict):
        return len(value) == 1 and isinstance(value.get("@id"), str)
    if isinstance(value, list):
        return all(
            not isinstance(one, dict | list)
            or (isinstance(one, dict) and len(one) == 1 and isinstance(one.get("@id"), str))
            for one in value
        )
    return True


def _unrolled(value: Any, depth: int = 0) -> Iterator[Any]:
    """The values of lists in lists and of JSON-LD's own lists, one after the other."""
    if isinstance(value, dict) and ("@list" in value or "@set" in value):
        value = value.get("@list", value.get("@set"))
        value = value if isinstance(value, list) else [value]
    if not isinstance(value, list):
        yield value
    elif depth < DEEPEST_LIST:
        for one in value:
            yield from _unrolled(one, depth + 1)


def _short(term: str) -> str:
    """``schema:name`` and ``http://schema.org/name`` are ``name``."""
    if ":" not in term:
        return term
    return term.rstrip("/#").rpartition("#")[2].rpartition("/")[2].rpartition(":")[2] or term


def _types_of(entities: Mapping[str, Entity]) -> dict[str, frozenset[str]]:
    """The short types of each, those that are alike as one object."""
    known: dict[tuple[str, ...], frozenset[str]] = {}
    found = {}
    for identifier, entity in entities.items():
        told = entity.get("@type")
        key = (told,) if type(told) is str else tuple(one for one in values(told) if isinstance(one, str))
        kinds = known.get(key)
        if kinds is None:
            kinds = known[key] = frozenset(map(_short, key))
        found[identifier] = kinds
    return found
