"""A crate with everything that a crate can hold, sealed for two of three people."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jsonschema

from staging.fingerprints import Tree
from tests.support.crates import Workdir, empty_workdir
from wfexs_like.cli.context import App
from wfexs_like.cli.main import main
from wfexs_like.crate.export import export_crate
from wfexs_like.crate.exporters import Level, Sealing
from wfexs_like.crate.report_types import CrateReport
from wfexs_like.keys import encode_pair, read_private
from wfexs_like.schemas import schema_of
from wfexs_like.seal.recipients import Recipient, read_recipient
from wfexs_like.seal.ssh_keys import Signer, encode_signing_pair, load_signer

BIG = b"".join(hashlib.sha256(bytes([number >> 8, number & 255])).digest() for number in range(8000))
CANARY = "zebra-canary-41"
SECRET = CANARY.encode() + b" was here\n"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a key pair in files."""

    name: str
    private: Path
    public: Path

    @property
    def secret(self) -> bytes:
        return read_private(self.private, None)

    @property
    def recipient(self) -> Recipient:
        return read_recipient(self.public)

    @property
    def fingerprint(self) -> str:
        return self.recipient.fingerprint


def person(folder: Path, name: str) -> Person:
    """Make a crypt4gh key pair without a passphrase."""
    one = Person(name, folder / f"{name}.sec", folder / f"{name}.pub")
    private, public = encode_pair(None)
    one.private.write_bytes(private)
    one.private.chmod(0o600)
    one.public.write_bytes(public)
    return one


def signer(folder: Path, name: str) -> Signer:
    """Make an SSH key pair that signs."""
    private, public = encode_signing_pair(None, comment=f"{name}@example.org")
    (folder / f"{name}-signing").write_bytes(private)
    (folder / f"{name}-signing").chmod(0o600)
    (folder / f"{name}-signing.pub").write_bytes(public)
    return load_signer(folder / f"{name}-signing", None)


def rich_workdir(root: Path) -> Workdir:
    """A run that made files of many sizes, a folder with links, an empty folder and a program, all told by a canary."""
    workdir = empty_workdir(root)
    workdir.file_input("text", SECRET, basename=f"{CANARY} in.txt", identifier="https://example.org/data/in.txt")
    workdir.value("phrase", CANARY, "string")
    workdir.output("big")
    workdir.output("tree", "Directory")
    workdir.output("empty")
    out = "runs/1/outputs/tree"
    workdir.write(f"{out}/{CANARY} ü.txt", SECRET)
    workdir.write(f"{out}/sub/go.sh", b"#!/bin/sh\n")
    (workdir.content / out / "sub/go.sh").chmod(0o755)
    (workdir.content / out / "hollow").mkdir()
    (workdir.content / out / "latest").symlink_to("sub/go.sh")
    workdir.ran(
        {
            "big": workdir.made(1, f"{CANARY}.bin", BIG),
            "empty": workdir.made(1, "empty.txt", b""),
            "tree": {
                "class": "Directory",
                "path": out,
                "sha256": Tree.of_directory(workdir.content / out).fingerprint.digest,
            },
        }
    )
    return workdir


def export(
    workdir: Workdir,
    destination: Path,
    *,
    form: Literal["files", "archive"] | None,
    level: Level | None = None,
    recipients: tuple[Recipient, ...] = (),
    signed_by: Signer | None = None,
    validate: bool = False,
) -> CrateReport:
    """A crate of it with all it has; without ``form`` a plain one."""
    return export_crate(
        workdir.subject(),
        destination,
        kind="retrospective",
        include=frozenset({"inputs", "outputs", "workflow"}),
        cache=destination.parent,
        validate=validate,
        signer=signed_by,
        sealing=None if form is None else Sealing(form=form, recipients=recipients, level=level),
    )


def content_of(root: Path) -> dict[str, tuple[str, bytes]]:
    """Everything below a folder: its kind, and its bytes or target."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()).encode())
        elif path.is_dir():
            found[name] = ("folder", b"")
        else:
            found[name] = ("program" if path.stat().st_mode & 0o100 else "file", path.read_bytes())
    return found


def open_it(sealed: Path, destination: Path, who: Person, *argv: str) -> tuple[int, dict[str, Any]]:
    """The verb ``open``: its exit code and JSON. Whatever it found, nothing but the destination is left behind."""
    out = io.StringIO()
    before = set(destination.parent.iterdir())
    words = ["open", str(sealed), str(destination), "--key", str(who.private), *argv, "--json"]
    code = main(words, App(stdout=out, stderr=io.StringIO()))
    told: dict[str, Any] = json.loads(out.getvalue())
    assert set(destination.parent.iterdir()) - before == ({destination} if code == 0 else set())
    if "error" not in told:
        jsonschema.Draft202012Validator(schema_of("open")).validate(told)
        assert told["ok"] is (code == 0)
    return code, told


def problems(told: dict[str, Any]) -> dict[str, str]:
    """The problems that ``open`` told of, by path."""
    return {one["path"]: one["problem"] for one in told["problems"]}
