from __future__ import annotations

import json
import os
import random
import shutil
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from staging.errors import DefinitionError, DigestError, LockedError, NotFoundError, UsageError
from staging.fingerprints import StatSignature
from staging.locks import LockFile
from staging.nicknames import _ADJECTIVES, _NOUNS, numbered, pick
from staging.signatures import FILE, Signatures
from staging.workdir import WORKDIR_SCHEMA, StagedWorkdir
from staging.workdirs import Workdirs
from tests.support.stages import Bench, wanted


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.file("a", "hello")
    bench.file("data/one", "1")
    bench.file("data/two", "2")
    return bench


@pytest.fixture
def staged(bench: Bench) -> StagedWorkdir:
    return bench.stage(wanted("a"), wanted("data"))[0]


def change(path: Path, content: str) -> None:
    path.chmod(0o644)
    path.write_text(content)


# --- making and finding -----------------------------------------------------------------------------------------------


def test_a_working_directory_that_is_not_finished_leaves_nothing(bench: Bench) -> None:
    with pytest.raises(RuntimeError), Workdirs(bench.workdirs).create() as new:
        (new.content / "inputs").mkdir()
        raise RuntimeError

    assert list(bench.workdirs.iterdir()) == []


def test_the_folder_of_working_directories_may_be_a_link(bench: Bench) -> None:
    (bench.root / "disk").mkdir()
    bench.workdirs.symlink_to("disk")

    staged = bench.stage(wanted("a"))[0]

    assert [one.name for one in (bench.root / "disk").iterdir()] == [staged.id]


def test_nobody_else_sees_what_is_staged_or_made(bench: Bench) -> None:
    before = os.umask(0)
    try:
        with Workdirs(bench.workdirs).create() as new:
            (unfinished,) = bench.workdirs.iterdir()
            assert stat.S_IMODE(unfinished.stat().st_mode) == 0o700
            assert new.content.is_relative_to(unfinished)
        staged = bench.stage(wanted("a"))[0]
    finally:
        os.umask(before)

    assert stat.S_IMODE(staged.root.stat().st_mode) == 0o700


def test_its_use_is_locked_beside_the_content_and_not_in_place_of_the_plan(staged: StagedWorkdir) -> None:
    with staged.use():
        assert LockFile(staged.root / ".lock").is_held(staged.id)

    assert sorted(one.name for one in staged.root.iterdir()) == [".lock", "work", "workdir.json"]


def test_a_live_stager_holds_the_lock_that_an_upkeep_looks_at(bench: Bench) -> None:
    with Workdirs(bench.workdirs).create() as new:
        # What an upkeep looks at (staging.upkeep).
        assert LockFile(bench.workdirs / f".partial-{new.id}" / ".lock").is_held(new.id)


def test_an_unfinished_working_directory_is_not_listed(bench: Bench) -> None:
    workdirs = Workdirs(bench.workdirs)
    with workdirs.create() as new:
        assert workdirs.list() == ()
        with pytest.raises(NotFoundError):
            workdirs.find(new.id)
        new.commit()
    assert len(workdirs.list()) == 1


def test_of_encrypted_ones_that_go_it_is_told_but_not_while_a_copy_lies_here(tmp_path: Path) -> None:
    gone: list[str] = []
    workdirs = Workdirs(tmp_path, forget=gone.append)
    first, second = "1dea2495-581b-4a58-b0c8-02455701dac0", "421ab63e-f9b5-459d-a773-ffe99b79a1db"
    for name in (first, second):
        (tmp_path / f".partial-{name}" / "vault").mkdir(parents=True)
    (tmp_path / second).mkdir()
    assert workdirs.sweep() == 2
    assert gone == [first]
    record = {"schema": WORKDIR_SCHEMA, "id": first, "nickname": "it", "created": "", "vault": "gocryptfs"}
    for name in (first, second):
        (tmp_path / name / "vault").mkdir(parents=True)
        (tmp_path / name / "workdir.json").write_text(json.dumps(record))
    workdirs.remove(workdirs.read(tmp_path / first))
    assert gone == [first]
    workdirs.remove(workdirs.read(tmp_path / second))
    assert gone == [first, first]


def test_what_a_dead_stager_left_is_swept_and_a_live_one_is_not(bench: Bench) -> None:
    workdirs = Workdirs(bench.workdirs)
    dead = bench.workdirs / ".partial-0a0a0a0a-0000-4000-8000-000000000000"
    (dead / "work").mkdir(parents=True)

    with workdirs.create() as alive:
        assert not dead.exists()
        with workdirs.create():
            assert alive.content.is_dir()


def test_it_is_found_by_id_prefix_nickname_path_and_last(bench: Bench, staged: StagedWorkdir) -> None:
    workdirs = Workdirs(bench.workdirs)

    for reference in (staged.id, staged.id[:6], staged.nickname, str(staged.root), "last"):
        assert workdirs.find(reference) == staged


