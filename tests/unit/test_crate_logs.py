"""What a log says of this machine stays here; the pages that Nextflow makes still work."""

from __future__ import annotations

import io
import json
import os
import re
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfexs_like.crate import logs
from wfexs_like.crate.discretion import Discretion
from wfexs_like.crate.logs import log_media_type, rewritten

CONTENT = Path("/data/canary/workdirs/0a1b/work")
CODE = "var path=/a/b/c/g; var q='/x/y/z'; /* </b> */"
PAGE = """<html><head><style>
a { background: url(/css/in/a.png) }
</style></head>
<body><dd>/data/canary/workdirs/0a1b/work/runs/1 and /opt/tools/java on node17 of canary</dd>
<script type="text/javascript">
%s
  window.data = { "trace":[
{"workdir":"%s","script":"%s","at":1}
]};
</script>
</body></html>
"""


@pytest.fixture
def discretion(monkeypatch: pytest.MonkeyPatch) -> Discretion:
    monkeypatch.setenv("HOME", "/home/canary")
    monkeypatch.setenv("USER", "canary")
    monkeypatch.setattr(socket, "gethostname", lambda: "node17.example.net")
    return Discretion(CONTENT)


def _told(text: str, name: str, discretion: Discretion) -> str:
    found = rewritten(io.BytesIO(text.encode()), name, discretion)
    assert found is not None
    return found.decode()


def _data(page: str) -> dict[str, object]:
    (record,) = re.findall(r"^\{.*\}$", page, re.MULTILINE)
    found: dict[str, object] = json.loads(record.replace("\\'", "'"))
    return found


def test_a_page_tells_no_path_host_or_user_and_its_code_is_kept(discretion: Discretion) -> None:
    script = r"\n\/opt\/tools\/bin\/x --in \/home\/canary\/in.txt \'a\' \u002fetc\u002fsecret\u002fkey\n"
    page = PAGE % (CODE, r"\/data\/canary\/workdirs\/0a1b\/work\/runs\/1\/engine\/work\/ab\/cd", script)

    told = _told(page, "report.html", discretion)

    assert "<dd>runs/1 and …/java on [host] of [user]</dd>" in told
    assert CODE in told
    assert "url(/css/in/a.png)" in told
    assert _data(told) == {
        "workdir": "runs/1/engine/work/ab/cd",
        "script": "\n…/x --in ~/in.txt 'a' …/key\n",
        "at": 1,
    }
    assert "canary" not in told


def test_a_text_cannot_end_the_script_that_holds_it(discretion: Discretion) -> None:
    page = PAGE % (CODE, r"\/opt\/x\/y", r"<\/script><script>alert(1)")

    told = _told(page, "report.html", discretion)

    assert told.count("</script>") == 1
    assert "<\\/script>" in told


def test_a_page_whose_code_names_a_place_of_this_machine_stays_out(discretion: Discretion) -> None:
    page = PAGE % ("var from = '/home/canary/x'", "", "")

    assert rewritten(io.BytesIO(page.encode()), "report.html", discretion) is None


def test_a_page_that_is_too_long_stays_out(discretion: Discretion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "PAGE_BYTES", 100)

    assert rewritten(io.BytesIO(b"<p>" * 50), "report.html", discretion) is None


def test_a_log_tells_neither_the_account_nor_the_address_of_the_host(discretion: Discretion) -> None:
    told = _told("  Process: 21@vm [192.0.2.7]\nuser canary: /srv/a/b\n", "nextflow.log", discretion)

    assert told == "  Process: 21@[host]\nuser [user]: …/b\n"


def test_of_a_long_log_the_end_is_kept(discretion: Discretion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LOG_BYTES", 5)

    assert _told("0123456789", "engine.log", discretion) == "[the first 5 bytes are left out]\n56789"


def test_common_accounts_are_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "root")
    monkeypatch.setenv("LOGNAME", "root")

    assert Discretion(CONTENT).log("the root of a tree") == "the root of a tree"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("report.html", "text/html"),
        ("trace.txt", "text/tab-separated-values"),
        ("dag.dot", "text/vnd.graphviz"),
        ("nextflow.log", "text/plain"),
        ("ab12-COUNT.stdout", "text/plain"),
    ],
)
def test_a_log_has_its_media_type(name: str, media_type: str) -> None:
    assert log_media_type(name) == media_type


@given(st.text(max_size=60).filter(lambda text: "\\" not in text))
def test_whatever_a_task_says_after_a_local_path_the_page_can_still_be_read(said: str) -> None:
    literal = json.dumps(f"{os.sep}opt/tools/x {said}").replace("</", "<\\/").replace("/", "\\/")
    page = f'<script>\n  window.data = {{ "trace":[\n{{"script":{literal}}}\n]}};\n</script>\n'

    found = rewritten(io.BytesIO(page.encode("utf-8", "replace")), "report.html", Discretion(CONTENT))

    assert found is not None
    script = str(_data(found.decode())["script"])
    assert script.startswith("…/x")
