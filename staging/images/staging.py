"""Staging images: each manifest first, then what it names, all through the store like anything else.

An image becomes one item with its manifest's bytes and one for each blob, all below ``containers/``, which is an OCI
layout. A blob that several images share is fetched once. Whatever is in the store by its digest is taken from there,
without a word to any registry. Where an image comes from doesn't matter to a lock: its manifest's digest does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from staging.definition import ImageWish, Source
from staging.errors import ContainerError, DefinitionError, DigestError, Fault, FetchError, WfexsError, from_os_error
from staging.fingerprints import Fingerprint
from staging.images.facts import check_facts, licences_of, read_facts
from staging.images.layout import LAYOUT, blob_path, write_layout
from staging.images.local import LayoutReference, reference_to
from staging.images.manifest import MAX_CONFIG, MAX_MANIFEST, Descriptor, Manifest, read_manifest
from staging.images.platforms import Platform
from staging.images.reference import ImageReference
from staging.images.telling import blobs_named, called, tell_image
from staging.images.underway import BlobUnderway, ImageUnderway
from staging.plan import Kind, Plan, PlanItem, Role, Trust
from staging.stager import Stager
from staging.wanted import StagedItem, Wanted

Fetch = Callable[[Sequence[Wanted]], tuple[StagedItem, ...]]

_MISSING: Final = 404
_NOT_TO_BE_HAD: Final = (401, 403, _MISSING)
"""Statuses with which a registry says that there is no such image, or not for us."""


def stage_images(
    wishes: Sequence[ImageWish],
    fetch: Fetch,
    *,
    stager: Stager,
    content: Path,
    base: Path,
    platform: str,
    locked: Plan | None = None,
) -> tuple[StagedItem, ...]:
    """Stage the images below ``content``: their items in the order of ``wishes``, then those of their blobs.

    ``fetch`` stages what is wanted (``Stager.fetch_all`` with the rest of its arguments), ``platform`` is what images
    are for where their wish says nothing. Local layouts are read from the folder ``base``. ``locked`` allows only what
    is in that plan, at its digests; from where is all the same.

    Raises:
        ContainerError: an image is not to be had, not for that platform, or none.
        DigestError: bytes are not what was promised, or something is not in the lock.
        FetchError: a registry can't be reached.
        DefinitionError: a reference is none.
        PolicyError: a local layout leads elsewhere.
    """
    images = [_image(wish, platform, locked) for wish in _once(wishes)]
    with refusals_told():
        _read_layouts(images, base)
        if locked is None:
            _find_digests(images, stager, content)
        else:
            _check_locked(images, stager, content)
        _fetch_manifests(images, fetch, content)
        configs = _blobs(images, lambda one: (one.parts.config,), locked, skip=set())
        staged = _fetch_blobs(configs, fetch)
        items = [_told(image, content) for image in images]
        there = {one.descriptor.digest for one in configs} | {str(image.digest) for image in images}
        layers = _blobs(images, lambda one: one.parts.layers, locked, skip=there)
        staged += _fetch_blobs(layers, fetch)
    if items:
        write_layout(content / LAYOUT, [one.item for one in items])
    items = _fetched_in_part(items, staged)
    for one in items:
        tell_image(stager.progress, one.item, one.source)
    return (*items, *staged)


def _fetched_in_part(items: Sequence[StagedItem], blobs: Sequence[StagedItem]) -> list[StagedItem]:
    """The images, each of them fetched where anything of it was."""
    fetched = {one.item.fingerprint.digest for one in blobs if one.source == "fetched"}

    def is_fetched(one: StagedItem) -> bool:
        facts = one.item.image
        return facts is not None and not fetched.isdisjoint((facts.config, *facts.layers))

    return [replace(one, source="fetched") if is_fetched(one) else one for one in items]


def _once(wishes: Sequence[ImageWish]) -> list[ImageWish]:
    found: dict[str, ImageWish] = {}
    for wish in wishes:
        before = found.setdefault(wish.name, wish)
        if (before.source, before.digest, before.platform) != (wish.source, wish.digest, wish.platform):
            raise _fault(wish, f"the image {wish.name!r} is asked for twice, as two different images")
    return list(found.values())


def _image(wish: ImageWish, platform: str, locked: Plan | None) -> ImageUnderway:
    """What a wish asks for, exactly; what it leaves open is the lock's where there is one."""
    item = next((one for one in locked.of_role(Role.CONTAINER) if one.name == wish.name), None) if locked else None
    try:
        reference = reference_to(wish.name, wish.source, wish.digest)
        meant = Platform.parse(wish.platform or _locked_platform(item) or platform)
    except DefinitionError as error:
        raise _fault(wish, error.message, error.hint) from error
    return ImageUnderway(
        wish=wish,
        reference=reference,
        platform=meant,
        identifier=reference.identifier(str(meant)),
        locked=item,
    )


