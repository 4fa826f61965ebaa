"""Images out of file systems: a tar of a root, as ``docker import`` takes it, becomes an image of one layer.

The config says nothing but the platform and the layer, and is of 1970: the same file system has the same image id
whoever makes it, and however it is compressed. What the tar holds is hashed and never unpacked here: the runtime does
that, as with any layer.
Source: ``docker import`` (moby 20.10: no ``Env``, no ``Cmd``; runtimes have a PATH of their own then); OCI Image Format
Specification 1.1, ``config.md`` and ``layer.md``.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

from staging.errors import ContainerError, DigestError, PolicyError, from_os_error
from staging.fingerprints import CHUNK, Fingerprint
from staging.images.archives import OCI_CONFIG, OCI_LAYER, Unpacked, bring_in, describe
from staging.images.facts import read_facts
from staging.images.manifest import OCI_MANIFEST, Manifest, read_manifest
from staging.images.platforms import Platform
from staging.paths import safe_join
from staging.placing import clone, copy, open_regular
from staging.plan import canonical
from staging.process import DEVNULL, PIPE, MissingToolError, base_environment, start
from staging.removing import remove_path
from staging.wanted import StagedItem

_CREATED: Final = "1970-01-01T00:00:00Z"
_LARGEST: Final = 256 << 30
_GZIP: Final = b"\x1f\x8b"
_BZIP2: Final = b"BZh"
_XZ: Final = b"\xfd7zXZ\x00"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_OPENERS: Final[Mapping[bytes, Callable[[IO[bytes]], IO[bytes]]]] = {
    _GZIP: lambda stream: cast("IO[bytes]", gzip.GzipFile(fileobj=stream)),
    _BZIP2: lambda stream: cast("IO[bytes]", bz2.BZ2File(stream)),
    _XZ: lambda stream: cast("IO[bytes]", lzma.LZMAFile(stream)),  # noqa: SIM115 - closed by who opens it
}
_DAMAGED: Final = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)


def import_image(archive: StagedItem, name: str, *, content: Path, platform: str) -> tuple[StagedItem, ...]:
    """Make an image of the file system in an archive below ``content``, in the layout there: its item, and its blobs'.

    ``name`` is what the workflow calls the image, ``platform`` the one that it is taken to be for: a tar says none.
    A plain or gzipped tar is the layer as it is, another is unpacked to a plain one. The layout's index is still to be
    written (``write_layout``), with all images that are in it.

    Raises:
        ContainerError: it is no tar, breaks off, or can't be decompressed here.
        DigestError: it changed after it was staged. PolicyError: it has more than 256 GiB. DiskError: there is no room.
    """
    assert archive.item.path is not None, "an archive has a place"
    source = safe_join(content, archive.item.path)
    folder = content / f".image-{os.urandom(8).hex()}"
    try:
        folder.mkdir(mode=0o700)
        return bring_in(archive, name, _image(archive, source, folder, name, Platform.parse(platform)), content)
    except OSError as error:
        raise from_os_error(error, f"make an image of {archive.item.name}") from error
    finally:
        remove_path(folder)


def _image(archive: StagedItem, source: Path, folder: Path, name: str, platform: Platform) -> Unpacked:
    # Of a copy of our own everything is told: whatever becomes of the archive meanwhile, the layer is what was hashed.
    taken, layer = folder / "taken", folder / "layer"
    digest = Fingerprint.of_file(taken).digest if clone(source, taken, 0o600) else copy(source, taken, 0o600)
    if digest != archive.item.fingerprint.digest:
        raise DigestError(
            f"the archive {archive.item.name} changed after it was staged",
            hint="somebody changed it: stage again",
            where=archive.item.name,
            expected=archive.item.fingerprint.digest,
            actual=digest,
        )
    with taken.open("rb") as stream:
        magic = stream.read(len(_XZ))
    plain = None if magic.startswith((_BZIP2, _XZ, _ZSTD)) else taken
    with _tar(taken, magic, name) as stream:
        told, size = _write(stream, layer if plain is None else None, name)
    if size == 0:
        raise _no_tar(name)
    if plain is None:
        digest = told
    path, kind = plain or layer, OCI_LAYER + ("+gzip" if magic.startswith(_GZIP) else "")
    config = _config(told, platform)
    written = folder / "config"
    written.write_bytes(config)
    config_digest = Fingerprint.of_bytes(config).digest
    content = canonical(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": describe(OCI_CONFIG, config_digest, len(config)),
            "layers": [describe(kind, digest, path.stat().st_size)],
        }
    )
    manifest = read_manifest(content, name)
    assert isinstance(manifest, Manifest), "that is what was made"
    return Unpacked(
        digest=Fingerprint.of_bytes(content).digest,
        manifest=content,
        facts=read_facts(config, manifest, platform, name),
        files={config_digest: written, digest: path},
    )


def _config(layer: str, platform: Platform) -> bytes:
    return canonical(
        {
            "created": _CREATED,
            "architecture": platform.architecture,
            **({"variant": platform.variant} if platform.variant else {}),
            "os": platform.system,
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
            "history": [{"created": _CREATED, "comment": "Imported from a file system"}],
        }
    )


def _write(stream: IO[bytes], target: Path | None, name: str) -> tuple[str, int]:
    """The sha256 and the size of what a tar has, decompressed; it is written to ``target`` where there is to be one."""
    digest, size = hashlib.sha256(), 0
    with open(os.devnull if target is None else target, "wb", buffering=0) as written:  # noqa: PTH123
        while chunk := _read(stream, name):
            if size == 0:
                _check_tar(chunk, name)
            size += len(chunk)
            if size > _LARGEST:
                raise PolicyError(f"the file system for {name} has more than {_LARGEST >> 30} GiB", where=name)
            digest.update(chunk)
            left = memoryview(chunk)
            while left:
                left = left[written.write(left) :]
    return digest.hexdigest(), size


def _read(stream: IO[bytes], name: str) -> bytes:
    """The next chunk: a whole one, but for the last."""
    parts, missing = [], CHUNK
    try:
        while missing and (part := stream.read(missing)):
            parts.append(part)
            missing -= len(part)
    except _DAMAGED as error:
        raise _broken(name) from error
    except OSError as error:
        if error.errno is None:  # The decompressors' way to say that it is none of theirs.
            raise _broken(name) from error
        raise
    return b"".join(parts)


def _check_tar(start_of_it: bytes, name: str) -> None:
    """Whether it begins as a tar with at least one entry does."""
    try:
        tarfile.TarInfo.frombuf(start_of_it[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError) as error:
        raise _no_tar(name) from error


@contextmanager
def _tar(path: Path, magic: bytes, name: str) -> Iterator[IO[bytes]]:
    """The archive's decompressed bytes."""
    with open_regular(path) as descriptor, open(descriptor, "rb", closefd=False) as stream:
        if magic.startswith(_ZSTD):
            with _zstd(stream, name) as plain:
                yield plain
            return
        opener = next((one for start, one in _OPENERS.items() if magic.startswith(start)), None)
        if opener is None:
            yield stream
            return
        with opener(stream) as plain:
            yield plain


@contextmanager
def _zstd(stream: IO[bytes], name: str) -> Iterator[IO[bytes]]:
    """The library has no Zstandard: the program decompresses."""
    try:
        child = start(["zstd", "-d", "-c", "-q"], env=base_environment(), stdin=stream, stdout=PIPE, stderr=DEVNULL)
    except MissingToolError as error:
        raise ContainerError(
            f"the file system for {name} is compressed with Zstandard, and there is no program zstd here",
            hint="install zstd, or compress the file system with gzip or xz",
            where=name,
        ) from error
    with child:
        assert child.stdout is not None, "a pipe was asked for"
        yield child.stdout
        if child.wait() != 0:
            raise _broken(name)


def _no_tar(name: str) -> ContainerError:
    return ContainerError(
        f"the archive for {name} holds no file system: it is no tar, or one with nothing in it",
        hint='it is to be a tar of a root file system, plain or compressed (gzip, bzip2, xz, zstd), as "docker export" '
        "writes it",
        where=name,
    )


def _broken(name: str) -> ContainerError:
    return ContainerError(
        f"the file system for {name} can't be decompressed: the archive breaks off or is damaged",
        hint="get it again",
        where=name,
    )
