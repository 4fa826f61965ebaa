"""Files that a verb writes besides its answer: that one can't be written is told before the work begins."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from tests.support.outcomes import Outcome
from wfexs_like.cli.context import App
from wfexs_like.cli.main import main

VERBS = [
    ("validate", "crate", "--junit"),
    ("validate", "crate", "--sarif"),
    ("compare", "a", "b", "--junit"),
    ("report", "crate", "--force", "--html"),
    ("convert", "crate", "--to", "prov", "--force", "-o"),
    ("audit", "last", "--canary", "heron-27-by-the-bridge", "--report"),
]


class Untouched:
    """A session that must not be asked for anything."""

    def __getattr__(self, name: str) -> None:
        raise AssertionError(f"{name} was begun")


def call(*argv: str | Path) -> Outcome:
    app = App(
        environment={"HOME": "/nonexistent"},
        stdin=io.StringIO(),
        stdout=io.StringIO(),
        stderr=io.StringIO(),
        session=Untouched(),  # type: ignore[arg-type]
    )
    code = main([*map(str, argv), "--json"], app)
    return Outcome(code, app.stdout.getvalue(), app.stderr.getvalue())  # type: ignore[attr-defined]


@pytest.mark.parametrize("argv", VERBS, ids=lambda argv: f"{argv[0]} {argv[-1]}")
def test_a_place_that_can_not_be_written_is_told_before_the_work_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    refused = [tmp_path / "no" / "file", tmp_path, tmp_path / "pipe"]
    for path in refused:
        told = call(*argv, path)
        assert (told.code, str(path.parent) in told.object["error"]["message"]) == (2, True), told
    monkeypatch.setattr(os, "access", lambda _path, mode: not mode & os.W_OK)
    told = call(*argv, tmp_path / "file")
    assert (told.code, "nothing can be written in" in told.object["error"]["message"]) == (2, True), told
    assert [one.name for one in tmp_path.iterdir()] == ["pipe"]
    assert (tmp_path / "pipe").is_fifo()
