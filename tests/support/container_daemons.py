"""Real container daemons, each with a folder of its own: nothing of the machine's own is touched.

Leaving a ``with`` block ends the daemon, unmounts what it mounted and removes its folder. A daemon ends too when the
process that started it does; what is left of one that was killed is cleared away by the next that makes a folder here.
Needs root. Sockets lie below ``/tmp``, since their paths may not be long.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 30.0
PLACE = Path("/tmp")
HELD = "held"


@dataclass
class Containing:
    """A runtime that is ready. ``environment`` is what its command needs to find it, and all that it needs."""

    command: str
    folder: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str | Path, check: bool = True, data: bytes | None = None) -> str:
        """Its command with ``arguments``; what it prints, stripped."""
        done = subprocess.run(
            [self.command, *map(str, arguments)],
            env=dict(self.environment),
            input=b"" if data is None else data,
            capture_output=True,
            timeout=PATIENCE * 2,
            check=False,
        )
        assert not check or done.returncode == 0, f"{self.command} {arguments}: {done.stderr.decode(errors='replace')}"
        return done.stdout.decode(errors="replace").strip()

    def containers(self) -> tuple[str, ...]:
        """The names of all its containers, ended ones too."""
        return tuple(sorted(self.run("ps", "-a", "--format", "{{.Names}}").split()))

    def images(self) -> tuple[str, ...]:
        """Every image with its names, sorted: to be compared before and after."""
        return tuple(
            sorted(self.run("images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}").split("\n"))
        )


@dataclass
class DockerDaemon(Containing):
    """A dockerd that can be ended and started again with the same data."""

    more: tuple[str, ...] = ()
    _daemon: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._daemon is not None
        return self._daemon.pid

    def start(self) -> None:
        """Start it and wait until it answers."""
        # After a SIGKILL these name processes that may be listed still, where nobody collects orphans.
        for pid in (self.folder / "pid", self.folder / "exec" / "containerd" / "containerd.pid"):
            pid.unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._daemon = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "TERM", "dockerd", "--iptables=false", "--bridge=none"),
                    *("--data-root", self.folder / "data", "--exec-root", self.folder / "exec"),
                    *("--pidfile", self.folder / "pid", "-H", f"unix://{self.folder}/docker.sock", *self.more),
                ],
                env={"PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE
        while not self.run("version", "--format", "{{.Server.Version}}", check=False):
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                log_end = (self.folder / "log").read_text(errors="replace")[-2000:]
                self.stop()
                raise AssertionError(f"dockerd did not start:\n{log_end}")
            time.sleep(0.1)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it: with SIGTERM its containers end too; after SIGKILL they may go on until it is started again."""
        if self._daemon is None:
            return
        try:
            self._daemon.send_signal(number)
            self._daemon.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
            self._daemon.wait(PATIENCE)
        finally:
            self._daemon = None


@contextmanager
def dockerd(*more: str) -> Generator[DockerDaemon, None, None]:
    """A Docker engine of one's own; ``more`` are further options of it."""
    with _folder("wfxd-") as folder:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "DOCKER_HOST": f"unix://{folder}/docker.sock",
        }
        daemon = DockerDaemon("docker", folder, environment, more)
        daemon.start()
        try:
            yield daemon
        finally:
            daemon.run("kill", *daemon.run("ps", "-q", check=False).split(), check=False)
            daemon.stop()


@contextmanager
def podman() -> Generator[Containing, None, None]:
    """A podman with storage, state and locks of its own. It has no daemon."""
    with _folder("wfxp-") as folder:
        (folder / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/data"\nrunroot = "{folder}/run"\n'
        )
        (folder / "containers.conf").write_text(
            "[containers]\n"
            'default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n'
            "[engine]\n"
            f'runtime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nlock_type = "file"\n'
            f'tmp_dir = "{folder}/tmp"\nstatic_dir = "{folder}/data/libpod"\nvolume_path = "{folder}/volumes"\n'
        )
        environment = {
            "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin",
            "HOME": str(folder),
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        }
        runtime = Containing("podman", folder, environment)
        try:
            yield runtime
        finally:
            runtime.run("rm", "-f", "-a", "-t", "0", check=False)


@contextmanager
def _folder(prefix: str) -> Generator[Path, None, None]:
    """A folder that is ours as long as this process lives: it holds a lock in it."""
    _clear_dead_folders()
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=PLACE))
    with (folder / "new").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        (folder / "new").rename(folder / HELD)
        try:
            yield folder
        finally:
            _clear(folder)


def _clear_dead_folders() -> None:
    """Those whose owner was killed. A folder without a lock file is being made."""
    for lock in PLACE.glob(f"wfx[dp]-*/{HELD}"):
        try:
            with lock.open("rb") as free:
                fcntl.flock(free, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _clear(lock.parent)
        except (BlockingIOError, FileNotFoundError, PermissionError):
            continue


def _clear(folder: Path) -> None:
    _end_strays(folder)
    for _ in range(3):
        for place in _mounted_below(folder):
            subprocess.run(["umount", "-l", place], capture_output=True, check=False)
    shutil.rmtree(folder, ignore_errors=True)


def _mounted_below(folder: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    places = [line.split()[4] for line in lines]
    return sorted((one for one in places if one.startswith(f"{folder}/")), key=len, reverse=True)


def _end_strays(folder: Path) -> None:
    """End what names the folder in its command line (containerd and its shims, conmon), and the containers below."""
    named = os.fsencode(f"{folder}/")
    strays, parents = set(), {}
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal() or int(process.name) == os.getpid():
            continue
        try:
            parents[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if named in (process / "cmdline").read_bytes():
                strays.add(int(process.name))
        except OSError:
            continue
    shims = {one for one in strays if _is_shim(one)}
    while below := {one for one, parent in parents.items() if parent in shims} - shims:
        shims |= below
    for one in strays | shims:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def _is_shim(pid: int) -> bool:
    """Whether its children are containers'. Others that name the folder may be a test's own, with all it started."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().startswith(("conmon", "containerd-shim"))
    except OSError:
        return False