def _locked_platform(item: PlanItem | None) -> str | None:
    return item.identifier.partition("#")[2] or None if item is not None else None


def _read_layouts(images: Sequence[ImageUnderway], base: Path) -> None:
    """Have the digests of those that lie in local layouts."""
    for image in images:
        if isinstance(image.reference, LayoutReference):
            found = image.reference.find(base, image.platform)
            image.digest, image.hops = found.digest, found.hops


def _check_locked(images: Sequence[ImageUnderway], stager: Stager, content: Path) -> None:
    """Have the lock's digests; who gives another place or another platform than the lock must mean the same image.

    Raises:
        DigestError: an image is not in the lock, or another one there.
    """
    for image in images:
        if image.locked is None:
            raise DigestError(
                f"the container {image.wish.name!r} ({image.identifier}) is not in the lock",
                hint="stage without --locked to make a new lock",
                where=image.wish.name,
                identifier=str(image.identifier),
            )
        if image.digest is None and not image.is_other:
            image.digest = image.locked.fingerprint.digest
    _find_digests(images, stager, content)
    for image in images:
        assert image.locked is not None, "seen above"
        if image.digest != image.locked.fingerprint.digest:
            raise DigestError(
                f"the container {image.wish.name!r} is {image.identifier}, which has the sha256 {image.digest}; "
                f"the lock has {image.locked.identifier} for it, with {image.locked.fingerprint.digest}",
                hint="stage without --locked to make a new lock",
                where=image.wish.name,
                identifier=str(image.identifier),
                expected=image.locked.fingerprint.digest,
                actual=image.digest,
            )


def _find_digests(images: Sequence[ImageUnderway], stager: Stager, content: Path) -> None:
    """Have every image's digest: stated and known to the store, or else as its registry says."""
    for image in images:
        if image.digest is None:
            image.digest = _known_digest(image, stager)
    unknown = [image for image in images if image.digest is None]
    if not unknown:
        return
    sources = [Source(mirrors=(image.identifier,), where=image.wish.where) for image in unknown]
    try:
        found = stager.add(sources, content, labels=[called(image.wish.name) for image in unknown])
    except FetchError as error:
        if error.fields.get("status") == _MISSING:
            _check_stated(unknown, str(error.fields.get("image")), stager, content)
        raise
    for image, obtained in zip(unknown, found, strict=True):
        image.obtained = obtained
        image.digest = obtained.stored.fingerprint.digest


