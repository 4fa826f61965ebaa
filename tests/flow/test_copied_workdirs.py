"""A copy of a working directory, which has the id of the one it was made of: what is named by path is what is meant."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.vaults import Encrypted, dissolve_all, staged_once, vault

__all__ = ["staged_once", "vault"]

pytestmark = [pytest.mark.gocryptfs, pytest.mark.fuse, pytest.mark.cwltool]


@pytest.fixture
def copy(vault: Encrypted) -> Path:
    """A copy of it, elsewhere."""
    return Path(shutil.copytree(vault.root, vault.home / "backup" / vault.root.name))


def test_the_copy_is_removed_and_not_what_it_was_made_of(vault: Encrypted, copy: Path) -> None:
    told = vault.wfexs.ok("rm", "--yes", copy)
    assert told["path"] == str(copy)
    assert not copy.exists()
    assert [one["id"] for one in vault.wfexs.ok("list")["workdirs"]] == [vault.root.name]
    assert vault.wfexs.ok("run", vault.root)["status"] == "completed"


def test_the_copy_is_opened_and_closed_and_not_what_it_was_made_of(vault: Encrypted, copy: Path) -> None:
    told = vault.wfexs.run("mount", copy)
    try:
        assert told.returncode == 0
        assert f"wfexs-like unmount {copy}" in told.stderr
        assert (copy / "work").joinpath("stage.lock.json").is_file()
        assert not vault.is_open()
        assert vault.wfexs.ok("unmount", copy)["closed"] is True
    finally:
        dissolve_all(copy.parent)


def test_the_copy_is_run_and_not_what_it_was_made_of(vault: Encrypted, copy: Path) -> None:
    told = vault.wfexs.run("run", copy)
    assert told.returncode == 0
    assert f"wfexs-like shell {copy}" in told.stderr
    assert len(vault.wfexs.ok("show", copy)["runs"]) == 1
    assert vault.wfexs.ok("show", vault.root)["runs"] == []
    dissolve_all(copy.parent)
