"""Who may open a sealed crate, told and changed: the headers of its files alone, whatever their size.

Files come first, the readable metadata then, and the manifest last: until that is done the old recipients are those
that count. Doing it again finishes what was interrupted; who is gone already can't be removed again. A signature of the
crate as it was shipped doesn't hold any more, and goes before anything is changed; that of the sealed manifest, inside,
stays.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from staging.errors import CrateError, DigestError, NotFoundError, PolicyError, UsageError, from_os_error
from staging.placing import write_atomically
from wfexs_like.crate.graph import METADATA
from wfexs_like.reading.contents import Contents, open_crate
from wfexs_like.seal.headers import OpenedHeader, open_header
from wfexs_like.seal.manifests import SEALED_MANIFEST, SUFFIX
from wfexs_like.seal.naming import MANIFEST, SIGNATURE
from wfexs_like.seal.opening_crates import is_archive
from wfexs_like.seal.readable import shared_anew
from wfexs_like.seal.recipients import Recipient, distinct
from wfexs_like.seal.rewrapping import is_unfinished, remove_unfinished, remove_unfinished_beside, rewrap
from wfexs_like.seal.signing import sign_folder
from wfexs_like.seal.ssh_keys import Signer

Form: TypeAlias = Literal["folder", "zip", "archive"]
_SEALED_MANIFEST: Final = SEALED_MANIFEST + SUFFIX
_BEGUN: Final = re.compile(rf"\.(?:{'|'.join(map(re.escape, (METADATA, MANIFEST, SIGNATURE)))})\.[0-9]+\.[0-9a-f]{{8}}")
"""What ``staging.placing.write_atomically`` calls the readable files until they are whole."""
_AT_ONCE: Final = 8
_LARGEST_METADATA: Final = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedWith:
    """Who may open the sealed crate at ``path``.

    Attributes:
        recipients: of its manifest; ``own`` are the fingerprints of those whose private key was used to look.
        broken, unknown: as ``wfexs_like.seal.headers.OpenedHeader`` has them.
        files: how many sealed files there are.
        uneven: sealed files that others may open than the manifest: a change of recipients was interrupted.
        signed: it is signed as it was shipped.
    """

    path: Path
    form: Form
    recipients: tuple[Recipient, ...]
    own: tuple[str, ...]
    broken: tuple[Recipient, ...]
    unknown: int
    files: int
    uneven: tuple[str, ...]
    signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What was changed. ``added`` and ``removed`` are those of the manifest; ``files`` is how many were changed.

    ``own`` are the fingerprints of those whose private key was used to change it; ``broken`` and ``unknown`` are as
    ``wfexs_like.seal.headers.OpenedHeader`` has them, after the change. ``signature`` is ``removed`` when the crate had
    been signed as it was shipped and isn't any more.
    """

    path: Path
    form: Form
    recipients: tuple[Recipient, ...]
    own: tuple[str, ...]
    broken: tuple[Recipient, ...]
    unknown: int
    added: tuple[Recipient, ...]
    removed: tuple[Recipient, ...]
    files: int
    signature: Literal["none", "removed", "renewed"]


def is_sealed_crate(path: Path) -> bool:
    """Whether there is a sealed crate: a folder or a ZIP file with a sealed manifest, or one sealed file."""
    try:
        if path.is_dir():
            return os.path.lexists(path / _SEALED_MANIFEST)
        if not path.is_file():
            return False
        if is_archive(path):
            return True
        with open_crate(path) as contents:
            return _SEALED_MANIFEST in contents.openers
    except (OSError, CrateError, PolicyError):
        return False


def recipients_of(path: Path, private_keys: Sequence[bytes]) -> SharedWith:
    """Who may open the sealed crate at ``path``: a folder, a ZIP file or an archive.

    Raises:
        NotFoundError: there is nothing. CrateError: it is no sealed crate.
        KeyAccessError: none of the keys opens it. DigestError: a header is damaged.
    """
    if is_archive(path):
        with path.open("rb") as stream:
            header = open_header(stream, private_keys, name=str(path))
        return _told(path, "archive", header, 1, (), signed=False)
    with open_crate(path) as contents:
        _check(path, contents)
        names = _sealed_names(contents)
        headers = {name: _header(contents, name, private_keys) for name in names}
        meant = headers[_SEALED_MANIFEST]
        keys = _keys(meant)
        uneven = tuple(name for name in names if _keys(headers[name]) != keys or headers[name].broken)
        form: Form = "folder" if path.is_dir() else "zip"
        return _told(path, form, meant, len(names), uneven, signed=SIGNATURE in contents.openers)


