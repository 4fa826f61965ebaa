"""A run's record of its containers: what was started, what was refused, and that nothing is left when it is judged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engines.containers.base import Containers, Handed, Order, RuntimeFacts, StagedImage
from engines.execution import Status
from engines.isolation import Isolation
from engines.journal import JOURNAL
from staging.errors import ContainerError, PolicyError
from tests.unit.test_recording import Place, SmallRun

CALL = """
import subprocess
def docker(*words):
    return subprocess.run([request["docker"], *words], env=request["door"], capture_output=True, text=True)
"""


class Shell:
    """A runtime whose containers are programs of this machine; ``gone``: it answers no more."""

    name = "shell"

    def __init__(self) -> None:
        self.gone = False
        self.stopped: list[str] = []
        self.environment: Mapping[str, str] = {}

    def about(self) -> RuntimeFacts:
        if self.gone:
            raise ContainerError("the shell is not there")
        return RuntimeFacts(version="1")

    def has(self, _image: StagedImage) -> bool:
        return True

    def load(self, image: StagedImage, say: Any) -> None:
        """It has all of them."""

    def argv(self, order: Order) -> tuple[str, ...]:
        return ("env", *order.command)

    def handed(self, order: Order) -> Handed:
        return Handed(named=order.environment)

    def stop(self, name: str) -> None:
        self.stopped.append(name)

    def sweep(self, _label: str, value: str) -> tuple[str, ...]:
        self.stopped.append(value)
        return ()


class DoorRun(SmallRun):
    """Tells its child where the door is."""

    def child_request(self, isolation: Isolation) -> Mapping[str, object]:
        assert self.door is not None
        told = {"docker": str(self.door.commands / "docker"), "door": self.door.environment}
        return {**super().child_request(isolation), **told}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place to run in."""
    content = tmp_path / "work"
    (content / "inputs").mkdir(parents=True)
    return Place(content)


def containers(runtime: Shell, place: Place) -> Containers:
    """What runs in it have."""
    image = StagedImage(
        name="a:1", digest="d" * 64, config="c" * 64, layers=(), platform="linux/amd64", size=1, layout=place.content
    )
    return Containers(runtime=runtime, facts=runtime.about(), images={"a:1": image})


def events(place: Place, name: str) -> list[dict[str, Any]]:
    """The journal's events of one name."""
    lines = (place.content / "runs/1" / JOURNAL).read_text().splitlines()
    return [one for one in map(json.loads, lines) if one["event"] == name]


def test_what_was_started_is_told_without_secrets(place: Place) -> None:
    child = (
        f"{CALL}\ndone = docker('run', '-e', 'KEY=s3cret', 'a:1', 'sh', '-c', 'echo $KEY; exit 3')\nend(out=repr(done))"
    )
    execution = place.run(child, DoorRun, containers=containers(Shell(), place))

    assert execution.status is Status.COMPLETED
    assert "returncode=3" in (place.content / "runs/1/outputs/out.txt").read_text()
    (started,), (ended,) = events(place, "container-started"), events(place, "container-ended")
    assert (started["image"], started["id"], started["digest"]) == ("a:1", f"sha256:{'c' * 64}", f"sha256:{'d' * 64}")
    assert "s3cret" not in json.dumps(started)
    assert (ended["container"], ended["exit_code"]) == (started["container"], 3)
    assert not (place.content / "runs/1/door").exists()


def test_a_run_that_fails_over_a_refused_container_says_which_option(place: Place) -> None:
    child = f"{CALL}\nend(docker('run', '--privileged', 'a:1', 'true').returncode)"
    execution = place.run(child, DoorRun, containers=containers(Shell(), place))

    assert (execution.status, execution.exit_code) == (Status.FAILED, 125)
    assert "'--privileged'" in str(execution.error)
    assert place.last_event["error_kind"] == PolicyError.kind
    assert events(place, "container-started") == []


def test_a_run_that_did_without_the_refused_container_completed(place: Place) -> None:
    child = f"{CALL}\ndocker('run', '--privileged', 'a:1', 'true')\nend(out='done')"
    execution = place.run(child, DoorRun, containers=containers(Shell(), place))

    assert (execution.status, execution.error) == (Status.COMPLETED, None)


def test_a_daemon_that_went_away_is_why_a_run_failed(place: Place) -> None:
    runtime = Shell()
    made = containers(runtime, place)
    runtime.gone = True
    execution = place.run(f"{CALL}\nend(docker('run', 'a:1', 'false').returncode)", DoorRun, containers=made)

    assert "shell stopped answering while a container ran: the shell is not there" in str(execution.error)
    assert place.last_event["error_kind"] == ContainerError.kind


def test_containers_are_ended_before_a_run_is_judged(place: Place) -> None:
    runtime = Shell()
    call = "subprocess.Popen([request['docker'], 'run', 'a:1', 'sleep', '60'], env=request['door'])"
    child = f"{CALL}\n{call}\nimport time\ntime.sleep(0.7)\nend(out='done')"
    execution = place.run(child, DoorRun, containers=containers(runtime, place))

    assert execution.status is Status.COMPLETED
    (started,) = events(place, "container-started")
    assert runtime.stopped[0] == started["container"]
    assert runtime.stopped[-1] == execution.uuid, "one that was just coming to be is looked for by its label"
    order = [one["event"] for one in map(json.loads, (place.content / "runs/1" / JOURNAL).read_text().splitlines())]
    assert order.index("container-ended") < order.index("run-ended")


def test_a_run_whose_folders_were_exchanged_fails_whatever_its_engine_says(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engines.containers.sources.Held.moved", lambda _self: place.content / "runs/1/tmp/x")
    child = f"{CALL}\ndocker('run', 'a:1', 'true')\nend(out='done')"
    execution = place.run(child, DoorRun, containers=containers(Shell(), place))

    assert execution.status is Status.FAILED
    assert "was exchanged" in str(execution.error)
    assert place.last_event["error_kind"] == PolicyError.kind


@pytest.mark.parametrize("put", ["os.symlink(request['mine'], log)", "os.mkfifo(log)", "os.link(request['mine'], log)"])
def test_what_is_put_in_the_place_of_the_log_is_not_written_to(place: Place, put: str) -> None:
    """A note of a run that is read in its log is written by us, whom no walls hold."""
    (place.content / "runs/1/tmp").mkdir(parents=True)
    mine = place.content / "runs/1/tmp/mine"
    mine.write_text("mine")

    class Telling(DoorRun):
        def child_request(self, isolation: Isolation) -> Mapping[str, object]:
            return {**super().child_request(isolation), "mine": str(mine), "log": str(self.log)}

        def leave(self, end: dict[str, Any]) -> None:
            end["kept"] = mine.read_text()

    child = f"{CALL}\nimport os\nlog = request['log']\nos.unlink(log)\n{put}\n"
    child += "docker('run', '--dns', '1.1.1.1', 'a:1', 'true')\nend(out='done')"
    execution = place.run(child, Telling, containers=containers(Shell(), place))

    assert execution.status is Status.COMPLETED
    assert place.last_event["kept"] == "mine"
