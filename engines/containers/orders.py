"""What docker's and podman's command lines have in common: an order as the options of ``run``. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from engines.containers.base import Mount, Order
from staging.errors import ContainerError

PROCESSES: Final = 32768
"""How many processes and threads a container may have: what no task needs and a fork bomb stops at."""

ROOT_CAPABILITIES: Final = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETGID", "SETUID", "KILL")
"""What a root user in a container keeps: to deal with files and processes of several users."""

_LEAST_CORES: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Which limits this host can put on a container, and how many cores it has (``None``: not told)."""

    cores: bool = True
    memory: bool = True
    swap: bool = True
    processes: bool = True
    most_cores: int | None = None


def limit_options(order: Order, limits: Limits) -> Iterator[str]:
    """Cores, memory (and no swap beyond it), processes; those alone that can be had here."""
    if order.cores is not None and limits.cores:
        cores = max(order.cores, _LEAST_CORES)
        yield f"--cpus={min(cores, limits.most_cores) if limits.most_cores else cores:g}"
    if order.memory is not None and limits.memory:
        yield f"--memory={order.memory}b"
        if limits.swap:
            yield f"--memory-swap={order.memory}b"
    if limits.processes:
        yield f"--pids-limit={PROCESSES}"
    if order.shared_memory is not None:
        yield f"--shm-size={order.shared_memory}b"


def place_options(order: Order) -> Iterator[str]:
    """The root file system, what is mounted into it, and where the command starts.

    Raises:
        ContainerError: a path can't be said on the command line.
    """
    if order.read_only:
        yield "--read-only"
    for path in order.temporary:
        if ":" in path:
            raise ContainerError(f"a container can't have a temporary folder with a colon in its name: {path}")
        yield f"--tmpfs={path}:rw,exec,nosuid,nodev,mode=1777"
    yield from (f"--mount={mount_option(mount)}" for mount in order.mounts)
    if order.workdir is not None:
        yield f"--workdir={order.workdir}"


def capability_options(*, root: bool) -> Iterator[str]:
    """No capability, but for the few that root can't do without; none is gained by a set-uid program."""
    yield "--cap-drop=ALL"
    if root:
        yield from (f"--cap-add={one}" for one in ROOT_CAPABILITIES)
    yield "--security-opt=no-new-privileges"


def name_options(order: Order) -> Iterator[str]:
    """The container's name and labels, and where its id is to be written."""
    yield f"--name={order.name}"
    yield from (f"--label={key}={value}" for key, value in order.labels.items())
    if order.cidfile is not None:
        yield f"--cidfile={order.cidfile}"


def mount_option(mount: Mount) -> str:
    """A bind mount as ``--mount`` of docker, podman and apptainer takes it: fields in CSV, quoted where they must be.

    Raises:
        ContainerError: a path has a carriage return, which their readers drop.
    """
    fields = ["type=bind", f"source={mount.source}", f"target={mount.target}"]
    if "\r" in "".join(fields):
        raise ContainerError(f"a path with a carriage return can't be mounted: {str(mount.source)!r}")
    return csv_line([*fields, *([] if mount.writable else ["readonly"])])


def csv_line(fields: Iterable[str]) -> str:
    """One line of CSV (RFC 4180), as Go's ``encoding/csv`` reads it."""
    line = io.StringIO()
    # What would end a line is quoted only if the writer ends its own lines so.
    csv.writer(line, lineterminator="\n").writerow(fields)
    return line.getvalue().removesuffix("\n")


def picked(environment: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Those of the user's variables that a runtime's command is to see."""
    return {name: environment[name] for name in names if environment.get(name)}
