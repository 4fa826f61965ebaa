"""A run of any engine: what its child says becomes the record, and there is an end to it whatever happens."""

from __future__ import annotations

import json
import sys
import textwrap
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

import engines.child
from engines.base import FormalParameter, InstalledEngine, Placement, ResumeFrom, RunRequest, WorkflowInterface
from engines.execution import Execution, Status
from engines.isolation import Isolation
from engines.journal import JOURNAL
from engines.phrasing import sentence
from engines.recording import RecordedRun, record
from engines.settling import settle
from engines.stopping import CANCEL
from staging.errors import EngineError
from staging.plan import Plan, WorkflowEntry

START = f"""
import os, sys
for name, path in (("engines", []), ("engines.child", {list(engines.child.__path__)!r})):
    sys.modules[name] = module = type(sys)(name)
    module.__path__ = path
from engines.child import loopback, walls
from engines.child.events import now
from engines.child.request import take

text, request, events = take(int(sys.argv[1]), int(sys.argv[2]))
events.tell("ready", {{}})
loopback.bring_up()
content = request["content"]
outputs = content + "/runs/1/outputs"
def end(code=0, **made):
    values = {{}}
    for name, said in made.items():
        with open(f"{{outputs}}/{{name}}.txt", "w") as stream:
            stream.write(said)
        values[name] = {{"class": "File", "path": f"{{outputs}}/{{name}}.txt"}}
    events.tell("ended", {{"exit_code": code, "outputs": values}})
    os._exit(code)
"""


class SmallRun(RecordedRun):
    """An engine that is a few lines of Python."""

    def argv(self) -> tuple[str, ...]:
        return (sys.executable, "-I", "-S", str(self.request.content / "child.py"))

    def child_request(self, isolation: Isolation) -> Mapping[str, object]:
        return self.walls(isolation)

    def ended(self, last: Mapping[str, Any]) -> dict[str, Any]:
        failure = {"error": "it said no", "tail": ["no"]} if last["exit_code"] else None
        return settle(self.request, self.relative, last["exit_code"], last["outputs"], {}, failure=failure)

    def leave(self, end: dict[str, Any]) -> None:
        kept = self.tmp / "kept"
        if kept.exists():
            kept.rename(self.request.folder / "engine" / "kept")


@dataclass
class Place:
    """Where a small engine runs."""

    content: Path
    heard: list[Mapping[str, Any]] = field(default_factory=list)

    def run(self, child: str, kind: type[RecordedRun] = SmallRun, **more: Any) -> Execution:
        (self.content / "child.py").write_text(START + textwrap.dedent(child))
        request = RunRequest(
            plan=Plan(
                workflow=WorkflowEntry(
                    path=PurePosixPath("workflow/main"), language="small", language_version="1", process=None
                ),
                engine="small",
                engine_version="1",
                items=(),
                parameters={},
                environment={},
            ),
            interface=WorkflowInterface(
                entry=PurePosixPath("main"),
                process=None,
                language="small",
                language_version="1",
                kind="Workflow",
                inputs=(),
                outputs=(FormalParameter(name="other", type="File", required=False),),
            ),
            engine=InstalledEngine(
                name="small",
                version="1",
                identifier="pkg:generic/small@1",
                fingerprint="ab",
                size=1,
                program=Path(sys.executable),
                platform={"java": "17.0.15 (Debian)"},
            ),
            content=self.content,
            folder=self.content / "runs" / "1",
            run=1,
            uuid=str(uuid.uuid4()),
            parameters={"reads": {"class": "File", "path": f"{self.content}/inputs/reads.fq"}},
            overrides={},
            environment={},
            placement=Placement(cores=1, memory=1 << 30, time=more.pop("time", 30)),
            **more,
        )
        return record(request, self.heard.append, kind, folders=("outputs", "logs", "tmp", "tmp/home", "engine"))

    @property
    def last_event(self) -> dict[str, Any]:
        """The last line of the journal."""
        found: dict[str, Any] = json.loads((self.content / "runs/1" / JOURNAL).read_text().splitlines()[-1])
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    content = tmp_path / "content"
    content.mkdir()
    return Place(content)


