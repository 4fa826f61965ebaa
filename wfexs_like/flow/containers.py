"""Containers of a run: the runtime that the plan asks for, with every staged image in it before anything begins."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from engines.base import WorkflowInterface
from engines.containers.base import ContainerRuntime, Containers, RuntimeFacts, StagedImage
from engines.containers.choosing import choose
from staging.errors import ContainerError, DigestError, from_os_error
from staging.fingerprints import Fingerprint
from staging.images.facts import check_facts
from staging.images.layout import LAYOUT, blob_path
from staging.images.manifest import MAX_MANIFEST, Manifest, read_manifest
from staging.placing import open_regular
from staging.plan import Plan, Role
from staging.progress import Progress
from wfexs_like.flow.images import names_of

_NVIDIA = Path("/dev/nvidiactl")


class Asking:
    """Asks the runtime who it is and which of the plan's images it lacks, beside whatever else is done meanwhile.

    ``preferred`` is the runtime where any will do; ``environment`` is the user's, and names the cache folder.
    """

    def __init__(self, plan: Plan, content: Path, *, environment: Mapping[str, str], preferred: str | None) -> None:
        self.plan = plan
        self.images: Mapping[str, StagedImage] = {}
        self._content = content
        wanted = preferred if plan.container == "any" and preferred not in (None, "none") else plan.container
        self._wanted = str(wanted)
        self._environment = environment
        self._found: tuple[ContainerRuntime, RuntimeFacts] | None = None
        self._lacking: dict[str, StagedImage] = {}
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        if plan.container != "none" and any(one.image is not None for one in plan.of_role(Role.CONTAINER)):
            self._thread = threading.Thread(target=self._ask, name="container runtime", daemon=True)
            self._thread.start()

    def _ask(self) -> None:
        try:
            self.images = staged_images(self.plan, self._content)
            runtime, facts = choose(self._wanted, self._environment)
            once = {one.config: one for one in self.images.values()}
            self._lacking = {key: one for key, one in once.items() if not runtime.has(one)}
            self._found = runtime, facts
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is awaited
            self._failure = error

    def containers(self, interface: WorkflowInterface, progress: Progress) -> Containers | None:
        """What the plan's steps run in, ``None`` where it has no image. Images that are lacking are loaded.

        What is staged has to be verified by now.

        Raises:
            ContainerError: the runtime is not to be had on this machine, or can't take an image.
            DigestError: it made another image of it.
            DiskError: its disk is full.
        """
        if self._thread is None:
            return None
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        assert self._found is not None
        runtime, facts = self._found
        load(runtime, self._lacking.values(), progress)
        names = names_of(interface, tuple(self.images))
        return Containers(
            runtime=runtime,
            facts=facts,
            images={said: self.images[name] for said, name in names.items()},
            gpus=_NVIDIA.exists(),
            writable_root=self.plan.writable_containers,
        )


def staged_images(plan: Plan, content: Path) -> dict[str, StagedImage]:
    """The plan's images by the names that the workflow has for them.

    Which image that is (its config, its layers) is what the manifest says, whose bytes the lock's digest stands for.

    Raises:
        DigestError: a manifest is not the locked one, or the lock says another image than it.
        ContainerError: it is none.
    """
    images = {}
    for item in plan.of_role(Role.CONTAINER):
        if item.image is None:
            continue
        check_facts(item.image, _manifest(content, item.fingerprint.digest, item.name), item.name)
        images[item.name] = StagedImage(
            name=item.name,
            digest=item.fingerprint.digest,
            config=item.image.config,
            layers=item.image.layers,
            platform=item.image.platform,
            size=item.image.size,
            layout=content / LAYOUT,
        )
    return images


def _manifest(content: Path, digest: str, name: str) -> Manifest:
    """An image's manifest as it lies there."""
    path = content / LAYOUT / blob_path(digest)
    try:
        with open_regular(path) as descriptor, open(descriptor, "rb", closefd=False) as stream:
            data = stream.read(MAX_MANIFEST + 1)
    except OSError as error:
        raise from_os_error(error, f"read the manifest of the image {name}") from error
    actual = Fingerprint.of_bytes(data).digest
    if actual != digest:
        raise DigestError(
            f"the manifest of the image {name} is damaged: {path}",
            hint="it is no longer what was staged: stage again, and remove this working directory",
            where=str(path),
            expected=f"sha256:{digest}",
            actual=f"sha256:{actual}",
        )
    manifest = read_manifest(data, name)
    if not isinstance(manifest, Manifest):
        raise ContainerError(f"{name} is a list of images, not one", where=name, image=name)
    return manifest


def load(runtime: ContainerRuntime, images: Iterable[StagedImage], progress: Progress) -> None:
    """Give the runtime images that it lacks, and say so."""
    for image in images:
        key = f"load:{image.config}"
        progress.begin(key, f"{image.name} into {runtime.name}", image.size)
        outcome = "failed"
        try:
            runtime.load(image, progress.say)
            outcome = "loaded"
        finally:
            progress.end(key, outcome)
