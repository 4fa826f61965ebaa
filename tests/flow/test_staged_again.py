"""Staging again what an encrypted working directory has: nothing comes over the network a second time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.support.vaults import dissolve_all
from tests.support.web import File, WebServer

pytestmark = [pytest.mark.gocryptfs, pytest.mark.fuse, pytest.mark.cwltool]

CONTENT = random.Random(6).randbytes(300_000)
WORKFLOW = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: wc
inputs:
  data: {type: File, inputBinding: {}}
  word: string
outputs: {out: stdout}
stdout: out.txt
"""


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        server.files["/cohort.bin"] = File(CONTENT, etag='"1"')
        yield server


@pytest.fixture
def staged(wfexs: Command, home: Path, tmp_path: Path, web: WebServer) -> Iterator[Path]:
    (tmp_path / "wf.cwl").write_text(WORKFLOW)
    wfexs.ok("init", "--no-passphrase")
    wfexs.ok("stage", stage_file(tmp_path, web, "first"))
    yield tmp_path
    dissolve_all(home / "workdirs")


def stage_file(folder: Path, web: WebServer, name: str, vault: str = "gocryptfs") -> Path:
    file = folder / f"{name}.wfex.stage"
    file.write_text(
        f"workflow_id: wf.cwl\nnickname: {name}\nvault: {vault}\n"
        f"params:\n  word: {name}\n  data: {{c-l-a-s-s: File, url: '{web.url('/cohort.bin')}'}}\n"
    )
    return file


def sent(web: WebServer) -> int:
    """How often the whole content was sent."""
    return sum(1 for one in web.of("/cohort.bin") if '"1"' not in one.headers.get("if-none-match", ""))


def test_what_the_first_has_is_taken_from_there_and_runs(
    wfexs: Command, home: Path, staged: Path, web: WebServer
) -> None:
    assert sent(web) == 1
    again = wfexs.ok("stage", stage_file(staged, web, "second"), "--from", "first")

    assert sent(web) == 1
    (item,) = [one for one in again["items"] if one["name"] == "data"]
    assert item["source"] == "cache"
    wfexs.ok("rm", "first")
    assert wfexs.ok("run", "second")["status"] == "completed"
    assert not [one for one in home.rglob("*") if one.is_file() and CONTENT[:64] in one.read_bytes()]


def test_without_it_everything_is_fetched_anew(wfexs: Command, staged: Path, web: WebServer) -> None:
    wfexs.ok("stage", stage_file(staged, web, "second"))
    assert sent(web) == 2


def test_content_that_changed_at_its_source_is_fetched(wfexs: Command, staged: Path, web: WebServer) -> None:
    web.files["/cohort.bin"] = File(b"other", etag='"2"')
    again = wfexs.ok("stage", stage_file(staged, web, "second"), "--from", "first")
    (item,) = [one for one in again["items"] if one["name"] == "data"]
    assert (item["source"], item["size"]) == ("fetched", 5)


def test_what_is_encrypted_does_not_become_plain_that_way(
    wfexs: Command, home: Path, staged: Path, web: WebServer
) -> None:
    answer = wfexs("stage", stage_file(staged, web, "second", "plain"), "--from", "first")
    assert answer.code == 14
    assert "in clear" in answer.object["error"]["message"]
    assert len(list((home / "workdirs").glob("*-*"))) == 1
