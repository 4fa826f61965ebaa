"""Hostile networks: garbage, floods, and tasks that want out of their namespace or our watch."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import engines.launcher
from engines.execution import Status
from engines.isolation import choices
from engines.network.ledger import MOST
from engines.network.packets import RESOLVER
from engines.network.watch import Watch
from tests.support.runs import Bench, bench, installed, tool
from tests.unit.test_network_packets import datagram, packet, question, syn

__all__ = ["bench", "installed"]

Told = list[Mapping[str, Any]]


@pytest.fixture
def watched() -> Any:
    """A watch, the other end of a device of its, and what it tells."""
    told: Told = []
    watch = Watch(told.append, place_of=lambda _owner: (), step_at=lambda _folders: None)
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    device, far = socket.socketpair(type=socket.SOCK_SEQPACKET)
    watch.listen(ours)
    socket.send_fds(theirs, [b"1"], [device.fileno()])
    theirs.close()
    device.close()
    far.settimeout(5)
    yield watch, far, told
    watch.end()
    far.close()


def until(met: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 60
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_garbage_does_not_end_the_watch(watched: tuple[Watch, socket.socket, Told]) -> None:
    watch, far, told = watched
    for size in (1, 5, 19, 20, 39, 40, 1500, 60000):
        for first in (0x00, 0x45, 0x4F, 0x60, 0xFF):
            far.send(bytes([first]) + os.urandom(size))
    far.send(packet("169.254.77.1", "192.0.2.1", 6, b"\0" * 3))
    far.send(packet("169.254.77.1", "192.0.2.7", 6, syn(8080)))

    until(lambda: any(one.get("address") == "192.0.2.7" for one in told))
    watch.end()

    (attempt,) = [one for one in told if one.get("address") == "192.0.2.7"]
    assert (attempt["port"], attempt["protocol"]) == (8080, "tcp")


def test_a_flood_of_names_is_counted_and_not_kept(watched: tuple[Watch, socket.socket, Told]) -> None:
    watch, far, told = watched
    for number in range(MOST + 250):
        name = f"stolen{number}.example.org".encode()
        far.send(packet("169.254.77.1", RESOLVER, 17, datagram(53, question(name))))
        assert struct.unpack("!H", far.recv(2000)[30:32])[0] & 0xF == 3
    watch.end()

    assert len([one for one in told if one["event"] == "attempt"]) == MOST
    assert told[-1] == {**told[-1], "event": "attempts-unlisted", "count": 250}


@pytest.mark.netns
@pytest.mark.cwltool
@pytest.mark.parametrize("root", [True, False])
def test_a_task_cannot_change_its_network(bench: Bench, monkeypatch: pytest.MonkeyPatch, root: bool) -> None:
    if root and os.geteuid() != 0:
        pytest.skip("needs root")
    way = choices(root=root, network=True)[0]
    monkeypatch.setattr(engines.launcher, "choices", lambda **_wish: (way,))
    script = (
        "exec 2>&1; ip link set dark0 down; ip route del default; ip link add x type veth; "
        "nsenter --net=/proc/1/ns/net true && echo entered; "
        "unshare -rn true; python3 -c 'import socket; socket.socket(17, 3)' && echo raw; "
        'exec 3<>/dev/net/tun; for one in /proc/self/fd/*; do readlink "$one"; done | grep -c "^/dev/net/tun$"; '
        "bash -c 'echo >/dev/tcp/192.0.2.1/25'; exit 0"
    )
    bench.write(main=tool(script))

    execution = bench.run()

    assert execution.status is Status.COMPLETED, bench.log()
    said = bench.text(execution.outputs["out"])
    assert "raw" not in said.splitlines()
    # Nothing of the device that is watched was handed on: the one is what it opened itself, and may not set up.
    assert said.splitlines().count("1") <= 1
    assert [(one.address, one.port, one.step) for one in execution.attempts] == [("192.0.2.1", 25, "main")], said


def test_a_watch_that_nobody_answers_ends_at_once(tmp_path: Path) -> None:
    told: Told = []
    watch = Watch(told.append, place_of=lambda _owner: (), step_at=lambda _folders: None)
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    watch.listen(ours)
    theirs.close()

    begun = time.monotonic()
    watch.end()

    assert time.monotonic() - begun < 10
    assert told == []
    assert list(tmp_path.iterdir()) == []