def share(
    path: Path,
    private_keys: Sequence[bytes],
    *,
    add: Sequence[Recipient] = (),
    remove: Sequence[Recipient | str] = (),
    even_own: bool = False,
    signer: Signer | None = None,
) -> Shared:
    """Change who may open the sealed crate at ``path``; ``signer`` signs it anew.

    ``remove`` names keys, or their fingerprints. Who was removed may have kept what they opened. Doing it again
    finishes what was interrupted; who is gone already can't be removed again.

    Raises:
        UsageError: it is a ZIP file, whose headers can't be changed in place; or an archive is to be signed.
        NotFoundError: there is nothing, or nobody of that key among its recipients.
        CrateError: it is no sealed crate. KeyAccessError: a file is not sealed for these keys.
        DigestError: a header is damaged. DiskError: the disk is full.
        PolicyError: nobody would be left, or one's own key would go without ``even_own``.
    """
    if is_archive(path):
        return _share_archive(path, private_keys, add=add, remove=remove, even_own=even_own, signer=signer)
    if path.is_file():
        raise UsageError(
            f"{path} is a zip: its files can't be changed where they are",
            hint='unpack it and change the folder, or "wfexs-like open" it and seal it again',
            where=str(path),
        )
    try:
        with _alone(path), open_crate(path) as contents:
            _check(path, contents)
            return _Sharing(path, contents, private_keys, even_own=even_own).change(add, remove, signer)
    except OSError as error:
        raise from_os_error(error, f"change the recipients of {path}") from error


