"""The policy: what a container of a run may be, whatever its engine asks. Pure, but for what it is given to ask.

A container gets an image of the plan by its exact id, the folders of the working directory that it was told to see, and
nothing else of this machine. What would only loosen that is refused by name; what means nothing here is left out.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engines.containers.base import Dark, Mount, Order, StagedImage
from engines.containers.calls import ContainerCall, MountCall, plain_options
from staging.errors import PolicyError

LABEL = "wfexs-like.run"
"""The label that every container of ours carries, with its run's uuid."""

TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - names in a container, and what the engine's own walls cover
"""Where programs expect to write what nobody keeps."""

STAGED = ("inputs", "workflow", "environment")
"""The folders of the content that a container may see when it asks for all of it."""

OWN = ("engine/work", "tmp", "outputs")
"""The folders of its own run that a container may see."""

MOST_GPUS = 64
"""How many GPUs a container may be given; each is an option of its command."""

_COUNT = re.compile(r"0*[1-9][0-9]{0,3}", re.ASCII)
_RUNS = "runs"
_KERNEL = ("proc", "sys", "dev")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a name in a container
_MINE = frozenset({"WFEXS_LIKE_DOOR", "WFEXS_LIKE_RUN", "WFEXS_LIKE_LOOPBACK"})
_SILENT = frozenset(
    """
    attach cap-drop cpu-shares disable-content-trust init interactive label label-file log-driver log-opt
    no-healthcheck pull quiet read-only rm sig-proxy tty user
    """.split()  # noqa: SIM905 - a list is easier to read
)
"""What is so anyway, or is ours to say."""

_DROPPED = frozenset(
    """
    add-host annotation blkio-weight cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime
    cpuset-cpus cpuset-mems detach-keys dns dns-option dns-search domainname expose health-cmd health-interval
    health-retries health-start-interval health-start-period health-timeout hostname ip ip6 kernel-memory
    link-local-ip mac-address memory-reservation memory-swap memory-swappiness network-alias pids-limit publish
    publish-all restart stop-signal stop-timeout ulimit
    """.split()  # noqa: SIM905 - a list is easier to read
)
"""What a run goes without. All else that isn't modelled is refused."""

