"""Encrypted working directories that somebody made for us, who needs no more than our public key for that."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.vaults import Encrypted, staged_once, vault, wait_for
from wfexs_like.keys import KeyFiles
from wfexs_like.seal.recipients import read_recipient
from wfexs_like.vault.lifetime import KEY
from wfexs_like.vault.wrapping import wrap

__all__ = ["staged_once", "vault"]

pytestmark = [pytest.mark.gocryptfs, pytest.mark.fuse, pytest.mark.cwltool]

PASSWORD = "5ca1ab1e" * 8


@contextmanager
def forged(vault: Encrypted, *, sentinel: str | None = None) -> Iterator[Path]:
    """While it lasts, the content of an area that an attacker puts in the place of ours, made with our public key."""
    data = vault.root / "vault/data"
    subprocess.run(["rm", "-rf", data], check=True)
    data.mkdir()
    quietly = {"check": True, "capture_output": True, "text": True}
    subprocess.run(["gocryptfs", "-init", "-q", "-scryptn", "10", "--", data], input=PASSWORD, **quietly)  # type: ignore[call-overload]
    wrap(vault.root / "vault" / KEY, PASSWORD.encode(), (read_recipient(KeyFiles.below(vault.keys).public),))
    point = vault.home / "attack"
    point.mkdir()
    subprocess.run(["gocryptfs", "-q", "--", data, point], input=PASSWORD, **quietly)  # type: ignore[call-overload]
    try:
        (point / ".vault").write_text(sentinel or f"wfexs-like:{vault.root.name}\n")
        yield point
    finally:
        subprocess.run(["fusermount3", "-u", point], check=True)


@pytest.fixture
def mine(vault: Encrypted) -> Path:
    """A folder with a file of ours, which has nothing to do with any working directory."""
    folder = vault.home / "mine"
    (folder / "thesis").mkdir(parents=True)
    (folder / "thesis/chapter").write_text("years of work")
    return folder


def untouched(mine: Path) -> bool:
    return (
        sorted(str(one.relative_to(mine)) for one in mine.rglob("*")) == ["thesis", "thesis/chapter"]
        and (mine / "thesis/chapter").read_text() == "years of work"
    )


# --- links in the area ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [".scratch", ".store", ".home", "runs", "inputs"])
def test_a_folder_in_the_area_that_leads_out_of_it_is_refused_by_name(vault: Encrypted, mine: Path, name: str) -> None:
    with forged(vault) as point:
        (point / name).symlink_to(mine)
    error = vault.wfexs("show", vault.root).object["error"]
    assert (error["exit_code"], name in error["message"]) == (14, True), error
    assert untouched(mine)
    wait_for(vault.is_left_alone)


def test_nothing_is_removed_from_the_area_of_another_one(vault: Encrypted) -> None:
    with forged(vault, sentinel="wfexs-like:another") as point:
        (point / ".scratch").mkdir()
        (point / ".scratch/file").write_text("theirs")
        cipher = sorted(one.name for one in (vault.root / "vault/data").rglob("*"))
    assert "another working directory" in vault.wfexs("show", vault.root).object["error"]["message"]
    assert sorted(one.name for one in (vault.root / "vault/data").rglob("*")) == cipher


def test_links_among_the_temporary_files_are_removed_and_not_followed(vault: Encrypted, mine: Path) -> None:
    with forged(vault) as point:
        (point / ".scratch/deep").mkdir(parents=True)
        (point / ".scratch/link").symlink_to(mine)
        (point / ".scratch/deep/link").symlink_to(mine / "thesis")
        (point / ".scratch/deep").chmod(0o500)
    vault.wfexs("shell", vault.root, "--", "true")
    assert untouched(mine)
    told = vault.wfexs.run("shell", vault.root, "--", "ls", "-A", ".scratch")
    assert (told.returncode, told.stdout) == (0, "")


@pytest.mark.parametrize("name", [".history", ".config", ".local"])
def test_a_shell_refuses_a_home_of_which_something_leads_out(vault: Encrypted, mine: Path, name: str) -> None:
    vault.wfexs.run("shell", vault.root, "--", "ln", "-s", str(mine), f".home/{name}")
    error = vault.wfexs("shell", vault.root, "--", "true").object["error"]
    assert (error["exit_code"], name in error["message"]) == (14, True), error
    assert untouched(mine)
