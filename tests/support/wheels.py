"""Small wheels made on the spot: enough of a package for pip to find, verify and install."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def promise(content: bytes) -> str:
    """A file's digest as a RECORD writes it."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def record(files: Mapping[str, bytes], itself: str) -> bytes:
    rows = [f"{path},{promise(content)},{len(content)}" for path, content in files.items()]
    return "".join(f"{row}\n" for row in [*rows, f"{itself},,"]).encode()


def contents(name: str, version: str, files: Mapping[str, bytes], needs: Sequence[str] = ()) -> dict[str, bytes]:
    """All files of an installed package, its metadata included."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {one}\n" for one in needs)
    wheel = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    made = {**files, f"{info}/METADATA": metadata.encode(), f"{info}/WHEEL": wheel.encode()}
    return {**made, f"{info}/RECORD": record(made, f"{info}/RECORD")}


def make_wheel(
    folder: Path, name: str, version: str, files: Mapping[str, bytes], needs: Sequence[str] = ()
) -> tuple[Path, str]:
    """Write a wheel; returns its path and sha256."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, content in contents(name, version, files, needs).items():
            archive.writestr(zipfile.ZipInfo(inside, (2026, 1, 1, 0, 0, 0)), content)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def install_by_hand(site: Path, name: str, version: str, files: Mapping[str, bytes], needs: Sequence[str] = ()) -> None:
    """Lay a package into a library folder as an installer would."""
    for inside, content in contents(name, version, files, needs).items():
        path = site / inside
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
