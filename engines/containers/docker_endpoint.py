"""Which Docker engine the user's docker command talks to, found out without that command.

Our commands are told the engine itself and nothing else of the user's configuration, which could add variables (its
``proxies``) to every container. Source: the documentation of Docker contexts and of ``docker`` (environment variables).
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from engines.containers.orders import picked
from staging.errors import ContainerError

DEFAULT: Final = "unix:///var/run/docker.sock"
_NO_CONFIGURATION: Final = "/nonexistent/docker"
_ALWAYS: Final = ("PATH", "HOME", "DOCKER_API_VERSION")
_TLS: Final = ("DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH")
_CREDENTIALS: Final = struct.Struct("=3i")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def endpoint_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables with which ``docker`` finds the user's engine; ``DOCKER_HOST`` is always among them.

    Raises:
        ContainerError: the user's context is not there, or its engine is on another machine.
    """
    found = {**picked(environment, _ALWAYS), "DOCKER_CONFIG": _NO_CONFIGURATION}
    folder = Path(environment.get("DOCKER_CONFIG") or Path(environment.get("HOME") or "/nonexistent") / ".docker")
    context = environment.get("DOCKER_CONTEXT") or _current_context(folder)
    if host := environment.get("DOCKER_HOST"):
        found |= {"DOCKER_HOST": host, **picked(environment, _TLS)}
        if "DOCKER_TLS_VERIFY" in found or "DOCKER_TLS" in found:
            found.setdefault("DOCKER_CERT_PATH", str(folder))
    elif context in ("", "default"):
        found["DOCKER_HOST"] = DEFAULT
    else:
        found |= _context_environment(folder, context)
    _must_be_here(found["DOCKER_HOST"])
    return found


def shares_mounts(host: str) -> bool:
    """Whether an engine is in our own mount namespace. Who isn't root can't tell of an engine that is."""
    address = host.removeprefix("unix://")
    if address == host:
        return False
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            connection.connect(address)
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, _, _ = _CREDENTIALS.unpack(peer)
        return pid > 0 and Path(f"/proc/{pid}/ns/mnt").samefile("/proc/self/ns/mnt")
    except OSError:
        return False


def _current_context(folder: Path) -> str:
    configuration = _object(folder / "config.json")
    return str(configuration.get("currentContext") or "")


def _context_environment(folder: Path, context: str) -> dict[str, str]:
    place = hashlib.sha256(os.fsencode(context)).hexdigest()
    endpoints = _object(folder / "contexts" / "meta" / place / "meta.json").get("Endpoints")
    engine = endpoints.get("docker") if isinstance(endpoints, dict) else None
    if not isinstance(engine, dict) or not isinstance(engine.get("Host"), str):
        raise ContainerError(
            f"there is no Docker context {context!r}",
            hint='"docker context ls" lists those there are; set DOCKER_HOST or DOCKER_CONTEXT',
        )
    found = {"DOCKER_HOST": engine["Host"]}
    keys = folder / "contexts" / "tls" / place / "docker"
    if keys.is_dir():
        how = "DOCKER_TLS" if engine.get("SkipTLSVerify") is True else "DOCKER_TLS_VERIFY"
        found |= {how: "1", "DOCKER_CERT_PATH": str(keys)}
    return found


def _must_be_here(host: str) -> None:
    """A container is given folders of this machine, so its engine has to be on it."""
    try:
        parts = urlsplit(host)
        here = parts.scheme == "unix" or (parts.scheme in ("tcp", "http", "https") and parts.hostname in _LOOPBACK)
    except ValueError:
        here = False
    if not here:
        raise ContainerError(
            f"the Docker engine at {host} is not on this machine, whose folders its containers would need",
            hint="set DOCKER_HOST to an engine of this machine, or use podman",
        )


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
