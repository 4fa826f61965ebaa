"""An installation with a key, and an encrypted working directory of it whose workflow lasts as long as it is told to.

The working directory is staged once; each test gets a copy. Import ``staged_once`` and ``vault`` for fixtures.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from staging.errors import LockedError
from tests.conftest import Command
from wfexs_like.vault.dissolving import dissolve
from wfexs_like.vault.mounts import mount_at
from wfexs_like.vault.users import Process, inside

PATIENCE = 30.0
WORKFLOW = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c]
arguments: ["echo at work > begun; sleep $(inputs.seconds); echo done"]
inputs: {seconds: {type: float, default: 0}}
outputs: {out: stdout}
stdout: out.txt
"""
STAGE = """\
workflow_id: slow.cwl
nickname: secret
workflow_config: {secure: true}
"""
PROGRAM = (str(Path(sys.executable).with_name("wfexs-like")),)


class Going:
    """A command that goes on beside the test, until it is asked how it ended."""

    def __init__(self, argv: Sequence[str]) -> None:
        pipe = subprocess.PIPE
        self._popen = subprocess.Popen(argv, stdout=pipe, stderr=pipe, stdin=subprocess.DEVNULL, text=True)
        self.pid = self._popen.pid

    def ended(self, number: signal.Signals | None = None) -> int:
        """Its exit code, minus the signal it died of; ``number`` is sent to it first."""
        if number is not None:
            self._popen.send_signal(number)
        self.out, self.err = self._popen.communicate(timeout=PATIENCE)
        assert "Traceback" not in self.err
        return self._popen.returncode

    def error(self) -> dict[str, Any]:
        """The error that it ends with."""
        code = self.ended()
        told = json.loads(self.out)["error"]
        assert isinstance(told, dict)
        assert told["exit_code"] == code
        return told


@dataclass(frozen=True)
class Encrypted:
    """The encrypted working directory ``root``, closed, and the command of its installation."""

    root: Path
    home: Path
    wfexs: Command

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    def is_open(self) -> bool:
        return mount_at(self.work) is not None

    def at_work(self) -> tuple[Process, ...]:
        """Every process that has something of it open: users, guard, server."""
        return inside(self.root)

    def is_left_alone(self) -> bool:
        return not self.is_open() and not self.at_work()

    def in_clear(self) -> list[str]:
        """What lies below the bare mount point."""
        assert not self.is_open()
        return sorted(path.name for path in self.work.iterdir())

    def server(self) -> int:
        """The number of the process that serves the mount."""
        return int((self.root / "vault" / ".guard").read_text())

    def guard(self) -> int:
        """The number of the guard."""
        return parent_of(self.server())

    def status(self, run: int) -> str:
        """What ``show`` says of a run."""
        runs = {one["run"]: one["status"] for one in self.wfexs.ok("show", self.root)["runs"]}
        return str(runs[run])

    def start(self, *words: str | Path) -> Going:
        """The command, going on beside the test."""
        return Going([*self.wfexs.argv, "--json", *map(str, words)])

    def start_run(self, seconds: float | None = 600) -> Going:
        """A run that is at its step; ``None``: of a workflow that has no such parameter."""
        before = set(self._begun())
        run = self.start("run", self.root, *(() if seconds is None else ("--param", f"seconds={seconds}")))
        wait_for(lambda: self.is_open() and set(self._begun()) - before)
        return run

    def _begun(self) -> list[Path]:
        try:
            return list(self.work.glob("runs/*/**/begun"))
        except OSError:
            return []


def children_of(number: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{number}/task/{number}/children").read_text().split()]


def parent_of(number: int) -> int:
    return int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])


def wait_for(what: Callable[[], Any], patience: float = PATIENCE) -> Any:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.02)
    pytest.fail("it did not happen in time")


@pytest.fixture(scope="session")
def staged_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with keys and one encrypted working directory."""
    home = tmp_path_factory.mktemp("vault")
    environment = {
        **os.environ,
        "HOME": str(home),
        **{f"WFEXS_LIKE_{name.upper()}": str(home / name) for name in ("cache", "workdirs", "keys")},
        "WFEXS_LIKE_CONFIG": str(home / "config.toml"),
    }
    (home / "slow.cwl").write_text(WORKFLOW)
    (home / "slow.wfex.stage").write_text(STAGE)
    for words in (["keys", "init", "--no-passphrase"], ["stage", str(home / "slow.wfex.stage")]):
        subprocess.run([*PROGRAM, *words], env=environment, check=True, capture_output=True)
    yield home
    dissolve_all(home / "workdirs")


@pytest.fixture
def vault(staged_once: Path, home: Path) -> Iterator[Encrypted]:
    """A copy of it for the test alone."""
    for name in ("keys", "workdirs"):
        shutil.copytree(staged_once / name, home / name)
    for name in ("slow.cwl", "slow.wfex.stage"):
        shutil.copy(staged_once / name, home / name)
    for name in ("engines", "cwl-schemas"):
        shutil.copytree(staged_once / "cache" / name, home / "cache" / name, symlinks=True)
    (root,) = (home / "workdirs").glob("*-*")
    yield Encrypted(root=root, home=home, wfexs=Command(PROGRAM))
    dissolve_all(home / "workdirs")


def dissolve_all(workdirs: Path) -> None:
    """Leave nothing open and nothing immutable."""
    for root in workdirs.iterdir():
        if mount_at(root / "work") is None:
            with contextlib.suppress(LockedError):
                dissolve(root)
                continue
        subprocess.run([*PROGRAM, "cancel", str(root)], check=False, capture_output=True)
        subprocess.run([*PROGRAM, "unmount", "--force", str(root)], check=False, capture_output=True)
        dissolve(root)
