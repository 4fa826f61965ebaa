"""Outputs and what was expected of them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath

import pytest

from engines.base import FormalParameter, WorkflowInterface
from engines.expectations import check, unknown_outputs
from engines.isolation import choices
from engines.outputs import Outputs
from staging.definition import ExpectedOutput
from staging.errors import PolicyError

FILE = {"class": "File", "basename": "a.txt"}


def _interface(*names: str) -> WorkflowInterface:
    return WorkflowInterface(
        entry=PurePosixPath("main.cwl"),
        process=None,
        language="cwl",
        language_version="v1.2",
        kind="Workflow",
        inputs=(),
        outputs=tuple(FormalParameter(name=name, type="File", required=True) for name in names),
    )


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        (ExpectedOutput(name="o"), FILE),
        (ExpectedOutput(name="o"), [FILE]),
        (ExpectedOutput(name="o", minimum=0), None),
        (ExpectedOutput(name="o", minimum=2, maximum=None), [[FILE], [FILE, None]]),
        (ExpectedOutput(name="o", kind="Value"), 0),
        (ExpectedOutput(name="o", glob="*.txt"), [FILE, {**FILE, "basename": "b.csv"}]),
    ],
)
def test_an_output_as_expected_is_well(expected: ExpectedOutput, value: object) -> None:
    assert check((expected,), {"o": value}) is None  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("expected", "value", "sentence"),
    [
        (ExpectedOutput(name="o"), None, "the output 'o' has no value, the stage file expects 1"),
        (ExpectedOutput(name="o"), [FILE, FILE], "the output 'o' has 2 values, the stage file expects 1"),
        (ExpectedOutput(name="o", minimum=2, maximum=3), FILE, "has 1 value, the stage file expects 2 to 3"),
        (ExpectedOutput(name="o", maximum=None), [], "has no value, the stage file expects 1 or more"),
        (ExpectedOutput(name="o", kind="Directory"), FILE, "is a File, the stage file expects a Directory"),
        (ExpectedOutput(name="o"), "text", "is a Value, the stage file expects a File"),
        (ExpectedOutput(name="o", glob="*.csv"), FILE, "has no value"),
    ],
)
def test_a_miss_is_told(expected: ExpectedOutput, value: object, sentence: str) -> None:
    assert sentence in (check((expected,), {"o": value}) or "")  # type: ignore[dict-item]


def test_an_output_the_workflow_does_not_have_is_a_fault() -> None:
    (fault,) = unknown_outputs(_interface("counts", "log"), (ExpectedOutput(name="count"),), "stage.yaml")

    assert (fault.file, fault.where) == ("stage.yaml", "outputs.count")
    assert fault.hint == "did you mean 'counts'?"
    assert unknown_outputs(_interface("log"), (ExpectedOutput(name="log"),)) == ()


@pytest.fixture
def outputs(tmp_path: Path) -> Outputs:
    root = tmp_path / "runs" / "1" / "outputs"
    root.mkdir(parents=True)
    return Outputs(root=root, content=tmp_path)


def test_files_are_measured_wherever_they_stand_in_a_value(outputs: Outputs) -> None:
    path = outputs.root / "a.txt"
    path.write_bytes(b"text")

    settled = outputs.settle({"x": [{"deep": {"class": "File", "path": str(path)}}], "n": 3, "none": None})

    assert settled == {
        "x": [
            {
                "deep": {
                    "class": "File",
                    "basename": "a.txt",
                    "path": "runs/1/outputs/a.txt",
                    "size": 4,
                    "sha256": hashlib.sha256(b"text").hexdigest(),
                }
            }
        ],
        "n": 3,
        "none": None,
    }


def test_a_file_swapped_for_a_link_is_refused(outputs: Outputs, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary")
    (outputs.root / "a.txt").symlink_to(secret)

    with pytest.raises(PolicyError, match="leads out of the run"):
        outputs.settle({"x": {"class": "File", "path": str(outputs.root / "a.txt")}})


def test_a_folder_with_a_link_to_its_neighbour_is_refused(outputs: Outputs) -> None:
    (outputs.root / "d").mkdir()
    (outputs.root / "other").write_text("x")
    (outputs.root / "d" / "link").symlink_to("../other")

    with pytest.raises(PolicyError, match="leads out of it"):
        outputs.settle({"x": {"class": "Directory", "path": str(outputs.root / "d")}})


def test_a_file_outside_is_refused(outputs: Outputs, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("x")

    with pytest.raises(PolicyError, match="leads out of the run"):
        outputs.settle({"x": {"class": "File", "path": str(tmp_path / "elsewhere")}})


def test_a_hard_link_is_broken_up(outputs: Outputs, tmp_path: Path) -> None:
    (tmp_path / "original").write_text("text")
    os.link(tmp_path / "original", outputs.root / "a.txt")

    outputs.settle({"x": {"class": "File", "path": str(outputs.root / "a.txt")}})

    assert not (outputs.root / "a.txt").samefile(tmp_path / "original")
    assert (outputs.root / "a.txt").read_text() == "text"


def test_the_best_isolation_comes_first_and_the_last_needs_nothing() -> None:
    ways = choices(root=True, network=True)

    assert ways[0].prefix == (
        *("setpriv", "--pdeathsig", "KILL", "--"),
        *("unshare", "--net", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc", "--"),
    )
    assert ways[-1].prefix == ()
    assert [way.network for way in ways] == sorted((way.network for way in ways), reverse=True)
    assert not any("--user" in way.prefix for way in ways if not way.user)
    assert all("--ipc" in way.prefix for way in ways if way.network or way.processes)


def test_without_root_every_namespace_is_had_by_a_user_namespace() -> None:
    ways = choices(root=False, network=True)

    assert all(way.user for way in ways if way.network or way.processes)
    assert not any("--net" in way.prefix for way in choices(root=False, network=False))
