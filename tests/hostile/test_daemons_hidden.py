"""Hostile tools: what a step can't ask of the daemons that live outside of its walls."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import engines.launcher
from engines.daemons import hidden
from engines.execution import Status
from engines.isolation import Isolation, choices
from tests.support.container_daemons import DockerDaemon
from tests.support.runs import Bench, bench, installed, tool

__all__ = ["bench", "installed"]


@pytest.fixture(params=["root", "user"])
def ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to a mount namespace: as root, and by a user namespace."""
    root = request.param == "root"
    if root and os.geteuid() != 0:
        pytest.skip("needs root")
    chosen: tuple[Isolation, ...] = (next(one for one in choices(root=root, network=True) if one.mounts),)
    monkeypatch.setattr(engines.launcher, "choices", lambda **_wish: chosen)
    return str(request.param)


@pytest.fixture
def listening() -> Iterator[Path]:
    """A socket of this machine that somebody listens on, in a folder for temporary files."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as daemon:
        path = Path(folder) / "daemon.sock"
        daemon.bind(str(path))
        daemon.listen()
        yield path


CONNECT = "python3 -c 'import socket,sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])' {} 2>&1"


@pytest.mark.cwltool
@pytest.mark.netns
@pytest.mark.docker
def test_a_tool_cannot_ask_the_container_daemon(
    bench: Bench, ways: str, docker_daemon: DockerDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = docker_daemon.environment["DOCKER_HOST"]
    monkeypatch.setenv("DOCKER_HOST", host)
    path = host.removeprefix("unix://")
    bench.write(
        main=tool(
            f"docker -H {host} ps && echo asked; umount {path}; docker -H {host} run --privileged x && echo asked;"
            f"{CONNECT.format(path)} && echo reached; umount /run; ls -A /run; ls -l {path}"
        )
    )

    execution = bench.run()

    assert execution.status is Status.COMPLETED, (ways, bench.log())
    said = bench.text(execution.outputs["out"])
    assert "asked" not in said
    assert "reached" not in said, bench.log()
    assert said.strip().splitlines()[-1].startswith("c"), "in place of the socket there is a device that is empty"
    assert len(docker_daemon.containers()) == 0


@pytest.mark.cwltool
@pytest.mark.netns
def test_no_socket_of_the_machine_answers_a_tool(bench: Bench, ways: str, listening: Path) -> None:
    bench.write(
        main=tool(f"{CONNECT.format(listening)} && echo reached; ls -A /run | wc -l; touch /run/x || echo read-only")
    )

    execution = bench.run()

    assert execution.status is Status.COMPLETED, (ways, bench.log())
    assert "reached" not in (said := bench.text(execution.outputs["out"]))
    assert said.strip().splitlines()[-2:] == ["0", "read-only"]


def test_sockets_are_known_by_the_variables_that_name_them(listening: Path) -> None:
    folder = listening.parent
    named = {
        "DOCKER_HOST": f"unix://{folder}/a",
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder}/b,guid=01;tcp:host=h",
        "SSH_AUTH_SOCK": f"{folder}/c",
        "CONTAINER_HOST": "ssh://somewhere/run/podman.sock",
        "XDG_RUNTIME_DIR": f"{folder}/d",
    }

    found = hidden(named, Path("/nowhere"), listening=False)

    assert found == tuple(f"{folder.resolve()}/{name}" for name in "abcd")
    assert str(listening.resolve()) in hidden({}, Path("/nowhere"), listening=True)
    assert hidden({}, folder, listening=True).count(str(listening.resolve())) == 0, "what is the run's own stays"
