"""Images in archives: what ``docker save``, ``podman save`` and ``skopeo copy`` write, brought into the layout.

An OCI archive is taken as it is. Docker's own kind has no manifest that a registry would know: one is made, always the
same for the same archive; the config, and so the image id, stays what it was.
Source: OCI Image Format Specification 1.1; github.com/moby/docker-image-spec (v1.2, "Combined Image JSON").
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from staging.archives import ArchiveError, Limits, unpack
from staging.errors import ContainerError, DefinitionError, DigestError, from_os_error
from staging.fingerprints import Fingerprint, StatSignature
from staging.images.facts import licences_of, read_facts
from staging.images.layout import LAYOUT, LaidImage, blob_path, read_layout
from staging.images.manifest import MAX_CONFIG, MAX_LAYERS, OCI_MANIFEST, Manifest, read_manifest
from staging.images.platforms import Platform
from staging.images.reference import ImageReference, plain_name
from staging.paths import safe_join, safe_relative
from staging.placing import make_folders, open_regular, sync_many
from staging.plan import ImageFacts, Kind, PlanItem, Role, canonical
from staging.removing import remove_path
from staging.wanted import PlacedFile, StagedItem

_LIMITS: Final = Limits(entries=20_000, size=256 << 30)
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
_GZIP: Final = b"\x1f\x8b"
_MAX_LIST: Final = 4 << 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """An image out of an archive: ``files`` are its blobs' files by digest, but for the manifest's own bytes.

    They are moved from where they lie.
    """

    digest: str
    manifest: bytes
    facts: ImageFacts
    files: Mapping[str, Path]


def unpack_image(
    archive: StagedItem, name: str, *, content: Path, platform: str, stored: str | None = None
) -> tuple[StagedItem, ...]:
    """Bring the image in an archive that lies below ``content`` into its layout: the image's item, and its blobs'.

    ``name`` is what the workflow calls the image; it also chooses from an archive of several, unless it is ``stored``
    there under another name. The layout's index is
    still to be written (``write_layout``), with all images that are in it.

    Raises:
        ContainerError: the archive holds no image, or several of which none has that name.
        DigestError: a blob's bytes are not those of its name. PolicyError: an entry could do harm.
    """
    assert archive.item.path is not None, "an archive has a place"
    folder = content / f".image-{os.urandom(8).hex()}"
    try:
        try:
            unpack(safe_join(content, archive.item.path), folder, links=True, limits=_LIMITS)
        except ArchiveError as error:
            raise ContainerError(
                f"the archive {archive.item.name} can't be unpacked: {error.message}",
                hint='an image archive is what "docker save" or "skopeo copy" writes',
                where=archive.item.name,
            ) from error
        wanted = Platform.parse(platform)
        if (folder / "index.json").is_file():
            image = _from_layout(folder, stored or name, wanted)
        else:
            image = _from_docker(folder, stored or name, wanted)
        return bring_in(archive, name, image, content)
    finally:
        remove_path(folder)


def bring_in(archive: StagedItem, name: str, image: Unpacked, content: Path) -> tuple[StagedItem, ...]:
    """Move an image that an archive gave into the layout below ``content``: its item, and its blobs'.

    Raises:
        DigestError: a blob lies there already, with other bytes. DiskError: there is no room.
    """
    return _items(archive, name, image, _place(image, content, name))


# -- the two kinds of archives -----------------------------------------------------------------------------------------


def _from_layout(folder: Path, name: str, platform: Platform) -> Unpacked:
    images = read_layout(folder, platform)
    chosen = _chosen(name, [(_names(image), image) for image in images])
    blobs = {chosen.facts.config, *chosen.facts.layers}
    files = {digest: folder / blob_path(digest) for digest in sorted(blobs)}
    for digest, path in files.items():
        _check_digest(path, digest, name)
    content = _small(folder / blob_path(chosen.digest), _MAX_LIST, name)
    # What the archive says of platforms by itself is checked as any image's.
    facts = read_facts(_small(files[chosen.facts.config], MAX_CONFIG, name), chosen.manifest, platform, name)
    return Unpacked(digest=chosen.digest, manifest=content, facts=facts, files=files)


def _names(image: LaidImage) -> tuple[str, ...]:
    return (image.name,) if image.name else ()


def _from_docker(folder: Path, name: str, platform: Platform) -> Unpacked:
    try:
        rows = json.loads(_small(folder / "manifest.json", _MAX_LIST, name))
        found = [(tuple(row.get("RepoTags") or ()), (row["Config"], row["Layers"])) for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _no_image(name) from error
    config_path, layer_paths = _chosen(name, found)
    if not isinstance(layer_paths, list) or len(layer_paths) > MAX_LAYERS:
        raise _no_image(name)
    config = _inside(folder, config_path, name)
    layers = [_inside(folder, one, name) for one in layer_paths]
    written = _small(config, MAX_CONFIG, name)
    digests = [Fingerprint.of_file(one).digest for one in layers]
    kinds = [OCI_LAYER + ("+gzip" if _starts(one, _GZIP, name) else "") for one in layers]
    content = canonical(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": describe(OCI_CONFIG, Fingerprint.of_bytes(written).digest, len(written)),
            "layers": [
                describe(kind, digest, one.stat().st_size)
                for kind, digest, one in zip(kinds, digests, layers, strict=True)
            ],
        }
    )
    manifest = read_manifest(content, name)
    assert isinstance(manifest, Manifest), "that is what was made"
    facts = read_facts(written, manifest, platform, name)
    for kind, digest, stated in zip(kinds, digests, json.loads(written)["rootfs"]["diff_ids"], strict=True):
        # A compressed layer is checked by the runtime, which unpacks it anyway.
        if kind == OCI_LAYER and stated != f"sha256:{digest}":
            raise _damaged(name, stated.removeprefix("sha256:"), digest)
    return Unpacked(
        digest=Fingerprint.of_bytes(content).digest,
        manifest=content,
        facts=facts,
        files={manifest.config.digest: config, **dict(zip(digests, layers, strict=True))},
    )


def _chosen(name: str, images: list[tuple[tuple[str, ...], T]]) -> T:
    """The only image, or the one of that name."""
    if len(images) == 1:
        return images[0][1]
    meant = _canonical(name)
    for names, image in images:
        if any(one == name or _canonical(one) == meant for one in names):
            return image
    there = ", ".join(one for names, _ in images for one in names)[:500]
    raise ContainerError(
        f"the archive holds {len(images)} images, and none is called {name}",
        hint=f"it has {there}" if there else "save one image with its name",
        where=name,
    )


def _canonical(name: str) -> str:
    try:
        return str(ImageReference.parse(name))
    except DefinitionError:
        return name


def _inside(folder: Path, stated: object, name: str) -> Path:
    """The regular file that an archive's list names; a link to a file of it is followed, as docker writes such."""
    if not isinstance(stated, str):
        raise _no_image(name)
    path = safe_join(folder, safe_relative(stated)).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise _no_image(name)
    return path


