"""Runs that are stopped, killed or misbehave: nothing survives them, and the record says what is known."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import engines.launcher
from engines.base import RunRequest
from engines.execution import Execution, Status
from engines.isolation import choices
from engines.journal import JOURNAL, is_live, replay
from engines.stopping import stop, tidy
from staging.definition import ExpectedOutput
from staging.errors import DefinitionError, EngineError, WfexsError
from tests.support.apart import apart
from tests.support.runs import Bench, bench, installed, step, tool

__all__ = ["bench", "installed"]

pytestmark = pytest.mark.cwltool

PATIENCE = 30.0


def _wait_for(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.02)
    pytest.fail("it did not happen in time")


def _marked(mark: str) -> list[int]:
    """The processes with a text in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def _sleeper(bench: Bench) -> str:
    """A tool that starts a daemon in a session of its own and then waits; returns what marks its processes."""
    mark = f"3{time.monotonic_ns() % 10**8:08}"
    bench.write(main=tool(f"setsid sleep {mark} & sleep {mark}", outputs="{}", more=""))
    return mark


class _Background:
    """A run in another thread, as an embedding program would have it."""

    def __init__(self, bench: Bench, request: RunRequest) -> None:
        self.result: list[Execution] = []
        self.failure: list[BaseException] = []
        self._thread = threading.Thread(target=self._work, args=(bench, request))
        self._thread.start()

    def _work(self, bench: Bench, request: RunRequest) -> None:
        try:
            self.result.append(bench.engine.run(request, lambda _event: None))
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            self.failure.append(error)

    def join(self) -> Execution:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        assert not self.failure, self.failure
        return self.result[0]


def test_cancel_stops_everything_the_run_started(bench: Bench) -> None:
    mark = _sleeper(bench)
    request = bench.request()
    running = _Background(bench, request)
    _wait_for(lambda: len(_marked(mark)) >= 2)
    assert replay(request.folder / JOURNAL).status is Status.RUNNING

    assert stop(request.folder)

    execution = running.join()
    assert (execution.status, execution.exit_code) == (Status.KILLED, None)
    assert _marked(mark) == []
    assert step(execution, "main").status is Status.KILLED
    assert step(execution, "main").ended is None
    assert list((request.folder / "tmp").iterdir()) == []
    assert not stop(request.folder)


def test_cancel_without_namespaces_stops_everything_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.launcher, "choices", lambda **_wish: choices(root=False, network=True)[-1:])
    mark = _sleeper(bench)
    request = bench.request()
    running = _Background(bench, request)
    _wait_for(lambda: len(_marked(mark)) >= 2)

    assert stop(request.folder)

    execution = running.join()
    assert execution.status is Status.KILLED
    assert execution.network == "none"
    _wait_for(lambda: _marked(mark) == [])


def test_a_daemon_does_not_outlive_its_run(bench: Bench) -> None:
    mark = f"4{time.monotonic_ns() % 10**8:08}"
    bench.write(main=tool(f"setsid sleep {mark} </dev/null >/dev/null 2>&1 & true", outputs="{}", more=""))

    assert bench.run().status is Status.COMPLETED
    assert _marked(mark) == []


def test_a_daemon_does_not_outlive_its_run_without_namespaces(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.launcher, "choices", lambda **_wish: choices(root=False, network=True)[-1:])
    mark = f"5{time.monotonic_ns() % 10**8:08}"
    bench.write(main=tool(f"setsid sleep {mark} </dev/null >/dev/null 2>&1 & true", outputs="{}", more=""))

    assert bench.run().status is Status.COMPLETED
    assert _marked(mark) == []


