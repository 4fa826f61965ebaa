"""The door's contract with engines, over each real runtime: a ``docker run`` that is what the policy makes of it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from engines.base import Placement
from engines.containers import lifetime
from engines.containers.base import Containers, StagedImage
from engines.containers.docker import Docker
from engines.containers.door import Door
from engines.containers.podman import Podman
from staging.errors import ContainerError
from tests.support.container_daemons import Containing, DockerDaemon, dockerd

UUID = "01234567-89ab-cdef-0123-456789abcdef"


@dataclass
class House:
    """A run's folder with a door."""

    runtime: Docker | Podman
    daemon: Containing
    image: StagedImage
    content: Path
    events: list[Mapping[str, Any]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    door: Door | None = None

    @property
    def folder(self) -> Path:
        """The run's."""
        return self.content / "runs" / "1"

    @contextmanager
    def open(self, **more: Any) -> Iterator[Door]:
        """The door while the run lasts."""
        made = Containers(runtime=self.runtime, facts=self.runtime.about(), images={self.image.name: self.image})
        placement = Placement(cores=1, memory=1 << 30)
        with Door(
            made,
            content=self.content,
            folder=self.folder,
            uuid=UUID,
            placement=placement,
            tell=self.events.append,
            say=self.said.append,
            **more,
        ) as self.door:
            yield self.door

    def start(self, *words: str, **more: Any) -> subprocess.Popen[bytes]:
        """Start ``docker`` as an engine finds it; ``IMAGE`` stands for the image's name."""
        assert self.door is not None
        environment = {"PATH": f"{self.door.commands}:{os.environ['PATH']}", **self.door.environment}
        argv = [self.image.name if word == "IMAGE" else word for word in ("docker", *words)]
        return subprocess.Popen(
            argv,
            env=environment | more.pop("env", {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **more,
        )

    def call(self, *words: str, data: bytes = b"", **more: Any) -> tuple[int, str, str]:
        """Its exit code, and what it writes to standard output and error."""
        with self.start(*words, **more) as process:
            out, err = process.communicate(data, 60)
        return process.returncode, out.decode(), err.decode()

    def running(self, count: int = 1) -> tuple[str, ...]:
        """The runtime's containers, once there are ``count`` that run."""
        deadline = time.monotonic() + 20
        while True:
            names = tuple(sorted(self.daemon.run("ps", "--format", "{{.Names}}").split()))
            if len(names) == count or time.monotonic() > deadline:
                return names
            time.sleep(0.05)


@pytest.fixture(
    params=[pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]
)
def house(request: pytest.FixtureRequest, tmp_path: Path, tools_image: StagedImage) -> House:
    """A house whose runtime has the image of tools."""
    runtime: Docker | Podman
    if request.param == "docker":
        daemon: Containing = request.getfixturevalue("docker_daemon")
        runtime = Docker(daemon.environment)
    else:
        daemon = request.getfixturevalue("podman_home")
        runtime = Podman(daemon.environment)
    return furnished(runtime, daemon, tools_image, tmp_path)


def furnished(runtime: Docker | Podman, daemon: Containing, image: StagedImage, place: Path) -> House:
    """A house in ``place``, as a run finds it."""
    runtime.load(image, lambda _text: None)
    found = House(runtime=runtime, daemon=daemon, image=image, content=place / ("deep-" * 30) / "work")
    for name in ("outputs", "tmp", "engine/work/ab/cd"):
        (found.folder / name).mkdir(parents=True)
    (found.content / "inputs").mkdir()
    (found.content / "inputs" / "in.txt").write_text("staged\n")
    return found


def test_streams_exit_code_and_place_are_the_containers(house: House) -> None:
    work, inputs = house.folder / "engine/work", house.content / "inputs"
    script = "read a; echo got $a; echo odd >&2; cat $1; echo made > out; pwd; touch /x; exit 42"
    with house.open():
        code, out, err = house.call(
            *("run", "-i", "--rm", "--name", "theirs", "-v", f"{inputs}:{inputs}", "-v", f"{work}:{work}"),
            *("-w", f"{work}/ab/cd", "IMAGE", "sh", "-c", script, "sh", f"{inputs}/in.txt"),
            data=b"words\n",
        )

    assert (code, out.splitlines()) == (42, ["got words", "staged", f"{work}/ab/cd"]), err
    assert "odd" in err
    assert "Read-only file system" in err
    assert (work / "ab/cd/out").stat().st_uid == os.getuid()
    started, ended = house.events
    assert started["image"] == house.image.name
    assert started["id"] == f"sha256:{house.image.config}"
    assert (ended["container"], ended["exit_code"]) == (started["container"], 42)
    assert house.daemon.containers() == ()
    assert not (house.folder / "door").exists()
    assert house.door is not None
    assert house.door.failure is None


def test_a_container_sees_no_network_and_no_more_of_the_machine(house: House) -> None:
    script = "ls /sys/class/net; grep -c . /proc/net/route; grep NoNewPrivs /proc/self/status; env; ls /tmp"
    with house.open():
        code, out, err = house.call("run", "-e", "SECRET", "IMAGE", "sh", "-c", script, env={"SECRET": "s3cret"})

    assert code == 0, err
    assert out.splitlines()[:2] == ["lo", "1"]
    assert "NoNewPrivs:\t1" in out
    assert "HOME=/tmp" in out
    assert "SECRET=s3cret" in out
    assert "WFEXS" not in out
    assert "s3cret" not in str(house.events), "values don't get into the record"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("run", "--privileged", "IMAGE", "true"), "'--privileged'"),
        (("run", "-v", "/etc:/e", "IMAGE", "true"), "'/etc'"),
        (("run", "example.org/other:1", "true"), "'example.org/other:1' is not staged"),
        (("pull", "example.org/other:1"), "'example.org/other:1' is not staged"),
        (("exec", "x", "true"), "'docker exec'"),
        (("-H", "unix:///x", "run", "IMAGE"), "'docker -H'"),
    ],
)
def test_what_may_not_be_is_said_and_nothing_is_started(house: House, words: tuple[str, ...], named: str) -> None:
    with house.open():
        code, _, err = house.call(*words)

    assert (code, house.events) == (125, [])
    assert named in err
    assert house.door is not None
    assert named in str(house.door.failure)


