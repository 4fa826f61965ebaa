"""Data entities: files, folders and collections, in the crate or referred to from it.

A file in the crate has its path as @id. One that stays out has a local identifier made of its digest
(``#sha256-...``), which a validator doesn't look for among the payload, and its web address in ``contentUrl`` or
``url``. (As @id, the address would make every validation ask the web whether it is still there, and fail without a
network.) What must not be disclosed is named by its parameter alone.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from staging.fingerprints import Tree
from staging.plan import PlanItem
from wfexs_like.crate.contextual import Contextual
from wfexs_like.crate.discretion import public_identifier, web_address
from wfexs_like.crate.formats import edam_format
from wfexs_like.crate.graph import ROOT, Entity, Graph, Ref, fragment, path_id
from wfexs_like.crate.payload import Payload, measure, verify_outside
from wfexs_like.crate.story import Thing
from wfexs_like.crate.vocabulary import UNKNOWN_MEDIA_TYPE, media_type
from wfexs_like.seal.naming import TREE_RULE

LISTED_FILES = 1000
"""A folder's files are listed one by one up to this many; its tree digest stands for all of them in any case."""
UNDISCLOSED = "not disclosed"
TOLD_TREE_RULE = f"{TREE_RULE} (see README.md)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A file or folder that a parameter or a run speaks of.

    ``path`` is below the working directory's content, ``None`` if it lies elsewhere or nowhere. ``sha256`` and ``size``
    are what the record says. ``item`` is its item of the plan. ``slot`` names the parameter that it is for.
    ``verified`` things are read even when they stay out: the crate attests them.
    """

    slot: str
    basename: str
    folder: bool
    path: PurePosixPath | None = None
    sha256: str | None = None
    size: int | None = None
    item: PlanItem | None = None
    format: str | None = None
    hidden: bool = False
    include: bool = False
    verified: bool = False


class DataEntities:
    """Makes data entities in ``graph``; what is included goes through ``payload``.

    ``accessed`` is when the things on the web were fetched (ISO 8601).
    """

    def __init__(self, graph: Graph, payload: Payload, contextual: Contextual, *, accessed: str, rehash: bool) -> None:
        self.graph = graph
        self.payload = payload
        self.contextual = contextual
        self.accessed = accessed
        self.rehash = rehash
        self.withheld: set[str] = set()
        self.not_copied: set[str] = set()
        self._checked: set[str] = set()

    def describe(self, content: Content) -> tuple[Ref, Thing]:
        """The entity of a file or folder, copied into the crate if it is to be included.

        Raises:
            DigestError: the bytes aren't those of the record.
            NotFoundError: a file to be included is gone.
        """
        if content.hidden:
            return self._undisclosed(content)
        if content.include and content.path is not None:
            if content.folder:
                return self._folder_inside(content, content.path)
            return self._file_inside(content, content.path)
        return self._outside(content)

    def document(self, path: str, *, name: str, expected: str | None = None) -> Entity:
        """A file of the working directory that is always in the crate, such as a workflow's."""
        copied = self.payload.file(path, expected)
        entity = self.graph.add(path_id(path), "File")
        entity.set("name", name).set("sha256", copied.sha256).set("contentSize", str(copied.size))
        entity.set("encodingFormat", media_type(path))
        self.graph.add(ROOT).add("hasPart", Ref(entity.id))
        return entity

    def made(self, path: str, text: bytes, *, name: str, encoding: str) -> Entity:
        """A file that we write."""
        copied = self.payload.written(path, text)
        entity = self.graph.add(path_id(path), "File", name=name, encodingFormat=encoding)
        entity.set("sha256", copied.sha256).set("contentSize", str(copied.size))
        self.graph.add(ROOT).add("hasPart", Ref(entity.id))
        return entity

    def collection(self, slot: str, parts: list[Ref], name: str) -> Ref:
        """A file with its secondary files; the first part is the main one."""
        mark = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
        entity = self.graph.add(fragment("collection", slot, mark), "Collection", name=name, mainEntity=parts[0])
        entity.add("hasPart", *parts)
        self.graph.add(ROOT).add("mentions", Ref(entity.id))
        return Ref(entity.id)

    def _file_inside(self, content: Content, path: PurePosixPath) -> tuple[Ref, Thing]:
        copied = self.payload.file(path, content.sha256)
        entity = _named(self.graph.add(path_id(str(path)), "File"), content.basename)
        entity.set("sha256", copied.sha256).set("contentSize", str(copied.size))
        self._about(entity, content)
        self.graph.add(ROOT).add("hasPart", Ref(entity.id))
        return Ref(entity.id), Thing(text=content.basename, href=entity.id, sha256=copied.sha256, size=copied.size)

    def _folder_inside(self, content: Content, path: PurePosixPath) -> tuple[Ref, Thing]:
        tree = self.payload.tree(path, content.sha256)
        entity = _named(self.graph.add(path_id(str(path), folder=True), "Dataset"), content.basename)
        self.tree_digest(entity, tree.fingerprint.digest, len(tree.entries))
        files = [entry for entry in tree.entries if entry.kind in "fx"]
        if len(files) <= LISTED_FILES:
            for entry in files:
                inner = self.graph.add(path_id(f"{path}/{entry.path}"), "File")
                if not inner.has("encodingFormat"):
                    inner.set("encodingFormat", media_type(entry.path))
                _named(inner, PurePosixPath(entry.path).name)
                inner.set("sha256", entry.digest).set("contentSize", str(entry.size))
                entity.add("hasPart", Ref(inner.id))
        self._about(entity, content)
        self.graph.add(ROOT).add("hasPart", Ref(entity.id))
        return Ref(entity.id), self._folder_thing(content, entity.id, tree)

    def _folder_thing(self, content: Content, href: str, tree: Tree) -> Thing:
        note = f"{folder_of(len(tree.entries))}, sha256 by the tree rule"
        return Thing(text=f"{content.basename}/", href=href, sha256=tree.fingerprint.digest, size=tree.size, note=note)

    def _outside(self, content: Content) -> tuple[Ref, Thing]:
        digest, size = self._known(content)
        if digest is not None:
            entity_id = f"#{'tree-' if content.folder else ''}sha256-{digest}"
        else:
            entity_id = fragment("elsewhere", content.slot, content.basename)
        entity = self.graph.add(entity_id, "Dataset" if content.folder else "File")
        if entity.properties.get("name", {(str, content.basename): None}) != {(str, content.basename): None}:
            entity.add("alternateName", content.basename)
        else:
            entity.set("name", content.basename)
        if digest is not None and content.folder:
            self.tree_digest(entity, digest, None)
        elif digest is not None:
            entity.set("sha256", digest)
        if size is not None:
            entity.set("contentSize", str(size))
        self._about(entity, content)
        self._access(entity, content)
        note = "not in this crate" + (", sha256 by the tree rule" if content.folder else "")
        if content.item is not None and public_identifier(content.item.pinned) is None:
            note += ", its source was local: ask for it"
        href = next((str(value) for key in ("contentUrl", "url") for _, value in entity.properties.get(key, {})), None)
        return Ref(entity_id), Thing(text=content.basename, href=href, sha256=digest, size=size, note=note)

    def _access(self, entity: Entity, content: Content) -> None:
        """How to come by what stays out: of a thing that nobody published, the name is its digest (RFC 6920)."""
        if content.item is None:
            return
        if public_identifier(content.item.pinned) is not None:
            entity.set("conditionsOfAccess", "Not in this crate: as whoever publishes it wants it, at its address.")
            return
        entity.set("conditionsOfAccess", "Not in this crate: its source was local, ask whoever made the crate.")
        if not content.folder and content.sha256 is not None:
            digest = base64.urlsafe_b64encode(bytes.fromhex(content.sha256)).decode().rstrip("=")
            entity.add("identifier", f"ni:///sha-256;{digest}")

    def _known(self, content: Content) -> tuple[str | None, int | None]:
        """Digest and size of something that stays out: of the record, or measured when it has none."""
        if content.path is None:
            return content.sha256, content.size
        if content.sha256 is None and not content.folder:
            measured = measure(self.payload.content, str(content.path))
            return measured.sha256, measured.size
        if (self.rehash or content.verified) and content.sha256 is not None and str(content.path) not in self._checked:
            self._checked.add(str(content.path))
            size = None if content.folder else content.size
            verify_outside(self.payload.content, content.path, content.sha256, folder=content.folder, size=size)
        return content.sha256, content.size

    def _undisclosed(self, content: Content) -> tuple[Ref, Thing]:
        self.withheld.add(content.slot)
        entity_id = fragment("undisclosed", content.item.name if content.item is not None else content.slot)
        entity = self.graph.add(
            entity_id,
            "Dataset" if content.folder else "File",
            name=f"{content.slot} (not disclosed)",
            description="What was used here must not be disclosed: neither its content nor its origin is told.",
        )
        if not content.folder:
            entity.set("encodingFormat", UNKNOWN_MEDIA_TYPE)
        return Ref(entity_id), Thing(text=UNDISCLOSED)

    def tree_digest(self, entity: Entity, digest: str, entries: int | None) -> None:
        """Say a folder's digest, and how many entries it has where that is known."""
        identifier = self.graph.add(
            f"#tree-sha256-{digest}-digest", "PropertyValue", name="sha256", value=digest, propertyID=TOLD_TREE_RULE
        )
        if entries is not None:
            identifier.set("description", f"a {folder_of(entries)}: files, links and empty folders count")
        entity.add("identifier", Ref(identifier.id))

    def _about(self, entity: Entity, content: Content) -> None:
        if not content.folder:
            if "SoftwareSourceCode" not in entity.types:
                entity.set("encodingFormat", media_type(content.basename))
            entity.add("dateModified", self._modified(content))
            self._format(entity, content)
        item = content.item
        if item is None:
            return
        entity.set("sdDatePublished", self.accessed)
        for licence in item.licences:
            entity.add("license", self.contextual.licence(licence))
        for attribution in item.attributions:
            entity.add("author", self.contextual.author(attribution))
        shown = public_identifier(item.pinned)
        if shown is None:
            return
        entity.add("identifier", shown)
        if not content.folder and shown.startswith(("http://", "https://", "ftp://")):
            entity.add("contentUrl", shown)
        else:
            entity.add("url", web_address(shown))

    def _format(self, entity: Entity, content: Content) -> None:
        """The format by an address: the one that is stated, else what the name lets expect."""
        if content.format and content.format.startswith(("http://", "https://")):
            entity.add("encodingFormat", self.contextual.encoding(content.format))
            return
        known = edam_format(content.basename)
        if known is not None:
            entity.add("encodingFormat", self.contextual.encoding(*known))

    def _modified(self, content: Content) -> str | None:
        """When the bytes of something that a run made were last written, by the file system."""
        if not content.verified or content.path is None:
            return None
        seconds = self.payload.modified(content.path)
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def folder_of(entries: int) -> str:
    """A folder and how much is in it."""
    return f"folder of {entries} entr{'y' if entries == 1 else 'ies'}"


def _named(entity: Entity, name: str) -> Entity:
    """The entity with that name, unless it has one: a workflow's is its title."""
    return entity if entity.has("name") else entity.set("name", name)


def basename_of(value: Mapping[str, object], path: PurePosixPath | None) -> str:
    """A File's or Directory's name: as it says, else of its path."""
    stated = value.get("basename")
    if isinstance(stated, str) and stated:
        return stated.rpartition("/")[2] or stated
    return path.name if path is not None else "unnamed"
