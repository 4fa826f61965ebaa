"""``report`` on the terminal and its options, on crates of a few lines; what it learns has tests of its own."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.outcomes import Outcome
from wfexs_like.cli.context import App
from wfexs_like.cli.main import main

CRATES = Path(__file__).parents[1] / "data" / "crates"
METADATA = "ro-crate-metadata.json"


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def report(*argv: str | Path, width: int = 80, terminal: bool = False) -> Outcome:
    return call("report", *argv, width=width, terminal=terminal)


def call(*argv: str | Path, width: int = 80, terminal: bool = False) -> Outcome:
    stdout = Terminal() if terminal else io.StringIO()
    app = App(
        environment={"HOME": "/nonexistent", "COLUMNS": str(width), "TERM": "xterm"},
        stdin=io.StringIO(),
        stdout=stdout,
        stderr=io.StringIO(),
    )
    code = main(list(map(str, argv)), app)
    return Outcome(code, stdout.getvalue(), app.stderr.getvalue())  # type: ignore[attr-defined]


@pytest.fixture
def crate(tmp_path: Path) -> Path:
    """The crate of StreamFlow, of which one input is there."""
    folder = tmp_path / "crate"
    folder.mkdir()
    (folder / METADATA).write_bytes((CRATES / "streamflow-0.1.json").read_bytes())
    (folder / "77de68daecd823babbb58edb1c8e14d7106e83bb").write_text("hello\n")
    return folder


def big(folder: Path, *, steps: int) -> Path:
    """A crate of very many steps, one after the other."""
    graph: list[dict[str, Any]] = [
        {"@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"}},
        {"@id": "./", "@type": "Dataset", "name": "big", "mainEntity": {"@id": "w"}},
        {"@id": "w", "@type": "ComputationalWorkflow", "hasPart": [{"@id": "t"}]},
        {"@id": "t", "@type": "SoftwareApplication", "name": "tool"},
        {"@id": "#r", "@type": "CreateAction", "instrument": {"@id": "w"}, "name": "the run"},
    ]
    for number in range(steps):
        moment = f"2026-01-01T00:{number // 60 % 60:02}:{number % 60:02}Z"
        graph.append(
            {
                "@id": f"#s{number}",
                "@type": "CreateAction",
                "instrument": {"@id": "t"},
                "startTime": moment,
                "endTime": moment,
            }
        )
    folder.mkdir()
    (folder / METADATA).write_text(json.dumps({"@context": "", "@graph": graph}))
    return folder


def test_a_person_sees_what_ran_in_order_with_its_times(crate: Path) -> None:
    shown = report(crate).stdout
    assert "Run of workflow/main.cwl: failed" in shown
    assert "from 2024-02-01 09:59:00 to 2024-02-01 09:59:10 UTC, took 10 s" in shown
    assert "engine    StreamFlow 0.2.0.dev11" in shown
    assert "hello.txt in 77de68daecd823babbb58edb1c8e14d7106e83bb sha1 77de68daecd8" in shown
    lines = shown.splitlines()
    table = [line.split() for line in lines if line.startswith("    upper")]
    assert [row[:4] for row in table[:2]] == [
        ["upper,", "attempt", "1", "failed"],
        ["upper,", "attempt", "2", "completed"],
    ]
    assert "no licence is told" in shown
    assert "main.cwl is not in the crate" in shown
    assert "77de68daecd823babbb58edb1c8e14d7106e83bb is not in the crate" not in shown


def test_what_other_makers_tell_reads_as_sentences(tmp_path: Path) -> None:
    def shown(name: str) -> list[str]:
        (tmp_path / METADATA).write_bytes((CRATES / f"{name}.json").read_bytes())
        return report(tmp_path).stdout.splitlines()

    galaxy = shown("galaxy-0.1")
    assert "made 2025-03-02 09:00:00 UTC" in galaxy
    # Broken where the terminal ends, and called as their authors call them.
    assert "  profiles  Process Run Crate 0.1, Workflow Run Crate 0.1, RO-Crate 1.1," in galaxy
    assert "            Workflow RO-Crate 1.0" in galaxy
    # What a collection is made of, one below the other.
    at = galaxy.index("    trimmed  trimmed in collections/trimmed_2.json (2 parts) not in the crate")
    assert galaxy[at + 1 : at + 3] == ["               one", "               two"]
    assert "  no file has a size" in galaxy
    compss = shown("compss-1.1")
    assert "  when      until 2023-01-17 16:06:26 UTC" in compss
    # What fills no parameter stands where the names would.
    assert any(line.startswith("    FIG2.png (5.1 kB) at file://") for line in compss)
    assert "    GIT.PROJECT_COMMIT  (empty)" in shown("autosubmit-0.1")


@pytest.mark.parametrize("width", [60, 120])
def test_the_timeline_is_as_wide_as_the_terminal_and_to_scale(crate: Path, width: int) -> None:
    lines = report(crate, width=width).stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("    timeline"))
    ruler, first, second = lines[start : start + 3]
    assert max(map(len, (ruler, first, second))) <= width
    left = ruler.index("0 s")
    scale = (len(ruler) - left) / 10.5
    assert first.index("#") == pytest.approx(left + 1 * scale, abs=1.5)
    assert second.index("#") == pytest.approx(left + 3 * scale, abs=1.5)
    assert first.count("#") == pytest.approx(1 * scale, abs=1.5)


def test_colours_only_for_a_terminal(crate: Path) -> None:
    assert "\x1b" not in report(crate).stdout
    shown = report(crate, terminal=True).stdout
    assert "\x1b[31mfailed\x1b[0m" in shown
    assert "█" in shown


def test_long_lists_are_cut_unless_all_of_them_are_wanted(tmp_path: Path) -> None:
    folder = big(tmp_path / "big", steps=500)
    shown = report(folder).stdout
    assert "and 470 more (--steps all shows them)" in shown
    assert len(shown.splitlines()) < 100
    assert len(report(folder, "--steps", "all").stdout.splitlines()) > 1000
    assert "and 495 more" in report(folder, "--steps", "5").stdout
    assert len(report(folder, "--json").object["runs"][0]["steps"]) == 500
    assert report(folder, "--steps", "-1").code == 2
    assert report(folder, "--steps", "some").code == 2


def test_one_run_of_many_by_its_place_where_it_has_no_number(tmp_path: Path) -> None:
    (tmp_path / METADATA).write_bytes((CRATES / "wfexs-0.2.json").read_bytes())
    (run,) = report(f"{tmp_path}:2", "--json").object["runs"]
    assert run["name"].startswith("Run outputs/_1693448942")
    answer = report(f"{tmp_path}:3", "--json")
    assert (answer.code, answer.object["error"]["hint"]) == (10, "its runs: 1, 2")


def test_a_zip_tells_the_same_as_its_folder(crate: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "crate.zip", "w") as archive:
        for path in crate.iterdir():
            archive.write(path, f"inner/{path.name}")
    assert report(tmp_path / "crate.zip", "--json").object == report(crate, "--json").object


def test_items_stand_once_and_everything_that_is_named_is_there(crate: Path) -> None:
    told = report(crate, "--json").object
    run = told["runs"][0]
    named = {one for slot in (*run["inputs"], *run["outputs"]) for one in slot["items"]} | set(told["data"])
    assert named <= told["items"].keys()
    item = told["items"]["77de68daecd823babbb58edb1c8e14d7106e83bb"]
    assert (item["name"], item["present"], item["digests"]) == (
        "hello.txt",
        True,
        {"sha1": "77de68daecd823babbb58edb1c8e14d7106e83bb"},
    )
    assert [(one["step"], one["status"], one["seconds"]) for one in run["steps"]] == [
        ("upper", "failed", 1.0),
        ("upper", "completed", 1.0),
    ]


def test_a_page_is_written_whole_and_never_over_another_file_without_a_word(crate: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert report(crate, "--html", page).code == 0
    first = page.read_text()
    assert first.startswith("<!DOCTYPE html>")
    assert "StreamFlow" in first
    page.write_text("mine")
    answer = report(crate, "--html", page, "--json")
    assert (answer.code, page.read_text()) == (2, "mine")
    assert report(crate, "--html", page, "--force").code == 0
    assert page.read_text() == first
    assert report(crate, "--html", tmp_path / "no" / "page.html").code == 2
    assert report(crate, "--html", tmp_path, "--force").code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crate", "page.html"]


def test_what_is_no_crate_is_told(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no crate")
    assert report(tmp_path / "text", "--json").code == 9
    (tmp_path / "sealed").write_bytes(b"crypt4gh\1\0\0\0")
    answer = report(tmp_path / "sealed", "--json")
    assert (answer.code, "wfexs-like open" in answer.object["error"]["hint"]) == (2, True)
    (tmp_path / METADATA).write_text("[]")
    answer = report(tmp_path, "--json")
    assert (answer.code, answer.object["error"]["message"].startswith(f"{tmp_path}: the crate's metadata")) == (9, True)
    (tmp_path / "empty").mkdir()
    answer = report(tmp_path / "empty", "--json")
    assert answer.code == 9
    assert "empty is no RO-Crate and no working directory: it has no ro-crate-metadata.json" in answer.stdout
    (tmp_path / "bag" / "data").mkdir(parents=True)
    (tmp_path / "bag" / "data" / METADATA).write_text("{}")
    for verb in (("report",), ("convert", "--to", "prov")):
        assert "the folder data in it" in call(*verb, tmp_path / "bag", "--json").object["error"]["hint"]


def test_a_document_is_written_over_another_only_with_force_and_says_when_nothing_ran(tmp_path: Path) -> None:
    (tmp_path / METADATA).write_text(json.dumps({"@context": "", "@graph": []}))
    out = tmp_path / "prov.ttl"
    first = call("convert", tmp_path, "--to", "prov", "-o", out, "--json").object
    assert [one.partition(":")[0] for one in first["warnings"]] == ["the crate tells of no run"]
    assert call("convert", tmp_path, "--to", "prov", "-o", out).code == 2
    assert call("convert", tmp_path, "--to", "prov", "-o", out, "--force").code == 0
    assert call("convert", tmp_path, "--to", "prov", "-o", tmp_path / "no" / "prov.ttl").code == 2
    assert "describe no root data entity" in report(tmp_path).stdout
    made = '"wfexs-like crate WORKDIR DEST" makes one of a working directory'
    answer = call("convert", "nowhere", "--to", "prov", "--json")
    assert (answer.code, made in answer.object["error"]["hint"]) == (10, True)
    (tmp_path / METADATA).rename(tmp_path / "workdir.json")
    answer = call("convert", tmp_path, "--to", "prov", "--json")
    assert (answer.code, made in answer.object["error"]["hint"]) == (9, True)