def _check_stated(images: Sequence[ImageUnderway], missing: str, stager: Stager, content: Path) -> None:
    """Of an image that is not there by its digest: see whether it is by its tag, which tells a digest mistyped.

    Raises:
        DigestError: it is, and has another digest.
    """
    image = next((one for one in images if one.name == missing), None)
    reference = image.reference if image is not None else None
    if image is None or not isinstance(reference, ImageReference) or None in (reference.tag, reference.digest):
        return
    tagged = replace(reference, digest=None)
    try:
        source = Source(mirrors=(tagged.identifier(str(image.platform)),), where=image.wish.where)
        (obtained,) = Stager(stager.store, None, stager.environment).add([source], content)
    except WfexsError:
        return  # Nor is it there by its tag: that it is not there at all is what is told.
    actual = obtained.stored.fingerprint.digest
    raise DigestError(
        f"the image {tagged} has the digest sha256:{actual}, stated is sha256:{reference.digest}, which the registry "
        "does not have",
        hint="correct the digest, or take another tag: the image may have been pushed anew",
        where=image.wish.where or image.wish.name,
        image=image.wish.name,
        expected=reference.digest,
        actual=actual,
    )


def _known_digest(image: ImageUnderway, stager: Stager) -> str | None:
    """The manifest's digest where a digest was stated and the store knows what it leads to."""
    stated = image.reference.digest
    if stated is None:
        return None
    store, text = stager.store, str(image.identifier)
    asked = store.index.asked([text]).get(text)
    origin = store.index.origins([asked.pinned]).get(asked.pinned) if asked is not None else None
    if origin is not None and store.lookup(origin.fingerprint, Kind.FILE) is not None:
        return origin.fingerprint.digest
    stored = store.lookup(Fingerprint(digest=stated), Kind.FILE)
    if stored is None or stored.size > MAX_MANIFEST:
        return None
    try:
        manifest = read_manifest(_read(store.path(stated)), image.name)
    except WfexsError:
        return None
    return stated if isinstance(manifest, Manifest) else None


def _fetch_manifests(images: Sequence[ImageUnderway], fetch: Fetch, content: Path) -> None:
    for image, staged in zip(images, fetch([one.wanted for one in images]) if images else (), strict=True):
        manifest = read_manifest(_read(content / LAYOUT / blob_path(str(image.digest))), image.name)
        if not isinstance(manifest, Manifest):
            raise ContainerError(f"{image.name} is a list of images, not one", where=image.name, image=image.name)
        if image.locked is not None and image.locked.image is not None:
            # Before any blob is fetched that somebody may have put there.
            check_facts(image.locked.image, manifest, image.wish.name)
        image.staged, image.manifest = staged, manifest


def _blobs(
    images: Sequence[ImageUnderway],
    named: Callable[[ImageUnderway], Sequence[Descriptor]],
    locked: Plan | None,
    *,
    skip: set[str],
) -> list[BlobUnderway]:
    """The blobs that are named, each once, with every place that has it; the lock's own comes first."""
    found: dict[str, BlobUnderway] = {}
    for image in images:
        for descriptor in named(image):
            if descriptor.digest in skip:
                continue
            blob = found.setdefault(descriptor.digest, _blob(image, descriptor))
            if blob.descriptor.size != descriptor.size:
                raise ContainerError(
                    f"the image {image.name} tells another size of the blob sha256:{descriptor.digest} than others do",
                    hint="the registry has a damaged image; push it again, or ask those who did",
                    where=image.name,
                    image=image.name,
                )
            identifier = image.reference.blob(descriptor.digest)
            blob.asked = blob.asked or str(identifier)
            if identifier not in blob.identifiers:
                blob.identifiers.append(identifier)
            if _trust(image) is Trust.EXPECTED:
                blob.trust = Trust.EXPECTED
    known = {one.name: one.identifier for one in locked.of_role(Role.BLOB)} if locked is not None else {}
    for digest, blob in found.items():
        blob.asked = known.get(f"sha256:{digest}", blob.asked)
        blob.identifiers.sort(key=lambda one: str(one) != blob.asked)
    return list(found.values())


def _blob(image: ImageUnderway, descriptor: Descriptor) -> BlobUnderway:
    layers = [one.digest for one in image.parts.layers]
    part = f"layer {layers.index(descriptor.digest) + 1} of {len(layers)}" if descriptor.digest in layers else "config"
    return BlobUnderway(descriptor=descriptor, image=image.wish.name, label=f"{called(image.wish.name)}: {part}")


