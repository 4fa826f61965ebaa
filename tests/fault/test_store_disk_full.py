"""A full disk at any moment of staging: a clear refusal, nothing half-made, and on it goes when there is room (T4)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import full_disk

SIZES = [f"{size}k" for size in (8, 36, 64, 100, 132, 164, 200, 240, 280, 400, 1200, 1800)]
INODES = [str(count) for count in (3, 6, 10, 14, 18, 24)]


def on_small_disks(tmp_path: Path, small: str, option: str, values: list[str]) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, full_disk.__file__, tmp_path, small, option, *values],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[2]), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert isinstance(told, list)
    return told


@pytest.mark.tmpfs
@pytest.mark.parametrize(
    ("small", "option", "values"),
    [
        ("cache", "size", SIZES),
        ("cache", "nr_inodes", INODES),
        ("workdirs", "size", SIZES),
        ("workdirs", "nr_inodes", INODES),
    ],
)
def test_a_full_disk_is_told_leaves_nothing_and_is_recovered_from(
    tmp_path: Path, small: str, option: str, values: list[str]
) -> None:
    told = on_small_disks(tmp_path, small, option, values)

    refusals = [one for one in told if one["full"]["code"] != 0]
    assert len(refusals) > len(values) // 2, "the disks were not small enough to test anything"
    for one in refusals:
        assert one["full"]["code"] == 13, one
        assert "free some space" in one["full"]["hint"]
        assert one["left"]["workdirs"] == [], one
        assert one["left"]["temporary"] == [], one
    assert [one["left"]["problems"] for one in told] == [[]] * len(told)
    assert len({one["roomy"].get("digest") for one in told}) == 1, told
    assert {one["roomy"]["code"] for one in told} == {0}
