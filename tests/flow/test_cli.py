"""The command line on the real thing: what a person or a script sees, from stage file to crate, signals and all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.conftest import Command
from wfexs_like.schemas import schema_of

pytestmark = pytest.mark.cwltool

ECHO = """cwlVersion: v1.2
class: Workflow
inputs:
  text: string
  count: int
  seconds: {type: int, default: 0}
  code: {type: int, default: 0}
outputs:
  said: {type: File, outputSource: say/said}
  nothing: {type: File?, outputSource: say/nothing}
steps:
  say:
    in: {text: text, count: count, seconds: seconds, code: code}
    out: [said, nothing]
    run:
      class: CommandLineTool
      baseCommand: [sh, -c]
      arguments:
        - 'seq 30 | sed "s/^/complaint /" >&2; echo "$0 $1"; sleep "$2"; exit "$3"'
      inputs:
        text: {type: string, inputBinding: {position: 1}}
        count: {type: int, inputBinding: {position: 2}}
        seconds: {type: int, inputBinding: {position: 3}}
        code: {type: int, inputBinding: {position: 4}}
      stdout: said.txt
      outputs:
        said: stdout
        nothing: {type: File?, outputBinding: {glob: nothing.txt}}
"""

STAGE = """workflow_id: echo.cwl
workflow_type: cwl
nickname: echo
params:
  text: hello
  count: 3
