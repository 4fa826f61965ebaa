"""OCI layouts: a folder with images as blobs, that other tools (skopeo, podman, umoci) read too.

``oci-layout`` says what it is, ``index.json`` lists the images by name, ``blobs/sha256/HEX`` are all bytes.
Source: OCI Image Format Specification 1.1, ``image-layout.md``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from staging.errors import ContainerError, DigestError, from_os_error
from staging.images.facts import read_facts
from staging.images.manifest import (
    INDEXES,
    MAX_CONFIG,
    MAX_MANIFEST,
    OCI_INDEX,
    Descriptor,
    Index,
    Manifest,
    read_manifest,
)
from staging.images.platforms import Platform
from staging.placing import make_folders, open_regular, write_atomically
from staging.plan import ImageFacts, PlanItem, canonical

LAYOUT: Final = PurePosixPath("containers")
"""Where images lie below a working directory's content."""

_MARK: Final = b'{"imageLayoutVersion":"1.0.0"}'
_NAME: Final = "org.opencontainers.image.ref.name"
_DEPTH: Final = 3
_SHOWN: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidImage:
    """An image in a layout: its ``name`` there, its manifest's sha256 (hex) and what it is.

    ``hops`` are the digests of the lists that led to the manifest.
    """

    name: str
    digest: str
    manifest: Manifest
    facts: ImageFacts
    hops: tuple[str, ...] = ()


def blob_path(digest: str) -> PurePosixPath:
    """Where a blob lies below a layout."""
    return PurePosixPath("blobs/sha256") / digest


