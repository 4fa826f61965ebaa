"""A real registry on loopback, and images pushed to it by its own protocol: no daemon, no other tool.

::

    with Registry(folder) as registry:
        image = registry.push("group/tools", "1", make_image_blobs(layer))
        fetch(f"docker://{registry.host}/group/tools:1")
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import requests

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

USER, PASSWORD = "tester", "open sesame"
_HTPASSWD = f"{USER}:$2b$04$VXyU61RjtVJxTY4MFdUpiulUcje6A9Vc3/dLvunBBc3H1GW5lQvHK\n"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def as_json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def descriptor(content: bytes, kind: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{sha256(content)}", "size": len(content), **more}


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """A plain tar with those files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), 0o755
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@dataclass
class MadeImage:
    """An image in memory: its manifest's bytes and media type, and its blobs by digest."""

    manifest: bytes
    kind: str
    blobs: dict[str, bytes]
    config: str = ""
    layers: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        return sha256(self.manifest)


def make_image(
    *tars: bytes,
    platform: str = "linux/amd64",
    labels: Mapping[str, str] | None = None,
    docker: bool = False,
    annotations: Mapping[str, str] | None = None,
    diff_ids: Sequence[str] | None = None,
) -> MadeImage:
    """An image of those layers (plain tars), of the OCI's kind or docker's."""
    layers = [gzip.compress(one, compresslevel=1, mtime=0) for one in tars]
    system, architecture, *variant = platform.split("/")
    config = as_json(
        {
            "os": system,
            "architecture": architecture,
            **({"variant": variant[0]} if variant else {}),
            "config": {"Labels": dict(labels or {}), "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids or [f"sha256:{sha256(one)}" for one in tars]},
        }
    )
    kind = DOCKER_MANIFEST if docker else OCI_MANIFEST
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": descriptor(config, DOCKER_CONFIG if docker else OCI_CONFIG),
        "layers": [descriptor(one, DOCKER_LAYER if docker else OCI_LAYER) for one in layers],
    }
    if annotations:
        manifest["annotations"] = dict(annotations)
    return MadeImage(
        manifest=as_json(manifest),
        kind=kind,
        blobs={sha256(one): one for one in (config, *layers)},
        config=sha256(config),
        layers=tuple(sha256(one) for one in layers),
    )


def make_index(images: Mapping[str, MadeImage]) -> bytes:
    """An index of images by platform."""
    rows = []
    for platform, image in images.items():
        system, architecture, *variant = platform.split("/")
        told = {"os": system, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
        rows.append(descriptor(image.manifest, image.kind, platform=told))
    return as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows})


@dataclass
class Registry:
    """``docker-registry serve``; its ``with`` block is its life. ``password``: it wants ``USER`` and ``PASSWORD``.

    ``tls``: it speaks TLS with a certificate that the authority in ``ca`` signed. ``port`` may be that of an earlier
    one, with the same folder: then it is that one again.
    """

    folder: Path
    password: bool = False
    tls: bool = False
    port: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}"

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def blobs(self) -> Path:
        """Where it keeps its blobs."""
        return self.folder / "data/docker/registry/v2/blobs/sha256"

    def blob(self, digest: str) -> Path:
        """A blob's file in it."""
        return self.blobs / digest[:2] / digest / "data"

    def __enter__(self) -> Registry:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or _free_port()
        self.start()
        return self

    def start(self) -> None:
        """Have it listening, anew if it was."""
        self.stop()
        config: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}, "delete": {"enabled": True}},
            "http": {"addr": self.host},
        }
        if self.password:
            (self.folder / "htpasswd").write_text(_HTPASSWD)
            config["auth"] = {"htpasswd": {"realm": "tests", "path": str(self.folder / "htpasswd")}}
        if self.tls:
            self._certify()
            config["http"]["tls"] = {
                "certificate": str(self.folder / "server.pem"),
                "key": str(self.folder / "server.key"),
            }
        path = self.folder / "config.yml"
        path.write_text(json.dumps(config))
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "docker-registry", "serve", path],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(400):
            assert self._process.poll() is None, "the registry did not start"
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError("the registry does not listen")

    def stop(self) -> None:
        """Have it gone; its folder stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def _certify(self) -> None:
        if self.ca.exists():
            return
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
                *("-keyout", "server.key", "-out", "server.pem", "-days", "2", "-subj", "/CN=registry of a test"),
                *("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
            ],
            cwd=self.folder,
            check=True,
            capture_output=True,
        )
        shutil.copy(self.folder / "server.pem", self.ca)

    # -- pushing -----------------------------------------------------------------------------------------------------

    def push(self, repository: str, tag: str, image: MadeImage) -> MadeImage:
        """Push an image and give it that tag."""
        for content in image.blobs.values():
            self.push_blob(repository, content)
        self.push_manifest(repository, tag, image.manifest, image.kind)
        return image

    def push_index(self, repository: str, tag: str, images: Mapping[str, MadeImage]) -> str:
        """Push images and an index of them; its digest."""
        for image in images.values():
            self.push(repository, f"sha256:{image.digest}", image)
        index = make_index(images)
        self.push_manifest(repository, tag, index, OCI_INDEX)
        return sha256(index)

    def push_blob(self, repository: str, content: bytes) -> None:
        answer = self._ask("POST", f"/v2/{repository}/blobs/uploads/")
        assert answer.status_code == 202, answer.text
        place = answer.headers["Location"]
        place = place if place.startswith("http") else self.url + place
        mark = "&" if urlsplit(place).query else "?"
        done = self._ask("PUT", f"{place}{mark}digest=sha256:{sha256(content)}", content, "application/octet-stream")
        assert done.status_code == 201, done.text

    def push_manifest(self, repository: str, tag: str, manifest: bytes, kind: str) -> None:
        answer = self._ask("PUT", f"/v2/{repository}/manifests/{tag}", manifest, kind)
        assert answer.status_code == 201, answer.text

    def _ask(self, method: str, path: str, data: bytes = b"", kind: str = "") -> requests.Response:
        headers = {"Content-Type": kind} if kind else {}
        if self.password:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return requests.request(
            method,
            path if path.startswith("http") else self.url + path,
            data=data,
            headers=headers,
            timeout=60,
            verify=str(self.ca) if self.tls else True,
        )


def answers(host: str) -> bool:
    """Whether something speaks HTTP there."""
    connection = HTTPConnection(host, timeout=5)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status > 0
    except OSError:
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
