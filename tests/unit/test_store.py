from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from staging.errors import LockedError, NotFoundError, WfexsError
from staging.fingerprints import Fingerprint, StatSignature, Tree
from staging.index import Origin
from staging.objects import MissingObjectError, User
from staging.placing import open_regular
from staging.plan import Kind
from staging.store import ContentStore
from tests.support.stages import taken


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ContentStore]:
    with ContentStore(tmp_path / "cache") as store:
        yield store


def origin(identifier: str, fingerprint: Fingerprint, kind: Kind = Kind.FILE) -> Origin:
    return Origin(
        identifier=identifier, kind=kind, fingerprint=fingerprint, size=1, fetched="2026-01-01T00:00:00+00:00"
    )


def rot(store: ContentStore, digest: str) -> None:
    """What a failing disk does: other bytes, and nothing that the file system would know of."""
    path = store.path(digest)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    path.chmod(0o444)
    store.index.record({digest: StatSignature.of(path)}, verified="2026-01-01T00:00:00+00:00")


def commit_folder(store: ContentStore, **files: str) -> Tree:
    with store.workspace.temporary() as folder:
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_text(content)
            if name.startswith("tool"):
                (folder / name).chmod(0o755)
        tree = Tree.of_directory(folder)
        store.commit_tree(folder, tree)
    return tree


# --- objects ----------------------------------------------------------------------------------------------------------


def test_bytes_taken_in_are_found_by_their_digest_and_read_only(store: ContentStore) -> None:
    fingerprint = taken(store, b"hello")

    found = store.lookup(fingerprint)

    assert found is not None
    assert (found.kind, found.size) == (Kind.FILE, 5)
    path = store.path(fingerprint.digest)
    assert path.read_bytes() == b"hello"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444


def test_nothing_is_found_under_a_digest_that_nobody_brought(store: ContentStore) -> None:
    assert store.lookup(Fingerprint.of_bytes(b"other")) is None


def test_an_intact_object_is_not_replaced_by_the_same_bytes(store: ContentStore) -> None:
    fingerprint = taken(store, b"hello")
    before = store.path(fingerprint.digest).stat().st_ino

    taken(store, b"hello")

    assert store.path(fingerprint.digest).stat().st_ino == before


def test_nothing_temporary_is_left(store: ContentStore, tmp_path: Path) -> None:
    taken(store, b"hello")
    commit_folder(store, a="x")
    with pytest.raises(RuntimeError), store.workspace.temporary() as path:
        path.write_text("half")
        raise RuntimeError
    store.close()

    assert list((tmp_path / "cache" / "tmp").iterdir()) == []


def test_a_folder_comes_back_with_its_files_links_and_modes(store: ContentStore, tmp_path: Path) -> None:
    tree = commit_folder(store, a="x", tool="#!/bin/sh\n")

    found = store.lookup(tree.fingerprint)

    assert found is not None
    assert found.kind is Kind.DIRECTORY
    assert found.tree == tree
    assert (
        stat.S_IMODE(store.path(f"{Fingerprint.of_bytes(b'#!/bin/sh' + bytes([10])).digest}.x").stat().st_mode) == 0o555
    )


def test_a_folder_with_a_missing_file_is_not_there(store: ContentStore) -> None:
    tree = commit_folder(store, a="x", b="y")
    store.path(Fingerprint.of_bytes(b"y").digest).unlink()

    assert store.lookup(tree.fingerprint, Kind.DIRECTORY) is None


def test_a_file_that_is_only_known_as_executable_is_found_as_plain_file(store: ContentStore) -> None:
    commit_folder(store, tool="#!")

    found = store.lookup(Fingerprint.of_bytes(b"#!"), Kind.FILE)

    assert found is not None
    assert stat.S_IMODE(store.path(found.fingerprint.digest).stat().st_mode) == 0o444


def test_a_lost_index_costs_a_look_and_nothing_else(store: ContentStore, tmp_path: Path) -> None:
    fingerprint = taken(store, b"hello")
    tree = commit_folder(store, a="x")
    store.close()
    for file in (tmp_path / "cache").glob("index.sqlite*"):
        file.unlink()

    with ContentStore(tmp_path / "cache") as again:
        assert again.lookup(fingerprint) is not None
        assert again.lookup(tree.fingerprint) is not None