def write_layout(folder: Path, items: Sequence[PlanItem]) -> None:
    """Make a layout of the blobs that lie in ``folder``: ``items`` are the images. The same images give the same bytes.

    Raises:
        WfexsError: a manifest can't be read, or a file not written.
    """
    entries = []
    for item in sorted((one for one in items if one.image is not None), key=lambda one: one.name):
        content = _read(folder, Descriptor(media_type="", digest=item.fingerprint.digest, size=item.size), MAX_MANIFEST)
        manifest = read_manifest(content, item.name)
        assert item.image is not None, "chosen for having one"
        platform = Platform.parse(item.image.platform)
        entries.append(
            {
                "mediaType": manifest.media_type,
                "digest": f"sha256:{item.fingerprint.digest}",
                "size": item.size,
                "platform": {
                    "os": platform.system,
                    "architecture": platform.architecture,
                    **({"variant": platform.variant} if platform.variant else {}),
                },
                "annotations": {_NAME: item.name},
            }
        )
    try:
        make_folders(folder)
    except OSError as error:
        raise from_os_error(error, "make a folder in the working directory") from error
    write_atomically(folder / "oci-layout", _MARK)
    write_atomically(
        folder / "index.json", canonical({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
    )


def read_layout(folder: Path, platform: Platform | None = None) -> tuple[LaidImage, ...]:
    """The images of a layout, by its index; manifests and configs are read and checked, layers only counted.

    ``platform`` chooses from a list of manifests (by default this machine's); an image that is there alone is told
    whatever it is for.

    Raises:
        ContainerError: it is no layout, or has no sound image. DigestError: bytes are not those of their name.
    """
    wanted = platform or Platform.of_this_machine()
    return tuple(_laid(folder, name, [row], wanted, name or folder.name) for name, row in _rows(folder))


def find_image(folder: Path, name: str | None, platform: Platform, label: str) -> LaidImage:
    """The image of that ``name`` in a layout (``None``: its only one), for a platform where there is a choice.

    ``label`` is what messages call it.

    Raises:
        ContainerError: it is no layout, or has no such image. DigestError: bytes are not those of their name.
    """
    rows = _rows(folder)
    names = list(dict.fromkeys(one for one, _ in rows if one))
    chosen = [(one, row) for one, row in rows if name in (None, one)]
    if not chosen or len({one for one, _ in chosen}) > 1:
        there = ", ".join(names)[:_SHOWN] or "none with a name"
        raise ContainerError(
            f"the OCI layout has no image called {name}" if name else "the OCI layout has several images",
            hint=f"say which one is meant, as in {label.removesuffix(f':{name}')}:NAME; there: {there}",
            where=label,
            image=label,
        )
    return _laid(folder, chosen[0][0], [row for _, row in chosen], platform, label)


def _rows(folder: Path) -> list[tuple[str, object]]:
    """The entries of a layout's index, each with its name."""
    try:
        with open_regular(folder / "index.json") as opened, open(opened, "rb", closefd=False) as stream:
            content = stream.read(MAX_MANIFEST + 1)
        rows = json.loads(content)["manifests"]
        return [(str((row.get("annotations") or {}).get(_NAME, "")), row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ContainerError(
            f"{folder} is no OCI layout: its index.json can't be read", hint="as skopeo copy makes one", where="index"
        ) from error


def _laid(folder: Path, name: str, rows: Sequence[object], platform: Platform, label: str) -> LaidImage:
    # A list of them: so the entries are read as any list's.
    entries = read_manifest(json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows}).encode(), label)
    assert isinstance(entries, Index), "that is what was given"
    if not entries.entries:
        raise ContainerError(f"{folder} has something under the name {label!r} that is no image", where=label)
    several = len(entries.entries) > 1
    descriptor = entries.choose(platform, label) if several else entries.entries[0]
    hops: list[str] = []
    for _ in range(_DEPTH):
        content = _read(folder, descriptor, MAX_MANIFEST)
        manifest = read_manifest(content, label, descriptor.media_type)
        if isinstance(manifest, Manifest):
            config = _read(folder, manifest.config, MAX_CONFIG)
            for layer in manifest.layers:
                _check_there(folder, layer, label)
            chosen = several or hops or descriptor.media_type in INDEXES
            facts = read_facts(config, manifest, platform if chosen else _own(config, platform), label)
            return LaidImage(name=name, digest=descriptor.digest, manifest=manifest, facts=facts, hops=tuple(hops))
        hops.append(descriptor.digest)
        descriptor = manifest.choose(platform, label)
    raise ContainerError(f"{label} is a list of lists of lists, without an end", where=label)


def _own(config: bytes, otherwise: Platform) -> Platform:
    """The platform that a config tells of itself."""
    try:
        record = json.loads(config)
        return Platform.of(record["os"], record["architecture"], record.get("variant") or "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return otherwise


def _check_there(folder: Path, layer: Descriptor, name: str) -> None:
    try:
        with open_regular(folder / blob_path(layer.digest)) as descriptor:
            size = os.fstat(descriptor).st_size
    except OSError as error:
        raise ContainerError(f"the image {name} lacks its layer sha256:{layer.digest}", where=name) from error
    if size != layer.size:
        raise DigestError(
            f"the layer sha256:{layer.digest} of {name} has {size} bytes, its manifest says {layer.size}",
            hint="it was damaged: get it again",
            where=name,
            expected=layer.size,
            actual=size,
        )


def _read(folder: Path, descriptor: Descriptor, limit: int) -> bytes:
    """A manifest or config, if its bytes are those of its name.

    Raises:
        ContainerError: it is not there, or too big. DigestError: it is something else.
    """
    path = folder / blob_path(descriptor.digest)
    try:
        with open_regular(path) as opened, open(opened, "rb", closefd=False) as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise ContainerError(
            f"the layout {folder} lacks the blob sha256:{descriptor.digest}", where=str(path)
        ) from error
    actual = hashlib.sha256(content).hexdigest()
    if len(content) > limit or actual != descriptor.digest:
        raise DigestError(
            f"{path} is not what its name says: its sha256 is {actual}",
            hint="it was damaged: get it again",
            where=str(path),
            expected=descriptor.digest,
            actual=actual,
        )
    return content
