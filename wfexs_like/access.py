"""Access: who may open an encrypted working directory or something sealed, told and changed.

Only headers are read and written, ``vault/key.c4gh`` in a working directory: the content stays as it is, whatever its
size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from staging.errors import NotFoundError, UsageError
from wfexs_like.seal.headers import open_header
from wfexs_like.seal.recipients import Recipient, distinct, fingerprint, read_recipient
from wfexs_like.vault.wrapping import key_stream

if TYPE_CHECKING:
    from wfexs_like.seal.ssh_keys import Signer

Kind = Literal["workdir", "folder", "zip", "archive"]
Signature = Literal["none", "removed", "renewed"]
FINGERPRINT: Final = "SHA256:"
"""What the fingerprint of a key begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may open what is at ``path``.

    Attributes:
        kind: a working directory, or what a sealed crate is: a folder, a zip, one sealed file.
        recipients: who may open it; ``own`` are the fingerprints of those whose private key was used to look.
        broken: who is named but can't open it, because their packet is damaged.
        unknown: how many packets another tool made, of which nobody can say whom they are for.
        uneven: sealed files that others may open than the rest: a change was interrupted.
        added, removed: what was just changed.
        signature: what became of the crate's signature by that.
    """

    path: Path
    kind: Kind
    recipients: tuple[Recipient, ...]
    own: tuple[str, ...]
    broken: tuple[Recipient, ...] = ()
    unknown: int = 0
    uneven: tuple[str, ...] = ()
    added: tuple[Recipient, ...] = ()
    removed: tuple[Recipient, ...] = ()
    signature: Signature = "none"


def of_workdir(root: Path, key_file: Path, private_keys: Sequence[bytes]) -> Access:
    """Who may open the working directory at ``root``, whose password is sealed in ``key_file``.

    Raises:
        VaultError: that is gone, or no file. KeyAccessError: none of the keys opens it. DigestError: it is damaged.
    """
    with key_stream(key_file) as stream:
        header = open_header(stream, private_keys, name=str(key_file))
    return Access(
        path=root,
        kind="workdir",
        recipients=header.recipients,
        own=tuple(fingerprint(one) for one in header.own),
        broken=header.broken,
        unknown=header.unknown,
    )


def share_workdir(
    root: Path,
    key_file: Path,
    private_keys: Sequence[bytes],
    *,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    even_own: bool = False,
) -> Access:
    """Add and remove recipients, named by a public key, its file, or (to remove) a fingerprint.

    Raises:
        NotFoundError: there is no such key file, or nobody of that key among those who may open it.
        PolicyError: nobody would be left, or one's own key would go without ``even_own``.
        WfexsError: as ``of_workdir``; or an added key is not one that can be sealed for.
    """
    from wfexs_like.seal.rewrapping import rewrap

    before = of_workdir(root, key_file, private_keys)
    joining, leaving = _joining(add), _leaving(remove)
    now = rewrap(key_file, private_keys, add=joining, remove=leaving, even_own=even_own)
    there = {one.fingerprint for one in now}
    known = {one.public_key for one in before.recipients}
    return replace(
        before,
        recipients=now,
        broken=tuple(one for one in before.broken if one.fingerprint not in {*there, *leaving}),
        added=tuple(one for one in now if one.public_key not in known),
        removed=tuple(
            one
            for one in distinct((*before.recipients, *before.broken))
            if one.fingerprint in leaving and one.fingerprint not in there
        ),
    )


def of_sealed(path: Path, private_keys: Sequence[bytes]) -> Access:
    """Who may open the sealed crate or file at ``path``; raises as ``wfexs_like.seal.sharing.recipients_of``."""
    from wfexs_like.seal.sharing import recipients_of

    told = recipients_of(path, private_keys)
    return Access(
        path=path,
        kind=told.form,
        recipients=told.recipients,
        own=told.own,
        broken=told.broken,
        unknown=told.unknown,
        uneven=told.uneven,
    )


def share_sealed(
    path: Path,
    private_keys: Sequence[bytes],
    *,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    even_own: bool = False,
    signer: Signer | None = None,
) -> Access:
    """Change who may open a sealed crate or file; named, and raises, as the others."""
    from wfexs_like.seal.sharing import share

    done = share(path, private_keys, add=_joining(add), remove=_leaving(remove), even_own=even_own, signer=signer)
    return Access(
        path=path,
        kind=done.form,
        recipients=done.recipients,
        own=done.own,
        broken=done.broken,
        unknown=done.unknown,
        added=done.added,
        removed=done.removed,
        signature=done.signature,
    )


def refuse_signing(signer: Signer | None) -> None:
    """A working directory has no signature.

    Raises:
        UsageError: it is to be signed.
    """
    if signer is not None:
        raise UsageError("a working directory is not signed", hint="leave --sign out")


def _joining(add: Sequence[str]) -> tuple[Recipient, ...]:
    return distinct(read_recipient(one) for one in add)


def _leaving(remove: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(one if one.startswith(FINGERPRINT) else read_recipient(one).fingerprint for one in remove)
    except NotFoundError as error:
        raise NotFoundError(
            error.message, hint='"recipients list" tells the fingerprints, and they do as well: SHA256:...'
        ) from error
