"""Killed at any step, or fought over by many: what is there is whole, and the next one finishes the work (T1, T6)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import contenders, killing

ROOT = Path(__file__).resolve().parents[2]


def program(module: Any, *arguments: str | Path) -> Any:
    done = subprocess.run(
        [sys.executable, module.__file__, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """A folder where flushing to the disk costs nothing: a process is killed here, not the machine."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


def test_a_stager_killed_at_any_step_leaves_nothing_half_and_the_next_one_reaches_the_same_lock(
    in_memory: Path,
) -> None:
    told = program(killing, in_memory)

    assert len(told) > 50, "too few steps were seen to mean anything"
    locks = set()
    for one in told:
        last = one is told[-1]
        assert one["ended"] == (0 if last else -signal.SIGKILL), one
        assert (one["looked"], one["again"]) == (0, 0), one
        assert one["look"]["problems"] == [], one
        assert one["temporary"] == [], one
        whole = one["look"]["whole"]
        assert len(one["workdirs"]) == whole + 1, one
        assert not [name for name in one["workdirs"] if name.startswith(".")], one
        locks.add(one["second"]["lock"])
    assert len(locks) == 1


@pytest.mark.parametrize(("stagers", "collectors"), [(16, 0), (8, 2)])
def test_many_stagers_at_once_make_one_download_of_each_thing(tmp_path: Path, stagers: int, collectors: int) -> None:
    ended = program(contenders, tmp_path, stagers, collectors)

    assert ended["codes"] == [0] * (stagers + collectors)
    assert len({one["lock"] for one in ended["told"]}) == 1
    downloads = (tmp_path / "downloads").read_text().splitlines()
    assert sorted(downloads) == [f"slow:{one}" for one in range(4)]
    assert sum(one["sources"].count("fetched") for one in ended["told"]) == 4
