"""Step data: what steps took and made, as data entities.

What is an input or an output of the workflow is that entity. Anything else came and went within the run: it has a local
identifier and is in no crate; its size and digest are told where the record has them. Nothing is read here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath

from staging.plan import Json
from wfexs_like.crate.data import Content, DataEntities, basename_of
from wfexs_like.crate.graph import Entity, Ref, fragment, path_id
from wfexs_like.crate.prospective import Prospective
from wfexs_like.crate.story import Thing
from wfexs_like.crate.structure import place_of
from wfexs_like.crate.vocabulary import media_type


class StepData(DataEntities):
    """The data entities of one run's steps. What the workflow took and made must have been described before."""

    def __init__(self, ground: Prospective, run: int) -> None:
        super().__init__(ground.graph, ground.payload, ground.contextual, accessed=ground.subject.created, rehash=False)
        self.ground = ground
        self.run = run
        self._told: dict[str, Ref] = {}
        self._collections = {
            one.id.rpartition("/")[2]: Ref(one.id) for one in ground.graph if "Collection" in one.types
        }

    def locate(self, slot: str, value: Mapping[str, Json]) -> Content:
        """Which file or folder a step speaks of: where it is, or where it was."""
        place = place_of(value)
        path = PurePosixPath(place.removeprefix("file://")) if place is not None else None
        digest, size, form = value.get("sha256"), value.get("size"), value.get("format")
        return Content(
            slot=slot,
            basename=basename_of(value, path),
            folder=value.get("class") == "Directory",
            path=path,
            sha256=digest if isinstance(digest, str) else None,
            size=size if isinstance(size, int) else None,
            format=form if isinstance(form, str) else None,
        )

    def describe(self, content: Content) -> tuple[Ref, Thing]:
        """The entity of what a step took or made."""
        key = str(content.path) if content.path is not None else f"{content.slot}\n{content.basename}"
        ref = self._told.get(key)
        if ref is None:
            ref = self._told[key] = self.known(content) or self._passing(content)
        entity = self.graph[ref]
        # What the workflow took or made keeps its one name: programs find it by alternateName.
        if ref.startswith("#intermediate/") and (str, content.basename) not in entity.properties["name"]:
            entity.add("alternateName", content.basename)
        return ref, Thing(text=content.basename)

    def collection(self, slot: str, parts: list[Ref], name: str) -> Ref:
        """A file with its secondary files: the workflow's own where it has the same parts."""
        mark = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
        if mark not in self._collections:
            self._collections[mark] = super().collection(slot, parts, name)
        return self._collections[mark]

    def known(self, content: Content) -> Ref | None:
        """The input or output of the workflow that it is, ``None`` if it is none."""
        if content.path is None or content.path.is_absolute():
            return None
        item, member = self.ground.item_at(content.path)
        digest = content.sha256
        candidates = [path_id(str(content.path), folder=content.folder)]
        if item is not None and not member:
            digest = item.fingerprint.digest
        if digest is not None:
            candidates.append(f"#{'tree-' if content.folder else ''}sha256-{digest}")
        if item is not None and not item.disclosable:
            candidates = [fragment("undisclosed", item.name)]
        return next((Ref(one) for one in candidates if one in self.graph and self._is_data(one)), None)

    def _is_data(self, entity_id: str) -> bool:
        return bool(self.graph[entity_id].types.keys() & {"File", "Dataset"})

    def _passing(self, content: Content) -> Ref:
        """Something that is no input or output of the workflow."""
        path = content.path
        if path is None:
            entity_id = fragment("elsewhere", content.slot, content.basename)
        elif path.is_absolute():
            # Where it is, is nobody's business: it is told by a number.
            entity_id = fragment("elsewhere", str(self.run), str(len(self._told)), content.basename)
        elif path.parts[0] != "runs":
            entity_id = fragment("elsewhere", *path.parts)
        else:
            entity_id = fragment("intermediate", *path.parts[1:])
        entity = self.graph.add(entity_id, "Dataset" if content.folder else "File", name=content.basename)
        self._about_passing(entity, content)
        return Ref(entity_id)

    def _about_passing(self, entity: Entity, content: Content) -> None:
        if entity.id.startswith("#intermediate/"):
            about = f"Came to be within run {self.run}, is no output of the workflow, and is not in this crate."
        else:
            about = "Not in this crate."
        entity.set("description", about)
        if not content.folder:
            entity.set("encodingFormat", media_type(content.basename))
            entity.add("sha256", content.sha256)
        elif content.sha256 is not None:
            self.tree_digest(entity, content.sha256, None)
        if content.size is not None:
            entity.set("contentSize", str(content.size))
        if content.format and content.format.startswith(("http://", "https://")):
            entity.add("encodingFormat", self.contextual.encoding(content.format))
