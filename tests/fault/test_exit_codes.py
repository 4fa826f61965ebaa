"""Every way to fail that a user may meet, through the real command: code, JSON error, a sentence, and nothing left."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Answer, Command
from tests.support.web import Exchange, File, WebServer, truncated

TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [{command}]
inputs:
  text: {{type: File, inputBinding: {{position: 9}}}}
  lines: {{type: int, default: 3}}
stdout: out.txt
outputs:
  out: {{type: stdout}}
{more}
"""


@pytest.fixture
def stage_file(tmp_path: Path) -> Callable[..., Path]:
    """A stage file for a tool that copies its input, with the given lines in place of the usual ones."""

    def write(
        text: str = "{c-l-a-s-s: File, url: text.txt}",
        *,
        command: str = "cat",
        more: str = "",
        rest: str = "",
        params: str = "",
        config: str = "secure: false",
    ) -> Path:
        folder = tmp_path / "asked"
        folder.mkdir(exist_ok=True)
        (folder / "text.txt").write_text("some text\n")
        (folder / "tool.cwl").write_text(TOOL.format(command=command, more=more))
        path = folder / "x.wfex.stage"
        path.write_text(
            f"workflow_id: ./tool.cwl\nworkflow_config: {{{config}}}\nparams:\n  text: {text}\n{params}{rest}"
        )
        return path

    return write


def _refused(answer: Answer, code: int, home: Path, *, kind: str) -> dict[str, Any]:
    """The answer is an error of that code, told well, and no working directory came of it."""
    assert answer.code == code, (answer.object, answer.stderr)
    error = answer.object["error"]
    assert answer.object["schema"] == "wfexs-like/error/1"
    assert error["exit_code"] == code
    assert error["kind"] == kind
    assert {"kind", "exit_code", "message", "hint", "where"} <= set(error)
    assert error["message"][0].islower() or not error["message"][0].isalpha()
    assert not error["message"].endswith(".")
    assert f"wfexs-like: error: {error['message'].splitlines()[0]}" in answer.stderr
    assert _workdirs(home) == []
    return error


def _workdirs(home: Path) -> list[str]:
    folder = home / "workdirs"
    return sorted(one.name for one in folder.iterdir() if one.name != ".locks") if folder.exists() else []


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- fetching ---------------------------------------------------------------------------------------------------------


def test_a_wrong_digest_is_exit_5_with_both_digests(
    wfexs: Command, stage_file: Callable[..., Path], home: Path
) -> None:
    path = stage_file("{c-l-a-s-s: File, url: {uri: text.txt, sha256: '" + "0" * 64 + "'}}")

    error = _refused(wfexs("stage", path), 5, home, kind="digest")

    assert error["expected"] == "0" * 64
    assert error["actual"] == _sha256(b"some text\n")


def test_a_body_that_is_always_cut_short_is_exit_4(
    hurried: Command, stage_file: Callable[..., Path], home: Path
) -> None:
    with WebServer() as web:
        web.scripts["/a.txt"] = truncated(b"x" * 1000, 400)
        path = stage_file("{c-l-a-s-s: File, url: '" + web.url("/a.txt") + "'}")

        error = _refused(hurried("stage", path), 4, home, kind="fetch")

    assert web.url("/a.txt") in error["message"]


def test_a_page_that_says_404_is_no_input(wfexs: Command, stage_file: Callable[..., Path], home: Path) -> None:
    with WebServer() as web:
        web.scripts["/a.txt"] = lambda exchange: exchange.answer(
            b"<html>not here</html>", 404, {"Content-Type": "text/html"}
        )
        path = stage_file("{c-l-a-s-s: File, url: '" + web.url("/a.txt") + "'}")

        error = _refused(wfexs("stage", path), 4, home, kind="fetch")

    assert "404" in error["message"]


def test_a_reset_connection_is_tried_again_and_the_file_is_whole(
    wfexs: Command, stage_file: Callable[..., Path]
) -> None:
    content = os.urandom(300_000)

    def script(exchange: Exchange) -> None:
        if exchange.request.number == 0:
            exchange.head(headers={"Content-Length": str(len(content)), "ETag": '"one"'})
            exchange.send(content[:100_000])
            exchange.reset()
        else:
            exchange.serve(File(content))

    with WebServer() as web:
        web.scripts["/a.bin"] = script
        staged = wfexs.ok("stage", stage_file("{c-l-a-s-s: File, url: '" + web.url("/a.bin") + "'}"))

    (found,) = Path(staged["path"]).rglob("a.bin")
    assert found.read_bytes() == content


