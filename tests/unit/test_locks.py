from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest

import staging.locks
from staging.errors import LockedError, WfexsError
from staging.locks import LockFile


@pytest.fixture
def locks(tmp_path: Path) -> LockFile:
    return LockFile(tmp_path / "folder" / ".locks")


def test_a_lock_excludes_others_until_it_is_given_back(locks: LockFile) -> None:
    with locks.hold("a"):
        assert locks.attempt("a") is None
        assert locks.is_held("a")

    assert not locks.is_held("a")


def test_locks_of_different_names_do_not_wait_for_each_other(locks: LockFile) -> None:
    with locks.hold("a"), locks.hold("b", patience=0):
        assert not locks.is_held("c")


def test_shared_holders_exclude_an_exclusive_one_only(locks: LockFile) -> None:
    with locks.hold("a", shared=True), locks.hold("a", shared=True, patience=0):
        assert locks.attempt("a") is None


def test_giving_one_lock_back_keeps_the_others(locks: LockFile) -> None:
    # Classic fcntl locks would all be lost as soon as the process closes the file once.
    with locks.hold("a"):
        with locks.hold("b"):
            pass
        assert locks.is_held("a")


def test_many_locks_at_once_leave_out_those_that_somebody_holds(locks: LockFile) -> None:
    with locks.hold("b"):
        held, free = locks.attempt_many(["a", "b", "c"])
        with held:
            assert free == {"a", "c"}
            assert locks.is_held("c")
    assert not locks.is_held("a")


def test_patience_ends_in_an_error_that_names_the_thing(locks: LockFile) -> None:
    with locks.hold("a"), pytest.raises(LockedError, match="using the cellar") as caught:
        locks.hold("a", patience=0.05, what="the cellar")

    assert caught.value.exit_code == 11


def test_waiting_ends_when_it_is_cancelled(locks: LockFile) -> None:
    cancelled = threading.Event()
    threading.Timer(0.1, cancelled.set).start()

    with locks.hold("a"), pytest.raises(LockedError):
        locks.hold("a", cancelled=cancelled)


def test_a_long_wait_is_told_once(locks: LockFile) -> None:
    told: list[int] = []

    with locks.hold("a"), pytest.raises(LockedError):
        locks.hold("a", patience=1.3, waiting=lambda: told.append(1))

    assert told == [1]


def _hold_for_ever(path: Path, ready: str) -> None:
    with LockFile(path).hold("a"):
        Path(ready).touch()
        time.sleep(600)


def test_a_killed_holder_leaves_no_lock(locks: LockFile, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    child = multiprocessing.get_context("spawn").Process(target=_hold_for_ever, args=(locks.path, str(ready)))
    child.start()
    while not ready.exists():
        time.sleep(0.01)
    assert locks.is_held("a")

    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()

    with locks.hold("a", patience=1):
        pass


def test_a_lock_file_deleted_by_hand_locks_again(locks: LockFile) -> None:
    locks.hold("a")  # its file is about to be deleted: this lock excludes nobody any more
    locks.path.unlink()

    with locks.hold("a", patience=0.5):
        assert locks.is_held("a")


def test_a_lock_file_deleted_at_the_very_moment_of_locking_is_not_believed(
    locks: LockFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = staging.locks._lock

    def delete_first(descriptor: int, place: int, *, shared: bool) -> bool:
        monkeypatch.setattr("staging.locks._lock", lock)
        locks.path.unlink()
        return lock(descriptor, place, shared=shared)

    monkeypatch.setattr("staging.locks._lock", delete_first)

    with locks.hold("a"):
        assert locks.is_held("a")


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(WfexsError, match="cannot open the lock file"):
        LockFile(tmp_path / "file" / ".locks").hold("a")


def test_threads_take_turns(locks: LockFile) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(20):
            with locks.hold("a"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert max(most) == 1
    assert len(most) == 80
