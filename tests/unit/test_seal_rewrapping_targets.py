"""What re-sharing changes: the file itself, by whatever name it is reached, and nothing that is no file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from staging.errors import KeyAccessError, PolicyError
from tests.unit.test_seal_headers import ALICE, BOB, CAROL, A, B, sealed_file
from wfexs_like.seal.headers import open_header
from wfexs_like.seal.rewrapping import rewrap


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
