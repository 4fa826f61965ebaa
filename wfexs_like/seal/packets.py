"""Packets of a crypt4gh header that all look alike: data keys, notes about them, and free slots.

Each is 108 bytes: length, method, an X25519 public key, and 68 bytes that look random. Only who holds the session key
can tell them apart. A *data-key packet* is the standard's own (X25519_chacha20_ietf_poly1305), so that any reader opens
it. A *note* names the recipient of the packet before it, encrypted under a key that comes from the session key and the
note's own public key; the writer's ephemeral key of the packet comes from there too, so that whoever opens the file can
make the packet's shared key again, and see that the packet really is that recipient's. In a *free slot* the 68 bytes
come from the session key: nobody can hide a packet in one. Other readers take notes and free slots for packets that are
not for them.

Source: GA4GH crypt4gh 1.0, 2.2 (header) and 3.2 (packets); key exchange: libsodium's ``crypto_kx``.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from staging.errors import KeyAccessError
from wfexs_like.seal.recipients import Recipient

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

KEY_BYTES: Final = 32
PACKET_BYTES: Final = 108
LABEL_BYTES: Final = 19
_NONCE: Final = 12
_FRONT: Final = PACKET_BYTES.to_bytes(4, "little") + bytes(4)
_FIELD: Final = slice(8, 8 + KEY_BYTES)
_REST: Final = slice(8 + KEY_BYTES, PACKET_BYTES)
_HIDDEN: Final = 52
"""Plaintext bytes of a note or free slot: what is left of a packet without its key and its tag of 16 bytes."""
_DATA_KEY: Final = bytes(8)
"""Packet type 0 (data encryption parameters), method 0 (chacha20_ietf_poly1305)."""
_FREE: Final = bytes(_HIDDEN)
_NOTE_KIND: Final = b"\x01"


def public_of(private_key: bytes) -> bytes:
    """The public key of a private one; both are 32 bytes."""
    return _public(_loaded(private_key))


def free_slot(session_key: bytes) -> bytes:
    """A slot that is for nobody."""
    field = public_of(os.urandom(KEY_BYTES))
    return _FRONT + field + _encrypt_hidden(session_key, field, b"wfexs-like free", _FREE)


def is_free(session_key: bytes, packet: bytes) -> bool:
    """Whether ``packet`` is a free slot of the file with this session key."""
    return _decrypt_hidden(session_key, packet, b"wfexs-like free") == _FREE


def taken_slots(session_key: bytes, recipient: Recipient) -> tuple[bytes, bytes]:
    """The data-key packet of a recipient, and the note that follows it.

    Raises:
        KeyAccessError: nothing can be sealed for this key.
    """
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    field = public_of(os.urandom(KEY_BYTES))
    ephemeral = _loaded(_derive(session_key, field, b"wfexs-like eph.", KEY_BYTES))
    writer = _public(ephemeral)
    shared = _shared_by_writer(ephemeral, writer, recipient.public_key)
    if shared is None:
        raise KeyAccessError(f"the public key {recipient.fingerprint} is weak: nothing can be sealed for it")
    nonce = os.urandom(_NONCE)
    packet = _FRONT + writer + nonce + ChaCha20Poly1305(shared).encrypt(nonce, _DATA_KEY + session_key, None)
    label = short_label(recipient.label).encode().ljust(LABEL_BYTES, b"\0")
    note = _NOTE_KIND + recipient.public_key + label
    return packet, _FRONT + field + _encrypt_hidden(session_key, field, b"wfexs-like note", note)


def read_note(session_key: bytes, packet: bytes) -> Recipient | None:
    """The recipient whom a note names; ``None`` when ``packet`` is no note of the file with this session key."""
    note = _decrypt_hidden(session_key, packet, b"wfexs-like note")
    if note is None or note[:1] != _NOTE_KIND:
        return None
    label = note[1 + KEY_BYTES :].rstrip(b"\0").decode("utf-8", "replace")
    return Recipient(public_key=note[1 : 1 + KEY_BYTES], label=label)


def belong_together(session_key: bytes, packet: bytes, note: bytes) -> bool:
    """Whether ``packet`` was made, or was begun to be written, together with the ``note`` after it."""
    return packet[_FIELD] == public_of(_derive(session_key, note[_FIELD], b"wfexs-like eph.", KEY_BYTES))


def opens_for(session_key: bytes, packet: bytes, note: bytes, recipient: Recipient) -> bool:
    """Whether ``packet`` gives the session key to the recipient whom the ``note`` after it names."""
    ephemeral = _loaded(_derive(session_key, note[_FIELD], b"wfexs-like eph.", KEY_BYTES))
    writer = _public(ephemeral)
    if not packet.startswith(_FRONT) or packet[_FIELD] != writer:
        return False
    shared = _shared_by_writer(ephemeral, writer, recipient.public_key)
    return shared is not None and _decrypt(shared, packet) == _DATA_KEY + session_key


def open_packet(packet: bytes, private_key: bytes, public_key: bytes) -> bytes | None:
    """What a packet holds for the owner of the key pair: its type and content; ``None`` when it is not for them."""
    if packet[4:8] != bytes(4):
        return None
    writer = packet[_FIELD]
    exchanged = _exchange(_loaded_often(private_key), writer)
    return None if exchanged is None else _decrypt(_mix(exchanged, public_key, writer), packet)


def short_label(label: str) -> str:
    """As much of a label as a note has room for: 19 bytes of UTF-8."""
    return label.encode()[:LABEL_BYTES].decode("utf-8", "ignore")


def _derive(session_key: bytes, field: bytes, purpose: bytes, length: int) -> bytes:
    return hashlib.blake2b(field, digest_size=length, key=session_key, person=purpose).digest()


def _encrypt_hidden(session_key: bytes, field: bytes, purpose: bytes, content: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    material = _derive(session_key, field, purpose, KEY_BYTES + _NONCE)
    return ChaCha20Poly1305(material[:KEY_BYTES]).encrypt(material[KEY_BYTES:], content, None)


def _decrypt_hidden(session_key: bytes, packet: bytes, purpose: bytes) -> bytes | None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    if len(packet) != PACKET_BYTES or not packet.startswith(_FRONT):
        return None
    material = _derive(session_key, packet[_FIELD], purpose, KEY_BYTES + _NONCE)
    try:
        return ChaCha20Poly1305(material[:KEY_BYTES]).decrypt(material[KEY_BYTES:], packet[_REST], None)
    except InvalidTag:
        return None


def _decrypt(shared: bytes, packet: bytes) -> bytes | None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    rest = packet[8 + KEY_BYTES :]
    try:
        return ChaCha20Poly1305(shared).decrypt(rest[:_NONCE], rest[_NONCE:], None)
    except (InvalidTag, ValueError):
        return None


def _shared_by_writer(ephemeral: X25519PrivateKey, writer: bytes, public_key: bytes) -> bytes | None:
    exchanged = _exchange(ephemeral, public_key)
    return None if exchanged is None else _mix(exchanged, public_key, writer)


def _exchange(private_key: X25519PrivateKey, public_key: bytes) -> bytes | None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    try:
        return private_key.exchange(X25519PublicKey.from_public_bytes(public_key))
    except ValueError:  # a point of low order, or no 32 bytes
        return None


def _loaded(private_key: bytes) -> X25519PrivateKey:
    """The key as the library has it; that multiplies the curve's point by it, which takes as long as an exchange."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.from_private_bytes(private_key)


_loaded_often = lru_cache(maxsize=8)(_loaded)
"""For the reader's own keys, which open one file after the other."""


def _public(key: X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def _mix(exchanged: bytes, reader: bytes, writer: bytes) -> bytes:
    """``crypto_kx``: the half of the BLAKE2b-512 that the writer (server) sends with."""
    return hashlib.blake2b(exchanged + reader + writer).digest()[:KEY_BYTES]
