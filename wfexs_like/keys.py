"""Keys: this installation's crypt4gh key pair. The only module that imports ``crypt4gh``.

Source: GA4GH crypt4gh 1.0 (X25519 keys) and the key file format of its reference library.
"""

from __future__ import annotations

import base64
import contextlib
import io
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from staging.errors import KeyAccessError, NotFoundError, from_os_error
from wfexs_like.seal.ssh_keys import read_private_file

# The library writes secret and session keys into its log at DEBUG, whatever logging a program sets up.
logging.getLogger("crypt4gh").setLevel(logging.WARNING)

PRIVATE_NAME: Final = "wfexs-like.sec"
PUBLIC_NAME: Final = "wfexs-like.pub"
_KEY_BYTES: Final = 32
_TEXT_LIMIT: Final = 1 << 16
_NOT_PUBLIC: Final = "{} is not a crypt4gh public key"
_EXPORT: Final = '"wfexs-like keys export"'


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFiles:
    """Where a key pair lies."""

    private: Path
    public: Path

    @classmethod
    def below(cls, folder: Path) -> KeyFiles:
        """The key pair of the installation whose keys are in ``folder``."""
        return cls(private=folder / PRIVATE_NAME, public=folder / PUBLIC_NAME)


def encode_pair(passphrase: str | None, *, comment: str = "wfexs-like") -> tuple[bytes, bytes]:
    """A new key pair as the text of its private and public file; ``None`` leaves the private key unencrypted.

    Raises:
        KeyAccessError: the passphrase is empty.
    """
    from crypt4gh import sodium
    from crypt4gh.keys import c4gh

    if passphrase is not None and not passphrase:
        raise KeyAccessError("the passphrase is empty", hint="choose one that has some length")
    secret = os.urandom(_KEY_BYTES)
    # For a key without a passphrase the library prints a warning of its own.
    with contextlib.redirect_stderr(io.StringIO()):
        private = c4gh.encode_private_key(secret, passphrase.encode() if passphrase else None, comment.encode())
    return _pem("PRIVATE", private), _pem("PUBLIC", bytes(sodium.derive_pk(secret)))


def read_public(path: Path) -> bytes:
    """The 32 bytes (X25519) of a public key file: crypt4gh's, or OpenSSH's of the kind ed25519.

    Raises:
        NotFoundError: there is no such file.
        KeyAccessError: it is not a public key.
    """
    return parse_public(read_public_text(path), str(path))


def read_public_text(path: Path) -> bytes:
    """The text of a public key file, as far as a key's can go.

    Raises:
        NotFoundError: there is no such file.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(_TEXT_LIMIT)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError) as error:  # NUL is in no path
        raise NotFoundError(f"there is no public key {path}", hint=f"its owner prints it: {_EXPORT}") from error
    except OSError as error:
        raise from_os_error(error, f"read the public key {path}") from error


def parse_public(text: bytes, name: str) -> bytes:
    """The 32 bytes (X25519) of a public key from the text of its file, which errors call ``name``.

    The first key counts where there are several, as in what "keys export" prints.

    Raises:
        KeyAccessError: it is not a public key of crypt4gh's or of the kind ssh-ed25519.
    """
    from crypt4gh.keys import ssh

    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = lines[0] if lines else b""
    key = b""
    try:
        if b"CRYPT4GH PUBLIC KEY" in first:
            end = next(index for index, line in enumerate(lines) if b"END CRYPT4GH PUBLIC KEY" in line)
            key = base64.b64decode(b"".join(lines[1:end]), validate=True)
        elif first.startswith(b"ssh-"):
            key = bytes(ssh.get_public_key(first))
    except NotImplementedError as error:
        raise KeyAccessError(
            f"{name} is an SSH key that nothing can be sealed for: {first.split()[0].decode(errors='replace')}",
            hint='only ed25519 will do: "ssh-keygen -t ed25519" makes one',
            where=name,
        ) from error
    except (ValueError, AssertionError, IndexError, StopIteration) as error:
        raise KeyAccessError(_NOT_PUBLIC.format(name), hint=f"its owner prints it: {_EXPORT}", where=name) from error
    if b"PRIVATE KEY" in first:
        raise KeyAccessError(
            f"{name} is a private key, and a public one is asked for",
            hint=f"a private key is never given to anybody; its owner prints the public one: {_EXPORT}",
            where=name,
        )
    if len(key) != _KEY_BYTES:
        raise KeyAccessError(_NOT_PUBLIC.format(name), hint=f"its owner prints it: {_EXPORT}", where=name)
    return key


def read_private(path: Path, passphrase: str | None) -> bytes:
    """The 32 secret bytes of a private key file; ``None`` for a key without a passphrase.

    Raises:
        NotFoundError: there is no such file.
        PolicyError: others may read it, or it isn't a file.
        KeyAccessError: the passphrase is wrong or missing, or the file is no private key.
    """
    from crypt4gh.keys import get_private_key

    # What it refuses the library would read, wait for, or end the process over.
    read_private_file(path)
    try:
        # The library ends the process when the passphrase is wrong, and prints to standard error.
        with contextlib.redirect_stderr(io.StringIO()):
            key = bytes(get_private_key(str(path), lambda: passphrase or ""))
    except SystemExit as error:
        raise KeyAccessError(
            f"{path} does not open with this passphrase", hint="try again; nobody can recover a lost passphrase"
        ) from error
    except (ValueError, TypeError, AssertionError) as error:
        raise KeyAccessError(f"{path} is not a crypt4gh private key", where=str(path)) from error
    if len(key) != _KEY_BYTES:
        raise KeyAccessError(f"{path} is not a crypt4gh private key", where=str(path))
    return key


def _pem(kind: str, content: bytes) -> bytes:
    body = base64.b64encode(content).decode()
    return f"-----BEGIN CRYPT4GH {kind} KEY-----\n{body}\n-----END CRYPT4GH {kind} KEY-----\n".encode()
