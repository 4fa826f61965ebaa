"""Images made in memory: the same bytes each time, an OCI layout that skopeo reads, no tool needed.

``tools_image`` has what tasks need: bash, and busybox for everything else (coreutils, ps, awk, sed, grep, tee, date).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from engines.containers.base import StagedImage

BUSYBOX = Path("/bin/busybox")
BASH = Path("/bin/bash-static")
CREATED = "2026-01-01T00:00:00Z"
_COMPRESSED = {"gzip": "+gzip", "zstd": "+zstd", "": ""}


@dataclass(frozen=True)
class Entry:
    """One member of a layer: a folder (``data`` and ``link`` are None), a file, or a symbolic link."""

    path: str
    data: bytes | None = None
    link: str | None = None
    mode: int = 0o755
    owner: int = 0


def layer(entries: Iterable[Entry]) -> bytes:
    """A layer's tar, deterministic."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for entry in entries:
            member = tarfile.TarInfo(entry.path)
            member.mode, member.uid, member.gid = entry.mode, entry.owner, entry.owner
            if entry.link is not None:
                member.type, member.linkname = tarfile.SYMTYPE, entry.link
            elif entry.data is None:
                member.type = tarfile.DIRTYPE
            else:
                member.size = len(entry.data)
            archive.addfile(member, io.BytesIO(entry.data) if entry.data is not None else None)
    return buffer.getvalue()


def make_image(
    layout: Path,
    *layers: bytes,
    name: str = "example.org/tools:1",
    compression: str = "gzip",
    config: Mapping[str, Any] | None = None,
    architecture: str = "amd64",
    diff_ids: Sequence[str] | None = None,
) -> StagedImage:
    """Write an image of these layers (plain tars) into an OCI layout; what is in the layout already stays.

    ``compression`` is how they are stored: ``gzip``, ``zstd`` or nothing. ``config`` is the config's ``config``
    (``Env``, ``Entrypoint``, ``User``, ...); ``diff_ids`` (``sha256:...``) replace the true ones.
    """
    blobs = [_compress(one, compression) for one in layers]
    written = {
        "architecture": architecture,
        "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], **(config or {})},
        "created": CREATED,
        "history": [{"created": CREATED, "created_by": "tests"} for _ in layers],
        "os": "linux",
        "rootfs": {"diff_ids": list(diff_ids or (f"sha256:{_sha256(one)}" for one in layers)), "type": "layers"},
    }
    config_blob = _json(written)
    kind = f"application/vnd.oci.image.layer.v1.tar{_COMPRESSED[compression]}"
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _descriptor(config_blob, "application/vnd.oci.image.config.v1+json"),
        "layers": [_descriptor(one, kind) for one in blobs],
    }
    manifest_blob = _json(manifest)
    folder = layout / "blobs" / "sha256"
    folder.mkdir(parents=True, exist_ok=True)
    for blob in (*blobs, config_blob, manifest_blob):
        (folder / _sha256(blob)).write_bytes(blob)
    (layout / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
    _list_in_index(layout / "index.json", manifest, manifest_blob, name)
    return StagedImage(
        name=name,
        digest=_sha256(manifest_blob),
        config=_sha256(config_blob),
        layers=tuple(_sha256(one) for one in blobs),
        platform=f"linux/{architecture}",
        size=sum(map(len, (*blobs, config_blob, manifest_blob))),
        layout=layout,
    )


def tools_image(
    layout: Path,
    *,
    name: str = "example.org/tools:1",
    more: Iterable[Entry] = (),
    bash: bool = True,
    compression: str = "gzip",
    config: Mapping[str, Any] | None = None,
) -> StagedImage:
    """The image that tasks run in. ``more`` are entries of a second layer; ``bash=False`` leaves bash out."""
    extra = tuple(more)
    layers = (_tools_layer(bash), *([layer(extra)] if extra else []))
    return make_image(layout, *layers, name=name, compression=compression, config=config)


@cache
def _tools_layer(bash: bool) -> bytes:
    """bash and every applet of busybox, the latter as relative links beside it in ``/bin``."""
    said = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True, env={"LC_ALL": "C"})
    for program in (BUSYBOX, BASH):
        assert b"/ld-linux" not in program.read_bytes()[:4096], f"{program} is not static"
    applets = sorted(set(said.stdout.split()) - {"busybox", "bash"})
    folders = [Entry(one) for one in ("bin", "dev", "etc", "home", "proc", "root", "sys", "usr", "usr/bin", "var")]
    return layer(
        (
            *folders,
            Entry("tmp", mode=0o1777),
            Entry("bin/busybox", BUSYBOX.read_bytes()),
            *((Entry("bin/bash", BASH.read_bytes()),) if bash else ()),
            *(Entry(f"bin/{applet}", link="busybox") for applet in applets),
            Entry("usr/bin/env", link="../../bin/busybox"),
            Entry("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", mode=0o644),
            Entry("etc/group", b"root:x:0:\n", mode=0o644),
        )
    )


def _list_in_index(path: Path, manifest: Mapping[str, Any], blob: bytes, name: str) -> None:
    index = json.loads(path.read_bytes()) if path.exists() else {"schemaVersion": 2, "manifests": []}
    reference = {"org.opencontainers.image.ref.name": name}
    entry = {**_descriptor(blob, str(manifest["mediaType"])), "annotations": reference}
    others = [one for one in index["manifests"] if one.get("annotations") != reference]
    path.write_bytes(_json({**index, "manifests": [*others, entry]}))


def _descriptor(blob: bytes, kind: str) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{_sha256(blob)}", "size": len(blob)}


@lru_cache(maxsize=8)
def _compress(data: bytes, compression: str) -> bytes:
    if compression == "gzip":
        return gzip.compress(data, compresslevel=1, mtime=0)
    if compression == "zstd":
        return subprocess.run(["zstd", "-q", "-1", "-c"], input=data, capture_output=True, check=True).stdout
    return data


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
