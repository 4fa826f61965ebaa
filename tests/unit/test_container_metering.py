"""What a container used, read from cgroups of either version as they are laid out on a host."""

from __future__ import annotations

import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.containers.metering import Meter

NAME = "0123456789abcdef" * 4
TWO = {"memory.peak": "5000000\n", "cpu.stat": "nr_periods 0\nusage_usec 1250000\nuser_usec 1\n"}
TWO["io.stat"] = "8:0 rbytes=4096 wbytes=10 rios=1 wios=1 dbytes=7 dios=0\n253:1 rbytes=1 wbytes=0 rios=1 wios=0\n"


@pytest.fixture
def first() -> Iterator[subprocess.Popen[bytes]]:
    """A process that reads until its input ends."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        yield process


@pytest.fixture(autouse=True)
def numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process counts as the first of a PID namespace."""
    monkeypatch.setattr("engines.containers.metering._numbers", lambda pid: [pid, "1"])


def lay(place: Path, pid: int, files: dict[str, str]) -> None:
    place.mkdir(parents=True)
    for name, text in {**files, "cgroup.procs": f"{pid}\n"}.items():
        (place / name).write_text(text)


def test_a_container_is_found_when_its_id_is_told_and_read_when_it_ends(
    tmp_path: Path, first: subprocess.Popen[bytes]
) -> None:
    place = tmp_path / "system.slice" / f"docker-{NAME}.scope"
    lay(place, first.pid, TWO)
    meter = Meter(tmp_path / "id", tmp_path)
    assert not meter.look()
    (tmp_path / "id").write_text(NAME[:10])
    assert not meter.look()
    (tmp_path / "id").write_text(NAME)

    assert meter.look()

    assert not meter.looking
    assert meter.process is not None
    assert select.select([meter.process], [], [], 0)[0] == []
    first.communicate()
    assert select.select([meter.process], [], [], 5)[0] == [meter.process]
    meter.read()
    meter.close()
    assert meter.usage == {
        "max_memory_bytes": 5_000_000,
        "cpu_seconds": 1.25,
        "read_bytes": 4097,
        "written_bytes": 10,
    }


def test_of_separate_hierarchies_each_has_its_count(tmp_path: Path, first: subprocess.Popen[bytes]) -> None:
    lay(tmp_path / "memory" / "docker" / NAME, first.pid, {"memory.max_usage_in_bytes": "7000\n"})
    lay(tmp_path / "cpuacct" / "docker" / NAME, first.pid, {"cpuacct.usage": "2500000000\n"})
    (tmp_path / "id").write_text(NAME)
    meter = Meter(tmp_path / "id", tmp_path)

    assert meter.look()
    meter.read()
    meter.close()

    assert meter.usage == {"max_memory_bytes": 7000, "cpu_seconds": 2.5}


def test_what_is_not_counted_is_not_told(tmp_path: Path, first: subprocess.Popen[bytes]) -> None:
    lay(tmp_path / "libpod_parent" / f"libpod-{NAME}" / "container", first.pid, {})
    lay(tmp_path / "libpod_parent" / f"libpod-{NAME}" / "x", first.pid, {})
    (tmp_path / "libpod_parent" / f"libpod-{NAME}" / "cpu.stat").write_text("nothing of use\n")
    (tmp_path / "id").write_text(NAME)
    meter = Meter(tmp_path / "id", tmp_path)

    assert meter.look()
    meter.read()
    meter.close()

    assert meter.usage == {}


def test_an_id_that_is_a_path_leads_nowhere(tmp_path: Path, first: subprocess.Popen[bytes]) -> None:
    lay(tmp_path / "elsewhere", first.pid, TWO)
    (tmp_path / "id").write_text("../elsewhere")

    assert not Meter(tmp_path / "id", tmp_path).look()


def test_nothing_is_left_open(tmp_path: Path, first: subprocess.Popen[bytes]) -> None:
    lay(tmp_path / f"machine.slice/libpod-{NAME}.scope", first.pid, TWO)
    (tmp_path / "id").write_text(NAME)
    before = len([*Path("/proc/self/fd").iterdir()])
    meter = Meter(tmp_path / "id", tmp_path)
    assert meter.look()

    meter.close()

    assert len([*Path("/proc/self/fd").iterdir()]) == before
