"""The script that strangers are given to open a sealed crate: a manifest of somebody else moves nothing of theirs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wfexs_like.seal.by_hand import BY_HAND


def moved_by(manifest: str, folder: Path) -> None:
    script = BY_HAND.partition("<<'END'\n")[2].partition("\nEND\n")[0]
    (folder / "sealed-manifest.txt").write_text(manifest)
    subprocess.run([sys.executable, "-I", "-c", script], cwd=folder, check=True)


@pytest.mark.parametrize("way", ["../mine.txt", "..%2Fmine.txt", "sub/../../mine.txt", "{outside}/mine.txt"])
@pytest.mark.parametrize("line", ["# place {way} taken.txt", "# place inner.c4gh {way}"])
def test_nothing_outside_is_taken_or_overwritten(tmp_path: Path, way: str, line: str) -> None:
    opened = tmp_path / "opened"
    (opened / "sub").mkdir(parents=True)
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    (opened / "inner").write_text("theirs")
    moved_by(line.format(way=way.format(outside=tmp_path)) + "\n", opened)
    assert mine.read_text() == "mine"
    assert not (opened / "taken.txt").exists()
    assert (opened / "inner").read_text() == "theirs"


def test_a_file_gets_its_name_back(tmp_path: Path) -> None:
    (tmp_path / "sealed").mkdir()
    (tmp_path / "sealed" / "000001").write_text("x")
    moved_by("# wfexs-like/sealed-manifest/1\n# place sealed/000001.c4gh runs/a%20b.txt\n", tmp_path)
    assert (tmp_path / "runs" / "a b.txt").read_text() == "x"
