"""The contract of container runtimes, and the values that go in and out.

A runtime loads images from the store and says with which command line a container is started. What a container may do
is decided elsewhere, once for all of them (``engines.containers.policy``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from staging.plugins import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedImage:
    """An image that lies staged in an OCI layout, verified.

    ``name`` is what the workflow calls it. ``digest`` is its manifest's sha256, ``config`` that of its config (both
    hex): the latter is the image id. ``layers`` are the blobs' digests (hex), lowest first; ``size`` is in bytes.
    ``layout`` is the folder with ``blobs/sha256``.
    """

    name: str
    digest: str
    config: str
    layers: tuple[str, ...]
    platform: str
    size: int
    layout: Path

    def blob(self, digest: str) -> Path:
        """Where a blob lies."""
        return self.layout / "blobs" / "sha256" / digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A path of this machine that a container sees at ``target``; read-only unless ``writable``.

    ``held`` is another path of the same folder: that of a descriptor of ours, which can't come to mean another folder
    before it is mounted. It is of use to who mounts in our own mount namespace.
    """

    source: Path
    target: str
    writable: bool = False
    held: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dark:
    """The network of a container: none. A runtime that can joins one that is watched and leads nowhere.

    ``namespace`` is the path of a network namespace (podman, apptainer), ``holder`` the id of the container whose
    network is joined (docker). Without either the container has loopback alone.
    """

    namespace: str | None = None
    holder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A container to be started, as it may be: every field has been through the policy.

    ``name`` is the container's. ``entrypoint`` replaces the image's (``None``: the image's own is kept, with
    ``command`` as its arguments). ``user`` is uid and gid. ``cores`` and ``memory`` (bytes) are what it may use at
    most; ``read_only`` is about its root file system; ``temporary`` are paths in it that get an empty file system in
    memory; ``shared_memory`` bytes of ``/dev/shm``; ``gpus`` what of them is passed through (``all``, or a count).
    ``labels`` mark it as ours. ``variables`` is where the command reads ``Handed.lines``; ``None`` where no container
    is started, but told of. ``hooks`` is a folder of an OCI hook that looks at the mounts before the container begins,
    for a runtime that knows hooks; ``cidfile`` is a file that does not exist yet, for the container's id. ``volumes``
    are folders of ours for what the image wants to be volumes, for a runtime that would keep them elsewhere.
    """

    image: StagedImage
    name: str
    command: tuple[str, ...]
    entrypoint: str | None = None
    workdir: str | None = None
    mounts: tuple[Mount, ...] = ()
    volumes: tuple[Mount, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user: tuple[int, int] | None = None
    cores: float | None = None
    memory: int | None = None
    shared_memory: int | None = None
    read_only: bool = True
    temporary: tuple[str, ...] = ()
    gpus: str | None = None
    network: Dark = field(default_factory=Dark)
    labels: Mapping[str, str] = field(default_factory=dict)
    variables: str | None = None
    hooks: str | None = None
    cidfile: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """A container's variables on their way to its command, whose words every user of the machine can read.

    ``lines`` (``NAME=value``) are what it reads from a file, ``named`` what it finds in its own environment.
    """

    lines: bytes = b""
    named: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeFacts:
    """What a runtime is on this host: its version, and notes by name (``storage``, ``rootless``, ``cgroups``)."""

    version: str
    notes: Mapping[str, str] = field(default_factory=dict)


Say = Callable[[str], None]


class ContainerRuntime(Protocol):
    """A container runtime of this host. One instance serves one command, from several threads at once.

    ``environment`` is what its command gets over ``staging.process.base_environment``.
    """

    name: str

    @property
    def environment(self) -> Mapping[str, str]:
        """What the runtime's command has to be told by environment."""

    def about(self) -> RuntimeFacts:
        """Ask it who it is; a few milliseconds.

        Raises:
            ContainerError: it is not installed, or doesn't answer; the hint says what to do.
        """

    def has(self, image: StagedImage) -> bool:
        """Whether it has exactly that image already."""

    def load(self, image: StagedImage, say: Say) -> None:
        """Give it the image, under its id alone: no tag is made, none is moved. It has it whole, or not at all.

        Raises:
            ContainerError: it could not; the runtime's own words, shortened.
            DigestError: what it has then is another image.
            DiskError: its disk is full.
        """

    def argv(self, order: Order) -> tuple[str, ...]:
        """The command line that starts the container in the foreground and ends as it does. Pure.

        No value of a variable is in it (``handed``).
        """

    def handed(self, order: Order) -> Handed:
        """How the container's variables reach that command. Pure.

        Raises:
            ContainerError: one can't, without others seeing it or the command itself being changed by it.
        """

    def stop(self, name: str) -> None:
        """End a container of ours at once and remove it. There being none is fine."""

    def sweep(self, label: str, value: str) -> tuple[str, ...]:
        """End and remove every container with that label; their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Containers:
    """What a run's steps run in: the runtime, and the images by the names that the engine will say.

    Every image is loaded. ``facts`` is what the runtime says of itself. ``writable_root``: the containers' root file
    systems may be written to; what is written there goes with the container.
    """

    runtime: ContainerRuntime
    facts: RuntimeFacts
    images: Mapping[str, StagedImage]
    gpus: bool = False
    writable_root: bool = False


CONTAINERS: Registry[Callable[[Mapping[str, str]], ContainerRuntime]] = Registry(
    "wfexs_like.containers", what="container runtime"
)
"""Made with the user's environment, of which a runtime takes what finds its daemon or its storage."""
