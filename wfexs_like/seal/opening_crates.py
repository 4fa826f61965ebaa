"""Opening a sealed crate: streamed, held against its sealed manifest, and only then given its name.

Nothing but the sealed manifest is believed. All problems are gathered, each with the file that it is about, and with
any of them nothing is left at the destination.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Final, cast

from staging.errors import (
    CrateError,
    DigestError,
    KeyAccessError,
    NotFoundError,
    PolicyError,
    UsageError,
    WfexsError,
    from_os_error,
)
from staging.placing import sync_folder, sync_tree
from wfexs_like.reading.contents import Contents, open_crate
from wfexs_like.seal.file_lists import LARGEST, ListedFile
from wfexs_like.seal.headers import open_header
from wfexs_like.seal.judged import Signature
from wfexs_like.seal.manifests import SEALED_MANIFEST, SEALED_SIGNATURE, SUFFIX, SealedManifest
from wfexs_like.seal.naming import MAGIC
from wfexs_like.seal.opening import UnsealingReader
from wfexs_like.seal.readable import READABLE
from wfexs_like.seal.signatures import SignatureError, verify_bytes
from wfexs_like.unfinished import hidden_beside

if TYPE_CHECKING:
    from wfexs_like.seal.trusted import Trusted

LARGEST_SIGNATURE: Final = 1 << 20
NO_KEY: Final = "is not sealed for this key"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenReport:
    """What opening found: ``problems`` by path; ``files`` and ``size`` (bytes) of the plain crate when there are none.

    ``locked`` says that all problems are files that no key fits.
    """

    path: Path
    form: str
    files: int = 0
    size: int = 0
    problems: dict[str, str]
    signature: Signature
    locked: bool = False

    @property
    def ok(self) -> bool:
        """Whether the plain crate is there."""
        return not self.problems


class Collected:
    """The plain crate that is being written, and what is wrong with it."""

    def __init__(self, root: Path, trusted: Trusted | None) -> None:
        self.root = root
        self.problems: dict[str, str] = {}
        self.signature = Signature(compared=trusted is not None)
        self._trusted = trusted

    def blame(self, path: str, problem: str) -> None:
        """Remember the first problem of a file."""
        self.problems.setdefault(path, problem)

    @contextlib.contextmanager
    def create(self, path: str) -> Iterator[IO[bytes]]:
        """A new file of the plain crate; nothing on the way to it can be a link, as links are made last."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(target, flags, 0o644), "wb", buffering=0) as stream:  # noqa: PTH123
            yield stream

    def judge_signature(self, text: bytes, signature: bytes | None) -> None:
        """Look who signed the manifest."""
        compared = self._trusted is not None
        if signature is None:
            if compared:
                self.blame(SEALED_SIGNATURE, "is missing: the sealed manifest is not signed")
            return
        try:
            key = verify_bytes(text, signature)
        except SignatureError as error:
            self.signature = Signature(state="bad", compared=compared)
            self.blame(SEALED_SIGNATURE, error.message.removeprefix("it "))
            return
        known = self._trusted is not None and self._trusted.knows(key)
        self.signature = Signature(state="good", signer=key.fingerprint, compared=compared, trusted=known)
        if compared and not known:
            self.blame(SEALED_SIGNATURE, f"was made by the key {key.fingerprint}, not by {self._trusted}")

    def complete(self, manifest: SealedManifest) -> None:
        """Make what has no bytes of its own: folders, links, the right to be executed."""
        for folder in manifest.folders:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        for path in manifest.executables:
            target = self.root / path
            target.chmod(stat.S_IMODE(target.stat().st_mode) | 0o111)
        for path, link in manifest.links.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).symlink_to(link)


