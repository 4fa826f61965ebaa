"""What a person is told of a Nextflow workflow when it is staged, by the real engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.support.crates import entities_of, ids

pytestmark = [pytest.mark.nextflow, pytest.mark.usefixtures("nextflow")]

OLDEST, NEWEST = ("22.10.7",), ("24.10.0",)
BOTH = OLDEST + NEWEST
SOUND = """nextflow.enable.dsl = 2
params.greeting = 'hi'
process SAY {
    input: val word
    output: stdout
    script: "echo $word"
}
workflow { SAY(params.greeting) }
"""


def staged(folder: Path, version: str, files: dict[str, str], more: str = "") -> Path:
    for name, text in files.items():
        place = folder / "wf" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    stage_file = folder / "stage.yaml"
    stage_file.write_text(
        f"workflow_id: ./wf\nengine: nextflow@{version}\n"
        f"workflow_config:\n  secure: false\n  containerType: none\n{more}"
    )
    return stage_file


FAULTS = [
    (OLDEST, {"nextflow.config": "params { a = 'x'\n"}, ("nextflow.config", 1, 8), "Unexpected input: '{'"),
    (
        NEWEST,
        {"nextflow.config": "includeConfig 'conf/a.config'\n", "conf/a.config": "process {\n cpus = = 2\n}\n"},
        ("conf/a.config", 1, 9),
        "Unexpected input: '{'",
    ),
    (BOTH, {"nextflow.config": "\nparams.n = gone + 1\n"}, ("nextflow.config", 2, None), "a name that is set nowhere"),
    (BOTH, {"main.nf": f"{SOUND}\nworkflow OTHER {{\n"}, ("main.nf", 10, 16), "Unexpected input: '{'"),
    (BOTH, {"main.nf": f"{SOUND}include {{ X }} from './x'\n"}, ("main.nf", 9, None), "it includes './x'"),
    (
        NEWEST,
        {"main.nf": f"{SOUND}include {{ T }} from 'plugin/nf-hello'\n"},
        ("main.nf", 9, None),
        "it includes from the plugin nf-hello, which the workflow's configuration does not declare",
    ),
]
"""The versions that are asked, what is wrong, where, and what is said of it."""


@pytest.mark.parametrize(
    ("version", "files", "place", "said"), [(version, *fault) for versions, *fault in FAULTS for version in versions]
)
def test_a_workflow_that_is_wrong_is_told_at_its_own_place_and_once(  # noqa: PLR0917 - what is wrong, and what is said
    tmp_path: Path,
    wfexs: Command,
    version: str,
    files: dict[str, str],
    place: tuple[str, int, int | None],
    said: str,
) -> None:
    answer = wfexs("stage", staged(tmp_path, version, {"main.nf": SOUND, **files}), "--json")

    assert answer.code == 3
    error = answer.object["error"]
    (fault,) = error["faults"]
    assert (fault["file"], fault["line"], fault["column"]) == place
    assert fault["message"].startswith(said)
    assert fault["where"] is error["where"] is None
    assert answer.stderr.count(said) == 1
    for inside in ("Exception", "Script", "groovy.", "manager"):
        assert inside not in answer.stderr


def test_a_profile_that_there_is_not_is_told_where_the_stage_file_names_it(tmp_path: Path, wfexs: Command) -> None:
    files = {"main.nf": SOUND, "nextflow.config": "profiles { mine { params.greeting = 'ho' } }\n"}
    stage_file = staged(tmp_path, "24.10.0", files, "  nextflow:\n    profile: nine\n")

    answer = wfexs("stage", stage_file, "--json")

    assert answer.code == 3
    error = answer.object["error"]
    (fault,) = error["faults"]
    assert (fault["file"], fault["line"], fault["column"]) == (str(stage_file), 7, 14)
    assert fault["where"] == "workflow_config.nextflow.profile"
    assert "mine" in error["hint"]


def test_a_workflow_that_puts_a_pipe_where_the_answer_belongs_stops_nobody(tmp_path: Path, wfexs: Command) -> None:
    hostile = (
        "def place = System.getProperty('java.io.tmpdir')\n"
        '"mkfifo $place/answer.json".execute().waitFor()\nRuntime.runtime.halt(0)\nworkflow { }\n'
    )

    answer = wfexs("stage", staged(tmp_path, "24.10.0", {"main.nf": hostile}))

    assert answer.code == 7
    assert "could not read the workflow" in answer.stderr


def test_a_crate_has_the_workflows_code_and_its_own_version(tmp_path: Path, wfexs: Command) -> None:
    """And a lock's engine that is there is taken, wherever others would come from."""
    schema = {"properties": {"greeting": {"type": "string", "pattern": "^(a|b|hi)+$"}}}
    files = {
        "main.nf": SOUND,
        "nextflow.config": "manifest { version = '1.4.2' }\nincludeConfig 'conf/base.config'\n",
        "conf/base.config": "",
        "lib/Own.groovy": "class Own { }\n",
        "bin/own.sh": "",
        "templates/own.sh": "",
        "assets/data.txt": "data",
        "nextflow_schema.json": json.dumps(schema),
    }
    stage_file = staged(tmp_path, "24.10.0", files)
    answer = wfexs("stage", stage_file, "--json")
    assert answer.code == 0, answer.stderr
    assert "1 parameter's pattern is left to the workflow itself to check: greeting" in answer.stderr
    lock = answer.object["lock"]["path"]

    wfexs.ok("crate", "last", tmp_path / "crate", "--prospective")

    main = entities_of(tmp_path / "crate")["workflow/main.nf"]
    names = {one.removeprefix("workflow/") for one in ids(main["hasPart"]) if "#" not in one}
    assert names == set(files) - {"main.nf", "assets/data.txt"}
    assert main["version"] == "1.4.2"
    assert len(main["sha256"]) == 64

    again = wfexs("stage", stage_file, "--locked", lock, "--json", WFEXS_LIKE_NEXTFLOW_SOURCE="release")
    assert again.code == 0, again.stderr
    engine = next(one for one in again.object["items"] if one["role"] == "engine")
    assert engine["source"] == "cache"
