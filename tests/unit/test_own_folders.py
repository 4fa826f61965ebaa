"""A run's own folders: known by what they are, and nothing in their place is touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.own_folders import NAMES, OwnFolders, numbers, still_own, touch
from engines.stopping import tidy


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "1"
    for name in NAMES:
        (folder / name).mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def own(run: Path) -> Iterator[OwnFolders]:
    made = OwnFolders(run)
    yield made
    made.close()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("instead", ["link", "folder", "nothing", "the same by a link"])
def test_another_thing_of_the_same_name_is_seen(run: Path, own: OwnFolders, name: str, instead: str) -> None:
    assert own.displaced() is None
    known = numbers(run)
    away = run.parent / "away"
    (run / name).rename(away)
    if instead == "folder":
        (run / name).mkdir()
    elif instead != "nothing":
        (run / name).symlink_to(away if instead == "the same by a link" else run.parent)

    assert own.displaced() == name
    assert not own.stands(name)
    assert not still_own(run, name, known)


def test_a_folder_in_one_that_was_replaced_does_not_stand(run: Path, own: OwnFolders) -> None:
    known = numbers(run)
    (run / "engine").rename(run / "away")
    (run / "engine").symlink_to("away")

    assert not own.stands("engine/work")
    assert not still_own(run, "engine/work", known)
    assert own.stands("logs/steps")
    assert still_own(run, "logs/steps", known)


def test_a_log_is_kept_where_the_folder_is_not_where_its_name_leads(run: Path, own: OwnFolders, tmp_path: Path) -> None:
    task = run / "engine/work/aa/bb"
    task.mkdir(parents=True)
    (task / ".command.out").write_text("said")
    (task / ".command.err").symlink_to("/etc/passwd")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / ".command.out").write_text("theirs")
    (run / "engine/work/aa/cc").symlink_to(theirs)
    (run / "logs").rename(run / "away")
    (run / "logs").symlink_to(theirs)
    (theirs / "steps").mkdir()

    def link(path: str, name: str) -> bool:
        return own.link(run / "engine/work" / path, name, within="engine/work", to="logs/steps")

    assert link("aa/bb/.command.out", "one")
    assert not link("aa/bb/.command.err", "two")
    assert not link("aa/cc/.command.out", "three")
    assert not link("aa/../../../away/x", "four")
    assert not link("/etc/passwd", "five")
    assert [one.name for one in (run / "away/steps").iterdir()] == ["one"]
    assert list((theirs / "steps").iterdir()) == []


def test_links_among_files_are_removed_and_not_followed(run: Path, own: OwnFolders, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "file").write_text("x")
    (run / "logs/b.log").write_text("x")
    (run / "logs/steps/a.stdout").write_text("x")
    (run / "logs/steps/link").symlink_to(theirs)
    (run / "logs/link").symlink_to(theirs / "file")

    assert own.files("logs") == ["logs/b.log", "logs/steps/a.stdout"]
    assert not (run / "logs/link").is_symlink()
    assert not (run / "logs/steps/link").is_symlink()
    assert (theirs / "file").read_text() == "x"


@pytest.mark.parametrize("remembered", [True, False])
def test_what_a_killed_run_left_is_cleared_only_if_it_is_its_own(run: Path, tmp_path: Path, remembered: bool) -> None:
    first = {"event": "run-started", **({"folders": numbers(run)} if remembered else {})}
    (run / "journal.jsonl").write_text(json.dumps(first) + "\n")
    (run / "tmp/left").write_text("x")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "file").write_text("x")

    tidy(run)
    assert list((run / "tmp").iterdir()) == []

    (run / "tmp").rename(run / "away")
    (run / "tmp").symlink_to(theirs)
    tidy(run)
    if remembered:
        (run / "tmp").unlink()
        theirs.rename(run / "tmp")
        tidy(run)
        assert (run / "tmp/file").exists()
    else:
        assert (theirs / "file").exists()


def test_an_empty_file_is_not_made_by_way_of_a_link(tmp_path: Path) -> None:
    (tmp_path / "cancel").symlink_to(tmp_path / "elsewhere")

    touch(tmp_path / "cancel")
    touch(tmp_path / "other")

    assert not (tmp_path / "elsewhere").exists()
    assert (tmp_path / "other").exists()