def test_last_is_the_newest(bench: Bench) -> None:
    for number in range(4):
        newest, _ = bench.stage(wanted("a"), nickname=f"n{number}")

    workdirs = Workdirs(bench.workdirs)
    assert workdirs.find("last") == newest
    assert [one.nickname for one in workdirs.list()] == ["n0", "n1", "n2", "n3"]


@pytest.mark.parametrize("reference", ["unknown", "/", "a", "../..", "last"])
def test_what_is_not_there_is_not_found(bench: Bench, reference: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        Workdirs(bench.workdirs).find(reference)

    assert caught.value.exit_code == 10
    assert caught.value.hint


def test_an_ambiguous_beginning_names_the_candidates(bench: Bench) -> None:
    ids = [f"abcdef0{number}-0000-4000-8000-000000000000" for number in range(2)]
    for number, workdir_id in enumerate(ids):
        (bench.workdirs / workdir_id).mkdir(parents=True)
        record = {"schema": "wfexs-like/workdir/1", "id": workdir_id, "nickname": f"n{number}", "vault": "plain"}
        (bench.workdirs / workdir_id / "workdir.json").write_text(json.dumps({**record, "created": str(number)}))

    with pytest.raises(NotFoundError) as caught:
        Workdirs(bench.workdirs).find("abcdef")

    assert all(workdir_id in str(caught.value) for workdir_id in ids)


def test_a_nickname_that_is_taken_gets_a_number(bench: Bench) -> None:
    nicknames = [bench.stage(wanted("a"), nickname="mine")[0].nickname for _ in range(3)]

    assert nicknames == ["mine", "mine-2", "mine-3"]


def test_two_in_the_making_have_two_nicknames(bench: Bench) -> None:
    workdirs = Workdirs(bench.workdirs)

    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda _: workdirs.create("mine"), range(8)))

    assert sorted(one.nickname for one in begun) == ["mine", *(f"mine-{number}" for number in range(2, 9))]
    for one in begun:
        with one:
            pass
    with workdirs.create("mine") as again:
        assert again.nickname == "mine"
        (again.content / "stage.lock.json").write_text("{}")
        finished = again.commit()
    assert not (finished.root / ".nickname").exists()


@pytest.mark.parametrize("nickname", ["", "last", "-x", "a/b", "..", "a\nb", "x" * 101])
def test_a_nickname_that_could_be_something_else_is_refused(bench: Bench, nickname: str) -> None:
    with pytest.raises(UsageError):
        Workdirs(bench.workdirs).create(nickname)


def test_nicknames_are_two_words_and_never_one_that_is_taken() -> None:
    every = {f"{one}-{other}" for one in _ADJECTIVES.split() for other in _NOUNS.split()}
    first = pick((), random.Random(1))

    assert first in every
    assert pick({first}, random.Random(1)) != first
    assert pick(every, random.Random(1)).endswith("-2")
    assert numbered("a", {"a", "a-2"}) == "a-3"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"schema": "wfexs-like/workdir/9"}',
        '{"schema": "wfexs-like/workdir/1", "id": 5}',
        "[" * 99999,
    ],
)
def test_a_damaged_record_is_told_and_hides_no_other(bench: Bench, staged: StagedWorkdir, content: str) -> None:
    other, _ = bench.stage(wanted("a"))
    (staged.root / "workdir.json").write_text(content)
    workdirs = Workdirs(bench.workdirs)

    assert workdirs.list() == (other,)
    assert [path for path, _ in workdirs.damaged()] == [staged.root]
    with pytest.raises(DefinitionError, match=staged.id) as caught:
        workdirs.find(staged.id)
    assert caught.value.exit_code == 3


def test_a_missing_lock_is_a_clear_error(staged: StagedWorkdir) -> None:
    staged.lock_path.unlink()

    with pytest.raises(NotFoundError, match="no lock"):
        staged.plan()


