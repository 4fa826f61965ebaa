"""Docker: the engine is asked, fed and told by its own command.

Where it runs without root, its containers' root is the user; where it maps users, our containers go unmapped, so that
what they make belongs to the user. Source: "docker run" and "Docker Engine API" of the Docker documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from engines.containers import docker_like
from engines.containers.base import Dark, Handed, Mount, Order, RuntimeFacts, StagedImage
from engines.containers.docker_endpoint import endpoint_environment, shares_mounts
from engines.containers.docker_like import DockerLike, parsed
from engines.containers.orders import Limits, capability_options, csv_line, limit_options, name_options, place_options
from engines.containers.variables import hand_over, variable_options
from staging.errors import ContainerError
from staging.process import Completed

_MANIFESTS: Final = "io.containerd.snapshotter"
_LACKING: Final = "not to be had on this host: containers run without"


class Docker(DockerLike):
    """The Docker engine of this machine."""

    name = "docker"
    install_hint = "install it (Debian, Ubuntu: apt-get install docker.io)"
    wants_layout = True

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._fault: ContainerError | None = None
        try:
            found = endpoint_environment(environment)
        except ContainerError as error:
            self._fault, found = error, {}
        super().__init__(found)
        self._info: Mapping[str, Any] | None = None
        self._with_us: bool | None = None

    def about(self) -> RuntimeFacts:
        """As ``ContainerRuntime.about``."""
        if self._fault is not None:
            raise self._fault
        done = self._ask("info", "--format", "{{json .}}", check=False, patience=docker_like.SILENCE)
        info = parsed(done, "the Docker engine") if done.code == 0 else {}
        if not info.get("ServerVersion"):
            raise self._not_there(done, info)
        self._info = info
        return RuntimeFacts(version=str(info["ServerVersion"]), notes=_notes(info))

    def image_id(self, image: StagedImage) -> str:
        """Its config's digest; its manifest's where the engine's image store keeps manifests."""
        return image.digest if _keeps_manifests(self._asked()) else image.config

    def argv(self, order: Order) -> tuple[str, ...]:
        """As ``ContainerRuntime.argv``; what the engine said of itself when it was first asked goes into it."""
        return docker_argv(order, self._asked(), self.image_id(order.image), held=self._mounts_with_us())

    def handed(self, order: Order) -> Handed:
        """As ``ContainerRuntime.handed``."""
        return hand_over(order.environment, quotes=True)

    def sweep(self, label: str, value: str) -> tuple[str, ...]:
        """As ``ContainerRuntime.sweep``; what its containers' folders were mounted by goes with them."""
        swept = super().sweep(label, value)
        said = self._ask("volume", "ls", "--quiet", f"--filter=label={label}={value}")
        volumes = said.stdout.decode(errors="replace").split()
        if volumes:
            done = self._ask("volume", "rm", *volumes, check=False)
            if done.code != 0 and "no such volume" not in done.stderr.decode(errors="replace").lower():
                raise self.failure("remove a volume", done)
        return swept

    def _mounts_with_us(self) -> bool:
        """Whether the engine mounts volumes in the mount namespace that we are in; only root can tell."""
        if self._with_us is None:
            self._with_us = "rootless" not in _security(self._asked()) and shares_mounts(
                self._environment["DOCKER_HOST"]
            )
        return self._with_us

    def _asked(self) -> Mapping[str, Any]:
        if self._info is None:
            self.about()
        assert self._info is not None
        return self._info

    def _not_there(self, done: Completed, info: Mapping[str, Any]) -> ContainerError:
        host = self._environment["DOCKER_HOST"]
        errors = info.get("ServerErrors")
        told = errors[0] if isinstance(errors, list) and errors else done.last_words
        if "permission denied" in str(told).lower():
            return ContainerError(
                f"no permission to talk to the Docker engine at {host}",
                hint="join the group docker (usermod -aG docker USER) and log in again",
                where=host,
            )
        if "cannot connect" in str(told).lower() or "dial unix" in str(told).lower():
            return ContainerError(
                f"the Docker engine at {host} does not run",
                hint="start it (systemctl start docker), or set DOCKER_HOST to another",
                where=host,
            )
        return ContainerError(f"the Docker engine at {host} does not answer: {told}", hint='try "docker info"')


