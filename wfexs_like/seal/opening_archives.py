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
_MOST: Final = {SEALED_MANIFEST: LARGEST, SEALED_SIGNATURE: LARGEST_SIGNATURE}


@dataclass(slots=True)
class _Found:
    """What came out of the tar so far; ``current`` is the entry that is being read."""

    digests: dict[str, tuple[str, int]] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    texts: dict[str, bytes] = field(default_factory=dict)
    current: str | None = None


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
            with UnsealingReader(stream, header.session_key, name=sealed.name, digest=False) as reader:
                _read(reader, found, collected)
                if reader.read(1):
                    collected.blame(sealed.name, "goes on after its end")
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


def _read(reader: UnsealingReader, found: _Found, collected: Collected) -> None:
    while (member := _next_header(reader)) is not None:
        path = str(safe_relative(member.name.rstrip("/")))
        found.current = path
        if path in found.digests or path in found.folders or path in found.texts:
            raise tarfile.ReadError(f"{path} is there twice")
        if member.type == tarfile.DIRTYPE and not member.size:
            found.folders.add(path)
            (collected.root / path).mkdir(parents=True, exist_ok=True)
        elif member.type == tarfile.REGTYPE:
            _take(reader, member.size, path, found, collected)
        else:
            raise PolicyError(f"the archive's entry {path!r} is neither a file nor a folder", where=path)
    found.current = None


def _next_header(reader: UnsealingReader) -> tarfile.TarInfo | None:
    """The next entry; ``None`` at the end, which two empty blocks tell."""
    block = _exactly(reader, tarfile.BLOCKSIZE)
    if not any(block):
        if any(_exactly(reader, TAR_END - tarfile.BLOCKSIZE)):
            raise tarfile.ReadError("its end is damaged")
        return None
    info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    if info.type != tarfile.XHDTYPE:
        return info
    if not 0 <= info.size <= _LARGEST_HEADER:
        raise PolicyError(f"the archive has a header of {info.size} bytes", where=info.name)
    stated = _extended(_exactly(reader, info.size))
    _exactly(reader, -info.size % tarfile.BLOCKSIZE)
    info = tarfile.TarInfo.frombuf(_exactly(reader, tarfile.BLOCKSIZE), "utf-8", "strict")
    if info.type == tarfile.XHDTYPE:
        raise tarfile.ReadError("a header follows another")
    info.name = stated.get("path", info.name)
    info.size = int(stated.get("size", info.size))
    return info


def _extended(content: bytes) -> dict[str, str]:
    """The records of a pax header: ``<length> <key>=<value>`` and a newline each."""
    stated: dict[str, str] = {}
    while content:
        length = int(content[: content.index(b" ")])
        record = content[:length]
        if len(record) != length or not record.endswith(b"\n"):
            raise tarfile.ReadError("a header is damaged")
        key, _, value = record[record.index(b" ") + 1 : -1].decode().partition("=")
        stated[key] = value
        content = content[length:]
    return stated


def _exactly(reader: UnsealingReader, size: int) -> bytes:
    content = reader.read(size)
    if len(content) < size:
        raise tarfile.ReadError("it ends too soon")
    return content


def _take(reader: UnsealingReader, size: int, path: str, found: _Found, collected: Collected) -> None:
    if size < 0:
        raise tarfile.ReadError(f"{path} has {size} bytes")
    if path in _MOST:
        if size > _MOST[path]:
            raise PolicyError(f"{path} is larger than {_MOST[path] >> 20} MiB", where=path)
        content = bytearray()
        while len(content) < size:
            content += _exactly(reader, min(CHUNK, size - len(content)))
        found.texts[path] = bytes(content)
    else:
        digest, left = hashlib.sha256(), size
        buffer = memoryview(bytearray(min(CHUNK, size)))
        with collected.create(path) as target:
            while left:
                count = reader.readinto(buffer[: min(len(buffer), left)])
                if not count:
                    raise tarfile.ReadError(f"{path} is cut off")
                digest.update(buffer[:count])
                write_all(target, buffer[:count], path)
                left -= count
        found.digests[path] = (digest.hexdigest(), size)
    _exactly(reader, -size % tarfile.BLOCKSIZE)


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
