"""A damaged store: whatever happens to an object, wrong bytes are never handed out (faults D2 and T12)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from staging.errors import DigestError
from staging.fingerprints import Tree
from tests.support.stages import Bench, plan_of, wanted

GOOD = "a good content, long enough\n"


def _flip_a_bit(path: Path, other: Path) -> None:
    content = bytearray(path.read_bytes())
    content[7] ^= 1
    _in_place(path, bytes(content))


def _flip_a_bit_and_set_the_times_back(path: Path, other: Path) -> None:
    before = path.stat()
    _flip_a_bit(path, other)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _truncate(path: Path, other: Path) -> None:
    _in_place(path, path.read_bytes()[:-5])


def _empty(path: Path, other: Path) -> None:
    _in_place(path, b"")


def _append(path: Path, other: Path) -> None:
    _in_place(path, path.read_bytes() + b"\n")


def _swap(path: Path, other: Path) -> None:
    middle = path.with_name("middle")
    path.rename(middle)
    other.rename(path)
    middle.rename(other)


def _replace_by_link(path: Path, other: Path) -> None:
    path.unlink()
    path.symlink_to(other)


def _replace_by_link_to_nowhere(path: Path, other: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def _replace_by_pipe(path: Path, other: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _replace_by_folder(path: Path, other: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "file").touch()


def _replace_by_other_bytes(path: Path, other: Path) -> None:
    path.unlink()
    path.write_bytes(other.read_bytes())


def _delete(path: Path, other: Path) -> None:
    path.unlink()


def _delete_its_folder(path: Path, other: Path) -> None:
    path.unlink()
    path.parent.rmdir()


def _in_place(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(0o444)


DAMAGES = [
    _flip_a_bit,
    _flip_a_bit_and_set_the_times_back,
    _truncate,
    _empty,
    _append,
    _swap,
    _replace_by_link,
    _replace_by_link_to_nowhere,
    _replace_by_pipe,
    _replace_by_folder,
    _replace_by_other_bytes,
    _delete,
    _delete_its_folder,
]
HARMLESS = [_delete, _delete_its_folder]
damages = pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
Damage = Callable[[Path, Path], None]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Two files and a folder, staged once; their sources have stood still for a while (here a short one)."""
    monkeypatch.setattr("staging.fetchers.file.SETTLED", 25_000_000)
    bench = Bench(tmp_path)
    bench.file("good", GOOD)
    bench.file("other", "something else of the same length"[: len(GOOD)])
    bench.file("data/good", GOOD)
    time.sleep(0.04)
    bench.stage(wanted("good"), wanted("other"), wanted("data"))
    return bench


def _hurt(bench: Bench, damage: Damage) -> None:
    other = bench.object("something else of the same length"[: len(GOOD)])
    damage(bench.object(GOOD), other)


@damages
def test_the_next_stage_finds_the_damage_and_fetches_again(bench: Bench, damage: Damage) -> None:
    _hurt(bench, damage)

    workdir, items = bench.stage(wanted("good"), wanted("other"), wanted("data"))

    assert (workdir.content / "inputs/good").read_text() == GOOD
    assert (workdir.content / "inputs/data/good").read_text() == GOOD
    # The folder has the same file: whichever comes first mends the object for the other.
    assert "fetched" in {items[0].source, items[2].source}
    assert bench.object(GOOD).read_text() == GOOD
    workdir.verify(plan_of(items), rehash=True)
    quarantined = list((bench.cache / "quarantine").glob("*"))
    assert bool(quarantined) == (damage not in HARMLESS)


@damages
def test_without_a_source_the_damage_is_a_digest_error_and_no_bytes_are_staged(bench: Bench, damage: Damage) -> None:
    _hurt(bench, damage)
    (bench.sources / "good").unlink()
    before = set(bench.workdirs.iterdir())

    with pytest.raises(Exception) as caught:
        bench.stage(wanted("good"))

    assert caught.type.__name__ == ("FetchError" if damage in HARMLESS else "DigestError")
    assert set(bench.workdirs.iterdir()) == before


@damages
def test_a_folder_with_a_damaged_file_is_noticed(bench: Bench, damage: Damage) -> None:
    _hurt(bench, damage)

    with bench.store() as store:
        tree = Tree.of_directory(bench.sources / "data")
        assert store.lookup(tree.fingerprint) is None


@damages
def test_reading_the_store_through_finds_the_damage_and_ends(bench: Bench, damage: Damage) -> None:
    _hurt(bench, damage)

    with bench.store() as store:
        problems = store.verify()
        again = store.verify()

    assert problems
    # The folder that misses a file stays a problem until it is staged again; the damaged file is out of the way.
    assert all("missing" in problem.problem for problem in again)


@damages
def test_listing_and_collecting_a_damaged_store_ends(bench: Bench, damage: Damage) -> None:
    _hurt(bench, damage)

    with bench.store() as store:
        assert store.entries()
        store.gc(dry_run=True)
        store.gc()
        store.remove(bench.object(GOOD).name, force=True) if damage not in HARMLESS else None


def test_a_damage_that_came_while_a_link_was_in_use_is_found_by_both(bench: Bench) -> None:
    # A tool that runs as root writes into its input: the object and another working directory share the bytes.
    one, items = bench.stage(wanted("good"))
    two, _ = bench.stage(wanted("good"))
    staged = one.content / "inputs" / "good"
    staged.chmod(0o644)
    with staged.open("a") as stream:
        stream.write("more")

    for workdir in (one, two):
        with bench.store() as store, pytest.raises(DigestError):
            workdir.verify(plan_of(items), store)
    three, items = bench.stage(wanted("good"))

    assert (three.content / "inputs/good").read_text() == GOOD
    with pytest.raises(DigestError):
        one.verify(plan_of(items))


def test_a_changed_mode_is_put_right(bench: Bench) -> None:
    path = bench.object(GOOD)
    path.chmod(0o666)

    bench.stage(wanted("good"))

    assert path.stat().st_mode & 0o777 == 0o444


def test_a_damage_between_the_look_and_the_link_is_still_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from staging.store import ContentStore

    place = ContentStore.place

    def damage_first(store: ContentStore, wanted: object) -> object:
        monkeypatch.setattr(ContentStore, "place", place)
        _hurt(bench, _flip_a_bit)
        return place(store, wanted)  # type: ignore[arg-type]

    monkeypatch.setattr(ContentStore, "place", damage_first)

    workdir, _ = bench.stage(wanted("good"), wanted("data"))

    assert (workdir.content / "inputs/good").read_text() == GOOD
    assert (workdir.content / "inputs/data/good").read_text() == GOOD
