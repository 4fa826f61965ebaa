"""Container images: what a crate tells of those that were staged, and the images themselves where they go into it.

Source: Process Run Crate 0.5, "ContainerImage"; OCI Image Layout Specification 1.1. In a crate the layout is the
working directory's own: a folder that skopeo, podman and apptainer read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from engines.execution import ImageUsed
from staging.identifiers import Identifier, IdentifierError
from staging.images.reference import ImageReference
from staging.plan import PlanItem, Role
from wfexs_like.crate.discretion import Discretion, public_identifier, web_address
from wfexs_like.crate.graph import ROOT, Entity, Graph, Ref, fragment, path_id
from wfexs_like.crate.payload import open_inside, verify_outside
from wfexs_like.crate.story import Thing
from wfexs_like.crate.vocabulary import DOCKER_IMAGE, UNKNOWN_MEDIA_TYPE
from wfexs_like.flow.images import same_name

if TYPE_CHECKING:
    from wfexs_like.crate.contextual import Contextual
    from wfexs_like.crate.data import DataEntities

LAYOUT = PurePosixPath("containers")
"""Where the layout is, in a working directory and in a crate."""

_LABELS = "org.opencontainers.image."
_OF_ARCHIVE = "an archive that the workflow names"
_OF_LAYOUT = "an OCI image layout on the machine that staged it"
_MOST_MANIFEST = 4 << 20


class Images:
    """The plan's container images as entities of ``graph``, one each."""

    def __init__(self, graph: Graph, contextual: Contextual, discretion: Discretion, items: Iterable[PlanItem]) -> None:
        self.graph = graph
        self.contextual = contextual
        self.discretion = discretion
        self.items = tuple(one for one in items if one.role is Role.CONTAINER and one.image is not None)
        blobs = (one for one in items if one.role is Role.BLOB and one.path is not None)
        self.blobs = tuple(one for one in blobs if one.path is not None and one.path.parts[0] == LAYOUT.name)
        self._by_name = {same_name(one.name): one for one in self.items}
        self._by_digest = {(one.name, one.fingerprint.digest): one for one in self.items}

    def named(self, name: str | None) -> Ref | None:
        """The image that the workflow calls ``name``."""
        item = self._by_name.get(same_name(name)) if name is not None else None
        return None if item is None else self.describe(item)

    def used(self, images: Iterable[ImageUsed]) -> list[Ref]:
        """Those that a run had."""
        found = (self._by_digest.get((one.name, one.digest)) for one in images)
        return [self.describe(item) for item in found if item is not None]

    def describe(self, item: PlanItem) -> Ref:
        """The image's entity."""
        reference, image = reference_of(item), item.image
        assert image is not None
        tag = f":{reference.tag}" if reference.tag else ""
        digest = item.fingerprint.digest
        entity_id = fragment("container", reference.host, f"{reference.repository}{tag}@sha256:{digest}")
        if entity_id in self.graph:
            return Ref(entity_id)
        entity = self.graph.add(entity_id, "ContainerImage", name=reference.repository)
        entity.set("additionalType", Ref(DOCKER_IMAGE)).add("tag", reference.tag).set("sha256", digest)
        if _is_of_registry(item):
            entity.set("registry", reference.host).set("identifier", f"docker://{reference.at(digest)}")
        else:
            entity.set("registry", f"none: {_OF_LAYOUT if _is_of_layout(item) else _OF_ARCHIVE}")
        if same_name(item.name) != same_name(str(reference)):
            entity.set("alternateName", self.discretion.text(item.name))
        system, _, architecture = image.platform.partition("/")
        entity.set("operatingSystem", system).set("processorRequirements", architecture)
        entity.set("contentSize", str(image.size))
        for licence in item.licences:
            entity.add("license", self.contextual.licence(licence))
        about = f"Its sha256 is that of its manifest; docker and podman know it by the id sha256:{image.config}."
        self._labels(entity, image.labels, about)
        self.graph.add(ROOT).add("mentions", Ref(entity_id))
        return Ref(entity_id)

    def _labels(self, entity: Entity, labels: Mapping[str, str], about: str) -> None:
        said = {key.removeprefix(_LABELS): self.discretion.text(text) for key, text in labels.items()}
        entity.add("version", said.get("version"))
        source, revision = public_identifier(said.get("source", "")), said.get("revision")
        if source is not None and web_address(source) is not None:
            entity.add("isBasedOn", source)
        for key, name in (("url", "url"), ("documentation", "softwareHelp")):
            page = public_identifier(said.get(key, ""))
            entity.add(name, page if page is not None and page.startswith(("http://", "https://")) else None)
        title = said.get("title")
        if title and title != reference_name(entity):
            entity.add("alternateName", title)
        if revision is not None:
            about += f" It says that it was made from revision {revision}."
        base = said.get("base.name")
        if base is not None:
            about += f" It says that it is based on {base}."
        entity.set("description", about)

    def things(self, *, inside: bool) -> tuple[Thing, ...]:
        """How the images are told of in the README and the preview."""
        return tuple(
            Thing(
                text=self.discretion.text(one.name),
                href=f"{LAYOUT}/blobs/sha256/{one.fingerprint.digest}" if inside else None,
                sha256=one.fingerprint.digest,
                size=one.image.size if one.image is not None else None,
                note=f"{one.image.platform if one.image is not None else ''}, {_whence(one)}",
            )
            for one in self.items
        )

    def include(self, data: DataEntities) -> None:
        """Put the layout into the crate: every blob with its digest checked, and the two files that tell of them.

        Raises:
            DigestError: a blob isn't what was staged.
            NotFoundError: one is gone.
        """
        if not self.items:
            return
        folder = self.graph.add(path_id(str(LAYOUT), folder=True), "Dataset", name="container images (OCI layout)")
        folder.set("description", "An OCI image layout with the images that the steps ran in: one folder for skopeo.")
        folder.add("about", *(self.describe(one) for one in self.items))
        media_types = self._media_types(data)
        for item in {one.fingerprint.digest: one for one in (*self.items, *self.blobs)}.values():
            assert item.path is not None
            entity = data.document(str(item.path), name=_blob_name(item), expected=item.fingerprint.digest)
            entity.set("encodingFormat", media_types.get(item.fingerprint.digest, UNKNOWN_MEDIA_TYPE))
            folder.add("hasPart", Ref(entity.id))
        for name, text in layout_files(self.items, media_types).items():
            entity = data.made(f"{LAYOUT}/{name}", text, name=name, encoding="application/json")
            folder.add("hasPart", Ref(entity.id))
        self.graph.add(ROOT).add("hasPart", Ref(folder.id))

    def verify(self, data: DataEntities) -> None:
        """Read every blob of images that stay out.

        Raises:
            DigestError: one isn't what was staged.
            NotFoundError: one is gone.
        """
        for item in (*self.items, *self.blobs):
            verify_outside(data.payload.content, str(item.path), item.fingerprint.digest, folder=False)

    def _media_types(self, data: DataEntities) -> dict[str, str]:
        """What each blob is, by its digest, as the images' manifests say."""
        found: dict[str, str] = {}
        for item in self.items:
            with open_inside(data.payload.content, str(item.path)) as stream:
                manifest = json.loads(stream.read(_MOST_MANIFEST))
            found[item.fingerprint.digest] = manifest.get("mediaType") or "application/vnd.oci.image.manifest.v1+json"
            for one in (manifest["config"], *manifest["layers"]):
                found[str(one["digest"]).removeprefix("sha256:")] = str(one["mediaType"])
        return found


