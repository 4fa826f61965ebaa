"""An image as one stream that ``docker load`` and ``podman load`` read, made on the way from an OCI layout's blobs.

The stream is a docker-archive (``manifest.json`` with ``RepoTags`` null, so that no tag is made), and an OCI layout at
once where that is asked for. Layers go as they are stored (plain, gzip, zstd); each blob is read once, and what has
another digest than it should ends the stream before the part that would make the image.

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


def write_archive(image: StagedImage, write: Write, *, layout: bool = False) -> None:
    """Give ``write`` the archive, piece by piece. What ``write`` raises goes through.

    ``layout``: it is an OCI layout too. Docker needs it where its image store keeps manifests; podman would prefer it,
    and then not hold the layers against what the config says of them.

    Raises:
        DigestError: a blob is not what its name says.
        ContainerError: a blob is not there.
    """
    for digest in dict.fromkeys((image.digest, image.config, *image.layers)):
        _write_blob(image.blob(digest), digest, write)
    if layout:
        _write_bytes("oci-layout", _json({"imageLayoutVersion": "1.0.0"}), write)
        _write_bytes("index.json", _json({"schemaVersion": 2, "manifests": [descriptor(image)]}), write)
    contents = {"Config": _name(image.config), "RepoTags": None, "Layers": [_name(one) for one in image.layers]}
    _write_bytes("manifest.json", _json([contents]), write)
    write(_ZEROS * 2)


def descriptor(image: StagedImage) -> dict[str, object]:
    """What an index says of the image's manifest: the media type that it has itself, its digest and its size."""
    path = image.blob(image.digest)
    try:
        data = path.read_bytes()
        stated = json.loads(data).get("mediaType")
    except OSError as error:
        raise from_os_error(error, "read the manifest of an image") from error
    except (ValueError, AttributeError) as error:
        raise ContainerError(f"the manifest of an image is none: {path}", where=str(path)) from error
    return {"mediaType": str(stated or _MANIFEST), "digest": f"sha256:{image.digest}", "size": len(data)}


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
            hint="it is no longer what was staged: stage again, and remove this working directory",
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


def _name(digest: str) -> str:
    return f"blobs/sha256/{digest}"


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
