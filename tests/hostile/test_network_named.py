"""The network that a run's containers join: the run's own, whatever becomes of its processes and their numbers."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engines.child import joining
from engines.containers.base import ContainerRuntime, Dark
from engines.isolation import choices
from engines.network.holder import ContainerNetwork
from engines.network.watch import Watch
from staging.process import base_environment, run


def _watch(told: list[Mapping[str, Any]]) -> Watch:
    return Watch(told.append, place_of=lambda _owner: (), step_at=lambda _folders: None)


def _until(there: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not there() and time.monotonic() < deadline:
        time.sleep(0.01)


def _runtime(name: str) -> ContainerRuntime:
    return cast(ContainerRuntime, SimpleNamespace(name=name))


@pytest.mark.netns
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, as a runtime that joins a network does")
def test_the_network_is_the_runs_also_when_its_processes_are_gone() -> None:
    told: list[Mapping[str, Any]] = []
    watch = _watch(told)
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    watch.listen(ours)
    isolation = next(one for one in choices(root=True, network=True) if one.network)
    with theirs:
        argv = (*isolation.prefix, sys.executable, "-I", "-S", joining.__file__, "0", str(theirs.fileno()))
        run(argv, env=base_environment(), timeout=20, check=False, pass_fds=(theirs.fileno(),))
    _until(lambda: told)
    assert told[0]["watched"] is True, told

    dark = ContainerNetwork(_runtime("podman"), watch, uuid="6f1c")()

    assert dark.namespace is not None
    with Path(dark.namespace).open("rb") as stream:
        joined = os.fstat(stream.fileno()).st_ino
    assert joined != Path("/proc/self/ns/net").stat().st_ino
    lines = run(
        ("nsenter", f"--net={dark.namespace}", "cat", "/proc/net/dev"), env=base_environment(), timeout=20
    ).stdout
    assert "dark0" in str(lines)
    watch.end()
    assert watch.namespace() is None
    assert not Path(dark.namespace).exists() or Path(dark.namespace).stat().st_ino != joined


@pytest.mark.parametrize("passed", ["/proc/self/ns/net", "/proc/self/ns/mnt", "/dev/null"])
def test_a_network_that_is_not_the_runs_is_not_taken(passed: str) -> None:
    told: list[Mapping[str, Any]] = []
    watch = _watch(told)
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with theirs, Path("/dev/null").open("rb") as device, Path(passed).open("rb") as namespace:
        inode = str(os.fstat(namespace.fileno()).st_ino)
        socket.send_fds(theirs, [inode.encode()], [device.fileno(), namespace.fileno()])
        watch.listen(ours)
        _until(lambda: told)

    assert told[0]["watched"] is False
    assert "network namespace" in told[0]["reason"]
    assert watch.namespace() is None
    watch.end()


def test_containers_of_a_runtime_that_joins_no_network_are_not_said_to_be_watched() -> None:
    told: list[Mapping[str, Any]] = []
    watch = _watch(told)
    watch._namespace = os.open("/dev/null", os.O_RDONLY)

    assert ContainerNetwork(_runtime("apptainer"), watch, uuid="6f1c")() == Dark()

    assert [(one["of"], one["watched"]) for one in told] == [("containers", False)]
    os.close(watch._namespace)
