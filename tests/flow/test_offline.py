"""Offline: what tasks try to reach is refused at once, and listed with who tried."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import engines.launcher
from engines.base import InstalledEngine
from engines.execution import Attempt, Execution, Status
from engines.isolation import Isolation, choices
from tests.support.nextflow_runs import NextflowBench, nextflows
from tests.support.nextflow_runs import bench as nextflow
from tests.support.runs import Bench, bench, installed, tool

__all__ = ["bench", "installed", "nextflow", "nextflows"]

pytestmark = pytest.mark.netns

TRIES = """
import socket, sys, time

def connect():
    socket.create_connection(("192.0.2.7", 80), 5)

def connect6():
    socket.create_connection(("2001:db8::7", 443), 5)

def name():
    socket.getaddrinfo("data.example.org", 80)

def datagram():
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.settimeout(5)
    one.connect(("198.51.100.9", 123))
    one.send(b"what time is it?")
    one.recv(10)

for what in (connect, connect6, name, datagram):
    begun = time.monotonic()
    try:
        what()
        print(what.__name__, "succeeded")
    except OSError as error:
        print(what.__name__, type(error).__name__, "slow" if time.monotonic() - begun > 2 else "soon")
"""

SAID = [
    "connect ConnectionRefusedError soon",
    "connect6 ConnectionRefusedError soon",
    "name gaierror soon",
    "datagram ConnectionRefusedError soon",
]

TWO_STEPS = """
cwlVersion: v1.2
class: Workflow
inputs: {script: File}
outputs: {said: {type: File, outputSource: align/out}}
steps:
  quiet: {run: quiet.cwl, in: {script: script}, out: [out]}
  align: {run: tries.cwl, in: {script: script, after: quiet/out}, out: [out]}
"""


@pytest.fixture(params=["root", "user"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Isolation:
    """Both ways to a network namespace: as root, and by a user namespace."""
    root = request.param == "root"
    if root and os.geteuid() != 0:
        pytest.skip("needs root")
    if not root and not os.access("/dev/net/tun", os.W_OK):
        pytest.skip("/dev/net/tun is for root alone")
    return _only(monkeypatch, choices(root=root, network=True)[0])


def _only(monkeypatch: pytest.MonkeyPatch, way: Isolation) -> Isolation:
    monkeypatch.setattr(engines.launcher, "choices", lambda **_wish: (way,))
    return way


def brief(attempts: tuple[Attempt, ...], step: str | None) -> set[tuple[str, str | None, int | None, str | None]]:
    """What was tried by one step."""
    return {(one.protocol, one.address, one.port, one.name) for one in attempts if one.step == step}


ALL = {
    ("tcp", "192.0.2.7", 80, None),
    ("tcp", "2001:db8::7", 443, None),
    ("dns", None, 53, "data.example.org"),
    ("udp", "198.51.100.9", 123, None),
}


@pytest.mark.cwltool
def test_a_step_that_tries_fails_soon_and_is_named(bench: Bench, way: Isolation) -> None:
    inputs = "{script: {type: File, inputBinding: {}}, after: {type: File?}}"
    bench.write(main=TWO_STEPS, tries=tool('python3 "$0"', inputs=inputs), quiet=tool("true", inputs="{script: File}"))

    execution = bench.run(params={"script": bench.file("tries.py", TRIES)})

    assert execution.status is Status.COMPLETED, bench.log()
    assert bench.text(execution.outputs["said"]).splitlines() == SAID, way
    assert execution.network == "namespace"
    assert execution.watched
    assert brief(execution.attempts, "align") == ALL
    assert len(execution.attempts) == len(ALL)
    assert all(one.program == "python3" and one.time for one in execution.attempts)
    summary = json.loads((bench.content / "runs" / "1" / "run.json").read_text())
    assert summary["offline"]["isolated"]
    assert len(summary["offline"]["attempts"]) == len(ALL)


@pytest.mark.cwltool
def test_what_is_tried_again_and_again_is_told_once(bench: Bench, way: Isolation) -> None:
    bench.write(main=tool("for one in 1 2 3 4 5; do bash -c 'echo > /dev/tcp/192.0.2.7/80'; done; true"))

    execution = bench.run()

    (attempt,) = execution.attempts
    assert (attempt.address, attempt.port, attempt.count, attempt.step) == ("192.0.2.7", 80, 5, "main"), way
    assert attempt.program == "bash"


@pytest.mark.cwltool
def test_a_step_that_reaches_its_own_server_tries_nothing(bench: Bench, way: Isolation) -> None:
    script = (
        "import socket\n"
        "for family, address in ((2, '127.0.0.1'), (10, '::1')):\n"
        "    server = socket.create_server((address, 0), family=family)\n"
        "    socket.create_connection(server.getsockname()[:2]).close()\n"
        "print('served')\n"
    )
    bench.write(main=tool('python3 "$0"', inputs="{script: {type: File, inputBinding: {}}}"))

    execution = bench.run(params={"script": bench.file("serve.py", script)})

    assert bench.text(execution.outputs["out"]) == "served\n", (way, bench.log())
    assert execution.watched
    assert execution.attempts == ()


@pytest.mark.cwltool
def test_without_the_device_the_namespace_holds_and_the_record_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = next(one for one in choices(root=os.geteuid() == 0, network=True) if one.mounts)
    cover = ("sh", "-c", 'mount --bind /proc/version /dev/net/tun && exec "$@"', "sh")
    _only(
        monkeypatch,
        Isolation(prefix=(*way.prefix, *cover), network=True, processes=True, user=way.user, mounts=True),
    )
    bench.write(main=tool('python3 "$0"', inputs="{script: {type: File, inputBinding: {}}}"))

    execution = bench.run(params={"script": bench.file("tries.py", TRIES)})

    assert execution.status is Status.COMPLETED, bench.log()
    said = bench.text(execution.outputs["out"])
    assert "succeeded" not in said
    assert "slow" not in said
    assert (execution.network, execution.watched, execution.attempts) == ("namespace", False, ())
    assert "/dev/net/tun" in (execution.unwatched_because or "")


@pytest.mark.nextflow
def test_a_task_that_tries_fails_soon_and_is_named(
    nextflow: NextflowBench, nextflows: Callable[[str], InstalledEngine]
) -> None:
    nextflow.write(
        """
        process QUIET {
          output: stdout
          script: "true"
        }
        process ALIGN {
          input: path script
          output: path 'said.txt'
          publishDir 'found', mode: 'copy'
          script: "mkdir deep && cd deep && python3 ../$script > ../said.txt"
        }
        workflow { QUIET(); ALIGN(file(params.script)) }
        """
    )

    execution: Execution = nextflow.run(params={"script": nextflow.file("tries.py", TRIES)})

    assert execution.status is Status.COMPLETED, nextflow.log()
    assert brief(execution.attempts, "ALIGN") == ALL
    assert {one.step for one in execution.attempts} == {"ALIGN"}
    (said,) = Path(nextflow.content / "runs" / "1" / "outputs").rglob("said.txt")
    assert said.read_text().splitlines() == SAID
