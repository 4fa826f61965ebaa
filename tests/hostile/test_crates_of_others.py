"""Crates of other makers that mean harm, or were changed after they were made; and what remains of a zipped one."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.unit.test_foreign_crates import crate, file, formal

TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: {$import: command.json}
inputs:
  f: {type: File, secondaryFiles: [{pattern: .bai, required: false}], inputBinding: {}}
outputs: {o: stdout}
stdout: o.txt
"""


@pytest.mark.cwltool
def test_a_zipped_crate_is_named_where_its_files_came_from_and_what_is_stated_of_them_holds(
    wfexs: Command, tmp_path: Path
) -> None:
    command = hashlib.sha256(b'"cat"').hexdigest()
    entities = [formal("f", "File"), file("x.bam", "f"), file("command.json", sha256=command)]
    files = {"wf.cwl": TOOL, "x.bam": "bam", "x.bam.bai": "bai", "command.json": '"cat"'}
    place = crate(tmp_path / "theirs", entities, files, runs=[["x.bam"]], sha256=None)
    archive = pack(place)

    first, second = (wfexs.ok("import", archive, "--vault", "plain") for _ in "12")

    # Nothing of the folder that it was unpacked into remains, so that both are the very same.
    assert first["lock"]["digest"] == second["lock"]["digest"]
    items = json.loads(Path(first["lock"]["path"]).read_text())["items"]
    assert {one["name"]: one["pinned"] for one in items if one["role"] != "engine"} == {
        "workflow": f"file://{archive}#unpacked/wf.cwl",
        "workflow/command.json": f"file://{archive}#unpacked/command.json",
        "f": f"file://{archive}#unpacked/x.bam",
        "f.secondaryFiles[0]": f"file://{archive}#unpacked/x.bam.bai",
    }
    # By its lock it is had again, from the archive wherever that is now.
    moved = tmp_path / "elsewhere" / archive.name
    moved.parent.mkdir()
    archive.rename(moved)
    again = wfexs.ok("import", moved, "--locked", first["lock"]["path"], "--vault", "plain")
    assert again["lock"]["digest"] == first["lock"]["digest"]
    assert {one["source"] for one in again["items"] if one["role"] != "engine"} == {"crate"}

    # A document that nobody names but the workflow is held against what is stated of it; a link is not followed.
    (place / "command.json").write_text('"ls"')
    tampered = wfexs("import", place, "--vault", "plain")
    assert (tampered.code, tampered.object["error"]["path"]) == (5, "command.json")
    (place / "command.json").write_text('"cat"')
    (place / "x.bam.bai").unlink()
    (place / "x.bam.bai").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("secret")
    linked = wfexs("import", place, "--vault", "plain")
    assert (linked.code, linked.object["error"]["where"]) == (14, "x.bam.bai")


def pack(place: Path) -> Path:
    archive = place.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as packed:
        for one in sorted(place.rglob("*")):
            packed.write(one, one.relative_to(place.parent))
    return archive
