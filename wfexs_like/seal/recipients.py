"""Recipients: whom a file is sealed for, and how their public keys are read."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wfexs_like.keys import PUBLIC_NAME, parse_public, read_public_text

_MARKS = ("ssh-", "-----BEGIN ")
_KEYS_FOLDER = "keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One who may open: the 32 bytes of an X25519 public key, and a word that helps people to know whose it is.

    Two of one key are one recipient, whatever they are called: compare ``public_key`` or ``fingerprint``.
    """

    public_key: bytes
    label: str = ""

    @property
    def fingerprint(self) -> str:
        """``SHA256:`` and the unpadded base64 of the key's sha256, as ssh-keygen writes fingerprints."""
        return fingerprint(self.public_key)


def fingerprint(public_key: bytes) -> str:
    """``SHA256:`` and the unpadded base64 of the sha256 of the 32 bytes of an X25519 public key."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(public_key).digest()).decode().rstrip("=")


def distinct(recipients: Iterable[Recipient]) -> tuple[Recipient, ...]:
    """Each key once, as it was first named."""
    first: dict[bytes, Recipient] = {}
    for one in recipients:
        first.setdefault(one.public_key, one)
    return tuple(first.values())


def read_recipient(path_or_text: str | Path) -> Recipient:
    """The recipient whose public key is in a file, or is the text itself.

    A crypt4gh public key, or the line of an ``ssh-ed25519`` key. The label is the comment of an SSH key, otherwise the
    file's name without its ending; where that is the name that everybody's key has, the folder's, which tells more.

    Raises:
        NotFoundError: there is no such file.
        KeyAccessError: it is no public key that can be sealed for.
    """
    if isinstance(path_or_text, str) and path_or_text.lstrip().startswith(_MARKS):
        text = path_or_text.strip().encode()
        return Recipient(public_key=parse_public(text, "the public key that was given"), label=_comment(text))
    path = Path(path_or_text)
    text = read_public_text(path)
    key = parse_public(text, str(path))
    folder = path.absolute().parent.name
    name = folder if path.name == PUBLIC_NAME and folder not in ("", _KEYS_FOLDER) else path.stem
    return Recipient(public_key=key, label=_comment(text) or _printable(name))


def _comment(text: bytes) -> str:
    """The comment of an SSH public key; empty for any other."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), b"")
    words = line.split(None, 2)
    if not line.startswith(b"ssh-") or len(words) < 3:  # noqa: PLR2004 - kind, key, comment
        return ""
    return _printable(words[2].decode("utf-8", "replace"))


def _printable(text: str) -> str:
    """What of it can be shown: of a file's name also without bytes that are no characters."""
    return "".join(one for one in text if one.isprintable())
