"""Items: the data and the values of a crate, each made once and shared by all that speak of it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from wfexs_like.reading.account import Item, ItemKind
from wfexs_like.reading.contents import Contents
from wfexs_like.reading.digests import DIGESTS, byte_count, hexadecimal
from wfexs_like.reading.graph import Graph, tail
from wfexs_like.reading.metadata import Entity, is_elsewhere, paths_of, references, values
from wfexs_like.seal.manifests import SUFFIX
from wfexs_like.seal.naming import TREE_RULE

DATA: Final = ("File", "MediaObject", "ImageObject", "Dataset", "RepositoryCollection", "Collection")
"""The types of data entities."""

DEEPEST: Final = 16
"""Parts of parts are looked into so deep."""
MOST_PARTS: Final = 200_000
"""So many parts and parts of parts one item may have, counted as often as they come."""

_PARTS: Final[Mapping[ItemKind, tuple[str, ...]]] = {
    "folder": ("mainEntity", "hasPart"),
    "collection": ("mainEntity", "hasPart"),
    "value": ("value",),
}
_ADDRESSES: Final = ("contentUrl", "url", "downloadUrl", "distribution", "sameAs", "identifier")
_FOLDERS: Final = frozenset({"Dataset", "RepositoryCollection", "RepositoryObject"})
_FILES: Final = frozenset({"File", "MediaObject", "ImageObject"})
_WEB: Final = ("http://", "https://", "ftp://", "ftps://", "s3://", "gs://", "sftp://", "drs://", "file://")


class Items:
    """Makes items out of entities. ``contents`` are the crate's files, where they are at hand."""

    def __init__(self, graph: Graph, contents: Contents | None) -> None:
        self.graph = graph
        self.contents = contents
        self._made: dict[str, Item] = {}
        self._weights: dict[str, int] = {}
        self._open: set[str] = set()
        self._examples = self._work_examples()

    def of(self, references_to: Iterable[tuple[str, Entity]]) -> tuple[Item, ...]:
        """Items of what a property refers to."""
        return tuple(self.item(identifier) for identifier, _ in references_to)

    def item(self, identifier: str) -> Item:
        """The item of that @id, whatever is said of it."""
        identifier = self.graph.find(identifier)
        found = self._made.get(identifier)
        return found if found is not None else self._make(identifier, 0)

    def data(self) -> tuple[Item, ...]:
        """All data entities of the crate but the crate itself, in the order of its metadata."""
        root, descriptor = self.graph.root_id, str(self.graph.descriptor.get("@id", ""))
        return tuple(
            self.item(identifier)
            for identifier, _ in self.graph.of_type(*DATA)
            if identifier not in (root, descriptor, "./", ".")
        )

    def _make(self, identifier: str, depth: int) -> Item:
        entity = self.graph.entities.get(identifier, {})
        kinds = self.graph.types.get(identifier, frozenset())
        path, present = self._place(identifier)
        kind = self._kind(identifier, kinds, path)
        formats = _formats(entity.get("encodingFormat"))
        parts, weight = self._parts(identifier, entity, kind, depth)
        slots = references(entity["exampleOfWork"]) if "exampleOfWork" in entity else ()
        item = Item(
            id=identifier,
            kind=kind,
            name=self._name(identifier, entity, kind),
            path=path,
            present=present,
            address=self._address(identifier, entity),
            value=_value(entity) if kind == "value" else None,
            digests=_digests(entity) if kind == "file" else self._tree_digest(entity) if kind == "folder" else {},
            size=self._size(entity) if kind != "value" else None,
            media_type=next((one for one in formats if "/" in one and "://" not in one), None),
            sealed=identifier.endswith(SUFFIX) or any("crypt4gh" in one.lower() for one in formats),
            slots=tuple(map(self.graph.find, slots)) or tuple(self._examples.get(identifier, ())),
            parts=parts,
        )
        if weight is not None:
            self._made[identifier] = item
            self._weights[identifier] = weight
        return item

    def _parts(
        self, identifier: str, entity: Entity, kind: ItemKind, depth: int
    ) -> tuple[tuple[Item, ...], int | None]:
        """What it is made of, and how many items that are with all of theirs; ``None`` where it was cut short."""
        names = _PARTS.get(kind)
        if names is None:
            return (), 1
        told = [one for one in self._told(entity, *names) if one != identifier]
        if not told:
            return (), 1
        if depth >= DEEPEST:
            self.graph.remarks.add(f"parts of parts are told {DEEPEST} deep")
            return (), None
        self._open.add(identifier)
        found: list[Item] = []
        weight = 1
        for one in told:
            if one in self._open:
                self.graph.remarks.add("what is told to be a part of itself is left out where it is")
                continue
            part = self._made.get(one) or self._make(one, depth + 1)
            heavy = self._weights.get(one, 1)
            if weight + heavy > MOST_PARTS:
                self.graph.remarks.add(f"something has more than {MOST_PARTS} parts: the parts of some are left out")
                part, heavy = replace(part, parts=()), 1
            weight += heavy
            found.append(part)
        self._open.discard(identifier)
        return tuple(found), weight

    def _told(self, entity: Entity, *names: str) -> list[str]:
        """The parts' @ids: for a value only where entities stand there."""
        return list(dict.fromkeys(self.graph.find(one) for name in names for one in references(entity.get(name))))

    def _place(self, identifier: str) -> tuple[str | None, bool]:
        paths = paths_of(identifier)
        if not paths:
            return None, False
        if self.contents is not None:
            for path in paths:
                if path in self.contents.members or self.contents.resolve(path) is not None:
                    return path, True
        return paths[0], False

    def _kind(self, identifier: str, kinds: frozenset[str], path: str | None) -> ItemKind:
        if "PropertyValue" in kinds:
            return "value"
        if kinds & _FILES:
            return "file"
        if "Collection" in kinds:
            return "collection"
        if kinds & _FOLDERS:
            return "folder"
        if path is not None and self.contents is not None and (not kinds or "CreativeWork" in kinds):
            there = self.contents.resolve(path)
            if there is not None:
                return "folder" if there in self.contents.folders else "file"
        return "folder" if not kinds and path is not None and identifier.endswith("/") else "other"

    def _name(self, identifier: str, entity: Entity, kind: ItemKind) -> str:
        names = ("alternateName", "name") if kind in ("file", "folder") else ("name", "alternateName")
        return self.graph.text(entity, *names) or tail(identifier)

    def _address(self, identifier: str, entity: Entity) -> str | None:
        """Where else it is: never looked at."""
        told: list[object] = [identifier] if is_elsewhere(identifier) else []
        for name in (one for one in _ADDRESSES if one in entity):
            told += [one.get("@id") if isinstance(one, dict) else one for one in values(entity.get(name))]
        return next((one for one in told if isinstance(one, str) and one.lower().startswith(_WEB)), None)

    def _size(self, entity: Entity) -> int | None:
        return next((size for one in values(entity.get("contentSize")) if (size := byte_count(one)) is not None), None)

    def _tree_digest(self, entity: Entity) -> dict[str, str]:
        """The digest of a whole folder, which crates of ours tell (``tree-sha256``)."""
        for one, told in self.graph.follow(entity, "identifier"):
            digest = hexadecimal(self.graph[one].get("value"), "sha256")
            if digest is not None and (self.graph.text(told, "propertyID") or "").startswith(TREE_RULE):
                return {"tree-sha256": digest}
        return {}

    def _work_examples(self) -> dict[str, list[str]]:
        """Which parameters name an item as an example, for items that don't name them."""
        found: dict[str, list[str]] = defaultdict(list)
        for identifier, entity in self.graph.of_type("FormalParameter"):
            for one in references(entity.get("workExample")):
                found[self.graph.find(one)].append(identifier)
        return found


def _formats(value: object) -> list[str]:
    if type(value) is str:
        return [value]
    stated = [one.get("@id") if isinstance(one, dict) else one for one in values(value)]
    return [one for one in stated if isinstance(one, str)]


def _digests(entity: Entity) -> dict[str, str]:
    found = {}
    for algorithm in (one for one in DIGESTS if one in entity):
        for one in values(entity.get(algorithm)):
            digest = hexadecimal(one, algorithm)
            if digest is not None:
                found[algorithm] = digest
                break
    return found


def _value(entity: Entity) -> Any:
    """A value as it is told: one, or a list; ``None`` where other entities stand there."""
    told = entity.get("value")
    plain = [_json(one) for one in values(told) if not isinstance(one, dict)]
    if isinstance(told, list):
        return plain if plain or not told else None
    return plain[0] if plain else None


def _json(value: Any) -> Any:
    """A number that JSON hasn't is told as a text."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
