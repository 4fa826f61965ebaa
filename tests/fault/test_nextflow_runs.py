"""Nextflow runs that fail, are stopped or killed: what is said, what the record holds, and that nothing survives."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

import engines.launcher
from engines.execution import Status
from engines.isolation import choices
from engines.journal import JOURNAL, is_live, replay
from engines.stopping import stop, tidy
from staging.definition import EngineSettings
from staging.errors import DefinitionError, PolicyError, UsageError
from tests.conftest import Command
from tests.support.apart import apart
from tests.support.nextflow_runs import (
    PATIENCE,
    Background,
    NextflowBench,
    bench,
    each,
    journal,
    marked,
    nextflows,
    oldest_and_newest,
    paths,
    step,
    steps,
    wait_for,
)

__all__ = ["bench", "each", "nextflows", "oldest_and_newest"]

pytestmark = pytest.mark.nextflow


# --- a task fails -----------------------------------------------------------------------------------------------------

FAILING = """
nextflow.enable.dsl = 2
process FINE {
  publishDir 'res'
  output: path 'fine.txt'
  script: "echo fine > fine.txt"
}
process BAD {
  tag "x 'y'"
  publishDir 'res', mode: 'copy'
  time { params.mode == 'time' ? '1s' : '1h' }
  input: path fine
  output: path 'bad.txt'
  script:
  '''
  MODE=''' + params.mode + '''
  case $MODE in
    fail) seq 30 >&2; exit 7;;
    kill) echo soon over >&2; kill -9 $$;;
    time) sleep 60;;
    missing) echo forgot it;;
  esac
  '''
}
workflow { FINE(); BAD(FINE.out) }
"""


@pytest.mark.parametrize(
    ("mode", "exit_code", "words", "tail"),
    [
        ("kill", 137, "exit code 137 (signal 9; was there enough memory?)", None),
        ("time", None, "1s", None),
        ("missing", 0, "bad.txt", ["forgot it"]),
    ],
)
def test_the_failing_task_is_named_with_its_last_lines(
    bench: NextflowBench, mode: str, exit_code: int | None, words: str, tail: list[str] | None
) -> None:
    bench.write(FAILING)

    execution = bench.run({"mode": mode})

    assert (execution.status, execution.exit_code) == (Status.FAILED, 1)
    error = execution.error or ""
    assert "\"BAD (x 'y')\"" in error, error
    assert words in error
    assert len(error.splitlines()) == 1
    assert str(bench.content) not in error
    if tail is not None:
        assert list(execution.tail) == tail
    if mode == "kill":
        assert any(one.startswith(".command.run: line ") for one in execution.tail), execution.tail
    bad = step(execution, "BAD")
    assert (bad.status, bad.attempt, bad.after) == (Status.FAILED, 1, "terminate")
    if exit_code is not None:
        assert bad.exit_code == exit_code
    # What the others made is there, and what they were given is told.
    assert step(execution, "FINE").status is Status.COMPLETED
    assert paths(bad.inputs) == paths(step(execution, "FINE").outputs)
    assert execution.outputs["res/fine.txt"]["size"] == 5
    assert list((bench.folder() / "tmp").iterdir()) == []
    assert any("steps" in str(one) for one in execution.logs) == (mode in ("missing", "kill"))


def test_the_command_line_says_which_task_and_why(wfexs: Command, nextflow: Path, tmp_path: Path) -> None:
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow" / "main.nf").write_text(FAILING.replace("nextflow.enable", "params.mode = 'x'\nnextflow.enable"))
    stage_file = tmp_path / "bad.wfex.stage"
    stage_file.write_text(
        "workflow_id: flow\nengine: nextflow@24.10.0\nworkflow_config: {secure: false}\nparams: {mode: fail}\n"
    )
    staged = wfexs.ok("stage", stage_file)

    told = wfexs("run", staged["id"])

    assert told.code == 8
    assert "task \"BAD (x 'y')\" failed: exit code 7" in told.stderr
    assert [line for line in told.stderr.splitlines() if line.startswith("  | ")] == [
        f"  | {number}" for number in range(11, 31)
    ]
    assert [(one["status"], one["exit_code"]) for one in told.object["steps"]] == [("completed", 0), ("failed", 7)]


def test_what_goes_wrong_between_tasks_is_said_in_a_line(bench: NextflowBench) -> None:
    bench.write("process X { output: val 1\n script: 'true' }\nworkflow { X() | map { it.nothing.there() } }")

    execution = bench.run()

    assert execution.status is Status.FAILED
    error = execution.error or ""
    assert "No such variable: nothing" in error, error
    assert len(error.splitlines()) == 1
    assert str(bench.content) not in error


# --- the network ------------------------------------------------------------------------------------------------------


@pytest.mark.netns
def test_neither_a_task_nor_the_engine_reaches_the_network_and_both_attempts_are_named(bench: NextflowBench) -> None:
    bench.write("""
    params.where = 'task'
    process FETCH {
      errorStrategy 'ignore'
      output: path 'x'
      script: '''
      python3 -c "import urllib.request; urllib.request.urlopen('http://far.example.org/x', timeout=5)"
      '''
    }
    process READ {
      input: path far
      script: "cat $far"
    }
    workflow {
      if (params.where == 'engine') println new URL('http://far.example.org/x').text
      else FETCH() | ifEmpty('none') | map { file('http://far.example.org/x') } | READ
    }
    """)

    tasks = bench.run({"where": "task"})
    engine = bench.run({"where": "engine"}, run=2)

    assert (tasks.status, engine.status) == (Status.FAILED,) * 2
    assert tasks.network == engine.network == "namespace"
    assert "far.example.org" in (step(tasks, "FETCH").script or "")
    (said,) = (bench.folder() / "logs/steps").glob("*-FETCH.stderr")
    assert "urlopen" in said.read_text() or "resolution" in said.read_text()
    assert (tasks.error or "").startswith("task 'READ"), tasks.error
    assert "far.example.org" in (tasks.error or ""), tasks.error
    assert "far.example.org" in (engine.error or ""), engine.error


# --- what can't even begin --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("process X {\n  script: 'true'\n}\nworkflow { X( }\n", "main.nf"),
        ("include { X } from './gone'\nworkflow { X() }\n", "gone"),
        ("workflow { NOBODY() }\n", "NOBODY"),
    ],
)
def test_a_script_that_is_wrong_is_a_fault_in_words(bench: NextflowBench, script: str, words: str) -> None:
    bench.write(script)

    try:
        bench.inspect()
    except DefinitionError as error:
        said = error.message
    else:
        # Only the run can see it.
        execution = bench.run()
        assert execution.status is Status.FAILED
        said = execution.error or ""

    assert words in said
    assert str(bench.content) not in said
    assert "Traceback" not in said
    assert "\tat " not in said


def test_a_script_that_is_not_there_and_a_profile_that_nobody_knows(bench: NextflowBench) -> None:
    bench.write("workflow {}", nextflow__config="profiles { small {}\n big {} }")

    with pytest.raises(DefinitionError, match=r"gone\.nf"):
        bench.inspect("gone.nf")
    with pytest.raises(DefinitionError, match="no profile 'huge'") as caught:
        bench.inspect(settings=EngineSettings(profiles=("small", "huge")))
    assert caught.value.hint


# --- stopped and killed -----------------------------------------------------------------------------------------------


def _sleeper(bench: NextflowBench) -> str:
    """A task that starts a daemon in a session of its own and then waits; returns what marks its processes."""
    mark = f"6{time.monotonic_ns() % 10**8:08}"
    bench.write(f"""
    nextflow.enable.dsl = 2
    process DONE {{
      output: path 'done.txt'
      script: "date +%s%N > done.txt"
    }}
    process SLEEP {{
      publishDir 'res', mode: 'copy'
      input:
      path done
      val quick
      output: path 'slept.txt'
      script: "cp $done slept.txt; [ $quick = true ] || {{ setsid sleep {mark} & sleep {mark}; }}"
    }}
    workflow {{ DONE(); SLEEP(DONE.out, params.quick) }}
    """)
    return mark


def _asleep(bench: NextflowBench, mark: str) -> list[int]:
    """The sleeping processes, once both are there."""
    found: list[int] = wait_for(lambda: [one for one in (marked(mark),) if len(one) >= 2])[0]
    return found


def test_cancel_leaves_neither_jvm_nor_task(bench: NextflowBench) -> None:
    mark = _sleeper(bench)
    request = bench.request({"quick": False})
    running = Background(bench, request)
    _asleep(bench, mark)
    assert replay(request.folder / JOURNAL).status is Status.RUNNING
    # Which of the two begins first is the engine's choice.
    wait_for(lambda: Status.RUNNING in [one.status for one in replay(request.folder / JOURNAL).steps])

    assert stop(request.folder)

    execution = running.join()
    assert (execution.status, execution.exit_code) == (Status.KILLED, None)
    assert marked(mark) == []
    assert marked(str(request.folder)) == []
    assert (step(execution, "DONE").status, step(execution, "SLEEP").status) == (Status.COMPLETED, Status.KILLED)
    assert list((request.folder / "tmp").iterdir()) == []
    assert not stop(request.folder)


def test_without_namespaces_nothing_is_left_either(bench: NextflowBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.launcher, "choices", lambda **_wish: choices(root=False, network=True)[-1:])
    mark = _sleeper(bench)
    request = bench.request({"quick": False})
    running = Background(bench, request)
    _asleep(bench, mark)

    assert stop(request.folder)

    execution = running.join()
    assert (execution.status, execution.network) == (Status.KILLED, "none")
    wait_for(lambda: not marked(mark) and not marked(str(request.folder)))


def test_after_kill_9_nothing_runs_and_the_run_can_be_continued(bench: NextflowBench, tmp_path: Path) -> None:
    mark = _sleeper(bench)
    request = bench.request({"quick": False})
    with apart("nextflow", request, tmp_path) as parent:
        _asleep(bench, mark)
        # The engine notes what is finished a moment after it is.
        caches = request.folder / "outputs" / ".nextflow" / "cache"
        wait_for(lambda: any(one.read_bytes().strip(b"\0") for one in caches.glob("*/db/*.log")))

        parent.kill()
        parent.wait(PATIENCE)

    wait_for(lambda: not marked(mark) and not marked(str(request.folder)))
    execution = replay(request.folder / JOURNAL)
    assert execution.status is Status.KILLED
    assert (execution.ended, execution.exit_code) == (None, None)
    assert step(execution, "SLEEP").status is Status.KILLED
    tidy(request.folder)
    assert list((request.folder / "tmp").iterdir()) == []

    continued = bench.run({"quick": True}, run=2, resume=1)

    assert continued.status is Status.COMPLETED, (continued.error, continued.tail)
    assert continued.resumed == 1
    assert step(continued, "DONE").cached
    (made,) = [one for one in (bench.folder(1) / "engine/work").rglob("done.txt") if not one.is_symlink()]
    assert bench.read("res/slept.txt", 2) == made.read_text()


def test_an_interrupt_ends_the_run_and_its_record(bench: NextflowBench, tmp_path: Path) -> None:
    mark = _sleeper(bench)
    request = bench.request({"quick": False})
    with apart("nextflow", request, tmp_path) as parent:
        _asleep(bench, mark)

        parent.send_signal(signal.SIGINT)

        said, _ = parent.communicate(timeout=PATIENCE)
    assert said.strip() == "killed"
    assert marked(mark) == []
    assert marked(str(request.folder)) == []
    execution = replay(request.folder / JOURNAL)
    assert (execution.status, execution.signal) == (Status.KILLED, signal.SIGINT)
    assert execution.ended is not None


@pytest.mark.parametrize("delay", [0.1, 1.0])
def test_killed_at_any_moment_there_is_an_honest_record_or_none(
    bench: NextflowBench, tmp_path: Path, delay: float
) -> None:
    _sleeper(bench)
    request = bench.request({"quick": False})
    with apart("nextflow", request, tmp_path) as parent:
        wait_for(request.folder.exists)
        time.sleep(delay)
        parent.kill()
        parent.wait(PATIENCE)

    wait_for(lambda: not marked(str(request.folder)))
    record = request.folder / JOURNAL
    if record.exists():
        wait_for(lambda: not is_live(record))
        assert replay(record).status is Status.KILLED


def test_a_jvm_that_is_killed_is_a_failed_run_that_says_so(bench: NextflowBench) -> None:
    mark = _sleeper(bench)
    request = bench.request({"quick": False})
    running = Background(bench, request)
    _asleep(bench, mark)
    (jvm,) = [pid for pid in marked("nextflow.cli.Launcher") if str(request.folder).encode() in _words(pid)]

    os.kill(jvm, signal.SIGKILL)

    execution = running.join()
    assert execution.status is Status.FAILED
    assert "signal 9" in (execution.error or ""), execution.error
    assert marked(mark) == []
    assert step(execution, "SLEEP").status is Status.KILLED


def _words(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_the_time_limit_of_a_run_is_kept(bench: NextflowBench) -> None:
    mark = _sleeper(bench)

    execution = bench.run({"quick": False}, time=6)

    assert execution.status is Status.FAILED
    assert "time limit of 6 s" in (execution.error or "")
    assert marked(mark) == []


def test_a_daemon_does_not_outlive_its_run(bench: NextflowBench) -> None:
    mark = f"7{time.monotonic_ns() % 10**8:08}"
    # One that holds none of the task's pipes: for such Nextflow waits.
    bench.write(f"""
    process START {{
      shell: '''
      python3 -c "from subprocess import *
      Popen(['sleep', '{mark}'], start_new_session=True, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)"
      '''
    }}
    workflow {{ START() }}
    """)

    assert bench.run().status is Status.COMPLETED
    assert marked(mark) == []


def test_runs_at_once_do_not_meet(bench: NextflowBench) -> None:
    bench.write("""
    process SAY {
      publishDir 'res', mode: 'symlink'
      input: val word
      output: path 'said.txt'
      script: "sleep 0.5; echo $word > said.txt"
    }
    workflow { SAY(params.word) }
    """)

    running = [Background(bench, bench.request({"word": f"word {run}"}, run=run)) for run in (1, 2)]
    executions = [one.join() for one in running]

    assert [one.status for one in executions] == [Status.COMPLETED] * 2, [one.error for one in executions]
    assert [bench.read("res/said.txt", run) for run in (1, 2)] == ["word 1\n", "word 2\n"]
    assert all(len(steps(one, "SAY")) == 1 for one in executions)


# --- a run that is not what it seems ----------------------------------------------------------------------------------

ENDED_EARLY = """
process A { output: path 'a.txt'
  script: "[ $params.how != halted ] || exit 3; echo a > a.txt" }
