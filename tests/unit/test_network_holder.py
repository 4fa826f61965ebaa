"""What is told of the network of a run's containers, without a container runtime."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, cast

import pytest

from engines.containers.base import ContainerRuntime, Dark
from engines.network.holder import ContainerNetwork
from engines.network.watch import Watch
from staging.errors import ContainerError


class Named:
    """A runtime that is but a name."""

    name = "docker"


def test_why_containers_are_not_watched_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Mapping[str, Any]] = []
    watch = Watch(told.append, place_of=lambda _: (), step_at=lambda _: None)

    def hold(_network: ContainerNetwork) -> None:
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            theirs.send(b"there is no /dev/net/tun")
        raise ContainerError(watch.take(ours) or "")

    monkeypatch.setattr(ContainerNetwork, "_hold", hold)
    network = ContainerNetwork(cast("ContainerRuntime", Named()), watch, uuid="6f1c")

    assert (network(), network()) == (Dark(), Dark())

    (event,) = told
    assert (event["of"], event["watched"], event["reason"]) == ("containers", False, "there is no /dev/net/tun")
