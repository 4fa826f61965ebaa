"""What re-sharing changes: the file itself, by whatever name it is reached, and nothing that is no file."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from staging.errors import KeyAccessError, PolicyError
from tests.unit.test_seal_headers import ALICE, BOB, CAROL, A, B, sealed_file
from wfexs_like.seal.headers import open_header
from wfexs_like.seal.rewrapping import rewrap
from wfexs_like.seal.sharing import share


def test_what_a_link_leads_to_is_changed_and_not_the_link(tmp_path: Path) -> None:
    path = sealed_file(tmp_path, ALICE, BOB, slots=4)
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link"
    link.symlink_to(path)
    rewrap(link, [A], add=[CAROL], remove=[BOB])
    assert link.is_symlink()
    assert list((tmp_path / "elsewhere").iterdir()) == [link]
    with path.open("rb") as stream, pytest.raises(KeyAccessError):
        open_header(stream, [B])


def test_a_pipe_and_a_device_are_no_sealed_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(PolicyError, match="not a file"):
            rewrap(path, [A], add=[BOB])


_KILLED = """
import os, signal, sys
from pathlib import Path
from tests.unit.test_seal_headers import A, BOB, CAROL
from wfexs_like.seal import rewrapping
rewrapping._copy = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
rewrapping.rewrap(Path(sys.argv[1]), [A], add=[BOB, CAROL])
"""


def test_what_a_killed_writer_left_beside_a_single_file_goes_with_the_next_change(tmp_path: Path) -> None:
    path = sealed_file(tmp_path, ALICE, slots=2)
    before = path.read_bytes()
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.glob(".recipients.*.part")
    assert path.read_bytes() == before
    busy = tmp_path / ".recipients.abcd1234.part"
    with busy.open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        share(path, [A], add=[BOB])
        assert sorted(tmp_path.iterdir()) == sorted([busy, path])
    share(path, [A], add=[CAROL])
    assert not left.exists()
    assert list(tmp_path.iterdir()) == [path]
