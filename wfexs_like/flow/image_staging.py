"""Image staging: what a workflow wants of container images, fetched and laid out below its working directory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from staging.definition import Source
from staging.errors import ContainerError, DefinitionError, DigestError, FetchError, WfexsError
from staging.fingerprints import Fingerprint
from staging.plan import Kind, Role, Trust
from staging.wanted import StagedItem
from wfexs_like.flow.images import WantedImages, same_name
from wfexs_like.results import ItemReport

if TYPE_CHECKING:
    from staging.images.manifest import Manifest
    from wfexs_like.flow.stage import StageWork


def stage_wanted(work: StageWork, images: WantedImages) -> tuple[StagedItem, ...]:
    """Every image with its blobs, as items of the plan.

    Raises:
        ContainerError: there is no such image, or it is none that can be run.
        FetchError, DigestError: as for any item.
    """
    _refuse_archives(images)
    if not images.wishes:
        return ()
    from staging.images.platforms import machine_platform
    from staging.images.staging import stage_images

    try:
        return stage_images(
            images.wishes,
            fetch=work.fetch,
            stager=work.stager,
            content=work.content,
            platform=machine_platform(),
            locked=work.locked,
        )
    except DefinitionError as error:
        raise _at_its_place(error, work) from error
    except (ContainerError, FetchError, DigestError) as error:
        raise _with_asker(error, work, images) from error


def survey_images(work: StageWork, images: WantedImages) -> Iterator[ItemReport]:
    """What each image would be: its manifest is fetched into the store, which tells the size of the rest.

    Raises:
        ContainerError: there is no such image.
        FetchError: a registry can't be reached.
    """
    _refuse_archives(images)
    if not images.wishes:
        return
    try:
        yield from _surveyed(work, images)
    except (ContainerError, FetchError, DigestError) as error:
        raise _with_asker(error, work, images) from error


def _surveyed(work: StageWork, images: WantedImages) -> Iterator[ItemReport]:
    from staging.images.manifest import Manifest, read_manifest
    from staging.images.platforms import machine_platform
    from staging.images.reference import ImageReference

    locked = {one.name: one for one in work.locked.of_role(Role.CONTAINER)} if work.locked is not None else {}
    for wish in images.wishes:
        try:
            reference = ImageReference.parse(wish.source or wish.name)
        except DefinitionError as error:
            raise _at_its_place(error, work) from error
        if wish.digest is not None:
            reference = replace(reference, digest=wish.digest)
        known = locked.get(wish.name)
        identifier = reference.identifier(wish.platform or machine_platform())
        if known is not None:
            identifier = reference.at(known.fingerprint.digest).identifier()
        (obtained,) = work.stager.add([Source(mirrors=(identifier,), where=wish.where)], work.content)
        digest = obtained.stored.fingerprint.digest
        manifest = read_manifest(work.stager.store.path(digest).read_bytes(), str(reference))
        stated = reference.digest is not None
        trust = Trust.LOCKED if known is not None else Trust.EXPECTED if stated else Trust.FIRST_USE
        yield ItemReport(
            role=Role.CONTAINER.value,
            name=wish.name,
            identifier=str(reference.identifier(wish.platform or machine_platform())),
            pinned=f"{reference.name}@sha256:{digest}",
            size=manifest.total if isinstance(manifest, Manifest) else None,
            sha256=digest,
            trust=trust.value,
            source=_source_of(work, manifest) if isinstance(manifest, Manifest) else "registry",
            risks=() if trust is not Trust.FIRST_USE else _RISKS,
        )


def _with_asker(error: WfexsError, work: StageWork, images: WantedImages) -> WfexsError:
    """The error with word of who wants the image that it is about: a step, or a line of the stage file."""
    told = str(error.fields.get("image") or error.where or "")
    wish = next((one for one in images.wishes if told and same_name(one.source or one.name) == same_name(told)), None)
    if wish is None or wish.where in error.message:
        return error
    place = wish.where if wish.line is None else f"{work.definition.file}:{wish.line}: {wish.where}"
    return type(error)(
        f"{error.message} (wanted by {place})", hint=error.hint, where=wish.where, **{**error.fields, "image": told}
    )


def _source_of(work: StageWork, manifest: Manifest) -> str:
    """``cache`` when the store has every blob already."""
    blobs = {one.digest for one in (manifest.config, *manifest.layers)}
    found = all(work.stager.store.lookup(Fingerprint(digest=one), Kind.FILE) is not None for one in blobs)
    return "cache" if found else "registry"


def _at_its_place(error: DefinitionError, work: StageWork) -> DefinitionError:
    """The fault told of the stage file, or of the step that names the image."""
    faults = tuple(
        replace(one, file=work.definition.file if one.line is not None else "the workflow") for one in error.faults
    )
    return DefinitionError(faults, message=error.message, hint=error.hint)


_RISKS = ("no digest stated: trusted on first use", "the tag may mean another image tomorrow")


def _refuse_archives(images: WantedImages) -> None:
    for one in images.archives:
        raise ContainerError(
            f"{one.what} wants a container image out of an archive ({one.way}: {one.told[:200]}), "
            "which is not built yet",
            hint=f"push it to a registry, and list it: containers: [{{image: {one.container}, source: HOST/NAME:TAG}}]",
            where=one.what,
        )
