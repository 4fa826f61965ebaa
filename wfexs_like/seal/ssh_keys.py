"""SSH keys that sign: OpenSSH's files of ed25519 keys, made and read; what others know of a key.

Sources: RFC 8709 (ssh-ed25519), OpenSSH's PROTOCOL.key (private key files), ssh-keygen(1), "ALLOWED SIGNERS".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from staging.errors import KeyAccessError, NotFoundError, PolicyError, from_os_error

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PRIVATE_NAME: Final = "wfexs-like-signing"
PUBLIC_NAME: Final = PRIVATE_NAME + ".pub"
KIND: Final = b"ssh-ed25519"
_BYTES: Final = 32
_LARGEST: Final = 1 << 20
_LOOSE: Final = 0o077
_PUBLIC: Final = (b"ssh-", b"-----BEGIN CRYPT4GH PUBLIC KEY-----")
_MAGIC: Final = b"openssh-key-v1\0"
_BEGIN: Final = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_END: Final = b"-----END OPENSSH PRIVATE KEY-----"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeyFiles:
    """Where the signing pair lies."""

    private: Path
    public: Path

    @classmethod
    def below(cls, folder: Path) -> SigningKeyFiles:
        """The pair of the installation whose keys are in ``folder``."""
        return cls(private=folder / PRIVATE_NAME, public=folder / PUBLIC_NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key as SSH writes it: ``blob`` is its wire form. Two are the same when their blobs are."""

    blob: bytes
    comment: str = field(default="", compare=False)

    @property
    def kind(self) -> str:
        """The key's type, such as ``ssh-ed25519``; empty when the blob has none."""
        try:
            return take_string(self.blob)[0].decode("ascii")
        except ValueError:
            return ""

    @property
    def fingerprint(self) -> str:
        """``SHA256:`` and the unpadded base64 of the sha256 of the blob, as ``ssh-keygen -l`` tells it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    @property
    def line(self) -> str:
        """The key as a line of a public key file, to give to others."""
        return " ".join(part for part in (self.kind, base64.b64encode(self.blob).decode(), self.comment) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Somebody who can sign: the private key, and the public one that belongs to it."""

    public: PublicKey
    private: Ed25519PrivateKey = field(repr=False)


def string(content: bytes) -> bytes:
    """SSH's ``string`` (RFC 4251): the length in four bytes, then the bytes."""
    return len(content).to_bytes(4, "big") + content


def take_string(content: bytes) -> tuple[bytes, bytes]:
    """The first ``string`` of ``content``, and what follows it.

    Raises:
        ValueError: it is cut short.
    """
    length = int.from_bytes(content[:4], "big")
    if len(content) < 4 + length or len(content) < 4:  # noqa: PLR2004 - of the length itself
        raise ValueError("cut short")
    return content[4 : 4 + length], content[4 + length :]


