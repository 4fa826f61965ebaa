#!/usr/bin/env python3
"""Build the images of the examples from Debian packages: no other registry, and the same bytes from the same packages.

usage: build.py RECIPE... --into FOLDER [--push HOST[:PORT]/PREFIX] [--plain-http]

Each RECIPE.toml beside this script becomes an image ``RECIPE:<suite>`` in the OCI layout FOLDER, and in it
RECIPE.packages.txt lists what it was made of, as package URLs. ``--push`` copies the images to a registry with skopeo.

Needs mmdebstrap (as root, or with user namespaces), and skopeo to push. The packages come from where this machine's
own apt takes them; every time stamp is EPOCH, so two builds of the same packages are the same image.
Source: OCI Image Format Specification 1.1; reproducible-builds.org, SOURCE_DATE_EPOCH; purl-spec, type deb.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

HERE = Path(__file__).resolve().parent
EPOCH = 1767225600
"""The time stamp of everything in an image: the start of 2026, in seconds."""

_ARCHITECTURES = {"amd64": "amd64", "arm64": "arm64", "armhf": "arm", "ppc64el": "ppc64le", "s390x": "s390x"}
"""Debian's names of architectures, and OCI's (those of Go)."""

_LEFT_OUT = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
)
_LEAVE_OUT = f"""\
cd "$1" && mkdir -p etc/dpkg/dpkg.cfg.d && printf '%s\\n' {" ".join(map(shlex.quote, _LEFT_OUT))} \
  >etc/dpkg/dpkg.cfg.d/99mmdebstrap