process B {
  input: path a
  output: path 'b.txt'
  publishDir '.', mode: 'copy'
  script: "sleep 60; mv $a b.txt" }
def begun(work) {
  def found = 0
  work.toFile().eachFileRecurse { if (it.name == '.command.begin') found++ }
  found
}
def afterBegin(work, what) { Thread.start { while (begun(work) < 2) { sleep(50) }; sleep(300); what() } }
workflow {
  A() | B
  if (params.how == 'left') { afterBegin(workflow.workDir) { System.exit(0) } }
}
workflow.onError { if (params.how == 'halted') { Runtime.runtime.halt(0) } }
"""


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("halted", "task 'A' failed: exit code 3"),
        ("left", "the engine ended while task 'B' was still running"),
    ],
)
def test_an_engine_that_ends_well_before_its_tasks_do_is_a_failed_run(
    bench: NextflowBench, how: str, words: str
) -> None:
    bench.write(ENDED_EARLY)

    execution = bench.run({"how": how})

    assert execution.status is Status.FAILED
    assert words in (execution.error or "")


def test_an_engine_that_ends_between_tasks_is_a_failed_run(bench: NextflowBench) -> None:
    bench.write("process A { script: 'true' }\nworkflow { A(); Runtime.runtime.halt(0) }")

    execution = bench.run()

    assert (execution.status, execution.error) == (Status.FAILED, "the engine ended before the workflow did")


FORGED = """
process A {{ publishDir '.', mode: 'copy'
  output: path 'a.txt'
  script: 'echo a > a.txt' }}
