"""Unlocking: private keys opened with the one passphrase that a call of the program is given, asked for when needed.

A key without a passphrase is opened without a word. A source of the environment is read once, as a descriptor gives its
bytes once. What a person typed is tried on the next key before that person is asked again.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from staging.errors import KeyAccessError
from wfexs_like.keys import KeyFiles, read_private
from wfexs_like.passphrase import SOURCES, find_passphrase
from wfexs_like.seal.ssh_keys import SigningKeyFiles, is_locked, load_signer, read_private_file

if TYPE_CHECKING:
    from wfexs_like.seal.ssh_keys import Signer
    from wfexs_like.settings import Settings

Ask: TypeAlias = Callable[[str], str]
"""Asks a person for a passphrase, with the prompt that it is given."""
T = TypeVar("T")
_CRYPT4GH: Final = b"-----BEGIN CRYPT4GH PRIVATE KEY-----"
_MAGIC: Final = b"c4gh-v1"
_NO_KDF: Final = b"\0\4none"


class Passphrases:
    """Where passphrases come from. ``ask`` is ``None`` when nobody is there to be asked."""

    def __init__(self, environment: Mapping[str, str], ask: Ask | None) -> None:
        self._environment = environment
        self._ask = ask
        self._known: str | None = None

    def open(self, path: Path, attempt: Callable[[str], T]) -> T:
        """What ``attempt`` makes of the passphrase of the key in ``path``.

        Raises:
            KeyAccessError: there is no passphrase to be had, or it is wrong.
            UsageError: a source that the environment names can't be read.
        """
        stated = [name for name in SOURCES if self._environment.get(name)]
        if self._known is not None:
            try:
                return attempt(self._known)
            except KeyAccessError:
                if stated or self._ask is None:
                    raise
        elif not stated and self._ask is None:
            raise KeyAccessError(
                f"the key {path} needs a passphrase, and there is no terminal to ask at",
                hint=f"set {SOURCES[1]} (or _FD, _COMMAND)",
                where=str(path),
            )
        ask = self._ask
        self._known = find_passphrase(
            self._environment, None if ask is None else lambda: ask(f"Passphrase for the key {path}: ")
        )
        return attempt(self._known)


def unlock(
    settings: Settings, environment: Mapping[str, str], ask: Ask | None = None, *, key: Path | None = None
) -> bytes:
    """The secret bytes of this installation's crypt4gh key, or of the one in ``key``; see ``unlock_with``.

    For a caller that opens one key. Who opens several shares one ``Passphrases``.
    """
    return unlock_with(settings, Passphrases(environment, ask), key=key)


def unlock_with(settings: Settings, passphrases: Passphrases, *, key: Path | None = None) -> bytes:
    """The 32 secret bytes (X25519) of the crypt4gh or SSH key in ``key``, of the settings' one, or the installation's.

    Raises:
        NotFoundError: there is no such key.
        PolicyError: others may read it.
        KeyAccessError: its passphrase is missing or wrong, or it is no private key.
        UsageError: a source of passphrases can't be read.
    """
    path = key or settings.key or KeyFiles.below(settings.keys).private
    if not needs_passphrase(path):
        return read_private(path, None)
    return passphrases.open(path, lambda passphrase: read_private(path, passphrase))


def unlock_signer(settings: Settings, passphrases: Passphrases, *, key: Path | None = None) -> Signer:
    """The signer of this installation, or the one whose SSH private key is in ``key``.

    Raises:
        NotFoundError: there is no such key.
        PolicyError: others may read it.
        KeyAccessError: its passphrase is missing or wrong, or it is no key that can sign.
        UsageError: a source of passphrases can't be read.
    """
    path = key if key is not None else SigningKeyFiles.below(settings.keys).private
    if not is_locked(read_private_file(path), path):
        return load_signer(path, None)
    return passphrases.open(path, lambda passphrase: load_signer(path, passphrase))


def needs_passphrase(path: Path) -> bool:
    """Whether a private key, crypt4gh's or OpenSSH's, is locked; its file tells that in clear.

    Raises:
        NotFoundError: there is no such file.
        PolicyError: others may read it.
        KeyAccessError: it is no private key.
    """
    content = read_private_file(path)
    lines = [line.strip() for line in content.strip().splitlines()]
    if not lines or lines[0] != _CRYPT4GH:
        return is_locked(content, path)
    try:
        body = base64.b64decode(b"".join(lines[1:-1]), validate=True)
    except binascii.Error:
        body = b""
    if not body.startswith(_MAGIC):
        raise KeyAccessError(f"{path} is not a crypt4gh private key", where=str(path))
    return not body.startswith(_MAGIC + _NO_KDF)
