"""Stage files that want to do harm: refused within a second and 200 MB, with a sentence, and nothing happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from staging.composing import MAX_VALUES
from staging.documents import MAX_BYTES, parse_document
from staging.errors import DefinitionError, Fault
from staging.loading import load_stage_file

HEAD = "workflow_id: main.cwl\n"

# Loads one stage file and tells what came of it, what it cost above an idle interpreter, and nothing else.
MEASURE = """
import json, sys, time
from pathlib import Path
from staging.errors import DefinitionError
from staging.loading import load_stage_file
start = time.process_time()
try:
    load_stage_file(Path(sys.argv[1]))
    message, code = None, 0
except DefinitionError as error:
    message, code = error.faults[-1].message, error.exit_code
print(json.dumps({
    "seconds": time.process_time() - start,
    "megabytes": int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024,
    "message": message,
    "code": code,
}))
"""


def refused(path: Path) -> tuple[Fault, ...]:
    with pytest.raises(DefinitionError) as caught:
        load_stage_file(path)
    assert caught.value.exit_code == 3
    return caught.value.faults


def laughs() -> str:
    lines = ["a0: &a0 [lol]"] + [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return HEAD + "params:\n" + "".join(f"  {line}\n" for line in lines)


def merged_laughs() -> str:
    wide = ", ".join(f"k{n}: 1" for n in range(500))
    return HEAD + f"params:\n  a: &a {{{wide}}}\n" + "".join(f"  b{n}: {{<<: *a}}\n" for n in range(2000))


BOMBS = {
    "aliases": (laughs, "keys and values, aliases counted each time"),
    "merge keys": (merged_laughs, "keys and values, aliases counted each time"),
    "deep lists": (lambda: HEAD + "params: " + "[" * 100_000, "nested more than 100 levels"),
    "deep maps": (lambda: HEAD + "params: " + "{a: " * 100_000, "nested more than 100 levels"),
    "deep blocks": (lambda: HEAD + "params:\n  a:\n    " + "- " * 100_000, "nested more than 100 levels"),
    "deep keys": (lambda: "? " * 100_000, "a key must be a text"),
    "deep json": (lambda: '{"a":' * 100_000, "nested more than 100 levels"),
    "many values": (lambda: HEAD + "params:\n  a:\n" + "  - x\n" * 2_000_000, "more than 100000"),
    "many flow values": (lambda: HEAD + "params: {a: [" + "x," * 8_000_000 + "]}", "more than 100000"),
    "many unknown keys": (lambda: HEAD + "".join(f"workflow_i{n}: 1\n" for n in range(45_000)), "unknown key"),
    "one key over and over": (lambda: HEAD + "title: x\n" * 45_000, "stands twice"),
    "many surprises": (lambda: HEAD + "params:\n  a:\n" + "  - no\n" * 90_000, "truth value"),
    "one long text": (lambda: HEAD + "title: " + "x" * (MAX_BYTES - 100) + "\ntitl: x", "unknown key"),
    "one long wide text": (lambda: HEAD + "title: " + "\U0001f600" * (MAX_BYTES // 4 - 100) + "\ntitl: x", "unknown"),
    "one long key": (lambda: HEAD + '? "' + "k" * (MAX_BYTES - 100) + '"\n: 1', "unknown key"),
    "one long number": (lambda: HEAD + "version: " + "9" * 1_000_000, "too long"),
    "one comment": (lambda: HEAD + "#" * (MAX_BYTES - 100) + "\nx: 1", "unknown key"),
    "one slow amount": (lambda: HEAD + "limits: {memory: '4" + " " * 8_000_000 + "x'}", "expected a number of bytes"),
    "one slow time": (lambda: HEAD + "limits: {time: '" + "1h " * 3_000_000 + "x'}", "expected a number of seconds"),
    "one slow engine": (lambda: HEAD + "engine: 'a@" + "b" * 8_000_000 + " x'", "is no engine"),
    "too large": (lambda: HEAD + "#" * MAX_BYTES, "larger than 16 MiB"),
    "many anchors": (
        lambda: HEAD + "params:\n  a:\n" + "".join(f"  - &a{n} x\n" for n in range(90_000)) + "x: 1",
        "unk",
    ),
    "many files": (
        lambda: HEAD + "params:\n  a:\n" + "  - {class: File, location: x}\n" * 19_000 + "x: 1",
        "unknown key",
    ),
    "many braces": (
        lambda: HEAD + "placeholders: {a: b}\nx: 1\nparams:\n  a: '" + "{{" * 2_000_000 + "'",
        "unknown key",
    ),
    "many secondary files": (
        lambda: (
            HEAD
            + "x: 1\nparams:\n  a:\n    c-l-a-s-s: File\n    url:\n"
            + "".join(f"    - f{n}\n" for n in range(20_000))
            + "    secondary-urls:\n"
            + "".join(f"    - f{n}.i\n" for n in range(20_000))
        ),
        "unknown key",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_within_a_second_and_two_hundred_megabytes(tmp_path: Path, name: str) -> None:
    make, message = BOMBS[name]
    path = tmp_path / "bomb.stage"
    path.write_text(make(), encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True, timeout=60)
    told = json.loads(done.stdout)
    assert message in told["message"]
    assert told["code"] == 3
    assert told["megabytes"] < 200
    # Three times the promise, in processor time, so that a busy machine doesn't decide it.
    assert told["seconds"] < 3, told


def test_a_tag_constructs_nothing(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = tmp_path / "a.stage"
    for tag in (f"!!python/object/apply:os.system ['touch {canary}']", "!!python/name:os.system", "!!binary aGk="):
        path.write_text(f"{HEAD}params:\n  a: {tag}\n")
        (fault,) = refused(path)
        assert "is not allowed: values have no tags" in fault.message
        assert (fault.line, fault.column) == (3, 6)
    assert not canary.exists()


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "socket link", "loop"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.stage"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    else:
        path.symlink_to(tmp_path / "nowhere")
    (fault,) = refused(path)
    assert fault.file == str(path)
    assert fault.message.startswith(("is ", "can't be opened"))


def test_a_job_file_is_no_way_round_the_limits(tmp_path: Path) -> None:
    path = tmp_path / "a.stage"
    path.write_text(f"{HEAD}params-from: job.yml\n")
    (tmp_path / "job.yml").write_text(laughs())
    (fault,) = refused(path)
    assert fault.file == str(tmp_path / "job.yml")
    (tmp_path / "job.yml").unlink()
    (tmp_path / "job.yml").symlink_to("/dev/zero")
    (fault,) = refused(path)
    assert "is not a regular file" in fault.message
    path.write_text(f"{HEAD}params-from: a.stage\n")
    assert load_stage_file(path).params


def test_no_placeholder_reaches_into_objects(tmp_path: Path) -> None:
    path = tmp_path / "a.stage"
    probe = "{p.__class__.__mro__} {p[0]} {p!r:>99999999} {0} {__import__} {p:{p}}"
    path.write_text(f"{HEAD}placeholders: {{p: x}}\nparams:\n  a: '{probe}'\n")
    (param,) = load_stage_file(path).params
    assert param.value == probe.replace("{p}", "x")


@pytest.mark.parametrize(
    "name", ["../escape", "/etc/passwd", "a/../../b", "a\\..\\b", "a//b", "x" * 300, '"a\\nb"', ".", "'..'"]
)
@pytest.mark.parametrize("key", ["preferred-name", "relative-dir"])
def test_no_name_leads_out_of_the_inputs(tmp_path: Path, key: str, name: str) -> None:
    path = tmp_path / "a.stage"
    path.write_text(f"{HEAD}params:\n  a: {{c-l-a-s-s: File, url: x, {key}: {name}}}\n")
    (fault,) = refused(path)
    assert fault.where == f"params.a.{key}"


def test_a_placeholder_can_not_make_a_name_lead_out(tmp_path: Path) -> None:
    path = tmp_path / "a.stage"
    path.write_text(
        f"{HEAD}placeholders: {{up: '..'}}\nparams:\n  a: {{c-l-a-s-s: File, url: x, preferred-name: '{{up}}/x'}}\n"
    )
    assert refused(path)


def test_a_message_shows_no_more_than_a_piece_of_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.stage"
    long = "k" * 100_000
    path.write_text(
        f"{HEAD}? {long}\n: 1\nengine: '{long} {long}'\nparams:\n"
        f"  a: {{c-l-a-s-s: File, url: ../{long}, preferred-name: ../{long}}}\n"
        f"  b: {{class: File, path: x, basename: {long}}}\n"
    )
    found = refused(path)
    assert len(found) == 4
    for fault in (*found, *_faults_of_alias(path, long)):
        assert len(str(fault)) < 1000


def _faults_of_alias(path: Path, name: str) -> tuple[Fault, ...]:
    path.write_text(f"a: *{name}\n")
    return refused(path)


def test_the_number_of_faults_shown_has_an_end(tmp_path: Path) -> None:
    path = tmp_path / "a.stage"
    path.write_text(HEAD + "".join(f"x{n}: 1\n" for n in range(5000)))
    assert len(refused(path)) == 1000


def test_an_alias_in_the_limit_is_fine() -> None:
    document = parse_document(("- &a [x]\n" + "- *a\n" * (MAX_VALUES // 2 - 10)).encode(), file="a.yml")
    assert not document.faults