def _kill_caller(_house: House, process: subprocess.Popen[bytes]) -> None:
    process.kill()


def _terminate_caller(_house: House, process: subprocess.Popen[bytes]) -> None:
    process.terminate()


def _stop_by_name(house: House, _process: subprocess.Popen[bytes]) -> None:
    assert house.call("stop", "theirs")[0] == 0


def _force_by_name(house: House, _process: subprocess.Popen[bytes]) -> None:
    assert house.call("rm", "-f", "theirs")[0] == 0


def _nothing(_house: House, _process: subprocess.Popen[bytes]) -> None:
    """The run is over."""


@pytest.mark.parametrize("how", [_kill_caller, _terminate_caller, _stop_by_name, _force_by_name, _nothing])
def test_a_container_ends_with_its_caller_and_with_the_run(
    house: House, how: Callable[[House, subprocess.Popen[bytes]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engines.containers.watching.PATIENCE", 0.5)
    script = "trap '' TERM; while :; do sleep 0.1; done"
    with house.open():
        process = house.start("run", "--name", "theirs", "IMAGE", "sh", "-c", script)
        assert house.running() == ("wfexs-01234567-1",)
        how(house, process)
        if how is not _nothing:
            assert house.running(0) == ()
    process.communicate(timeout=10)

    assert process.returncode != 0
    assert house.daemon.containers() == ()


def test_containers_run_side_by_side(house: House) -> None:
    with house.open():
        many = [house.start("run", "IMAGE", "sh", "-c", f"sleep 0.5; exit {code}") for code in range(4)]
        for one in many:
            one.communicate(timeout=60)

    assert [one.returncode for one in many] == [0, 1, 2, 3]
    assert len({one["container"] for one in house.events}) == 4


def test_a_cidfile_and_questions_are_answered(house: House) -> None:
    with house.open():
        code, _, err = house.call("run", f"--cidfile={house.folder}/tmp/id", "--dns=1.1.1.1", "IMAGE", "true")
        assert code == 0, err
        assert (house.folder / "tmp/id").read_text() == house.events[0]["container"]
        assert house.call("inspect", "IMAGE")[0] == 0
        assert house.call("inspect", "other")[0] == 1
        assert house.call("--version")[1].startswith("Docker version")
        assert house.call("run", f"--cidfile={house.content}/id", "IMAGE", "true")[0] == 125
    assert house.said == ["containers go without --dns, which was asked for"]
    assert not (house.content / "id").exists()


@pytest.mark.docker
@pytest.mark.root
def test_a_daemon_that_dies_is_named(tmp_path: Path, tools_image: StagedImage) -> None:
    with dockerd() as daemon:
        house = furnished(Docker(daemon.environment), daemon, tools_image, tmp_path)
        with house.open():
            process = house.start("run", "IMAGE", "sleep", "60")
            house.running()
            assert isinstance(daemon, DockerDaemon)
            daemon.stop(signal.SIGKILL)
            process.communicate(timeout=30)
        assert process.returncode != 0
        assert house.door is not None
        assert isinstance(house.door.failure, ContainerError)
        assert "docker stopped answering while a container ran" in house.door.failure.message


def test_the_door_costs_little(house: House) -> None:
    """The call and the answer, without the runtime: an ``inspect`` goes all the way to the door and back.

    What is measured is the processor's time, of the ``docker`` that the engine finds and of ours: the machine's other
    work is not the door's fault.
    """
    calls = 10
    with house.open():
        before = _processor_time()
        for _ in range(calls):
            house.call("inspect", "IMAGE")
        each = (_processor_time() - before) / calls

    assert each < 0.06


def _processor_time() -> float:
    """Seconds that this process and its ended children took."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def command_lines() -> str:
    """Every command line on this machine, as ``ps`` shows them to all its users."""
    return subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, check=True, text=True).stdout


def test_no_user_of_the_machine_sees_the_values_of_variables(house: House) -> None:
    secrets = {"TOKEN": "t0k3n-in-a-line", "KEY": "-----BEGIN\nk3y-of-many-lines\nEND", "PATH": "/bin:/p4th"}
    words = ["-e", f"TOKEN={secrets['TOKEN']}", "-e", "KEY", f"--env=PATH={secrets['PATH']}"]
    script = 'printf "%s|" "$TOKEN" "$KEY" "$PATH"; echo; read a'
    with (
        house.open(),
        house.start("run", "-i", *words, "IMAGE", "/bin/sh", "-c", script, env={"KEY": secrets["KEY"]}) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        # It is told what it got before it may end, so all of it is there while we look.
        told = "".join(process.stdout.readline().decode() for _ in range(3))
        seen = command_lines()
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.wait(30) == 0
    assert told == "|".join(secrets.values()) + "|\n"
    assert "wfexs-" in seen, "or nothing was looked at"
    assert not [one for one in ("t0k3n", "k3y-of", "p4th") if one in seen]
    (argv,) = [one["argv"] for one in house.events if one["event"] == "container-started"]
    assert "--env=TOKEN" in argv
    assert not [word for word in argv if "t0k3n" in word]


def test_an_interpreter_whose_path_is_too_long_for_a_first_line_is_called_by_a_shell(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engines.containers.finding._SHORT_ENOUGH", 0)
    with house.open() as door:
        assert (door.commands / "docker").read_text().startswith("#!/bin/sh\n")
        assert house.call("run", "IMAGE", "sh", "-c", 'echo "$0 $1"', "a  b", "c")[:2] == (0, "a  b c\n")


def test_a_container_does_not_outlive_its_command(house: House) -> None:
    """Whose output nobody reads any more is ended by that, and the container by nobody, if not by us."""
    script = "trap '' PIPE; n=0; while [ $n -lt 600 ]; do echo line; n=$((n+1)); sleep 0.05; done"
    with house.open() as door:
        environment = {"PATH": f"{door.commands}:{os.environ['PATH']}", **door.environment}
        line = 'docker run "$1" sh -c "$2" | head -1'
        done = subprocess.run(
            ["sh", "-c", line, "sh", house.image.name, script], env=environment, capture_output=True, timeout=30
        )
        assert done.stdout == b"line\n", done.stderr
        assert [one["event"] for one in house.events] == ["container-started", "container-ended"]
        assert house.running(0) == ()
    assert house.daemon.containers() == ()


def test_a_signal_that_can_not_be_caught_is_not_passed_on(house: House) -> None:
    """The ``docker`` that engines find sends none; somebody else who knows the word might."""
    said = "import sys; sys.path[:0] = sys.argv[1:2]; from engines.child import container_shim as shim; shim.PASSED_ON"
    said += " = (10,); import signal; real = signal.signal; signal.signal = lambda number, then: real(number,"
    said += " lambda *_: then(9, None)); sys.argv[1:2] = []; sys.exit(shim.main())"
    with house.open() as door:
        words = ["run", house.image.name, "sh", "-c", "echo ready; sleep 60"]
        argv = [sys.executable, "-c", said, str(Path(__file__).parents[2]), *words]
        with subprocess.Popen(argv, env=dict(door.environment), stdout=subprocess.PIPE) as caller:
            assert caller.stdout is not None
            caller.stdout.readline()
            caller.send_signal(signal.SIGUSR1)
            time.sleep(0.3)
            assert house.running(1) == ("wfexs-01234567-1",)
            assert [one["event"] for one in house.events] == ["container-started"]
            caller.kill()
    assert house.daemon.containers() == ()


@pytest.mark.parametrize("how", ["ro", "rw"])
@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_exchanged_before_it_is_mounted_is_not_seen(
    house: House, how: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is quick enough to put it back before we look at the path has shown nothing to a container."""
    own, secret = house.folder / "engine/work/ab/cd/x", tmp_path / "secret"
    for place, text in ((own, "own"), (secret, "s3cret")):
        place.mkdir()
        (place / "key").write_text(text)
    given = own if kind == "folder" else own / "key"
    target = "/x" if kind == "folder" else "/x/key"
    real = lifetime.start

    def exchange_and_start(*arguments: Any, **more: Any) -> Any:
        given.rename(given.with_name("away"))
        given.symlink_to(secret if kind == "folder" else secret / "key")
        return real(*arguments, **more)

    monkeypatch.setattr(lifetime, "start", exchange_and_start)
    monkeypatch.setattr("engines.containers.sources.Held.moved", lambda _self: None)
    with house.open() as door:
        code, out, err = house.call(
            *("run", "-v", f"{given}:{target}:{how}", "IMAGE", "sh", "-c", "cat /x/key; echo owned > /x/key")
        )

    assert "s3cret" not in out
    assert (secret / "key").read_text() == "s3cret"
    assert (code, out, door.exchanged) in ((125, "", True), (0 if how == "rw" else 1, "own", False)), err
    assert door.exchanged == (house.runtime.name == "podman" and kind == "folder")


def test_an_exchange_that_was_seen_is_why_the_run_fails(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    own = house.folder / "engine/work/ab/cd/x"
    own.mkdir()
    monkeypatch.setattr("engines.containers.sources.Held.moved", lambda _self: own)
    with house.open() as door:
        assert house.call("run", "-v", f"{own}:/x", "IMAGE", "sleep", "30")[0] == 125
    assert door.exchanged
    assert "was exchanged" in str(door.failure)
    assert house.daemon.containers() == ()


def test_of_the_working_directory_what_a_run_may_see_is_seen_and_no_records(house: House) -> None:
    content, own = house.content, house.folder / "engine/work/ab/cd"
    (house.folder / "journal.jsonl").write_text("{}")
    (content / "runs/2/outputs").mkdir(parents=True)
    script = (
        f"cat {content}/inputs/in.txt; ls {content} {house.folder}; echo made > made; touch {house.folder}/outputs/x"
    )
    with house.open():
        code, out, err = house.call(
            *("run", "-v", f"{content}:{content}:ro", "-v", f"{own}:{own}", "-w", f"{own}", "IMAGE", "sh", "-c", script)
        )
        assert house.call("run", "-v", f"{house.folder}/door:/d:ro", "IMAGE", "true")[0] == 125
        assert house.call("run", "-v", f"{content}/runs/2:/d:ro", "IMAGE", "true")[0] == 125

    assert out.split()[0] == "staged", err
    assert (code, "Read-only file system" in err) == (1, True)
    assert [one for one in out.split() if not one.endswith(":")] == [
        "staged",
        "inputs",
        "runs",
        "engine",
        "outputs",
        "tmp",
    ]
    assert (own / "made").read_text() == "made\n"
