from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from staging.crate_source import find_main_workflow, is_crate_archive, unpack_crate
from staging.errors import CrateError, PolicyError, WfexsError
from staging.fingerprints import Tree


def _crate(folder: Path, main: object = None, *, files: tuple[str, ...] = ("workflow/main.cwl",)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("cwlVersion: v1.2")
    root: dict[str, object] = {"@id": "./", "@type": "Dataset"}
    if main is not None:
        root["mainEntity"] = main
    about = {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"}}
    document = {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": [about, root]}
    (folder / "ro-crate-metadata.json").write_text(json.dumps(document))
    return folder


def _zipped(folder: Path, archive: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                target.write(path, prefix + str(path.relative_to(folder)))
    return archive


@pytest.mark.parametrize(
    ("main", "path"),
    [
        ("workflow/main.cwl", "workflow/main.cwl"),
        ("./workflow/main.cwl", "workflow/main.cwl"),
        ("workflow/my%20wf.cwl", "workflow/my wf.cwl"),
        ("workflow/main.cwl#main", "workflow/main.cwl"),
    ],
)
def test_the_main_workflow_is_found(tmp_path: Path, main: str, path: str) -> None:
    crate = _crate(tmp_path / "c", {"@id": main}, files=("workflow/main.cwl", "workflow/my wf.cwl"))

    assert find_main_workflow(crate) == path


def test_a_folder_that_is_no_crate_has_no_main_workflow(tmp_path: Path) -> None:
    assert find_main_workflow(tmp_path) is None


def test_a_crate_without_a_main_workflow_has_none(tmp_path: Path) -> None:
    assert find_main_workflow(_crate(tmp_path / "c")) is None


@pytest.mark.parametrize("main", ["../../etc/passwd", "%2e%2e/x", "/etc/passwd", "workflow/%2e%2e/%2e%2e/x", "a\\b"])
def test_a_main_workflow_outside_the_crate_is_refused(tmp_path: Path, main: str) -> None:
    with pytest.raises(PolicyError, match="outside the crate"):
        find_main_workflow(_crate(tmp_path / "c", {"@id": main}))


def test_a_main_workflow_behind_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    crate = _crate(tmp_path / "c", {"@id": "wf/x.cwl"})
    (crate / "wf").symlink_to("/etc")

    with pytest.raises(PolicyError, match="outside the crate"):
        find_main_workflow(crate)


@pytest.mark.parametrize("main", ["file:///etc/passwd", "https://example.org/x.cwl", "#main", "_:b0", "gone.cwl"])
def test_a_main_workflow_that_is_not_in_the_crate_is_said_to_be_missing(tmp_path: Path, main: str) -> None:
    with pytest.raises(CrateError, match="crate"):
        find_main_workflow(_crate(tmp_path / "c", {"@id": main}))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"@graph": 1}', '{"@graph": [1]}', "[" * 200_000, '{"@graph": [{"@id": "x"}', "\ud83d"]
)
def test_metadata_that_makes_no_sense_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "ro-crate-metadata.json").write_bytes(text.encode(errors="surrogatepass"))

    with pytest.raises(WfexsError, match="crate"):
        find_main_workflow(tmp_path)


@pytest.mark.parametrize("prefix", ["", "my-crate/"])
def test_a_zipped_crate_is_unpacked_with_or_without_a_folder_around_it(tmp_path: Path, prefix: str) -> None:
    crate = _crate(tmp_path / "c", {"@id": "workflow/main.cwl"})
    archive = _zipped(crate, tmp_path / "c.zip", prefix)

    tree = unpack_crate(archive, tmp_path / "into")

    assert tree == Tree.of_directory(tmp_path / "into") == Tree.of_directory(crate)
    assert find_main_workflow(tmp_path / "into") == "workflow/main.cwl"


def test_a_zip_without_a_crate_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "x").touch()

    with pytest.raises(CrateError, match=r"ro-crate-metadata\.json"):
        unpack_crate(_zipped(tmp_path / "c", tmp_path / "c.zip"), tmp_path / "into")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "c.zip"]


def test_only_zips_count_as_zipped_crates() -> None:
    assert is_crate_archive("Galaxy.CRATE.zip")
    assert not is_crate_archive("main.cwl")
