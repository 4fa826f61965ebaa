"""``shell``, ``mount``, ``unmount``, ``recipients`` and ``rm`` of encrypted working directories."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from staging.workdirs import Workdirs
from tests.support.vaults import PROGRAM, Encrypted, staged_once, vault, wait_for
from wfexs_like.schemas import schema_of

__all__ = ["staged_once", "vault"]

pytestmark = [pytest.mark.gocryptfs, pytest.mark.fuse, pytest.mark.cwltool]

AT_ONCE = 10.0


def described(document: dict[str, Any]) -> dict[str, Any]:
    """What was told, which is as its published schema says."""
    name = document["schema"].split("/")[1]
    jsonschema.Draft202012Validator(schema_of(name)).validate(document)
    return document


# --- shell ------------------------------------------------------------------------------------------------------------


def test_the_paths_of_outputs_work_in_a_shell_and_nowhere_else(vault: Encrypted) -> None:
    path = vault.wfexs.ok("run", vault.root)["outputs"]["out"]["path"]
    told = vault.wfexs.run("shell", "secret", "--", "cat", path)
    assert (told.returncode, told.stdout) == (0, "done\n")
    assert not Path(path).exists()
    wait_for(vault.is_left_alone, AT_ONCE)


def test_who_ran_it_is_told_how_the_paths_are_reached(vault: Encrypted) -> None:
    told = vault.wfexs.run("run", vault.root)
    assert told.returncode == 0
    assert f'encrypted: "wfexs-like shell {vault.root.name}" opens it' in told.stderr


@pytest.mark.parametrize(("command", "code"), [("exit 7", 7), ("kill -9 $$", 137), ("true", 0)])
def test_a_shell_ends_with_the_exit_code_of_its_command_and_closes_the_area(
    vault: Encrypted, command: str, code: int
) -> None:
    assert vault.wfexs.run("shell", vault.root, "--", "sh", "-c", command).returncode == code
    wait_for(vault.is_left_alone, AT_ONCE)


def test_what_programs_keep_for_their_user_stays_in_the_area(vault: Encrypted) -> None:
    before = {path for path in vault.home.rglob("*") if vault.root not in path.parents}
    names = "HOME TMPDIR XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME HISTFILE PYTHON_HISTORY"
    script = (
        f'for one in {names}; do printenv $one; done; mktemp; echo secret > ~/note; mkdir -p "$XDG_CACHE_HOME" && '
        'echo secret > "$XDG_CACHE_HOME/kept"; pwd'
    )
    told = vault.wfexs.run("shell", vault.root, "--", "sh", "-c", script)
    lines = told.stdout.splitlines()
    assert len(lines) == 10
    assert all(f"{line}/".startswith(f"{vault.work}/") for line in lines), lines
    assert {path for path in vault.home.rglob("*") if vault.root not in path.parents} == before
    assert vault.in_clear() == []
    assert vault.wfexs.run("shell", vault.root, "--", "sh", "-c", "cat ~/note").stdout == "secret\n"


def test_with_json_a_shell_tells_one_object_and_its_command_writes_elsewhere(vault: Encrypted) -> None:
    answer = vault.wfexs("shell", vault.root, "--", "sh", "-c", "echo spoken; exit 3")
    assert (answer.code, described(answer.object)["exit_code"]) == (3, 3)
    assert "spoken" in answer.stderr


def test_without_a_command_it_is_the_users_own_shell_on_the_terminal(vault: Encrypted) -> None:
    leader, follower = pty.openpty()
    shell = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *PROGRAM, "shell", str(vault.root)],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "SHELL": "/bin/bash", "PS1": "ready> "},
    )
    os.close(follower)
    wait_for(vault.is_open)
    os.write(leader, b"sleep 600\n")
    wait_for(lambda: any(one.command == "sleep 600" for one in vault.at_work()))
    # Typed to stop what is at work: the shell goes on.
    os.write(leader, b"\x03")
    wait_for(lambda: not any(one.command == "sleep 600" for one in vault.at_work()))
    os.write(leader, b"ls; exit 5\n")
    said = b""
    while shell.poll() is None or b"exit 5" not in said:
        try:
            said += os.read(leader, 4096)
        except OSError:
            break
    os.close(leader)
    assert shell.wait() == 5
    assert b"stage.lock.json" in said
    wait_for(vault.is_left_alone, AT_ONCE)
    assert not list(vault.home.glob(".bash_history"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_shell_that_is_told_to_end_takes_its_command_with_it(vault: Encrypted, number: signal.Signals) -> None:
    shell = vault.start("shell", vault.root, "--", "sh", "-c", "touch began; exec sleep 600")
    wait_for((vault.work / "began").exists)
    assert shell.ended(number) == 128 + number
    wait_for(vault.is_left_alone, AT_ONCE)


def test_what_a_shell_left_running_does_not_keep_the_area_open(vault: Encrypted) -> None:
    script = "setsid sleep 600 </dev/null >/dev/null 2>&1 & echo $!; sleep 0.2"
    began = time.monotonic()
    done = vault.wfexs.run("shell", vault.root, "--", "sh", "-c", script)
    took = time.monotonic() - began
    left = int(done.stdout)
    try:
        assert done.returncode == 0
        assert Path(f"/proc/{left}/cmdline").read_bytes() == b"sleep\x00600\x00"
        assert took < 2 * AT_ONCE
        assert not vault.is_open()
    finally:
        os.kill(left, signal.SIGKILL)


def test_a_plain_one_has_a_shell_too_and_nothing_to_mount(vault: Encrypted) -> None:
    stage = vault.home / "plain.wfex.stage"
    stage.write_text("workflow_id: slow.cwl\nnickname: open\nworkflow_config: {secure: false}\n")
    vault.wfexs.ok("stage", stage)
    told = vault.wfexs.run("shell", "open", "--", "sh", "-c", "ls -A; echo $HOME")
    assert "stage.lock.json" in told.stdout.split()
    assert told.stdout.split()[-1] == str(vault.home)
    for words in (("mount", "open"), ("unmount", "open")):
        answer = vault.wfexs(*words)
        assert (answer.code, "not encrypted" in answer.object["error"]["message"]) == (2, True)
    assert vault.wfexs("recipients", "list", "open").code == 2


# --- mount and unmount ------------------------------------------------------------------------------------------------


def test_a_mounted_one_stays_open_until_it_is_unmounted(vault: Encrypted) -> None:
    first = described(vault.wfexs.ok("mount", vault.root))
    assert (first["content"], first["already"]) == (str(vault.work), False)
    assert (vault.work / "stage.lock.json").exists()
    assert described(vault.wfexs.ok("mount", vault.root))["already"] is True
    assert described(vault.wfexs.ok("list"))["workdirs"][0]["open"] is True
    assert described(vault.wfexs.ok("show", vault.root))["open"] is True
    assert "open now" in vault.wfexs.run("show", vault.root).stdout
    assert vault.wfexs.ok("run", vault.root)["status"] == "completed"
    assert (vault.work / "runs/1").is_dir()
    assert described(vault.wfexs.ok("unmount", vault.root))["closed"] is True
    wait_for(vault.is_left_alone, AT_ONCE)
    assert vault.in_clear() == []
    assert vault.wfexs.ok("unmount", vault.root)["closed"] is False
    assert vault.wfexs.ok("list")["workdirs"][0]["open"] is False


def test_unmounting_under_a_run_says_whose_it_is_and_closes_after_it(vault: Encrypted) -> None:
    vault.wfexs.ok("mount", vault.root)
    run = vault.start_run(2)
    error = vault.wfexs("unmount", vault.root).object["error"]
    assert error["exit_code"] == 11
    assert f"process {run.pid} (" in error["message"]
    assert run.ended() == 0
    wait_for(vault.is_left_alone, AT_ONCE)


def test_it_is_not_unmounted_under_somebody_who_works_in_it_but_by_force(vault: Encrypted) -> None:
    vault.wfexs.ok("mount", vault.root)
    with subprocess.Popen(["sleep", "600"], cwd=vault.work) as sleeper:
        try:
            error = vault.wfexs("unmount", vault.root).object["error"]
            assert error["exit_code"] == 11
            assert f"process {sleeper.pid} (sleep 600)" in error["message"]
            assert vault.is_open()
            assert vault.wfexs.ok("unmount", "--force", vault.root)["closed"] is True
            assert not vault.is_open()
        finally:
            sleeper.kill()


def test_a_killed_keeper_leaves_nothing_open(vault: Encrypted) -> None:
    vault.wfexs.ok("mount", vault.root)
    (keeper,) = (one.number for one in vault.at_work() if "keeper" in cmdline(one.number))
    os.kill(keeper, signal.SIGKILL)
    wait_for(vault.is_left_alone, AT_ONCE)


def test_a_keeper_ends_with_the_server_of_what_it_keeps(vault: Encrypted) -> None:
    vault.wfexs.ok("mount", vault.root)
    os.kill(vault.server(), signal.SIGKILL)
    wait_for(vault.is_left_alone, AT_ONCE)
    assert vault.wfexs.ok("list")["workdirs"][0]["open"] is False


def test_a_keeper_that_ended_leaves_no_number_behind(vault: Encrypted) -> None:
    said = vault.root / "vault" / ".keeper"
    vault.wfexs.ok("mount", vault.root)
    assert "keeper" in cmdline(int(said.read_text()))
    vault.wfexs.ok("unmount", vault.root)
    assert int(said.read_text()) == 0


@pytest.mark.root
@pytest.mark.parametrize("name", [".keeper", ".guard"])
def test_a_disk_that_has_no_room_for_a_number_is_full(vault: Encrypted, name: str) -> None:
    said = vault.root / "vault" / name
    said.touch()
    subprocess.run(["mount", "--bind", "/dev/full", said], check=True)
    try:
        error = vault.wfexs("mount", vault.root).object["error"]
    finally:
        subprocess.run(["umount", said], check=True)
    assert (error["exit_code"], "no space left" in error["message"]) == (13, True)
    wait_for(vault.is_left_alone, AT_ONCE)
    assert vault.wfexs("show", vault.root).code == 0


def test_who_only_has_the_number_of_a_keeper_is_not_ended(vault: Encrypted) -> None:
    said = vault.root / "vault" / ".keeper"
    vault.wfexs.ok("mount", vault.root)
    keeper = said.read_text()
    with subprocess.Popen(["sleep", "600"]) as sleeper:
        try:
            said.write_text(f"{sleeper.pid}\n")
            error = vault.wfexs("unmount", vault.root).object["error"]
            assert (error["exit_code"], f"process {keeper.strip()} (" in error["message"]) == (11, True)
            assert sleeper.poll() is None
        finally:
            sleeper.kill()
    said.write_text(keeper)
    assert vault.wfexs.ok("unmount", vault.root)["closed"] is True


def test_who_only_has_the_lock_of_a_keeper_is_not_ended(vault: Encrypted) -> None:
    said = vault.root / "vault" / ".keeper"
    run = vault.start_run(3)
    with subprocess.Popen(["flock", "--no-fork", said, "sleep", "600"]) as holder:
        try:
            wait_for(lambda: cmdline(holder.pid).startswith("sleep"))
            said.write_text(f"{holder.pid}\n")
            error = vault.wfexs("unmount", vault.root).object["error"]
            assert holder.poll() is None
        finally:
            holder.kill()
    assert (error["exit_code"], f"process {run.pid} (" in error["message"]) == (11, True)
    assert run.ended() == 0


def cmdline(number: int) -> str:
    return Path(f"/proc/{number}/cmdline").read_text()


# --- rm ---------------------------------------------------------------------------------------------------------------


def test_one_that_is_in_use_is_not_removed_and_loses_nothing(vault: Encrypted) -> None:
    vault.wfexs.ok("mount", vault.root)
    answer = vault.wfexs("rm", vault.root, "--yes")
    assert (answer.code, "unmount" in answer.object["error"]["hint"]) == (11, True)
    assert vault.wfexs.ok("show", vault.root)["nickname"] == "secret"
    vault.wfexs.ok("unmount", vault.root)
    vault.wfexs.ok("rm", vault.root, "--yes")
    assert list(vault.root.parent.iterdir()) == []


def test_by_force_it_is_removed_under_its_run_and_its_keeper(vault: Encrypted) -> None:
    vault.wfexs.ok("mount", vault.root)
    run = vault.start_run()
    vault.wfexs.ok("rm", vault.root, "--force")
    assert run.ended() != 0
    assert list(vault.root.parent.iterdir()) == []
    wait_for(lambda: not vault.at_work(), AT_ONCE)


def test_it_can_be_removed_by_who_can_not_open_it(vault: Encrypted) -> None:
    shutil.rmtree(vault.keys)
    vault.wfexs.ok("rm", vault.root, "--force")
    assert list(vault.root.parent.iterdir()) == []


def test_who_is_asked_whether_to_remove_it_is_not_asked_for_a_passphrase(vault: Encrypted) -> None:
    shutil.rmtree(vault.keys)
    leader, follower = pty.openpty()
    os.write(leader, b"n\n")
    with open(follower, "rb", closefd=False) as terminal:
        told = subprocess.run(
            [*PROGRAM, "rm", str(vault.root)], stdin=terminal, stdout=terminal, stderr=terminal, check=False
        )
    said = os.read(leader, 4096).decode()
    os.close(follower)
    os.close(leader)
    assert told.returncode == 1
    assert "it is encrypted, and nobody can open it again? [y/N]" in said
    assert "nothing was removed" in said
    assert vault.root.is_dir()


def _removal_killed_at(vault: Encrypted, line: str) -> None:
    script = (
        "import os, signal, sys, staging.store, staging.workdirs\n"
        "def die(*_): os.kill(os.getpid(), signal.SIGKILL)\n"
        f"{line} = die\n"
        "from wfexs_like.cli.main import entry\n"
        f"sys.argv = ['wfexs-like', 'rm', '--yes', {str(vault.root)!r}]\nentry()\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL


def test_a_removal_that_is_interrupted_before_it_began_has_destroyed_nothing(vault: Encrypted) -> None:
    _removal_killed_at(vault, "staging.workdirs._rename_away")
    assert vault.wfexs.ok("show", vault.root)["nickname"] == "secret"
    vault.wfexs.ok("rm", vault.root, "--yes")
    assert list(vault.root.parent.iterdir()) == []


def test_an_interrupted_removal_leaves_what_opens_for_nobody_and_is_done_later(vault: Encrypted) -> None:
    _removal_killed_at(vault, "staging.store.ContentStore.remove_tree")
    assert vault.wfexs("show", vault.root).code == 10
    (left,) = vault.root.parent.iterdir()
    assert left.name.startswith(".doomed-")
    assert list((left / "vault/data").iterdir())
    assert not (left / "vault/key.c4gh").exists()
    assert not (left / "vault/data/gocryptfs.conf").exists()
    assert Workdirs(vault.root.parent).sweep() == 1
    assert list(vault.root.parent.iterdir()) == []


# --- recipients -------------------------------------------------------------------------------------------------------


def test_others_are_let_in_listed_and_let_out_again(vault: Encrypted) -> None:
    others = vault.home / "others"
    vault.wfexs.ok("keys", "init", "--no-passphrase", WFEXS_LIKE_KEYS=str(others))
    ssh = vault.home / "ada"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f", ssh], check=True)
    own = described(vault.wfexs.ok("recipients", "list", vault.root))
    assert [one["own"] for one in own["recipients"]] == [True]
    refused = vault.wfexs("show", vault.root, WFEXS_LIKE_KEYS=str(others))
    assert (refused.code, "for other keys than this" in refused.object["error"]["message"]) == (12, True)

    keys = ("--recipient", others / "wfexs-like.pub", "--recipient", f"{ssh}.pub")
    added = described(vault.wfexs.ok("recipients", "add", vault.root, *keys))
    assert [one["label"] == "ada" for one in added["recipients"]] == [False, False, True]
    assert len(added["added"]) == 2
    assert vault.wfexs.ok("show", vault.root, WFEXS_LIKE_KEYS=str(others))["nickname"] == "secret"
    seen = vault.wfexs.ok("recipients", "list", vault.root, "--key", ssh)["recipients"]
    assert [one["label"] for one in seen if one["own"]] == ["ada"]

    removed = vault.wfexs("recipients", "remove", vault.root, *keys[:2])
    assert described(removed.object)["removed"] == added["added"][:1]
    assert any("kept the password" in line for line in removed.object["warnings"])
    assert "may have kept" in removed.stderr
    assert vault.wfexs("show", vault.root, WFEXS_LIKE_KEYS=str(others)).code == 12
    vault.wfexs.ok("recipients", "remove", vault.root, "--recipient", added["added"][1])
    assert len(vault.wfexs.ok("recipients", "list", vault.root)["recipients"]) == 1
    assert vault.wfexs.ok("show", vault.root)["nickname"] == "secret"


def test_nobody_is_left_outside_by_mistake(vault: Encrypted) -> None:
    own = vault.keys / "wfexs-like.pub"
    assert vault.wfexs("recipients", "remove", vault.root, "--recipient", own).code == 14
    assert vault.wfexs("recipients", "remove", vault.root, "--recipient", own, "--even-own").code == 14
    assert vault.wfexs("recipients", "remove", vault.root, "--recipient", "SHA256:nobody").code == 10
    label = vault.wfexs("recipients", "remove", vault.root, "--recipient", "ada").object["error"]
    assert (label["exit_code"], "recipients list" in label["hint"]) == (10, True)
    assert vault.wfexs("recipients", "add", vault.root).code == 2
    assert vault.wfexs("recipients", "add", vault.root, "--recipient", "nowhere.pub").code == 10
    assert vault.wfexs("recipients", "add", vault.root, "--recipient", vault.keys / "wfexs-like.sec").code == 12
    assert len(vault.wfexs.ok("recipients", "list", vault.root)["recipients"]) == 1


def test_the_recipients_of_a_sealed_file_are_its_own(vault: Encrypted) -> None:
    sealed = vault.home / "note.c4gh"
    shutil.copy(vault.root / "vault/key.c4gh", sealed)
    body = sealed.read_bytes()[-60:]
    ssh = vault.home / "ada"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f", ssh], check=True)
    told = described(vault.wfexs.ok("recipients", "add", sealed, "--recipient", f"{ssh}.pub"))
    assert (told["kind"], len(told["recipients"])) == ("archive", 2)
    assert sealed.read_bytes()[-60:] == body
    assert len(vault.wfexs.ok("recipients", "list", sealed, "--key", ssh)["recipients"]) == 2
    assert vault.wfexs("recipients", "list", vault.home / "slow.cwl").code in (5, 9)


def test_a_new_one_is_made_for_others_as_well(vault: Encrypted) -> None:
    others = vault.home / "others"
    vault.wfexs.ok("keys", "init", "--no-passphrase", WFEXS_LIKE_KEYS=str(others))
    told = vault.wfexs.ok("stage", vault.home / "slow.wfex.stage", "--recipient", others / "wfexs-like.pub")
    assert vault.wfexs.ok("show", told["id"], WFEXS_LIKE_KEYS=str(others))["nickname"] == "secret-2"
    stage = vault.home / "plain.wfex.stage"
    stage.write_text("workflow_id: slow.cwl\nworkflow_config: {secure: false}\n")
    assert vault.wfexs("stage", stage, "--recipient", others / "wfexs-like.pub").code == 2


def test_who_had_a_key_and_lost_it_stages_nothing_in_clear_by_mistake(vault: Encrypted) -> None:
    stage = vault.home / "silent.wfex.stage"
    stage.write_text("workflow_id: slow.cwl\n")
    lost = {"WFEXS_LIKE_KEYS": str(vault.home / "elsewhere")}
    error = vault.wfexs("stage", stage, **lost).object["error"]
    assert (error["exit_code"], "secret is encrypted" in error["message"]) == (12, True)
    stage.write_text("workflow_id: slow.cwl\nvault: plain\n")
    assert Path(vault.wfexs.ok("stage", stage, **lost)["path"]).is_dir()


def test_what_a_removal_by_hand_leaves_is_told_with_its_remedy(vault: Encrypted) -> None:
    vault.wfexs.ok("show", vault.root)
    wait_for(vault.is_left_alone, AT_ONCE)
    shutil.rmtree(vault.root, ignore_errors=True)
    if not vault.work.exists():
        pytest.skip("where nobody is root nothing is left")
    assert f"{vault.root} is no working directory" in vault.wfexs.run("list").stderr
    error = vault.wfexs("rm", "--yes", vault.root.name).object["error"]
    assert error["exit_code"] == 10
    assert f"chattr -i {vault.work}" in error["hint"]
    assert subprocess.run(["chattr", "-i", vault.work], check=False).returncode == 0
    shutil.rmtree(vault.root)


def test_an_open_one_that_was_removed_by_hand_is_closed_as_the_hint_says(vault: Encrypted) -> None:
    vault.wfexs.ok("mount", vault.root)
    shutil.rmtree(vault.root, ignore_errors=True)
    hint = vault.wfexs("rm", "--yes", vault.root.name).object["error"]["hint"]
    assert f"fusermount3 -u {vault.work}" in hint
    subprocess.run(["sh", "-c", f"{hint.split(chr(34))[1]}; chmod u+w {vault.work}"], check=False)
    wait_for(vault.is_left_alone, AT_ONCE)
    shutil.rmtree(vault.root)


# --- start-up ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["list", "unmount secret", "show secret", "shell secret -- ls"])
def test_the_libraries_for_keys_are_loaded_only_where_a_key_is_needed(vault: Encrypted, line: str) -> None:
    vault.wfexs.ok("mount", vault.root)
    script = (
        f"import sys\nfrom wfexs_like.cli.main import main\nmain({line.split()!r})\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'crypt4gh', 'cryptography', 'nacl'}),"
        " file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "[]", done.stderr


@pytest.mark.parametrize("verb", ["shell", "mount"])
def test_the_other_names_of_verbs_work(vault: Encrypted, verb: str) -> None:
    words = ("--", "true") if verb == "shell" else ()
    done = vault.wfexs.run("staged-workdir", verb, vault.root, *words)
    assert done.returncode == 0
    assert f'"staged-workdir {verb}" is "wfexs-like {verb}" here' in done.stderr