def open_sealed(
    sealed: Path, destination: Path, private_keys: Sequence[bytes], *, trusted: Trusted | None = None
) -> OpenReport:
    """Write the plain crate that ``sealed`` (a folder, ZIP file or archive) holds to the new folder ``destination``.

    The folder can be entered by its owner alone. ``trusted`` are the keys one of which must have signed it.

    Raises:
        UsageError: the destination exists, or there is no folder for it.
        NotFoundError: there is nothing at ``sealed``. CrateError: it is no sealed crate.
        KeyAccessError: it is sealed for none of these keys.
        PolicyError: a path in it leads out of it.
        DiskError: the disk is full.
    """
    _check_destination(destination)
    try:
        with hidden_beside(destination) as hidden:
            part = hidden / "crate"
            part.mkdir(mode=0o700)
            collected = Collected(part, trusted)
            if is_archive(sealed):
                from wfexs_like.seal.opening_archives import open_archive

                form, manifest = "archive", open_archive(sealed, collected, private_keys)
            else:
                form, manifest = "files", _open_files(sealed, collected, private_keys)
            if not collected.problems and manifest is not None:
                collected.complete(manifest)
                _settle(part, destination)
    except OSError as error:
        raise from_os_error(error, f"open {sealed}") from error
    listed = manifest.files.values() if manifest is not None else ()
    return OpenReport(
        path=destination,
        form=form,
        files=len(listed),
        size=sum(one.size or 0 for one in listed),
        problems=dict(sorted(collected.problems.items())),
        signature=collected.signature,
        locked=bool(collected.problems) and all(one == NO_KEY for one in collected.problems.values()),
    )


