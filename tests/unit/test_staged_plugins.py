"""Plugins as items: their archives and what is in them, by the rules that hold for all that is staged."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from engines.base import Plugin
from engines.nextflow.running.laying_out import PLUGINS as PLUGINS_OF_NEXTFLOW
from staging.errors import DigestError, FetchError, PolicyError
from staging.fingerprints import Tree
from staging.plan import Kind, Plan, Role
from staging.stager import Stager
from staging.wanted import StagedItem, Wanted
from tests.support.stages import Bench, plan_of
from wfexs_like.flow.plugins import PLUGINS, locked_plugins, stage_plugins


def zipped(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


class Shelf:
    """A source of archives, and a folder to stage into."""

    def __init__(self, root: Path) -> None:
        self.bench = Bench(root)
        self.content = root / "content"
        self.content.mkdir()
        self.known: dict[str, Plugin] = {}
        self.resolved: list[str] = []

    def add(self, name: str, version: str, archive: bytes, sha512: str | None = None) -> None:
        path = self.bench.sources / f"{name}-{version}.zip"
        path.write_bytes(archive)
        self.known[name] = Plugin(name, version, path.as_uri(), sha512)

    def resolve(self, names: tuple[str, ...]) -> tuple[Plugin, ...]:
        self.resolved += names
        return tuple(self.known[name.partition("@")[0]] for name in names)

    def fetch(self, wanted: Sequence[Wanted]) -> tuple[StagedItem, ...]:
        with self.bench.store() as store:
            stager = Stager(store, self.bench.ear, jobs=2)
            return stager.fetch_all(wanted, self.content, self.bench.sources, locked=None, workdir_id="a")

    def stage(self, *names: str, locked: Plan | None = None) -> tuple[StagedItem, ...]:
        return stage_plugins(names, content=self.content, resolve=self.resolve, fetch=self.fetch, locked=locked)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_the_engine_looks_where_plugins_are_unpacked() -> None:
    assert PLUGINS == PLUGINS_OF_NEXTFLOW


def test_archive_and_tree_are_items_whose_every_file_is_attested(shelf: Shelf) -> None:
    archive = zipped(**{"classes/a": b"one", "lib/b.jar": b"two"})
    shelf.add("nf-a", "1.0.0", archive, hashlib.sha512(archive).hexdigest())

    packed, unpacked = shelf.stage("nf-a")

    assert (packed.item.role, packed.item.kind, packed.item.name) == (Role.PLUGIN, Kind.FILE, "nf-a@1.0.0")
    assert packed.item.fingerprint.digest == hashlib.sha256(archive).hexdigest()
    assert (unpacked.item.role, unpacked.item.kind, unpacked.item.name) == (
        Role.PLUGIN,
        Kind.DIRECTORY,
        "nf-a@1.0.0/unpacked",
    )
    root = shelf.content / "engine/plugins/nf-a-1.0.0"
    assert unpacked.item.fingerprint == Tree.of_directory(root).fingerprint
    assert {one.path: one.sha256 for one in unpacked.placed} == {
        "engine/plugins/nf-a-1.0.0/classes/a": hashlib.sha256(b"one").hexdigest(),
        "engine/plugins/nf-a-1.0.0/lib/b.jar": hashlib.sha256(b"two").hexdigest(),
    }


def test_an_archive_of_another_sha512_is_refused_and_not_unpacked(shelf: Shelf) -> None:
    shelf.add("nf-a", "1.0.0", zipped(a=b"one"), "0" * 128)

    with pytest.raises(DigestError, match=r"nf-a@1\.0\.0") as caught:
        shelf.stage("nf-a")

    assert caught.value.fields["expected"] == "0" * 128
    assert not (shelf.content / PLUGINS).exists()


def test_what_is_no_archive_is_no_plugin(shelf: Shelf) -> None:
    shelf.add("nf-a", "1.0.0", b"<p>Not here</p>")

    with pytest.raises(FetchError, match=r"nf-a@1\.0\.0 can't be unpacked"):
        shelf.stage("nf-a")


def test_an_archive_cannot_reach_out_of_its_folder(shelf: Shelf) -> None:
    shelf.add("nf-a", "1.0.0", zipped(**{"../nf-b-1.0.0/classes/a": b"evil"}))

    with pytest.raises(PolicyError):
        shelf.stage("nf-a")

    assert list((shelf.content / PLUGINS).iterdir()) == []


@pytest.mark.parametrize("declared", ["nf-a", "nf-a@1.0.0", "nf-a@~1.0.0"])
def test_what_a_lock_has_is_not_looked_up_again(shelf: Shelf, declared: str) -> None:
    shelf.add("nf-a", "1.0.0", zipped(a=b"one"))
    plan = plan_of(shelf.stage("nf-a"))

    assert locked_plugins([declared], plan) == (Plugin("nf-a", "1.0.0", shelf.known["nf-a"].url),)


def test_what_a_lock_has_not_is_looked_up(shelf: Shelf) -> None:
    shelf.add("nf-a", "1.0.0", zipped(a=b"one"))
    plan = plan_of(shelf.stage("nf-a"))

    assert locked_plugins(["nf-a@2.0.0"], plan) is None
    assert locked_plugins(["nf-a", "nf-b"], plan) is None
    assert locked_plugins(["nf-a/unpacked"], plan) is None
    assert locked_plugins(["nf-a"], replace(plan, items=())) is None


def test_with_a_lock_nobody_is_asked_for_what_it_has(shelf: Shelf, tmp_path: Path) -> None:
    shelf.add("nf-a", "1.0.0", zipped(a=b"one"))
    staged = shelf.stage("nf-a")
    shelf.content = tmp_path / "again"
    shelf.content.mkdir()

    again = shelf.stage("nf-a", locked=plan_of(staged))

    assert [one.item for one in again] == [one.item for one in staged]
    assert shelf.resolved == ["nf-a"]