def test_a_partial_answer_with_the_wrong_range_is_never_accepted(
    hurried: Command, stage_file: Callable[..., Path], home: Path
) -> None:
    content = bytes(range(256)) * 1000

    def script(exchange: Exchange) -> None:
        if "range" in exchange.request.headers:
            exchange.answer(content[:100], 206, {"Content-Range": f"bytes 0-99/{len(content)}", "ETag": '"one"'})
        else:
            exchange.head(headers={"Content-Length": str(len(content)), "ETag": '"one"'})
            exchange.send(content[:5000])
            exchange.hang_up()

    with WebServer() as web:
        web.scripts["/a.bin"] = script
        answer = hurried("stage", stage_file("{c-l-a-s-s: File, url: '" + web.url("/a.bin") + "'}"))

    _refused(answer, 4, home, kind="fetch")


def test_a_redirect_loop_is_exit_4(wfexs: Command, stage_file: Callable[..., Path], home: Path) -> None:
    with WebServer() as web:
        web.scripts["/a"] = lambda exchange: exchange.answer(b"", 302, {"Location": "/b"})
        web.scripts["/b"] = lambda exchange: exchange.answer(b"", 302, {"Location": "/a"})
        answer = wfexs("stage", stage_file("{c-l-a-s-s: File, url: '" + web.url("/a") + "'}"))

    assert "redirect" in _refused(answer, 4, home, kind="fetch")["message"]


def test_a_server_that_is_not_there_is_exit_4(hurried: Command, stage_file: Callable[..., Path], home: Path) -> None:
    answer = hurried("stage", stage_file("{c-l-a-s-s: File, url: 'http://127.0.0.1:9/a.txt'}"))

    _refused(answer, 4, home, kind="fetch")


def test_a_mirror_serves_when_the_first_place_does_not(wfexs: Command, stage_file: Callable[..., Path]) -> None:
    path = stage_file("{c-l-a-s-s: File, url: [[missing.txt, text.txt]]}", params="")
    text = path.read_text().replace("  text: {", "  text: {preferred-name: got.txt, ")
    path.write_text(text)
    tool = path.parent / "tool.cwl"
    tool.write_text(tool.read_text().replace("type: File,", "type: 'File[]',"))

    staged = wfexs.ok("stage", path)

    (found,) = Path(staged["path"]).rglob("got.txt")
    assert found.read_text() == "some text\n"


