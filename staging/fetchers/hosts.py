"""Hosts as addresses spell them: whether one is in this machine's own network, or on its own cable.

Names are not looked up: a name may mean another machine a second later. Spellings of an IPv4 address that the resolver
takes without asking anybody (``2852039166``, ``0xa9.254.1``) are addresses.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TypeAlias

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_inside(host: str) -> bool:
    """Whether a host (without a port) is not one of the world: loopback, link-local, private or reserved."""
    if _is_localhost(host):
        return True
    address = _address(host)
    return address is not None and not address.is_global


def is_link_local(host: str) -> bool:
    """Whether a host is on this machine's own cable (169.254.0.0/16, fe80::/10), where clouds hand out credentials."""
    address = _address(host)
    return address is not None and address.is_link_local


def is_this_machine(host: str) -> bool:
    """Whether a host is loopback."""
    address = _address(host)
    return _is_localhost(host) or (address is not None and address.is_loopback)


def _is_localhost(host: str) -> bool:
    name = host.lower().rstrip(".")
    return name == "localhost" or name.endswith(".localhost")


def _address(host: str) -> _Address | None:
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host)) if host[:1].isdigit() else None
        except (OSError, ValueError):
            return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
