"""What a dead process left beside a result is removed by the next one; what a living one makes is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wfexs_like.unfinished import hidden_beside, remove_leftovers

PROGRAM = """
import sys, time
from pathlib import Path
from wfexs_like.unfinished import hidden_beside
with hidden_beside(Path(sys.argv[1])) as folder:
    (folder / "secret").write_text("plain")
    print(folder, flush=True)
    time.sleep(600)
"""


@contextmanager
def working(destination: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """Another process that makes something, and where."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(destination)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield Path(process.stdout.readline().strip()), process
        finally:
            process.kill()


def test_only_its_owner_may_enter_it_and_it_goes_at_the_end(tmp_path: Path) -> None:
    with hidden_beside(tmp_path / "result") as folder:
        assert folder.parent == tmp_path
        assert folder.name.startswith(".result.")
        assert folder.stat().st_mode & 0o7777 == 0o700
        (folder / "half").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    with working(tmp_path / "result") as (folder, process):
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (folder / "secret").exists()
        with hidden_beside(tmp_path / "another") as mine:
            assert list(tmp_path.iterdir()) == [mine]


def test_what_a_living_process_makes_stays(tmp_path: Path) -> None:
    with working(tmp_path / "result") as (folder, _), hidden_beside(tmp_path / "result"):
        assert remove_leftovers(tmp_path) == 0
        assert (folder / "secret").read_text() == "plain"


@pytest.mark.parametrize("name", [".result.part", "result.0123456789ab.part", ".result.0123456789ab.part.txt"])
def test_other_hidden_things_are_nobody_elses_to_remove(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir(mode=0o700)
    assert remove_leftovers(tmp_path) == 0
    assert (tmp_path / name).exists()


def test_neither_files_nor_links_nor_what_others_may_enter_are_removed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir(mode=0o700)
    (tmp_path / ".a.0123456789ab.part").symlink_to("precious")
    (tmp_path / ".b.0123456789ab.part").write_text("a file")
    (tmp_path / ".c.0123456789ab.part").mkdir()
    (tmp_path / ".c.0123456789ab.part").chmod(0o755)
    assert remove_leftovers(tmp_path) == 0
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_what_belongs_to_somebody_else_stays(tmp_path: Path) -> None:
    other = tmp_path / ".a.0123456789ab.part"
    other.mkdir(mode=0o700)
    os.chown(other, 12345, 12345)
    assert remove_leftovers(tmp_path) == 0
    assert other.exists()


def test_a_name_as_long_as_can_be_is_no_trouble(tmp_path: Path) -> None:
    with hidden_beside(tmp_path / ("🧬" * 63)) as folder:
        assert folder.is_dir()