def encode_signing_pair(passphrase: str | None, *, comment: str) -> tuple[bytes, bytes]:
    """A new ed25519 pair as the text of its private and public file; ``None`` leaves the private key unencrypted.

    Raises:
        KeyAccessError: the passphrase is empty.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if passphrase is not None and not passphrase:
        raise KeyAccessError("the passphrase is empty", hint="choose one that has some length")
    key = Ed25519PrivateKey.generate()
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, encryption)
    public = PublicKey(blob=_public_of(key).blob, comment=comment)
    return private, f"{public.line}\n".encode()


def load_signer(path: Path, passphrase: str | None) -> Signer:
    """The signer whose private key is in ``path``; ``None`` for a key without a passphrase.

    Raises:
        NotFoundError: there is no such file.
        PolicyError: others may read it.
        KeyAccessError: the passphrase is wrong or missing, or the file is no ed25519 private key of OpenSSH's.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    content = read_private_file(path)
    locked = is_locked(content, path)
    if locked and not passphrase:
        raise KeyAccessError(f"the key {path} needs a passphrase", where=str(path))
    try:
        key = serialization.load_ssh_private_key(content, (passphrase or "").encode() if locked else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if locked:
            raise KeyAccessError(
                f"{path} does not open with this passphrase", hint="try again; nobody can recover a lost passphrase"
            ) from error
        raise _not_a_key(path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyAccessError(f"{path} is not an ed25519 key", hint='"ssh-keygen -t ed25519" makes one', where=str(path))
    return Signer(public=_public_of(key, comment_beside(path)), private=key)


def read_private_file(path: Path) -> bytes:
    """The text of a private key file that nobody else may read.

    Raises:
        NotFoundError: there is no such file.
        PolicyError: others may read it, or it isn't a file.
        KeyAccessError: it is a public key.
    """
    try:
        # O_NONBLOCK: a FIFO in its place must not keep us waiting.
        if not path.is_file():
            raise PolicyError(f"{path} is not a file", where=str(path)) if path.exists() else FileNotFoundError
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            content = stream.read(_LARGEST)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(f"there is no private key {path}", hint='"wfexs-like keys init" makes one') from error
    except OSError as error:
        raise from_os_error(error, f"read the private key {path}") from error
    if content.lstrip().startswith(_PUBLIC):
        raise KeyAccessError(
            f"{path} is a public key, and a private one is asked for", hint="name its other half", where=str(path)
        )
    if mode & _LOOSE:
        raise PolicyError(f"{path} can be read by others", hint=f"chmod 600 {shlex.quote(str(path))}", where=str(path))
    return content


def is_locked(content: bytes, path: Path) -> bool:
    """Whether an OpenSSH private key needs a passphrase; that is told in clear in its file.

    Raises:
        KeyAccessError: it is no such key.
    """
    lines = content.strip().splitlines()
    if not lines or lines[0].strip() != _BEGIN or lines[-1].strip() != _END:
        raise _not_a_key(path)
    try:
        body = base64.b64decode(b"".join(line.strip() for line in lines[1:-1]), validate=True)
        if not body.startswith(_MAGIC):
            raise _not_a_key(path)
        return take_string(body[len(_MAGIC) :])[0] != b"none"
    except ValueError as error:
        raise _not_a_key(path) from error


def parse_public_line(text: str) -> PublicKey:
    """The key of a public key file's line: ``kind base64 comment``.

    Raises:
        ValueError: it is none.
    """
    words = text.strip().split(None, 2)
    if len(words) < 2:  # noqa: PLR2004 - kind and key
        raise ValueError("no public key")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if take_string(blob)[0] != words[0].encode():
        raise ValueError("the kind is not the key's")
    comment = words[2] if len(words) > 2 else ""  # noqa: PLR2004 - the comment
    return PublicKey(blob=blob, comment="".join(one for one in comment if one.isprintable()))


def ed25519_bytes(key: PublicKey) -> bytes:
    """The 32 bytes of an ed25519 key.

    Raises:
        ValueError: it is of another kind.
    """
    kind, rest = take_string(key.blob)
    if kind != KIND:
        raise ValueError(f"a key of the kind {kind.decode(errors='replace')}")
    value, rest = take_string(rest)
    if rest or len(value) != _BYTES:
        raise ValueError("not an ed25519 key")
    return value


def comment_beside(path: Path) -> str:
    """The comment of the public key that lies beside a private one; empty where there is none."""
    try:
        with path.with_name(path.name + ".pub").open(encoding="utf-8", errors="replace") as stream:
            return parse_public_line(stream.readline(1 << 14)).comment
    except (OSError, ValueError):
        return ""


def _public_of(key: Ed25519PrivateKey, comment: str = "") -> PublicKey:
    return PublicKey(blob=string(KIND) + string(key.public_key().public_bytes_raw()), comment=comment)


def _not_a_key(path: Path) -> KeyAccessError:
    return KeyAccessError(
        f"{path} is not an OpenSSH private key",
        hint='"wfexs-like keys init" makes one that signs, and so does "ssh-keygen -t ed25519"',
        where=str(path),
    )
