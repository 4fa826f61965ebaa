"""What every container runtime does, tried with each that this machine has: real daemons, real containers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from engines.containers.base import ContainerRuntime, Mount, Order, StagedImage
from engines.containers.docker import Docker, docker_argv
from engines.containers.docker_like import DockerLike
from engines.containers.image_config import volumes_of
from engines.containers.podman import Podman
from engines.containers.variables import command_of
from staging.errors import ContainerError, DigestError, DiskError
from tests.support.container_daemons import Containing, dockerd
from tests.support.images import Entry, layer, make_image, tools_image

USER = (4321, 4321)
LABEL = "wfexs-like.run"

BOTH = [pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]


@dataclass
class Case:
    """A runtime of ours, and the same runtime as its user sees it."""

    runtime: ContainerRuntime
    home: Containing

    def ready(self, image: StagedImage) -> ContainerRuntime:
        self.runtime.load(image, _unsaid)
        return self.runtime

    @contextmanager
    def start(self, order: Order) -> Generator[subprocess.Popen[str], None, None]:
        """The container runs; when the block ends, it has ended, whatever the runtime under test can do."""
        with command_of(self.runtime, order) as command:
            child = subprocess.Popen(
                command.argv,
                env=command.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                pass_fds=command.descriptors,
            )
            # Its command reads the variables as it begins.
            yield from self._until_it_ended(child, order)

    def _until_it_ended(
        self, child: subprocess.Popen[str], order: Order
    ) -> Generator[subprocess.Popen[str], None, None]:
        try:
            yield child
        finally:
            if child.poll() is None:
                self.home.run("kill", order.name, check=False)
                child.kill()
                child.wait(10)
            for stream in (child.stdout, child.stderr):
                assert stream is not None
                stream.close()

    def run(self, order: Order) -> subprocess.CompletedProcess[str]:
        with self.start(order) as child:
            out, err = child.communicate(timeout=60)
        return subprocess.CompletedProcess([], child.returncode, out, err)


@pytest.fixture(params=BOTH)
def case(request: pytest.FixtureRequest) -> Case:
    if request.param == "docker":
        home = request.getfixturevalue("docker_daemon")
        return Case(Docker(home.environment), home)
    home = request.getfixturevalue("podman_home")
    return Case(Podman(home.environment), home)


@pytest.fixture
def fresh(tmp_path: Path) -> StagedImage:
    """An image that no runtime has had yet."""
    return tools_image(tmp_path / "containers", more=[Entry("etc/mark", str(tmp_path).encode())])


def _unsaid(sentence: str) -> None:
    pass


def order(image: StagedImage, *command: str, **changes: object) -> Order:
    made = Order(image=image, name=f"wfexs-{uuid.uuid4().hex[:12]}", command=command, user=USER)
    return replace(made, **changes)


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# --- images -----------------------------------------------------------------------------------------------------------


def test_it_says_who_it_is(case: Case) -> None:
    facts = case.runtime.about()
    assert facts.version[0].isdigit()
    assert facts.notes["rootless"] == "no"
    assert facts.notes["storage"].startswith("overlay")


@pytest.mark.parametrize("compression", ["gzip", ""])
def test_an_image_it_lacks_is_loaded_once_under_its_id_and_no_tag_is_made(
    case: Case, tmp_path: Path, compression: str
) -> None:
    image = tools_image(tmp_path / "oci", more=[Entry("mark", os.urandom(16))], compression=compression)
    before, said = case.home.images(), []
    assert not case.runtime.has(image)
    case.runtime.load(image, said.append)
    assert case.runtime.has(image)
    case.runtime.load(image, said.append)
    assert len(said) == 1
    added = set(case.home.images()) - set(before)
    assert added == {f"sha256:{image.config} <none>:<none>"}


def test_an_image_with_the_same_layer_twice_and_a_layer_without_files(case: Case, tmp_path: Path) -> None:
    twice, nothing = layer([Entry("mark", os.urandom(16))]), layer([])
    image = make_image(tmp_path / "oci", twice, nothing, twice)
    case.runtime.load(image, _unsaid)
    assert case.runtime.has(image)


def test_layers_in_zstd_are_taken_or_refused_by_name(case: Case, tmp_path: Path) -> None:
    image = tools_image(tmp_path / "oci", more=[Entry("mark", os.urandom(16))], compression="zstd")
    try:
        case.runtime.load(image, _unsaid)
    except ContainerError as error:
        assert case.runtime.name == "docker"
        assert "zstd" in error.message
        assert not case.runtime.has(image)
    else:
        assert case.run(order(image, "true")).returncode == 0


@pytest.mark.parametrize("which", ["layer", "config", "manifest"])
def test_a_damaged_blob_makes_no_image(case: Case, fresh: StagedImage, which: str) -> None:
    digest = {"layer": fresh.layers[-1], "config": fresh.config, "manifest": fresh.digest}[which]
    blob, before = fresh.blob(digest), case.home.images()
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)
    with pytest.raises(DigestError) as caught:
        case.runtime.load(fresh, _unsaid)
    assert caught.value.fields["expected"] == f"sha256:{digest}"
    assert not case.runtime.has(fresh)
    assert case.home.images() == before


def test_a_layer_that_the_config_does_not_speak_of_is_refused_by_the_runtime_itself(case: Case, tmp_path: Path) -> None:
    image = make_image(tmp_path / "oci", layer([Entry("mark", os.urandom(9))]), diff_ids=[f"sha256:{'1' * 64}"])
    with pytest.raises(ContainerError):
        case.runtime.load(image, _unsaid)
    assert not case.runtime.has(image)


def test_a_blob_that_is_gone_is_named(case: Case, fresh: StagedImage) -> None:
    fresh.blob(fresh.layers[0]).unlink()
    with pytest.raises(ContainerError, match=fresh.layers[0]):
        case.runtime.load(fresh, _unsaid)
    assert not case.runtime.has(fresh)


def test_two_that_load_the_same_image_at_once_load_it_once(case: Case, fresh: StagedImage) -> None:
    said: list[str] = []
    loaders = [
        threading.Thread(target=type(case.runtime)(case.home.environment).load, args=(fresh, said.append))
        for _ in range(3)
    ]
    for one in loaders:
        one.start()
    for one in loaders:
        one.join()
    assert len([one for one in said if "another run" not in one]) == 1
    assert case.runtime.has(fresh)


def test_a_tag_of_the_user_that_is_moved_meanwhile_changes_nothing(
    case: Case, fresh: StagedImage, tmp_path: Path
) -> None:
    other = tools_image(tmp_path / "other", more=[Entry("etc/mark", b"other")])
    case.ready(fresh)
    case.ready(other)
    tag = f"localhost/{uuid.uuid4().hex}:1"
    case.home.run("tag", fresh.config, tag)
    case.home.run("tag", other.config, tag)
    before = case.home.images()
    done = case.run(order(replace(fresh, name=tag), "cat", "/etc/mark"))
    assert done.stdout == str(tmp_path)
    case.runtime.load(fresh, _unsaid)
    assert case.home.images() == before
    case.home.run("rmi", tag)


# --- containers -------------------------------------------------------------------------------------------------------


def test_a_command_runs_with_its_environment_in_its_folder_and_its_exit_code_comes_back(
    case: Case, tools_image: StagedImage, tmp_path: Path
) -> None:
    case.ready(tools_image)
    folder = tmp_path / 'a,b "c" =d:e\n'
    folder.mkdir()
    (folder / "word").write_text("said\n")
    asked = order(
        tools_image,
        *("-c", 'cat word; echo "$ODD"; pwd; exit 7'),
        entrypoint="bash",
        workdir="/work, here",
        mounts=(Mount(source=folder, target="/work, here"),),
        environment={"ODD": "a=b, \"c\" 'd'\n$HOME", "EMPTY": ""},
    )
    done = case.run(asked)
    assert (done.stdout, done.returncode) == ("said\na=b, \"c\" 'd'\n$HOME\n/work, here\n", 7), done.stderr
    assert asked.name not in case.home.containers()


VARIABLES = {
    "EMPTY": "",
    "QUOTED": "\"q\" 'r' `s` \\",
    "LINES": "-----BEGIN\n\nX=1\nEND-----\n",
    "LONG": "l" * 70_000,
    "SPACES": "\t x ",
    "NOTE": "# none",
    "ODD": "a=b=$HOME*",
    "DOCKER_HOST": "unix:///mine",
    "CONTAINER_HOST": "unix:///mine",
    "HTTP_PROXY": "http://proxy.example",
    "LD_LIBRARY_PATH": "/nowhere",
    "PATH": "/bin",
    "HOME": "/tmp",
}


def test_variables_of_every_kind_arrive_and_the_command_itself_goes_by_none(
    case: Case, tools_image: StagedImage
) -> None:
    case.ready(tools_image)
    done = case.run(order(tools_image, "/proc/self/environ", entrypoint="/bin/cat", environment=VARIABLES))
    assert done.returncode == 0, done.stderr
    found = dict(one.split("=", 1) for one in done.stdout.split("\0") if one)
    assert {name: found.get(name) for name in VARIABLES} == VARIABLES


def test_without_an_entrypoint_the_images_own_gets_the_command(case: Case, tmp_path: Path) -> None:
    image = tools_image(tmp_path / "oci", config={"Entrypoint": ["/bin/echo", "own"], "Cmd": ["default"]})
    case.ready(image)
    assert case.run(order(image, "--mine")).stdout == "own --mine\n"
    assert case.run(order(image)).stdout == "own default\n"
    assert case.run(order(image, "mine", entrypoint="/bin/echo")).stdout == "mine\n"


def test_only_what_is_writable_can_be_written_to_and_it_belongs_to_the_user(
    case: Case, tools_image: StagedImage, tmp_path: Path
) -> None:
    case.ready(tools_image)
    given, made = tmp_path / "given", tmp_path / "made"
    for folder in (given, made):
        folder.mkdir()
        os.chown(folder, *USER)
    script = "for place in / /etc /given /made /tmp; do touch $place/file 2>/dev/null && echo $place; done"
    done = case.run(
        order(
            tools_image,
            *("bash", "-c", script),
            mounts=(Mount(source=given, target="/given"), Mount(source=made, target="/made", writable=True)),
            temporary=("/tmp",),
        )
    )
    assert done.stdout.split() == ["/made", "/tmp"], done.stderr
    status = (made / "file").stat()
    assert (status.st_uid, status.st_gid) == USER
    assert list(given.iterdir()) == []


def test_the_images_own_folders_can_be_written_to_when_that_is_asked(case: Case, tools_image: StagedImage) -> None:
    case.ready(tools_image)
    assert case.run(order(tools_image, "touch", "/etc/file", read_only=False, user=(0, 0))).returncode == 0


def test_there_is_no_network_and_loopback_is_up(case: Case, tools_image: StagedImage) -> None:
    case.ready(tools_image)
    script = "ip -o link | cut -d: -f2; ip route; ping -c1 -w1 127.0.0.1 >/dev/null 2>&1; nc -w1 192.0.2.1 80; echo $?"
    done = case.run(order(tools_image, "bash", "-c", script, user=(0, 0)))
    assert done.stdout.split() == ["lo", "1"], done.stdout


def test_it_has_no_capabilities_and_gains_none(case: Case, tools_image: StagedImage) -> None:
    case.ready(tools_image)
    script = "grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status"
    done = case.run(order(tools_image, "bash", "-c", script))
    assert done.stdout.split() == ["CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1"]
    of_root = case.run(order(tools_image, "bash", "-c", script, user=(0, 0))).stdout.split()
    # CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID: bits 0, 1, 3, 4, 5, 6, 7.
    assert of_root == ["CapEff:", f"{0xFB:016x}", "CapBnd:", f"{0xFB:016x}", "NoNewPrivs:", "1"]


def test_limits_hold_in_the_containers_own_group_or_are_said_to_be_lacking(
    case: Case, tools_image: StagedImage
) -> None:
    case.ready(tools_image)
    notes = case.runtime.about().notes
    script = (
        "cd /sys/fs/cgroup; cat memory.max memory/memory.limit_in_bytes 2>/dev/null;"
        "cat cpu.max cpu/cpu.cfs_quota_us 2>/dev/null; df -k /dev/shm | tail -1 | awk '{print $2}'"
    )
    done = case.run(
        order(tools_image, "bash", "-c", script, cores=0.5, memory=64 << 20, shared_memory=3 << 20, read_only=False)
    )
    words = done.stdout.split()
    assert words[-1] == str(3 << 10)
    if "memory limit" not in notes:
        assert words[0] == str(64 << 20)
    if "cpu limit" not in notes:
        assert words[1] == "50000"


def test_more_cores_than_there_are_is_no_fault(case: Case, tools_image: StagedImage) -> None:
    case.ready(tools_image)
    assert case.run(order(tools_image, "true", cores=4096.0)).returncode == 0


def test_stop_ends_a_container_that_ignores_signals_at_once(case: Case, tools_image: StagedImage) -> None:
    case.ready(tools_image)
    stubborn = order(tools_image, "bash", "-c", "trap '' TERM INT HUP QUIT; echo up; while true; do sleep 1; done")
    with case.start(stubborn) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        started = time.monotonic()
        case.runtime.stop(stubborn.name)
        child.communicate(timeout=10)
        assert time.monotonic() - started < 8, "a runtime's own grace is 10 s"
    assert child.returncode not in (0, None)
    until(lambda: stubborn.name not in case.home.containers())
    case.runtime.stop(stubborn.name)


def test_sweep_ends_what_has_the_label_and_leaves_the_users_containers(case: Case, tools_image: StagedImage) -> None:
    case.ready(tools_image)
    run, mine = uuid.uuid4().hex, f"mine-{uuid.uuid4().hex[:8]}"
    case.home.run(
        "run", "-d", "--name", mine, "--label", f"{LABEL}={run}0", "--network=none", tools_image.config, "sleep", "60"
    )
    ours = [order(tools_image, "sleep", "60", labels={LABEL: run}) for _ in range(2)]
    with case.start(ours[0]), case.start(ours[1]):
        until(lambda: {mine, *(one.name for one in ours)} <= set(case.home.containers()))
        # A runtime of another process, as after a crash.
        swept = type(case.runtime)(case.home.environment).sweep(LABEL, run)  # type: ignore[call-arg]
        assert swept == tuple(sorted(one.name for one in ours))
        assert mine in case.home.containers()
        assert not {one.name for one in ours} & set(case.home.containers())
        assert case.runtime.sweep(LABEL, run) == ()
    case.runtime.stop(mine)


@pytest.mark.docker
def test_sweep_removes_the_volumes_that_a_dead_engine_left(
    docker_daemon: Containing, tools_image: StagedImage, tmp_path: Path
) -> None:
    runtime = Docker(docker_daemon.environment)
    runtime.load(tools_image, _unsaid)
    run, mine = uuid.uuid4().hex, f"mine-{uuid.uuid4().hex[:8]}"
    docker_daemon.run("volume", "create", mine)
    mount = Mount(source=tmp_path, target="/seen", held=str(tmp_path))
    argv = docker_argv(
        order(tools_image, "true", mounts=(mount,), labels={LABEL: run}), {}, tools_image.config, held=True
    )
    option = next(one for one in argv if one.startswith("--mount=") and "volume" in one)
    # Its container goes as after a crash: without the volumes that only it had.
    container = docker_daemon.run("create", option, tools_image.config, "true").strip()
    docker_daemon.run("rm", container)
    left = docker_daemon.run("volume", "ls", "--quiet", f"--filter=label={LABEL}={run}").split()
    assert len(left) == 1

    runtime.sweep(LABEL, run)

    volumes = docker_daemon.run("volume", "ls", "--quiet").split()
    assert left[0] not in volumes
    assert mine in volumes


@pytest.mark.parametrize("secret", [True, False])
def test_a_volume_of_the_image_leaves_nothing_with_the_runtime(case: Case, tmp_path: Path, secret: bool) -> None:
    image = tools_image(
        tmp_path / "oci",
        more=[Entry("keep", mode=0o1777), Entry("keep/mark", b"of the image\n", mode=0o644)],
        config={"Volumes": {"/keep/": {}, "/seen": {}}},
    )
    ours, seen = tmp_path / "ours", tmp_path / "seen"
    ours.mkdir()
    seen.mkdir()
    wish = order(
        image,
        *("sh", "-c", "cat /keep/mark && echo secret > /keep/new && cat /keep/new && grep ' /keep ' /proc/mounts"),
        mounts=(Mount(source=seen, target="/seen"),),
    )
    assert volumes_of(wish) == ("/keep",)
    before = case.home.run("volume", "ls", "--quiet")
    case.ready(image)
    told = case.run(replace(wish, volumes=(Mount(source=ours, target="/keep"),)) if secret else wish)
    assert told.stdout.startswith("of the image\nsecret\n"), told.stderr
    if case.runtime.name == "podman":
        assert "\ntmpfs /keep tmpfs " in told.stdout
    elif secret:
        assert (ours / "new").read_text() == "secret\n"
    assert case.home.run("volume", "ls", "--quiet") == before


def test_a_probe_of_the_image_is_not_made(case: Case, tmp_path: Path) -> None:
    probe = {"Test": ["CMD-SHELL", "echo secret; touch /probed/x"], "Interval": 10**9}
    image = tools_image(tmp_path / "oci", more=[Entry("mark", os.urandom(9))], config={"Healthcheck": probe})
    seen = tmp_path / "probed"
    seen.mkdir()
    seen.chmod(0o777)
    case.ready(image)
    mount = Mount(source=seen, target="/probed", writable=True)
    assert case.run(order(image, "sleep", "2.5", mounts=(mount,))).returncode == 0
    assert not list(seen.iterdir())


def test_a_name_that_is_there_already_is_refused(case: Case, tools_image: StagedImage) -> None:
    case.ready(tools_image)
    one = order(tools_image, "sleep", "60")
    with case.start(one) as child:
        until(lambda: one.name in case.home.containers())
        done = case.run(one)
        assert done.returncode == 125
        assert "in use" in done.stderr
        case.runtime.stop(one.name)
        child.communicate(timeout=10)


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.docker
def test_a_daemon_that_dies_while_it_loads_has_nothing_afterwards(docker_daemon: Containing, tmp_path: Path) -> None:
    image = tools_image(tmp_path / "oci", more=[Entry("big", os.urandom(30 << 20))], compression="")
    with dockerd() as daemon:
        runtime = Docker(daemon.environment)
        killer = threading.Timer(0.15, daemon.stop, args=(signal.SIGKILL,))
        killer.start()
        with pytest.raises(ContainerError) as caught:
            while True:
                runtime.load(image, _unsaid)
                daemon.run("rmi", image.config)
        killer.join()
        assert caught.value.exit_code == 6
        with pytest.raises(ContainerError, match="does not run"):
            runtime.about()
        daemon.start()
        assert not runtime.has(image)
        runtime.load(image, _unsaid)
        assert runtime.has(image)


@pytest.mark.docker
@pytest.mark.tmpfs
def test_a_full_disk_is_told_as_such_and_leaves_nothing(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", small], check=True)
    try:
        image = tools_image(tmp_path / "oci", more=[Entry("big", os.urandom(30 << 20))], compression="")
        with dockerd("--data-root", str(small), "--storage-driver=vfs") as daemon:
            runtime = Docker(daemon.environment)
            with pytest.raises(DiskError) as caught:
                runtime.load(image, _unsaid)
            assert caught.value.exit_code == 13
            assert not runtime.has(image)
    finally:
        subprocess.run(["umount", "-l", small], check=True)


@pytest.mark.docker
def test_no_permission_to_the_socket_is_told_with_what_to_do(docker_daemon: Containing, tmp_path: Path) -> None:
    program = tmp_path / "docker"
    real = shutil.which("docker")
    program.write_text(f'#!/bin/sh\nexec setpriv --reuid=4321 --regid=4321 --clear-groups {real} "$@"\n')
    program.chmod(0o755)
    runtime = Docker({**docker_daemon.environment, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    with pytest.raises(ContainerError, match="no permission") as caught:
        runtime.about()
    assert "group docker" in str(caught.value.hint)


@pytest.mark.podman
def test_rootless_without_subordinate_users_is_told_with_what_to_do(podman_home: Containing, tmp_path: Path) -> None:
    info = {
        "version": {"Version": "4.3.1"},
        "host": {
            "security": {"rootless": True},
            "idMappings": {"uidmap": [{"container_id": 0, "host_id": 1000, "size": 1}]},
        },
    }
    program = tmp_path / "podman"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(info)}\nEND\n")
    program.chmod(0o755)
    runtime = Podman({**podman_home.environment, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    with pytest.raises(ContainerError, match="subordinate") as caught:
        runtime.about()
    assert "usermod" in str(caught.value.hint)


@pytest.mark.parametrize("make", [Docker, Podman])
def test_a_runtime_that_is_not_installed_is_told_with_what_to_do(make: type[DockerLike], tmp_path: Path) -> None:
    with pytest.raises(ContainerError, match="not installed") as caught:
        make({"PATH": str(tmp_path)}).about()
    assert "apt-get install" in str(caught.value.hint)
