"""Podman: no daemon, so each command is the runtime; without root the user is the same one inside as outside.

Its defaults come from ``containers.conf``; what there could loosen a container of ours is said on the command line.
Source: podman-run(1), podman-info(1), containers.conf(5).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engines.containers import docker_like
from engines.containers.base import Dark, Handed, Order, RuntimeFacts
from engines.containers.docker_like import DockerLike, parsed
from engines.containers.orders import Limits, capability_options, limit_options, name_options, picked, place_options
from engines.containers.variables import hand_over, variable_options
from staging.errors import ContainerError
from staging.process import Completed

_TAKEN: Final = (
    *("PATH", "HOME", "USER", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"),
    *("CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE", "CONTAINERS_STORAGE_CONF", "STORAGE_DRIVER", "STORAGE_OPTS"),
    "DBUS_SESSION_BUS_ADDRESS",
)
_OLDEST: Final = 4
_NO_HOOKS: Final = "/nonexistent/hooks"
_HOOKS: Final = ("/usr/share/containers/oci/hooks.d", "/etc/containers/oci/hooks.d")
_LACKING: Final = "not to be had on this host: containers run without"
_SUBORDINATES: Final = (
    "give yourself some (usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER), "
    'then "podman system migrate"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What podman says of this host."""

    rootless: bool
    limits: Limits
    selinux: bool = False


class Podman(DockerLike):
    """The podman of this machine and user."""

    name = "podman"
    install_hint = "install it (Debian, Ubuntu: apt-get install podman)"
    # Otherwise it would first ask the container to end, and wait ten seconds; and without root it would refuse to
    # remove the one that holds a killed run's network before those that joined it.
    removing = ("--time=0", "--depend")

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(picked(environment, _TAKEN))
        self._host: Host | None = None

    def about(self) -> RuntimeFacts:
        """As ``ContainerRuntime.about``."""
        done = self._ask("info", "--format", "json", check=False, patience=docker_like.SILENCE)
        if done.code != 0:
            raise self._not_there(done)
        info = parsed(done, "podman")
        host, store = _part(info, "host"), _part(info, "store")
        version = str(_part(info, "version").get("Version"))
        if (major := version.partition(".")[0]).isdecimal() and int(major) < _OLDEST:
            raise ContainerError(
                f"podman {version} is too old: {_OLDEST}.0 is the first that does what is needed",
                hint="install a newer one",
            )
        if self._host is None:
            self._host = Host(
                rootless=_part(host, "security").get("rootless") is True,
                limits=_limits(host),
                selinux=_part(host, "security").get("selinuxEnabled") is True,
            )
        if self._host.rootless and _mapped(host) <= 1:
            raise ContainerError(
                "podman has no subordinate users for you, and so no rootless containers", hint=_SUBORDINATES
            )
        return RuntimeFacts(
            version=version,
            notes={
                "storage": str(store.get("graphDriverName")),
                "rootless": "yes" if self._host.rootless else "no",
                "cgroups": f"{host.get('cgroupVersion')}, {host.get('cgroupManager')}",
                **dict(_lacks(self._host)),
            },
        )

    def argv(self, order: Order) -> tuple[str, ...]:
        """As ``ContainerRuntime.argv``; what podman said of the host when it was first asked goes into it."""
        if self._host is None:
            self.about()
        assert self._host is not None
        return podman_argv(order, self._host)

    def handed(self, order: Order) -> Handed:
        """As ``ContainerRuntime.handed``."""
        return hand_over(order.environment, quotes=False)

    def _not_there(self, done: Completed) -> ContainerError:
        words = done.stderr.decode(errors="replace").lower()
        if "newuidmap" in words or "subuid" in words or "subgid" in words:
            return ContainerError(
                f"podman can't map users for rootless containers: {done.last_words}",
                hint=f"install uidmap (Debian, Ubuntu: apt-get install uidmap); {_SUBORDINATES}",
            )
        return ContainerError(f"podman does not work here: {done.last_words}", hint='try "podman info", or use docker')


