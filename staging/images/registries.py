"""Registries: how each one is to be reached (mirrors, plain HTTP, its own certificate authority).

What the configuration says comes by environment, so that nothing here reads the program's own config file:
``WFEXS_LIKE_REGISTRIES`` is a JSON object, ``{"host:5000": {"insecure": true, "mirrors": ["host2/prefix"], "ca":
"/path/of.pem"}}``. Certificates are also taken from where docker and podman look for them (``certs.d/HOST``).
Source: docker-docs "Verify repository client with certificates"; containers-certs.d(5).
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from staging.errors import DefinitionError, Fault
from staging.images.reference import DEFAULT_HOST

VARIABLE: Final = "WFEXS_LIKE_REGISTRIES"
_DOCKER_HUB: Final = "registry-1.docker.io"
_KEYS: Final = ("insecure", "mirrors", "ca")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whom to believe that they are that host: ``ca`` is a PEM file besides which no authority counts.

    ``certificate`` and ``key`` are ours, for a registry that asks who we are. ``unverified``: anybody is believed.
    """

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    unverified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A place where images of a registry are to be had: ``prefix`` stands before their names there.

    ``plain``: it may be spoken to without encryption where it doesn't speak otherwise.
    """

    host: str
    prefix: str = ""
    plain: bool = False
    trust: Trust = Trust()

    @property
    def address(self) -> str:
        """Host and port that answer the protocol: for docker.io another one than its name."""
        return _DOCKER_HUB if self.host == DEFAULT_HOST else self.host

    def repository(self, name: str) -> str:
        """What a repository is called there."""
        return f"{self.prefix}/{name}" if self.prefix else name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stated:
    insecure: bool = False
    mirrors: tuple[str, ...] = ()
    ca: str | None = None


class Registries:
    """What is configured of all registries.

    Raises:
        DefinitionError: the configuration makes no sense.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._stated = _read(environment.get(VARIABLE, ""))
        home = environment.get("HOME")
        folders = [Path(home) / ".config/containers/certs.d", Path(home) / ".docker/certs.d"] if home else []
        self._certificates = (*folders, Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d"))

    def endpoints(self, host: str) -> tuple[Endpoint, ...]:
        """Where to look for images of ``host``, in that order: its mirrors, and itself."""
        places = []
        for mirror in self._stated.get(host, _Stated()).mirrors:
            name, _, prefix = mirror.partition("/")
            places.append(self._endpoint(name.lower(), prefix.strip("/")))
        return (*places, self._endpoint(host))

    def _endpoint(self, host: str, prefix: str = "") -> Endpoint:
        stated = self._stated.get(host, _Stated())
        trust = Trust(unverified=True) if stated.insecure else self._trust(host, stated.ca)
        return Endpoint(host=host, prefix=prefix, plain=stated.insecure or is_loopback(host), trust=trust)

    def _trust(self, host: str, ca: str | None) -> Trust:
        for folder in self._certificates:
            place = folder / host
            try:
                names = sorted(one.name for one in place.iterdir())
            except OSError:
                continue
            authorities = [one for one in names if one.endswith(".crt")]
            ours = [one for one in names if one.endswith(".cert") and f"{one.removesuffix('.cert')}.key" in names]
            return Trust(
                ca=ca or (str(place / authorities[0]) if authorities else None),
                certificate=str(place / ours[0]) if ours else None,
                key=str(place / f"{ours[0].removesuffix('.cert')}.key") if ours else None,
            )
        return Trust(ca=ca)


def is_loopback(host: str) -> bool:
    """Whether a host (with or without port) is this machine itself: 127.0.0.0/8, ::1, localhost."""
    name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.rpartition(":")[0] or host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _read(text: str) -> dict[str, _Stated]:
    if not text.strip():
        return {}
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _fault("", f"not JSON: {error}") from error
    if not isinstance(record, dict):
        raise _fault("", "should be a map of registries")
    return {host.lower(): _stated(host, one) for host, one in record.items()}


def _stated(host: str, record: object) -> _Stated:
    if not isinstance(record, dict):
        raise _fault(host, "should be a map")
    for key in record:
        if key not in _KEYS:
            raise _fault(f"{host}.{key}", f"unknown key; known keys: {', '.join(_KEYS)}")
    insecure, mirrors, ca = record.get("insecure", False), record.get("mirrors", []), record.get("ca")
    if not isinstance(insecure, bool):
        raise _fault(f"{host}.insecure", "should be true or false")
    if not isinstance(mirrors, list) or not all(isinstance(one, str) and one for one in mirrors):
        raise _fault(f"{host}.mirrors", "should be a list of hosts, each with or without a prefix (host2/prefix)")
    if ca is not None and (not isinstance(ca, str) or not Path(ca).is_file()):
        raise _fault(f"{host}.ca", f"should be a PEM file; there is none at {ca}")
    if insecure and ca is not None:
        raise _fault(host, "has a certificate authority and is insecure: one of them only")
    return _Stated(insecure=insecure, mirrors=tuple(mirrors), ca=ca)


def _fault(where: str, message: str) -> DefinitionError:
    place = f"registries.{where}" if where else "registries"
    return DefinitionError((Fault(file=VARIABLE, where=place, message=message),), message=f"{place}: {message}")
