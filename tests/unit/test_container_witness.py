"""The look at a container's mounts, as an OCI hook of a rootless runtime does it: as another user than who reads."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from engines.containers.witness import Witness


def _look(witness: Witness, bundle: Path) -> int:
    """Run its hook with a bundle whose root file system is this machine's, and a umask that hides what it writes."""
    hook = json.loads(next(witness.hooks.iterdir()).read_text())["hook"]
    (bundle / "config.json").write_text(json.dumps({"root": {"path": "/"}}))
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", *hook["args"]],
        input=json.dumps({"bundle": str(bundle)}).encode(),
        umask=0o077,
        check=False,
    ).returncode


def test_what_is_seen_can_be_read_by_another_user(tmp_path: Path) -> None:
    there = tmp_path.stat()
    witness = Witness(tmp_path / "witness", [(str(tmp_path), there.st_dev, there.st_ino)])
    assert witness.told() is None
    assert _look(witness, tmp_path) == 0
    assert witness.told() == ""
    assert (tmp_path / "witness" / "seen").stat().st_mode & 0o777 == 0o644


def test_what_is_something_else_is_told_and_nothing_begins(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "witness", [(str(tmp_path), 0, 0)])
    assert _look(witness, tmp_path) == 1
    assert witness.told() == str(tmp_path)