workflow {{ A()
  def witness = session.observers.find {{ it.class.name.contains('Witness') }}
  def say = witness.class.declaredMethods.find {{ it.name == 'say' && it.parameterCount == 3 }}
  say.accessible = true
  say.invoke(witness, '{word}', null, {{ -> {said} }})
}}
"""


@pytest.mark.parametrize(
    ("word", "said", "words"),
    [
        # What else is of no form is asked in tests/unit/test_nextflow_hearing.py.
        ("task-completed", "[hash: 'x', name: 3, process: [], inputs: 7]", "spoke in the place of the engine"),
        ("published", "[target: '/']", "published to outside of the run: /"),
        (
            "published",
            "[target: workflow.launchDir.toString() + '/x', source: '/']",
            "it published /, which leads out of the run",
        ),
    ],
)
def test_what_a_workflow_says_in_the_place_of_the_engine_fails_the_run(
    bench: NextflowBench, word: str, said: str, words: str
) -> None:
    bench.write(FORGED.format(word=word, said=said))

    begun = time.monotonic()
    execution = bench.run()

    assert execution.status is Status.FAILED
    assert words in (execution.error or ""), execution.error
    assert journal(bench.folder())[-1]["error_kind"] == PolicyError.kind
    # Nobody went through the whole disk.
    assert time.monotonic() - begun < PATIENCE / 2


def test_a_line_of_the_witness_that_is_missing_fails_the_run(bench: NextflowBench) -> None:
    said = "throw new Exception('nothing')"
    bench.write(FORGED.format(word="published", said=said))

    execution = bench.run()

    assert (execution.status, execution.error) == (Status.FAILED, "what is to be recorded could not be told")


MISCHIEF = """
process A {
  publishDir '.', mode: 'copy'
  output: path 'o'
  shell: '''
  mkdir o; echo good > o/a.txt
  case !{params.what} in
    state) mkdir -p !{launchDir}/../engine/state;;
    names) touch "$(printf 'o/a\\nb')";;
  esac
  '''
}
process B { input: path o
  output: val 1
  script: "[ $params.what != overwritten ] || echo evil > $launchDir/o/a.txt" }
workflow { A() | B }
"""


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("state", "a task made 'engine/state', which is the engine's"),
        ("names", r"the output 'o/a\nb' has a line break"),
        ("overwritten", "the output 'o' and the file that task 'A' published as it are no longer the same"),
    ],
)
def test_mischief_with_outputs_and_the_runs_own_files_fails_the_run(
    bench: NextflowBench, what: str, words: str
) -> None:
    bench.write(MISCHIEF)

    execution = bench.run({"what": what})

    assert execution.status is Status.FAILED
    assert words in (execution.error or ""), execution.error
    assert journal(bench.folder())[-1]["error_kind"] == PolicyError.kind
    assert not any(".nextflow" in name for name in execution.outputs)
    if what == "state":
        with pytest.raises(UsageError, match="nothing to continue from"):
            bench.run({"what": what}, run=2, resume=1)
