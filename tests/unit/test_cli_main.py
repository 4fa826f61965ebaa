"""The program as a process: what it loads, how it ends, who reads it, and that no traceback ever shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from wfexs_like.cli.table import NAMES, VERBS

PROGRAM = str(Path(sys.executable).with_name("wfexs-like"))
HEAVY = {
    "cwltool",
    "schema_salad",
    "rdflib",
    "rocrate_validator",
    "requests",
    "rich",
    "jsonschema",
    "yaml",
    "crypt4gh",
    "cryptography",
    "sqlite3",
    "asyncio",
}

pytestmark = pytest.mark.usefixtures("home")


def start(*argv: str, **more: Any) -> subprocess.CompletedProcess[str]:
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": 60}
    return subprocess.run([PROGRAM, *argv], check=False, **{**options, **more})


@pytest.mark.parametrize(
    "argv", [["--version"], ["--help"], ["run", "--help"], ["frobnicate"], ["--json", "--version"]]
)
def test_what_needs_nothing_loads_nothing(argv: list[str]) -> None:
    code = f"""
import sys
sys.argv = ["wfexs-like", *{argv!r}]
from wfexs_like.cli.main import entry
try:
    entry()
finally:
    loaded = {{name.partition(".")[0] for name in sys.modules}} & {HEAVY!r}
    ours = {{name for name in sys.modules if name.startswith(("staging.", "engines."))}} - {{"staging.errors"}}
    print(sorted(loaded | ours), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "[]"


def test_the_version_is_told_without_even_the_option_parser() -> None:
    code = """
import sys
sys.argv = ["wfexs-like", "--version"]
from wfexs_like.cli.main import entry
try:
    entry()
finally:
    assert "click" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("wfexs-like ")


def test_the_help_names_every_verb() -> None:
    done = start("--help")
    assert done.returncode == 0
    for verb in VERBS:
        assert f"  {verb.name} " in done.stdout
        assert verb.summary[:40] in " ".join(done.stdout.split())


def test_json_may_stand_anywhere_and_its_object_is_all_there_is_on_stdout() -> None:
    for argv in (["--json", "list"], ["list", "--json"]):
        done = start(*argv)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"schema": "wfexs-like/list/1", "workdirs": []}


def test_a_reader_that_goes_away_is_no_error() -> None:
    with subprocess.Popen([PROGRAM, "man"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode in {0, 128 + signal.SIGPIPE}
    assert said == ""


def test_the_reader_of_the_version_may_go_away_too() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([PROGRAM, "--version"], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


@pytest.mark.parametrize("argv", [["list"], ["--json", "show", "x"], ["--help"]])
def test_a_full_disk_below_stdout_is_an_error_with_a_sentence(argv: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = start(*argv, stdout=full, capture_output=False, stderr=subprocess.PIPE)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("closing", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("verb", ["list", "--version", "show nothing"])
def test_closed_streams_do_no_harm(closing: str, verb: str) -> None:
    done = subprocess.run(["sh", "-c", f"{PROGRAM} {verb} {closing}"], capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1, 10}
    assert "Traceback" not in done.stderr


def test_a_locale_without_letters_is_no_obstacle(tmp_path: Path) -> None:
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    done = start("check", "süß.stage", env=environment, cwd=tmp_path)
    assert done.returncode in {3, 10}
    assert "Traceback" not in done.stderr


def test_a_name_that_is_no_text_is_told_all_the_same(tmp_path: Path) -> None:
    done = subprocess.run([PROGRAM, "--json", "check", b"\xff.stage"], capture_output=True, cwd=tmp_path, check=False)
    assert done.returncode in {3, 10}
    json.loads(done.stdout)


def slow_program(tmp_path: Path, body: str) -> list[str]:
    """The program with a session that does ``body`` in place of listing."""
    script = tmp_path / "slow.py"
    script.write_text(
        f"""
import os, sys, time
import wfexs_like.session
def workdirs(self):
    {body}
wfexs_like.session.Session.workdirs = workdirs
from wfexs_like.cli.main import entry
sys.argv = ["wfexs-like", *sys.argv[1:]]
entry()
"""
    )
    return [sys.executable, str(script)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_its_code_and_without_a_traceback(tmp_path: Path, number: signal.Signals) -> None:
    argv = slow_program(tmp_path, "os.write(2, b'working\\n'); time.sleep(60)")
    with subprocess.Popen(
        [*argv, "list", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "working\n"
        time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert json.loads(out)["error"]["exit_code"] == 128 + number
    assert "Traceback" not in err


def test_what_a_library_prints_does_not_get_between_the_json(tmp_path: Path) -> None:
    argv = slow_program(tmp_path, "os.system('echo noise'); os.write(1, b'more noise\\n'); return ()")
    done = subprocess.run([*argv, "--json", "list"], capture_output=True, text=True, check=False)
    assert json.loads(done.stdout) == {"schema": "wfexs-like/list/1", "workdirs": []}
    assert "noise" in done.stderr


def test_a_traceback_shows_only_to_those_who_ask_for_it(tmp_path: Path) -> None:
    argv = slow_program(tmp_path, "raise RuntimeError('a slip')")
    quiet = subprocess.run([*argv, "list"], capture_output=True, text=True, check=False)
    assert quiet.returncode == 1
    assert "Traceback" not in quiet.stderr
    assert "RuntimeError: a slip" in quiet.stderr
    environment = {**os.environ, "WFEXS_LIKE_DEBUG": "1"}
    loud = subprocess.run([*argv, "list", "--json"], capture_output=True, text=True, check=False, env=environment)
    assert "Traceback" in loud.stderr
    assert json.loads(loud.stdout)["error"]["exception"] == "RuntimeError"


def test_a_config_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    done = start("--config", str(tmp_path / "none.toml"), "list")
    assert done.returncode == 2
    assert "there is no config file" in done.stderr


def test_a_broken_config_is_exit_code_3_with_its_fault(home: Path) -> None:
    (home / "config.toml").write_text("cashe = 'x'\n")
    done = start("list", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["faults"][0]["where"] == "cashe"


def complete(*words: str, shell: str = "bash") -> list[str]:
    environment = {
        **os.environ,
        "_WFEXS_LIKE_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(["wfexs-like", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = start(env=environment)
    assert done.returncode == 0, done.stderr
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_completion_knows_verbs_options_and_actions() -> None:
    assert complete("st") == ["stage"]
    assert set(complete("")) == set(NAMES)
    assert "--locked" in complete("stage", "--l")
    assert complete("cache", "g") == ["gc"]
    assert complete("show", "la") == ["last"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_understood_by_its_shell(shell: str) -> None:
    done = start("completion", shell)
    assert done.returncode == 0
    assert f"_WFEXS_LIKE_COMPLETE={shell}_complete" in done.stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n", "/dev/stdin"], input=done.stdout, text=True, check=True)


def test_bash_really_completes_with_it() -> None:
    script = f"""
export PATH={Path(PROGRAM).parent}:$PATH
eval "$(wfexs-like completion bash)"
COMP_WORDS=(wfexs-like val) COMP_CWORD=1
_wfexs_like_completion wfexs-like
echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "validate\n"


def test_the_manual_page_names_every_verb_option_and_exit_code() -> None:
    page = start("man").stdout
    assert page.startswith('.TH "WFEXS\\-LIKE" 1')
    for verb in VERBS:
        assert f'.SS "{verb.name.replace("-", chr(92) + "-")}' in page
    for expected in ("\\-\\-retrospective", "\\-\\-dry\\-run", "\\fB14\\fR", "WFEXS_LIKE_PASSPHRASE_FD"):
        assert expected in page
    if shutil.which("groff"):
        # Debian's small groff lacks the man macros now and then; then there is nothing to judge by.
        done = subprocess.run(
            ["groff", "-man", "-Tascii", "-ww"], input=page, capture_output=True, text=True, check=False
        )
        if "can't open" not in done.stderr and "man.tmac" not in done.stderr:
            assert done.returncode == 0
            assert done.stderr == ""
            assert "EXIT STATUS" in re.sub(".\b", "", done.stdout)
