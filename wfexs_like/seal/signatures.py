"""Signatures of SSH (SSHSIG): made and read here, and just as well by ``ssh-keygen -Y sign`` and ``-Y verify``.

Source: OpenSSH's PROTOCOL.sshsig.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final

from staging.errors import DigestError
from wfexs_like.seal.naming import NAMESPACE
from wfexs_like.seal.ssh_keys import PublicKey, Signer, ed25519_bytes, string, take_string

_MAGIC: Final = b"SSHSIG"
_VERSION: Final = 1
_HASH: Final = "sha512"
_HASHES: Final = ("sha256", "sha512")
_BEGIN: Final = "-----BEGIN SSH SIGNATURE-----"
_END: Final = "-----END SSH SIGNATURE-----"
_COLUMNS: Final = 70
_LARGEST: Final = 64 << 10


class SignatureError(DigestError):
    """A signature is none, or not one of these bytes."""


def sign_bytes(content: bytes, signer: Signer, *, namespace: str = NAMESPACE) -> bytes:
    """The text of a signature file of ``content``."""
    digest = hashlib.sha512(content).digest()
    raw = signer.private.sign(_signed(namespace.encode(), _HASH.encode(), digest))
    blob = b"".join(
        (
            _MAGIC,
            _VERSION.to_bytes(4, "big"),
            string(signer.public.blob),
            string(namespace.encode()),
            string(b""),
            string(_HASH.encode()),
            string(string(b"ssh-ed25519") + string(raw)),
        )
    )
    text = base64.b64encode(blob).decode()
    lines = [text[start : start + _COLUMNS] for start in range(0, len(text), _COLUMNS)]
    return "".join(f"{line}\n" for line in (_BEGIN, *lines, _END)).encode()


def verify_bytes(content: bytes, signature: bytes, *, namespace: str = NAMESPACE) -> PublicKey:
    """The key that signed ``content``: whether that is somebody to be trusted is not asked here.

    Raises:
        SignatureError: ``signature`` is no signature, one of other bytes, made for something else (another
            namespace), or of a kind of key that is not known here.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        blob, stated, hash_name, raw = _parts(_unarmoured(signature))
        key = PublicKey(blob=blob)
        kind = key.kind
    except ValueError as error:
        raise SignatureError(f"it is not an SSH signature ({error})") from error
    if stated != namespace.encode():
        shown = stated[:100].decode(errors="replace")
        raise SignatureError(f"it was made for something else: its namespace is {shown!r}, not {namespace!r}")
    if hash_name.decode(errors="replace") not in _HASHES:
        raise SignatureError(f"it uses the hash {hash_name[:40].decode(errors='replace')!r}, which SSHSIG has not")
    try:
        public = Ed25519PublicKey.from_public_bytes(ed25519_bytes(key))
        how, rest = take_string(raw)
        value, rest = take_string(rest)
        if how != b"ssh-ed25519" or rest:
            raise ValueError("the signature is not of the key's kind")
    except ValueError as error:
        raise SignatureError(
            f"it can't be checked here: {error}" + (f" ({kind})" if kind else ""),
            hint='"ssh-keygen -Y check-novalidate" knows other kinds of keys',
        ) from error
    digest = hashlib.new(hash_name.decode(), content).digest()
    try:
        public.verify(value, _signed(stated, hash_name, digest))
    except InvalidSignature as error:
        raise SignatureError("it is not a signature of these bytes") from error
    return key


def _signed(namespace: bytes, hash_name: bytes, digest: bytes) -> bytes:
    """What is signed: never the content itself, so that a signature for one purpose is none for another."""
    return _MAGIC + string(namespace) + string(b"") + string(hash_name) + string(digest)


def _unarmoured(signature: bytes) -> bytes:
    if len(signature) > _LARGEST:
        raise ValueError("too long")
    try:
        lines = signature.decode("ascii").strip().splitlines()
        if len(lines) < 3 or lines[0].strip() != _BEGIN or lines[-1].strip() != _END:  # noqa: PLR2004 - and a body
            raise ValueError("not in the form of one")
        return base64.b64decode("".join(line.strip() for line in lines[1:-1]), validate=True)
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("not base64") from error


def _parts(blob: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Public key, namespace, hash and signature."""
    head, rest = blob[: len(_MAGIC) + 4], blob[len(_MAGIC) + 4 :]
    if head != _MAGIC + _VERSION.to_bytes(4, "big"):
        raise ValueError("of a version that is not known")
    key, rest = take_string(rest)
    namespace, rest = take_string(rest)
    _reserved, rest = take_string(rest)
    hash_name, rest = take_string(rest)
    raw, rest = take_string(rest)
    if rest:
        raise ValueError("something follows it")
    if _reserved or not namespace:
        raise ValueError("a field is not as it must be")
    return key, namespace, hash_name, raw