def _small(path: Path, limit: int, name: str) -> bytes:
    try:
        with open_regular(path) as descriptor, open(descriptor, "rb", closefd=False) as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise _no_image(name) from error
    if len(content) > limit:
        raise _no_image(name)
    return content


def _starts(path: Path, magic: bytes, name: str) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(magic)) == magic
    except OSError as error:
        raise _no_image(name) from error


def _check_digest(path: Path, digest: str, name: str) -> None:
    actual = Fingerprint.of_file(path).digest
    if actual != digest:
        raise _damaged(name, digest, actual)


def describe(kind: str, digest: str, size: int) -> dict[str, str | int]:
    """A manifest's word on one of its blobs; ``digest`` is hexadecimal, ``size`` in bytes."""
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": size}


# -- the layout --------------------------------------------------------------------------------------------------------


def _place(image: Unpacked, content: Path, name: str) -> dict[str, PlacedFile]:
    folder = content / LAYOUT / blob_path("x").parent
    try:
        make_folders(folder)
        for digest, source in image.files.items():
            target = folder / digest
            if not _is_there(target, digest, name):
                source.chmod(0o444)
                os.replace(source, target)  # noqa: PTH105 - says what it does
        manifest = folder / image.digest
        if not _is_there(manifest, image.digest, name):
            manifest.write_bytes(image.manifest)
            manifest.chmod(0o444)
        sync_many([folder, manifest, *(folder / digest for digest in image.files)])
    except OSError as error:
        raise from_os_error(error, "place an image in the working directory") from error
    return {
        digest: PlacedFile(
            path=str(LAYOUT / blob_path(digest)), sha256=digest, signature=StatSignature.of(folder / digest)
        )
        for digest in (*image.files, image.digest)
    }


def _is_there(path: Path, digest: str, name: str) -> bool:
    """Whether a blob lies there already, of another image or archive: it has to be what it is called.

    Raises:
        DigestError: it has other bytes. OSError: it is no regular file.
    """
    if not os.path.lexists(path):
        return False
    with open_regular(path) as descriptor, open(descriptor, "rb", closefd=False) as stream:
        actual = Fingerprint.of_stream(stream).digest
    if actual != digest:
        raise DigestError(
            f"a blob of {name} lies in the working directory already, with the sha256 {actual} instead of {digest}",
            hint="somebody changed it while it was staged: stage again",
            where=str(path),
            expected=digest,
            actual=actual,
        )
    return True


def _items(archive: StagedItem, name: str, image: Unpacked, placed: Mapping[str, PlacedFile]) -> tuple[StagedItem, ...]:
    identifier = archive.item.identifier

    def item(role: Role, called: str, digest: str) -> PlanItem:
        return replace(
            archive.item,
            role=role,
            name=called,
            identifier=f"{identifier}#sha256:{digest}",
            pinned=f"{archive.item.pinned}#sha256:{digest}",
            kind=Kind.FILE,
            fingerprint=Fingerprint(digest=digest),
            size=placed[digest].signature.size,
            path=LAYOUT / blob_path(digest),
        )

    whole = replace(
        item(Role.CONTAINER, name, image.digest),
        identifier=f"{identifier}#image",
        pinned=f"{plain_name(name)}@sha256:{image.digest}",
        licences=tuple(dict.fromkeys((*archive.item.licences, *licences_of(image.facts)))),
        image=image.facts,
    )
    blobs = [item(Role.BLOB, f"sha256:{digest}", digest) for digest in image.files]
    return tuple(replace(archive, item=one, placed=(placed[one.fingerprint.digest],)) for one in (whole, *blobs))


def _no_image(name: str) -> ContainerError:
    return ContainerError(
        f"the archive for {name} holds no image",
        hint='an image archive is what "docker save" or "skopeo copy" writes',
        where=name,
    )


def _damaged(name: str, expected: str, actual: str) -> DigestError:
    return DigestError(
        f"a layer or config of {name} in its archive has the sha256 {actual} instead of {expected}",
        hint="the archive is damaged: get it again",
        where=name,
        expected=expected,
        actual=actual,
    )
