"""Daemons: the sockets of this machine that a task may not reach, since who listens there is outside of its walls.

A container runtime, a service manager or a key agent does for its caller what the caller can't do itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

NAMED_BY = (
    "DOCKER_HOST", "CONTAINER_HOST", "PODMAN_HOST", "CONTAINERD_ADDRESS", "BUILDKIT_HOST", "DBUS_SESSION_BUS_ADDRESS",
    "DBUS_SYSTEM_BUS_ADDRESS", "SSH_AUTH_SOCK", "GPG_AGENT_INFO",
)  # fmt: skip
"""Variables that name sockets: as a path, as ``unix:///path``, or as D-Bus does (``unix:path=/path,guid=...``)."""

_IN_HOME = (".docker/run", ".docker/desktop", ".gnupg")
_LISTENING = "00010000"
# Who somebody is is asked there (sssd), by every program that shows a user's name.
_NEEDED = "/var/lib/sss/"


def hidden(environment: Mapping[str, str], own: Path, *, listening: bool) -> tuple[str, ...]:
    """Paths of sockets, and of folders with sockets, that tasks may not reach.

    ``own`` is the run's folder: what lies below is its own. ``listening``: every socket with a path on which somebody
    listens, besides those that ``environment`` names (proc(5), ``/proc/net/unix``).
    """
    found = [path for name in NAMED_BY for path in _paths(environment.get(name, ""))]
    if home := environment.get("HOME"):
        found += [f"{home}/{name}" for name in _IN_HOME]
    if folder := environment.get("XDG_RUNTIME_DIR"):
        found.append(folder)
    if listening:
        found += _listening()
    real = dict.fromkeys(os.path.realpath(one) for one in found if one.startswith("/"))
    mine = f"{own.resolve()}/"
    return tuple(one for one in real if not one.startswith((mine, _NEEDED)) and not mine.startswith(f"{one}/"))


def _paths(text: str) -> Iterator[str]:
    """The paths that the value of a variable names."""
    for word in text.replace(";", ",").split(","):
        path = word.partition("path=")[2] or word.partition("dir=")[2] or word.removeprefix("unix://")
        if path.startswith("/"):
            yield path


def _listening() -> list[str]:
    with suppress(OSError):
        lines = Path("/proc/net/unix").read_text(errors="surrogateescape").splitlines()[1:]
        return [words[7] for line in lines if len(words := line.split(None, 7)) > 7 and words[3] == _LISTENING]  # noqa: PLR2004
    return []
