"""What an audit says: its document, its words, its exit code; a canary is in none of them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from staging.errors import UsageError
from wfexs_like.audit.attestation import Attestation, Judged, Told
from wfexs_like.audit.canaries import Canary, needles_of
from wfexs_like.audit.host import Root, _stated_roots, facts
from wfexs_like.audit.places import Place
from wfexs_like.audit.scanning import Findings, Tally, Unread, Window, Written, masked
from wfexs_like.audit.searching import LIMITS, Search
from wfexs_like.cli.context import App
from wfexs_like.cli.main import main
from wfexs_like.flow.audit import AuditWish
from wfexs_like.schemas import schema_of

TEXT = "heron-27-by-the-bridge"
SEARCH = Search(needles_of([Canary(name="1", text=TEXT)]))
ROOT = Root(name="home", path=Path("/home/ada"))
LEAK = Judged(
    place=Place(path=Path(f"/home/ada/{TEXT}"), kind="name", offset=0, form="clear", canary="1"), judgement="leak"
)
SOURCE = Judged(
    place=Place(path=Path("/home/ada/in"), kind="content", offset=7, form="gzip+clear", canary="1"), judgement="source"
)
ATTESTATION = Attestation(
    workdir="0a1b",
    created="2026-01-01T00:00:01.000000+00:00",
    vault="gocryptfs",
    since="2026-01-01T00:00:00.000+00:00",
    started="2026-01-02T00:00:00.000+00:00",
    ended="2026-01-02T00:00:09.000+00:00",
    version="0.1.0",
    host=facts(),
    everything=False,
    opened=True,
    canaries=(Told(canary="1", sha256="0" * 16),),
    own=None,
    findings=Findings(
        tallies=[Tally(root=ROOT, changed=3, files=2, size=4096)],
        unread=[Unread(root=ROOT, reason="this user may not read it", count=2, paths=[Path(f"/home/ada/x/{TEXT}")])],
        written={1: [Written(path=Path(f"/home/ada/{TEXT}"), kind="file")]},
    ),
    hits=(SOURCE,),
    processes=(5, 1),
    windows=(Window(run=1, begin=0, end=1),),
    masked=lambda path: masked(SEARCH, path),
)


class Answering:
    """A session that knows the outcome."""

    def __init__(self, attestation: Attestation) -> None:
        self.attestation = attestation
        self.wish: AuditWish | None = None

    def audit(self, workdir: str, wish: AuditWish) -> Attestation:
        assert workdir == "last"
        self.wish = wish
        return self.attestation


def call(session: Answering, *argv: str, stdin: str = "") -> tuple[int, str, str]:
    app = App(
        environment={"HOME": "/nowhere", "TERM": "dumb"},
        stdin=io.StringIO(stdin),
        stdout=io.StringIO(),
        stderr=io.StringIO(),
        session=session,  # type: ignore[arg-type]
    )
    code = main(["audit", "last", *argv], app)
    return code, app.stdout.getvalue(), app.stderr.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("attestation", [ATTESTATION, replace(ATTESTATION, hits=(SOURCE, LEAK))])
def test_the_document_is_as_its_schema_says_and_tells_no_canary(attestation: Attestation) -> None:
    code, out, err = call(Answering(attestation), "--json", "--canary", TEXT)
    document: dict[str, Any] = json.loads(out)
    jsonschema.Draft202012Validator(schema_of("audit")).validate(document)
    assert (code, document["ok"]) == ((0, True) if attestation is ATTESTATION else (15, False))
    assert TEXT not in out + err
    assert ("what should be secret is in 1 place" in err) is (code == 15)
    assert any(f"{LIMITS.streams} streams of a file" in one for one in document["never_looked_at"])
    assert document["written"][0]["paths"] == [{"path": "/home/ada/[canary 1]", "kind": "file"}]


def test_the_words_tell_leaks_first_and_what_was_not_looked_at() -> None:
    code, out, _ = call(Answering(replace(ATTESTATION, hits=(SOURCE, LEAK))), "--canary", TEXT)
    assert code == 15
    assert TEXT not in out
    lines = out.splitlines()
    assert lines[0] == "leak: canary 1 in /home/ada/[canary 1] (name, clear)"
    assert lines[1] == "source: canary 1 in /home/ada/in (content at 7, gzip+clear)"
    assert "not looked at: 2 in /home/ada, this user may not read it" in lines
    assert "not looked at: environment and files of 1 process of others" in lines
    assert "while run 1 went on, 1 path changed, by whomever" in lines
    code, out, _ = call(Answering(ATTESTATION), "--canary", TEXT)
    assert (code, out.splitlines()[-1]) == (0, "the canary was not found outside of the vault")


def test_hits_that_are_not_listed_count(tmp_path: Path) -> None:
    many = replace(ATTESTATION, findings=replace(ATTESTATION.findings, more=7))
    code, _, err = call(Answering(many), "--canary", TEXT)
    assert code == 15
    assert "7 places" in err


def test_canaries_come_from_the_command_line_files_and_standard_input(tmp_path: Path) -> None:
    (tmp_path / "listed").write_bytes(b"heron-two\r\n\nheron-three\xff\n")
    session = Answering(ATTESTATION)
    code, _, _ = call(
        session, "--canary", TEXT, "--canary-file", str(tmp_path / "listed"), "--canary-file", "-", stdin="heron-four"
    )
    assert code == 0
    assert session.wish is not None
    assert session.wish.canaries == (TEXT, "heron-two", "heron-three\udcff", "heron-four")
    assert session.wish.typed
    assert tmp_path / "listed" in session.wish.asked


def test_a_file_of_canaries_that_is_not_there_is_told() -> None:
    code, _, err = call(Answering(ATTESTATION), "--canary-file", "/nowhere/listed")
    assert code == 10
    assert "no file /nowhere/listed" in err


def test_nothing_to_look_for_is_a_slip() -> None:
    with pytest.raises(UsageError):
        AuditWish()
    assert call(Answering(ATTESTATION))[0] == 2


def test_the_folders_of_a_daemon_are_known_from_its_arguments() -> None:
    arguments = ["dockerd", "--data-root", "/data/docker", "--exec-root=/run/d", "--debug", ""]
    assert list(_stated_roots(arguments)) == ["/data/docker", "/run/d"]