@pytest.mark.git
def test_a_missing_ref_of_a_repository_is_exit_4(
    wfexs: Command, stage_file: Callable[..., Path], home: Path, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    path = stage_file()
    path.write_text(path.read_text().replace("./tool.cwl", f"git+file://{repository}@v9#subdirectory=tool.cwl"))

    error = _refused(wfexs("stage", path), 4, home, kind="fetch")

    assert "v9" in error["message"]


# --- parameters -------------------------------------------------------------------------------------------------------


def test_parameters_that_do_not_fit_are_exit_3_all_at_once_and_before_any_download(
    wfexs: Command, stage_file: Callable[..., Path], home: Path
) -> None:
    with WebServer() as web:
        web.files["/a.txt"] = File(b"x")
        url = web.url("/a.txt")
        path = stage_file("{c-l-a-s-s: File, url: '" + url + "'}", params="  lines: many\n  linez: 3\n")

        error = _refused(wfexs("stage", path), 3, home, kind="definition")

        assert web.requests == []
    places = {fault["where"]: fault for fault in error["faults"]}
    assert {"params.lines", "params.linez"} <= set(places)
    assert places["params.lines"]["line"] == 5
    assert "lines" in str(places["params.linez"]["hint"])


def test_a_missing_parameter_is_named(wfexs: Command, stage_file: Callable[..., Path], home: Path) -> None:
    path = stage_file()
    path.write_text(path.read_text().replace("  text:", "  # text:").replace("params:", "params: {}"))

    error = _refused(wfexs("stage", path), 3, home, kind="definition")

    assert "text" in json.dumps(error["faults"])


def test_an_override_that_does_not_fit_makes_no_run(wfexs: Command, stage_file: Callable[..., Path]) -> None:
    staged = wfexs.ok("stage", stage_file())

    answer = wfexs("run", staged["id"], "--param", "lines=many")

    assert answer.code == 3
    assert wfexs.ok("show", staged["id"])["runs"] == []


def test_a_tool_that_requires_a_container_where_none_is_wanted_is_exit_6_before_any_download(
    wfexs: Command, stage_file: Callable[..., Path], home: Path
) -> None:
    with WebServer() as web:
        web.files["/a.txt"] = File(b"x")
        path = stage_file(
            "{c-l-a-s-s: File, url: '" + web.url("/a.txt") + "'}",
            more="requirements: {DockerRequirement: {dockerPull: 'alpine:3'}}",
            config="secure: false, containerType: none",
        )

        error = _refused(wfexs("stage", path), 6, home, kind="container")

        assert web.requests == []
    assert error["images"] == ["alpine:3"]
    assert error["where"] == "the tool tool.cwl"


# --- disks ------------------------------------------------------------------------------------------------------------


@pytest.mark.tmpfs
def test_a_full_disk_is_exit_13_and_goes_on_once_there_is_space(
    wfexs: Command, stage_file: Callable[..., Path], tmp_path: Path
) -> None:
    path = stage_file()
    (path.parent / "text.txt").write_bytes(os.urandom(3_000_000))
    small = tmp_path / "small"
    small.mkdir()
    script = (
        f"mount -t tmpfs -o size=2m none {small} && {wfexs.argv[0]} --json --cache {small}/cache stage {path}; code=$?;"
        f"mount -o remount,size=64m {small} && {wfexs.argv[0]} --json --cache {small}/cache stage {path} >/dev/null"
        f" || exit 99; find {small}/cache -path '*tmp*' -type f >&2; exit $code"
    )

    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False)

    assert done.returncode == 13, done.stderr
    error = json.loads(done.stdout)["error"]
    assert (error["kind"], error["exit_code"]) == ("disk", 13)
    assert "Traceback" not in done.stderr


