from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from staging.errors import WfexsError
from staging.process import PIPE, MissingToolError, ProcessError, base_environment, find_tool, run, start

SH = ("sh", "-c")
ENV = base_environment()


def _gone(pid: int, within: float = 5.0) -> bool:
    """Whether the process ends (a zombie nobody has collected yet counts as ended)."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_what_a_program_says_and_how_it_ends_come_back() -> None:
    done = run((*SH, "cat; echo aside >&2; exit 3"), env=ENV, input=b"x" * 1_000_000, check=False)

    assert (done.code, done.stdout, done.stderr) == (3, b"x" * 1_000_000, b"aside\n")


def test_an_argument_is_never_read_by_a_shell() -> None:
    arguments = ("$(touch x)", "a b", "`id`", "; exit 1", "*", "\n", "-n", "é")

    assert run(("printf", "%s|", *arguments), env=ENV).stdout.decode() == "".join(f"{one}|" for one in arguments)


def test_the_environment_is_the_one_given_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "x")

    lines = run(("env",), env=base_environment(ONLY="this")).stdout.decode().splitlines()

    assert {line.partition("=")[0] for line in lines} == {"PATH", "LANG", "LC_ALL", "ONLY"}


def test_a_failure_is_a_sentence_with_the_last_words() -> None:
    with pytest.raises(ProcessError, match=r"^sh failed with 3: second\?\[31m$") as caught:
        run((*SH, "echo first >&2; printf 'second\\033[31m\\n\\n' >&2; exit 3"), env=ENV)

    assert caught.value.completed.code == 3


def test_an_end_by_signal_is_named() -> None:
    with pytest.raises(ProcessError, match="was ended by SIGKILL"):
        run((*SH, "kill -9 $$"), env=ENV)


def test_a_program_that_is_not_there_is_a_sentence_and_how_to_get_it() -> None:
    with pytest.raises(MissingToolError, match="'git' is needed and not there") as caught:
        run(("git", "--version"), env={"PATH": "/nonexistent"})

    assert "apt-get install git" in (caught.value.hint or "")


@pytest.mark.parametrize("argv", [("true\0",), ("true", "a\0b"), ("/",), ("",)])
def test_what_can_not_be_started_is_a_sentence(argv: tuple[str, ...]) -> None:
    with pytest.raises(WfexsError):
        run(argv, env=ENV)


def test_a_folder_that_is_not_there_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(WfexsError, match="no such file") as caught:
        run(("true",), env=ENV, cwd=tmp_path / "none")

    assert not isinstance(caught.value, MissingToolError)


def test_a_program_that_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/pid; trap '' TERM; sleep 60"
    started = time.monotonic()

    with pytest.raises(ProcessError, match="took too long") as caught:
        run((*SH, script), env=ENV, timeout=0.5)

    assert caught.value.reason == "timeout"
    assert time.monotonic() - started < 10
    assert _gone(int((tmp_path / "pid").read_text()))


def test_giving_up_ends_the_program() -> None:
    cancelled = threading.Event()
    threading.Timer(0.2, cancelled.set).start()

    with pytest.raises(ProcessError) as caught:
        run((*SH, "sleep 60"), env=ENV, cancelled=cancelled)

    assert caught.value.reason == "cancelled"


def test_a_child_is_stopped_when_its_block_is_left(tmp_path: Path) -> None:
    with pytest.raises(KeyError), start((*SH, f"sleep 60 & echo $! > {tmp_path}/pid; wait"), env=ENV) as child:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
            time.sleep(0.01)
        raise KeyError

    assert child.poll() == -signal.SIGTERM
    assert _gone(int((tmp_path / "pid").read_text()))


def test_a_child_leads_a_session_of_its_own() -> None:
    with start(("sleep", "60"), env=ENV) as child:
        assert os.getsid(child.pid) == child.pid
        assert child.wait(0.05) is None
        child.signal(signal.SIGINT)
        assert child.wait(5) == -signal.SIGINT


def test_a_child_can_be_talked_with_over_pipes() -> None:
    with start(("cat",), env=ENV, stdin=PIPE, stdout=PIPE) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(b"hello\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"hello\n"
        child.stdin.close()
        assert child.wait(5) == 0


def test_only_the_descriptors_that_are_passed_arrive() -> None:
    passed, kept = os.pipe()
    other, another = os.pipe()
    for descriptor in (passed, kept, other, another):
        os.set_inheritable(descriptor, True)
    try:
        listing = run((*SH, "ls /proc/self/fd"), env=ENV, pass_fds=(kept,)).stdout.split()
    finally:
        for descriptor in (passed, kept, other, another):
            os.close(descriptor)

    assert str(kept).encode() in listing
    assert not {str(one).encode() for one in (passed, other, another) if one > 4} & set(listing)


def test_a_tool_is_looked_for_on_the_path_that_is_given() -> None:
    assert find_tool("sh", ENV) is not None
    assert find_tool("sh", {"PATH": "/nonexistent"}) is None
