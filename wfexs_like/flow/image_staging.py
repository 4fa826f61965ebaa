"""Image staging: what a workflow wants of container images, fetched and laid out below its working directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from staging.errors import ContainerError
from staging.wanted import StagedItem
from wfexs_like.flow.images import WantedImages

if TYPE_CHECKING:
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

    return stage_images(
        images.wishes,
        fetch=work.fetch,
        stager=work.stager,
        content=work.content,
        platform=machine_platform(),
        locked=work.locked,
    )


def _refuse_archives(images: WantedImages) -> None:
    for one in images.archives:
        raise ContainerError(
            f"{one.what} wants a container image out of an archive ({one.way}: {one.told[:200]}), "
            "which is not built yet",
            hint=f"push it to a registry, and list it: containers: [{{image: {one.container}, source: HOST/NAME:TAG}}]",
            where=one.what,
        )