def test_after_kill_9_nothing_runs_and_the_record_says_killed(bench: Bench, tmp_path: Path) -> None:
    mark = _sleeper(bench)
    request = bench.request()
    with apart("cwltool", request, tmp_path) as parent:
        # A step may run before its beginning is written down.
        _wait_for(lambda: len(_marked(mark)) >= 2 and replay(request.folder / JOURNAL).steps)

        parent.kill()
        parent.wait(PATIENCE)

    _wait_for(lambda: _marked(mark) == [])
    execution = replay(request.folder / JOURNAL)
    assert execution.status is Status.KILLED
    assert (execution.ended, execution.exit_code) == (None, None)
    assert execution.started is not None
    assert step(execution, "main").status is Status.KILLED
    tidy(request.folder)
    assert list((request.folder / "tmp").iterdir()) == []
    assert not stop(request.folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_run_and_its_record(bench: Bench, tmp_path: Path, number: signal.Signals) -> None:
    mark = _sleeper(bench)
    request = bench.request()
    with apart("cwltool", request, tmp_path) as parent:
        _wait_for(lambda: len(_marked(mark)) >= 2)

        parent.send_signal(number)

        said, _ = parent.communicate(timeout=PATIENCE)
    assert said.strip() == "killed"
    assert _marked(mark) == []
    execution = replay(request.folder / JOURNAL)
    assert execution.status is Status.KILLED
    assert execution.ended is not None
    assert list((request.folder / "tmp").iterdir()) == []


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.2, 0.3, 0.5])
def test_killed_at_any_moment_there_is_an_honest_record_or_none(bench: Bench, tmp_path: Path, delay: float) -> None:
    mark = _sleeper(bench)
    request = bench.request()
    with apart("cwltool", request, tmp_path) as parent:
        _wait_for(request.folder.exists)
        time.sleep(delay)
        parent.kill()
        parent.wait(PATIENCE)

    _wait_for(lambda: _marked(mark) == [])
    journal = request.folder / JOURNAL
    if journal.exists():
        # A child that was just being started keeps the lock until it is a program of its own.
        _wait_for(lambda: not is_live(journal))
        assert replay(journal).status is Status.KILLED


def test_a_child_that_is_killed_is_a_failed_run(bench: Bench) -> None:
    mark = _sleeper(bench)
    request = bench.request()
    running = _Background(bench, request)
    _wait_for(lambda: len(_marked(mark)) >= 2)
    lines = (request.folder / JOURNAL).read_text().splitlines()
    child = next(event["child"]["pid"] for event in map(json.loads, lines) if event["event"] == "engine-started")

    os.kill(child, signal.SIGKILL)

    execution = running.join()
    assert execution.status is Status.FAILED
    assert "the engine ended without a word" in (execution.error or "")
    assert _marked(mark) == []


def test_the_time_limit_is_kept(bench: Bench) -> None:
    mark = _sleeper(bench)

    execution = bench.run(time=2)

    assert execution.status is Status.FAILED
    assert "time limit of 2 s" in (execution.error or "")
    assert _marked(mark) == []


@pytest.mark.netns
def test_a_tool_has_loopback_and_nothing_else(bench: Bench) -> None:
    bench.write(
        main=tool(
            f"{sys.executable} $0",
            inputs="{script: {type: File, inputBinding: {}}}",
        )
    )
    script = (
        "import socket\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname()).close()\n"
        "print('loopback works')\n"
        "try:\n"
        "    socket.create_connection(('192.0.2.1', 80), timeout=5)\n"
        "except OSError as error:\n"
        "    print(error.errno)\n"
    )

    execution = bench.run(params={"script": bench.file("try.py", script)})

    assert execution.network == "namespace"
    lines = bench.text(execution.outputs["out"]).splitlines()
    # ECONNREFUSED at once where somebody watches, else ENETUNREACH: there is no way out at all.
    assert lines == ["loopback works", "111" if execution.watched else "101"], execution.error


