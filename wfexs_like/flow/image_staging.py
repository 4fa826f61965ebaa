"""Image staging: what a workflow wants of container images, fetched and laid out below its working directory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from staging.definition import ImageWish, Source
from staging.errors import ContainerError, DefinitionError, DigestError, FetchError, PolicyError, WfexsError
from staging.fingerprints import Fingerprint
from staging.identifiers import Identifier
from staging.images.local import archive_of, is_layout
from staging.paths import safe_join
from staging.plan import Kind, Role, Trust
from staging.wanted import StagedItem, Wanted
from wfexs_like.flow.images import Asker, WantedImages, same_name
from wfexs_like.results import ItemReport

if TYPE_CHECKING:
    from staging.images.manifest import Manifest
    from wfexs_like.flow.work import StageWork


def stage_wanted(
    work: StageWork, images: WantedImages, workflow: tuple[StagedItem, ...] = ()
) -> tuple[StagedItem, ...]:
    """Every image with its blobs, as items of the plan. ``workflow`` are its items: archives may be among them.

    Raises:
        ContainerError: there is no such image, or it is none that can be run.
        FetchError, DigestError: as for any item.
    """
    if not images.wishes and not images.archives:
        return ()
    from staging.images.layout import LAYOUT, write_layout
    from staging.images.platforms import machine_platform
    from staging.images.staging import stage_images

    # What lies on this machine may be nobody else's to see.
    public = not any(is_layout(one.source or "") for one in images.wishes)
    try:
        staged = stage_images(
            images.wishes,
            fetch=work.fetch_public if public else work.fetch,
            stager=(work.public if public else None) or work.stager,
            content=work.content,
            base=work.definition.base,
            platform=machine_platform(),
            locked=work.locked,
        )
    except DefinitionError as error:
        raise _at_its_place(error, work) from error
    except (ContainerError, FetchError, DigestError) as error:
        raise _with_asker(error, work, images) from error
    if not images.archives:
        return staged
    items = {(one.item.role, one.item.name): one for one in (*_unpacked(work, images, workflow), *staged)}
    write_layout(work.content / LAYOUT, [one.item for one in items.values()])
    return tuple(items.values())


def _unpacked(work: StageWork, images: WantedImages, workflow: tuple[StagedItem, ...]) -> Iterator[StagedItem]:
    """The archives that the workflow names, fetched where they don't come with it, and the images in them."""
    from staging.images.archives import unpack_image
    from staging.images.imported import import_image
    from staging.images.platforms import machine_platform

    for one in images.archives:
        assert one.container is not None, "archives without a name are none of these"
        listed = archive_of(one.wish.source) if one.wish is not None else None
        archive = None if listed is not None else _beside(work, one.told, workflow)
        if archive is None:
            (archive,) = work.fetch([_archive_wanted(one)])
            yield archive
        platform = (one.wish.platform if one.wish is not None else None) or machine_platform()
        try:
            if one.way == "dockerImport":
                found = import_image(archive, one.container, content=work.content, platform=platform)
            else:
                stored = listed.image if listed is not None else None
                found = unpack_image(archive, one.container, stored=stored, content=work.content, platform=platform)
        except ContainerError as error:
            raise ContainerError(
                f"{error.message} (wanted by {one.what})", hint=error.hint, where=one.what, **error.fields
            ) from error
        _check_stated(found[0], one)
        for staged in found:
            _check_locked(staged, work)
            yield staged


def _beside(work: StageWork, told: str, workflow: tuple[StagedItem, ...]) -> StagedItem | None:
    """An archive that came with the workflow, as an item of its own or in its folder."""
    path = PurePosixPath("workflow") / told
    try:
        place = safe_join(work.content, str(path))
    except PolicyError:
        return None
    if ":" in told.partition("/")[0] or not place.is_file():
        return None
    own = next((one for one in workflow if one.item.path == path), None)
    if own is not None or not workflow:
        return own
    whole = workflow[0]
    part = f"{whole.item.pinned}{'' if '#' in whole.item.pinned else '#'}/{told}"
    item = replace(
        whole.item,
        identifier=part,
        pinned=part,
        kind=Kind.FILE,
        path=path,
        fingerprint=Fingerprint.of_file(place),
        size=place.stat().st_size,
    )
    return replace(whole, item=item, placed=())


def _archive_wanted(one: Asker) -> Wanted:
    """An archive that lies elsewhere."""
    listed = archive_of(one.told)
    identifier = Identifier.parse(one.told) if listed is None else listed.identifier
    return Wanted(
        role=Role.BLOB,
        name=f"archive of {one.container}",
        path=PurePosixPath("container-archives") / Fingerprint.of_bytes(one.told.encode()).digest[:16] / "image.tar",
        source=Source(mirrors=(identifier,), where=one.what),
        kind=Kind.FILE,
    )


def _check_stated(staged: StagedItem, one: Asker) -> None:
    """An image out of an archive is the one whose digest the stage file states, if it does.

    Raises:
        DigestError: it is another one.
    """
    stated = one.wish.digest if one.wish is not None else None
    if stated not in (None, staged.item.fingerprint.digest):
        raise DigestError(
            f"the image {one.container} in its archive has the sha256 {staged.item.fingerprint.digest}, the stage file "
            f"says {stated}",
            hint="what is stated is the digest of the image's manifest, not the archive's",
            where=one.what,
            expected=stated,
            actual=staged.item.fingerprint.digest,
        )


