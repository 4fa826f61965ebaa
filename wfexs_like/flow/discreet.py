"""Discretion: whether a run in an encrypted working directory lets nothing be found outside of it.

Raised before anything of the run begins. What can only be seen when a container is asked for is seen at its door.
"""

from __future__ import annotations

import os
from collections.abc import Collection

from engines.containers.base import Containers
from engines.isolation import probe
from engines.secrecy import CONTAINER_RECORDS, OPEN_WALLS, WRITABLE_CONTAINERS, refusal
from staging.errors import PolicyError

CONCEALED = ("docker", "podman")
"""Runtimes that are told nothing which says what a container is for (``engines.containers.concealing``)."""


def check_secret(containers: Containers | None, allowed: Collection[str], *, root: bool | None = None) -> None:
    """Refuse what can't be prevented here and is not ``allowed`` (``engines.secrecy``); ``root``: whether we are.

    Raises:
        PolicyError: something would be found in clear.
    """
    if OPEN_WALLS not in allowed and not probe().mounts:
        raise refusal(OPEN_WALLS)
    if containers is None:
        return
    runtime = containers.runtime.name
    if runtime == "docker" and not (os.geteuid() == 0 if root is None else root):
        raise PolicyError(
            "the working directory is encrypted, and the Docker engine, which is another user, can't look into it",
            hint="run it with podman (--container podman), which is you",
        )
    if CONTAINER_RECORDS not in allowed and runtime not in CONCEALED:
        raise refusal(CONTAINER_RECORDS, runtime)
    if containers.writable_root and WRITABLE_CONTAINERS not in allowed:
        raise refusal(WRITABLE_CONTAINERS, runtime)