def test_a_server_of_ours_is_not_asked_for_a_remote_document(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/tool.cwl"
        bench.write(
            main=f"""
            cwlVersion: v1.2
            class: Workflow
            inputs: {{}}
            outputs: []
            steps: {{far: {{run: "{url}", in: {{}}, out: []}}}}
            """
        )

        with pytest.raises(DefinitionError, match=r"run.*http://127.0.0.1") as caught:
            bench.inspect()

        assert caught.value.hint == "the documents of a workflow are staged together, none is fetched from the web"
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_remote_default_is_refused_at_run_time_and_not_fetched(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/data.txt"
        default = f'{{class: File, location: "{url}"}}'
        bench.write(main=tool("cat $0", inputs=f"{{file: {{type: File, default: {default}, inputBinding: {{}}}}}}"))

        execution = bench.run()

        assert execution.status is Status.FAILED
        assert "was not staged" in (execution.error or "")
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_link_to_a_secret_is_not_handed_out(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary")
    bench.write(
        main=tool(f"ln -s {secret} out.txt", outputs="{out: {type: File, outputBinding: {glob: out.txt}}}", more="")
    )

    execution = bench.run()

    assert execution.status is Status.FAILED
    assert execution.error == "the output 'out.txt' is a link that leads out of the run"
    assert _holds(bench.content, "canary") == []


def test_a_link_inside_a_folder_is_not_handed_out(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary")
    bench.write(
        main=tool(
            f"mkdir -p d/e; ln -s {secret} d/e/f", outputs="{d: {type: Directory, outputBinding: {glob: d}}}", more=""
        )
    )

    execution = bench.run()

    assert execution.status is Status.FAILED
    assert "leads out of the run" in (execution.error or "")
    assert _holds(bench.content, "canary") == []


def test_a_link_to_another_run_is_not_handed_out(bench: Bench) -> None:
    bench.write(
        main=tool(
            "ln -s $0 out.txt",
            inputs="{there: {type: string, inputBinding: {}}}",
            outputs="{out: {type: File, outputBinding: {glob: out.txt}}}",
            more="",
        )
    )
    other = bench.content / "runs" / "7" / "outputs" / "x.txt"
    other.parent.mkdir(parents=True)
    other.write_text("canary")

    execution = bench.run(params={"there": str(other)})

    assert execution.status is Status.FAILED
    assert "leads out of the run" in (execution.error or "")


def test_a_linked_output_of_an_earlier_step_is_refused_before_it_is_read(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary")
    bench.write(
        main="""
        cwlVersion: v1.2
        class: Workflow
        inputs: {}
        outputs: {out: {type: File, outputSource: read/out}}
        steps:
          link: {run: link.cwl, in: {}, out: [out]}
          read: {run: read.cwl, in: {file: link/out}, out: [out]}
        """,
        link=tool(f"ln -s {secret} x", outputs="{out: {type: File, outputBinding: {glob: x}}}", more=""),
        read=tool("cat $0", inputs="{file: {type: File, inputBinding: {}}}"),
    )

    execution = bench.run()

    assert execution.status is Status.FAILED
    assert [one.name for one in execution.steps] == ["link"]
    assert _holds(bench.content / "runs", "canary") == []


def test_a_hard_link_to_an_input_is_made_a_file_of_its_own(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    # With namespaces what is staged is on a mount of its own, and no link to it can be made.
    monkeypatch.setattr(engines.launcher, "choices", lambda **_wish: choices(root=False, network=True)[-1:])
    bench.write(
        main=tool(
            "ln $(readlink -f $0) out.txt",
            inputs="{file: {type: File, inputBinding: {}}}",
            outputs="{out: {type: File, outputBinding: {glob: out.txt}}}",
            more="",
        )
    )
    staged = bench.file("in.txt", "text")

    execution = bench.run(params={"file": staged})

    out = bench.content / execution.outputs["out"]["path"]
    assert out.read_text() == "text", execution.error
    assert not out.samefile(staged["path"])
    assert out.stat().st_nlink == 1


def test_a_pipe_is_no_output(bench: Bench) -> None:
    bench.write(main=tool("mkfifo out.txt", outputs="{out: {type: File, outputBinding: {glob: out.txt}}}", more=""))

    assert bench.run().status is Status.FAILED


def test_a_pipe_in_a_folder_is_refused(bench: Bench) -> None:
    bench.write(main=tool("mkdir d; mkfifo d/p", outputs="{d: {type: Directory, outputBinding: {glob: d}}}", more=""))

    execution = bench.run()

    assert execution.status is Status.FAILED
    assert "neither a file, a folder nor a link" in (execution.error or "")


def test_a_name_that_is_not_utf_8_is_refused_in_words(bench: Bench) -> None:
    command = "printf x > \"$(printf 'a\\377b').txt\""
    bench.write(main=tool(command, outputs='{out: {type: File, outputBinding: {glob: "*.txt"}}}', more=""))

    execution = bench.run()

    assert execution.status is Status.FAILED
    assert "Traceback" not in (execution.error or "")


def test_six_runs_at_once_do_not_meet(bench: Bench) -> None:
    bench.write(main=tool("echo $0", inputs="{word: {type: string, inputBinding: {}}}"))
    requests = [bench.request(params={"word": str(run)}, run=run) for run in range(1, 7)]

    executions = [one.join() for one in [_Background(bench, request) for request in requests]]

    assert [bench.text(one.outputs["out"]).strip() for one in executions] == [str(run) for run in range(1, 7)]


def test_a_run_number_is_used_once(bench: Bench) -> None:
    bench.write(main=tool("true", outputs="{}", more=""))
    request = bench.request()
    bench.engine.run(request, lambda _event: None)

    with pytest.raises(WfexsError, match="has a record already"):
        bench.engine.run(request, lambda _event: None)

    assert replay(request.folder / JOURNAL).uuid == request.uuid


def test_an_interpreter_that_is_not_there_is_an_engine_error(bench: Bench, tmp_path: Path) -> None:
    from dataclasses import replace

    bench.write(main=tool("true", outputs="{}", more=""))
    request = bench.request()
    broken = replace(request, engine=replace(request.engine, program=tmp_path / "bin" / "python"))

    with pytest.raises(EngineError, match="could not be started"):
        bench.engine.run(broken, lambda _event: None)

    execution = replay(request.folder / JOURNAL)
    assert execution.status is Status.FAILED
    assert execution.steps == ()


def test_an_interpreter_without_cwltool_is_an_engine_error(bench: Bench, tmp_path: Path) -> None:
    from dataclasses import replace

    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    bench.write(main=tool("true", outputs="{}", more=""))
    request = bench.request()
    broken = replace(request, engine=replace(request.engine, program=bare / "bin" / "python"))

    with pytest.raises(EngineError, match="cwltool"):
        bench.engine.run(broken, lambda _event: None)

    assert replay(request.folder / JOURNAL).status is Status.FAILED


def test_javascript_without_node_is_an_engine_error_before_there_is_a_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    javascript = "requirements: {InlineJavascriptRequirement: {}}\nstdout: $('a' + 'b')"
    bench.write(main=tool("true", more=javascript), plain=tool("true", outputs="{}", more=""))
    request, plain = bench.request(), bench.request("plain.cwl", run=2)
    places = [
        one for one in os.environ["PATH"].split(":") if not any(Path(one, n).exists() for n in ("node", "nodejs"))
    ]
    links = tmp_path / "links"
    links.mkdir()
    for name in ("sh", "true", "unshare", "setpriv", "env"):
        (links / name).symlink_to(f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", ":".join([str(links), *places]))

    with pytest.raises(EngineError, match="node is not on the PATH"):
        bench.engine.run(request, lambda _event: None)

    assert not request.folder.exists()
    assert bench.engine.run(plain, lambda _event: None).status is Status.COMPLETED


def test_a_tampered_schema_is_not_used(bench: Bench, tmp_path: Path) -> None:
    from dataclasses import replace

    bench.installed = replace(bench.installed, home=tmp_path / "schemas")
    bench.write(main=tool("echo hello"))
    assert bench.run().status is Status.COMPLETED
    kept = sorted((tmp_path / "schemas").iterdir())
    assert kept
    for path in kept:
        path.write_bytes(path.read_bytes()[:-10] + b"9999999999")

    assert bench.run(run=2).status is Status.COMPLETED


def test_a_schema_that_others_can_write_is_not_used(bench: Bench, tmp_path: Path) -> None:
    from dataclasses import replace

    bench.installed = replace(bench.installed, home=tmp_path / "schemas")
    bench.write(main=tool("echo hello"))
    bench.run()
    kept = sorted((tmp_path / "schemas").iterdir())
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)
    before = {path: path.stat().st_ino for path in kept}
    for path in kept:
        path.chmod(0o666)

    assert bench.run(run=2).status is Status.COMPLETED
    assert all(path.stat().st_ino != inode for path, inode in before.items())


def test_an_expectation_that_holds_changes_nothing(bench: Bench) -> None:
    bench.write(main=tool("echo hello"))

    assert bench.run(outputs=(ExpectedOutput(name="out"),)).status is Status.COMPLETED


def _holds(root: Path, text: str) -> list[Path]:
    """The files below a folder that hold a text (the workflow's own documents aside)."""
    return [
        path
        for path in root.rglob("*")
        if path.is_file() and not path.is_relative_to(root / "workflow") and text in path.read_text(errors="replace")
    ]
