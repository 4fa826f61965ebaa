"""Access: who may open an encrypted working directory or a sealed file, told and changed.

Only the header of a sealed file is read and written, and ``vault/key.c4gh`` of a working directory: the content stays
as it is, whatever its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from staging.errors import NotFoundError, from_os_error
from wfexs_like.seal.headers import open_header
from wfexs_like.seal.recipients import Recipient, distinct, read_recipient
from wfexs_like.seal.rewrapping import rewrap

Kind = Literal["workdir", "file"]
FINGERPRINT: Final = "SHA256:"
"""What the fingerprint of a key begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may open what is at ``path``.

    Attributes:
        kind: a working directory, or a sealed file.
        recipients: who may open it; ``own`` are the fingerprints of those whose private key was used to look.
        broken: who is named but can't open it, because their packet is damaged.
        unknown: how many packets another tool made, of which nobody can say whom they are for.
        added, removed: what was just changed.
    """

    path: Path
    kind: Kind
    recipients: tuple[Recipient, ...]
    own: tuple[str, ...]
    broken: tuple[Recipient, ...] = ()
    unknown: int = 0
    added: tuple[Recipient, ...] = ()
    removed: tuple[Recipient, ...] = ()


def look(path: Path, sealed: Path, kind: Kind, private_keys: Sequence[bytes]) -> Access:
    """Who may open ``path``, whose sealed file is ``sealed``.

    Raises:
        NotFoundError: there is no such file. KeyAccessError: none of the keys opens it.
        DigestError: it is no crypt4gh file, or its header is damaged.
    """
    from wfexs_like.seal.recipients import fingerprint

    try:
        with sealed.open("rb") as stream:
            header = open_header(stream, private_keys, name=str(path))
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no sealed file {sealed}", where=str(sealed)) from error
    except OSError as error:
        raise from_os_error(error, f"read {sealed}") from error
    return Access(
        path=path,
        kind=kind,
        recipients=header.recipients,
        own=tuple(fingerprint(one) for one in header.own),
        broken=header.broken,
        unknown=header.unknown,
    )


def change(
    path: Path,
    sealed: Path,
    kind: Kind,
    private_keys: Sequence[bytes],
    *,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    even_own: bool = False,
) -> Access:
    """Add and remove recipients, named by a public key, its file, or (to remove) a fingerprint.

    Raises:
        NotFoundError: there is no such file or key, or nobody of that key among those who may open it.
        KeyAccessError: none of the private keys opens it, or an added key is not one that can be sealed for.
        DigestError: it is no crypt4gh file, or its header is damaged.
        PolicyError: nobody would be left, or one's own key would go without ``even_own``.
    """
    before = look(path, sealed, kind, private_keys)
    joining = distinct(read_recipient(one) for one in add)
    leaving = tuple(one if one.startswith(FINGERPRINT) else read_recipient(one).fingerprint for one in remove)
    rewrap(sealed, private_keys, add=joining, remove=leaving, even_own=even_own)
    known = {one.public_key for one in before.recipients}
    return Access(
        path=path,
        kind=kind,
        recipients=tuple(one for one in distinct((*before.recipients, *joining)) if one.fingerprint not in leaving),
        own=tuple(one for one in before.own if one not in leaving),
        unknown=before.unknown,
        added=tuple(one for one in joining if one.public_key not in known),
        removed=tuple(one for one in before.recipients if one.fingerprint in leaving),
    )