rm -rf usr/share/man/* usr/share/info/* usr/share/locale/*
[ ! -d usr/share/doc ] ||
  find usr/share/doc -mindepth 1 '(' ! -type d ! -name copyright -o -type d -empty ')' -delete
"""
"""Has dpkg leave these out, and removes them where no dpkg was at work yet.

As --dpkgopt they'd have mmdebstrap send every package through a filter of its own, which is most of its time.
"""
_OPTIONS = ("--variant=essential",)
"""Options of mmdebstrap where a recipe states no ``options``."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CHUNK = 1 << 20
LEVEL = 6
"""How hard layers are compressed, 1 to 9."""


class Hashed:
    """A file that is written and hashed at once."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Write, hash and count."""
        self._hash.update(data)
        self.size += len(data)
        return self._stream.write(data)

    def flush(self) -> None:
        """For gzip, which asks for it."""
        self._stream.flush()

    @property
    def digest(self) -> str:
        """The digest of what was written so far, as OCI writes it."""
        return f"sha256:{self._hash.hexdigest()}"


class Layout:
    """An OCI layout that images are added to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = root / "blobs" / "sha256"
        self.blobs.mkdir(parents=True, exist_ok=True)
        (root / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}\n')

    def add(self, data: bytes, media_type: str) -> dict[str, Any]:
        """Add a small blob; its descriptor."""
        name = hashlib.sha256(data).hexdigest()
        (self.blobs / name).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(data)}

    def add_layer(self, tar: Path) -> tuple[dict[str, Any], str]:
        """Add a layer, compressed; its descriptor and the digest of the tar as it was (its diff id)."""
        plain = hashlib.sha256()
        with tempfile.NamedTemporaryFile(dir=self.blobs, delete=False) as file, tar.open("rb") as source:
            packed = Hashed(file)
            with gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=packed, mtime=0) as sink:  # type: ignore[arg-type]
                while chunk := source.read(_CHUNK):
                    plain.update(chunk)
                    sink.write(chunk)
        Path(file.name).chmod(0o644)
        Path(file.name).rename(self.blobs / packed.digest.removeprefix("sha256:"))
        layer = {
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": packed.digest,
            "size": packed.size,
        }
        return layer, f"sha256:{plain.hexdigest()}"

    def name(self, name: str, manifest: dict[str, Any], platform: dict[str, str]) -> None:
        """Give a manifest its name in the index, in place of one that had it."""
        path = self.root / "index.json"
        entries = json.loads(path.read_text())["manifests"] if path.exists() else []
        key = "org.opencontainers.image.ref.name"
        kept = [one for one in entries if one["annotations"][key] != name]
        entries = sorted(
            [*kept, {**manifest, "platform": platform, "annotations": {key: name}}],
            key=lambda one: str(one["annotations"][key]),
        )
        path.write_bytes(_json({"schemaVersion": 2, "manifests": entries}))


def build(recipe: dict[str, Any], name: str, layout: Layout) -> str:
    """Build one image into the layout; the digest of its manifest."""
    machine = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
    ).stdout.strip()
    platform = {"architecture": _ARCHITECTURES.get(machine, machine), "os": "linux"}
    with tempfile.TemporaryDirectory() as scratch:
        tar = Path(scratch) / "root.tar"
        packages = _bootstrap(recipe, tar)
        layer, diff_id = layout.add_layer(tar)
    (layout.root / f"{name}.packages.txt").write_text(packages)
    created = datetime.fromtimestamp(EPOCH, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    labels = {
        "org.opencontainers.image.title": recipe["title"],
        "org.opencontainers.image.description": recipe["description"],
        "org.opencontainers.image.licenses": recipe["licences"],
        "org.opencontainers.image.base.name": f"debian:{recipe['suite']}",
    }
    config = {
        **platform,
        "created": created,
        "config": {"Env": [f"PATH={_PATH}", "LC_ALL=C.UTF-8"], "Cmd": ["/bin/bash"], "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created": created, "created_by": f"mmdebstrap {recipe['suite']} {' '.join(recipe['packages'])}"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": layout.add(_json(config), "application/vnd.oci.image.config.v1+json"),
        "layers": [layer],
        "annotations": labels,
    }
    descriptor = layout.add(_json(manifest), manifest["mediaType"])
    layout.name(f"{name}:{recipe['suite']}", descriptor, platform)
    return str(descriptor["digest"])


def _bootstrap(recipe: dict[str, Any], tar: Path) -> str:
    """Install the packages into a tar archive; what was installed, one package URL a line."""
    listing = tar.with_suffix(".txt")
    query = r"pkg:deb/debian/${Package}@${Version}?arch=${Architecture}\n"
    hook = f"dpkg-query --admindir=\"$1\"/var/lib/dpkg --show --showformat='{query}' > {listing}"
    argv = [
        "mmdebstrap", "--quiet", *recipe.get("options", _OPTIONS), f"--include={','.join(recipe['packages'])}",
        f"--extract-hook={_LEAVE_OUT}", f"--customize-hook={hook}", "--", recipe["suite"], str(tar),
    ]  # fmt: skip
    subprocess.run(argv, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), "LC_ALL": "C"})
    return "".join(sorted(listing.read_text().splitlines(keepends=True)))


def push(layout: Layout, name: str, where: str, *, plain_http: bool) -> None:
    """Copy an image to a registry."""
    target = f"docker://{where}/{name}"
    tls = ["--dest-tls-verify=false"] if plain_http else []
    argv = ["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests", *tls, f"oci:{layout.root}:{name}"]
    subprocess.run([*argv, target], check=True)
    print(f"pushed {where}/{name}")


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def main() -> int:
    """Build what was asked for, then push it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="+", choices=sorted(one.stem for one in HERE.glob("*.toml")))
    parser.add_argument("--into", type=Path, required=True, metavar="FOLDER", help="the OCI layout")
    parser.add_argument("--push", metavar="HOST[:PORT]/PREFIX", help="the registry to copy the images to")
    parser.add_argument("--plain-http", action="store_true", help="the registry speaks HTTP without TLS")
    options = parser.parse_args()
    missing = [one for one in ("mmdebstrap", *(["skopeo"] if options.push else [])) if shutil.which(one) is None]
    if missing:
        print(f"error: not on PATH: {', '.join(missing)}\nhint: apt-get install {' '.join(missing)}", file=sys.stderr)
        return 1
    layout = Layout(options.into)
    for name in options.recipe:
        recipe = tomllib.loads((HERE / f"{name}.toml").read_text())
        print(f"{name}:{recipe['suite']} {build(recipe, name, layout)}")
        if options.push:
            push(layout, f"{name}:{recipe['suite']}", options.push, plain_http=options.plain_http)
    return 0


if __name__ == "__main__":
    sys.exit(main())
