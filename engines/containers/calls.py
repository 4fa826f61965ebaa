"""Calls: what an engine asks for when it writes ``docker run ...``, read into one value. Pure.

Engines write Docker's dialect whatever the runtime is. Every option of ``docker run`` is known here by whether it takes
a value; what it means for a run is decided in ``engines.containers.policy``. Source: the reference of ``docker run``,
and what cwltool's ``docker.py`` and Nextflow's ``DockerBuilder`` write.
"""

from __future__ import annotations

import csv
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from staging.errors import PolicyError

_FLAGS = frozenset(
    """
    detach disable-content-trust help init interactive no-healthcheck oom-kill-disable privileged publish-all
    quiet read-only rm sig-proxy tty use-api-socket
    """.split()  # noqa: SIM905 - a list is easier to read
)
_VALUED = frozenset(
    """
    add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile
    cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus
    cpuset-mems detach-keys device device-cgroup-rule device-read-bps device-read-iops device-write-bps
    device-write-iops dns dns-option dns-opt dns-search domainname entrypoint env env-file expose gpus group-add
    health-cmd health-interval health-retries health-start-interval health-start-period health-timeout hostname
    io-maxbandwidth io-maxiops ip ip6 ipc isolation kernel-memory label label-file link link-local-ip log-driver
    log-opt mac-address memory memory-reservation memory-swap memory-swappiness mount name net net-alias network
    network-alias oom-score-adj pid pids-limit platform publish pull restart runtime security-opt shm-size
    stop-signal stop-timeout storage-opt sysctl tmpfs ulimit user userns uts volume volume-driver volumes-from
    workdir
    """.split()  # noqa: SIM905 - a list is easier to read
)
_SHORT: Mapping[str, str] = {
    "a": "attach", "c": "cpu-shares", "d": "detach", "e": "env", "h": "hostname", "i": "interactive", "l": "label",
    "m": "memory", "P": "publish-all", "p": "publish", "q": "quiet", "t": "tty", "u": "user", "v": "volume",
    "w": "workdir",
}  # fmt: skip
_SAME: Mapping[str, str] = {"net": "network", "net-alias": "network-alias", "dns-opt": "dns-option"}
_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([bkmgtpBKMGTP])?(?:[iI]?[bB])?", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_POWERS = "bkmgtp"
_LARGEST = 2**62
_MOUNT_KEYS: Mapping[str, str] = {
    "source": "source", "src": "source", "target": "target", "dst": "target", "destination": "target", "type": "type",
    "readonly": "readonly", "ro": "readonly",
}  # fmt: skip
# What says how a mount behaves and gives no more than it: propagation out of the container is not among them.
_MOUNT_WORDS = frozenset({"ro", "rw", "z", "Z", "cached", "delegated", "consistent", "nocopy", "private", "rprivate"})
_MOUNT_SAYINGS: Mapping[str, tuple[str, ...]] = {
    "consistency": ("cached", "delegated", "consistent", "default"),
    "bind-propagation": ("private", "rprivate"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MountCall:
    """A path as the engine sees it (``source``), and where the container is to see it."""

    source: str
    target: str
    writable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerCall:
    """What an engine asks for, in its own words.

    ``memory`` and ``shared_memory`` are in bytes. ``options`` are all others, in order and by their long names, with
    their values (``true`` or ``false`` for flags).
    """

    image: str
    command: tuple[str, ...] = ()
    entrypoint: str | None = None
    workdir: str | None = None
    name: str | None = None
    cidfile: str | None = None
    mounts: tuple[MountCall, ...] = ()
    temporary: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    cores: float | None = None
    memory: int | None = None
    shared_memory: int | None = None
    gpus: str | None = None
    platform: str | None = None
    options: tuple[tuple[str, str], ...] = ()


def read_run(words: Sequence[str], environment: Mapping[str, str], cwd: str = "/") -> ContainerCall:
    """The call that the words after ``docker run`` are; ``environment`` and ``cwd`` are the caller's.

    Raises:
        PolicyError: there is an option that isn't known, or that is written wrongly.
    """
    reader = _Reader(environment, cwd)
    rest = read_options(words, reader.take)
    if not rest:
        raise PolicyError("a container was asked for without saying of which image")
    return ContainerCall(
        image=rest[0],
        command=tuple(rest[1:]),
        mounts=tuple(reader.mounts),
        temporary=tuple(reader.temporary),
        environment=reader.variables,
        options=tuple(reader.options),
        **reader.single,  # type: ignore[arg-type]  # each is made by the reader of its own name
    )


def plain_options(words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Those of an engine's options of which only name and value count: no mounts, limits, variables and the like.

    Raises:
        PolicyError: as ``read_options``.
    """
    reader = _Reader({}, "/")
    found: list[tuple[str, str]] = []
    read_options(words, lambda name, value: None if reader.reads(name) else found.append((name, value)))
    return tuple(found)


def read_options(words: Sequence[str], take: Callable[[str, str], None]) -> list[str]:
    """Hand each option, by its long name and with its value, to ``take``; the words that follow them.

    Raises:
        PolicyError: an option isn't known, lacks its value, or has one that isn't allowed.
    """
    left = list(words)
    while left and left[0].startswith("-") and left[0] != "-":
        word = left.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            _long(word[2:], left, take)
        else:
            _short(word[1:], left, take)
    return left


def _long(word: str, left: list[str], take: Callable[[str, str], None]) -> None:
    said, equals, value = word.partition("=")
    name = _SAME.get(said, said)
    if said in _FLAGS:
        take(name, _truth(name, value) if equals else "true")
    elif said in _VALUED:
        take(name, value if equals else _next(name, left))
    else:
        raise PolicyError(f"containers have no option {'--' + said!r}")


def _short(letters: str, left: list[str], take: Callable[[str, str], None]) -> None:
    while letters:
        letter, letters = letters[0], letters[1:]
        name = _SHORT.get(letter)
        if name is None:
            raise PolicyError(f"containers have no option {'-' + letter!r}")
        if name in _VALUED:
            take(name, letters.removeprefix("=") if letters else _next(name, left))
            return
        if letters.startswith("="):
            take(name, _truth(name, letters[1:]))
            return
        take(name, "true")


def _next(name: str, left: list[str]) -> str:
    if not left:
        raise PolicyError(f"the container's option '--{name}' has no value")
    return left.pop(0)


def _truth(name: str, value: str) -> str:
    if value in _TRUE:
        return "true"
    if value in _FALSE:
        return "false"
    raise _wrong(name, value)


def _wrong(name: str, value: str) -> PolicyError:
    return PolicyError(f"the container's option '--{name}' can't be {value[:80]!r}")


class _Reader:
    """Takes options one by one."""

    def __init__(self, environment: Mapping[str, str], cwd: str) -> None:
        self.mounts: list[MountCall] = []
        self.temporary: list[str] = []
        self.variables: dict[str, str] = {}
        self.options: list[tuple[str, str]] = []
        self.single: dict[str, object] = {}
        self._environment = environment
        self._cwd = cwd
        self._by_name: Mapping[str, Callable[[str, str], None]] = {
            "env": self._variable,
            "volume": self._volume,
            "mount": self._mount,
            "tmpfs": self._temporary,
            "memory": self._size("memory"),
            "shm-size": self._size("shared_memory"),
            "cpus": self._cores,
            "entrypoint": self._text("entrypoint"),
            "workdir": self._text("workdir"),
            "name": self._text("name"),
            "cidfile": self._text("cidfile"),
            "gpus": self._text("gpus"),
            "platform": self._text("platform"),
        }

    def reads(self, name: str) -> bool:
        """Whether it makes more of this option than a name and a value."""
        return name in self._by_name

    def take(self, name: str, value: str) -> None:
        """One option."""
        handler = self._by_name.get(name)
        if handler is None:
            self.options.append((name, value))
        else:
            handler(name, value)

    def _text(self, attribute: str) -> Callable[[str, str], None]:
        def keep(_name: str, value: str) -> None:
            self.single[attribute] = value

        return keep

    def _size(self, attribute: str) -> Callable[[str, str], None]:
        def keep(name: str, value: str) -> None:
            found = _SIZE.fullmatch(value)
            if found is None:
                raise _wrong(name, value)
            power = _POWERS.index((found[2] or "b").lower())
            size = float(found[1]) * 1024**power
            if size > _LARGEST:
                raise _wrong(name, value)
            # Docker's zero is "no limit of its own".
            self.single[attribute] = int(size) or None

        return keep

    def _cores(self, name: str, value: str) -> None:
        if not _NUMBER.fullmatch(value):
            raise _wrong(name, value)
        if float(value) > _LARGEST:
            raise _wrong(name, value)
        self.single["cores"] = float(value) or None

    def _variable(self, name: str, value: str) -> None:
        key, equals, text = value.partition("=")
        if not key:
            raise _wrong(name, value)
        if equals:
            self.variables[key] = text
        elif key in self._environment:
            self.variables[key] = self._environment[key]

    def _temporary(self, name: str, value: str) -> None:
        self.temporary.append(self._target(name, value.partition(":")[0]))

    def _volume(self, name: str, value: str) -> None:
        parts = value.split(":")
        words = parts.pop().split(",") if len(parts) == 3 else []  # noqa: PLR2004 - source, target, how
        if len(parts) != 2 or not set(words) <= _MOUNT_WORDS:  # noqa: PLR2004
            raise _wrong(name, value)
        source = self._source(name, parts[0], known=parts[0].startswith(("/", ".")))
        self.mounts.append(MountCall(source=source, target=self._target(name, parts[1]), writable="ro" not in words))

    def _mount(self, name: str, value: str) -> None:
        said: dict[str, str] = {"type": "volume"}
        try:
            rows = list(csv.reader([value], strict=True))
        except csv.Error as error:
            raise _wrong(name, value) from error
        for word in rows[0] if len(rows) == 1 else ():
            key, equals, text = word.partition("=")
            if key in _MOUNT_KEYS:
                known = _MOUNT_KEYS[key]
                said[known] = _truth(name, text if equals else "true") if known == "readonly" else text
            elif said.get("type") == "tmpfs" and key in ("tmpfs-size", "tmpfs-mode"):
                continue
            elif text not in _MOUNT_SAYINGS.get(key, ()):
                raise _wrong(name, value)
        target = self._target(name, said.get("target", ""))
        if said["type"] == "tmpfs":
            self.temporary.append(target)
            return
        source = self._source(name, said.get("source", ""), known=said["type"] == "bind")
        self.mounts.append(MountCall(source=source, target=target, writable=said.get("readonly") != "true"))

    def _source(self, name: str, path: str, *, known: bool) -> str:
        if not known or not path:
            raise PolicyError(
                f"the container's option '--{name}' asks for a volume of the runtime ({path[:80]!r}); only paths of the"
                " working directory are to be had"
            )
        return normal(posixpath.join(self._cwd, path))

    def _target(self, name: str, path: str) -> str:
        if not path.startswith("/"):
            raise _wrong(name, path)
        return normal(path)


def normal(path: str) -> str:
    """A path without ``.``, ``..`` and doubled slashes; a leading double slash too, which ``normpath`` would keep."""
    return posixpath.normpath("/" + path.lstrip("/"))
