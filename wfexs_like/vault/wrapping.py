"""The password of an encrypted area: random, and sealed with crypt4gh for everybody who may open the area.

``vault/key.c4gh`` is an ordinary crypt4gh file. Whoever has one of the private keys that it is sealed for can get the
password out of it with any crypt4gh tool, and mount ``vault/data`` by hand.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from staging.errors import DigestError, KeyAccessError, VaultError
from staging.placing import open_regular, write_atomically
from wfexs_like.seal.headers import new_session_key, open_header, seal_header
from wfexs_like.seal.opening import UnsealingReader
from wfexs_like.seal.recipients import Recipient
from wfexs_like.seal.segments import SealingWriter

_PASSWORD_BYTES: Final = 32
_NAME: Final = "the key of the encrypted area"


def new_password() -> bytes:
    """256 random bits as hexadecimal digits: one line of text."""
    return os.urandom(_PASSWORD_BYTES).hex().encode()


def wrap(path: Path, password: bytes, recipients: Sequence[Recipient]) -> None:
    """Write the password to ``path``, sealed for the recipients.

    Raises:
        UsageError: there are none. KeyAccessError: one of the keys is not usable. DiskError: the disk is full.
    """
    key = new_session_key()
    sealed = io.BytesIO()
    sealed.write(seal_header(recipients, key))
    with SealingWriter(sealed, key, name=_NAME) as writer:
        writer.write(password)
    write_atomically(path, sealed.getvalue())


@contextlib.contextmanager
def key_stream(path: Path) -> Iterator[BinaryIO]:
    """The sealed password's file, to be read. No link is followed, and no pipe waited for.

    Raises:
        VaultError: it is gone, or no file.
    """
    try:
        with open_regular(path) as descriptor, open(descriptor, "rb", closefd=False) as stream:
            yield stream
    except OSError as error:
        gone = isinstance(error, FileNotFoundError)
        raise VaultError(
            "the key of the encrypted area is gone" if gone else "the key of the encrypted area can't be read",
            hint=f"bring {path.name} back from a copy: without it nothing can be read again",
            where=str(path),
        ) from error


def unwrap(path: Path, private_keys: Sequence[bytes]) -> bytes:
    """The password.

    Raises:
        KeyAccessError: it is sealed for none of these keys, whose fingerprints it has.
        VaultError: it is damaged, or gone.
    """
    try:
        with key_stream(path) as stream:
            header = open_header(stream, private_keys, name=_NAME)
            with UnsealingReader(stream, header.session_key, name=_NAME) as reader:
                password = reader.read()
    except KeyAccessError as error:
        raise KeyAccessError(
            "the working directory is encrypted for other keys than this one",
            hint='ask one of its recipients to add your public key ("wfexs-like recipients add")',
            where=str(path),
            **error.fields,
        ) from error
    except DigestError as error:
        raise VaultError(
            f"the key of the encrypted area is damaged: {error.message}",
            hint=f"bring {path.name} back from a copy: without it nothing can be read again",
            where=str(path),
        ) from error
    if len(password) != 2 * _PASSWORD_BYTES:
        raise VaultError("the key of the encrypted area is damaged: it holds no password", where=str(path))
    return password
