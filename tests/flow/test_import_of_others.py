"""Importing crates of other makers: what one made, we make of their crate, too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ORACLE, ROOT, Command

WORD_COUNT = ROOT / "workflow_examples" / "word-count"


@pytest.mark.cwltool
@pytest.mark.oracle
def test_a_crate_of_the_reference_converter_is_imported_run_and_the_same(wfexs: Command, tmp_path: Path) -> None:
    research, crate = tmp_path / "research", tmp_path / "theirs"
    cwltool = [
        str(Path(sys.executable).with_name("cwltool")),
        "--quiet",
        "--no-container",
        "--provenance",
        str(research),
    ]
    ran([*cwltool, "--outdir", str(tmp_path / "out"), "main.cwl", "--text", "text.txt"])
    ran([str(ORACLE), "convert", str(research), "-o", str(crate), "-l", "Apache-2.0"])

    told = wfexs.ok("import", crate, "--nickname", "theirs")

    assert {one["source"] for one in told["items"] if one["role"] != "engine"} == {"crate"}
    assert told["run"] == 1
    wfexs.ok("run", "theirs")
    compared = wfexs.ok("compare", crate, "theirs")
    assert (compared["verdict"], [one["verdict"] for one in compared["files"]]) == ("same", ["identical"])

    # What nobody states is refused by who wants all verified, and what isn't as it is stated by everybody.
    strict = wfexs("import", crate, "--strict")
    assert (strict.code, "nobody states" in strict.object["error"]["message"]) == (9, True)
    (text,) = (one for one in crate.iterdir() if one.read_bytes() == (WORD_COUNT / "text.txt").read_bytes())
    text.write_text("other")
    assert wfexs("import", crate).code == 5


def ran(argv: list[str]) -> None:
    done = subprocess.run(argv, cwd=WORD_COUNT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