def is_archive(path: Path) -> bool:
    """Whether it is one sealed file.

    Raises:
        NotFoundError: there is nothing.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(f"there is no {path}", where=str(path)) from error
    except OSError as error:
        raise from_os_error(error, f"read {path}") from error


def read_sealed(stream: IO[bytes], private_keys: Sequence[bytes], name: str, most: int) -> bytes:
    """All that a small sealed file holds.

    Raises:
        DigestError: it is damaged, or holds more than ``most`` bytes. KeyAccessError: none of the keys fits.
    """
    header = open_header(stream, private_keys, name=name)  # type: ignore[arg-type]  # it is read, no more
    with UnsealingReader(stream, header.session_key, name=name) as reader:  # type: ignore[arg-type]
        content = bytearray()
        for piece in reader.pieces():
            content += piece
            if len(content) > most:
                raise DigestError(f"{name} is larger than {most >> 20} MiB", where=name)
    return bytes(content)


def _check_destination(destination: Path) -> None:
    if os.path.lexists(destination):
        raise UsageError(
            f"{destination} exists already", hint="choose another name, or remove it first", where=str(destination)
        )
    if not destination.parent.is_dir():
        raise UsageError(
            f"there is no folder {destination.parent}", hint="make it first", where=str(destination.parent)
        )


def _settle(part: Path, destination: Path) -> None:
    if os.path.lexists(destination):
        raise UsageError(f"{destination} exists already", hint="choose another name", where=str(destination))
    sync_tree(part)
    part.rename(destination)
    sync_folder(destination.parent)


def _open_files(sealed: Path, collected: Collected, private_keys: Sequence[bytes]) -> SealedManifest | None:
    with open_crate(sealed) as contents:
        name = SEALED_MANIFEST + SUFFIX
        for path, problem in contents.refused.items():
            collected.blame(path, problem)
        if name not in contents.openers:
            if not any(one.endswith(SUFFIX) for one in (*contents.openers, *contents.refused, *contents.links)):
                raise CrateError(f"{sealed} is no sealed crate: there is no {name}", where=str(sealed))
            collected.blame(name, "is missing" if name not in contents.links else "is a link")
            return None
        manifest = _read_manifest(contents, collected, private_keys)
        if manifest is None:
            return None
        _compare_names(contents, manifest, collected)
        for path in sorted(manifest.files):
            place = manifest.place(path)
            if place in contents.openers:
                _open_file(contents, place, manifest.files[path], collected, private_keys)
        return manifest


def _read_manifest(contents: Contents, collected: Collected, private_keys: Sequence[bytes]) -> SealedManifest | None:
    texts: dict[str, bytes] = {}
    for name, most in ((SEALED_MANIFEST, LARGEST), (SEALED_SIGNATURE, LARGEST_SIGNATURE)):
        place = name + SUFFIX
        if place not in contents.openers:
            continue
        try:
            with contents.open(place) as stream:
                texts[name] = read_sealed(stream, private_keys, place, most)
        except KeyAccessError:
            if name == SEALED_MANIFEST:
                raise
            collected.blame(place, NO_KEY)
        except contents.errors as error:
            _raise_if_full(error)
            collected.blame(place, f"can't be read: {error}")
        except DigestError as error:
            collected.blame(place, _problem(error, place))
        except PolicyError as error:
            collected.blame(place, error.message)
    if SEALED_MANIFEST not in texts:
        return None
    collected.judge_signature(texts[SEALED_MANIFEST], texts.get(SEALED_SIGNATURE))
    return parsed(texts[SEALED_MANIFEST], collected)


def parsed(text: bytes, collected: Collected) -> SealedManifest | None:
    """The manifest, unless it is none: then that is a problem of its own.

    Raises:
        PolicyError: a path or link in it leads out of the crate.
    """
    try:
        return SealedManifest.parse(text)
    except CrateError as error:
        collected.blame(SEALED_MANIFEST, error.message)
        return None


def _compare_names(contents: Contents, manifest: SealedManifest, collected: Collected) -> None:
    known = {manifest.place(path) for path in manifest.files}
    for place in sorted(known - contents.openers.keys() - contents.refused.keys()):
        collected.blame(place, "became a link" if place in contents.links else "is missing")
    known |= {SEALED_MANIFEST + SUFFIX, SEALED_SIGNATURE + SUFFIX, *READABLE}
    for place in sorted(contents.openers.keys() - known):
        collected.blame(place, "is not in the sealed manifest: it was added")
    for place in sorted(contents.links.keys() - known):
        collected.blame(place, "is a link, which no sealed crate has: it was added")


def _open_file(
    contents: Contents, place: str, listed: ListedFile, collected: Collected, private_keys: Sequence[bytes]
) -> None:
    try:
        with contents.open(place) as stream, collected.create(listed.path) as target:
            source, offset = _descriptor(stream), None
            header = open_header(source, private_keys, name=place)
            if isinstance(source, int):
                offset = header.length
            with UnsealingReader(source, header.session_key, offset=offset, name=place, size=listed.size) as reader:
                for piece in reader.pieces():
                    write_all(target, piece, place)
        if reader.opened.sha256 != listed.digest:
            collected.blame(place, "holds something else than was sealed there")
    except KeyAccessError:
        collected.blame(place, NO_KEY)
    except DigestError as error:
        collected.blame(place, _problem(error, place))
    except PolicyError as error:
        collected.blame(place, error.message)
    except contents.errors as error:
        _raise_if_full(error)
        collected.blame(place, f"can't be read: {error}")


def _descriptor(stream: IO[bytes]) -> BinaryIO | int:
    """The descriptor of a file, which is read with fewer calls; a member of a ZIP file has none of its own."""
    return stream.fileno() if isinstance(stream, io.FileIO) else cast("BinaryIO", stream)


def write_all(target: IO[bytes], content: memoryview, name: str) -> None:
    """Write all of ``content``.

    Raises:
        DiskError: the disk is full. WfexsError: it can't be written.
    """
    try:
        while content:
            content = content[target.write(content) :]
    except OSError as error:
        raise from_os_error(error, f"write what {name} holds") from error


def _problem(error: WfexsError, place: str) -> str:
    return error.message.removeprefix(place).strip()


def _raise_if_full(error: Exception) -> None:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        raise error
