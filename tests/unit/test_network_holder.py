"""What is told of the network of a run's containers, without a container runtime."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, cast

import pytest

from engines.containers.base import ContainerRuntime, Dark, Order, StagedImage
from engines.network.holder import ContainerNetwork
from engines.network.watch import Watch
from staging.errors import ContainerError
from staging.process import Child


class Named:
    """A runtime that is but a name, and starts a program of this machine once it has the image."""

    name = "docker"
    environment: Mapping[str, str] = {}

    def __init__(self, *, ready: bool) -> None:
        self.ready = ready
        self.asked: list[str] = []

    def has(self, _image: StagedImage) -> bool:
        self.asked.append("has")
        return self.ready

    def load(self, _image: StagedImage, _say: object) -> None:
        self.asked.append("load")
        self.ready = True

    def argv(self, _order: Order) -> tuple[str, ...]:
        self.asked.append("run")
        return ("cat",) if self.ready else ("false",)


def test_why_containers_are_not_watched_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Mapping[str, Any]] = []
    watch = Watch(told.append, place_of=lambda _: (), step_at=lambda _: None)

    def hold(_network: ContainerNetwork) -> None:
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            theirs.send(b"there is no /dev/net/tun")
        raise ContainerError(watch.take(ours) or "")

    monkeypatch.setattr(ContainerNetwork, "_hold", hold)
    network = ContainerNetwork(cast("ContainerRuntime", Named(ready=True)), watch, uuid="6f1c")

    assert (network(), network()) == (Dark(), Dark())

    (event,) = told
    assert (event["of"], event["watched"], event["reason"]) == ("containers", False, "there is no /dev/net/tun")


@pytest.mark.parametrize(("ready", "asked"), [(True, ["run"]), (False, ["run", "has", "load", "run"])])
def test_the_image_that_holds_the_network_is_asked_for_only_where_it_can_not_be_started(
    monkeypatch: pytest.MonkeyPatch, ready: bool, asked: list[str]
) -> None:
    def find(_command: bytes, child: Child) -> int:
        if child.wait(0.2) is not None:
            raise ContainerError("it ended")
        return child.pid

    monkeypatch.setattr("engines.network.holder._find", find)
    monkeypatch.setattr(ContainerNetwork, "_join", lambda _network, _pid: None)
    runtime = Named(ready=ready)
    watch = Watch(lambda _event: None, place_of=lambda _: (), step_at=lambda _: None)
    network = ContainerNetwork(cast("ContainerRuntime", runtime), watch, uuid="6f1c")

    try:
        assert network() == Dark(holder="wfexs-6f1c-network")
    finally:
        network.close()

    assert runtime.asked == asked
