"""A flat JSON-LD graph: entities by @id, written in one order and with one spelling.

Source: RO-Crate 1.1 and 1.3, "RO-Crate JSON-LD": flattened, compacted, every entity with @id and @type, single values
not in arrays.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias
from urllib.parse import quote

from wfexs_like.crate.generations import FIRST, Generation

Literal: TypeAlias = str | int | float | bool
METADATA = "ro-crate-metadata.json"
ROOT = "./"
_encode = json.JSONEncoder(ensure_ascii=False).encode
# What RFC 3986 allows in a path segment, without ":", which would read as a scheme in a first segment.
_PATH_SAFE = "/~!$&'()*+,;=@-._"


def path_id(path: str, *, folder: bool = False) -> str:
    """The @id of something in the crate: its path, percent-encoded; a folder's ends with ``/``."""
    return quote(path, safe=_PATH_SAFE) + ("/" if folder else "")


def fragment(*parts: str) -> str:
    """A local @id, ``#part/part``, percent-encoded."""
    return "#" + "/".join(quote(part, safe="~!$&'()*+,;=@-._") for part in parts)


class Ref(str):
    """A value that is another entity's @id."""

    __slots__ = ()


class Entity:
    """One entity. Values keep the order they came in; the same value is not kept twice."""

    __slots__ = ("id", "properties", "types")

    def __init__(self, entity_id: str, types: Iterable[str]) -> None:
        self.id = entity_id
        self.types = dict.fromkeys(types)
        self.properties: dict[str, dict[tuple[type, Literal], None]] = {}

    def set(self, name: str, *values: Literal | None) -> Entity:
        """Replace the values of a property; ``None`` is no value."""
        self.properties.pop(name, None)
        return self.add(name, *values)

    def add(self, name: str, *values: Literal | None) -> Entity:
        """Add values to a property; ``None`` is no value."""
        for value in values:
            if value is not None:
                self.properties.setdefault(name, {})[(type(value), value)] = None
        return self

    def has(self, name: str) -> bool:
        """Whether the property has a value."""
        return name in self.properties

    def as_json(self) -> dict[str, object]:
        """The entity's JSON-LD object."""
        types = list(self.types)
        record: dict[str, object] = {"@id": self.id, "@type": types[0] if len(types) == 1 else types}
        for name in sorted(self.properties):
            values = [{"@id": str(value)} if kind is Ref else value for kind, value in self.properties[name]]
            record[name] = values[0] if len(values) == 1 else values
        return record


class Graph:
    """Entities by @id, in the words of a generation of profiles."""

    def __init__(self, generation: Generation = FIRST) -> None:
        self.generation = generation
        self._entities: dict[str, Entity] = {}

    def __contains__(self, entity_id: str) -> bool:
        return entity_id in self._entities

    def __getitem__(self, entity_id: str) -> Entity:
        return self._entities[entity_id]

    def __iter__(self) -> Iterator[Entity]:
        return iter(self._entities.values())

    def add(self, entity_id: str, *types: str, **properties: Literal | None) -> Entity:
        """The entity of that @id, made when it isn't there yet; types and values are added to it."""
        entity = self._entities.get(entity_id)
        if entity is None:
            entity = self._entities[entity_id] = Entity(entity_id, types)
        else:
            entity.types.update(dict.fromkeys(types))
        for name, value in properties.items():
            entity.add(name, value)
        return entity

    def context(self) -> list[object]:
        """The ``@context``: RO-Crate's, and exactly those further terms that are used."""
        used = {name for entity in self for name in (*entity.types, *entity.properties)}
        terms, context = self.generation.terms, self.generation.context
        # After RO-Crate's own: 1.3 has a sha256, too, which is schema.org's.
        extra = {term: terms[term] for term in sorted(used & terms.keys())}
        return [context, extra] if extra else [context]

    def as_json(self) -> Mapping[str, object]:
        """The document: the descriptor, the root, then all others by @id."""
        return {**self._head(), "@graph": [entity.as_json() for entity in self._in_order()]}

    def _head(self) -> dict[str, object]:
        context = self.context()
        return {"@context": context if len(context) > 1 else context[0]}

    def _in_order(self) -> Iterator[Entity]:
        yield from (self._entities[one] for one in (METADATA, ROOT) if one in self._entities)
        yield from (self._entities[one] for one in sorted(self._entities.keys() - {METADATA, ROOT}))

    def serialise(self) -> bytes:
        """The document's text, made entity by entity: a run of very many steps has very many."""
        head = json.dumps({**self._head(), "@graph": []}, indent=1, ensure_ascii=False)
        start, end = head[: -len("]\n}")], "\n ]\n}\n"
        text = bytearray(start.encode())
        for number, entity in enumerate(self._in_order()):
            text += f"{',' if number else ''}\n  {_indented(entity.as_json(), '   ')}".encode()
        return bytes(text + end.encode())


def _indented(value: object, margin: str) -> str:
    """What ``json.dumps`` with an indent of 1 gives, without its slow encoder: entities are flat, and many."""
    if isinstance(value, dict) and value:
        inside = f",\n{margin}".join(f"{_encode(key)}: {_indented(one, margin + ' ')}" for key, one in value.items())
        return f"{{\n{margin}{inside}\n{margin[:-1]}}}"
    if isinstance(value, list) and value:
        inside = f",\n{margin}".join(_indented(one, margin + " ") for one in value)
        return f"[\n{margin}{inside}\n{margin[:-1]}]"
    return _encode(value)
