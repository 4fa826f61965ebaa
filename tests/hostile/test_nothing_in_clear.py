"""Nothing in clear: canaries in all that is secret, looked for outside of the vault after and during each phase."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.support.canaries import EngineName, Planted, descendants
from tests.support.container_daemons import Containing
from tests.support.images import tools_image
from tests.support.vaults import parent_of, wait_for
from wfexs_like.vault.users import inside

pytestmark = [pytest.mark.gocryptfs, pytest.mark.fuse]

EXPORTED = {
    # The validator is shown the most where all is secret.
    "archive.c4gh": ("--seal", "archive"),
    "little": ("--seal", "files", "--no-validate"),
    "nothing": ("--seal", "files", "--metadata", "sealed", "--no-validate"),
}
AT_ONCE = 10.0
IMAGE = "example.org/tools:1"
Plant = Callable[..., Planted]
ENGINES = [
    pytest.param("cwltool", marks=pytest.mark.cwltool),
    pytest.param("nextflow", marks=pytest.mark.nextflow),
]


@pytest.fixture
def plant(
    home: Path, tmp_path_factory: pytest.TempPathFactory, wfexs: Command, request: pytest.FixtureRequest
) -> Plant:
    """Makes a stage file full of canaries; the installation has a key, and says nothing of containers but ``more``."""

    def make(engine: EngineName, **more: str) -> Planted:
        if engine == "nextflow":
            request.getfixturevalue("nextflow")
        assert wfexs.run("init", "--no-passphrase").returncode == 0
        planted = Planted(tmp_path_factory.mktemp("sources"), home, wfexs, engine, **more)
        assert planted.found() == []
        return planted

    return make


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_found_after_any_phase_nor_while_a_step_runs(plant: Plant, engine: EngineName) -> None:
    planted = plant(engine)
    wfexs = planted.wfexs
    _stage(planted)
    _kill(planted, "server", 7)
    _kill(planted, "engine", 8, "failed")
    if engine == "cwltool":
        _kill(planted, "guard", 137)
    _run(planted)
    _end(planted, signal.SIGKILL)
    _end(planted, signal.SIGINT)
    _fail(planted)
    for verb in (("show", "planted"), ("logs", "planted"), ("list",)):
        shown = wfexs.run(*verb)
        assert shown.returncode == 0, shown.stderr
    assert planted.found() == [], "after looking at it"
    _export(planted, *EXPORTED)
    wfexs.ok("crate", "planted", planted.sources / "clear", "--allow-clear", "--include", "all", "--no-validate")
    assert planted.found() == [], "after an export in clear, which is not looked at"
    _remove(planted)


@pytest.mark.docker
@pytest.mark.cwltool
def test_nothing_is_found_where_steps_of_cwltool_run_in_docker(plant: Plant, docker_daemon: Containing) -> None:
    planted = _contained(plant, "cwltool", docker_daemon)
    _live_contained(planted)
    _kill(planted, "server", 7)
    with planted.sleeping() as running:
        (root,) = planted.workdirs
        (step,) = _steps(root)
        reaper = _reaper(running.pid)
        os.kill(reaper, signal.SIGSTOP)
        os.kill(running.pid, signal.SIGKILL)
        # However long it lives, it has nothing to read or write.
        wait_for(lambda: _error(Path(f"/proc/{step}/cwd")) in (errno.ENOTCONN, errno.ENOENT))
        assert _steps(root) == [step]
        # And it does not live long.
        os.kill(reaper, signal.SIGCONT)
        wait_for(lambda: not _steps(root))
        wait_for(lambda: docker_daemon.containers() == ())
    assert planted.found() == []
    _remove(planted)


@pytest.mark.parametrize(
    ("engine", "runtime"),
    [
        pytest.param("cwltool", "podman_home", marks=[pytest.mark.cwltool, pytest.mark.podman]),
        pytest.param("nextflow", "docker_daemon", marks=[pytest.mark.nextflow, pytest.mark.docker]),
        pytest.param("nextflow", "podman_home", marks=[pytest.mark.nextflow, pytest.mark.podman]),
    ],
)
def test_nothing_is_found_where_steps_run_in_containers(
    plant: Plant, request: pytest.FixtureRequest, engine: EngineName, runtime: str
) -> None:
    planted = _contained(plant, engine, request.getfixturevalue(runtime))
    _live_contained(planted)
    _remove(planted)


def _contained(plant: Plant, engine: EngineName, runtime: Containing) -> Planted:
    planted = plant(engine, container=runtime.command, image=IMAGE)
    tools_image(planted.sources / "image", name=IMAGE)
    planted.wfexs = replace(planted.wfexs, environment=runtime.environment | {"HOME": str(planted.home)})
    return planted


def _live_contained(planted: Planted) -> None:
    """What differs where steps run in containers.

    Runs of Nextflow take their time: how each of them ends is seen without containers, and how containers end is seen
    with cwltool.
    """
    _stage(planted)
    _run(planted)
    if planted.engine == "cwltool":
        _end(planted, signal.SIGKILL)
        _end(planted, signal.SIGINT)
        _fail(planted)
    _export(planted, "little")


# --- phases -----------------------------------------------------------------------------------------------------------


def _stage(planted: Planted) -> None:
    planted.wfexs.ok("stage", planted.stage_file)
    assert planted.found() == []


def _run(planted: Planted) -> None:
    """A run that is looked at while its step sleeps, and comes to its end."""
    with planted.sleeping() as running:
        assert planted.found(processes=True) == []
        limits = {_core_limits(number) for number in (running.pid, *descendants(running.pid))}
        planted.wake()
        said = running.communicate(timeout=60)
        assert running.returncode == 0, said
    assert planted.found() == []
    # One byte: core(5) has no other limit that holds for programs which dumps are piped to.
    assert limits <= {("1", "1"), ("1", "unlimited")}
    assert ("1", "1") in limits


def _end(planted: Planted, number: signal.Signals) -> None:
    """A run that is ended by a signal while its step sleeps."""
    with planted.sleeping() as running:
        os.kill(running.pid, number)
        running.wait(60)
    assert planted.found() == [], f"after {number.name}"


def _fail(planted: Planted) -> None:
    failed = planted.wfexs.run("run", "planted", "--param", "code=3")
    assert failed.returncode == 8
    # Where nobody sits at the other end, somebody keeps it.
    assert [name for name, canary in planted.canaries.items() if canary in failed.stderr] == []
    assert "are only shown on a terminal" in failed.stderr
    assert planted.found() == [], "after a run that failed"


def _export(planted: Planted, *names: str) -> None:
    key = planted.home / "keys" / "wfexs-like.pub"
    for name in names:
        sealed = planted.home / name
        planted.wfexs.ok("crate", "planted", sealed, *EXPORTED[name], "--recipient", key, "--include", "all")
        assert sealed.exists()
    # The name of the whole is what little metadata is for.
    allowed = f"title as clear (content) in {planted.home}/little/"
    assert [one for one in planted.found() if not one.startswith(allowed)] == []
    for name in names:
        sealed = planted.home / name
        shutil.rmtree(sealed) if sealed.is_dir() else sealed.unlink()


def _remove(planted: Planted) -> None:
    planted.wfexs.ok("rm", "planted")
    assert planted.found() == []
    assert planted.workdirs == []


def _kill(planted: Planted, what: str, code: int, status: str = "killed") -> None:
    """``kill -9`` of one of them while a step runs; of the guard and then of the run, which ends with ``code``."""
    with planted.sleeping() as running:
        (root,) = planted.workdirs
        server = int((root / "vault" / ".guard").read_text())
        if what == "engine":
            _kill_engine(running.pid, planted.engine)
        else:
            os.kill(server if what == "server" else parent_of(server), signal.SIGKILL)
        if what == "guard":
            assert planted.found() == [], "with the guard killed"
            os.kill(running.pid, signal.SIGKILL)
        began = time.monotonic()
        ended = running.wait(60)
        assert (ended if ended >= 0 else 128 - ended) == code, running.communicate()
        assert time.monotonic() - began < AT_ONCE
        assert planted.found() == [], f"after kill -9 of the {what}"
        if what == "guard":
            # Nobody is left who would close it: the next command does.
            planted.wfexs.ok("show", "planted")
    wait_for(lambda: not inside(root), AT_ONCE)
    assert planted.closed
    assert list((root / "work").iterdir()) == []
    runs = planted.wfexs.ok("show", "planted")["runs"]
    assert max(runs, key=lambda one: int(one["run"]))["status"] == status
    assert planted.found() == [], f"closed, after kill -9 of the {what}"


def _steps(root: Path) -> list[int]:
    """The processes of steps that sleep in containers and see something of a working directory."""
    found = []
    here = Path("/proc/self/ns/mnt").readlink()
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if (entry / "cmdline").read_bytes().startswith(b"sleep\0") and (entry / "ns/mnt").readlink() != here:
                found += [int(entry.name)] * (root.name in (entry / "mountinfo").read_text())
    return found


def _reaper(run: int) -> int:
    """The process that sees to the containers of a run that is killed."""
    # It is the child of a thread: those are not listed with the first one's.
    children = " ".join(one.read_text() for one in Path(f"/proc/{run}/task").glob("*/children")).split()
    (found,) = (one for one in children if b"reaper.py" in Path(f"/proc/{one}/cmdline").read_bytes())
    return int(found)


def _error(path: Path) -> int | None:
    try:
        list(path.iterdir())
    except OSError as error:
        return error.errno
    return None


def _kill_engine(run: int, engine: EngineName) -> None:
    """Kill the JVM, or the process that has cwltool as a library: the first one in the run's own namespace."""
    for one in descendants(run):
        words = Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")
        if words[0].endswith(b"java") if engine == "nextflow" else b"cwltool" in b"".join(words[:6]):
            os.kill(one, signal.SIGKILL)
            return
    raise AssertionError("there is no engine")


def test_what_is_allowed_is_found_and_the_record_says_so(plant: Plant) -> None:
    planted = plant("cwltool")
    left = [Path(folder, "left") for folder in ("/tmp", "/var/tmp", "/dev/shm")]
    try:
        done = planted.wfexs.ok("execute", planted.stage_file, "--allow", "open-walls")
        found = planted.found()
    finally:
        for one in left:
            one.unlink(missing_ok=True)
    assert done["run"]["allowed"] == ["open-walls"]
    assert {line.split()[0] for line in found} >= {"temporary", "shared"}
    crate = planted.sources / "crate"
    planted.wfexs.ok("crate", "planted", crate, "--allow-clear", "--no-validate")
    assert "open-walls" in (crate / "ro-crate-metadata.json").read_text()


def _core_limits(number: int) -> tuple[str, str]:
    lines = Path(f"/proc/{number}/limits").read_text().splitlines()
    (found,) = [line.split()[4:6] for line in lines if line.startswith("Max core file size")]
    return found[0], found[1]
