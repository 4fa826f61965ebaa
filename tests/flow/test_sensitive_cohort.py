"""The example of a sensitive cohort, told by its README: encrypted, run twice, sealed for two, refused to a third."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Command

pytestmark = [pytest.mark.gocryptfs, pytest.mark.fuse, pytest.mark.cwltool]

EXAMPLE = Path(__file__).resolve().parents[2] / "workflow_examples" / "sensitive-cohort"
FOUND = {"syn37", "syn212", "syn333"}
# What every line of the cohort has, and no text about it.
IN_CLEAR = b"\tPASS\t.\tGT\t"


def variants(table: str) -> set[str]:
    return {line.split("\t")[0] for line in table.splitlines()[1:]}


def clear_files(folder: Path) -> list[Path]:
    return [one for one in folder.rglob("*") if one.is_file() and IN_CLEAR in one.read_bytes()]


@pytest.fixture
def example(tmp_path: Path) -> Path:
    folder = tmp_path / "example"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("data"))
    subprocess.run([sys.executable, folder / "make_cohort.py"], check=True)
    return folder


def test_the_readme_s_way_with_a_cohort_from_keys_to_results(
    wfexs: Command, home: Path, example: Path, tmp_path: Path
) -> None:
    people = {name: {"WFEXS_LIKE_KEYS": str(tmp_path / name)} for name in ("ada", "grace", "eve")}
    wfexs.ok("init", "--no-passphrase")
    for environment in people.values():
        wfexs.ok("keys", "init", "--no-passphrase", **environment)

    wfexs.ok("stage", example / "sensitive-cohort.wfex.stage")
    first = wfexs.ok("run", "sensitive-cohort")
    second = wfexs.ok("run", "sensitive-cohort", "--param", "threshold=6")

    def read(run: dict[str, Any]) -> str:
        path = run["outputs"]["associations"]["path"]
        assert not Path(path).exists(), "it can be seen while no command uses it"
        done = wfexs.run("shell", "sensitive-cohort", "--", "cat", path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert variants(read(first)) == FOUND
    assert variants(read(second)) > FOUND

    results = tmp_path / "results"
    sealing = [word for name in ("ada", "grace") for word in ("--recipient", tmp_path / name / "wfexs-like.pub")]
    crate = wfexs.ok("crate", "sensitive-cohort", results, "--seal", "files", "--sign", *sealing)
    assert crate["sealed"]
    readable = b"".join(one.read_bytes() for one in results.rglob("*") if one.is_file())
    assert not any(name.encode() in readable for name in (*FOUND, "associations", "cohort.vcf", "phenotypes"))

    verified = wfexs.ok("verify", results)
    starts = {one["name"]: one["started"] for one in verified["crate"]["runs"]}
    assert sorted(starts, key=lambda name: starts[name]) == ["run 1", "run 2"]

    for name in ("ada", "grace"):
        wfexs.ok("open", results, tmp_path / f"opened-{name}", **people[name])
        tables = list((tmp_path / f"opened-{name}").glob("runs/*/outputs/associations.tsv"))
        assert [variants(one.read_text()) >= FOUND for one in tables] == [True, True]
    refused = wfexs("open", results, tmp_path / "opened-eve", **people["eve"])
    assert refused.code == 12
    assert not (tmp_path / "opened-eve").exists()

    line = next(one for one in (example / "README.md").read_text().splitlines() if "canary.txt" in one).strip()
    subprocess.run(["sh", "-c", line], cwd=example, check=True)
    canary = (example / "canary.txt").read_bytes().strip()
    assert len(canary) >= 8
    assert (example / "data/cohort.vcf").read_bytes().count(canary) == 1

    assert {one.parent for one in clear_files(tmp_path)} == {example / "data"}
    assert not clear_files(home)
