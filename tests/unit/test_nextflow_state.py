"""What continues a run: the engine's cache put away, found again, and checked."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engines.base import ResumeFrom
from engines.nextflow.running.engine_state import Resumption, put_away, state_digest
from engines.nextflow.running.sealing import has_links, is_late, seal
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


def _ended(work: Path, task: str = "aa/bb", **more: Any) -> dict[str, Any]:
    """The end of the task that made a folder, as it is now."""
    by_bytes = bool(more.pop("by_bytes", False))
    sealed = {"path": str(work.relative_to(work.parents[5])), "by_bytes": by_bytes}
    sealed["sha256"] = seal(str(work), by_bytes=by_bytes)
    return {"event": "step-ended", "id": task, "status": "completed", "work": sealed, **more}


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
    _record(work.parents[3], _ended(work))

    _resumption(work).check({"aa/bb": str(work)})


def _rewrite(work: Path) -> None:
    (work / "out.txt").write_text("evil")
    os.utime(work / "out.txt", ns=(0, (work / "out.txt").stat().st_mtime_ns))


def _replace(work: Path) -> None:
    status = (work / "out.txt").stat()
    (work / "new.txt").write_text("evil")
    os.utime(work / "new.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
    (work / "new.txt").replace(work / "out.txt")


def _lead_elsewhere(work: Path) -> None:
    (work / "link").unlink()
    (work / "link").symlink_to("box/inner.txt")


@pytest.mark.parametrize("by_bytes", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        _rewrite,
        _replace,
        _lead_elsewhere,
        lambda work: (work / "box" / "inner.txt").unlink(),
        lambda work: (work / "box" / "more.txt").touch(),
        lambda work: (work / "box" / "inner.txt").rename(work / "box" / "other.txt"),
        shutil.rmtree,
    ],
    ids=["rewritten", "replaced", "link", "less", "more", "renamed", "gone"],
)
def test_any_change_after_the_end_is_refused_at_once(
    work: Path, change: Callable[[Path], object], by_bytes: bool
) -> None:
    (work / "box").mkdir()
    (work / "box" / "inner.txt").write_text("x")
    (work / "link").symlink_to("out.txt")
    _record(work.parents[3], _ended(work, by_bytes=by_bytes))
    time.sleep(0.02)  # a tick of the file system's clock

    change(work)

    with pytest.raises(PolicyError, match="run 1 left in bb was changed since"):
        _resumption(work).check({"aa/bb": str(work)})


def test_what_got_another_name_by_a_hard_link_is_known_by_its_bytes(work: Path) -> None:
    _record(work.parents[3], _ended(work, by_bytes=True), _ended(work, task="cc/dd"))
    time.sleep(0.02)

    (work.parents[3] / "published.txt").hardlink_to(work / "out.txt")

    _resumption(work).check({"aa/bb": str(work)})
    with pytest.raises(PolicyError, match="changed since"):
        _resumption(work).check({"cc/dd": str(work)})


def test_the_kept_logs_of_a_task_may_go(work: Path) -> None:
    (work / ".command.out").write_text("said")
    kept = work.parents[3] / "kept.log"
    kept.hardlink_to(work / ".command.out")
    _record(work.parents[3], _ended(work))
    time.sleep(0.02)
    kept.unlink()

    _resumption(work).check({"aa/bb": str(work)})
    (work / ".command.out").write_text("evil")
    with pytest.raises(PolicyError, match="changed since"):
        _resumption(work).check({"aa/bb": str(work)})


@pytest.mark.parametrize("more", [{"cached": True}, {"work": None}, {"id": "cc/dd"}])
def test_work_of_which_no_record_tells_is_refused(work: Path, more: dict[str, Any]) -> None:
    _record(work.parents[3], {**_ended(work), **more})

    with pytest.raises(PolicyError, match="changed since"):
        _resumption(work).check({"aa/bb": str(work)})


def test_work_that_was_never_sealed_is_refused(work: Path) -> None:
    told = _ended(work)
    told["work"]["sha256"] = None
    _record(work.parents[3], told)

    with pytest.raises(PolicyError, match="changed since"):
        _resumption(work).check({"aa/bb": str(work)})


def test_the_work_of_one_task_is_not_taken_for_anothers(work: Path) -> None:
    other = work.parent / "cc"
    shutil.copytree(work, other)
    _record(work.parents[3], _ended(work), _ended(other, task="aa/cc"))

    with pytest.raises(PolicyError, match="takes the work of one task for another's"):
        _resumption(work).check({"aa/bb": str(other), "aa/cc": str(work)})


def test_a_change_between_a_tasks_end_and_its_seal_is_late(work: Path) -> None:
    now = time.time() * 1000

    assert not is_late(str(work), now + 1, names_apart=False)
    assert is_late(str(work), now - 1000, names_apart=False)
    (work.parents[3] / "published.txt").hardlink_to(work / "out.txt")
    assert has_links(str(work))
    assert not is_late(str(work), now - 1000, names_apart=True)


def test_a_cache_that_was_changed_since_is_refused(tmp_path: Path) -> None:
    folder = _run(tmp_path / "1")
    (folder / "engine").mkdir()
    put_away(folder)
    _record(folder, {"event": "run-ended", "state": state_digest(folder)})
    assert Resumption.of(ResumeFrom(1, folder)).session == SESSION

    (folder / "engine/state/cache" / SESSION / "db" / "000003.log").write_text("swapped")

    with pytest.raises(PolicyError, match="what run 1 left to continue from was changed since"):
        Resumption.of(ResumeFrom(1, folder))


def test_a_cache_that_the_run_disowned_is_refused(tmp_path: Path) -> None:
    folder = _run(tmp_path / "1")
    (folder / "engine").mkdir()
    _record(folder, {"event": "run-ended", "state": None})

    with pytest.raises(PolicyError, match="changed since"):
        Resumption.of(ResumeFrom(1, folder))