def docker_argv(order: Order, info: Mapping[str, Any], image: str, *, held: bool = False) -> tuple[str, ...]:
    """The command line; ``info`` is what ``docker info`` says of the engine, ``image`` the id (hex).

    ``held``: what is mounted is named by our descriptor where there is one (``Mount.held``).
    """
    by_descriptor = [one for one in order.mounts if held and one.held is not None]
    order = replace(order, mounts=tuple(one for one in order.mounts if one not in by_descriptor))
    rootless = "rootless" in _security(info)
    user = (0, 0) if rootless and order.user is not None else order.user
    return (
        *("docker", "run", "--rm", "--interactive", "--pull=never", "--log-driver=none", "--ipc=private"),
        # What a probe says is kept with the container, on the disk.
        "--no-healthcheck",
        *name_options(order),
        *variable_options(order, quotes=True),
        _network(order.network),
        *(() if user is None else (f"--user={user[0]}:{user[1]}",)),
        *(("--userns=host",) if "userns" in _security(info) else ()),
        *(("--security-opt=label=disable",) if "selinux" in _security(info) else ()),
        *capability_options(root=user is None or user[0] == 0),
        *limit_options(order, _limits(info)),
        *place_options(order),
        *(f"--mount={_held_option(one, order.labels)}" for one in by_descriptor),
        *(f"--mount={_volume_option(one, order.labels)}" for one in order.volumes),
        *(() if order.gpus is None else (f"--gpus={order.gpus}",)),
        *(() if order.entrypoint is None else (f"--entrypoint={order.entrypoint}",)),
        f"sha256:{image}",
        *order.command,
    )


def _held_option(mount: Mount, labels: Mapping[str, str]) -> str:
    """A mount of our descriptor: the engine itself mounts a volume's device, and in the mount namespace it is in.

    The container's own mounts are made in another, where a descriptor's folder can't be mounted from.
    """
    fields = ["type=volume", f"target={mount.target}", "volume-nocopy=true"]
    # Where the engine dies with the container, the volume stays: by its labels it is known as ours.
    fields += [f"volume-label={key}={value}" for key, value in labels.items()]
    # A volume without a name can't be asked for read-only; what it is of can.
    options = ("type=none", "o=bind" if mount.writable else "o=bind,ro", f"device={mount.held}")
    return csv_line([*fields, *(f"volume-opt={one}" for one in options)])


def _network(dark: Dark) -> str:
    return "--network=none" if dark.holder is None else f"--network=container:{dark.holder}"


def _limits(info: Mapping[str, Any]) -> Limits:
    count = info.get("NCPU")
    return Limits(
        cores=info.get("CpuCfsQuota") is True and info.get("CpuCfsPeriod") is True,
        memory=info.get("MemoryLimit") is True,
        swap=info.get("SwapLimit") is True,
        processes=info.get("PidsLimit") is True,
        most_cores=count if isinstance(count, int) and count > 0 else None,
    )


def _volume_option(mount: Mount, labels: Mapping[str, str]) -> str:
    """A volume that is a folder of ours, into which the engine first copies what the image has there."""
    fields = [
        "type=volume",
        f"target={mount.target}",
        *(f"volume-label={key}={value}" for key, value in labels.items()),
    ]
    options = ("type=none", "o=bind", f"device={mount.source}")
    return csv_line([*fields, *(f"volume-opt={one}" for one in options)])


def _notes(info: Mapping[str, Any]) -> dict[str, str]:
    security, limits = _security(info), _limits(info)
    return {
        "storage": str(info.get("Driver")) + (" (containerd)" if _keeps_manifests(info) else ""),
        "rootless": "yes" if "rootless" in security else "no",
        "cgroups": f"v{info.get('CgroupVersion', '1')}, {info.get('CgroupDriver')}",
        **dict(_lacks(limits)),
        **({"users": "mapped by the engine, but not in our containers"} if "userns" in security else {}),
        **(
            {"selinux": "our containers go without labels, which would change those of files"}
            if "selinux" in security
            else {}
        ),
    }


def _lacks(limits: Limits) -> Iterator[tuple[str, str]]:
    for name, there in (("cpu limit", limits.cores), ("memory limit", limits.memory), ("swap limit", limits.swap)):
        if not there:
            yield name, _LACKING


def _security(info: Mapping[str, Any]) -> frozenset[str]:
    """The names in the engine's ``SecurityOptions`` (``name=seccomp,profile=default``)."""
    options = info.get("SecurityOptions")
    return frozenset(
        str(one).partition(",")[0].removeprefix("name=") for one in (options if isinstance(options, list) else ())
    )


def _keeps_manifests(info: Mapping[str, Any]) -> bool:
    status = info.get("DriverStatus")
    return isinstance(status, list) and any(_MANIFESTS in str(one) for one in status)
