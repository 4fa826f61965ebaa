"""Headers of sealed files: made with free slots, so that who may open can be changed without moving the body.

A header has a fixed number of slots of 108 bytes. A recipient takes two neighbours: the standard's data-key packet and
a note that names its owner (``wfexs_like.seal.packets``). Whoever may open the file lists its recipients exactly and
tells free slots from taken ones; a stranger sees equal packets, and other crypt4gh readers find the one packet that is
theirs. Headers of other tools are read too: of their recipients only the reader's own is known.

Source: GA4GH crypt4gh 1.0, 2.2.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import BinaryIO, Final

from staging.errors import DigestError, KeyAccessError, PolicyError, UsageError
from wfexs_like.seal.naming import MAGIC
from wfexs_like.seal.packets import (
    KEY_BYTES,
    belong_together,
    free_slot,
    is_free,
    open_packet,
    opens_for,
    public_of,
    read_note,
    taken_slots,
)
from wfexs_like.seal.recipients import Recipient, distinct

SLOTS: Final = 64
"""The slots of a header when nobody wishes otherwise: room for 32 recipients, 6928 bytes."""
MOST_PACKETS: Final = 4096
LONGEST_HEADER: Final = 1 << 20
_START: Final = MAGIC + (1).to_bytes(4, "little")
_FIXED: Final = len(_START) + 4
_LEAST_PACKET: Final = 8
_READ: Final = 8192
"""Bytes that are read of a file at once: a header of ``SLOTS`` slots."""
_DATA_KEY_TYPE: Final = bytes(4)
_EDIT_LIST_TYPE: Final = (1).to_bytes(4, "little")
_DATA_KEY_BYTES: Final = 8 + KEY_BYTES
_public_often = lru_cache(maxsize=8)(public_of)
"""For the reader's own keys, which open one file after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one packet lies: ``offset`` of its first byte in the file, and the packet with its length in front."""

    offset: int
    packet: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is known of one who may open: ``places`` is the data-key packet and its note, or the one that there is.

    ``whole`` is false when the packet does not give the key to the one that the note names: a writer was interrupted,
    or the file is damaged there.
    """

    recipient: Recipient
    places: tuple[Place, ...]
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedHeader:
    """A header that one of the private keys opened.

    Attributes:
        session_key: the 32 bytes that the segments are encrypted with.
        recipients: who may open, as far as it can be known; each once.
        broken: who is named, but can't open, because their packet is damaged or was only half written.
        unknown: how many packets there are of which nothing can be known: they may be for anybody.
        length: bytes of the header; the body begins there.
        slots: packets in the header.
        free: slots that are for nobody.
        foreign: nothing in the header was made by this software.
        own: the public keys, of those that were tried, that open it.
        entries, others, gaps: where all this lies, for ``wfexs_like.seal.rewrapping``.
    """

    session_key: bytes = field(repr=False)
    recipients: tuple[Recipient, ...]
    broken: tuple[Recipient, ...] = ()
    unknown: int = 0
    length: int
    slots: int
    free: int
    foreign: bool
    own: tuple[bytes, ...]
    entries: tuple[Entry, ...] = field(repr=False)
    others: tuple[Place, ...] = field(repr=False)
    gaps: tuple[Place, ...] = field(repr=False)


def new_session_key() -> bytes:
    """A random session key: each file gets one of its own."""
    return os.urandom(KEY_BYTES)


def seal_header(
    recipients: Sequence[Recipient], session_key: bytes, *, slots: int = SLOTS, keep: Sequence[bytes] = ()
) -> bytes:
    """A header that gives ``session_key`` to the recipients, with the rest of the slots free.

    It has more slots when these would not do. ``keep`` are packets that are taken over from another header as they are.

    Raises:
        UsageError: there is no recipient, or there are too many.
        KeyAccessError: nothing can be sealed for one of the keys.
    """
    chosen = distinct(recipients)
    if not chosen:
        raise UsageError("there is nobody to seal for", hint="name a recipient's public key")
    packets = [slot for one in chosen for slot in taken_slots(session_key, one)] + list(keep)
    while slots < len(packets):
        slots *= 2
    if slots > MOST_PACKETS:
        raise UsageError(f"{len(chosen)} recipients are too many: a header has room for {MOST_PACKETS // 2}")
    packets += [free_slot(session_key) for _ in range(slots - len(packets))]
    return _START + len(packets).to_bytes(4, "little") + b"".join(packets)


def open_header(source: BinaryIO | int, private_keys: Sequence[bytes], *, name: str = "the file") -> OpenedHeader:
    """Open the header at the start of ``source`` with any of the private keys; errors call the file ``name``.

    A stream is left where the body begins; of a file descriptor the position is neither used nor changed.

    Raises:
        KeyAccessError: it is sealed for none of these keys.
        DigestError: it is no crypt4gh file, or the header is damaged.
        PolicyError: it uses what is refused here: an edit list, several session keys, another cipher.
    """
    places, length = _parse(_reader(source), name)
    pairs = [(key, _public_often(key)) for key in private_keys]
    session_key = _find_key(places, pairs, name)
    if session_key is None:
        raise KeyAccessError(
            f"{name} is not sealed for {'this key' if len(pairs) == 1 else 'any of these keys'}",
            hint="ask one of its recipients to add your public key",
            where=name,
            fingerprints=[Recipient(public_key=public).fingerprint for _, public in pairs],
        )
    return _describe(places, length, session_key, pairs, name)


def header_length(source: BinaryIO | int, *, name: str = "the file") -> int:
    """Bytes of the header at the start of ``source``, as nobody needs a key to see.

    Raises:
        DigestError: it is no crypt4gh file, or the header is damaged.
    """
    return _parse(_reader(source), name)[1]


def _describe(
    places: Sequence[Place], length: int, session_key: bytes, pairs: Sequence[tuple[bytes, bytes]], name: str
) -> OpenedHeader:
    gaps, entries, others = _sort(places, session_key)
    foreign = not gaps and not entries
    for one in tuple(others):  # packets without a note: of those the reader's own can be known
        for private, public in pairs:
            found = _key_of(one, private, public, name)
            if found is not None and found != session_key:
                raise PolicyError(f"{name} is sealed with several session keys, which is refused here", where=name)
            if found is not None:
                entries.append(Entry(recipient=Recipient(public_key=public), places=(one,)))
                others.remove(one)
                break
    whole = distinct(one.recipient for one in entries if one.whole)
    keys = {one.public_key for one in whole}
    return OpenedHeader(
        session_key=session_key,
        recipients=whole,
        broken=distinct(one.recipient for one in entries if one.recipient.public_key not in keys),
        unknown=len(others),
        length=length,
        slots=len(places),
        free=len(gaps),
        foreign=foreign,
        own=tuple(public for _, public in pairs if public in keys),
        entries=tuple(entries),
        others=tuple(others),
        gaps=tuple(gaps),
    )


def _sort(places: Sequence[Place], session_key: bytes) -> tuple[list[Place], list[Entry], list[Place]]:
    """The free slots, who is named by notes, and the packets of which nothing is known."""
    gaps: list[Place] = []
    entries: list[Entry] = []
    others: list[Place] = []
    for place in places:
        if is_free(session_key, place.packet):  # most are
            gaps.append(place)
            continue
        recipient = read_note(session_key, place.packet)
        if recipient is None:
            others.append(place)
        elif others and others[-1].offset + len(others[-1].packet) == place.offset:
            before = others[-1]
            whole = opens_for(session_key, before.packet, place.packet, recipient)
            if whole or belong_together(session_key, before.packet, place.packet):
                entries.append(Entry(recipient=recipient, places=(before, place), whole=whole))
                others.pop()
            else:  # other tools move packets: whose this one is cannot be known
                entries.append(Entry(recipient=recipient, places=(place,), whole=False))
        else:  # the note of a packet that is free: half added, or half removed
            gaps.append(place)
    return gaps, entries, others


def _find_key(places: Sequence[Place], pairs: Sequence[tuple[bytes, bytes]], name: str) -> bytes | None:
    for place in places:
        for private, public in pairs:
            key = _key_of(place, private, public, name)
            if key is not None:
                return key
    return None


def _key_of(place: Place, private: bytes, public: bytes, name: str) -> bytes | None:
    """The session key that a packet holds for this key pair; ``None`` when it is not for it."""
    content = open_packet(place.packet, private, public)
    if content is None:
        return None
    if content[:4] == _EDIT_LIST_TYPE:
        raise PolicyError(
            f"{name} has an edit list: parts of what it holds are meant to be left out, which is not done here",
            hint="the reference tool opens it: crypt4gh decrypt",
            where=name,
        )
    if content[:8] != bytes(8):
        kind = int.from_bytes(content[:4], "little")
        raise PolicyError(
            f"{name} is sealed in a way that is not known here: packet type {kind}"
            if content[:4] != _DATA_KEY_TYPE
            else f"{name} is sealed with a cipher that is not known here",
            where=name,
        )
    if len(content) != _DATA_KEY_BYTES:
        raise DigestError(f"the header of {name} is damaged: a session key of {len(content) - 8} bytes", where=name)
    return content[8:]


def _reader(source: BinaryIO | int) -> Callable[[int], bytes]:
    if not isinstance(source, int):
        return source.read
    position, ahead = 0, b""

    def read(count: int) -> bytes:
        nonlocal position, ahead
        while len(ahead) < count:
            more = os.pread(source, max(_READ, count - len(ahead)), position)
            position += len(more)
            ahead += more
            if not more:
                break
        content, ahead = ahead[:count], ahead[count:]
        return content

    return read


def _parse(read: Callable[[int], bytes], name: str) -> tuple[tuple[Place, ...], int]:
    """The packets of a header, and its length."""
    start = read(_FIXED)
    if not start.startswith(_START[:8]):
        raise DigestError(f"{name} is not a crypt4gh file", where=name)
    if len(start) < _FIXED:
        raise _cut(name)
    if not start.startswith(_START):
        version = int.from_bytes(start[8:12], "little")
        raise DigestError(f"{name} is of crypt4gh version {version}, and only 1 is known", where=name)
    count = int.from_bytes(start[12:], "little")
    if not 0 < count <= MOST_PACKETS:
        raise DigestError(f"the header of {name} is damaged: {count} packets", where=name)
    places: list[Place] = []
    offset = _FIXED
    for number in range(1, count + 1):
        front = read(4)
        length = int.from_bytes(front, "little")
        if len(front) < len(_DATA_KEY_TYPE):
            raise _cut(name)
        if not _LEAST_PACKET <= length <= LONGEST_HEADER - offset:
            raise DigestError(f"the header of {name} is damaged: packet {number} has {length} bytes", where=name)
        packet = front + read(length - 4)
        if len(packet) < length:
            raise _cut(name)
        places.append(Place(offset=offset, packet=packet))
        offset += length
    return tuple(places), offset


def _cut(name: str) -> DigestError:
    return DigestError(f"{name} is cut off within its header", where=name)
