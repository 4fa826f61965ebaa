"""The image of the container that holds a network: one program of a few instructions that reads its input to its end.

Made here from nothing, so that no registry is asked for it, and always the same bytes: a runtime has it once, by its
id. Sources: Tool Interface Standard ELF 1.2; OCI Image Specification 1.1.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import struct
import tarfile
from pathlib import Path
from typing import Final

from engines.containers.base import StagedImage

PROGRAM: Final = "/hold"

# By the machine's name: OCI's name for it, ELF's number, and the code.
_MACHINES: Final = {
    # xor eax,eax (read); xor edi,edi; lea rsi,[rsp-16]; mov edx,1; syscall; test eax,eax; jg to the start;
    # xor edi,edi; mov eax,60 (exit); syscall
    "x86_64": ("amd64", 62, bytes.fromhex("31c0 31ff 488d7424f0 ba01000000 0f05 85c0 7fec 31ff b83c000000 0f05")),
    # mov x0,0; sub x1,sp,16; mov x2,1; mov x8,63 (read); svc 0; cmp x0,0; b.gt to the start;
    # mov x0,0; mov x8,93 (exit); svc 0
    "aarch64": (
        "arm64",
        183,
        struct.pack(
            "<10I",
            *(0xD2800000, 0xD10043E1, 0xD2800022, 0xD28007E8, 0xD4000001, 0xF100001F, 0x54FFFF4C),
            *(0xD2800000, 0xD2800BA8, 0xD4000001),
        ),
    ),
}
_ADDRESS = 0x400000


def make_image(layout: Path, machine: str | None = None) -> StagedImage | None:
    """Write the image into a folder as an OCI layout; ``None`` where there is no program for this machine."""
    found = _MACHINES.get(machine or platform.machine())
    if found is None:
        return None
    architecture, number, code = found
    layer = _layer(_program(number, code))
    config = _json(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Labels": {"wfexs-like.image": "network"}},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_digest(layer)}"]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
        }
    )
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for data in (layer, config, manifest):
        (blobs / _digest(data)).write_bytes(data)
    return StagedImage(
        name="the network's holder",
        digest=_digest(manifest),
        config=_digest(config),
        layers=(_digest(layer),),
        platform=f"linux/{architecture}",
        size=len(layer) + len(config),
        layout=layout,
    )


def _program(machine: int, code: bytes) -> bytes:
    """A static executable: the headers, then the code, all in one segment."""
    start = 64 + 56
    size = start + len(code)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01",
        2,
        machine,
        1,
        _ADDRESS + start,
        64,
        0,
        0,
        64,
        56,
        1,
        0,
        0,
        0,
    )
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, _ADDRESS, _ADDRESS, size, size, 0x1000) + code


def _layer(program: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        member = tarfile.TarInfo(PROGRAM.removeprefix("/"))
        member.size, member.mode = len(program), 0o755
        archive.addfile(member, io.BytesIO(program))
    return stream.getvalue()


def _descriptor(kind: str, data: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": f"sha256:{_digest(data)}", "size": len(data)}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
