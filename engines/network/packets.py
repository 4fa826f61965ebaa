"""Packets: what was tried by a packet that came to a network that leads nowhere, and what to answer. Pure functions.

Every attempt is refused at once, so that nobody waits for a time-out: a TCP connection is reset, a name does not exist,
all else can't be reached. What the kernel sends by itself (neighbour discovery, multicast reports) is no attempt.
Sources: RFC 791, 792, 1035, 4443, 8200, 9293, the IANA registry of protocol numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

RESOLVER: Final = "169.254.77.2"
"""The address that names are asked of: nobody has it, but the way there leads through the device."""

_ICMP, _IGMP, _TCP, _UDP, _ICMP6, _NO_NEXT_HEADER = 1, 2, 6, 17, 58, 59
_WITH_PORTS: Final = {_TCP: "tcp", _UDP: "udp", 33: "dccp", 132: "sctp", 136: "udplite"}
_OTHERS: Final = {41: "ipv6", 47: "gre", 50: "esp", 51: "ah", 89: "ospf", 103: "pim"}
_EXTENSIONS: Final = frozenset({0, 43, 44, 51, 60})
_FRAGMENT, _AUTHENTICATION = 44, 51
_ECHO, _ECHO6 = 8, 128
_SYN, _ACK, _RST = 0x02, 0x10, 0x04
_DOMAIN = 53
_LONGEST_NAME, _LONGEST_LABEL = 255, 63
_QUESTION_TYPES: Final = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV"}


class Attempted(NamedTuple):
    """What was tried: ``protocol`` is ``tcp``, ``udp``, ``dns``, ``icmp``, another's name, or ``ip-<number>``.

    ``name`` and ``question`` (``A``, ``AAAA``, ...) are those of a DNS question; ``source_port`` tells which socket it
    was (an echo's identifier, for ``icmp``). ``version`` is 4 or 6.
    """

    protocol: str
    version: int
    address: str
    port: int | None = None
    name: str | None = None
    question: str | None = None
    source_port: int | None = None


class _Headers(NamedTuple):
    version: int
    source: bytes
    target: bytes
    protocol: int
    body: bytes


def look(packet: bytes) -> tuple[Attempted | None, bytes | None]:
    """What a packet tries (``None``: nothing, or it is none), and the packet to answer with (``None``: silence)."""
    headers = _headers(packet)
    if headers is None or headers.protocol in (_IGMP, _NO_NEXT_HEADER):
        return None, None
    if headers.protocol in (_ICMP, _ICMP6):
        return _look_at_echo(headers, packet)
    if headers.protocol == _TCP:
        return _look_at_tcp(headers)
    if headers.protocol == _UDP:
        return _look_at_udp(headers, packet)
    name = _WITH_PORTS.get(headers.protocol)
    ports = _ports(headers.body) if name else None
    attempted = Attempted(
        protocol=name or _OTHERS.get(headers.protocol, f"ip-{headers.protocol}"),
        version=headers.version,
        address=_text(headers.target),
        port=ports[1] if ports else None,
        source_port=ports[0] if ports else None,
    )
    return attempted, _unreachable(headers, packet, port=False)


def _headers(packet: bytes) -> _Headers | None:
    """The headers of a whole packet, or of its first fragment."""
    if not packet:
        return None
    version = packet[0] >> 4
    if version == 4 and len(packet) >= 20:  # noqa: PLR2004 - as RFC 791 has it
        start = (packet[0] & 0x0F) * 4
        if start < 20 or len(packet) < start or int.from_bytes(packet[6:8]) & 0x1FFF:  # noqa: PLR2004
            return None
        return _Headers(4, packet[12:16], packet[16:20], packet[9], packet[start:])
    if version == 6 and len(packet) >= 40:  # noqa: PLR2004 - as RFC 8200 has it
        return _headers6(packet)
    return None


def _headers6(packet: bytes) -> _Headers | None:
    following, start = packet[6], 40
    while following in _EXTENSIONS:
        if len(packet) < start + 8:
            return None
        if following == _FRAGMENT:
            if int.from_bytes(packet[start + 2 : start + 4]) & 0xFFF8:
                return None
            size = 8
        elif following == _AUTHENTICATION:
            size = (packet[start + 1] + 2) * 4
        else:
            size = (packet[start + 1] + 1) * 8
        following, start = packet[start], start + size
    return _Headers(6, packet[8:24], packet[24:40], following, packet[start:])


def _look_at_echo(headers: _Headers, packet: bytes) -> tuple[Attempted | None, bytes | None]:
    echo = _ECHO if headers.protocol == _ICMP else _ECHO6
    if len(headers.body) < 8 or headers.body[0] != echo:  # noqa: PLR2004 - an echo's header
        return None, None
    identifier = int.from_bytes(headers.body[4:6])
    attempted = Attempted("icmp", headers.version, _text(headers.target), source_port=identifier)
    return attempted, _unreachable(headers, packet, port=False)


def _look_at_tcp(headers: _Headers) -> tuple[Attempted | None, bytes | None]:
    body = headers.body
    if len(body) < 20:  # noqa: PLR2004 - a TCP header
        return None, None
    source_port, port, sequence = struct.unpack_from("!HHI", body)
    flags = body[13]
    if flags & (_SYN | _ACK | _RST) != _SYN:
        return None, None
    attempted = Attempted("tcp", headers.version, _text(headers.target), port, source_port=source_port)
    more = max(0, len(body) - (body[12] >> 4) * 4)
    reset = struct.pack(
        "!HHIIBBHHH", port, source_port, 0, (sequence + 1 + more) & 0xFFFFFFFF, 5 << 4, _RST | _ACK, 0, 0, 0
    )
    return attempted, _packet(headers, _TCP, reset, checksum_at=16)


def _look_at_udp(headers: _Headers, packet: bytes) -> tuple[Attempted | None, bytes | None]:
    ports = _ports(headers.body)
    if ports is None or len(headers.body) < 8:  # noqa: PLR2004 - a UDP header
        return None, None
    source_port, port = ports
    address = _text(headers.target)
    asked = _question(headers.body[8:]) if port == _DOMAIN else None
    if asked is None:
        attempted = Attempted("udp", headers.version, address, port, source_port=source_port)
        return attempted, _unreachable(headers, packet, port=True)
    name, question, end = asked
    message = headers.body[8 : 8 + end]
    # A response, recursion available, no such name (3); of the question's own header its number, opcode and RD stay.
    said = message[:2] + bytes([0x80 | message[2] & 0x79, 0x83]) + struct.pack("!HHHH", 1, 0, 0, 0) + message[12:]
    reply = struct.pack("!HHHH", port, source_port, 8 + len(said), 0) + said
    attempted = Attempted("dns", headers.version, address, port, name, question, source_port)
    return attempted, _packet(headers, _UDP, reply, checksum_at=6)


def _question(message: bytes) -> tuple[str, str, int] | None:
    """The name and type of the one question of a DNS message, and where the question ends; ``None``: it has none."""
    if len(message) < 12 or message[2] & 0x80 or int.from_bytes(message[4:6]) != 1:  # noqa: PLR2004 - its header
        return None
    labels: list[str] = []
    at = 12
    while True:
        if at >= len(message) or at - 12 > _LONGEST_NAME:
            return None
        size = message[at]
        at += 1
        if size == 0:
            break
        if size > _LONGEST_LABEL or at + size > len(message):
            return None
        labels.append("".join(_character(one) for one in message[at : at + size]))
        at += size
    if at + 4 > len(message):
        return None
    kind = int.from_bytes(message[at : at + 2])
    return ".".join(labels) or ".", _QUESTION_TYPES.get(kind, f"TYPE{kind}"), at + 4


def _character(code: int) -> str:
    """As in a zone file (RFC 1035, 5.1); names are the same in either case."""
    character = chr(code)
    if character.isascii() and character.isprintable() and character not in ' .\\"':
        return character.lower()
    return f"\\{code:03d}"


def _ports(body: bytes) -> tuple[int, int] | None:
    return (int.from_bytes(body[:2]), int.from_bytes(body[2:4])) if len(body) >= 4 else None  # noqa: PLR2004


def _text(address: bytes) -> str:
    return str(IPv4Address(address) if len(address) == 4 else IPv6Address(address))  # noqa: PLR2004


def _unreachable(headers: _Headers, packet: bytes, *, port: bool) -> bytes | None:
    """What says that a port is closed, or that the way to somebody is forbidden; nothing to a packet for many."""
    target = IPv4Address(headers.target) if headers.version == 4 else IPv6Address(headers.target)  # noqa: PLR2004
    if target.is_multicast or headers.target == b"\xff" * 4:
        return None
    if headers.version == 4:  # noqa: PLR2004
        body = struct.pack("!BBHI", 3, 3 if port else 13, 0, 0) + packet[:548]
        return _packet(headers, _ICMP, body, checksum_at=2)
    body = struct.pack("!BBHI", 1, 4 if port else 1, 0, 0) + packet[:1192]
    return _packet(headers, _ICMP6, body, checksum_at=2)


def _packet(headers: _Headers, protocol: int, body: bytes, *, checksum_at: int) -> bytes:
    """A packet back to where ``headers`` came from."""
    source, target = headers.target, headers.source
    length = struct.pack("!II", len(body), protocol)
    over = (body,) if protocol == _ICMP else (source, target, length, body)
    summed = _checksum(over) or (0xFFFF if protocol == _UDP else 0)
    body = body[:checksum_at] + struct.pack("!H", summed) + body[checksum_at + 2 :]
    if headers.version == 6:  # noqa: PLR2004
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + source + target + body
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, 64, protocol, 0) + source + target
    return header[:10] + struct.pack("!H", _checksum((header,))) + header[12:] + body


def _checksum(parts: Sequence[bytes]) -> int:
    """The Internet checksum (RFC 1071) over parts that, but for the last, are even in length."""
    data = b"".join(parts)
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
