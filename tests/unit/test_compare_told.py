"""What ``compare`` says to a person of two crates of other makers."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from wfexs_like.cli.context import App
from wfexs_like.cli.main import main

METADATA = "ro-crate-metadata.json"


def compare(a: Path, b: Path) -> tuple[int, list[str]]:
    app = App(environment={"HOME": "/nonexistent"}, stdin=io.StringIO(), stdout=io.StringIO(), stderr=io.StringIO())
    code = main(["compare", str(a), str(b)], app)
    return code, app.stdout.getvalue().splitlines()  # type: ignore[attr-defined]


def crate(folder: Path, *, digit: str, files: int = 1) -> Path:
    """A run that made one file, of a workflow that is some files; each file's sha256 is all ``digit``."""
    named = ["workflow/main.cwl", *(f"workflow/tool{number}.cwl" for number in range(1, files))]
    digest = {"sha256": digit * 64}
    graph: list[dict[str, Any]] = [
        {"@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"}},
        {
            "@id": "./",
            "@type": "Dataset",
            "mainEntity": {"@id": named[0]},
            "mentions": {"@id": "#run"},
            "hasPart": [{"@id": one} for one in (*named, "out.txt")],
        },
        *({"@id": one, "@type": ["File", "SoftwareApplication"], **digest} for one in named[1:]),
        {
            "@id": named[0],
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
            "hasPart": [{"@id": one} for one in named[1:]],
            "output": {"@id": "#out"},
            **digest,
        },
        {"@id": "#out", "@type": "FormalParameter", "name": "out"},
        {"@id": "out.txt", "@type": "File", "exampleOfWork": {"@id": "#out"}},
        {
            "@id": "#run",
            "@type": "CreateAction",
            "instrument": {"@id": named[0]},
            "result": {"@id": "out.txt"},
            "actionStatus": "http://schema.org/CompletedActionStatus",
        },
    ]
    folder.mkdir()
    (folder / METADATA).write_text(json.dumps({"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph}))
    return folder


def test_of_another_workflow_some_files_are_named_with_short_digests_and_the_rest_are_counted(tmp_path: Path) -> None:
    code, lines = compare(crate(tmp_path / "a", digit="a", files=20), crate(tmp_path / "b", digit="b", files=20))
    assert code == 9
    assert "workflow main.cwl: A 'aaaaaaaaaaaa', B 'bbbbbbbbbbbb'" in lines
    assert "workflow: 15 more of its files differ; --json has all" in lines
    assert sum(line.startswith("workflow") for line in lines) == 6
    assert lines[-1] == "different: 0 of 1 output the same, 1 of which nobody can tell"


def test_what_nobody_can_tell_is_not_called_different(tmp_path: Path) -> None:
    code, lines = compare(crate(tmp_path / "a", digit="a"), crate(tmp_path / "b", digit="a"))
    assert (code, lines[-1]) == (9, "not known to be the same: 0 of 1 output the same, 1 of which nobody can tell")