def test_what_the_child_says_becomes_the_record(place: Place) -> None:
    execution = place.run(
        """
        step = {"id": "7", "name": "align (a)", "step": "align"}
        events.tell("step-started", {**step, "time": now(), "command": ["cat", content + "/inputs/reads.fq"]})
        events.tell("step-ended", {**step, "time": now(), "status": "completed", "exit_code": 0})
        end(out="made")
        """
    )

    assert (execution.status, execution.error, execution.engine) == (Status.COMPLETED, None, "small")
    assert execution.parameters == {"reads": {"class": "File", "path": "inputs/reads.fq"}}
    assert (execution.outputs["out"]["size"], execution.outputs["out"]["path"]) == (4, "runs/1/outputs/out.txt")
    assert execution.outputs["other"] is None
    (step,) = execution.steps
    assert (step.id, step.name, step.command) == ("7", "align (a)", ("cat", "inputs/reads.fq"))
    assert [one["event"] for one in place.heard][-3:] == ["step-started", "step-ended", "run-ended"]
    assert json.loads((place.content / "runs/1/run.json").read_text())["steps"] == [
        {"name": "align (a)", "attempt": 1, "status": "completed", "exit_code": 0}
    ]


def test_the_record_says_what_the_engine_ran_on_and_which_run_it_went_on_from(place: Place) -> None:
    execution = place.run("end()", resume=ResumeFrom(4, place.content / "runs/4"))

    assert execution.platform == {"java": "17.0.15 (Debian)"}
    assert execution.resumed == 4


def test_what_the_engine_says_went_wrong_is_the_reason(place: Place) -> None:
    execution = place.run("end(2, out='half')")

    assert (execution.status, execution.exit_code, execution.error) == (Status.FAILED, 2, "it said no")
    assert (execution.tail, [*execution.outputs]) == (("no",), ["out"])


def test_a_child_that_dies_is_a_failed_run_with_its_last_words(place: Place) -> None:
    execution = place.run("print('ouch', file=sys.stderr, flush=True); os._exit(3)")

    assert (execution.status, execution.exit_code) == (Status.FAILED, 3)
    assert (execution.error, execution.tail) == ("the engine ended without a word", ("ouch",))


def test_the_time_limit_ends_a_run(place: Place) -> None:
    execution = place.run("import time; time.sleep(60)", time=1)

    assert execution.status is Status.FAILED
    assert execution.error == "the run was stopped because it took longer than its time limit of 1 s"


def test_a_run_that_was_cancelled_is_a_killed_one_even_if_it_got_to_its_end(place: Place) -> None:
    execution = place.run(f"open(content + '/runs/1/{CANCEL}', 'w'); end()")

    assert (execution.status, execution.error) == (Status.KILLED, "it was cancelled")


def test_a_broken_engine_is_an_error_and_has_a_record(place: Place) -> None:
    with pytest.raises(EngineError, match="small could not be used: it lacks a jar"):
        place.run("events.tell('broken', {'message': 'it lacks a jar'}); os._exit(1)")

    assert (place.last_event["event"], place.last_event["status"]) == ("run-ended", "failed")


def test_what_has_to_stay_is_taken_before_the_scratch_is_cleared(place: Place) -> None:
    place.run("open(content + '/runs/1/tmp/kept', 'w').write('x'); end()")

    assert (place.content / "runs/1/engine/kept").read_text() == "x"
    assert list((place.content / "runs/1/tmp").iterdir()) == []


def test_what_can_not_be_kept_fails_the_run(place: Place) -> None:
    class Full(SmallRun):
        def leave(self, end: dict[str, Any]) -> None:
            raise OSError(28, "No space left on device")

    execution = place.run("end()", Full)

    assert execution.status is Status.FAILED
    assert "keep what the run made" in (execution.error or "")


def test_the_request_is_gone_once_it_was_read(place: Place) -> None:
    execution = place.run("end(out=repr(os.pread(int(sys.argv[1]), 100, 0)) + str('token' in request))")

    assert (place.content / str(execution.outputs["out"]["path"])).read_text() == "b''False"


@pytest.mark.netns
def test_what_is_staged_can_not_be_changed_behind_the_walls(place: Place) -> None:
    (place.content / "inputs").mkdir()

    execution = place.run(
        """
        held = walls.close(request)
        said = []
        for path in (content + "/inputs/new", request["sealed"][0], os.path.dirname(walls.__file__) + "/new"):
            try:
                open(path, "ab").close()
                said.append("open")
            except OSError as error:
                said.append(str(error.errno))
        end(out=" ".join([str(held), *said]))
        """
    )

    told = (place.content / str(execution.outputs["out"]["path"])).read_text()
    assert told == "True 30 30 30", "a read-only file system says 30"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "it failed"),
        ("one.", "one"),
        ("one\ntwo\nthree", "one two"),
        ("Traceback:\n  at x\nValueError: no", "Traceback: ValueError: no"),
    ],
)
def test_of_many_words_a_sentence_stays(said: str, told: str) -> None:
    assert sentence(said) == told