_HARMLESS: Mapping[str, tuple[str, ...]] = {
    "privileged": ("false",),
    "detach": ("false",),
    "help": ("false",),
    "oom-kill-disable": ("false",),
    "use-api-socket": ("false",),
    "network": ("none", "bridge", "default"),
    "ipc": ("", "none", "private", "shareable"),
    "pid": ("", "private"),
    "uts": ("", "private"),
    "cgroupns": ("", "private"),
    "userns": ("", "keep-id"),
    "security-opt": ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"),
}
"""Options that are refused but for these values, which change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is known of a run: ``content`` and ``folder`` are real paths; ``memory`` is in bytes.

    ``cores`` and ``memory`` are what the run may use. ``writable_root``: containers may write to their own copy of the
    image. ``earlier`` are the folders of the runs that this one goes on from, whose work it may see.
    """

    content: Path
    folder: Path
    uuid: str
    images: Mapping[str, StagedImage]
    cores: float
    memory: int
    user: tuple[int, int]
    gpus: bool = False
    writable_root: bool = False
    earlier: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The container as it may be. ``dropped`` are the options that were left out and whose author should know."""

    order: Order
    dropped: tuple[str, ...] = field(default=())


def decide(
    call: ContainerCall,
    bounds: Bounds,
    *,
    name: str,
    scratch: Path,
    network: Dark,
    resolve: Callable[[str], str],
    there: Callable[[Path], bool],
) -> Decision:
    """What becomes of a call.

    ``name`` is the container's; ``scratch`` an own folder of it, with one for each of ``TEMPORARY`` by its last name;
    ``resolve`` tells the real path of a path, links followed; ``there`` whether a path is that of a folder.

    Raises:
        PolicyError: it may not be; the sentence names what.
    """
    image = _image(call, bounds)
    dropped = _look_at(call.options)
    mounts = _mounts(call, bounds, resolve, there)
    taken = {one.target for one in mounts} | set(call.temporary)
    for place in TEMPORARY:
        if place not in taken:
            mounts.append(Mount(source=scratch / place[1:].replace("/", "-"), target=place, writable=True))
    order = Order(
        image=image,
        name=name,
        command=call.command,
        entrypoint=call.entrypoint,
        workdir=call.workdir,
        mounts=tuple(sorted(mounts, key=lambda one: one.target.split("/"))),
        environment={"HOME": TEMPORARY[0]} | {one: said for one, said in call.environment.items() if one not in _MINE},
        user=bounds.user,
        cores=min(bounds.cores, call.cores or bounds.cores),
        memory=min(bounds.memory, call.memory or bounds.memory),
        shared_memory=None if call.shared_memory is None else min(call.shared_memory, bounds.memory),
        read_only=not bounds.writable_root,
        temporary=tuple(dict.fromkeys(call.temporary)),
        gpus=_gpus(call, bounds),
        network=network,
        labels={LABEL: bounds.uuid},
    )
    return Decision(order=order, dropped=dropped)


def sure_refusal(options: str) -> str | None:
    """Why containers with these options (one line, as a shell reads it) are refused in every run; in a sentence.

    ``None`` where a run may find nothing wrong with them: it depends on the run, or on what its shell makes of them.
    """
    if "$(" in options or "`" in options:
        return None
    try:
        _look_at([(name, value) for name, value in plain_options(shlex.split(options)) if "$" not in value])
    except PolicyError as error:
        return error.message
    except ValueError:  # A quotation without an end.
        return None
    return None


def _image(call: ContainerCall, bounds: Bounds) -> StagedImage:
    image = find_image(call.image, bounds.images)
    if image is None:
        raise PolicyError(
            f"the container image {call.image!r} is not staged, so no container is made of it",
            hint="list it in the stage file under containers, and stage again",
        )
    if call.platform and not _fits(call.platform, image.platform):
        raise PolicyError(
            f"the container image {call.image!r} is staged for {image.platform}, and is asked for as {call.platform}"
        )
    return image


def find_image(said: str, images: Mapping[str, StagedImage]) -> StagedImage | None:
    """The image that an engine means: by the name of the plan, or by an exact digest or id."""
    if said in images:
        return images[said]
    digest = said.rpartition("@")[2]
    for image in images.values():
        if said in (image.config, f"sha256:{image.config}") or digest == f"sha256:{image.digest}":
            return image
    return None


def _fits(asked: str, staged: str) -> bool:
    """``linux/arm64`` is also ``linux/arm64/v8``, and ``amd64`` says less than ``linux/amd64``."""
    return asked == staged or staged.startswith(f"{asked}/") or asked in staged.split("/")[1:2]


def _look_at(options: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    dropped: list[str] = []
    for name, value in options:
        if name in _HARMLESS:
            if value not in _HARMLESS[name]:
                raise _refused(name, value)
        elif name in _DROPPED:
            dropped.append(f"--{name}")
        elif name not in _SILENT:
            raise _refused(name, value)
    return tuple(dict.fromkeys(dropped))


def _refused(name: str, value: str) -> PolicyError:
    said = f"--{name}" if value == "true" else f"--{name}={value[:80]}"
    return PolicyError(
        f"a container was asked for with {said!r}, which no container of a run may have",
        hint="take it out of the workflow's container options",
    )


def _gpus(call: ContainerCall, bounds: Bounds) -> str | None:
    if call.gpus in (None, "", "0"):
        return None
    if not bounds.gpus:
        raise PolicyError(
            "a step asks for GPUs in its container, and this run has none",
            hint="run where there are some that the container runtime can pass through",
        )
    if call.gpus != "all" and not (_COUNT.fullmatch(str(call.gpus)) and int(str(call.gpus)) <= MOST_GPUS):
        raise _refused("gpus", str(call.gpus))
    return call.gpus


# -- mounts ------------------------------------------------------------------------------------------------------------


def _mounts(
    call: ContainerCall, bounds: Bounds, resolve: Callable[[str], str], there: Callable[[Path], bool]
) -> list[Mount]:
    """Every mount of the call as it may be; the last of those with one target is meant."""
    found: dict[str, Mount] = {}
    for target in (*(one.target for one in call.mounts), *call.temporary):
        if target == "/" or (target.split("/")[1] in _KERNEL and target != _SHARED_MEMORY):
            raise PolicyError(f"a container was asked for with something mounted at {target!r}, which may not be")
    for one in call.mounts:
        found[one.target] = _mount(one, bounds, resolve)
    _narrow(call, bounds, found, resolve)
    for target, mount in tuple(found.items()):
        if _holds_records(mount.source, bounds):
            del found[target]
            for part in _parts(mount.source, bounds):
                if there(part):
                    place = posixpath.join(target, str(part.relative_to(mount.source)))
                    found.setdefault(place, Mount(source=part, target=place))
    return list(found.values())


def _mount(asked: MountCall, bounds: Bounds, resolve: Callable[[str], str]) -> Mount:
    real = Path(resolve(as_outside(asked.source, bounds)))
    if not _within(real, bounds.content):
        raise PolicyError(
            f"a container was asked for that sees {asked.source!r} of this machine; only what is in the working"
            " directory can be seen",
            hint="stage it as an input",
        )
    if _is_record(real, bounds):
        raise PolicyError(
            f"a container was asked for that sees {asked.source!r}: of the runs, only the folders for work, temporary"
            " files and outputs of its own can be seen",
        )
    return Mount(source=real, target=asked.target, writable=asked.writable and may_write(real, bounds.folder))


def _holds_records(real: Path, bounds: Bounds) -> bool:
    """Whether folders of the runs that no container sees are in it: then only parts of it are mounted."""
    return any(real in one.parents for one in _of_runs(bounds)) and not any(
        _within(real, one) for one in _of_runs(bounds)
    )


def _is_record(real: Path, bounds: Bounds) -> bool:
    """Whether it is of the runs, and neither a container's to see nor the parent of what is."""
    seen = any(_within(real, one) for one in _of_runs(bounds))
    return _within(real, bounds.content / _RUNS) and not seen and not _holds_records(real, bounds)


