"""The host: which of its places may have kept something, and which are no places of this host at all."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import pwd
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wfexs_like.vault.mounts import lines_of

_MOUNTS: Final = Path("/proc/self/mountinfo")
_KERNEL: Final = re.compile(
    "autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|efivarfs|fusectl|hugetlbfs|mqueue|nsfs|proc|pstore"
    "|rpc_pipefs|securityfs|selinuxfs|sysfs|tracefs"
)
_NETWORK: Final = re.compile(
    r"9p|afs|beegfs|ceph|cifs|davfs|glusterfs|gpfs|lustre|ncpfs|nfs4?|orangefs|smb3|smbfs"
    r"|fuse\.(?:ceph|gcsfuse|glusterfs|mount\.davfs|rclone|s3fs|sshfs)"
)
NETWORK: Final = "a network file system"
VAULT: Final = "an encrypted area that is open"
_DOCKER_CONFIG: Final = Path("/etc/docker/daemon.json")
_PODMAN_CONFIG: Final = Path("/etc/containers/storage.conf")
_DAEMONS: Final = (b"dockerd", b"containerd")
_DAEMON_OPTIONS: Final = ("--data-root", "--exec-root", "--root", "--state", "-g")
_CORE_PATTERN: Final = Path("/proc/sys/kernel/core_pattern")
_SWAPS: Final = Path("/proc/swaps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A folder in which something may have been kept, and what it is for."""

    name: str
    path: Path


def usual_roots(environment: Mapping[str, str], more: Iterable[Root] = ()) -> tuple[Root, ...]:
    """Where programs of ``environment`` put things: those that are there, each once, as real paths."""
    found: dict[Path, Root] = {}
    for root in (*more, *_roots(environment)):
        try:
            # Unlike this, ``resolve`` raises no OSError for links that lead in a circle.
            real = Path(os.path.realpath(root.path, strict=True))
            if real.is_dir():
                found.setdefault(real, Root(name=root.name, path=real))
        except PermissionError:
            # The scan will say that it could not be looked at.
            found.setdefault(root.path, root)
        except OSError:
            continue
    return tuple(found.values())


def _roots(environment: Mapping[str, str]) -> Iterator[Root]:
    homes = [environment["HOME"]] if environment.get("HOME") else []
    with contextlib.suppress(KeyError):
        homes.append(pwd.getpwuid(os.getuid()).pw_dir)
    temporary = [environment[name] for name in ("TMPDIR", "TMP", "TEMP") if environment.get(name)]
    caches = [environment[name] for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME") if environment.get(name)]
    runtime = [environment[name] for name in ("XDG_RUNTIME_DIR",) if environment.get(name)]
    places: tuple[tuple[str, Iterable[str | Path]], ...] = (
        ("temporary files", (*temporary, "/tmp", "/var/tmp")),  # noqa: S108 - looked at, not written to
        ("shared memory", ("/dev/shm",)),  # noqa: S108 - as above
        ("runtime files", (*runtime, "/run/user", "/run/lock")),
        ("home", homes),
        ("cache", (*caches, "/var/cache")),
        ("docker", (*_docker(), "/var/lib/docker", "/var/lib/containerd", "/run/containerd", "/run/docker")),
        ("podman", (*_podman(homes), "/var/lib/containers", "/run/containers", "/run/libpod")),
        ("logs", ("/var/log", "/run/log")),
        ("core dumps", (*_cores(), "/var/lib/systemd/coredump", "/var/crash", "/var/lib/apport")),
        ("spool", ("/var/spool",)),
    )
    for name, paths in places:
        for path in paths:
            if Path(path).is_absolute():
                yield Root(name=name, path=Path(path))


def _docker() -> Iterator[str]:
    """Where daemons keep their data: as configured, and as those that are at work were told."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        stated = json.loads(_DOCKER_CONFIG.read_bytes()).get("data-root")
        if isinstance(stated, str):
            yield stated
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdecimal() and (folder / "comm").read_bytes().strip() in _DAEMONS:
                yield from _stated_roots(os.fsdecode((folder / "cmdline").read_bytes()).split("\0"))


def _stated_roots(arguments: Sequence[str]) -> Iterator[str]:
    """The values of the options that name a daemon's folders."""
    for word, following in zip(arguments, (*arguments[1:], ""), strict=True):
        name, equals, value = word.partition("=")
        if name in _DAEMON_OPTIONS:
            yield value if equals else following


def _podman(homes: Iterable[str]) -> Iterator[str]:
    for path in (_PODMAN_CONFIG, *(Path(home) / ".config/containers/storage.conf" for home in homes)):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stated = tomllib.loads(path.read_text(encoding="utf-8")).get("storage", {})
            yield from (stated[key] for key in ("graphroot", "runroot") if isinstance(stated.get(key), str))


def _cores() -> Iterator[Path]:
    """The folder that the kernel writes core dumps to, where it is one and not a program (core(5))."""
    with contextlib.suppress(OSError):
        pattern = _CORE_PATTERN.read_text(encoding="utf-8", errors="surrogateescape").strip()
        if pattern.startswith("/") and Path(pattern).parent != Path("/"):
            yield Path(pattern).parent


def foreign_mounts() -> dict[str, str | None]:
    """Mount points that are not looked into: why, or ``None`` where nothing can lie there (proc(5), mountinfo)."""
    found: dict[str, str | None] = {}
    for line in lines_of(_MOUNTS.read_bytes()):
        fields = line.split(b" ")
        point = os.fsdecode(fields[4].decode("unicode_escape").encode("latin-1"))
        kind, source = (one.decode(errors="replace") for one in fields[fields.index(b"-", 6) + 1 :][:2])
        # What is mounted last covers what was there before.
        found.pop(point, None)
        if _KERNEL.fullmatch(kind):
            found[point] = None
        elif _NETWORK.fullmatch(kind):
            found[point] = NETWORK
        elif source.startswith("wfexs-like:"):
            found[point] = VAULT
    return found


def swaps() -> dict[str, int]:
    """The devices and files that memory may be written to, and their sizes in bytes (proc(5), swaps)."""
    try:
        lines = _SWAPS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()[1:]
    except OSError:
        return {}
    fields = [line.split() for line in lines if line.strip()]
    return {one[0]: int(one[2]) * 1024 for one in fields}


def facts() -> dict[str, object]:
    """What can be said of this host without naming it: system, kernel, who we are, and where memory may go."""
    swapped = swaps()
    pattern = None
    with contextlib.suppress(OSError):
        pattern = _CORE_PATTERN.read_text(encoding="utf-8", errors="replace").strip()
    return {
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "root": os.geteuid() == 0,
        "swap": {"devices": len(swapped), "size": sum(swapped.values())},
        "core_pattern": pattern,
    }
