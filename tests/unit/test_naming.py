"""Outputs get the names that the stage file prefers, also those that lie in one another."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.naming import give_names
from staging.definition import ExpectedOutput
from staging.errors import PolicyError


def _file(path: Path) -> dict[str, object]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(path.name)
    return {"class": "File", "path": str(path), "basename": path.name}


@pytest.mark.parametrize("order", [("folder", "report"), ("report", "folder")])
def test_a_file_in_a_folder_goes_along_and_has_its_own_new_name(tmp_path: Path, order: tuple[str, str]) -> None:
    values = {
        "report": _file(tmp_path / "results/r.txt"),
        "plain": _file(tmp_path / "results/p.txt"),
        "folder": {"class": "Directory", "path": str(tmp_path / "results"), "basename": "results"},
    }
    preferred = {"folder": "mine", "report": "report.txt"}

    named, moved = give_names(values, [ExpectedOutput(name=one, preferred_name=preferred[one]) for one in order])

    assert {name: value["path"] for name, value in named.items()} == {
        "report": str(tmp_path / "mine/report.txt"),
        "plain": str(tmp_path / "mine/p.txt"),
        "folder": str(tmp_path / "mine"),
    }
    assert all(Path(value["path"]).exists() for value in named.values())
    assert moved == {
        str(tmp_path / "results"): str(tmp_path / "mine"),
        str(tmp_path / "results/r.txt"): str(tmp_path / "mine/report.txt"),
    }


def test_one_file_can_not_have_two_names(tmp_path: Path) -> None:
    value = _file(tmp_path / "a.txt")
    same = [ExpectedOutput(name="a", preferred_name="x"), ExpectedOutput(name="b", preferred_name="x")]
    named, _ = give_names({"a": value, "b": dict(value)}, same)
    assert [one["path"] for one in named.values()] == [str(tmp_path / "x")] * 2

    value = _file(tmp_path / "a.txt")
    other = [ExpectedOutput(name="a", preferred_name="y"), ExpectedOutput(name="b", preferred_name="z")]
    with pytest.raises(PolicyError, match="want different names"):
        give_names({"a": value, "b": dict(value)}, other)


def test_names_may_follow_one_another(tmp_path: Path) -> None:
    values = {"a": _file(tmp_path / "1"), "b": _file(tmp_path / "2")}
    wanted = [ExpectedOutput(name="a", preferred_name="3"), ExpectedOutput(name="b", preferred_name="1")]

    named, moved = give_names(values, wanted)

    assert [Path(one["path"]).read_text() for one in named.values()] == ["1", "2"]
    assert moved == {str(tmp_path / "1"): str(tmp_path / "3"), str(tmp_path / "2"): str(tmp_path / "1")}