def _parts(real: Path, bounds: Bounds) -> list[Path]:
    """What containers may see of a folder that holds more."""
    parts = (*(bounds.content / name for name in STAGED), *_of_runs(bounds))
    return [one for one in parts if real in one.parents]


def _of_runs(bounds: Bounds) -> tuple[Path, ...]:
    """What containers may see of runs: of their own, and of the work of those that it goes on from."""
    return (*(bounds.folder / name for name in OWN), *(folder / OWN[0] for folder in bounds.earlier))


def as_outside(path: str, bounds: Bounds) -> str:
    """The path by which we know what the engine calls ``path``: its folders for temporary files are the run's own."""
    if not _within(Path(path), bounds.content):
        for place in TEMPORARY:
            if path.startswith(f"{place}/"):
                return posixpath.join(str(bounds.folder), "tmp", path[len(place) + 1 :])
    return path


def may_write(real: Path, folder: Path) -> bool:
    """Whether a container may write to a (real) path: to the run's outputs and work, and to what is in its ``tmp``."""
    tmp = folder / "tmp"
    return any(_within(real, folder / name) for name in ("outputs", "engine/work")) or (
        _within(real, tmp) and real != tmp
    )


def _narrow(call: ContainerCall, bounds: Bounds, mounts: dict[str, Mount], resolve: Callable[[str], str]) -> None:
    """Where an engine mounts the folder of all its tasks, make that read-only but for the container's own folder."""
    work = bounds.folder / "engine" / "work"
    for target, mount in tuple(mounts.items()):
        if not (mount.writable and mount.source == work and call.workdir and call.workdir.startswith(f"{target}/")):
            continue
        own = Path(resolve(str(work / call.workdir[len(target) + 1 :])))
        if own != work and _within(own, work):
            mounts[target] = Mount(source=work, target=target)
            mounts.setdefault(call.workdir, Mount(source=own, target=call.workdir, writable=True))


def _within(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents
