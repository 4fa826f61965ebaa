"""Whole encrypted working directories put in the place of others, by somebody who has the disk and a public key."""

from __future__ import annotations

import os
import shutil
import stat

import pytest

from tests.hostile.test_vault import forged
from tests.support.vaults import Encrypted, dissolve_all, staged_once, vault, wait_for

__all__ = ["staged_once", "vault"]

pytestmark = [pytest.mark.gocryptfs, pytest.mark.fuse, pytest.mark.cwltool]


def lines(vault: Encrypted) -> list[list[str]]:
    return [line.split() for line in (vault.keys / "known-workdirs").read_text().splitlines()]


def test_one_that_somebody_made_for_our_public_key_is_not_taken_for_ours(vault: Encrypted) -> None:
    before = lines(vault)
    with forged(vault, known=True) as point:
        (point / "stage.lock.json").write_text("{}")
    for words in (["run"], ["recipients", "add", "--recipient", vault.keys / "wfexs-like.pub"]):
        error = vault.wfexs(*words, vault.root).object["error"]
        assert (error["exit_code"], "put another one in its place" in error["message"]) == (14, True), error
        assert not vault.is_open()
    assert str(vault.keys / "known-workdirs") in error["hint"]
    assert lines(vault) == before
    # Nobody need be able to open what is to be removed.
    vault.wfexs.ok("rm", vault.root, "--yes")
    assert (vault.root.exists(), lines(vault)) == (False, [])


def test_one_that_gives_itself_another_id_is_not_taken_for_ours(vault: Encrypted) -> None:
    record = vault.root / "workdir.json"
    record.write_text(record.read_text().replace(vault.root.name, f"{vault.root.name[:-4]}0000"))
    error = vault.wfexs("show", vault.root).object["error"]
    assert (error["exit_code"], "it was exchanged" in error["message"]) == (14, True), error


def test_one_from_elsewhere_is_opened_aloud_once_and_held_to_what_it_was(vault: Encrypted) -> None:
    known = vault.keys / "known-workdirs"
    (line,) = lines(vault)
    assert (line[0], stat.S_IMODE(known.stat().st_mode)) == (vault.root.name, 0o600)
    known.unlink()
    first, second = vault.wfexs.run("show", vault.root), vault.wfexs.run("show", vault.root)
    assert (first.returncode, second.returncode) == (0, 0)
    assert "opens it for the first time and can't tell who made it" in first.stderr
    assert "first time" not in second.stderr
    assert lines(vault) == [line]
    with forged(vault, known=True):
        pass
    assert vault.wfexs("show", vault.root).code == 14


def test_changing_who_may_open_it_and_copying_it_change_nothing(vault: Encrypted) -> None:
    others = vault.home / "others"
    vault.wfexs.ok("keys", "init", "--no-passphrase", WFEXS_LIKE_KEYS=str(others))
    vault.wfexs.ok("recipients", "add", vault.root, "--recipient", others / "wfexs-like.pub")
    copy = vault.home / "elsewhere" / "copy"
    shutil.copytree(vault.root, copy)
    try:
        for root in (vault.root, copy):
            told = vault.wfexs.run("show", root, "--workdirs", root.parent)
            assert (told.returncode, "first time" in told.stderr) == (0, False), told.stderr
        theirs = vault.wfexs.run("show", vault.root, WFEXS_LIKE_KEYS=str(others))
        assert (theirs.returncode, "first time" in theirs.stderr) == (0, True), theirs.stderr
        assert (others / "known-workdirs").read_text() == (vault.keys / "known-workdirs").read_text()
        vault.wfexs.ok("recipients", "remove", vault.root, "--recipient", others / "wfexs-like.pub")
        assert vault.wfexs.run("show", vault.root).stderr == ""
    finally:
        dissolve_all(copy.parent)


def test_what_is_known_is_not_believed_where_others_may_have_written_it(vault: Encrypted) -> None:
    known = vault.keys / "known-workdirs"
    known.chmod(0o666)
    error = vault.wfexs("show", vault.root).object["error"]
    assert (error["exit_code"], "others may write into" in error["message"]) == (14, True), error
    known.chmod(0o600)
    # Who can remove it makes it known no more.
    vault.keys.chmod(0o703)
    error = vault.wfexs("show", vault.root).object["error"]
    assert (error["exit_code"], f"other users may write to {vault.keys}" in error["message"]) == (14, True), error
    assert "WFEXS_LIKE_KEYS" in error["hint"]
    vault.keys.chmod(0o700)
    known.rename(vault.home / "away")
    known.symlink_to(vault.home / "away")
    error = vault.wfexs("show", vault.root).object["error"]
    assert (error["exit_code"], error["where"]) == (14, str(known)), error


def test_a_configuration_that_was_exchanged_is_not_used(vault: Encrypted) -> None:
    path = vault.root / "vault/data/gocryptfs.conf"
    path.chmod(0o600)
    path.write_text(path.read_text().replace('"Creator"', '"Maker"'))
    error = vault.wfexs("show", vault.root).object["error"]
    assert (error["exit_code"], "configuration is not the one" in error["message"]) == (7, True), error
    assert "from a copy" in error["hint"]
    assert "wfexs-like rm" in error["hint"]
    path.unlink()
    hint = vault.wfexs("show", vault.root).object["error"]["hint"]
    assert ("from a copy" in hint, "wfexs-like rm" in hint, "doctor" in hint) == (True, True, False)


@pytest.mark.root
@pytest.mark.parametrize("whose", ["folder", "workdir", "vault"])
def test_what_lies_in_a_folder_of_another_user_is_neither_opened_nor_written_to(vault: Encrypted, whose: str) -> None:
    folder = {"folder": vault.root.parent, "workdir": vault.root, "vault": vault.root / "vault"}[whose]
    for path in (vault.root / "vault").glob(".*"):
        path.unlink()
    before = sorted(path.name for path in (vault.root / "vault").iterdir())
    os.chown(folder, 65534, -1)
    for words in (["show"], ["recipients", "add"], *([["stage"]] if whose == "folder" else [])):
        what = vault.home / "slow.wfex.stage" if words == ["stage"] else vault.root
        more = ["--recipient", vault.keys / "wfexs-like.pub"] if len(words) > 1 else []
        error = vault.wfexs(*words, what, *more).object["error"]
        assert (error["exit_code"], f"{folder} belongs to another user" in error["message"]) == (14, True), error
    assert sorted(path.name for path in (vault.root / "vault").iterdir()) == before
    assert [path.name for path in vault.root.parent.iterdir()] == [vault.root.name]
    os.chown(folder, 0, -1)
    wait_for(vault.is_left_alone)


@pytest.mark.root
def test_what_lies_where_others_may_rename_it_is_not_opened(vault: Encrypted) -> None:
    place = vault.root.parent
    for folder, mode in ((vault.root / "vault", 0o770), (vault.root, 0o707), (place, 0o770), (place, 0o707)):
        before = folder.stat()
        os.chown(folder, -1, 65534)
        folder.chmod(mode)
        stages = (folder, mode) == (place, 0o707)
        words = ("stage", vault.home / "slow.wfex.stage") if stages else ("show", vault.root)
        error = vault.wfexs(*words).object["error"]
        assert (error["exit_code"], f"other users may write to {folder}" in error["message"]) == (14, True), error
        assert f"chmod go-w {folder}" in error["hint"]
        assert [path.name for path in place.iterdir()] == [vault.root.name]
        os.chown(folder, -1, before.st_gid)
        folder.chmod(before.st_mode & 0o7777)
    # Nor where they may rename a folder above.
    for folder in (vault.home, vault.home.parent):
        before = folder.stat()
        folder.chmod(0o777)
        error = vault.wfexs("show", vault.root).object["error"]
        assert (error["exit_code"], f"other users may write to {folder}," in error["message"]) == (14, True), error
        folder.chmod(0o1777)
        vault.wfexs.ok("show", vault.root)
        folder.chmod(before.st_mode & 0o7777)
    # Like /tmp: others can't rename there what is ours. And who is alone in the group is no other.
    for mode in (0o1777, 0o770):
        place.chmod(mode)
        vault.wfexs.ok("show", vault.root)


def test_without_the_private_key_nothing_is_staged_that_nobody_could_open(vault: Encrypted) -> None:
    (vault.keys / "wfexs-like.sec").unlink()
    error = vault.wfexs("stage", vault.home / "slow.wfex.stage").object["error"]
    assert (error["exit_code"], "private key wfexs-like.sec is gone" in error["message"]) == (12, True), error
    assert [path.name for path in vault.root.parent.iterdir()] == [vault.root.name]
