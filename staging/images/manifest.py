"""Manifests: what a registry says an image is made of, read with suspicion.

Source: OCI Image Format Specification 1.1 (``manifest.md``, ``image-index.md``); Docker Image Manifest V 2, Schema 2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from staging.errors import ContainerError
from staging.images.documents import read_document, senseless
from staging.images.platforms import Platform

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFESTS: Final = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEXES: Final = (OCI_INDEX, DOCKER_LIST)
ACCEPTED: Final = (*MANIFESTS, *INDEXES)
"""The media types that are asked for."""

OLD_MANIFESTS: Final = (
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)
"""Those of schema 1."""

MAX_MANIFEST: Final = 4 << 20
"""Bytes: what registries themselves take at most."""

MAX_CONFIG: Final = 8 << 20
"""Bytes of a config, which is read into memory."""

MAX_LAYERS: Final = 256
MAX_ENTRIES: Final = 1000
MAX_BLOB: Final = 64 << 30
"""Bytes; a size above it is a mistake or a trick."""

_WHAT: Final = "manifest"
_CONFIGS: Final = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
_LAYER: Final = re.compile(
    r"application/vnd\.(oci\.image\.layer\.(nondistributable\.)?v1\.tar(\+(gzip|zstd))?"
    r"|docker\.image\.rootfs\.(foreign\.)?diff\.tar(\.gzip|\.zstd)?)"
)
_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A blob or manifest that another one names: ``digest`` is its sha256 (hex), ``size`` in bytes."""

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An image of one platform: its config and its layers, lowest first. ``size`` is that of the manifest's bytes."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Bytes of manifest, config and layers, each blob once."""
        blobs = {one.digest: one.size for one in (self.config, *self.layers)}
        return self.size + sum(blobs.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A list of manifests, one for each platform."""

    media_type: str
    entries: tuple[Descriptor, ...]

    def choose(self, platform: Platform, name: str) -> Descriptor:
        """The entry for that platform, or the best of those that run on it.

        An entry that tells no platform is taken where it is the only one: what it is for stands in its config.

        Raises:
            ContainerError: there is none; the message has those there are.
        """
        for fitting in platform.fitting():
            for entry in self.entries:
                if entry.platform == fitting:
                    return entry
        if len(self.entries) == 1 and self.entries[0].platform is None:
            return self.entries[0]
        nested = [entry for entry in self.entries if entry.media_type in INDEXES and entry.platform is None]
        if len(nested) == 1:
            return nested[0]
        there = ", ".join(dict.fromkeys(str(entry.platform) for entry in self.entries if entry.platform)) or "none"
        raise ContainerError(
            f"the image {name} is not made for {platform}; it is there for {there[:500]}",
            hint="state another platform (platform: os/architecture) or take another image",
            where=name,
            image=name,
            platform=str(platform),
        )


def read_manifest(content: bytes, name: str, media_type: str | None = None) -> Manifest | Index:
    """Read a manifest or an index. ``name`` is the image's, for messages; ``media_type`` what the registry called it.

    Raises:
        ContainerError: it is of the old schema 1, no image, or makes no sense.
    """
    record = read_document(content, MAX_MANIFEST, _WHAT, name)
    if record.get("schemaVersion") == 1 or "fsLayers" in record:
        raise ContainerError(
            f"the image {name} has a manifest of the old kind (schema 1), whose bytes don't say which image it is",
            hint="push it again with a current docker, podman or skopeo",
            where=name,
            image=name,
        )
    kind = record.get("mediaType") or _kind(record, media_type)
    if record.get("schemaVersion") != 2 or not isinstance(kind, str):  # noqa: PLR2004 - the one there is
        raise _senseless(name, "is of a schema that nobody knows")
    # One that could be read as either (CVE-2021-41190) would mean two things under one digest.
    if ("manifests" in record and ("layers" in record or "config" in record)) or (
        kind in INDEXES and "manifests" not in record
    ):
        raise _senseless(name, "is a manifest and an index in one")
    if kind in INDEXES:
        return _read_index(record, kind, name)
    if kind in MANIFESTS:
        return _read_image(record, kind, name, len(content))
    raise ContainerError(f"{name} is no container image but {kind[:200]!r}", where=name, image=name)


def _kind(record: Mapping[str, object], said: str | None) -> str:
    """The media type of an OCI document, which need not hold it itself."""
    if said in ACCEPTED:
        return said
    return OCI_INDEX if "manifests" in record else OCI_MANIFEST


def _read_index(record: Mapping[str, object], kind: str, name: str) -> Index:
    rows = record["manifests"]
    if not isinstance(rows, list) or len(rows) > MAX_ENTRIES:
        raise _senseless(name, "has no sound list of manifests")
    entries = []
    for row in rows:
        entry = _descriptor(row, name)
        annotations = row.get("annotations")
        attests = isinstance(annotations, dict) and "vnd.docker.reference.type" in annotations
        # Signatures, attestations and the like stand among the images.
        if entry.media_type in ACCEPTED and not attests and not _is_unknown(entry.platform):
            entries.append(entry)
    return Index(media_type=kind, entries=tuple(entries))


def _is_unknown(platform: Platform | None) -> bool:
    return platform is not None and platform.system == "unknown"


def _read_image(record: Mapping[str, object], kind: str, name: str, size: int) -> Manifest:
    config = _descriptor(record.get("config"), name)
    artifact = record.get("artifactType")
    if config.media_type not in _CONFIGS:
        what = artifact if isinstance(artifact, str) and artifact else config.media_type
        raise ContainerError(
            f"{name} is no container image but an artifact of the kind {what[:200]!r}",
            hint="name the image itself",
            where=name,
            image=name,
        )
    if config.size > MAX_CONFIG:
        raise _senseless(name, f"names a config of {config.size} bytes")
    rows = record.get("layers")
    if not isinstance(rows, list) or len(rows) > MAX_LAYERS:
        raise _senseless(name, "has no sound list of layers")
    layers = tuple(_layer(row, name) for row in rows)
    sizes: dict[str, int] = {}
    for one in (config, *layers):
        if sizes.setdefault(one.digest, one.size) != one.size:
            raise _senseless(name, f"tells two sizes of the blob sha256:{one.digest}")
    return Manifest(
        media_type=kind, config=config, layers=layers, size=size, annotations=texts_of(record.get("annotations"))
    )


def _layer(row: object, name: str) -> Descriptor:
    layer = _descriptor(row, name)
    if not _LAYER.fullmatch(layer.media_type):
        raise ContainerError(
            f"the image {name} has a layer of the kind {layer.media_type[:200]!r}, which no runtime unpacks",
            hint="it may be no container image",
            where=name,
            image=name,
        )
    if isinstance(row, dict) and row.get("urls"):
        raise ContainerError(
            f"the image {name} has a layer that lies outside its registry (a foreign layer)",
            hint="take an image whose layers are all in its registry",
            where=name,
            image=name,
        )
    return layer


def _descriptor(row: object, name: str) -> Descriptor:
    if not isinstance(row, dict):
        raise _senseless(name, "names a blob in no sound way")
    media_type, digest, size = row.get("mediaType"), row.get("digest"), row.get("size")
    if not isinstance(media_type, str) or not isinstance(digest, str):
        raise _senseless(name, "names a blob without its kind or digest")
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise _senseless(name, f"names a blob by the digest {digest[:100]!r}, which is no sha256")
    if type(size) is not int or not 0 <= size <= MAX_BLOB:
        raise _senseless(name, f"tells no sound size of the blob {digest}")
    return Descriptor(media_type=media_type, digest=match.group(1), size=size, platform=_platform(row.get("platform")))


def _platform(record: object) -> Platform | None:
    if not isinstance(record, dict):
        return None
    parts = [record.get(key, "") for key in ("os", "architecture", "variant")]
    if not all(isinstance(one, str) for one in parts) or not parts[0] or not parts[1]:
        return None
    return Platform.of(*parts)


def texts_of(record: object) -> dict[str, str]:
    """The texts of a map of labels or annotations; nothing for what is no map."""
    if not isinstance(record, dict):
        return {}
    return {key: value for key, value in record.items() if isinstance(value, str)}


def _senseless(name: str, why: str) -> ContainerError:
    return senseless(_WHAT, name, why)