@pytest.mark.parametrize("damage", [b"", b"garbage" * 1000, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_index_is_replaced(store: ContentStore, tmp_path: Path, damage: bytes) -> None:
    fingerprint = taken(store, b"hello")
    store.close()
    (tmp_path / "cache" / "index.sqlite").write_bytes(damage)

    with ContentStore(tmp_path / "cache") as again:
        assert again.lookup(fingerprint) is not None


# --- placing ----------------------------------------------------------------------------------------------------------


def test_a_placed_file_is_not_read_again_although_its_link_changed_the_object(
    store: ContentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fingerprint = taken(store, b"hello")
    for name in ("a", "b", "c"):
        store.place({str(tmp_path / name): fingerprint.digest})
    (tmp_path / "folder").mkdir()
    store.place({str(tmp_path / "folder" / "d"): fingerprint.digest})
    store.remove_tree(tmp_path / "folder")
    monkeypatch.setattr("staging.store.read_digest", lambda descriptor: pytest.fail("it was read again"))

    assert store.lookup(fingerprint) is not None


def test_several_links_of_one_object_at_once_are_carried_over(
    store: ContentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fingerprint = taken(store, b"hello")
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr("staging.store.read_digest", lambda descriptor: pytest.fail("it was read again"))

    store.place({str(tmp_path / "folder" / name): fingerprint.digest for name in "abcdef"})
    assert store.lookup(fingerprint) is not None
    store.remove_tree(tmp_path / "folder")

    assert store.lookup(fingerprint) is not None
    assert not (tmp_path / "folder").exists()


def test_the_signature_of_a_placed_file_is_that_of_the_file(store: ContentStore, tmp_path: Path) -> None:
    digest = taken(store, b"hello").digest

    placed = store.place({str(tmp_path / "a"): digest})

    assert placed == {str(tmp_path / "a"): StatSignature.of(tmp_path / "a")}


def test_placing_what_is_not_there_says_what_is_missing(store: ContentStore, tmp_path: Path) -> None:
    missing = "0" * 64

    with pytest.raises(MissingObjectError) as caught:
        store.place({str(tmp_path / "a"): missing})

    assert caught.value.names == (missing,)
    assert not (tmp_path / "a").exists()


def test_where_links_cannot_be_made_the_bytes_are_copied_and_checked(
    store: ContentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("staging.placing.link", lambda source, target: False)
    digest = taken(store, b"hello").digest

    store.place({str(tmp_path / "a"): digest})

    assert (tmp_path / "a").read_bytes() == b"hello"
    assert (tmp_path / "a").stat().st_ino != store.path(digest).stat().st_ino
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o444


def test_a_copy_finds_bytes_that_changed_below_the_file_system(
    store: ContentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("staging.placing.link", lambda source, target: False)
    digest = taken(store, b"hello").digest
    rot(store, digest)

    with pytest.raises(MissingObjectError):
        store.place({str(tmp_path / "a"): digest})

    assert not (tmp_path / "a").exists()
    assert store.lookup(Fingerprint(digest=digest)) is None


def test_an_object_that_changed_this_very_moment_is_not_believed_without_reading(store: ContentStore) -> None:
    fingerprint = taken(store, b"hello")
    store.path(fingerprint.digest).touch()

    assert store.lookup(fingerprint) is not None
    assert store.index.signatures([fingerprint.digest]) == {}
    time.sleep(0.05)
    assert store.lookup(fingerprint) is not None
    assert list(store.index.signatures([fingerprint.digest])) == [fingerprint.digest]


def test_a_pipe_is_neither_opened_nor_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    caught: list[OSError] = []

    def read() -> None:
        try:
            with open_regular(tmp_path / "pipe"):
                pass
        except OSError as error:
            caught.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(10)

    assert [error.errno for error in caught] == [errno.EINVAL]


def test_a_copy_on_another_file_system_is_a_copy(store: ContentStore) -> None:
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if Path(other).stat().st_dev == store.root.parent.stat().st_dev:
            pytest.skip("no second file system here")
        digest = taken(store, b"hello").digest

        store.place({f"{other}/a": digest, f"{other}/b": digest})

        assert Path(other, "a").read_bytes() == Path(other, "b").read_bytes() == b"hello"


# --- upkeep -----------------------------------------------------------------------------------------------------------


def test_entries_tell_where_each_content_came_from_and_who_holds_it(store: ContentStore, tmp_path: Path) -> None:
    fingerprint = taken(store, b"hello")
    tree = commit_folder(store, a="x")
    store.index.learn({"http://example.org/a": origin("http://example.org/a", fingerprint)})
    store.index.use(str(tmp_path), "w1", [fingerprint.digest])

    entries = {entry.fingerprint: entry for entry in store.entries()}

    assert set(entries) == {fingerprint, tree.fingerprint}
    assert entries[fingerprint].origins[0].identifier == "http://example.org/a"
    assert entries[fingerprint].users == ("w1",)
    assert (entries[tree.fingerprint].kind, entries[tree.fingerprint].size) == (Kind.DIRECTORY, 1)


def test_verify_finds_nothing_in_a_sound_store(store: ContentStore) -> None:
    taken(store, b"hello")
    commit_folder(store, a="x")

    assert store.verify() == ()


def test_verify_reads_bytes_whose_signature_is_unchanged(store: ContentStore) -> None:
    digest = taken(store, b"hello").digest
    rot(store, digest)
    assert store.lookup(Fingerprint(digest=digest)) is not None

    problems = store.verify()

    assert [problem.sha256 for problem in problems] == [digest]
    assert store.lookup(Fingerprint(digest=digest)) is None
    assert len(list(store.quarantine.iterdir())) == 1


def test_gc_removes_what_nobody_holds_and_keeps_the_rest(store: ContentStore, tmp_path: Path) -> None:
    (tmp_path / "home" / "w1").mkdir(parents=True)
    kept, lost = taken(store, b"kept"), taken(store, b"lost")
    store.index.use(str(tmp_path / "home"), "w1", [kept.digest])

    would = store.gc(dry_run=True)
    assert store.lookup(lost) is not None
    did = store.gc()

    assert would == did
    assert (did.removed, did.size) == ((lost.digest,), 4)
    assert store.lookup(kept) is not None
    assert store.lookup(lost) is None


def test_gc_notices_a_working_directory_that_was_deleted_by_hand(store: ContentStore, tmp_path: Path) -> None:
    fingerprint = taken(store, b"hello")
    home = tmp_path / "home"
    (home / "w1").mkdir(parents=True)
    store.index.use(str(home), "w1", [fingerprint.digest])
    assert store.gc().removed == ()

    (home / "w1").rmdir()

    assert store.gc(dry_run=True).removed == (fingerprint.digest,)
    assert store.gc().removed == (fingerprint.digest,)
    assert store.index.users() == ()


def test_gc_keeps_what_a_live_stager_holds_that_has_no_working_directory_yet(store: ContentStore) -> None:
    fingerprint = taken(store, b"hello")
    user = User(home="/nowhere", workdir="w1")
    store.index.use(user.home, user.workdir, [fingerprint.digest])

    with store.locks.hold(user.lock):
        assert store.gc().removed == ()

    assert store.gc().removed == (fingerprint.digest,)


def test_gc_keeps_the_files_of_a_folder_that_is_held(store: ContentStore, tmp_path: Path) -> None:
    tree = commit_folder(store, a="x", tool="y")
    stored = store.lookup(tree.fingerprint)
    assert stored is not None
    (tmp_path / "w1").mkdir()
    store.claim(User(home=str(tmp_path), workdir="w1"), stored.names())

    assert store.gc().removed == ()
    assert store.lookup(tree.fingerprint) is not None


def test_remove_takes_a_digest_or_an_identifier(store: ContentStore) -> None:
    one, two = taken(store, b"one"), taken(store, b"two")
    store.index.learn({"http://example.org/two": origin("http://example.org/two", two)})

    store.remove(one.digest)
    store.remove("http://example.org/two")

    assert store.entries() == ()
    assert store.index.all_origins() == ()


def test_remove_refuses_what_a_working_directory_holds(store: ContentStore, tmp_path: Path) -> None:
    fingerprint = taken(store, b"hello")
    (tmp_path / "w1").mkdir()
    store.index.use(str(tmp_path), "w1", [fingerprint.digest])

    with pytest.raises(LockedError, match="w1"):
        store.remove(fingerprint.digest)
    assert store.lookup(fingerprint) is not None

    store.remove(fingerprint.digest, force=True)
    assert store.lookup(fingerprint) is None


def test_removing_a_folder_keeps_the_files_it_shares(store: ContentStore) -> None:
    first, second = commit_folder(store, a="shared", b="own"), commit_folder(store, c="shared")

    store.remove(first.fingerprint.digest)

    assert store.lookup(second.fingerprint) is not None
    assert store.lookup(Fingerprint.of_bytes(b"own")) is None


def test_removing_a_folder_keeps_its_file_that_a_working_directory_holds(store: ContentStore, tmp_path: Path) -> None:
    (tmp_path / "w1").mkdir()
    tree = commit_folder(store, a="held", b="free")
    held = Fingerprint.of_bytes(b"held")
    store.index.use(str(tmp_path), "w1", [held.digest])

    store.remove(tree.fingerprint.digest)

    assert store.lookup(held) is not None
    assert store.lookup(Fingerprint.of_bytes(b"free")) is None


def test_remove_of_an_unknown_thing_is_not_found(store: ContentStore) -> None:
    with pytest.raises(NotFoundError) as caught:
        store.remove("http://example.org/unknown")

    assert caught.value.exit_code == 10


def test_remove_takes_a_local_path_as_a_person_writes_it(
    store: ContentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fingerprint = taken(store, b"hello")
    identifier = f"file://{tmp_path}/a"
    store.index.learn({identifier: origin(identifier, fingerprint)})
    monkeypatch.chdir(tmp_path)

    store.remove("./a")

    assert store.lookup(fingerprint) is None


# --- the index --------------------------------------------------------------------------------------------------------


def test_the_index_holds_numbers_of_the_full_width(store: ContentStore) -> None:
    signature = StatSignature(device=2**64 - 2, inode=2**63 + 5, size=1, mtime_ns=2, ctime_ns=3)
    store.index.record({"a": signature}, verified="")

    assert store.index.signatures(["a"]) == {"a": signature}
    assert store.index.by_inode([2**63 + 5]) == {(2**64 - 2, 2**63 + 5): ("a", signature)}


def test_a_signature_that_somebody_else_replaced_is_not_carried_over(store: ContentStore) -> None:
    old = StatSignature(device=1, inode=2, size=3, mtime_ns=4, ctime_ns=5)
    recorded, new = replace(old, ctime_ns=6), replace(old, ctime_ns=7)
    store.index.record({"a": recorded}, verified="")

    store.index.move({"a": (old, new)})
    assert store.index.signatures(["a"]) == {"a": recorded}
    store.index.move({"a": (recorded, new)})

    assert store.index.signatures(["a"]) == {"a": new}


def test_an_index_of_an_older_version_is_made_anew_and_of_a_newer_one_refused(
    store: ContentStore, tmp_path: Path
) -> None:
    fingerprint = taken(store, b"hello")
    store.close()
    for version in (1, 99):
        with contextlib.closing(sqlite3.connect(tmp_path / "cache" / "index.sqlite")) as connection:
            connection.execute(f"PRAGMA user_version = {version}")
        if version == 1:
            assert store.lookup(fingerprint) is not None
            store.close()

    with pytest.raises(WfexsError, match="newer version") as caught:
        store.lookup(fingerprint)

    assert "WFEXS_LIKE_CACHE" in (caught.value.hint or "")


def test_a_page_of_the_index_that_is_damaged_is_told_once(store: ContentStore, tmp_path: Path) -> None:
    fingerprint = taken(store, b"hello")
    for number in range(300):
        identifier = f"http://example.org/{number}"
        store.index.learn({identifier: origin(identifier, fingerprint)})
    store.close()
    path = tmp_path / "cache" / "index.sqlite"
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xa5" * (len(content) - 8192)
    path.write_bytes(bytes(content))

    with pytest.raises(WfexsError, match="set aside"):
        store.index.all_origins()

    assert store.lookup(fingerprint) is not None
    assert store.index.all_origins() == ()
