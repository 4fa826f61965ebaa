"""What continues a run: the engine's cache put away, found again, and checked."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engines.base import ResumeFrom
from engines.nextflow.running.engine_state import Resumption, put_away
from staging.errors import PolicyError, UsageError

SESSION = "0d9c2b44-9a0c-4f0f-8c53-0a8dc1f0f4aa"
LINE = f"2026-11-21 10:00:00\t3.1s\trun-1-abc\tERR\tabc\t{SESSION}\tjava nextflow.cli.Launcher run x"


def _run(folder: Path, history: str | bytes = LINE + "\n", session: str = SESSION) -> Path:
    """A run's folder as the engine leaves it."""
    state = folder / "outputs" / ".nextflow"
    (state / "cache" / session / "db").mkdir(parents=True)
    (state / "cache" / session / "db" / "LOCK").touch()
    (state / "history").write_bytes(history.encode() if isinstance(history, str) else history)
    return folder


def test_the_cache_is_put_away_and_laid_out_again(tmp_path: Path) -> None:
    folder = _run(tmp_path / "1")
    (folder / "engine").mkdir()
    (folder / "outputs" / ".nextflow.log").touch()
    (folder / "outputs" / "kept.txt").touch()

    put_away(folder)
    put_away(folder)

    assert [one.name for one in (folder / "outputs").iterdir()] == ["kept.txt"]
    resumption = Resumption.of(ResumeFrom(1, folder))
    assert (resumption.run, resumption.session) == (1, SESSION)
    launch = tmp_path / "2"
    launch.mkdir()
    resumption.lay_out(launch)
    resumption.lay_out(launch)
    assert (launch / ".nextflow" / "history").read_text() == LINE + "\n"
    assert not list(launch.rglob("LOCK"))
    assert (folder / "engine" / "state" / "cache" / SESSION / "db" / "LOCK").exists()


def test_a_run_that_was_killed_is_put_away_when_it_is_continued(tmp_path: Path) -> None:
    folder = _run(tmp_path / "1")
    (folder / "engine").mkdir()

    assert Resumption.of(ResumeFrom(1, folder)).session == SESSION


@pytest.mark.parametrize(
    "history",
    [
        "", "\n", "rubbish", "a\tb\tc\td\te\n", f"{LINE}\nrubbish\n", b"\xff\xfe\x00",
        LINE.replace(SESSION, "../../../../.."), LINE.replace(SESSION, ""), LINE.replace(SESSION, "/"),
        LINE.replace(SESSION, "."), LINE.replace(SESSION, "x\0y"),
    ],
)  # fmt: skip
def test_a_history_of_rubbish_is_nothing_to_continue_from(tmp_path: Path, history: str | bytes) -> None:
    folder = _run(tmp_path / "1", history)
    (folder / "engine").mkdir()

    with pytest.raises(UsageError, match="run 1 has nothing to continue from"):
        Resumption.of(ResumeFrom(1, folder))


def test_a_run_that_never_began_is_nothing_to_continue_from(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="had not begun"):
        Resumption.of(ResumeFrom(3, tmp_path))


def test_a_link_in_place_of_the_cache_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder = tmp_path / "1"
    (folder / "outputs").mkdir(parents=True)
    (folder / "engine").mkdir()
    (folder / "outputs" / ".nextflow").symlink_to(tmp_path / "elsewhere")

    put_away(folder)

    assert not (folder / "engine" / "state").exists()


# --- work that was touched --------------------------------------------------------------------------------------------


def _record(folder: Path, *events: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "journal.jsonl").write_text("".join(json.dumps(one) + "\n" for one in events))


def _at(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def _ended(moment: float, task: str = "aa/bb", **more: Any) -> dict[str, Any]:
    return {"event": "step-ended", "id": task, "time": _at(moment), "status": "completed", **more}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A task's work folder, made just now."""
    folder = tmp_path / "runs/1/engine/work/aa/bb"
    folder.mkdir(parents=True)
    (folder / "out.txt").write_text("made")
    return folder


def _resumption(work: Path) -> Resumption:
    return Resumption(run=1, session=SESSION, folder=work.parents[3])


def test_untouched_work_is_used_again(work: Path) -> None:
    _record(work.parents[3], _ended(time.time() + 1))

    _resumption(work).check({"aa/bb": str(work)})


def test_work_that_was_changed_after_its_end_is_refused(work: Path) -> None:
    _record(work.parents[3], _ended(time.time() - 60))
    os.utime(work / "out.txt", (1, 1))

    with pytest.raises(PolicyError, match="run 1 left in bb was changed since"):
        _resumption(work).check({"aa/bb": str(work)})


def test_work_that_something_was_added_to_or_taken_from_is_refused(work: Path) -> None:
    (work / "box").mkdir()
    (work / "box" / "inner.txt").write_text("x")
    time.sleep(0.01)
    _record(work.parents[3], _ended(time.time() - 1.5))
    _resumption(work).check({"aa/bb": str(work)})
    time.sleep(1)

    (work / "box" / "inner.txt").unlink()

    with pytest.raises(PolicyError, match="changed since"):
        _resumption(work).check({"aa/bb": str(work)})


def test_work_of_which_no_record_tells_is_refused(work: Path) -> None:
    _record(work.parents[3], _ended(time.time() + 1, task="cc/dd"))

    with pytest.raises(PolicyError, match="changed since"):
        _resumption(work).check({"aa/bb": str(work)})


def test_what_was_told_of_a_cached_task_is_not_its_end(work: Path) -> None:
    _record(work.parents[3], _ended(time.time() - 60))
    _record(work.parents[3].parent / "2", _ended(time.time() + 60, cached=True))

    with pytest.raises(PolicyError, match="changed since"):
        _resumption(work).check({"aa/bb": str(work)})


def test_the_end_of_the_run_counts_as_the_last_moment_it_could_be_touched(work: Path) -> None:
    _record(work.parents[3], _ended(time.time() - 60), {"event": "run-ended", "time": _at(time.time() + 1)})

    _resumption(work).check({"aa/bb": str(work)})