"""


@pytest.fixture
def stage_file(tmp_path: Path) -> Path:
    (tmp_path / "echo.cwl").write_text(ECHO)
    path = tmp_path / "echo.wfex.stage"
    path.write_text(STAGE)
    return path


@pytest.fixture
def staged(stage_file: Path, wfexs: Command) -> str:
    return str(wfexs.ok("stage", stage_file)["id"])


def fits_its_schema(document: dict[str, Any]) -> None:
    name = document["schema"].split("/")[1]
    published = schema_of("stage-result" if name == "stage" else name)
    jsonschema.Draft202012Validator(published).validate(document)


def test_a_script_goes_from_stage_file_to_crate_by_what_the_command_prints(
    stage_file: Path, wfexs: Command, tmp_path: Path
) -> None:
    staged = wfexs.run("stage", stage_file)
    assert staged.returncode == 0, staged.stderr
    (identifier,) = staged.stdout.splitlines()
    run = wfexs.ok("run", identifier)
    assert Path(run["outputs"]["said"]["path"]).read_text() == "hello 3\n"
    assert run["outputs"]["nothing"] is None
    crate = wfexs.ok("crate", identifier, tmp_path / "out.zip", "--retrospective", "--no-validate")
    assert Path(crate["path"]).is_file()
    assert crate["validation"] is None


def test_every_object_of_the_real_thing_fits_its_published_schema(
    stage_file: Path, wfexs: Command, tmp_path: Path
) -> None:
    documents = [
        wfexs.ok("check", stage_file),
        wfexs.ok("resolve", stage_file),
        wfexs.ok("stage", stage_file),
        wfexs.ok("run", "last"),
        wfexs.ok("show", "last"),
        wfexs.ok("list"),
        wfexs.ok("logs", "last"),
        wfexs.ok("cache", "list"),
        wfexs.ok("cache", "verify"),
        wfexs.ok("cancel", "last"),
        wfexs.ok("execute", stage_file, "--crate", tmp_path / "crate", "--no-validate"),
        wfexs.ok("crate", "last", tmp_path / "second", "--prospective"),
        wfexs("validate", tmp_path / "second").object,
        wfexs.ok("rm", "last"),
        wfexs.ok("cache", "gc"),
    ]
    for document in documents:
        fits_its_schema(document)
    lock = json.loads((Path(documents[2]["lock"]["path"])).read_text())
    jsonschema.Draft202012Validator(schema_of("lock")).validate(lock)


def test_a_parameter_is_read_as_the_type_of_its_input(staged: str, wfexs: Command) -> None:
    run = wfexs.ok("run", staged, "--param", "text=5", "--param", "count=7")
    assert Path(run["outputs"]["said"]["path"]).read_text() == "5 7\n"
    assert run["overrides"] == {"text": "5", "count": 7}
    again = wfexs.ok("run", staged)
    assert Path(again["outputs"]["said"]["path"]).read_text() == "hello 3\n"
    assert again["run"] == 2


@pytest.mark.parametrize("param", ["count=many", "cuont=3", "count=null"])
def test_a_parameter_that_does_not_fit_is_exit_code_3_and_makes_no_run(staged: str, wfexs: Command, param: str) -> None:
    answer = wfexs("run", staged, "--param", param)
    assert answer.code == 3
    assert answer.object["error"]["kind"] == "definition"
    assert wfexs.ok("show", staged)["runs"] == []


def test_a_working_directory_is_named_by_id_beginning_nickname_path_or_last(staged: str, wfexs: Command) -> None:
    path = wfexs.ok("show", staged)["path"]
    for name in (staged, staged[:8], "echo", path, "last"):
        assert wfexs.ok("show", name)["id"] == staged
    missing = wfexs("show", "nothing-of-that-name")
    assert (missing.code, missing.object["error"]["kind"]) == (10, "not-found")


def test_a_failed_workflow_is_exit_code_8_with_the_run_and_the_end_of_its_log(staged: str, wfexs: Command) -> None:
    answer = wfexs("run", staged, "--param", "code=3")
    assert answer.code == 8
    assert answer.object["schema"] == "wfexs-like/run/1"
    assert answer.object["status"] == "failed"
    assert answer.object["steps"][0]["exit_code"] == 3
    fits_its_schema(answer.object)
    shown = [line.removeprefix("  | ") for line in answer.stderr.splitlines() if line.startswith("  | ")]
    assert shown == [f"complaint {number}" for number in range(11, 31)]
    assert "the workflow failed in run 1" in answer.stderr


def test_a_run_prints_a_line_a_step_and_where_its_outputs_are(staged: str, wfexs: Command) -> None:
    done = wfexs.run("run", staged)
    assert done.returncode == 0
    assert "step say completed" in done.stderr
    assert "run 1 completed" in done.stdout
    assert "said.txt (8 B)" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_what_a_step_wrote_is_in_the_logs(staged: str, wfexs: Command) -> None:
    assert wfexs("logs", staged).code == 10
    wfexs.ok("run", staged)
    text = wfexs.run("logs", staged).stdout
    assert "complaint 30" in text
    assert wfexs("logs", staged, "2").code == 10
    files = wfexs.ok("logs", staged, "1")["files"]
    assert all(Path(one["path"]).stat().st_size == one["size"] for one in files)


def running(wfexs: Command, staged: str, done: str | None = None) -> subprocess.Popen[str]:
    """A run that sleeps, when its step has begun and the one called ``done`` is over."""
    process = subprocess.Popen(
        [*wfexs.argv, "--json", "run", staged, "--param", "seconds=100"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if sleepers():
            runs = wfexs.ok("show", staged)["runs"]
            steps = {step["name"]: step["status"] for step in runs[-1]["steps"]} if runs else {}
            if "running" in steps.values() and (done is None or steps.get(done) == "completed"):
                return process
        time.sleep(0.05)
    process.kill()
    pytest.fail("the step never began")


def sleepers() -> list[str]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                argv = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if argv[:2] == [b"sleep", b"100"] and (folder / "cwd").readlink().is_relative_to(os.environ["HOME"]):
                found.append(folder.name)
    return found


def gone() -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if not sleepers():
                return True
        except OSError:
            continue
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_kills_the_run_and_all_it_started_and_the_record_says_so(
    staged: str, wfexs: Command, number: signal.Signals
) -> None:
    process = running(wfexs, staged)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    told = json.loads(out)
    assert (told["schema"], told["status"], told["exit_code"]) == ("wfexs-like/run/1", "killed", None)
    assert "Traceback" not in err
    assert gone()
    assert wfexs.ok("show", staged)["runs"][0]["status"] == "killed"


def test_cancelling_from_elsewhere_kills_the_run(staged: str, wfexs: Command) -> None:
    process = running(wfexs, staged)
    assert wfexs.ok("cancel", staged)["cancelled"] == [1]
    out, _ = process.communicate(timeout=30)
    assert json.loads(out)["status"] == "killed"
    assert process.returncode == 128 + signal.SIGTERM
    assert gone()
    assert wfexs.ok("cancel", staged)["cancelled"] == []
    assert wfexs("cancel", staged, "9").code == 10


def test_a_run_whose_program_was_killed_hard_is_told_as_killed(staged: str, wfexs: Command) -> None:
    process = running(wfexs, staged)
    process.kill()
    process.communicate(timeout=30)
    assert gone()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and wfexs.ok("show", staged)["runs"][0]["status"] == "running":
        time.sleep(0.1)
    run = wfexs.ok("show", staged)["runs"][0]
    assert (run["status"], run["exit_code"], run["ended"]) == ("killed", None, None)


def test_a_working_directory_in_use_is_not_removed_unless_forced(staged: str, wfexs: Command) -> None:
    process = running(wfexs, staged)
    refused = wfexs("rm", staged)
    assert (refused.code, refused.object["error"]["kind"]) == (11, "locked")
    removed = wfexs.ok("rm", staged, "--force")
    process.communicate(timeout=30)
    assert not Path(removed["path"]).exists()
    assert wfexs.ok("list")["workdirs"] == []
    assert gone()


def test_the_cache_is_filled_listed_verified_and_cleaned(wfexs: Command, tmp_path: Path) -> None:
    source = tmp_path / "reads.fq"
    source.write_text("ACGT\n")
    added = wfexs.ok("cache", "add", source.as_uri())
    assert added["size"] == 5
    (entry,) = wfexs.ok("cache", "list")["entries"]
    assert entry["sha256"] == added["sha256"]
    assert entry["origins"][0]["identifier"] == source.as_uri()
    assert wfexs.ok("cache", "verify")["ok"] is True
    (held,) = [path for path in (Path(os.environ["WFEXS_LIKE_CACHE"])).rglob("*") if added["sha256"] in path.name]
    held.chmod(0o644)
    held.write_text("ACGA\n")
    damaged = wfexs("cache", "verify")
    assert damaged.code == 5
    assert [one["sha256"] for one in damaged.object["problems"]] == [added["sha256"]]
    wfexs.ok("cache", "add", source.as_uri())
    assert wfexs.ok("cache", "gc", "--dry-run")["removed"] == [added["sha256"]]
    assert wfexs.ok("cache", "remove", added["sha256"])["removed"] == [added["sha256"]]
    assert wfexs("cache", "remove", added["sha256"]).code == 10
    wrong = wfexs("cache", "add", source.as_uri(), "--sha256", "ab" * 32)
    assert wrong.code == 5
    assert wrong.object["error"]["expected"] == "ab" * 32
    assert wrong.object["error"]["actual"] == added["sha256"]


@pytest.mark.parametrize("what", ["nonsense of a kind", "ftp2://x/y", "/no/such/file"])
def test_nonsense_is_not_added_to_the_cache(wfexs: Command, what: str) -> None:
    answer = wfexs("cache", "add", what)
    assert answer.code in {2, 3, 4, 10}
    assert answer.object["error"]["kind"] != "other"


def test_a_digest_that_is_none_is_refused(wfexs: Command, tmp_path: Path) -> None:
    answer = wfexs("cache", "add", tmp_path.as_uri(), "--sha256", "abc")
    assert answer.code in {2, 3}


def test_a_bad_stage_file_is_exit_code_3_for_check_and_stage_and_leaves_nothing(
    stage_file: Path, wfexs: Command
) -> None:
    stage_file.write_text(STAGE + "secured: true\nparamz: {}\n")
    checked = wfexs("check", stage_file)
    assert checked.code == 3
    assert checked.object["valid"] is False
    assert {fault["line"] for fault in checked.object["faults"]} == {7, 8}
    refused = wfexs("stage", stage_file)
    assert refused.code == 3
    assert len(refused.object["error"]["faults"]) == 2
    assert wfexs.ok("list")["workdirs"] == []


def test_a_damaged_working_directory_does_not_hide_the_others_and_can_be_removed(
    stage_file: Path, staged: str, wfexs: Command
) -> None:
    other = wfexs.ok("stage", stage_file)["id"]
    lock = Path(wfexs.ok("show", staged)["content"]) / "stage.lock.json"
    lock.unlink()
    lock.write_text("{}")
    answer = wfexs("list")
    assert [one["id"] for one in answer.object["workdirs"]] == [other]
    assert f"{staged} is damaged" in answer.stderr
    assert wfexs("show", staged).code == 3
    assert wfexs("run", staged).code == 3
    wfexs.ok("rm", staged)
    assert "damaged" not in wfexs("list").stderr


def test_the_lock_holds_and_a_changed_source_is_told_with_both_digests(
    stage_file: Path, wfexs: Command, tmp_path: Path
) -> None:
    first = wfexs.ok("stage", stage_file)
    lock = tmp_path / "my.lock"
    lock.write_bytes(Path(first["lock"]["path"]).read_bytes())
    again = wfexs.ok("stage", stage_file, "--locked", lock)
    assert again["lock"]["digest"] == first["lock"]["digest"]
    assert {item["trust"] for item in again["items"] if item["role"] == "workflow"} == {"locked"}
    (tmp_path / "echo.cwl").write_text(ECHO.replace("seq 30", "seq 31"))
    refused = wfexs("stage", stage_file, "--locked", lock)
    assert refused.code == 5
    assert len(refused.object["error"]["expected"]) == len(refused.object["error"]["actual"]) == 64
    updated = wfexs.ok("stage", stage_file, "--locked", lock, "--update")
    assert updated["changes"]
    assert json.loads(lock.read_text())["digest"] == updated["lock"]["digest"]
    assert wfexs("stage", stage_file, "--update").code == 2


def test_the_words_of_wfexs_backend_s_users_work(stage_file: Path, wfexs: Command, tmp_path: Path) -> None:
    identifier = wfexs.ok("stage", "-W", stage_file)["id"]
    assert wfexs.ok("offline-execute", "-J", identifier)["status"] == "completed"
    assert len(wfexs.ok("staged-workdir", "ls")["workdirs"]) == 1
    crate = wfexs.ok("staged-workdir", "create-prov-crate", identifier, tmp_path / "crate", "--no-validate")
    assert crate["kind"] == "retrospective"
    wfexs.ok("staged-workdir", "rm", identifier)
    assert wfexs.ok("list")["workdirs"] == []


def test_working_directories_are_completed(staged: str) -> None:
    environment = {
        **os.environ,
        "_WFEXS_LIKE_COMPLETE": "bash_complete",
        "COMP_WORDS": f"wfexs-like show {staged[:6]}",
        "COMP_CWORD": "2",
    }
    program = str(Path(sys.executable).with_name("wfexs-like"))
    done = subprocess.run([program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"plain,{staged}\n"


def test_a_part_of_a_working_directory_names_it_but_does_not_remove_it(staged: str, wfexs: Command) -> None:
    shown = wfexs.ok("show", staged)
    part = Path(shown["path"]) / "work" / "workflow"
    assert wfexs.ok("show", part)["id"] == staged
    refused = wfexs("rm", part)
    assert refused.code == 2
    assert staged in refused.object["error"]["hint"]
    assert wfexs.ok("show", staged)["id"] == staged
    wfexs.ok("rm", shown["path"])


def test_at_a_terminal_a_run_shows_moving_lines_and_cleans_up_after_itself(staged: str, wfexs: Command) -> None:
    import pty

    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(
        [*wfexs.argv, "run", staged, "--param", "seconds=1"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment,
    ) as process:
        os.close(follower)
        shown = b""
        while True:
            try:
                read = os.read(leader, 65536)
            except OSError:
                break
            if not read:
                break
            shown += read
    os.close(leader)
    assert process.returncode == 0
    assert b"\x1b[?25l" in shown
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
    assert b"step say completed" in shown
    assert b"said.txt (8 B)" in shown


TRIES = '''params.seconds = 0
params.code = 3
params.tries = 1

process MAKE {
  input: val name
  output: path "${name}.txt"
  script: "echo $name > ${name}.txt"
}

process COUNT {
  errorStrategy { task.attempt < params.tries ? 'retry' : 'terminate' }
  maxRetries 5
  publishDir 'results'
  input: path made
  output: path "${made}.count"
  script:
  """
  echo attempt ${task.attempt} >&2
  sleep ${params.seconds}
  wc -c < $made > ${made}.count
  exit ${params.code}
  """
}

workflow { COUNT(MAKE(Channel.of('a'))) }
'''

TRIES_STAGE = """workflow_id: main.nf
workflow_type: nextflow
nickname: tries
workflow_config: {secure: false, containerType: none}
params: {tries: 2}
"""


@pytest.fixture
def tries(tmp_path: Path, wfexs: Command, nextflow: Path) -> str:
    """A staged Nextflow pipeline whose second task fails twice, unless it is told not to."""
    folder = tmp_path / "tries"
    folder.mkdir()
    (folder / "main.nf").write_text(TRIES)
    (folder / "tries.wfex.stage").write_text(TRIES_STAGE)
    return str(wfexs.ok("stage", folder / "tries.wfex.stage")["id"])


@pytest.mark.nextflow
def test_a_nextflow_run_that_was_killed_is_continued_and_one_that_failed_is_explained_and_continued(
    tries: str, wfexs: Command
) -> None:
    assert wfexs("run", tries, "--resume", "last").code == 10
    assert wfexs("run", tries, "--resume", "1").code == 10
    process = running(wfexs, tries, "MAKE (1)")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert json.loads(out)["status"] == "killed"
    assert gone()

    failed = wfexs("run", tries, "--resume", "last", "--param", "seconds=0")
    assert (failed.code, failed.object["status"], failed.object["resumed"]) == (8, "failed", 1)
    fits_its_schema(failed.object)
    told = failed.stderr.splitlines()
    assert "task MAKE (1) taken from an earlier run" in told
    assert any(
        line.startswith("task COUNT (1) failed with exit code 3 after") and "tried again" in line for line in told
    )
    assert any(line.startswith("task COUNT (1) (attempt 2) failed with exit code 3") for line in told)
    assert [line for line in told if line.startswith("  | ")] == ["  | attempt 2"]
    assert f'"wfexs-like run {tries} --resume 2" continues where it stopped' in failed.stderr

    # By a verb of wfexs-backend, in whose words a run is continued too.
    done = wfexs("offline-execute", "-J", tries, "--param", "code=0", "--resume", "last")
    assert (done.code, done.object["run"], done.object["resumed"]) == (0, 3, 2), done.stderr
    fits_its_schema(done.object)
    assert {step["name"]: step.get("cached", False) for step in done.object["steps"]} == {
        "MAKE (1)": True,
        "COUNT (1)": False,
    }
    (output,) = done.object["outputs"].values()
    assert Path(output["path"]).read_text() == "2\n"

    refused = wfexs("run", tries, "--resume", "3")
    assert (refused.code, refused.object["error"]["kind"]) == (2, "usage")
    assert [run["status"] for run in wfexs.ok("staged-workdir", "status", tries)["runs"]] == [
        "killed",
        "failed",
        "completed",
    ]
    shown = wfexs.run("show", tries).stdout
    assert "continued run 2" in shown
    assert "task COUNT (1) (attempt 2)  failed with exit code 3" in shown
    text = wfexs.run("logs", tries, "2").stdout
    assert "attempt 1" in text
    assert "attempt 2" in text
    assert "report.html <==" in text
    assert "<html" not in text


@pytest.mark.nextflow
def test_an_engine_is_set_up_beforehand_and_listed(wfexs: Command, nextflow: Path) -> None:
    added = wfexs.ok("engines", "add", "nextflow")
    fits_its_schema(added)
    assert (added["version"], added["known"]) == ("24.10.0", True)
    listed = wfexs.ok("engines", "list")
    fits_its_schema(listed)
    (default,) = [one for one in listed["engines"] if one["engine"] == "nextflow" and one["default"]]
    assert (default["cached"], default["verified"], default["source"]) == (True, True, "maven")
    assert (default["size"], default["sha256"]) == (added["size"], added["sha256"])
    assert default["platform"]["java"] == added["platform"]["java"]


@pytest.mark.parametrize(
    ("name", "code"), [("nextflow@", 2), ("snakemake", 2), ("nextflow@latest", 2), ("cwltool@latest", 7)]
)
def test_an_engine_that_is_none_is_not_added(wfexs: Command, name: str, code: int) -> None:
    answer = wfexs("engines", "add", name)
    assert answer.code == code
    assert answer.object["error"]["hint"]


def test_an_engine_that_can_not_continue_says_so_and_leaves_no_run_behind(staged: str, wfexs: Command) -> None:
    assert wfexs("run", staged, "--param", "code=3").code == 8
    refused = wfexs("run", staged, "--resume", "1")
    assert (refused.code, refused.object["error"]["kind"]) == (2, "usage")
    assert "cwltool" in refused.object["error"]["message"]
    assert len(wfexs.ok("show", staged)["runs"]) == 1