class _Sharing:
    """One change of a folder."""

    def __init__(self, path: Path, contents: Contents, private_keys: Sequence[bytes], *, even_own: bool) -> None:
        self._path = path
        self._private_keys = private_keys
        self._even_own = even_own
        # All are opened before one is changed: a key that fits only some of them changes none.
        self._headers = {name: _header(contents, name, private_keys) for name in _sealed_names(contents)}
        self._signed = any(name in contents.openers or name in contents.links for name in (MANIFEST, SIGNATURE))
        self._unfinished = sorted(name for name in contents.openers if _is_left_over(name))
        self._metadata = contents.read(METADATA, _LARGEST_METADATA) if METADATA in contents.openers else None

    def change(self, add: Sequence[Recipient], remove: Sequence[Recipient | str], signer: Signer | None) -> Shared:
        before = self._headers[_SEALED_MANIFEST]
        leaving = self._leaving(remove)
        staying = [one for one in before.recipients if one.fingerprint not in leaving]
        meant = distinct((*staying, *(one for one in add if one.fingerprint not in leaving)))
        if not meant:
            raise PolicyError(f"nobody could open {self._path} any more", hint="add another recipient first")
        if leaving.intersection(_own(before)) and not self._even_own:
            raise PolicyError(
                f"your own key would be removed from {self._path}",
                hint='"--even-own" says that this is wanted',
                where=str(self._path),
            )
        # They would stay in the crate for ever, as files that somebody added, and be signed as such.
        for name in self._unfinished:
            remove_unfinished(self._path / name)
        pending = {name: one for name, one in self._headers.items() if not _is_for(one, meant)}
        if self._signed and (pending or signer is not None):
            for name in (SIGNATURE, MANIFEST):
                (self._path / name).unlink(missing_ok=True)
        # Most of the time goes by until the disk has it: several wait together.
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="share") as pool:
            for _ in pool.map(lambda name: self._rewrap(name, meant), sorted(pending.keys() - {_SEALED_MANIFEST})):
                pass
        self._tell(meant, signer, changed=bool(pending))
        if _SEALED_MANIFEST in pending:
            self._rewrap(_SEALED_MANIFEST, meant)
        if signer is not None:
            sign_folder(self._path, signer)
        known = {one.public_key for one in before.recipients}
        return Shared(
            path=self._path,
            form="folder",
            recipients=meant,
            own=_own(before),
            broken=(),
            unknown=before.unknown,
            added=tuple(one for one in meant if one.public_key not in known),
            removed=tuple(one for one in before.recipients if one.fingerprint in leaving),
            files=len(pending),
            signature="renewed" if signer is not None else "removed" if self._signed and pending else "none",
        )

    def _leaving(self, remove: Sequence[Recipient | str]) -> set[str]:
        leaving = {one if isinstance(one, str) else one.fingerprint for one in remove}
        there = {one.fingerprint for header in self._headers.values() for one in (*header.recipients, *header.broken)}
        if strangers := sorted(leaving - there):
            raise NotFoundError(
                f"{strangers[0]} is no recipient of {self._path}",
                hint=f"wfexs-like recipients list {self._path}",
            )
        return leaving

    def _rewrap(self, name: str, meant: Sequence[Recipient]) -> None:
        header = self._headers[name]
        keys = {one.public_key for one in meant}
        present = {one.public_key for one in header.recipients}
        rewrap(
            self._path / name,
            self._private_keys,
            add=[one for one in meant if one.public_key not in present],
            remove=[one for one in distinct((*header.recipients, *header.broken)) if one.public_key not in keys],
            even_own=True,
        )

    def _tell(self, meant: Sequence[Recipient], signer: Signer | None, *, changed: bool) -> None:
        if self._metadata is None or not (changed or signer is not None):
            return
        lengths = {name: (self._path / name).stat().st_size for name in self._headers}
        try:
            text = shared_anew(
                self._metadata,
                [one.fingerprint for one in meant],
                lengths=lengths,
                signed_by=None if signer is None else signer.public.fingerprint,
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CrateError(f"{METADATA} can't be read", where=METADATA) from error
        if text != self._metadata:
            write_atomically(self._path / METADATA, text)


def _share_archive(
    path: Path,
    private_keys: Sequence[bytes],
    *,
    add: Sequence[Recipient],
    remove: Sequence[Recipient | str],
    even_own: bool,
    signer: Signer | None,
) -> Shared:
    if signer is not None:
        raise UsageError("an archive is signed inside, and that signature stays", hint="leave --sign out")
    with path.open("rb") as stream:
        before = open_header(stream, private_keys, name=str(path))
    remove_unfinished_beside(path)
    recipients = rewrap(path, private_keys, add=add, remove=remove, even_own=even_own)
    known, now = {one.public_key for one in before.recipients}, {one.public_key for one in recipients}
    leaving = {one if isinstance(one, str) else one.fingerprint for one in remove}
    return Shared(
        path=path,
        form="archive",
        recipients=recipients,
        own=_own(before),
        broken=tuple(one for one in before.broken if one.public_key not in now and one.fingerprint not in leaving),
        unknown=before.unknown,
        added=tuple(one for one in recipients if one.public_key not in known),
        removed=tuple(one for one in before.recipients if one.public_key not in now),
        files=1,
        signature="none",
    )


def _told(
    path: Path, form: Form, header: OpenedHeader, files: int, uneven: tuple[str, ...], *, signed: bool
) -> SharedWith:
    return SharedWith(
        path=path,
        form=form,
        recipients=header.recipients,
        own=_own(header),
        broken=header.broken,
        unknown=header.unknown,
        files=files,
        uneven=uneven,
        signed=signed,
    )


def _check(path: Path, contents: Contents) -> None:
    if _SEALED_MANIFEST not in contents.openers:
        raise CrateError(f"{path} is no sealed crate: there is no {_SEALED_MANIFEST}", where=str(path))
    odd = [*contents.refused, *contents.links]
    if odd:
        raise DigestError(f"{odd[0]!r} is no file, which no sealed crate has", where=odd[0])


def _sealed_names(contents: Contents) -> list[str]:
    return sorted(name for name in contents.openers if name.endswith(SUFFIX))


def _is_left_over(name: str) -> bool:
    """Whether a file was begun by a change of recipients, or the metadata's or signature's, that was killed."""
    return is_unfinished(name.rpartition("/")[2]) or _BEGUN.fullmatch(name) is not None


def _header(contents: Contents, name: str, private_keys: Sequence[bytes]) -> OpenedHeader:
    try:
        with contents.open(name) as stream:
            return open_header(stream, private_keys, name=name)  # type: ignore[arg-type]  # it is read, no more
    except contents.errors as error:
        raise DigestError(f"{name} can't be read: {error}", where=name) from error


def _own(header: OpenedHeader) -> tuple[str, ...]:
    return tuple(one.fingerprint for one in header.recipients if one.public_key in header.own)


def _keys(header: OpenedHeader) -> set[bytes]:
    return {one.public_key for one in header.recipients}


def _is_for(header: OpenedHeader, meant: Sequence[Recipient]) -> bool:
    return _keys(header) == {one.public_key for one in meant} and not header.broken


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While nobody else changes its recipients."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
