"""An image as one stream that ``docker load`` and ``podman load`` read, made on the way from an OCI layout's blobs.

The stream is a docker-archive (``manifest.json`` with ``RepoTags`` null, so that no tag is made) and an OCI layout at
once: an engine whose image store keeps manifests reads the latter and has the image under its manifest's digest. Layers
go as they are stored (plain, gzip, zstd); each blob is read once, and what has another digest than it should ends the
stream before the part that would make the image.

Source: Docker Image Specification v1.2, "Combined Image JSON + Filesystem Changeset Format"; OCI Image Layout 1.1.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from engines.containers.base import StagedImage
from staging.errors import ContainerError, DigestError, from_os_error

Write = Callable[[bytes | memoryview], object]

_CHUNK: Final = 1 << 20
_ZEROS: Final = bytes(tarfile.BLOCKSIZE)
_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"


def write_archive(image: StagedImage, write: Write) -> None:
    """Give ``write`` the archive, piece by piece. What ``write`` raises goes through.

    Raises:
        DigestError: a blob is not what its name says.
        ContainerError: a blob is not there.
    """
    for digest in dict.fromkeys((image.digest, image.config, *image.layers)):
        _write_blob(image.blob(digest), digest, write)
    _write_bytes("oci-layout", _json({"imageLayoutVersion": "1.0.0"}), write)
    manifest = {"mediaType": _MANIFEST, "digest": f"sha256:{image.digest}", "size": _size(image.blob(image.digest))}
    _write_bytes("index.json", _json({"schemaVersion": 2, "manifests": [manifest]}), write)
    contents = {"Config": _name(image.config), "RepoTags": None, "Layers": [_name(one) for one in image.layers]}
    _write_bytes("manifest.json", _json([contents]), write)
    write(_ZEROS * 2)


def _write_blob(path: Path, digest: str, write: Write) -> None:
    try:
        with path.open("rb") as blob:
            size = os.fstat(blob.fileno()).st_size
            write(_header(_name(digest), size))
            hasher, buffer, left = hashlib.sha256(), memoryview(bytearray(_CHUNK)), size
            while left and (count := blob.readinto(buffer[: min(left, _CHUNK)])):
                hasher.update(buffer[:count])
                write(buffer[:count])
                left -= count
            if left or blob.read(1):
                raise ContainerError(f"{path} changed while it was read", where=str(path))
    except FileNotFoundError as error:
        raise ContainerError(
            f"a blob of the image is not there: sha256:{digest}",
            hint="stage the working directory again",
            where=str(path),
        ) from error
    if hasher.hexdigest() != digest:
        raise DigestError(
            f"a blob of the image is damaged: {path}",
            hint='"wfexs-like verify" lists what else is; stage it again',
            where=str(path),
            expected=f"sha256:{digest}",
            actual=f"sha256:{hasher.hexdigest()}",
        )
    write(_ZEROS[: -size % tarfile.BLOCKSIZE])


def _write_bytes(name: str, data: bytes, write: Write) -> None:
    write(_header(name, len(data)) + data + _ZEROS[: -len(data) % tarfile.BLOCKSIZE])


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
    return member.tobuf(tarfile.GNU_FORMAT)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise from_os_error(error, "read a blob of the image") from error


def _name(digest: str) -> str:
    return f"blobs/sha256/{digest}"


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
