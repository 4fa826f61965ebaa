"""Opening a crate that is one sealed file: a tar that is read once, from its beginning to its very end.

Only what ``wfexs_like.seal.sealing_crates`` writes is taken: regular files and folders, each once. The manifest is the
last of them, so that a tar that was cut lacks it.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, cast

from staging.errors import DigestError, KeyAccessError, PolicyError
from staging.fingerprints import CHUNK
from staging.paths import safe_relative
from wfexs_like.seal.file_lists import LARGEST, ListedFile
from wfexs_like.seal.headers import open_header
from wfexs_like.seal.manifests import SEALED_MANIFEST, SEALED_SIGNATURE, SealedManifest
from wfexs_like.seal.opening import UnsealingReader
from wfexs_like.seal.opening_crates import LARGEST_SIGNATURE, Collected, parsed, write_all
from wfexs_like.seal.sealing_crates import TAR_END

_LARGEST_HEADER: Final = 1 << 20
_HEADERS: Final = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_MOST: Final = {SEALED_MANIFEST: LARGEST, SEALED_SIGNATURE: LARGEST_SIGNATURE}
_BUFFER: Final = 1 << 20


class _Entry(tarfile.TarInfo):
    """An entry without the kinds of headers that could ask for any amount of memory, or of disk."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _Entry:
        """Read the next header; a damaged one is not taken for the end."""
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _HEADERS and self.size > _LARGEST_HEADER:
            raise PolicyError(f"the archive has a header of {self.size} bytes", where=self.name)
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return member


@dataclass(slots=True)
class _Found:
    """What came out of the tar so far; ``current`` is the entry that is being read."""

    digests: dict[str, tuple[str, int]] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    texts: dict[str, bytes] = field(default_factory=dict)
    current: str | None = None
    end: int = 0


def open_archive(sealed: Path, collected: Collected, private_keys: Sequence[bytes]) -> SealedManifest | None:
    """Write what the archive holds to ``collected``, and its manifest; ``None`` when there is none to be believed.

    Raises:
        KeyAccessError: it is sealed for none of these keys. PolicyError: a name in it leads out of the crate.
        DiskError: the disk is full.
    """
    found = _Found()
    try:
        with sealed.open("rb", buffering=0) as file:
            stream = cast("BinaryIO", file)
            header = open_header(stream, private_keys, name=sealed.name)
            with UnsealingReader(stream, header.session_key, name=sealed.name) as reader:
                _read(cast("BinaryIO", reader), found, collected)
                while reader.read(_BUFFER):
                    pass
                if reader.opened.size != found.end:
                    collected.blame(sealed.name, "goes on after its end, or was cut off there")
    except KeyAccessError:
        raise
    except DigestError as error:
        problem = error.message.removeprefix(sealed.name).strip()
        collected.blame(sealed.name, problem)
        if found.current is not None:
            collected.blame(found.current, f"can't be read: the archive {problem}")
    except (tarfile.TarError, ValueError, FileExistsError, NotADirectoryError) as error:
        after = "" if found.current is None else f", after {found.current}"
        collected.blame(sealed.name, f"was cut, or put together anew{after}: {error}")
    if SEALED_MANIFEST not in found.texts:
        collected.blame(SEALED_MANIFEST, "is missing: the archive was cut, or put together anew")
        return None
    collected.judge_signature(found.texts[SEALED_MANIFEST], found.texts.get(SEALED_SIGNATURE))
    manifest = parsed(found.texts[SEALED_MANIFEST], collected)
    if manifest is not None:
        _compare(found, manifest, collected)
    return manifest


def _read(reader: BinaryIO, found: _Found, collected: Collected) -> None:
    with tarfile.open(fileobj=reader, mode="r|", bufsize=_BUFFER, tarinfo=_Entry, errorlevel=2) as archive:
        for member in archive:
            path = str(safe_relative(member.name.rstrip("/")))
            found.current = path
            if path in found.digests or path in found.folders or path in found.texts:
                raise tarfile.ReadError(f"{path} is there twice")
            if member.type == tarfile.DIRTYPE:
                found.folders.add(path)
                (collected.root / path).mkdir(parents=True, exist_ok=True)
            elif member.type == tarfile.REGTYPE and not member.issparse():
                _take(archive, member, path, found, collected)
            else:
                raise PolicyError(f"the archive's entry {path!r} is neither a file nor a folder", where=path)
            found.end = member.offset_data + -(-member.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE + TAR_END
        found.current = None


def _take(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, found: _Found, collected: Collected) -> None:
    body = archive.extractfile(member)
    assert body is not None
    if path in _MOST:
        if member.size > _MOST[path]:
            raise PolicyError(f"{path} is larger than {_MOST[path] >> 20} MiB", where=path)
        found.texts[path] = body.read()
        return
    digest, size = hashlib.sha256(), 0
    with collected.create(path) as target:
        while chunk := body.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            write_all(target, memoryview(chunk), path)
    if size != member.size:
        raise tarfile.ReadError(f"{path} is cut off")
    found.digests[path] = (digest.hexdigest(), size)


def _compare(found: _Found, manifest: SealedManifest, collected: Collected) -> None:
    for path, listed in manifest.files.items():
        actual = found.digests.get(path)
        if actual is None:
            collected.blame(path, "is missing")
        elif actual != (listed.digest, listed.size):
            collected.blame(path, _difference(listed, actual))
    for path in found.digests.keys() - manifest.files.keys():
        collected.blame(path, "is not in the sealed manifest: it was added")
    for path in found.folders - manifest.folders:
        collected.blame(path, "is a folder that is not in the sealed manifest: it was added")


def _difference(listed: ListedFile, actual: tuple[str, int]) -> str:
    if actual[1] != listed.size:
        return f"holds {actual[1]} bytes, and should hold {listed.size}"
    return "holds something else than was sealed there"
