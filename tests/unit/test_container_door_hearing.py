"""Who is at the door harms neither the others nor the run, whatever is said."""

from __future__ import annotations

import array
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engines.containers.answers import names
from engines.containers.calls import read_run
from engines.containers.hearing import Caller, Hearing
from staging.errors import PolicyError


@contextmanager
def heard(folder: Path, called: object) -> Iterator[None]:
    """Somebody listens."""
    hearing = Hearing(folder, "word", called)  # type: ignore[arg-type]
    try:
        yield
    finally:
        hearing.close()
        hearing.wait()


def ask(folder: Path) -> tuple[str, str]:
    """What is answered to a call, and written to its standard error."""
    reading, writing = os.pipe()
    said = b"word\0/\0001\0ps\0"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(folder / "door"))
        rights = array.array("i", [writing, writing, writing])
        connection.sendmsg([b"%020d" % len(said), said], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        os.close(writing)
        answer = connection.recv(64).decode()
    with open(reading) as stream:  # noqa: PTH123 - a descriptor
        return answer, stream.read()


def test_a_call_that_breaks_what_serves_it_is_answered_and_the_next_is_served(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    served: list[Caller] = []

    def called(caller: Caller) -> None:
        served.append(caller)
        if len(served) == 1:
            raise OverflowError("cannot convert float infinity to integer")
        caller.answer(0)

    with heard(tmp_path, called):
        answer, said = ask(tmp_path)
        assert (answer, said) == ("125\n", "wfexs-like: this call could not be served: OverflowError\n")
        assert ask(tmp_path) == ("0\n", "")
    assert "Traceback" not in capfd.readouterr().err


def test_descriptors_beyond_a_thousand_are_written_to(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] < 2048:
        pytest.skip("this host lets a process have too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, limits[1]))
    many = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]

    def called(caller: Caller) -> None:
        caller.say("a sentence")
        caller.answer(0)

    try:
        with heard(tmp_path, called):
            assert ask(tmp_path) == ("0\n", "a sentence\n")
    finally:
        for one in many:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("option", ["--memory", "--shm-size", "--cpus"])
def test_numbers_beyond_all_bounds_are_refused(option: str) -> None:
    with pytest.raises(PolicyError, match=option):
        read_run([option, "9" * 400, "a:1"], {})


def test_the_flag_that_forces_takes_no_name() -> None:
    assert names(["-f", "theirs"], force=True) == ["theirs"]
    assert names(["-fv", "-t", "1", "theirs"], force=True) == ["theirs"]
    assert names(["-f", "{{.Id}}", "a:1"]) == ["a:1"]
