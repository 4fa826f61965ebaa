"""Encrypted working directories that somebody made for us, who needs no more than our public key for that."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from staging.errors import LockedError, PolicyError
from staging.workdirs import Workdirs
from tests.support.vaults import WORKFLOW, Encrypted, staged_once, vault, wait_for
from wfexs_like.encryption import dissolve
from wfexs_like.keys import KeyFiles
from wfexs_like.seal.recipients import read_recipient
from wfexs_like.session import Session
from wfexs_like.settings import Settings
from wfexs_like.vault.lifetime import KEY
from wfexs_like.vault.locking import turn
from wfexs_like.vault.mounts import mountable
from wfexs_like.vault.wrapping import wrap

__all__ = ["staged_once", "vault"]

pytestmark = [pytest.mark.gocryptfs, pytest.mark.fuse, pytest.mark.cwltool]

PASSWORD = "5ca1ab1e" * 8


@contextmanager
def forged(vault: Encrypted, *, sentinel: str | None = None, known: bool = False) -> Iterator[Path]:
    """While it lasts, the content of an area that an attacker puts in the place of ours, made with our public key.

    Unless ours is ``known``, nothing tells that there was another one.
    """
    if not known:
        (vault.keys / "known-workdirs").unlink(missing_ok=True)
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


# --- mounts of others -------------------------------------------------------------------------------------------------


@contextmanager
def mounted_by_hand(vault: Encrypted, owner: int) -> Iterator[None]:
    """While it lasts, an area that a user mounted is in the place of ours, called as ours is."""
    with forged(vault):
        pass
    # What served it a moment ago must not be taken for what serves it now.
    wait_for(vault.is_left_alone)
    for folder in (vault.root, *vault.root.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    subprocess.run(["chattr", "-i", vault.work], check=True)
    for path in (vault.work, vault.root / "vault", *(vault.root / "vault").rglob("*")):
        path.chmod(0o700)
        os.chown(path, owner, owner)
    argv = ["setpriv", f"--reuid={owner}", "--clear-groups", "gocryptfs", "-q", "-nosyslog"]
    argv += ["-fsname", f"wfexs-like:{vault.root.name}", "--", f"{vault.root}/vault/data", str(vault.work)]
    null = subprocess.DEVNULL
    subprocess.run(argv, input=PASSWORD, check=True, stdout=null, stderr=null, text=True)
    try:
        yield
    finally:
        subprocess.run(["fusermount3", "-u", vault.work], check=True)


@pytest.mark.root
def test_what_another_user_has_open_is_said_to_be_and_stays_open(vault: Encrypted) -> None:
    with mounted_by_hand(vault, 65534):
        began = time.monotonic()
        for words in (["show", vault.root], ["unmount", vault.root], ["rm", vault.root, "--yes", "--force"]):
            error = vault.wfexs(*words).object["error"]
            assert (error["exit_code"], "another user has" in error["message"]) == (11, True), error
            assert vault.is_open()
            assert (vault.root / "vault/key.c4gh").stat().st_size > 100
        # Nobody waited for them in vain.
        assert time.monotonic() - began < 10


@pytest.mark.root
def test_what_was_mounted_by_hand_stays_mounted(vault: Encrypted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wfexs_like.vault.server._PATIENCE", 0.2)
    with mounted_by_hand(vault, 0):
        with pytest.raises(LockedError, match="not known here"):
            Session(Settings.load(os.environ)).show(str(vault.root))
        assert (vault.work / ".vault").exists()


def test_who_has_no_key_takes_no_dead_mount_away(vault: Encrypted) -> None:
    vault.wfexs.ok("mount", vault.root)
    server, guard = vault.server(), vault.guard()
    for number in (guard, server):
        os.kill(number, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{server}").exists())
    (vault.keys / "wfexs-like.sec").rename(vault.keys / "away")
    assert vault.wfexs("show", vault.root).code == 12
    (vault.keys / "away").rename(vault.keys / "wfexs-like.sec")
    assert vault.wfexs.ok("show", vault.root)["runs"] == []
    wait_for(vault.is_left_alone)


# --- links in the way of what is destroyed ----------------------------------------------------------------------------


@pytest.fixture
def other(vault: Encrypted) -> Path:
    """Another encrypted working directory, in which nobody is to destroy anything."""
    root = vault.home / "elsewhere" / "other"
    (root / "vault/data").mkdir(parents=True)
    (root / "work").mkdir()
    for name in ("key.c4gh", "data/gocryptfs.conf"):
        (root / "vault" / name).write_text("sound")
        (root / "vault" / name).chmod(0o400)
    return root


def is_sound(other: Path) -> bool:
    files = [other / "vault" / name for name in ("key.c4gh", "data/gocryptfs.conf")]
    return [(one.read_text(), one.stat().st_mode & 0o777) for one in files] == [("sound", 0o400)] * 2


@pytest.mark.parametrize("name", ["vault", "vault/data", "vault/key.c4gh", "vault/data/gocryptfs.conf"])
def test_removal_destroys_nothing_behind_a_link(vault: Encrypted, other: Path, name: str) -> None:
    (vault.root / name).rename(vault.home / "away")
    (vault.root / name).symlink_to(other / name)
    vault.wfexs("rm", vault.root, "--yes", "--force")
    assert is_sound(other)
    assert not (other / "vault/.users").exists()


def test_removal_writes_into_no_file_that_has_another_name(vault: Encrypted, other: Path) -> None:
    (vault.root / "vault/key.c4gh").unlink()
    os.link(other / "vault/key.c4gh", vault.root / "vault/key.c4gh")
    vault.wfexs.ok("rm", vault.root, "--yes", "--force")
    assert is_sound(other)


@pytest.mark.parametrize("name", [".partial-x", ".doomed-x", ".partial-x/vault"])
def test_sweeping_destroys_nothing_behind_a_link(vault: Encrypted, other: Path, name: str) -> None:
    link = vault.root.parent / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(other / "vault" if link.name == "vault" else other)
    Workdirs(vault.root.parent, dissolve=dissolve).sweep()
    assert is_sound(other)
    assert sorted(one.name for one in other.iterdir()) == ["vault", "work"]
    assert [one.name for one in vault.root.parent.iterdir()] == [vault.root.name]


@pytest.mark.root
def test_what_can_not_be_removed_keeps_its_key(vault: Encrypted) -> None:
    subprocess.run(["chattr", "+i", vault.root.parent], check=True)
    try:
        answer = vault.wfexs("rm", vault.root, "--yes", "--force")
    finally:
        subprocess.run(["chattr", "-i", vault.root.parent], check=True)
    assert answer.code != 0
    assert vault.wfexs.ok("show", vault.root)["runs"] == []


def test_who_never_finishes_to_open_it_is_not_waited_for_for_ever(
    vault: Encrypted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wfexs_like.vault.locking._PATIENCE", 0.1)
    with turn(vault.root), pytest.raises(LockedError, match="for too long"), turn(vault.root):
        pass


# --- what a tool may find ---------------------------------------------------------------------------------------------


@pytest.mark.netns
def test_a_tool_does_not_find_the_cipher_text_and_its_locks(vault: Encrypted) -> None:
    stage, tool = vault.home / "look.wfex.stage", vault.home / "look.cwl"
    tool.write_text(
        WORKFLOW.replace("echo at work > begun; sleep $(inputs.seconds)", "ls -A $(inputs.folder)").replace(
            "seconds: {type: float, default: 0}", "folder: string"
        )
    )
    stage.write_text("workflow_id: look.cwl\nworkflow_config: {secure: true}\nparams: {folder: /}\n")
    root = Path(vault.wfexs.ok("stage", stage)["path"])
    done = vault.wfexs.ok("run", root, "--param", f"folder={root}/vault")
    told = vault.wfexs.run("shell", root, "--", "cat", f"runs/{done['run']}/outputs/out.txt")
    assert told.stdout.split() == ["done"]


# --- the record and the folder ----------------------------------------------------------------------------------------


def test_a_vault_that_the_record_does_not_speak_of_and_one_that_is_missing_are_told_as_damage(vault: Encrypted) -> None:
    record = vault.root / "workdir.json"
    sound = record.read_text()
    record.write_text(sound.replace('"vault": "gocryptfs"', '"vault": "plain"'))
    assert vault.wfexs("show", vault.root).code == 3
    record.write_text(sound)
    (vault.root / "vault").rename(vault.home / "away")
    assert vault.wfexs("show", vault.root).code == 3
    (vault.home / "away").rename(vault.root / "vault")
    assert vault.wfexs.ok("show", vault.root)["runs"] == []


# --- the guard --------------------------------------------------------------------------------------------------------


def test_a_guard_that_adopts_a_mount_ends_its_server_and_no_dumps_are_made(vault: Encrypted) -> None:
    run = vault.start_run()
    os.kill(vault.guard(), signal.SIGKILL)
    assert vault.status(1) == "running"
    server = vault.server()
    cmdlines = {one.number: Path(f"/proc/{one.number}/cmdline").read_bytes() for one in vault.at_work()}
    (adopter,) = (number for number, cmdline in cmdlines.items() if b"vault/guard.py" in cmdline)
    limits = Path(f"/proc/{adopter}/limits").read_text()
    assert re.search(r"Max core file size +1 +1 ", limits)
    run.ended(signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{server}").exists())
    wait_for(vault.is_left_alone)


def test_what_is_written_while_it_is_mounted_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    point = tmp_path / "work"
    point.mkdir(mode=0o500)
    with pytest.raises(PolicyError, match=r"patients\.csv"), mountable(point):
        (point / "patients.csv").write_text("in clear")