def _fetch_blobs(blobs: Sequence[BlobUnderway], fetch: Fetch) -> tuple[StagedItem, ...]:
    wanted = [
        Wanted(
            role=Role.BLOB,
            name=f"sha256:{blob.descriptor.digest}",
            path=LAYOUT / blob_path(blob.descriptor.digest),
            source=Source(
                mirrors=tuple(blob.identifiers),
                sha256=Fingerprint(digest=blob.descriptor.digest),
                size=blob.descriptor.size,
            ),
            asked=blob.asked,
            kind=Kind.FILE,
            label=blob.label,
            part=True,
        )
        for blob in blobs
    ]
    labels = {blob.descriptor.digest: blob.label for blob in blobs}
    with blobs_named(labels, {blob.descriptor.digest: blob.image for blob in blobs}):
        fetched = fetch(wanted) if wanted else ()
    return tuple(
        staged
        if staged.trust is Trust.LOCKED
        else replace(
            staged,
            trust=blob.trust,
            # Which of several places gave it is an accident; the digest says all.
            item=replace(staged.item, trust=blob.trust, pinned=staged.item.identifier, hops=()),
        )
        for blob, staged in zip(blobs, fetched, strict=True)
    )


def _told(image: ImageUnderway, content: Path) -> StagedItem:
    """The image's item, with what its config says of it."""
    staged, manifest = image.staged, image.parts
    assert staged is not None, "manifests come first"
    config = _read(content / LAYOUT / blob_path(manifest.config.digest), MAX_CONFIG)
    facts = read_facts(config, manifest, image.platform, image.name)
    if staged.trust is Trust.LOCKED and staged.item.image is not None:
        return staged
    trust = _trust(image)
    item = replace(
        staged.item,
        pinned=f"{image.reference.name}@sha256:{image.digest}",
        hops=_hops(image),
        licences=tuple(dict.fromkeys((*staged.item.licences, *licences_of(facts)))),
        trust=trust,
        image=facts,
    )
    fetched = image.obtained is not None and not image.obtained.cached
    return replace(
        staged,
        item=item,
        trust=staged.trust if staged.trust is Trust.LOCKED else trust,
        source="fetched" if fetched else staged.source,
    )


def _hops(image: ImageUnderway) -> tuple[str, ...]:
    """The lists of manifests on the way, in the lock's spelling; not the pinned manifest itself."""
    staged = image.staged
    assert staged is not None, "manifests come first"
    if isinstance(image.reference, LayoutReference):
        return tuple(str(image.reference.blob(one)) for one in image.hops)
    own = str(image.reference.at(str(image.digest)).identifier())
    hops = (*(image.obtained.hops if image.obtained is not None else ()), *staged.item.hops)
    return tuple(dict.fromkeys(one for one in hops if one not in (own, str(image.identifier))))


def _trust(image: ImageUnderway) -> Trust:
    return Trust.EXPECTED if image.reference.digest is not None else Trust.FIRST_USE


def _read(path: Path, limit: int = MAX_MANIFEST) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(limit + 1)
    except OSError as error:
        raise from_os_error(error, f"read {path.name}") from error


@contextmanager
def refusals_told() -> Iterator[None]:
    """For whoever asks registries: what they refuse is a fault of the image that was asked for, not of the network.

    Raises:
        ContainerError: in place of the ``FetchError`` that says so.
    """
    try:
        yield
    except FetchError as error:
        if error.fields.get("status") not in _NOT_TO_BE_HAD or "image" not in error.fields:
            raise
        raise ContainerError(error.message, hint=error.hint, where=error.where, **error.fields) from error


def _fault(wish: ImageWish, message: str, hint: str | None = None) -> DefinitionError:
    fault = Fault(
        file="stage file",
        where=wish.where or wish.name,
        message=message,
        line=wish.line,
        column=wish.column,
        hint=hint,
    )
    return DefinitionError((fault,), message=message, hint=hint)
