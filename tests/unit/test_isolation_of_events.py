"""A child's pipe: only what the child itself says is believed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import engines.launcher
from engines.isolation import choices
from engines.launcher import Ending, Errand, run_errand

CHILD = """
import json, os, sys
request, pipe = int(sys.argv[1]), int(sys.argv[2])
token = json.loads(os.pread(request, 1 << 16, 0))["token"]
say = lambda event, **more: os.write(pipe, f"\\n{token} {json.dumps({'event': event, **more})}\\n".encode())
say("ready")
os.write(pipe, b'{"event":"ended","exit_code":0}\\nnot JSON\\n\\xff and no end')
say("step-started", name="a")
say("ended", exit_code=3)
"""


def test_lines_of_others_are_neither_believed_nor_fatal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.launcher, "choices", lambda **_wish: choices(root=False, network=True)[-1:])
    heard: list[dict[str, Any]] = []
    log = tmp_path / "log"
    errand = Errand(argv=(sys.executable, "-c", CHILD), request=lambda _way: {}, log=log, mark="none")

    outcome = run_errand(errand, started=lambda _started: None, heard=heard.append)

    assert (outcome.ending, outcome.last) == (Ending.ENDED, {"event": "ended", "exit_code": 3})
    assert heard == [{"event": "step-started", "name": "a"}]
    assert "not believed" in log.read_text()


def test_a_mount_namespace_is_tried_before_one_without() -> None:
    for root in (True, False):
        ways = [way for way in choices(root=root, network=True) if way.user != root and way.processes]
        assert [way.mounts for way in ways] == [True, True, False]
    assert not choices(root=True, network=True)[-1].mounts
