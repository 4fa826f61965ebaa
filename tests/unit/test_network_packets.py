"""Packets that tried to leave: what they tried, and an answer that the kernel they came from would take."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.child import names
from engines.network.packets import RESOLVER, look


def checksum(data: bytes) -> int:
    """RFC 1071, the slow way; 0 over something that holds its own right sum."""
    data += b"\0" * (len(data) % 2)
    total = 0
    for at in range(0, len(data), 2):
        total += data[at] << 8 | data[at + 1]
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(source: str, target: str, protocol: int, body: bytes, *, extensions: bytes = b"") -> bytes:
    one, other = ip_address(source).packed, ip_address(target).packed
    if len(one) == 4:
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 7, 0, 64, protocol, 0) + one + other + body
    following = 60 if extensions else protocol
    return struct.pack("!IHBB", 6 << 28, len(extensions + body), following, 64) + one + other + extensions + body


def syn(port: int, *, flags: int = 2, sequence: int = 41, source_port: int = 50000) -> bytes:
    return struct.pack("!HHIIBBHHH", source_port, port, sequence, 0, 5 << 4, flags, 1000, 0, 0)


def datagram(port: int, data: bytes, source_port: int = 40000) -> bytes:
    return struct.pack("!HHHH", source_port, port, 8 + len(data), 0) + data


def question(name: bytes, kind: int = 1, number: int = 0x1234) -> bytes:
    labels = b"".join(bytes([len(one)]) + one for one in name.split(b".") if one)
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


class Answer:
    """An answer taken apart, after its sums were checked."""

    def __init__(self, data: bytes) -> None:
        if data[0] >> 4 == 4:
            assert checksum(data[:20]) == 0
            assert int.from_bytes(data[2:4]) == len(data)
            self.source, self.target, self.protocol, self.body = data[12:16], data[16:20], data[9], data[20:]
        else:
            assert int.from_bytes(data[4:6]) == len(data) - 40
            self.source, self.target, self.protocol, self.body = data[8:24], data[24:40], data[6], data[40:]
        pseudo = self.source + self.target + struct.pack("!II", len(self.body), self.protocol)
        assert checksum(self.body if self.protocol == 1 else pseudo + self.body) == 0


PAIRS = (("169.254.77.1", "1.2.3.4"), ("fd00::1", "2001:db8::1"))


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_connection_is_reset(source: str, target: str) -> None:
    attempted, said = look(packet(source, target, 6, syn(443)))

    assert attempted is not None
    assert (attempted.protocol, attempted.address, attempted.port) == ("tcp", target, 443)
    assert said is not None
    answer = Answer(said)
    assert (answer.source, answer.target) == (ip_address(target).packed, ip_address(source).packed)
    assert struct.unpack("!HHII", answer.body[:12]) == (443, 50000, 0, 42)
    assert answer.body[13] == 0x14  # RST, ACK


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_datagram_finds_a_closed_port(source: str, target: str) -> None:
    sent = packet(source, target, 17, datagram(123, b"what time is it"))
    attempted, said = look(sent)

    assert attempted is not None
    assert (attempted.protocol, attempted.address, attempted.port) == ("udp", target, 123)
    assert said is not None
    answer = Answer(said)
    assert answer.body[:2] == (b"\x03\x03" if "." in source else b"\x01\x04")
    assert answer.body[8:] == sent


@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.parametrize(("kind", "word"), [(1, "A"), (28, "AAAA"), (65, "TYPE65")])
def test_a_name_does_not_exist(source: str, target: str, kind: int, word: str) -> None:
    asked = question(b"Example.org", kind)
    attempted, said = look(packet(source, target, 17, datagram(53, asked + b"an additional record")))

    assert attempted is not None
    assert (attempted.protocol, attempted.name, attempted.question) == ("dns", "example.org", word)
    assert said is not None
    answer = Answer(said)
    message = answer.body[8:]
    assert message[:2] == asked[:2]
    assert int.from_bytes(message[2:4]) & 0x800F == 0x8003  # a response: NXDOMAIN
    assert struct.unpack("!HHHH", message[4:12]) == (1, 0, 0, 0)
    assert message[12:] == asked[12:]


def test_a_name_cannot_write_on_a_terminal_or_look_like_two() -> None:
    attempted, _ = look(packet("169.254.77.1", RESOLVER, 17, datagram(53, question(b"a\x1b[2Jb \xff\n.org"))))

    assert attempted is not None
    assert attempted.name == "a\\027[2jb\\032\\255\\010.org"


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_an_echo_and_other_protocols_are_told_and_forbidden(source: str, target: str) -> None:
    version4 = "." in source
    echo = packet(source, target, 1 if version4 else 58, bytes([8 if version4 else 128, 0, 0, 0, 0x12, 0x34, 0, 1]))
    attempted, said = look(echo)
    assert attempted is not None
    assert (attempted.protocol, attempted.address, attempted.port) == ("icmp", target, None)
    assert said is not None
    assert Answer(said).body[:2] == (b"\x03\x0d" if version4 else b"\x01\x01")

    for number, name in ((132, "sctp"), (47, "gre"), (200, "ip-200")):
        attempted, said = look(packet(source, target, number, b"\x00\x01\x00\x02" + bytes(20)))
        assert attempted is not None
        assert (attempted.protocol, attempted.port) == (name, 2 if name == "sctp" else None)
        assert said is not None


@pytest.mark.parametrize(
    "noise",
    [
        packet("fe80::1", "ff02::2", 58, b"\x85\0\0\0" + bytes(4)),  # router solicitation
        packet("fd00::1", "ff02::1:ff00:1", 58, b"\x87\0\0\0" + bytes(20)),  # neighbour solicitation
        packet("::", "ff02::16", 58, b"\x8f\0\0\0" + bytes(24)),  # multicast listener report
        packet("169.254.77.1", "224.0.0.22", 2, b"\x22\0\0\0" + bytes(12)),  # IGMP
        packet("169.254.77.1", "1.2.3.4", 6, syn(80, flags=0x10)),  # part of a connection that was never made
        packet("169.254.77.1", "1.2.3.4", 6, syn(80, flags=0x04)),
        packet("169.254.77.1", "1.2.3.4", 1, b"\x03\x03" + bytes(30)),  # an answer of the kernel's
    ],
)
def test_what_the_kernel_says_by_itself_is_no_attempt(noise: bytes) -> None:
    assert look(noise) == (None, None)


def test_a_packet_to_many_is_told_and_not_answered() -> None:
    for target in ("224.0.0.251", "255.255.255.255"):
        attempted, said = look(packet("169.254.77.1", target, 17, datagram(5353, b"?")))
        assert attempted is not None
        assert attempted.address == target
        assert said is None


def test_headers_of_ipv6_may_come_before_the_port() -> None:
    options = bytes([6, 1]) + bytes(14)
    attempted, said = look(packet("fd00::1", "2001:db8::1", 6, syn(80), extensions=options))

    assert attempted is not None
    assert attempted.port == 80
    assert said is not None
    Answer(said)


def test_later_fragments_are_part_of_what_was_told() -> None:
    whole = bytearray(packet("169.254.77.1", "1.2.3.4", 17, datagram(9, bytes(100))))
    whole[6:8] = struct.pack("!H", 185)

    assert look(bytes(whole)) == (None, None)


@given(st.binary(max_size=200), st.sampled_from((b"", b"\x45", b"\x60", b"\x4f")))
def test_garbage_is_survived(data: bytes, begin: bytes) -> None:
    attempted, said = look(begin + data)

    assert attempted is None or attempted.address
    if said is not None:
        Answer(said)


@given(
    st.sampled_from(PAIRS),
    st.sampled_from((1, 6, 17, 58, 132)),
    st.binary(max_size=120),
)
def test_answers_to_bodies_of_garbage_are_sound(pair: tuple[str, str], protocol: int, body: bytes) -> None:
    _, said = look(packet(*pair, protocol, body))

    if said is not None:
        Answer(said)


@given(st.binary(max_size=300), st.integers(0, 65535))
def test_questions_of_garbage_are_datagrams_or_names(message: bytes, number: int) -> None:
    data = struct.pack("!HHHHHH", number, 0, 1, 0, 0, 0) + message
    attempted, said = look(packet("169.254.77.1", RESOLVER, 17, datagram(53, data)))

    assert attempted is not None
    assert attempted.protocol in ("dns", "udp")
    assert attempted.name is None or attempted.name.isprintable()
    assert said is not None
    Answer(said)


@given(st.lists(st.binary(min_size=1, max_size=63).filter(lambda one: b"." not in one), min_size=1, max_size=3))
def test_every_name_can_be_asked_for(labels: list[bytes]) -> None:
    attempted, _ = look(packet("169.254.77.1", RESOLVER, 17, datagram(53, question(b".".join(labels)))))

    assert attempted is not None
    assert attempted.protocol == "dns"


def test_the_child_points_to_the_resolver_that_is_watched() -> None:
    assert names.RESOLVER == RESOLVER
