"""Crates made to do harm, or damaged: each is refused with the file or entry named, and nothing is left."""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from staging.archives import ArchiveError
from staging.crate_source import METADATA
from staging.definition import ExpectedOutput, Limits
from staging.errors import (
    CrateError,
    DefinitionError,
    DigestError,
    FetchError,
    NotFoundError,
    PolicyError,
    UsageError,
    WfexsError,
)
from staging.fingerprints import Fingerprint, Tree
from staging.plan import ImageFacts, Kind, Plan, PlanItem, Role, Trust, WorkflowEntry
from staging.progress import Silent
from staging.stager import Stager
from staging.store import ContentStore
from staging.unpacked import SUFFIX
from staging.workdir import LOCK
from staging.workdirs import Workdirs
from wfexs_like.crate.graph import path_id
from wfexs_like.crate.told_lock import TOLD_LOCK
from wfexs_like.importing.making import Import, import_crate
from wfexs_like.importing.telling import _value

pytestmark = pytest.mark.cwltool

MAIN = b"cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: cat\ninputs: {data: File}\noutputs: []\n"
DATA = b"data\n"
SHA = "0" * 64


def item(role: Role, name: str, path: str | None, content: bytes = b"", **more: Any) -> PlanItem:
    facts = {
        "role": role,
        "name": name,
        "identifier": PurePosixPath(path or name).name,
        "pinned": PurePosixPath(path or name).name,
        "kind": Kind.FILE,
        "fingerprint": Fingerprint.of_bytes(content),
        "size": len(content),
        "trust": Trust.FIRST_USE,
        "path": PurePosixPath(path) if path else None,
    }
    return PlanItem(**{**facts, **more})


VERSION = version("cwltool")
# The version that comes with us, with another fingerprint: nothing need be fetched to find that out.
ENGINE = item(Role.ENGINE, "cwltool", None, kind=Kind.DIRECTORY, identifier="cwltool@1", pinned="pkg:pypi/cwltool@1")
WORKFLOW = item(Role.WORKFLOW, "workflow", "workflow/main.cwl", MAIN)
INPUT = item(Role.INPUT, "data", "inputs/data/data.txt", DATA)


def plan(*items: PlanItem, **more: Any) -> Plan:
    facts: dict[str, Any] = {
        "workflow": WorkflowEntry(path=PurePosixPath("workflow/main.cwl"), language="cwl", language_version="v1.2"),
        "engine": "cwltool",
        "engine_version": VERSION,
        "items": items or (WORKFLOW, ENGINE, INPUT),
        "parameters": {"data": {"class": "File", "item": "data"}},
        "environment": {},
    }
    return Plan(**{**facts, **more})