def reference_name(entity: Entity) -> str:
    """The image's own name."""
    return str(next((value for _, value in entity.properties.get("name", {})), ""))


def reference_of(item: PlanItem) -> ImageReference:
    """Where an image was asked for."""
    try:
        return ImageReference.of_identifier(Identifier.parse(item.identifier))[0]
    except IdentifierError:
        return ImageReference.parse(item.pinned)


def layout_files(items: Iterable[PlanItem], media_types: Mapping[str, str]) -> dict[str, bytes]:
    """``oci-layout`` and ``index.json`` of a layout with these images, by name."""
    manifests = [
        {
            "mediaType": media_types[one.fingerprint.digest],
            "digest": str(one.fingerprint),
            "size": one.size,
            "annotations": {"org.opencontainers.image.ref.name": one.name},
        }
        for one in items
    ]
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    }
    return {
        "index.json": json.dumps(index, indent=1, ensure_ascii=False).encode() + b"\n",
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}\n',
    }


def _is_of_registry(item: PlanItem) -> bool:
    return item.identifier.startswith("docker:")


def _is_of_layout(item: PlanItem) -> bool:
    return item.identifier.startswith("oci:")


def _whence(item: PlanItem) -> str:
    """Where it is to be had."""
    if not _is_of_registry(item):
        return f"out of {_OF_LAYOUT if _is_of_layout(item) else _OF_ARCHIVE}"
    return f"docker://{reference_of(item).at(item.fingerprint.digest)}"


def _blob_name(item: PlanItem) -> str:
    return f"manifest of {item.name}" if item.role is Role.CONTAINER else item.name
