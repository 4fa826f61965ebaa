"""Hostile callers at the door to a container runtime: nothing they say, or put in a folder's place, gets them more."""

from __future__ import annotations

import array
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engines.containers.base import Order
from engines.containers.docker import Docker
from engines.containers.hearing import WAITING, Caller, Hearing
from staging.errors import PolicyError
from tests.contract.test_container_door import House, house

__all__ = ["house"]

WORD = "word"


def said(*words: bytes, word: bytes = WORD.encode()) -> bytes:
    """A call as the shim says it, without its header."""
    return b"".join(b"%s\0" % one for one in (word, b"/", b"%d" % len(words), *words))


def framed(text: bytes) -> bytes:
    """With its header."""
    return b"%020d%s" % (len(text), text)


@contextmanager
def hearing(folder: Path) -> Iterator[list[tuple[str, ...]]]:
    """A door that answers every call with 7; the calls that it heard."""
    heard: list[tuple[str, ...]] = []

    def called(caller: Caller) -> None:
        heard.append(caller.arguments)
        caller.answer(7)

    door = Hearing(folder, WORD, called)
    try:
        yield heard
    finally:
        door.close()
        door.wait()


def until(met: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 60
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def knock(folder: Path) -> socket.socket:
    """A connection to it."""
    connection = socket.socket(socket.AF_UNIX)
    held = os.open(folder, os.O_RDONLY)
    try:
        connection.connect(f"/proc/self/fd/{held}/door")
    finally:
        os.close(held)
    connection.settimeout(10)
    return connection


def ask(folder: Path, data: bytes, streams: int = 3) -> bytes:
    """What is answered to ``data`` with that many descriptors."""
    with knock(folder) as connection, Path(os.devnull).open("r+b") as nothing:
        rights = array.array("i", [nothing.fileno()] * streams)
        try:
            connection.sendmsg([data[:20]], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if streams else [])
            connection.sendall(data[20:])
            return connection.recv(64)
        except (BrokenPipeError, ConnectionResetError):
            return b""


def descriptors() -> int:
    """How many this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n and so on",
        b"\0" * 4096,
        b"99999999999999999999" + b"x" * 100,
        b"00000000000000000000",
        b"-0000000000000000005hello",
        framed(b"no end"),
        framed(said(b"run", word=b"guess")),
        framed(b"word\0/\0-1\0run\0"),
        framed(b"word\0/\x00999999999\0run\0"),
        framed(b"word\0/\0many\0run\0"),
        framed(b"word\0"),
        framed(said(b"run")) + b"and more",
    ],
)
def test_who_says_something_else_is_not_heard(tmp_path: Path, data: bytes) -> None:
    with hearing(tmp_path) as heard:
        before = descriptors()
        assert ask(tmp_path, data) == b""
        assert heard == []
        assert ask(tmp_path, framed(said(b"run"))) == b"7\n"
        until(lambda: descriptors() == before)


@pytest.mark.parametrize("streams", [0, 1, 2, 4, 50])
def test_who_brings_not_three_streams_is_not_heard(tmp_path: Path, streams: int) -> None:
    with hearing(tmp_path) as heard:
        before = descriptors()
        assert ask(tmp_path, framed(said(b"run")), streams) == b""
        assert heard == []
        until(lambda: descriptors() == before)


def test_who_hangs_keeps_nobody_waiting(tmp_path: Path) -> None:
    with hearing(tmp_path) as heard:
        hanging = [knock(tmp_path) for _ in range(WAITING * 3)]
        begin = time.monotonic()
        assert ask(tmp_path, framed(said(b"run", b"x" * (4 << 20)))) == b"7\n"
        assert time.monotonic() - begin < 5
        assert len(heard) == 1
        for one in hanging:
            one.close()


def test_a_socket_may_lie_deep(tmp_path: Path) -> None:
    deep = tmp_path / ("deep-" * 40)
    deep.mkdir()
    with hearing(deep) as heard:
        assert ask(deep, framed(said(b"a", b"b"))) == b"7\n"
        assert heard == [("a", "b")]


Exchange = Callable[[Path, Path], None]


def exchange_for_link(own: Path, other: Path) -> None:
    """Put a link in the place of a folder or a file."""
    own.rename(own.with_name("away"))
    own.symlink_to(other)


def exchange_parent(own: Path, other: Path) -> None:
    """Put a link in the place of the folder that it is in."""
    own.parent.rename(own.parent.with_name("away"))
    own.parent.symlink_to(other.parent)


@pytest.mark.parametrize("exchange", [exchange_for_link, exchange_parent])
@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_exchanged_before_it_is_mounted_is_noticed(
    house: House, exchange: Exchange, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, secret = house.folder / "tmp/x/own", house.content.parent / "private" / "own"
    for place in (own, secret):
        place.parent.mkdir(parents=True)
        if kind == "folder":
            place.mkdir()
        else:
            place.write_text("")
    real = type(house.runtime).argv
    calls: list[Order] = []

    def argv(runtime: Any, order: Order) -> tuple[str, ...]:
        # Asked for once for the record, and once to be started.
        calls.append(order)
        if len(calls) == 2:
            exchange(own, secret)
        return real(runtime, order)

    monkeypatch.setattr(type(house.runtime), "argv", argv)
    target = "/own/made" if kind == "folder" else "/own"
    with house.open():
        house.call("run", "-v", f"{own}:/own", "IMAGE", "sh", "-c", f"echo x > {target}; sleep 0.2")

    assert house.door is not None
    assert isinstance(house.door.failure, PolicyError)
    assert "was exchanged while a container was given it" in house.door.failure.message
    assert house.daemon.containers() == ()
    written = any(secret.iterdir()) if kind == "folder" else bool(secret.read_text())
    if isinstance(house.runtime, Docker) or kind == "file":
        assert not written, "what was mounted is what was decided on"


def test_only_files_and_folders_are_mounted(house: House) -> None:
    os.mkfifo(house.folder / "tmp/odd")
    with house.open():
        code, _, err = house.call("run", "-v", f"{house.folder}/tmp/odd:/odd", "IMAGE", "true")

    assert code == 125
    assert "neither a file nor a folder" in err


def test_the_doors_own_folder_is_not_for_containers(house: House) -> None:
    with house.open() as door:
        code, _, err = house.call("run", "-v", f"{door.folder}:/d", "IMAGE", "touch", "/d/commands/docker")
        assert code != 0
        assert "only the folders for work, temporary files and outputs of its own" in err
        code, out, _ = house.call("run", "-v", f"{house.content}:/c", "IMAGE", "sh", "-c", "env; echo ok > /c/x")
        assert code != 0
        assert next(iter(door.environment.values())).partition(":")[0] not in out


def test_threads_end_with_the_door(house: House) -> None:
    before = threading.active_count()
    with house.open():
        hanging = house.start("run", "IMAGE", "sleep", "60")
        house.running()
    hanging.communicate(timeout=10)

    assert threading.active_count() == before