def test_a_file_in_the_way_of_the_folders_is_told(
    wfexs: Command, stage_file: Callable[..., Path], home: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")

    answer = wfexs("--workdirs", tmp_path / "file" / "below", "stage", stage_file())

    assert _refused(answer, 1, home, kind="other")["where"]


# --- working directories ----------------------------------------------------------------------------------------------


def test_an_unknown_working_directory_is_exit_10(wfexs: Command, home: Path) -> None:
    for verb in (["run", "nobody"], ["show", "nobody"], ["logs", "nobody"], ["rm", "nobody"], ["cancel", "nobody"]):
        _refused(wfexs(*verb), 10, home, kind="not-found")


def test_removing_a_working_directory_in_use_is_exit_11(wfexs: Command, stage_file: Callable[..., Path]) -> None:
    staged = wfexs.ok("stage", stage_file(command="sh, -c, 'sleep 30'"))
    running = subprocess.Popen([*wfexs.argv, "run", staged["id"]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for_step(wfexs, staged["id"])

        answer = wfexs("rm", staged["id"])

        assert answer.code == 11
        assert answer.object["error"]["kind"] == "locked"
        assert Path(staged["path"]).is_dir()
        assert wfexs.ok("cancel", staged["id"])
    finally:
        running.terminate()
        running.wait(30)
    wfexs.ok("rm", staged["id"])
    assert not Path(staged["path"]).exists()


def _wait_for_step(wfexs: Command, workdir: str) -> None:
    def begun() -> bool:
        runs = wfexs.ok("show", workdir)["runs"]
        return bool(runs and runs[-1]["steps"])

    _until(begun)


def test_a_changed_input_is_found_before_the_run(wfexs: Command, stage_file: Callable[..., Path]) -> None:
    staged = wfexs.ok("stage", stage_file())
    (found,) = Path(staged["path"]).rglob("text.txt")
    before = found.stat()
    found.chmod(0o644)
    found.write_text("SOME text\n")
    os.utime(found, ns=(before.st_atime_ns, before.st_mtime_ns))

    answer = wfexs("run", staged["id"])

    assert answer.code == 5
    error = answer.object["error"]
    assert error["expected"] == _sha256(b"some text\n")
    assert error["actual"] == _sha256(b"SOME text\n")
    assert wfexs.ok("show", staged["id"])["runs"] == []


def test_a_users_own_file_is_never_changed_through_a_working_directory(
    wfexs: Command, stage_file: Callable[..., Path]
) -> None:
    path = stage_file()
    own = path.parent / "text.txt"
    staged = wfexs.ok("stage", path)
    (found,) = Path(staged["path"]).rglob("text.txt")

    assert own.stat().st_nlink == 1
    found.chmod(0o644)
    found.write_text("changed")
    assert own.read_text() == "some text\n"


def test_a_damaged_object_is_fetched_again_or_refused(
    wfexs: Command, stage_file: Callable[..., Path], home: Path
) -> None:
    path = stage_file()
    wfexs.ok("rm", wfexs.ok("stage", path)["id"])
    digest = _sha256(b"some text\n")
    (stored,) = [one for one in (home / "cache").rglob(f"*{digest}*") if one.is_file()]
    stored.chmod(0o644)
    stored.write_text("some TEXT\n")

    staged = wfexs.ok("stage", path)
    (found,) = Path(staged["path"]).rglob("text.txt")
    assert found.read_text() == "some text\n"
    wfexs.ok("rm", staged["id"])

    (stored,) = [one for one in (home / "cache" / "objects").rglob(f"*{digest}*") if one.is_file()]
    stored.chmod(0o644)
    stored.write_text("some TEXT\n")
    (path.parent / "text.txt").unlink()
    _refused(wfexs("stage", path), 5, home, kind="digest")


def test_a_changed_lock_is_refused(wfexs: Command, stage_file: Callable[..., Path]) -> None:
    staged = wfexs.ok("stage", stage_file())
    lock = Path(staged["lock"]["path"])
    text = lock.read_text()
    for damaged in (text.replace('"size": 10', '"size": 11'), text[: len(text) // 2], "", "[]", "{}"):
        assert damaged != text
        lock.chmod(0o644)
        lock.write_text(damaged)
        answer = wfexs("run", staged["id"])
        assert answer.code in (3, 5), damaged
        assert "lock" in answer.object["error"]["message"]


def test_what_is_not_in_the_lock_is_exit_5_and_update_renews_it(
    wfexs: Command, stage_file: Callable[..., Path], tmp_path: Path
) -> None:
    path = stage_file()
    staged = wfexs.ok("stage", path)
    lock = tmp_path / "kept.lock.json"
    lock.write_bytes(Path(staged["lock"]["path"]).read_bytes())

    again = wfexs.ok("stage", path, "--locked", lock)
    assert again["lock"]["digest"] == staged["lock"]["digest"]
    assert {item["trust"] for item in again["items"]} == {"locked"}

    (path.parent / "text.txt").write_text("another text\n")
    answer = wfexs("stage", path, "--locked", lock)
    assert answer.code == 5
    assert answer.object["error"]["expected"] == _sha256(b"some text\n")
    assert "--update" in answer.object["error"]["hint"]

    updated = wfexs.ok("stage", path, "--locked", lock, "--update")
    assert any("text" in change for change in updated["changes"])
    assert json.loads(lock.read_text())["digest"] == updated["lock"]["digest"]


# --- runs -------------------------------------------------------------------------------------------------------------


def test_a_workflow_that_fails_is_exit_8_with_its_last_words(
    wfexs: Command, stage_file: Callable[..., Path], tmp_path: Path
) -> None:
    staged = wfexs.ok("stage", stage_file(command="sh, -c, 'echo it is broken >&2; exit 3'"))

    answer = wfexs("run", staged["id"])

    assert answer.code == 8
    assert answer.object["status"] == "failed"
    assert answer.object["exit_code"] == 1
    assert [step["exit_code"] for step in answer.object["steps"]] == [3]
    assert "it is broken" in answer.stderr
    crate = wfexs.ok("crate", staged["id"], tmp_path / "crate", "--retrospective", "--no-validate")
    text = (Path(crate["path"]) / "ro-crate-metadata.json").read_text()
    assert "FailedActionStatus" in text
    assert "CompletedActionStatus" not in text


def test_a_declared_output_that_is_missing_is_a_failed_run(wfexs: Command, stage_file: Callable[..., Path]) -> None:
    path = stage_file(rest="outputs:\n  out: {c-l-a-s-s: File, cardinality: [2, 3]}\n")
    staged = wfexs.ok("stage", path)

    answer = wfexs("run", staged["id"])

    assert answer.code == 8
    assert "out" in answer.object["error"]


def test_an_interrupted_run_says_killed_and_leaves_no_process(wfexs: Command, stage_file: Callable[..., Path]) -> None:
    mark = f"31{os.getpid() % 100000:05d}"
    staged = wfexs.ok("stage", stage_file(command=f"sh, -c, 'sleep {mark}'"))
    for number, how in enumerate((signal.SIGINT, signal.SIGKILL), start=1):
        running = subprocess.Popen([*wfexs.argv, "--json", "run", staged["id"]], stdout=subprocess.PIPE, text=True)
        _until(lambda: bool(_processes(f"sleep {mark}")))
        running.send_signal(how)
        printed, _ = running.communicate(timeout=30)

        _until(lambda: not _processes(f"sleep {mark}"))
        shown = wfexs.ok("show", staged["id"])["runs"]
        assert len(shown) == number
        assert shown[-1]["status"] == "killed"
        if how is signal.SIGINT:
            assert running.returncode == 130
            assert json.loads(printed)["status"] == "killed"
        else:
            assert shown[-1]["ended"] is None


def _until(what: Callable[[], bool]) -> None:
    """Wait for something, for a minute: the machine may be busy."""
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline, "it did not happen within a minute"
        time.sleep(0.05)


def _processes(command: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if line.strip() == command:
                found.append(entry.name)
    return found


def test_six_runs_at_once_have_six_numbers_and_do_not_meet(wfexs: Command, stage_file: Callable[..., Path]) -> None:
    staged = wfexs.ok("stage", stage_file())

    with ThreadPoolExecutor(6) as pool:
        runs = list(pool.map(lambda _: wfexs.ok("run", staged["id"]), range(6)))

    assert sorted(run["run"] for run in runs) == [1, 2, 3, 4, 5, 6]
    paths = {run["outputs"]["out"]["path"] for run in runs}
    assert len(paths) == 6
    assert {Path(path).read_text() for path in paths} == {"some text\n"}


def test_simultaneous_stagers_of_one_input_make_one_download(wfexs: Command, stage_file: Callable[..., Path]) -> None:
    content = os.urandom(200_000)

    def slow(exchange: Exchange) -> None:
        exchange.head(headers={"Content-Length": str(len(content))})
        for start in range(0, len(content), 20_000):
            exchange.send(content[start : start + 20_000])
            time.sleep(0.15)

    with WebServer() as web:
        web.scripts["/a.bin"] = slow
        path = stage_file("{c-l-a-s-s: File, url: '" + web.url("/a.bin") + "'}")
        with ThreadPoolExecutor(4) as pool:
            staged = list(pool.map(lambda _: wfexs.ok("stage", path), range(4)))

        assert [request.method for request in web.requests] == ["GET"]
    assert len({one["lock"]["digest"] for one in staged}) == 1


def _size(folder: Path) -> int:
    """The bytes in the files below a folder that another process fills meanwhile."""
    found = 0
    for one in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            found += one.stat().st_size if one.is_file() else 0
    return found


def test_a_stage_killed_while_downloading_goes_on_where_it_was(
    wfexs: Command, stage_file: Callable[..., Path], home: Path
) -> None:
    content = os.urandom(4_000_000)
    done = threading.Event()

    def script(exchange: Exchange) -> None:
        if exchange.request.number == 0:
            exchange.head(headers={"Content-Length": str(len(content)), "ETag": '"one"'})
            exchange.send(content[:3_000_000])
            done.wait(60)
        else:
            exchange.serve(File(content))

    with WebServer() as web:
        web.scripts["/a.bin"] = script
        path = stage_file("{c-l-a-s-s: File, url: '" + web.url("/a.bin") + "'}")
        killed = subprocess.Popen([*wfexs.argv, "stage", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _until(lambda: _size(home / "cache") >= 2_900_000)
        killed.kill()
        killed.wait(30)
        done.set()
        assert [one["id"] for one in wfexs.ok("list")["workdirs"]] == []

        staged = wfexs.ok("stage", path)

        assert int(web.requests[1].headers["range"].removeprefix("bytes=").rstrip("-")) > 1_000_000
    (found,) = Path(staged["path"]).rglob("a.bin")
    assert found.read_bytes() == content
    assert len(_workdirs(home)) == 1