def test_a_moved_working_directory_is_found_by_its_path(bench: Bench, staged: StagedWorkdir, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "mine"
    moved.parent.mkdir()
    shutil.move(staged.root, moved)

    found = Workdirs(bench.workdirs).find(str(moved))

    assert found.id == staged.id
    found.verify(found.plan())


# --- use and removal --------------------------------------------------------------------------------------------------


def test_it_cannot_be_removed_while_it_is_used(bench: Bench, staged: StagedWorkdir) -> None:
    workdirs = Workdirs(bench.workdirs)

    with staged.use(), staged.use():
        with pytest.raises(LockedError, match="in use") as caught:
            workdirs.remove(staged)
        assert caught.value.exit_code == 11
    workdirs.remove(staged)

    assert list(bench.workdirs.iterdir()) == []
    with pytest.raises(NotFoundError, match="is gone"), staged.use():
        pass


def test_it_cannot_be_used_while_it_is_removed(staged: StagedWorkdir) -> None:
    with staged.use(exclusive=True), pytest.raises(LockedError, match="being removed"), staged.use():
        pass


def test_removal_lets_go_of_the_objects_and_keeps_their_signatures(
    bench: Bench, staged: StagedWorkdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("staging.store.read_digest", lambda descriptor: pytest.fail("it was read again"))
    with bench.store() as store:
        Workdirs(bench.workdirs, store).remove(staged)
        assert store.index.users() == ()
        for path in bench.objects():
            assert store.intact([path.name])
        assert len(store.gc().removed) == 4
    assert bench.objects() == []


def test_removal_takes_folders_that_a_tool_made_unwritable(bench: Bench, staged: StagedWorkdir) -> None:
    _, folder = staged.new_run()
    (folder / "locked").mkdir()
    (folder / "locked" / "file").touch()
    (folder / "locked").chmod(0o500)

    with bench.store() as store:
        Workdirs(bench.workdirs, store).remove(staged)

    assert not staged.root.exists()


def test_an_interrupted_removal_is_finished_by_the_next_one_who_comes(
    bench: Bench, staged: StagedWorkdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(folder: Path) -> None:
        raise KeyboardInterrupt

    workdirs = Workdirs(bench.workdirs)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("staging.workdirs.remove_path", interrupt)
        workdirs.remove(staged)
    assert workdirs.list() == ()
    assert list(bench.workdirs.iterdir()) != []

    workdirs.sweep()

    assert list(bench.workdirs.iterdir()) == []


# --- runs -------------------------------------------------------------------------------------------------------------


def test_runs_are_numbered_and_no_number_is_given_twice(staged: StagedWorkdir) -> None:
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: staged.new_run(), range(12)))

    assert sorted(number for number, _ in made) == list(range(1, 13))
    assert staged.runs() == tuple(range(1, 13))
    assert all(folder == staged.run_folder(number) for number, folder in made)
    with pytest.raises(NotFoundError, match="no run 13"):
        staged.run_folder(13)


def test_strange_things_beside_the_runs_are_no_runs(staged: StagedWorkdir) -> None:
    staged.runs_path.mkdir()
    for name in ("0", "01", "x", "²", ".5"):
        (staged.runs_path / name).mkdir()

    assert staged.runs() == ()
    assert staged.new_run()[0] == 1


@pytest.mark.parametrize("below", ["", "work", "work/inputs/data"])
def test_a_working_directory_is_found_by_any_folder_in_it(bench: Bench, staged: StagedWorkdir, below: str) -> None:
    assert Workdirs(bench.workdirs).find(str(staged.root / below)).id == staged.id


def test_one_character_of_an_id_is_too_little_and_the_candidates_are_named(bench: Bench, staged: StagedWorkdir) -> None:
    with pytest.raises(NotFoundError, match="too short") as caught:
        Workdirs(bench.workdirs).find(staged.id[0])

    assert staged.id in caught.value.message
    assert caught.value.fields["candidates"] == [staged.id]


@pytest.mark.parametrize("reference", ["", " "])
def test_an_empty_name_is_no_working_directory_not_even_the_one_we_are_in(
    bench: Bench, staged: StagedWorkdir, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(staged.root)
    with pytest.raises(UsageError, match="empty"):
        Workdirs(bench.workdirs).find(reference)


# --- verification -----------------------------------------------------------------------------------------------------


def test_what_was_staged_is_verified_without_reading_it(
    bench: Bench, staged: StagedWorkdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = staged.plan()
    monkeypatch.setattr("staging.signatures.open_regular", lambda path: pytest.fail(f"{path} was read"))

    staged.verify(plan)


def test_links_made_for_another_working_directory_do_not_matter(
    bench: Bench, staged: StagedWorkdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.stage(wanted("a"), wanted("data"))
    plan = staged.plan()
    monkeypatch.setattr("staging.signatures.open_regular", lambda path: pytest.fail(f"{path} was read"))

    with bench.store() as store:
        staged.verify(plan, store)
    # And what the store said is remembered:
    staged.verify(plan)


def test_without_the_store_such_files_are_read_once(
    bench: Bench, staged: StagedWorkdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.stage(wanted("a"), wanted("data"))
    plan = staged.plan()
    time.sleep(0.05)
    staged.verify(plan)
    monkeypatch.setattr("staging.signatures.open_regular", lambda path: pytest.fail(f"{path} was read"))

    staged.verify(plan)


def test_a_signature_is_remembered_only_when_it_has_settled(staged: StagedWorkdir) -> None:
    path = staged.content / "inputs" / "a"
    path.touch()

    staged.verify(staged.plan())
    assert Signatures.read(staged.content / FILE).files["inputs/a"][1] != StatSignature.of(path)
    time.sleep(0.05)
    staged.verify(staged.plan())

    assert Signatures.read(staged.content / FILE).files["inputs/a"][1] == StatSignature.of(path)


@pytest.mark.parametrize("record", ["missing", "damaged"])
def test_without_its_record_everything_is_read_and_still_right(staged: StagedWorkdir, record: str) -> None:
    path = staged.content / "signatures.json"
    path.unlink()
    if record == "damaged":
        path.write_text('{"schema": "wfexs-like/signatures/1", "files": [1]}')

    staged.verify(staged.plan())


@pytest.mark.parametrize("keep_times", [False, True])
@pytest.mark.parametrize("name", ["a", "data/two"])
def test_a_changed_byte_is_found_even_if_size_and_times_are_set_back(
    bench: Bench, staged: StagedWorkdir, name: str, keep_times: bool
) -> None:
    path = staged.content / "inputs" / name
    before = path.stat()
    change(path, path.read_text().upper()[:-1] + "x")
    if keep_times:
        path.chmod(0o444)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    plan = staged.plan()

    with bench.store() as store, pytest.raises(DigestError) as caught:
        staged.verify(plan, store)

    item = next(one for one in plan.items if name.startswith(one.name))
    assert caught.value.exit_code == 5
    assert caught.value.fields["expected"] == item.fingerprint.digest
    assert caught.value.fields["actual"] != item.fingerprint.digest
    assert name.rpartition("/")[2] in str(caught.value)
    assert "stage again" in (caught.value.hint or "")


@pytest.mark.parametrize("fault", ["added", "removed", "renamed", "link", "folder", "mode"])
def test_every_change_of_a_folder_is_found(staged: StagedWorkdir, fault: str) -> None:
    folder = staged.content / "inputs" / "data"
    if fault == "added":
        (folder / "three").touch()
    elif fault == "removed":
        (folder / "one").unlink()
    elif fault == "renamed":
        (folder / "one").rename(folder / "four")
    elif fault == "link":
        (folder / "one").unlink()
        (folder / "one").symlink_to("two")
    elif fault == "folder":
        (folder / "empty").mkdir()
    else:
        (folder / "one").chmod(0o755)

    with pytest.raises(DigestError):
        staged.verify(staged.plan())


@pytest.mark.parametrize("fault", ["link", "pipe", "folder"])
def test_something_else_in_place_of_a_file_is_found(staged: StagedWorkdir, tmp_path: Path, fault: str) -> None:
    path = staged.content / "inputs" / "a"
    path.unlink()
    if fault == "link":
        (tmp_path / "same").write_text("hello")
        path.symlink_to(tmp_path / "same")
    elif fault == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()

    with pytest.raises(DigestError):
        staged.verify(staged.plan())


def test_a_folder_on_the_way_that_became_a_link_is_found(staged: StagedWorkdir, tmp_path: Path) -> None:
    inputs = staged.content / "inputs"
    shutil.move(inputs, tmp_path / "inputs")
    inputs.symlink_to(tmp_path / "inputs")

    with pytest.raises(DigestError):
        staged.verify(staged.plan())


def test_a_missing_input_is_named(staged: StagedWorkdir) -> None:
    (staged.content / "inputs" / "a").unlink()

    with pytest.raises(NotFoundError, match="'a' is missing") as caught:
        staged.verify(staged.plan())

    assert "stage again" in (caught.value.hint or "")


def test_rehash_reads_what_the_signatures_vouch_for(bench: Bench, staged: StagedWorkdir) -> None:
    path = staged.content / "inputs" / "a"
    digest = staged.plan().items[0].fingerprint.digest
    change(path, "hellO")
    record = Signatures.read(staged.content / FILE)
    record.add("inputs/a", digest, StatSignature.of(path))
    record.write(staged.content / FILE)
    staged.verify(staged.plan())

    with pytest.raises(DigestError):
        staged.verify(staged.plan(), rehash=True)


def test_a_signature_of_this_very_moment_is_not_kept(staged: StagedWorkdir) -> None:
    # The same bytes, written anew: right, but it could change once more within this tick of the clock.
    path = staged.content / "inputs" / "a"
    for _ in range(20):
        change(path, "hello")
        staged.verify(staged.plan())
        change(path, "hellO")
        with pytest.raises(DigestError):
            staged.verify(staged.plan())


def test_several_may_verify_at_once(bench: Bench, staged: StagedWorkdir) -> None:
    bench.stage(wanted("a"), wanted("data"))
    plan = staged.plan()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with bench.store() as store:
                staged.verify(plan, store)
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