def _check_locked(staged: StagedItem, work: StageWork) -> None:
    """An image out of an archive is the lock's.

    Raises:
        DigestError: the lock has another one, or none.
    """
    if work.locked is None:
        return
    known = next(
        (one for one in work.locked.items if (one.role, one.name) == (staged.item.role, staged.item.name)), None
    )
    if known is None or known.fingerprint != staged.item.fingerprint:
        raise DigestError(
            f"the container image {staged.item.name} out of an archive is not the one in the lock",
            hint="stage without --locked to make a new lock",
            where=staged.item.name,
            expected=None if known is None else known.fingerprint.digest,
            actual=staged.item.fingerprint.digest,
        )


def survey_images(work: StageWork, images: WantedImages) -> Iterator[ItemReport]:
    """What each image would be: its manifest is fetched into the store, which tells the size of the rest.

    Raises:
        ContainerError: there is no such image.
        FetchError: a registry can't be reached.
    """
    if not images.wishes:
        return
    try:
        yield from _surveyed(work, images)
    except (ContainerError, FetchError, DigestError) as error:
        raise _with_asker(error, work, images) from error


def _surveyed(work: StageWork, images: WantedImages) -> Iterator[ItemReport]:
    from staging.images.local import LayoutReference, reference_to
    from staging.images.manifest import Manifest, read_manifest
    from staging.images.platforms import Platform, machine_platform
    from staging.images.staging import refusals_told

    locked = {one.name: one for one in work.locked.of_role(Role.CONTAINER)} if work.locked is not None else {}
    for wish in images.wishes:
        try:
            reference = reference_to(wish.name, wish.source, wish.digest)
            platform = Platform.parse(wish.platform or machine_platform())
        except DefinitionError as error:
            raise _at_its_place(error, work) from error
        known, identifier = locked.get(wish.name), reference.identifier(str(platform))
        manifest: object
        if isinstance(reference, LayoutReference):
            found = reference.find(work.definition.base, platform)
            digest, manifest, place = found.digest, found.manifest, "layout"
        else:
            asked = identifier if known is None else reference.at(known.fingerprint.digest).identifier()
            with refusals_told():
                (obtained,) = work.stager.add([Source(mirrors=(asked,), where=wish.where)], work.content)
            digest, place = obtained.stored.fingerprint.digest, "registry"
            manifest = read_manifest(work.stager.store.path(digest).read_bytes(), str(reference))
        trust = Trust.FIRST_USE if reference.digest is None else Trust.EXPECTED
        if known is not None and known.fingerprint.digest == digest:
            trust = Trust.LOCKED
        yield ItemReport(
            role=Role.CONTAINER.value,
            name=wish.name,
            identifier=str(identifier),
            pinned=f"{reference.name}@sha256:{digest}",
            size=manifest.total if isinstance(manifest, Manifest) else None,
            sha256=digest,
            trust=trust.value,
            source=_source_of(work, manifest) if isinstance(manifest, Manifest) else "fetched",
            risks=() if trust is not Trust.FIRST_USE else _RISKS[: 1 if place == "layout" else 2],
        )


def _with_asker(error: WfexsError, work: StageWork, images: WantedImages) -> WfexsError:
    """The error with word of who wants the image that it is about: a step, or a line of the stage file."""
    told = str(error.fields.get("image") or error.where or "")
    wishes = [one for one in images.wishes if told and same_name(told) in _names(one)]
    wishes = wishes or [one for one in images.wishes if error.where and one.where == error.where]
    wish = next(iter(wishes), None)
    if wish is None or wish.where in error.message:
        return error
    place = wish.where if wish.line is None else f"{work.definition.file}:{wish.line}: {wish.where}"
    return type(error)(
        f"{error.message} (wanted by {place})", hint=error.hint, where=wish.where, **{**error.fields, "image": told}
    )


def _names(wish: ImageWish) -> set[str]:
    """What errors may call the image: as the workflow does, by its place, or by that with the digest stated."""
    place = wish.source or wish.name
    names = {wish.name, same_name(wish.name), same_name(place)}
    if wish.digest is not None:
        names.add(same_name(f"{place.partition('@')[0]}@sha256:{wish.digest}"))
    return names


def _source_of(work: StageWork, manifest: Manifest) -> str:
    """``cache`` when the store has every blob already, else ``fetched``, which the rest would be."""
    blobs = {one.digest for one in (manifest.config, *manifest.layers)}
    found = all(work.stager.store.lookup(Fingerprint(digest=one), Kind.FILE) is not None for one in blobs)
    return "cache" if found else "fetched"


def _at_its_place(error: DefinitionError, work: StageWork) -> DefinitionError:
    """The fault told of the stage file, or of the step that names the image."""
    faults = tuple(
        replace(one, file=work.definition.file if one.line is not None else "the workflow") for one in error.faults
    )
    place = next((f"{one.file}:{one.line}: {one.where}" if one.line else one.where for one in faults), "")
    wanted = f" (wanted by {place})" if place and place not in error.message else ""
    return DefinitionError(faults, message=error.message + wanted, hint=error.hint)


_RISKS = ("no digest stated: trusted on first use", "the tag may mean another image tomorrow")
