"""Containers of a run: the runtime that the plan asks for, with every staged image in it before anything begins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engines.base import WorkflowInterface
from engines.containers.base import ContainerRuntime, Containers, StagedImage
from engines.containers.choosing import choose
from staging.images.layout import LAYOUT
from staging.plan import Plan, Role
from staging.progress import Progress
from wfexs_like.flow.images import names_of

_NVIDIA = Path("/dev/nvidiactl")


def containers_for(
    plan: Plan,
    interface: WorkflowInterface,
    content: Path,
    *,
    environment: Mapping[str, str],
    preferred: str | None,
    progress: Progress,
) -> Containers | None:
    """What the plan's steps run in, ``None`` where it has no image. ``preferred`` is the runtime where any will do.

    Raises:
        ContainerError: the runtime is not to be had on this machine, or can't take an image.
        DigestError: it made another image of it.
        DiskError: its disk is full.
    """
    images = staged_images(plan, content)
    if plan.container == "none" or not images:
        return None
    wanted = preferred if plan.container == "any" and preferred not in (None, "none") else plan.container
    runtime, facts = choose(str(wanted), environment)
    load(runtime, images, progress)
    names = names_of(interface, tuple(images))
    return Containers(
        runtime=runtime,
        facts=facts,
        images={said: images[name] for said, name in names.items()},
        gpus=_NVIDIA.exists(),
        writable_root=plan.writable_containers,
    )


def staged_images(plan: Plan, content: Path) -> dict[str, StagedImage]:
    """The plan's images by the names that the workflow has for them."""
    return {
        item.name: StagedImage(
            name=item.name,
            digest=item.fingerprint.digest,
            config=item.image.config,
            layers=item.image.layers,
            platform=item.image.platform,
            size=item.image.size,
            layout=content / LAYOUT,
        )
        for item in plan.of_role(Role.CONTAINER)
        if item.image is not None
    }


def load(runtime: ContainerRuntime, images: Mapping[str, StagedImage], progress: Progress) -> None:
    """Give the runtime each image that it lacks, once, and say so."""
    for image in {one.config: one for one in images.values()}.values():
        if runtime.has(image):
            continue
        key = f"load:{image.config}"
        progress.begin(key, f"{image.name} into {runtime.name}", image.size)
        outcome = "failed"
        try:
            runtime.load(image, progress.say)
            outcome = "loaded"
        finally:
            progress.end(key, outcome)
