"""The error that ended the engine, among all that was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.nextflow.running.last_error import last_error, logged_error, unpublished

_HEAD = ["N E X T F L O W  ~  version 24.10.0", "Launching `main.nf` [run-1] DSL2 - revision: c30f13025f"]
_LOG = [
    "Nov-21 17:49:29.968 [main] DEBUG nextflow.Session - Session aborted -- Cause: Please give --input",
    "Nov-21 17:49:29.976 [main] ERROR nextflow.cli.Launcher - @unknown",
    "nextflow.exception.WorkflowScriptErrorException: Please give --input",
    "\tat nextflow.Nextflow.error(Nextflow.groovy:204)",
]


def test_what_the_workflow_printed_is_not_part_of_a_marked_error() -> None:
    words = [*_HEAD, "Missing nothing", "ERROR ~ Unknown method", "", " -- Check script 'main.nf' at line: 1"]

    assert last_error(words, ()) == "Unknown method\n"


@pytest.mark.parametrize("printed", [["hello there"], ["Missing nothing", "Unknown friend"], []])
def test_an_error_without_a_mark_is_known_by_the_engines_log(printed: list[str]) -> None:
    assert last_error([*_HEAD, *printed, "Please give --input"], _LOG) == "Please give --input"


def test_an_error_that_was_only_logged_is_told_and_nothing_that_was_printed() -> None:
    assert last_error([*_HEAD, "hello there"], _LOG) == "Please give --input"
    assert last_error([*_HEAD, "hello there"], (), "it is over") == "it is over"


def test_where_nothing_tells_all_that_was_written_is_told() -> None:
    assert last_error([*_HEAD, "hello", "there"], ()) == "hello\nthere"
    assert last_error(_HEAD, ()) == ""


def test_the_last_error_of_the_log_counts() -> None:
    first = "Nov-21 17:49:29.970 [main] ERROR nextflow.processor.TaskProcessor - something else"

    assert logged_error([first, *_LOG]) == "Please give --input"
    assert logged_error([*_LOG, first]) == "something else"
    assert logged_error(["Nov-21 17:49:29.970 [main] ERROR nextflow.cli.Launcher - @unknown"]) == ""


_WARNED = "Nov-21 12:00:00.000 [PublishDir-1] WARN  nextflow.processor.PublishDir - "


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("Failed to publish file: /r/a b.txt [link] -- See log file for details", "/r/a b.txt"),
        ("Failed to publish file: /r/a.txt; to: /o/a.txt [link] -- See log file for details", "/r/a.txt"),
        ("Failed to publish file: /r/a.txt; to: /o/a.txt [link] -- attempt: 1; reason: busy", None),
        ("Published file", None),
    ],
)
def test_a_file_that_was_given_up_is_found_anywhere_in_the_log(tmp_path: Path, line: str, file: str | None) -> None:
    log = tmp_path / "nextflow.log"
    log.write_text(f"{_WARNED}{line}\n" + "something else\n" * 20_000)

    assert unpublished(log) == file


def test_a_log_that_is_no_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")

    assert unpublished(tmp_path / "none") is None
    assert unpublished(tmp_path / "link") is None
