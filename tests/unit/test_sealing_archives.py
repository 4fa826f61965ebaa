"""An archive that can't be begun leaves nothing open, and no file where nobody can be sealed for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from staging.errors import KeyAccessError
from tests.unit.test_seal_headers import ALICE
from wfexs_like.seal.recipients import Recipient
from wfexs_like.seal.sealing_crates import SealedArchive


def test_nobody_to_be_sealed_for_makes_no_file(tmp_path: Path) -> None:
    target = tmp_path / "crate.c4gh"
    with pytest.raises(KeyAccessError, match="weak"):
        SealedArchive(target, [Recipient(public_key=bytes(32), label="weak")])
    assert not target.exists()


def test_a_full_disk_at_the_first_byte_leaves_no_descriptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    target = tmp_path / "crate.c4gh"
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space") as caught:
        SealedArchive(target, [ALICE])
    monkeypatch.undo()
    # The error still holds whatever was local to the failed beginning.
    assert caught.value.__traceback__ is not None
    open_now = {str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()}
    assert str(target) not in open_now


def test_a_header_is_whole_where_the_system_writes_less_than_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: real(descriptor, content[:1000]))
    target = tmp_path / "crate.c4gh"
    archive = SealedArchive(target, [ALICE])
    monkeypatch.undo()
    assert target.stat().st_size == 16 + 64 * 108
    archive.close()