class Crate:
    """A crate in a folder, and importing it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "a.crate"
        self.machine = root / "machine"
        self.put("workflow/main.cwl", MAIN)
        self.put("inputs/data/data.txt", DATA)
        self.lock(plan())

    def put(self, path: str, content: bytes) -> Path:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return place

    def lock(self, made: Plan) -> None:
        self.put(LOCK, made.lock_bytes())
        self.tell()

    def tell(self) -> None:
        """Write the metadata: of every file what it is."""
        files = [path for path in sorted(self.root.rglob("*")) if path.is_file() and path.name != METADATA]
        graph: list[dict[str, Any]] = [
            {"@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"}},
            {"@id": "./", "@type": "Dataset", "name": "a crate"},
        ]
        for path in files:
            name = str(path.relative_to(self.root))
            sha256 = Fingerprint.of_file(path).digest
            graph.append({"@id": path_id(name), "@type": "File", "sha256": sha256})
        self.put(METADATA, json.dumps({"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph}).encode())

    def zipped(self, *entries: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
        archive = self.root.with_suffix(".zip")
        with zipfile.ZipFile(archive, "w") as file:
            for path in sorted(self.root.rglob("*")):
                if path.is_file():
                    file.write(path, path.relative_to(self.root))
            for info, content in entries:
                file.writestr(info, content)
        return archive

    def bring(self, crate: Path | None = None, **more: Any) -> None:
        with (
            ContentStore(self.machine / "cache") as store,
            Workdirs(self.machine / "workdirs", store).create() as new,
        ):
            import_crate(
                Import(crate=crate or self.root, **more),
                new,
                stager=Stager(store, Silent()),
                cache=self.machine / "cache",
                progress=Silent(),
            )

    def refused(self, kind: type[WfexsError], named: str, crate: Path | None = None, **more: Any) -> WfexsError:
        """Import it, see it refused with ``named`` named, and nothing left of it."""
        with pytest.raises(kind) as raised:
            self.bring(crate, **more)
        error = raised.value
        assert type(error) is kind, error
        assert named in f"{error.message} {error.where}", (error.message, error.where)
        workdirs = self.machine / "workdirs"
        left = [path.name for path in workdirs.iterdir() if path.is_dir()] if workdirs.exists() else []
        assert left == []
        return error


@pytest.fixture
def crate(tmp_path: Path) -> Crate:
    return Crate(tmp_path)


def test_but_for_its_engine_the_crate_of_these_tests_is_sound(crate: Crate) -> None:
    with pytest.raises(DigestError, match="not the one that the crate was made with"):
        crate.bring(strict=True)


# --- the lock ---------------------------------------------------------------------------------------------------------


def test_what_is_no_lock_is_not_taken_for_one(crate: Crate) -> None:
    crate.put(LOCK, b"{}")
    crate.tell()
    crate.refused(DefinitionError, LOCK)


def test_a_crate_without_a_lock_is_refused_with_what_can_be_done(crate: Crate) -> None:
    (crate.root / LOCK).unlink()
    crate.tell()
    error = crate.refused(CrateError, LOCK)
    assert "--locked" in str(error.hint)


def test_another_lock_than_the_one_that_all_was_made_by_is_refused(crate: Crate, tmp_path: Path) -> None:
    metadata = json.loads((crate.root / METADATA).read_bytes())
    metadata["@graph"].append({"@id": "#lock-digest", "@type": "PropertyValue", "value": f"sha256:{SHA}"})
    crate.put(METADATA, json.dumps(metadata).encode())
    crate.refused(DigestError, LOCK)
    other = tmp_path / "other.lock.json"
    other.write_bytes(plan().lock_bytes())
    crate.refused(DigestError, "other.lock.json", locked=other)


def test_a_told_lock_is_believed_no_more_than_the_lock(crate: Crate) -> None:
    (crate.root / LOCK).rename(crate.root / TOLD_LOCK)
    crate.tell()
    with pytest.raises(DigestError, match="not the one that the crate was made with"):
        crate.bring(strict=True)
    crate.put(TOLD_LOCK, plan(WORKFLOW, ENGINE, replace(INPUT, path=PurePosixPath("runs/1/x"))).lock_bytes())
    crate.refused(DigestError, TOLD_LOCK)
    crate.tell()
    crate.refused(PolicyError, "runs/1/x")


def test_a_lock_that_was_changed_by_hand_is_refused(crate: Crate) -> None:
    text = (crate.root / LOCK).read_bytes()
    crate.put(LOCK, text.replace(b"first-use", b"expected "))
    crate.refused(DigestError, LOCK)
    crate.put(LOCK, text.replace(b'"size": 5', b'"size": 6'))
    crate.tell()
    crate.refused(DefinitionError, LOCK)


PLACES: dict[str, tuple[PlanItem, str]] = {
    "out of the directory": (replace(INPUT, path=PurePosixPath("../../data.txt")), "../../data.txt"),
    "absolute": (replace(INPUT, path=PurePosixPath("/tmp/data.txt")), "/tmp/data.txt"),
    "our lock": (replace(INPUT, path=PurePosixPath(LOCK)), LOCK),
    "our record": (replace(INPUT, path=PurePosixPath("signatures.json")), "signatures.json"),
    "a run": (replace(INPUT, path=PurePosixPath("runs/1/journal.jsonl")), "runs/1/journal.jsonl"),
    "the folder of all inputs": (replace(INPUT, path=PurePosixPath("inputs"), kind=Kind.DIRECTORY), "inputs"),
    "the workflow's": (replace(INPUT, path=PurePosixPath("workflow/count.cwl")), "workflow/count.cwl"),
    "the engine's": (replace(INPUT, path=PurePosixPath("engine/plugins/nf-x")), "engine/plugins/nf-x"),
    "images'": (replace(INPUT, path=PurePosixPath("containers/index.json")), "containers/index.json"),
    "nowhere": (replace(INPUT, path=None), "data"),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_lock_puts_nothing_where_staging_would_not(crate: Crate, name: str) -> None:
    found, named = PLACES[name]
    crate.lock(plan(WORKFLOW, ENGINE, found))
    crate.refused(CrateError if found.path is None else PolicyError, named)


@pytest.mark.parametrize(
    "path", ["containers/index.json", "containers/blobs/sha256/../../x", f"containers/blobs/sha256/{SHA}"]
)
def test_a_blob_lies_under_its_own_digest(crate: Crate, path: str) -> None:
    facts = ImageFacts(config=SHA, layers=(), platform="linux/amd64", size=1)
    crate.lock(plan(WORKFLOW, ENGINE, INPUT, item(Role.CONTAINER, "tools", path, b"x", image=facts)))
    crate.refused(PolicyError, path)


@pytest.mark.parametrize(
    ("other", "kind", "named"),
    [
        (item(Role.INPUT, "other", "inputs/data/data.txt", b"other"), PolicyError, "inputs/data/data.txt"),
        (item(Role.INPUT, "other", "inputs/data/data.txt/in/it", b"other"), PolicyError, "inputs/data/data.txt/in/it"),
        (item(Role.INPUT, "data", "inputs/other.txt", b"other"), CrateError, "data"),
    ],
)
def test_items_lie_beside_each_other(crate: Crate, other: PlanItem, kind: type[WfexsError], named: str) -> None:
    crate.lock(plan(WORKFLOW, ENGINE, INPUT, other))
    crate.refused(kind, named)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"class": "File", "path": "/etc/passwd"}, PolicyError),
        ({"class": "File", "item": "data", "location": "file:///etc/passwd"}, PolicyError),
        ([{"class": "Directory", "listing": [{"class": "File", "path": "/etc/passwd"}]}], PolicyError),
        ({"class": "File", "item": "data", "member": "../../x"}, PolicyError),
        ({"class": "File", "outputPlace": "../../x"}, PolicyError),
        ({"class": "File", "item": "other"}, CrateError),
        ({"class": "File", "item": ["data"]}, CrateError),
        ({"class": "File", "item": None}, CrateError),
        ({"class": "File", "item": "data", "basename": "../data"}, PolicyError),
        ({"class": "File", "contents": "x", "basename": "a/b"}, PolicyError),
        ({"class": "File", "item": "data", "basename": ["data"]}, PolicyError),
        (json.loads("[" * 200 + "]" * 200), PolicyError),
    ],
)
def test_a_value_is_what_was_staged_and_no_file_of_this_machine(
    crate: Crate, value: Any, kind: type[WfexsError]
) -> None:
    crate.lock(plan(parameters={"data": value}))
    crate.refused(kind, "x" if "member" in value or "outputPlace" in value else "b" if "contents" in value else "data")


@pytest.mark.parametrize(
    "made",
    [{"limits": Limits(cores="all")}, {"outputs": (ExpectedOutput(name="out", minimum=[1]),)}],  # type: ignore[arg-type]
)
def test_what_a_run_counts_with_are_numbers(crate: Crate, made: dict[str, Any]) -> None:
    crate.lock(plan(**made))
    crate.refused(CrateError, LOCK)


@pytest.mark.parametrize("address", ["file://{secret}", "git+file://{secret}", "{secret}", "../secret.txt"])
@pytest.mark.parametrize("level", ["full", "metadata"])
def test_nothing_of_this_machine_is_fetched_for_a_crate(crate: Crate, tmp_path: Path, address: str, level: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_bytes(b"secret")
    told = address.format(secret=secret)
    found = item(Role.INPUT, "data", "inputs/data/secret.txt", b"secret", identifier=told, pinned=told)
    crate.lock(plan(WORKFLOW, ENGINE, found))
    crate.refused(FetchError, "data", level=level)


def test_a_workflow_that_is_none_of_the_items_is_refused(crate: Crate) -> None:
    entry = WorkflowEntry(path=PurePosixPath("inputs/data/data.txt"), language="cwl", language_version="v1.2")
    crate.lock(plan(workflow=entry))
    crate.refused(CrateError, "inputs/data/data.txt")


def test_an_engine_that_nobody_has_is_refused(crate: Crate) -> None:
    crate.lock(plan(engine="../../engine"))
    crate.refused(DefinitionError, "engine")
    crate.lock(plan(WORKFLOW, INPUT))
    crate.refused(CrateError, LOCK)


def test_a_lock_of_very_many_items_takes_no_time_by_itself(crate: Crate) -> None:
    many = [
        replace(item(Role.INPUT, f"{number}{SUFFIX}", f"inputs/{number}/x"), kind=Kind.DIRECTORY)
        for number in range(20_000)
    ]
    crate.put("inputs/19999/x/file", b"")
    crate.lock(plan(WORKFLOW, ENGINE, INPUT, *many))
    start = time.process_time()
    crate.refused(FetchError, many[0].name)
    assert time.process_time() - start < 15


# --- the payload ------------------------------------------------------------------------------------------------------


def test_a_changed_file_is_named(crate: Crate) -> None:
    crate.put("inputs/data/data.txt", b"other")
    error = crate.refused(DigestError, "inputs/data/data.txt")
    assert error.fields["path"] == "inputs/data/data.txt"


def test_of_a_changed_folder_the_file_is_named(crate: Crate) -> None:
    crate.put("inputs/folder/a/one.txt", b"one")
    crate.put("inputs/folder/two.txt", b"two")
    digest = Tree.of_directory(crate.root / "inputs/folder").fingerprint
    folder = item(Role.INPUT, "folder", "inputs/folder", kind=Kind.DIRECTORY, fingerprint=digest, size=6)
    crate.lock(plan(WORKFLOW, ENGINE, INPUT, folder))
    metadata = json.loads((crate.root / METADATA).read_bytes())
    metadata["@graph"] += [
        {"@id": "inputs/folder/", "@type": "Dataset", "identifier": {"@id": f"#tree-sha256-{digest.digest}-digest"}},
        {"@id": f"#tree-sha256-{digest.digest}-digest", "@type": "PropertyValue", "name": "sha256"},
    ]
    crate.put(METADATA, json.dumps(metadata).encode())
    with pytest.raises(DigestError, match="not the one that the crate was made with"):
        crate.bring()

    crate.put("inputs/folder/a/one.txt", b"another")
    crate.refused(DigestError, "inputs/folder/a/one.txt")


def test_a_changed_file_is_found_though_the_right_bytes_are_in_the_store(crate: Crate) -> None:
    with pytest.raises(DigestError, match="not the one that the crate was made with"):
        crate.bring()
    crate.put("inputs/data/data.txt", b"DATA\n")
    crate.refused(DigestError, "inputs/data/data.txt")


SPECIAL: dict[str, Callable[[Path], None]] = {
    "a link": lambda path: path.symlink_to("/etc/passwd"),
    "a link that stays inside": lambda path: path.symlink_to("../../workflow/main.cwl"),
    "a pipe": os.mkfifo,
    "a device": lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5)),
}


@pytest.mark.parametrize("what", SPECIAL)
def test_what_is_no_file_is_not_read(crate: Crate, what: str) -> None:
    if what == "a device" and os.geteuid() != 0:
        pytest.skip("root: needs root")
    place = crate.root / "inputs/data/data.txt"
    place.unlink()
    SPECIAL[what](place)
    crate.refused(PolicyError, "inputs/data/data.txt")


def test_a_folder_that_is_a_link_is_not_followed(crate: Crate, tmp_path: Path) -> None:
    shutil.move(crate.root / "inputs/data", tmp_path / "elsewhere")
    (crate.root / "inputs/data").symlink_to(tmp_path / "elsewhere")
    crate.refused(PolicyError, "inputs/data/data.txt")


def test_a_linked_lock_is_not_followed(crate: Crate, tmp_path: Path) -> None:
    shutil.move(crate.root / LOCK, tmp_path / "lock")
    (crate.root / LOCK).symlink_to(tmp_path / "lock")
    crate.refused(PolicyError, LOCK)


# --- strictness -------------------------------------------------------------------------------------------------------


def test_strictly_every_file_is_what_the_metadata_says(crate: Crate) -> None:
    crate.put("runs/1/outputs/out.txt", b"out\n")
    crate.tell()
    crate.put("runs/1/outputs/out.txt", b"OUT\n")
    crate.refused(DigestError, "runs/1/outputs/out.txt", strict=True)
    (crate.root / "runs/1/outputs/out.txt").unlink()
    crate.refused(CrateError, "runs/1/outputs/out.txt", strict=True)
    with pytest.raises(DigestError, match="not the one that the crate was made with"):
        crate.bring()


@pytest.mark.parametrize("name", [LOCK, "inputs/data/data.txt"])
def test_strictly_a_file_without_a_digest_is_refused(crate: Crate, name: str) -> None:
    metadata = json.loads((crate.root / METADATA).read_bytes())
    for entity in metadata["@graph"]:
        if entity["@id"] == name:
            del entity["sha256"]
    crate.put(METADATA, json.dumps(metadata).encode())
    crate.refused(CrateError, name, strict=True)


# --- metadata and archives --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"{", CrateError),
        (b"[]", CrateError),
        (b'{"@graph": {}}', CrateError),
        (b'{"@graph": [1]}', CrateError),
        (b'{"@graph": [{"@id": 1}]}', CrateError),
        (b'{"@graph": [{"@id": "a"}, {"@id": "a"}]}', CrateError),
        (b'{"@graph": [], "@graph": []}', CrateError),
        (b'{"@graph": [' + b"[" * 200_000, PolicyError),
        (b'{"@graph": ["\xff"]}', CrateError),
        (b'{"@graph": [{"@id": "./", "name": "\\ud800"}]}', CrateError),
        (b'{"@graph": [' + b"{}," * 10_000_000 + b"{}]}", PolicyError),
    ],
)
def test_metadata_that_is_none_is_told(crate: Crate, text: bytes, kind: type[WfexsError]) -> None:
    crate.put(METADATA, text)
    crate.refused(kind, "" if b'"a"' in text else METADATA)


@pytest.mark.parametrize("value", ["NaN", "1e400", float("nan"), {"a": float("inf")}, '"\\ud800"', "[" * 900])
def test_a_run_s_value_that_is_no_json_is_told(value: Any) -> None:
    entity = {"@id": "#v", "@type": "PropertyValue", "value": value}
    with pytest.raises(CrateError, match="what run 1 was given for 'data' can't be read"):
        _value("#v", entity, "data", 1)


def test_what_is_no_crate_is_told(crate: Crate, tmp_path: Path) -> None:
    crate.refused(NotFoundError, "nowhere", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    crate.refused(CrateError, METADATA, tmp_path / "empty")
    os.mkfifo(tmp_path / "pipe")
    crate.refused(CrateError, "pipe", tmp_path / "pipe")
    (tmp_path / "text.zip").write_bytes(b"no archive")
    crate.refused(ArchiveError, "text.zip", tmp_path / "text.zip")
    (tmp_path / "a.crate.c4gh").write_bytes(b"crypt4gh")
    crate.refused(UsageError, "sealed", tmp_path / "a.crate.c4gh")


def _link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


ENTRIES: dict[str, tuple[zipfile.ZipInfo | str, bytes, str]] = {
    "out of the archive": ("../out.txt", b"x", "../out.txt"),
    "absolute": ("/tmp/out.txt", b"x", "/tmp/out.txt"),
    "a link that leads out": (_link("inputs/out"), b"/etc/passwd", "inputs/out"),
    "twice": ("inputs/data/data.txt", b"other", "inputs/data/data.txt"),
    "twins": ("INPUTS/data/data.txt", b"other", "INPUTS/data/data.txt"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ENTRIES)
def test_an_archive_s_tricks_are_refused_by_name(crate: Crate, name: str) -> None:
    info, content, named = ENTRIES[name]
    crate.refused(PolicyError, named, crate.zipped((info, content)))


def test_a_link_in_an_archive_is_no_file_of_the_crate(crate: Crate) -> None:
    (crate.root / "inputs/data/data.txt").unlink()
    archive = crate.zipped((_link("inputs/data/data.txt"), b"../../workflow/main.cwl"))
    crate.refused(PolicyError, "inputs/data/data.txt", archive)


def test_an_archive_that_unpacks_to_far_too_much_is_refused(crate: Crate) -> None:
    archive = crate.root.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file, file.open("bomb", "w") as out:
        for _ in range(200):
            out.write(bytes(1 << 20))
    crate.refused(PolicyError, "bomb", archive)
