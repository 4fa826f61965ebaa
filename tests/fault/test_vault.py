"""Encrypted working directories when something goes wrong: whoever is killed, damaged, missing, full or in the way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from staging.errors import WfexsError
from tests.conftest import ROOT, Command
from tests.support.vaults import (
    PROGRAM,
    STAGE,
    WORKFLOW,
    Encrypted,
    Going,
    children_of,
    dissolve_all,
    staged_once,
    vault,
    wait_for,
)
from tests.support.web import File, WebServer
from wfexs_like.session import Session
from wfexs_like.settings import Settings
from wfexs_like.vault import lifetime
from wfexs_like.vault.server import is_stopped

__all__ = ["staged_once", "vault"]

pytestmark = [pytest.mark.gocryptfs, pytest.mark.fuse, pytest.mark.cwltool]

AT_ONCE = 10.0


# --- killed -----------------------------------------------------------------------------------------------------------


def test_nothing_is_left_open_when_its_only_user_is_killed(vault: Encrypted) -> None:
    times = []
    for number in (1, 2, 3):
        run = vault.start_run()
        began = time.monotonic()
        run.ended(signal.SIGKILL)
        wait_for(vault.is_left_alone, AT_ONCE)
        times.append(time.monotonic() - began)
        assert vault.in_clear() == []
        assert vault.status(number) == "killed"
    # Within a second is what is promised; one of three is quick on a machine that is busy, too.
    assert min(times) < 2


def test_a_run_whose_server_is_killed_is_stopped_at_once_and_told_as_killed(vault: Encrypted) -> None:
    run = vault.start_run()
    os.kill(vault.server(), signal.SIGKILL)
    began = time.monotonic()
    error = run.error()
    assert time.monotonic() - began < AT_ONCE
    assert error["exit_code"] == 7
    assert "encrypted area went away" in error["message"]
    wait_for(vault.is_left_alone, AT_ONCE)
    assert vault.in_clear() == []
    assert vault.status(1) == "killed"
    assert vault.wfexs.ok("run", vault.root)["status"] == "completed"
    assert vault.in_clear() == []


def test_a_run_whose_guard_is_killed_goes_on_and_is_closed_after_it(vault: Encrypted) -> None:
    run = vault.start_run(1)
    os.kill(vault.guard(), signal.SIGKILL)
    assert run.ended() == 0
    wait_for(vault.is_left_alone, AT_ONCE)
    assert vault.status(1) == "completed"


def slow_gocryptfs(vault: Encrypted, tell: str, seconds: float) -> Path:
    """A folder of programs whose gocryptfs writes the file ``called``, with the command ``tell``, and waits a while."""
    tools = vault.home / "bin"
    tools.mkdir()
    real = shutil.which("gocryptfs")
    (tools / "gocryptfs").write_text(f'#!/bin/sh\n{tell} {tools}/called; sleep {seconds}\nexec {real} "$@"\n')
    (tools / "gocryptfs").chmod(0o755)
    return tools


def test_what_is_opened_for_one_who_is_killed_meanwhile_is_closed_at_once(vault: Encrypted) -> None:
    tools = slow_gocryptfs(vault, "touch", 0.5)
    argv = ["env", f"PATH={tools}:{os.environ['PATH']}", *vault.wfexs.argv, "show", str(vault.root)]

    def kill() -> None:
        going = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for((tools / "called").exists)
        going.kill()
        going.communicate()
        assert vault.at_work()
        wait_for(vault.is_left_alone, AT_ONCE)
        (tools / "called").unlink()

    kill()
    # One that never comes to an end is ended.
    (tools / "gocryptfs").write_text(f"#!/bin/sh\ntouch {tools}/called; exec sleep 1000 < {vault.root}/workdir.json\n")
    kill()


def test_the_next_command_closes_what_a_killed_guard_and_its_killed_user_left(vault: Encrypted) -> None:
    run = vault.start_run()
    for number in (vault.guard(), run.pid):
        os.kill(number, signal.SIGKILL)
    run.ended()
    assert vault.is_open()
    assert vault.status(1) == "killed"
    wait_for(vault.is_left_alone, AT_ONCE)


def test_another_user_adopts_a_mount_whose_guard_is_killed(vault: Encrypted) -> None:
    run = vault.start_run()
    os.kill(vault.guard(), signal.SIGKILL)
    assert vault.status(1) == "running"
    # The one that came meanwhile left a guard behind.
    run.ended(signal.SIGKILL)
    wait_for(vault.is_left_alone, AT_ONCE)


@pytest.fixture
def slowly(vault: Encrypted) -> Path:
    """A folder of programs whose gocryptfs says that it was called, and takes a moment before it begins."""
    return slow_gocryptfs(vault, "echo $PPID >", 0.2)


def opening(vault: Encrypted, tools: Path) -> tuple[Going, int]:
    """A command that is about to mount it, and the number of its guard."""
    path = f"PATH={tools}:{os.environ['PATH']}"
    going = Going(["env", path, *vault.wfexs.argv, "--json", "show", str(vault.root)])
    guard = wait_for(lambda: (tools / "called").exists() and (tools / "called").read_text().strip())
    return going, int(guard)


def test_a_guard_that_is_killed_while_it_mounts_leaves_nothing_open(vault: Encrypted, slowly: Path) -> None:
    going, guard = opening(vault, slowly)
    os.kill(guard, signal.SIGKILL)
    told = going.error()
    assert (told["exit_code"], "was killed" in told["message"]) == (7, True), told
    assert vault.is_left_alone()


@pytest.mark.parametrize("late", [False, True])
def test_what_a_guard_and_its_user_began_before_both_were_killed_is_closed_by_the_next_command(
    vault: Encrypted, slowly: Path, late: bool
) -> None:
    going, guard = opening(vault, slowly)
    os.kill(guard, signal.SIGKILL)
    going.ended(signal.SIGKILL)
    if late:
        wait_for(vault.is_open)
    assert vault.wfexs.ok("show", vault.root)["runs"] == []
    wait_for(vault.is_left_alone, 2)


@pytest.mark.parametrize("waits", [True, False], ids=["waiting-for-users", "closing"])
def test_a_guard_that_is_stopped_is_not_waited_for_and_named_to_the_next(
    vault: Encrypted, monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    monkeypatch.setattr(lifetime, "_SHORT", 0.1)
    with Session(Settings.load(os.environ)).opened(str(vault.root)):
        guard = vault.guard()
        os.kill(guard, signal.SIGSTOP)
        if waits:
            wait_for(lambda: is_stopped(guard))
    assert not vault.is_open()
    refused = vault.start("show", vault.root).error()
    assert (refused["exit_code"], f"process {guard} " in refused["message"]) == (11, True)
    assert f"kill -CONT {guard}" in refused["hint"]
    os.kill(guard, signal.SIGCONT)
    wait_for(vault.is_left_alone, 2)
    assert vault.wfexs.ok("show", vault.root)["runs"] == []


def test_a_run_whose_engine_is_killed_fails_and_the_area_is_closed(vault: Encrypted) -> None:
    run = vault.start_run()
    (namespace,) = (one for one in children_of(run.pid))
    (engine,) = children_of(namespace)
    os.kill(engine, signal.SIGKILL)
    assert run.ended() == 8
    wait_for(vault.is_left_alone, AT_ONCE)
    assert vault.status(1) == "failed"


def test_what_a_killed_user_left_among_the_temporary_files_is_removed_by_the_next_one(vault: Encrypted) -> None:
    leave = 'exec >/dev/null 2>&1; echo secret > "$TMPDIR/left"; touch began; exec sleep 20'
    shell = vault.start("shell", vault.root, "--", "sh", "-c", leave)
    wait_for((vault.work / "began").exists)
    shell.ended(signal.SIGKILL)
    wait_for(lambda: not vault.is_open(), 5 * AT_ONCE)
    told = vault.wfexs.run("shell", vault.root, "--", "ls", "-A", ".scratch")
    assert (told.returncode, told.stdout) == (0, "")


def test_an_interrupted_run_leaves_nothing_open(vault: Encrypted) -> None:
    run = vault.start_run()
    assert run.ended(signal.SIGINT) == 130
    wait_for(vault.is_left_alone, AT_ONCE)
    assert vault.status(1) == "killed"


# --- in the way -------------------------------------------------------------------------------------------------------


def test_a_mount_whose_server_died_is_repaired_by_the_next_command(vault: Encrypted) -> None:
    vault.wfexs.ok("mount", vault.root)
    server, guard = vault.server(), vault.guard()
    for number in (guard, server):
        os.kill(number, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{server}").exists())
    with pytest.raises(OSError, match="not connected"):
        vault.work.stat()
    assert vault.wfexs.ok("show", vault.root)["runs"] == []
    wait_for(vault.is_left_alone, AT_ONCE)


def test_a_server_that_is_stopped_keeps_nobody_waiting(vault: Encrypted) -> None:
    run = vault.start_run()
    server = vault.server()
    os.kill(server, signal.SIGSTOP)
    began = time.monotonic()
    error = vault.start("show", vault.root).error()
    assert (error["exit_code"], f"process {server}, which serves it, is stopped" in error["message"]) == (11, True)
    assert f"kill -CONT {server}" in error["hint"]
    assert run.error()["exit_code"] == 7
    assert time.monotonic() - began < 2 * AT_ONCE
    wait_for(vault.is_left_alone, AT_ONCE)
    assert vault.status(1) == "killed"
    assert vault.in_clear() == []


def test_who_stopped_a_server_goes_on_with_it(vault: Encrypted) -> None:
    vault.wfexs.ok("mount", vault.root)
    os.kill(vault.server(), signal.SIGSTOP)
    shown = vault.start("show", vault.root)
    time.sleep(1)
    os.kill(vault.server(), signal.SIGCONT)
    assert shown.ended() == 0
    os.kill(vault.server(), signal.SIGSTOP)
    assert vault.wfexs.ok("unmount", vault.root)["closed"] is True
    wait_for(vault.is_left_alone, AT_ONCE)


def test_what_a_stopped_server_serves_can_be_removed_under_its_users(vault: Encrypted) -> None:
    run = vault.start_run()
    os.kill(vault.server(), signal.SIGSTOP)
    vault.wfexs.ok("rm", vault.root, "--yes", "--force")
    assert run.ended() == 7
    assert not vault.root.exists()


@pytest.mark.root
@pytest.mark.tmpfs
def test_what_somebody_else_mounted_there_is_refused_and_left_alone(vault: Encrypted) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "stranger", vault.work], check=True)
    try:
        error = vault.wfexs("run", vault.root).object["error"]
        assert error["exit_code"] == 7
        assert "something else is mounted" in error["message"]
        assert "stranger" in error["message"]
        assert list(vault.work.iterdir()) == []
        assert vault.wfexs("rm", vault.root, "--yes", "--force").code == 7
        assert list(vault.work.iterdir()) == []
    finally:
        subprocess.run(["umount", vault.work], check=True)
    assert vault.wfexs.ok("show", vault.root)["runs"] == []


def test_files_in_clear_where_it_belongs_are_named_and_kept(vault: Encrypted) -> None:
    vault.work.chmod(0o700)
    (vault.work / "patients.csv").write_text("in clear")
    error = vault.wfexs("run", vault.root).object["error"]
    assert error["exit_code"] == 14
    assert "patients.csv" in error["message"]
    assert (vault.work / "patients.csv").read_text() == "in clear"
    assert not vault.is_open()


@pytest.mark.root
def test_nobody_writes_where_it_belongs_while_it_is_closed(vault: Encrypted) -> None:
    vault.wfexs.ok("show", vault.root)
    with pytest.raises(PermissionError):
        (vault.work / "file").write_text("in clear")


# --- damaged and missing ----------------------------------------------------------------------------------------------


DAMAGES: dict[str, tuple[bytes | None, ...]] = {
    "vault/data/gocryptfs.conf": (None, b"{}", b""),
    "vault/data/gocryptfs.diriv": (None,),
    "vault/key.c4gh": (None, b"", b"crypt4gh"),
}


def test_what_is_damaged_is_named_and_nothing_is_made_anew(vault: Encrypted) -> None:
    for name, damages in DAMAGES.items():
        path = vault.root / name
        path.chmod(0o600)
        sound = path.read_bytes()
        for damage in damages:
            path.unlink()
            if damage is not None:
                path.write_bytes(damage)
            answer = vault.wfexs("show", vault.root)
            assert answer.code == 7, (name, damage, answer.object)
            assert (path.read_bytes() if path.exists() else None) == damage, name
            wait_for(vault.is_left_alone, AT_ONCE)
            path.write_bytes(sound)
    assert vault.wfexs.ok("show", vault.root)["runs"] == []


def test_a_wrapped_password_that_is_cut_is_said_to_be_damaged(vault: Encrypted) -> None:
    path = vault.root / "vault/key.c4gh"
    path.write_bytes(path.read_bytes()[:-1])
    error = vault.wfexs("show", vault.root).object["error"]
    assert error["exit_code"] == 7
    assert "key of the encrypted area is damaged" in error["message"]


def test_a_wrong_a_missing_and_a_loose_key_are_told_apart(vault: Encrypted) -> None:
    private = vault.keys / "wfexs-like.sec"
    private.chmod(0o644)
    assert vault.wfexs("run", vault.root).code == 14
    private.unlink()
    answer = vault.wfexs("run", vault.root)
    assert (answer.code, "has no key" in answer.object["error"]["message"]) == (12, True)
    shutil.rmtree(vault.keys)
    vault.wfexs.ok("keys", "init", "--no-passphrase")
    assert vault.wfexs("run", vault.root).code == 12
    wait_for(vault.is_left_alone, AT_ONCE)


def test_a_second_recipient_opens_it_when_the_packet_of_the_first_is_damaged(vault: Encrypted) -> None:
    others = vault.home / "others"
    vault.wfexs.ok("keys", "init", "--no-passphrase", WFEXS_LIKE_KEYS=str(others))
    path = vault.root / "vault/key.c4gh"
    before = path.read_bytes()
    vault.wfexs.ok("recipients", "add", vault.root, "--recipient", others / "wfexs-like.pub")
    after = bytearray(path.read_bytes())
    # The first packet of a header is the first recipient's: crypt4gh 1.0, a header of 16 bytes, packets of 108.
    assert after[16 : 16 + 108] == before[16 : 16 + 108]
    after[16 + 100] ^= 1
    path.write_bytes(after)
    assert vault.wfexs("show", vault.root).code == 12
    assert vault.wfexs.ok("show", vault.root, WFEXS_LIKE_KEYS=str(others))["nickname"] == "secret"


def test_a_copied_and_a_renamed_folder_open_and_an_exchanged_one_does_not(vault: Encrypted) -> None:
    moved = vault.home / "elsewhere" / vault.root.name
    shutil.copytree(vault.root, moved)
    try:
        assert vault.wfexs.ok("show", moved, "--workdirs", moved.parent)["nickname"] == "secret"
        second = Path(vault.wfexs.ok("stage", vault.home / "slow.wfex.stage")["path"])
        shutil.rmtree(vault.root / "vault")
        shutil.copytree(second / "vault", vault.root / "vault")
        error = vault.wfexs("show", vault.root).object["error"]
        assert error["exit_code"] == 7
        assert "another working directory" in error["message"]
        wait_for(vault.is_left_alone, AT_ONCE)
    finally:
        dissolve_all(moved.parent)


# --- several at once --------------------------------------------------------------------------------------------------


def test_while_somebody_still_uses_what_a_dead_server_served_the_next_command_says_so(vault: Encrypted) -> None:
    shell = vault.start("shell", vault.root, "--", "sh", "-c", "touch begun; cd /; exec sleep 30 >/dev/null 2>&1")
    wait_for(lambda: vault.is_open() and (vault.work / "begun").exists())
    # It would see the end of what served it, and end as well.
    os.kill(shell.pid, signal.SIGSTOP)
    os.kill(vault.server(), signal.SIGKILL)
    answer = vault.wfexs("show", vault.root)
    assert answer.code == 11
    assert "others still use what it served" in answer.object["error"]["message"]
    shell.ended(signal.SIGKILL)
    assert vault.wfexs.ok("show", vault.root)["runs"] == []
    wait_for(vault.is_left_alone, AT_ONCE)


def test_a_way_to_it_that_leads_through_a_link_is_as_good_as_any(
    vault: Encrypted, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = vault.home / "by-way"
    link.symlink_to(vault.root.parent)
    monkeypatch.setenv("WFEXS_LIKE_WORKDIRS", str(link))
    run = vault.start_run(2)
    assert vault.wfexs.ok("show", "last")["runs"][0]["status"] == "running"
    assert vault.wfexs.ok("list")["workdirs"][0]["open"] is True
    assert run.ended() == 0
    wait_for(vault.is_left_alone, AT_ONCE)
    vault.wfexs.ok("rm", "last")
    assert not vault.root.exists()


def test_eight_commands_at_once_share_one_mount_and_leave_none(vault: Encrypted) -> None:
    shows = [vault.start("show", vault.root) for _ in range(8)]
    assert [one.ended() for one in shows] == [0] * 8
    wait_for(vault.is_left_alone, AT_ONCE)


def test_eight_threads_at_once_share_one_mount_and_leave_none(vault: Encrypted) -> None:
    session = Session(Settings.load(os.environ))
    seen: list[str] = []

    def look() -> None:
        try:
            seen.extend(session.show(str(vault.root)).nickname for _ in range(3))
        except WfexsError as error:
            seen.append(error.message)

    threads = [threading.Thread(target=look) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert seen == ["secret"] * 24
    wait_for(vault.is_left_alone, AT_ONCE)


def test_two_runs_and_a_stage_at_once_do_not_disturb_each_other(vault: Encrypted) -> None:
    first = vault.start_run(2)
    second = vault.start("run", vault.root, "--param", "seconds=1")
    third = vault.start("stage", vault.home / "slow.wfex.stage", "--nickname", "third")
    assert [one.ended() for one in (first, second, third)] == [0, 0, 0]
    assert (vault.status(1), vault.status(2)) == ("completed", "completed")
    wait_for(vault.is_left_alone, AT_ONCE)


@pytest.mark.root
@pytest.mark.netns
def test_one_that_is_open_in_another_mount_namespace_is_said_to_be(vault: Encrypted) -> None:
    run = vault.start_run()
    script = f'umount -l "{vault.work}" && exec "$0" --json show "{vault.root}"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, *PROGRAM], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "can't be seen from here" in done.stderr) == (11, True), done.stderr
    assert vault.status(1) == "running"
    assert run.ended(signal.SIGTERM) == 143
    wait_for(vault.is_left_alone, AT_ONCE)


# --- not to be had ----------------------------------------------------------------------------------------------------


@pytest.fixture
def secret_stage(vault: Encrypted) -> Iterator[tuple[WebServer, Path]]:
    """A stage file of which everything comes from a web server that counts."""
    with WebServer() as web:
        web.files["/slow.cwl"] = File(WORKFLOW.encode())
        stage = vault.home / "web.wfex.stage"
        stage.write_text(STAGE.replace("slow.cwl", web.url("/slow.cwl")))
        yield web, stage


@pytest.mark.parametrize("missing", ["gocryptfs", "fusermount"])
def test_without_its_programs_nothing_is_asked_for_and_nothing_made(
    vault: Encrypted, secret_stage: tuple[WebServer, Path], missing: str
) -> None:
    web, stage = secret_stage
    tools = vault.home / "bin"
    tools.mkdir()
    for folder in ("/usr/bin", "/bin"):
        for path in Path(folder).iterdir():
            if missing not in path.name and not (tools / path.name).exists():
                (tools / path.name).symlink_to(path)
    answer = vault.wfexs("stage", stage, PATH=str(tools))
    assert (answer.code, missing in answer.object["error"]["message"]) == (7, True)
    assert vault.wfexs("run", vault.root, PATH=str(tools)).code == 7
    assert web.requests == []
    assert [one.name for one in vault.root.parent.iterdir()] == [vault.root.name]
    assert vault.wfexs.ok("stage", stage)["nickname"] == "secret-2"


@pytest.mark.root
@pytest.mark.tmpfs
def test_without_the_device_nothing_is_asked_for(vault: Encrypted, secret_stage: tuple[WebServer, Path]) -> None:
    web, stage = secret_stage
    devices = vault.home / "dev"
    devices.mkdir()
    script = (
        f"mount -t tmpfs none {devices} && for one in null zero urandom random; do touch {devices}/$one &&"
        f' mount --bind /dev/$one {devices}/$one; done && mount --move {devices} /dev && exec "$0" --json stage {stage}'
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, *PROGRAM], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "no /dev/fuse" in done.stderr) == (7, True), done.stderr
    assert web.requests == []


def test_without_a_key_nothing_is_asked_for(vault: Encrypted, secret_stage: tuple[WebServer, Path]) -> None:
    web, stage = secret_stage
    shutil.rmtree(vault.keys)
    assert vault.wfexs("stage", stage).code == 12
    assert web.requests == []


@pytest.fixture
def small_disk(vault: Encrypted, tmp_path: Path) -> Iterator[Path]:
    """A small ext4 for working directories."""
    image, disk = tmp_path / "image", tmp_path / "disk"
    disk.mkdir()
    with image.open("wb") as stream:
        stream.truncate(24 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True, env={"PATH": "/sbin:/usr/sbin:/bin:/usr/bin"})
    mounted = subprocess.run(["mount", "-o", "loop", image, disk], capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"tmpfs: no loop device: {mounted.stderr}")
    try:
        yield disk
        dissolve_all(disk)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.root
@pytest.mark.tmpfs
def test_a_full_disk_is_told_as_one_and_nothing_is_lost(vault: Encrypted, small_disk: Path) -> None:
    (small_disk / "lost+found").rmdir()
    root = small_disk / vault.root.name
    shutil.copytree(vault.root, root)
    wfexs = Command((*PROGRAM, "--workdirs", str(small_disk)))
    assert wfexs.ok("run", root)["status"] == "completed"
    filler = small_disk / "filler"
    with filler.open("wb") as stream, pytest.raises(OSError, match="No space"):
        while True:
            stream.write(bytes(1 << 12))
            stream.flush()
    full = wfexs("run", root)
    assert full.code in (8, 13), full
    assert wfexs("stage", vault.home / "slow.wfex.stage").code == 13
    filler.unlink()
    assert next(one["run"] for one in wfexs.ok("show", root)["runs"]) == 1
    assert wfexs.ok("run", root)["status"] == "completed"
    assert sorted(one.name for one in small_disk.iterdir()) == [root.name]


# --- not root ---------------------------------------------------------------------------------------------------------


@pytest.mark.root
def test_an_ordinary_user_stages_runs_and_can_not_write_where_it_belongs() -> None:
    nobody = 65534
    become = ("setpriv", f"--reuid={nobody}", "--clear-groups")
    with tempfile.TemporaryDirectory(prefix="wfexs-like-") as folder:
        home = Path(folder)
        (home / "slow.cwl").write_text(WORKFLOW)
        (home / "slow.wfex.stage").write_text(STAGE)
        for path in (home, *home.iterdir()):
            os.chown(path, nobody, nobody)
        names = {f"WFEXS_LIKE_{name.upper()}": str(home / name) for name in ("cache", "workdirs", "keys")}
        environment = {"HOME": folder, "WFEXS_LIKE_CONFIG": str(home / "config.toml"), **names}
        wfexs = Command((*become, *_program_for_others(environment)), environment=environment)
        wfexs.ok("keys", "init", "--no-passphrase")
        root = Path(wfexs.ok("stage", home / "slow.wfex.stage", cwd=home)["path"])
        assert wfexs.ok("run", root, cwd=home)["status"] == "completed"
        work = root / "work"
        assert work.stat().st_mode & 0o777 == 0o500
        writing = [*become, "touch", work / "file"]
        assert subprocess.run(writing, capture_output=True, check=False).returncode != 0
        assert list(work.iterdir()) == []
        wfexs.ok("rm", root, "--yes", cwd=home)
        assert list(root.parent.iterdir()) == []


def _program_for_others(environment: dict[str, str]) -> tuple[str, ...]:
    """The command by an interpreter that is not in root's own home."""
    python = Path(sys.executable).resolve()
    if all(path.stat().st_mode & 1 for path in (python, *python.parents)):
        return PROGRAM
    other = Path("/usr/bin") / f"python3.{sys.version_info.minor}"
    if not other.exists():
        pytest.skip(f"root: no interpreter that others may start: {python}")
    environment["PYTHONPATH"] = os.pathsep.join(one for one in sys.path if one and "site-packages" in one)
    environment["PYTHONPATH"] += f"{os.pathsep}{ROOT}"
    return (str(other), "-c", "from wfexs_like.cli.main import entry; entry()")