def podman_argv(order: Order, host: Host) -> tuple[str, ...]:
    """The command line."""
    root = order.user is None or order.user[0] == 0
    return (
        "podman",
        *(word for folder in _hooks(order) for word in ("--hooks-dir", folder)),
        *("run", "--rm", "--interactive", "--pull=never", "--log-driver=none", "--http-proxy=false"),
        # Keys that leave a container to itself would be taken from what it reads, and ten seconds from our time.
        *("--detach-keys=", "--stop-timeout=0"),
        # What a probe says is kept on the disk, and so is what is written to a volume that an image wants.
        *("--no-healthcheck", "--image-volume=tmpfs"),
        *("--ipc=private", "--pid=private", "--uts=private", "--ulimit=host"),
        *name_options(order),
        *variable_options(order, quotes=False),
        _network(order.network),
        _users(order.network, host),
        *(() if order.user is None else (f"--user={order.user[0]}:{order.user[1]}",)),
        *(("--security-opt=label=disable",) if host.selinux else ()),
        *capability_options(root=root),
        *limit_options(order, host.limits),
        *place_options(order),
        *_gpus(order.gpus),
        *(() if order.entrypoint is None else (f"--entrypoint={_entrypoint(order.entrypoint)}",)),
        f"sha256:{order.image.config}",
        *order.command,
    )


def _hooks(order: Order) -> Iterator[str]:
    """Where hooks are. One is a program of the host that sees every container: the GPUs' needs the host's."""
    if order.hooks is not None:
        yield from (*(() if order.gpus is None else _HOOKS), order.hooks)
    elif order.gpus is None:
        yield _NO_HOOKS


def _entrypoint(program: str) -> str:
    """As JSON, so that a name that starts with a bracket is no list."""
    return json.dumps([program]) if program else ""


def _network(dark: Dark) -> str:
    if dark.namespace is not None:
        return f"--network=ns:{dark.namespace}"
    return "--network=none" if dark.holder is None else f"--network=container:{dark.holder}"


def _users(dark: Dark, host: Host) -> str:
    """Without root, who joins a container's network joins its users: only they may mount ``/sys`` for that network."""
    if not host.rootless:
        return "--userns=host"
    joins = dark.namespace is None and dark.holder is not None
    return f"--userns=container:{dark.holder}" if joins else "--userns=keep-id"


def _gpus(asked: str | None) -> Iterator[str]:
    """GPUs by the Container Device Interface: all of them, or the first so many."""
    if asked is not None:
        names = [str(number) for number in range(int(asked))] if asked.isdecimal() else ["all"]
        yield from (f"--device=nvidia.com/gpu={name}" for name in names)


def _limits(host: Mapping[str, Any]) -> Limits:
    listed = host.get("cgroupControllers")
    controllers = frozenset(listed if isinstance(listed, list) else ())
    count = host.get("cpus")
    return Limits(
        cores="cpu" in controllers,
        memory="memory" in controllers,
        swap="memory" in controllers and _counts_swap(),
        processes="pids" in controllers,
        most_cores=count if isinstance(count, int) and count > 0 else None,
    )


def _counts_swap() -> bool:
    """Whether the kernel limits swap: always with the one hierarchy of cgroups v2, by its configuration before."""
    place = Path("/sys/fs/cgroup")
    return (place / "cgroup.controllers").exists() or (place / "memory" / "memory.memsw.limit_in_bytes").exists()


def _lacks(host: Host) -> Iterator[tuple[str, str]]:
    for name, there in (("cpu limit", host.limits.cores), ("memory limit", host.limits.memory)):
        if not there:
            yield name, _LACKING
    if host.selinux:
        yield "selinux", "our containers go without labels, which would change those of files"


def _mapped(host: Mapping[str, Any]) -> int:
    """How many users a rootless container has."""
    mappings = _part(host, "idMappings").get("uidmap")
    return sum(int(one.get("size", 0)) for one in mappings) if isinstance(mappings, list) else 0


def _part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = of.get(name)
    return value if isinstance(value, dict) else {}
