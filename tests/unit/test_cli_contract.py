"""The contract with scripts: one JSON object with the promised keys, the exit code, and words for people elsewhere.

A small session of known answers stands where the real one would be; the flow tests use the real one.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest

from engines.base import EngineVersion, InstalledEngine
from engines.execution import Attempt, Execution, Status, StepRun
from engines.secrecy import REASONS
from staging.errors import (
    CrateError,
    DefinitionError,
    DigestError,
    Fault,
    FetchError,
    LockedError,
    NotFoundError,
    WfexsError,
)
from staging.fingerprints import Fingerprint
from staging.index import Origin
from staging.plan import Kind
from staging.upkeep import Collected, Problem, StoreEntry
from tests.support.outcomes import Outcome
from wfexs_like.cli.context import App
from wfexs_like.cli.main import main
from wfexs_like.cli.options import ALLOWABLE
from wfexs_like.cli.table import NAMES, PLANNED
from wfexs_like.crate.report_types import CrateReport, Validation, ValidationIssue
from wfexs_like.importing.report import ImportReport
from wfexs_like.reading.account import (
    Account,
    Agent,
    Image,
    Item,
    Parameter,
    Quantity,
    Run,
    Slot,
    Software,
    Step,
    Workflow,
)
from wfexs_like.reading.account import Execution as Told
from wfexs_like.reading.account import StepRun as ToldStep
from wfexs_like.results import EngineReport, ItemReport, StageReport, WorkdirReport
from wfexs_like.schemas import names, schema_of

SHA = "ab" * 32
ITEM = ItemReport(
    role="input",
    name="reads",
    identifier="https://example.org/reads.fq",
    pinned="https://example.org/reads.fq",
    size=1500,
    sha256=SHA,
    trust="first-use",
    source="fetched",
    licences=("CC0-1.0",),
    risks=("no digest stated: trusted on first use",),
)
STEP = StepRun(
    name="align/sort",
    status=Status.COMPLETED,
    exit_code=0,
    started="2024-01-01T00:00:00.000+00:00",
    ended="2024-01-01T00:00:02.500+00:00",
)
EXECUTION = Execution(
    run=1,
    uuid="6f1c",
    status=Status.COMPLETED,
    engine="cwltool",
    engine_version="3.3",
    exit_code=0,
    started="2024-01-01T00:00:00.000+00:00",
    ended="2024-01-01T00:00:03.000+00:00",
    steps=(STEP,),
    outputs={
        "calls": {
            "class": "File",
            "path": "runs/1/outputs/calls.vcf",
            "size": 12,
            "sha256": SHA,
            "basename": "calls.vcf",
            "secondaryFiles": [
                {"class": "File", "path": "runs/1/outputs/calls.vcf.idx", "size": 3, "sha256": SHA, "basename": "i"}
            ],
        },
        "folder": {"class": "Directory", "path": "runs/1/outputs/d", "sha256": SHA, "basename": "d"},
        "count": 5,
        "nothing": None,
        "several": [{"class": "File", "path": "runs/1/outputs/x", "size": 0, "sha256": SHA, "basename": "x"}],
    },
    network="namespace",
    logs=(PurePosixPath("runs/1/logs/engine.log"),),
)
VALIDATION = Validation(
    profile="workflow-run-crate-0.5",
    passed=False,
    required=1,
    recommended=0,
    issues=(ValidationIssue(severity="required", check="ro-crate-1.1_5.3", entity="./", message="no licence"),),
)


_TOOL = Software(id="t.cwl", name="t", version="1", programs=(Software(id="#p", name="p"),))
_DONE = Told(
    id="#1",
    name="Run 1",
    status="completed",
    instrument=_TOOL,
    started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    ended=datetime(2026, 1, 2, 3, 4, 7, tzinfo=UTC),
    seconds=2.0,
    exit_code=0,
    agents=(Agent(id="#ada", name="Ada"),),
    inputs=(
        Slot(
            name="reads",
            parameter=Parameter(id="w.cwl#reads", name="reads"),
            items=(Item(id="r.fq", kind="file", name="r.fq", path="r.fq", digests={"sha256": SHA}, size=3),),
        ),
    ),
    images=(Image(id="#i", name="quay.io/x:1", sha256=SHA),),
    resources=(Quantity(name="wall-clock time", value=2.0, unit="s"),),
)
ACCOUNT = Account(
    name="A crate",
    workflow=Workflow(software=_TOOL, steps=(Step(id="#s", name="align", position=0, tool=_TOOL),)),
    runs=(Run(execution=_DONE, number=1, engine=_TOOL, steps=(ToldStep(step="align", position=0, execution=_DONE),)),),
    missing=("no licence is told",),
)


@dataclass
class Found:
    id: str
    nickname: str
    content: Path
    numbers: tuple[int, ...] = (1, 2)
    vault: str = "plain"

    def runs(self) -> tuple[int, ...]:
        return self.numbers


@dataclass
class KnownAnswers:
    """A session that knows its answers; ``raises`` makes every verb fail, ``asked`` keeps what was asked."""

    root: Path
    faults: tuple[Fault, ...] = ()
    execution: Execution = EXECUTION
    validation: Validation = VALIDATION
    problems: tuple[Problem, ...] = ()
    items: tuple[ItemReport, ...] = (ITEM,)
    verified: bool = True
    raises: BaseException | None = None
    log_files: tuple[Path, ...] = ()
    events: tuple[Mapping[str, Any], ...] = ()
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def _hear(self, *what: Any) -> None:
        # Whether it is meant by a name or was found before makes no difference to the answers.
        self.asked.append(tuple(one.id if isinstance(one, Found) else one for one in what))
        if self.raises is not None:
            raise self.raises

    def account(self, target: str, **options: Any) -> Account:
        self._hear("account", target, options)
        return ACCOUNT

    def _stage_report(self, identifier: str | None) -> StageReport:
        there = identifier is not None
        return StageReport(
            id=identifier,
            nickname="brave-otter" if there else None,
            path=self.root.parent if there else None,
            content=self.root if there else None,
            lock_path=self.root / "stage.lock.json" if there else None,
            lock_digest=f"sha256:{SHA}" if there else None,
            items=self.items,
            changes=("reads changed: ab12 -> cd34",) if there else (),
        )

    def _workdir_report(self) -> WorkdirReport:
        return WorkdirReport(
            id="0a1b",
            nickname="brave-otter",
            path=self.root.parent,
            content=self.root,
            created="2024-01-01T00:00:00.000000+00:00",
            lock_digest=f"sha256:{SHA}",
            engine="cwltool@3.3",
            items=(replace(ITEM, risks=()),),
            runs=(self.execution,),
        )

    def check(self, stage_file: Path) -> tuple[Fault, ...]:
        self._hear("check", stage_file)
        return self.faults

    def resolve(self, stage_file: Path, *, locked: Path | None = None) -> StageReport:
        self._hear("resolve", stage_file, locked)
        return self._stage_report(None)

    def stage(self, stage_file: Path, **more: Any) -> StageReport:
        self._hear("stage", stage_file, more)
        return self._stage_report("0a1b")

    @contextmanager
    def opened(self, workdir: str) -> Iterator[Found]:
        yield self.locate(workdir)

    def name_of(self, found: Found) -> str:
        return found.id

    def locate(self, workdir: str) -> Found:
        self._hear("locate", workdir)
        return Found("0a1b", "brave-otter", self.root)

    def run(
        self,
        workdir: str,
        *,
        params: Any,
        resume: Any,
        require_offline: bool,
        allowed: tuple[str, ...],
        listener: Callable[[Mapping[str, Any]], None],
    ) -> Execution:
        offline = ("offline",) if require_offline else ()
        self._hear("run", workdir, params, *(() if resume is None else (resume,)), *offline, *allowed)
        for event in self.events:
            listener(event)
        return self.execution

    def crate(self, workdir: str, destination: Path, **more: Any) -> CrateReport:
        self._hear("crate", workdir, destination, more)
        return CrateReport(
            path=destination,
            kind=more["kind"],
            profiles=("https://w3id.org/ro/wfrun/workflow/0.5",),
            validation=replace(VALIDATION, required=0) if more["validate"] else None,
        )

    def refuse_clear(self, workdir: str, *, sealed: bool, allowed: bool) -> None:
        self._hear("refuse_clear", workdir, sealed, allowed)

    def import_crate(self, crate: Path, **more: Any) -> ImportReport:
        self._hear("import_crate", crate, more)
        staged = self._stage_report("0a1b")
        return ImportReport(crate=crate, level=more["level"], run=more["run"], staged=staged, overrides={"a": 1})

    def validate(self, crate: Path, *, profile: str | None = None) -> Validation:
        self._hear("validate", crate, profile)
        return self.validation

    def judge(self, crate: Path, *, profiles: tuple[str, ...] = (), level: str | None = None) -> tuple[Validation, ...]:
        self._hear("judge", crate, profiles, level)
        return (self.validation,)

    def workdirs(self) -> tuple[WorkdirReport, ...]:
        self._hear("workdirs")
        return (self._workdir_report(),)

    def show(self, workdir: str) -> WorkdirReport:
        self._hear("show", workdir)
        return self._workdir_report()

    def logs(self, workdir: str, run: int | None = None) -> tuple[Path, ...]:
        self.asked.append(("logs", workdir, run))
        return self.log_files

    def remove(self, workdir: str, *, force: bool = False) -> Path:
        self._hear("remove", workdir, force)
        return self.root

    def cancel(self, workdir: str, run: int | None = None) -> tuple[int, ...]:
        self._hear("cancel", workdir, run)
        return (2,)

    def engines(self) -> tuple[EngineReport, ...]:
        self._hear("engines")
        there = EngineVersion(
            version="24.10.0",
            known=True,
            cached=True,
            default=True,
            source="maven",
            fingerprint=SHA,
            size=57_000_000,
            verified=self.verified,
            platform={"java": "17.0.15 (Debian)"},
        )
        absent = EngineVersion(
            version="22.10.7", known=True, cached=False, default=False, lacks="Java 11 to 19 (found: none)"
        )
        return tuple(EngineReport(engine="nextflow", version=one) for one in (absent, there))

    def engine_add(self, name: str) -> InstalledEngine:
        self._hear("engine_add", name)
        return InstalledEngine(
            name="nextflow",
            version="24.10.0",
            identifier="pkg:maven/io.nextflow/nextflow@24.10.0",
            fingerprint=SHA,
            size=57_000_000,
            program=Path("/usr/bin/java"),
            source="fetched",
            platform={"java": "17.0.15 (Debian)"},
        )

    @property
    def cache(self) -> SimpleNamespace:
        return SimpleNamespace(
            list=self.cache_list,
            add=self.cache_add,
            verify=self.cache_verify,
            remove=self.cache_remove,
            gc=self.cache_gc,
        )

    def cache_list(self) -> tuple[StoreEntry, ...]:
        self._hear("cache_list")
        fingerprint = Fingerprint(digest=SHA)
        origin = Origin(
            identifier=ITEM.identifier, kind=Kind.FILE, fingerprint=fingerprint, size=1500, fetched="2024-01-01"
        )
        return (StoreEntry(fingerprint=fingerprint, kind=Kind.FILE, size=1500, verified=None, origins=(origin,)),)

    def cache_add(self, identifier: str, *, sha256: str | None = None) -> ItemReport:
        self._hear("cache_add", identifier, sha256)
        return ITEM

    def cache_verify(self) -> tuple[Problem, ...]:
        self._hear("cache_verify")
        return self.problems

    def cache_remove(self, what: str, *, force: bool = False) -> Collected:
        self._hear("cache_remove", what, force)
        return Collected(removed=(SHA,), size=1500)

    def cache_gc(self, *, dry_run: bool = False) -> Collected:
        self._hear("cache_gc", dry_run)
        return Collected(removed=(SHA,), size=1500)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


Call = Callable[..., Outcome]


@pytest.fixture
def session(tmp_path: Path) -> KnownAnswers:
    return KnownAnswers(tmp_path)


@pytest.fixture
def call(session: KnownAnswers) -> Call:
    def call(*argv: str, answer: str | None = None) -> Outcome:
        """``answer`` is what a person at a terminal types; without one there is no terminal."""
        stdin = io.StringIO() if answer is None else Terminal(answer)
        stderr = io.StringIO() if answer is None else Terminal()
        app = App(
            environment={"HOME": str(session.root), "TERM": "dumb"},
            stdin=stdin,
            stdout=io.StringIO(),
            stderr=stderr,
            session=session,  # type: ignore[arg-type]
        )
        code = main(argv, app)
        return Outcome(code, app.stdout.getvalue(), stderr.getvalue())  # type: ignore[attr-defined]

    return call


EVERY_RESULT = [
    ("check", ["check", "demo.stage"], 0),
    ("report", ["report", "results.crate"], 0),
    ("resolve", ["resolve", "demo.stage"], 0),
    ("stage", ["stage", "demo.stage"], 0),
    ("import", ["import", "results.crate", "--run", "2", "--level", "metadata"], 0),
    ("run", ["run", "last"], 0),
    ("execute", ["execute", "demo.stage"], 0),
    ("execute", ["execute", "demo.stage", "--crate", "out"], 0),
    ("crate", ["crate", "last", "out"], 0),
    ("crate", ["crate", "last", "out", "--no-validate", "--prospective"], 0),
    ("list", ["list"], 0),
    ("show", ["show", "last"], 0),
    ("logs", ["logs", "last"], 0),
    ("cancel", ["cancel", "last"], 0),
    ("rm", ["rm", "last"], 0),
    ("validate", ["validate", "crate"], 9),
    ("validate-profiles", ["validate", "--list-profiles"], 0),
    ("run", ["run", "last", "--resume", "1"], 0),
    ("engines-list", ["engines", "list"], 0),
    ("engines-add", ["engines", "add", "nextflow@24.10.0"], 0),
    ("cache-list", ["cache", "list"], 0),
    ("cache-add", ["cache", "add", ITEM.identifier], 0),
    ("cache-verify", ["cache", "verify"], 0),
    ("cache-remove", ["cache", "remove", SHA], 0),
    ("cache-gc", ["cache", "gc", "--dry-run"], 0),
]


@pytest.mark.parametrize(("name", "argv", "code"), EVERY_RESULT)
def test_every_result_is_one_object_that_its_published_schema_describes(
    call: Call, name: str, argv: list[str], code: int
) -> None:
    outcome = call(*argv, "--json")
    assert outcome.code == code, outcome.stderr
    assert outcome.object["schema"] == f"wfexs-like/{name}/1"
    published = schema_of("stage-result" if name == "stage" else name)
    jsonschema.Draft202012Validator(published).validate(outcome.object)


@pytest.mark.parametrize(("name", "argv", "code"), EVERY_RESULT)
def test_every_result_has_a_form_for_people_that_is_not_json(call: Call, name: str, argv: list[str], code: int) -> None:
    outcome = call(*argv)
    assert outcome.code == code
    assert not outcome.stdout.startswith("{")
    assert "Traceback" not in outcome.stderr
    assert outcome.stdout.endswith("\n") or name == "logs"


@pytest.mark.parametrize("name", [name for name in names() if name != "stage"])
def test_every_published_schema_is_one_and_demands_something(name: str) -> None:
    schema = schema_of(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate({})


def test_the_file_of_an_output_has_an_absolute_path_with_all_that_was_promised(
    call: Call, session: KnownAnswers
) -> None:
    outputs = call("run", "last", "--json").object["outputs"]
    assert outputs["calls"] == {
        "class": "File",
        "path": f"{session.root}/runs/1/outputs/calls.vcf",
        "size": 12,
        "sha256": SHA,
        "basename": "calls.vcf",
        "secondaryFiles": [
            {
                "class": "File",
                "path": f"{session.root}/runs/1/outputs/calls.vcf.idx",
                "size": 3,
                "sha256": SHA,
                "basename": "i",
            }
        ],
    }
    assert set(outputs["folder"]) == {"class", "path", "sha256", "basename"}
    assert outputs["folder"]["path"] == f"{session.root}/runs/1/outputs/d"
    assert outputs["count"] == 5
    assert outputs["nothing"] is None
    assert outputs["several"][0]["path"] == f"{session.root}/runs/1/outputs/x"


def test_a_run_tells_its_number_status_times_and_steps(call: Call) -> None:
    run = call("run", "last", "--json").object
    promised = ("id", "run", "status", "exit_code", "started", "ended", "steps")
    assert {key: run[key] for key in promised} == {
        "id": "0a1b",
        "run": 1,
        "status": "completed",
        "exit_code": 0,
        "started": "2024-01-01T00:00:00.000+00:00",
        "ended": "2024-01-01T00:00:03.000+00:00",
        "steps": [
            {
                "name": "align/sort",
                "attempt": 1,
                "status": "completed",
                "exit_code": 0,
                "started": "2024-01-01T00:00:00.000+00:00",
                "ended": "2024-01-01T00:00:02.500+00:00",
                "error": None,
            }
        ],
    }


def test_stage_prints_the_id_alone_and_its_words_elsewhere(call: Call) -> None:
    outcome = call("stage", "demo.stage")
    assert outcome.stdout == "0a1b\n"
    assert "trusted on first use" in outcome.stderr
    assert "since the old lock: reads changed: ab12 -> cd34" in outcome.stderr


def test_quiet_leaves_the_id_and_nothing_else(call: Call) -> None:
    outcome = call("stage", "demo.stage", "-q")
    assert (outcome.stdout, outcome.stderr) == ("0a1b\n", "")


def test_options_of_staging_reach_the_session(call: Call, session: KnownAnswers) -> None:
    call("stage", "demo.stage", "--locked", "old.lock", "--update", "--nickname", "mine", "--from", "last")
    options = {"locked": Path("old.lock"), "update": True, "nickname": "mine", "recipients": (), "like": "last"}
    assert session.asked[0] == ("stage", Path("demo.stage"), options)


def test_parameters_of_a_run_reach_the_session(call: Call, session: KnownAnswers) -> None:
    call("run", "last", "--param", "threads=4", "--param", "name=x y")
    assert session.asked[-1] == ("run", "0a1b", {"threads": "4", "name": "x y"})


def test_that_a_run_has_to_be_offline_reaches_the_session(call: Call, session: KnownAnswers) -> None:
    call("run", "last", "--require-offline")
    assert session.asked[-1] == ("run", "0a1b", {}, "offline")
    call("execute", "it.wfex.stage", "--require-offline")
    assert session.asked[-1] == ("run", "0a1b", {}, "offline")


def test_what_a_run_tried_to_reach_is_told(call: Call, session: KnownAnswers) -> None:
    attempts = (
        Attempt(protocol="tcp", address="192.0.2.1", port=80, step="align"),
        Attempt(protocol="tcp", address="2001:db8::1", port=443),
        Attempt(protocol="dns", port=53, name="example.org", count=3),
        Attempt(protocol="dns", address="8.8.8.8", port=53, name="example.net", program="dig"),
        Attempt(protocol="udp", address="192.0.2.1", port=123, step="align"),
        Attempt(protocol="icmp", address="192.0.2.1"),
    )
    session.execution = replace(EXECUTION, network="namespace", watched=True, attempts=attempts, attempts_unlisted=2)
    told = (
        "tried to connect: 192.0.2.1:80 (step align), [2001:db8::1]:443, example.org (DNS), "
        "example.net (DNS at 8.8.8.8, dig), 192.0.2.1:123 (udp, step align), 192.0.2.1 (icmp) and 2 more"
    )
    assert told in call("run", "last").stdout
    assert told in call("show", "last").stdout
    document = call("run", "last", "--json").object
    assert document["offline"]["unlisted"] == 2
    assert document["attempts"][2]["count"] == 3
    session.execution = replace(EXECUTION, network="namespace", watched=False)
    assert "no network, not watched" in call("show", "last").stdout


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"watched": False, "unwatched_because": "there is no /dev/net/tun"},
            "run 1 had no network, but what it tried to reach could not be watched: there is no /dev/net/tun",
        ),
        (
            {"watched": True, "containers_watched": False, "unwatched_because": "docker is elsewhere"},
            "run 1 had no network, but what its containers tried to reach could not be watched: docker is elsewhere",
        ),
        ({"network": "none", "argv": ("cwltool",)}, "run 1 was not kept from the network, since this host"),
        ({"network": "none"}, None),
        ({"watched": True, "containers_watched": True}, None),
    ],
)
def test_a_run_says_when_it_was_not_isolated_or_not_watched_and_why(
    call: Call, session: KnownAnswers, changes: dict[str, Any], told: str | None
) -> None:
    session.execution = replace(EXECUTION, **changes)

    answer = call("run", "last")

    warnings = [line for line in answer.stderr.splitlines() if "warning" in line]
    assert len(warnings) == (told is not None)
    assert told is None or warnings[0].startswith(f"wfexs-like: warning: {told}")
    assert "warning" not in call("run", "last", "--quiet").stderr
    document = call("run", "last", "--json").object
    assert document["offline"].get("unwatched_because") == changes.get("unwatched_because")
    assert document["offline"]["isolated"] is (changes.get("network") is None)
    if changes.get("unwatched_because"):
        assert changes["unwatched_because"] in call("show", "last").stdout


@pytest.mark.parametrize(("typed", "heard"), [("3", 3), ("last", "last")])
def test_the_run_to_continue_reaches_the_session_and_is_told(
    call: Call, session: KnownAnswers, typed: str, heard: object
) -> None:
    session.execution = replace(EXECUTION, run=4, resumed=3, steps=(replace(STEP, cached=True), STEP))
    outcome = call("run", "last", "--resume", typed, "--json")
    assert session.asked[-1] == ("run", "0a1b", {}, heard)
    assert outcome.object["resumed"] == 3
    assert "continued run 3: 1 of 2 tasks taken from there" in call("run", "last", "--resume", typed).stdout
    assert "continued run 3" in call("show", "last").stdout
    session.execution = EXECUTION
    assert "resumed" not in call("run", "last", "--json").object


@pytest.mark.parametrize("what", ["0", "-1", "first", "1.5", ""])
def test_what_is_no_run_can_not_be_continued(call: Call, session: KnownAnswers, what: str) -> None:
    outcome = call("run", "last", f"--resume={what}", "--json")
    assert (outcome.code, outcome.object["error"]["kind"]) == (2, "usage")
    assert all(one[0] != "run" for one in session.asked)


@pytest.mark.parametrize(
    ("engine", "done", "hinted"), [("nextflow", 1, True), ("nextflow", 0, False), ("cwltool", 1, False)]
)
def test_continuing_is_offered_where_the_engine_can_and_something_was_done(
    call: Call, session: KnownAnswers, engine: str, done: int, hinted: bool
) -> None:
    failed = replace(STEP, name="COUNT (1)", id="ab" * 16, status=Status.FAILED, exit_code=3)
    session.execution = replace(
        EXECUTION, run=7, engine=engine, status=Status.FAILED, exit_code=1, steps=(STEP,) * done + (failed,)
    )
    assert ('"wfexs-like run 0a1b --resume 7" continues where it stopped' in call("run", "last").stderr) is hinted


def test_the_log_of_the_attempt_that_failed_for_good_is_shown_and_no_other(
    call: Call, session: KnownAnswers, tmp_path: Path
) -> None:
    steps = tmp_path / "logs" / "steps"
    steps.mkdir(parents=True)
    (tmp_path / "logs" / "report.html").write_text("<html>")
    (tmp_path / "logs" / "engine.log").write_text("the engine's own words\n")
    (tmp_path / "logs" / "nextflow.log").write_text("notes for whoever mends it\n")
    (steps / "aaaaaaaa-COUNT_1.stderr").write_text("the first attempt\n")
    (steps / "bbbbbbbb-COUNT_1.stderr").write_text("the second attempt\n")
    session.log_files = tuple(sorted(path for path in (tmp_path / "logs").rglob("*") if path.is_file()))
    first = replace(STEP, name="COUNT (1)", id="a" * 32, status=Status.FAILED, exit_code=3, after="retry")
    second = replace(first, id="b" * 32, attempt=2, after="terminate")
    session.execution = replace(EXECUTION, status=Status.FAILED, exit_code=1, steps=(first, second))
    shown = [line for line in call("run", "last").stderr.splitlines() if line.startswith("  | ")]
    assert shown == ["  | the second attempt"]
    session.execution = replace(session.execution, steps=())
    shown = [line for line in call("run", "last").stderr.splitlines() if line.startswith("  | ")]
    assert shown == ["  | the engine's own words"]
    session.log_files, session.execution = (), replace(session.execution, tail=("what the record kept",))
    assert "  | what the record kept" in call("run", "last").stderr.splitlines()


def test_the_logs_verb_names_reports_and_prints_logs(call: Call, session: KnownAnswers, tmp_path: Path) -> None:
    (tmp_path / "engine.log").write_text("the engine's own words\n")
    (tmp_path / "report.html").write_text("<html>")
    session.log_files = (tmp_path / "engine.log", tmp_path / "report.html")
    text = call("logs", "last").stdout
    assert "the engine's own words" in text
    assert f"==> {tmp_path}/report.html <==\n(a report: 6 B)" in text
    assert "<html>" not in text


def test_engines_are_listed_with_what_they_run_on_or_lack(call: Call, session: KnownAnswers) -> None:
    lines = call("engines", "list").stdout.splitlines()
    assert lines[0].split() == [
        "ENGINE",
        "VERSION",
        "DEFAULT",
        "KNOWN",
        "CACHED",
        "VERIFIED",
        "SOURCE",
        "SIZE",
        "RUNS",
        "ON",
    ]
    assert lines[1].split(maxsplit=8)[2:] == ["no", "yes", "no", "-", "-", "-", "lacks Java 11 to 19 (found: none)"]
    assert lines[2].split(maxsplit=9)[2:] == [
        "yes",
        "yes",
        "yes",
        "yes",
        "maven",
        "57.0",
        "MB",
        "java 17.0.15 (Debian)",
    ]
    assert len(lines) == 3
    session.verified = False
    assert 'nextflow@24.10.0 is damaged: "wfexs-like engines add' in call("engines", "list").stdout


def test_the_files_of_an_engine_are_one_line_for_people_and_all_there_for_scripts(
    call: Call, session: KnownAnswers
) -> None:
    engine = replace(ITEM, role="engine", name="nextflow", identifier="nextflow@24.10.0", size=3000, risks=())
    files = tuple(replace(engine, name=f"nextflow/{name}.jar", size=1500) for name in ("groovy", "guava"))
    session.items = (ITEM, engine, *files)
    lines = call("resolve", "demo.stage").stdout.splitlines()
    assert [line.split()[:4] for line in lines[1:3]] == [
        ["input", "reads", "1.5", "kB"],
        ["engine", "nextflow", "(2", "files)"],
    ]
    assert lines[-1] == "2 items, 4.5 kB"
    assert "staged 2 items (4.5 kB)" in call("stage", "demo.stage").stderr
    assert len(call("stage", "demo.stage", "--json").object["items"]) == 4


def test_an_engine_that_was_added_is_told_in_a_line(call: Call, session: KnownAnswers) -> None:
    outcome = call("engines", "add", "nextflow")
    assert outcome.stdout == "nextflow@24.10.0 is ready (57.0 MB, fetched), on java 17.0.15 (Debian)\n"
    assert session.asked == [("engine_add", "nextflow")]


def test_options_of_a_crate_reach_the_session(call: Call, session: KnownAnswers) -> None:
    call("crate", "last", "out.zip", "--run", "2", "--include", "inputs,outputs", "--licence", "MIT", "--rehash")
    assert session.asked == [
        (
            "crate",
            "last",
            Path("out.zip"),
            {
                "kind": "retrospective",
                "run": 2,
                "include": frozenset({"inputs", "outputs"}),
                "licence": "MIT",
                "validate": True,
                "rehash": True,
                "signer": None,
                "seal": None,
                "allow_clear": False,
                "wrroc": "0.5",
                "engine_configuration": False,
                "prov": False,
            },
        )
    ]


@pytest.mark.parametrize("argv", [["run", "last"], ["execute", "demo.stage"], ["show", "last"]])
def test_outputs_lie_below_the_content_of_the_working_directory(
    call: Call, session: KnownAnswers, argv: list[str]
) -> None:
    told = call(*argv, "--json").object
    run = told["run"] if argv[0] == "execute" else told["runs"][0] if argv[0] == "show" else told
    assert run["outputs"]["calls"]["path"] == f"{session.root}/runs/1/outputs/calls.vcf"


def test_execute_runs_and_exports_what_it_staged(call: Call, session: KnownAnswers) -> None:
    result = call("execute", "demo.stage", "--crate", "out", "--param", "a=1", "--json").object
    asked = [one for one in session.asked if one[0] != "locate"]
    assert [one[0] for one in asked] == ["stage", "refuse_clear", "run", "crate"]
    assert asked[1] == ("refuse_clear", "0a1b", False, False)
    assert asked[2] == ("run", "0a1b", {"a": "1"})
    assert asked[3][1] == "0a1b"
    assert result["stage"]["id"] == result["run"]["id"] == "0a1b"
    assert result["crate"]["path"] == "out"


def test_the_reasons_that_a_run_may_be_allowed_are_those_that_there_are() -> None:
    assert set(ALLOWABLE) == REASONS.keys()


def test_faults_of_a_stage_file_come_in_full_with_exit_code_3(call: Call, session: KnownAnswers) -> None:
    session.faults = (
        Fault(file="demo.stage", where="params.a", message="unknown key", line=3, column=5, hint="did you mean b?"),
        Fault(file="demo.stage", where="", message="empty"),
    )
    outcome = call("check", "demo.stage", "--json")
    assert outcome.code == 3
    assert outcome.object == {
        "schema": "wfexs-like/check/1",
        "valid": False,
        "faults": [
            {
                "file": "demo.stage",
                "where": "params.a",
                "line": 3,
                "column": 5,
                "message": "unknown key",
                "hint": "did you mean b?",
            },
            {"file": "demo.stage", "where": None, "line": None, "column": None, "message": "empty", "hint": None},
        ],
    }
    text = call("check", "demo.stage")
    assert text.code == 3
    assert "demo.stage:3:5: params.a: unknown key (did you mean b?)" in text.stdout
    assert "2 faults" in text.stdout


def test_staging_a_bad_file_is_an_error_that_carries_its_faults(call: Call, session: KnownAnswers) -> None:
    session.raises = DefinitionError((Fault(file="demo.stage", where="a", message="wrong", line=1, column=2),))
    outcome = call("stage", "demo.stage", "--json")
    error = outcome.object["error"]
    assert outcome.code == error["exit_code"] == 3
    assert error["faults"][0]["line"] == 1
    assert "demo.stage:1:2: a: wrong" in outcome.stderr


def test_a_failed_workflow_is_the_run_object_with_exit_code_8_and_shows_the_end_of_its_log(
    call: Call, session: KnownAnswers, tmp_path: Path
) -> None:
    logs = tmp_path / "logs" / "steps"
    logs.mkdir(parents=True)
    (tmp_path / "logs" / "engine.log").write_text("the engine's own words\n")
    (logs / "align%2Fsort.stdout").write_text("not this\n")
    (logs / "align%2Fsort.stderr").write_text("".join(f"line {number}\n" for number in range(100)) + "\x1b[31mboom\n")
    session.log_files = tuple(sorted(path for path in (tmp_path / "logs").rglob("*") if path.is_file()))
    failed = replace(STEP, status=Status.FAILED, exit_code=3)
    session.execution = replace(
        EXECUTION, status=Status.FAILED, exit_code=1, outputs={}, steps=(failed,), error="step 'align/sort' failed"
    )
    outcome = call("run", "last", "--json")
    assert outcome.code == 8
    assert outcome.object["schema"] == "wfexs-like/run/1"
    assert (outcome.object["status"], outcome.object["exit_code"]) == ("failed", 1)
    assert outcome.object["steps"][0]["exit_code"] == 3
    shown = [line.removeprefix("  | ") for line in outcome.stderr.splitlines() if line.startswith("  | ")]
    assert shown == [*(f"line {number}" for number in range(81, 100)), "boom"]
    assert "wfexs-like: error: the workflow failed in run 1: step 'align/sort' failed" in outcome.stderr


@pytest.mark.parametrize("written", ["waiting for ever\n", ""])
def test_a_run_that_took_too_long_shows_what_its_step_wrote_or_nothing(
    call: Call, session: KnownAnswers, tmp_path: Path, written: str
) -> None:
    (tmp_path / "engine.log").write_text("INFO [job align/sort] docker run --rm --interactive --log-driver=none ...\n")
    (tmp_path / "align%2Fsort.stderr").write_text(written)
    session.log_files = tuple(sorted(tmp_path.iterdir()))
    stopped = replace(STEP, status=Status.KILLED, exit_code=None, ended=None)
    error = "the run was stopped because it took longer than its time limit of 3 s"
    session.execution = replace(EXECUTION, status=Status.FAILED, exit_code=None, steps=(stopped,), error=error)

    said = call("run", "last").stderr

    assert error in said
    assert "docker run" not in said
    shown = [line.removeprefix("  | ") for line in said.splitlines() if line.startswith("  | ")]
    assert shown == written.splitlines()


def test_the_tracebacks_of_an_engine_are_left_out_of_what_is_shown(
    call: Call, session: KnownAnswers, tmp_path: Path
) -> None:
    log = tmp_path / "engine.log"
    log.write_text(
        "INFO start\nTraceback (most recent call last):\n  File 'x', line 1\n    raise\nError: the reason\nINFO end\n"
        "java.io.IOException: the cause\n\tat java.base/java.io.File$1.<init>(File.java:12)\n\t... 3 more\n"
        "end at (all)\n"
    )
    session.log_files = (log,)
    session.execution = replace(EXECUTION, status=Status.FAILED, exit_code=1, steps=())
    shown = [line for line in call("run", "last").stderr.splitlines() if line.startswith("  | ")]
    assert shown == [
        "  | INFO start",
        "  | Error: the reason",
        "  | INFO end",
        "  | java.io.IOException: the cause",
        "  | end at (all)",
    ]


def test_a_failed_run_still_gets_its_crate_and_exit_code_8(call: Call, session: KnownAnswers) -> None:
    session.execution = replace(EXECUTION, status=Status.FAILED, exit_code=1)
    outcome = call("execute", "demo.stage", "--crate", "out", "--json")
    assert outcome.code == 8
    assert outcome.object["run"]["status"] == "failed"
    assert outcome.object["crate"]["path"] == "out"


@pytest.mark.parametrize(("error", "code"), [("it was stopped by signal 2", 130), ("it was cancelled", 143)])
def test_a_killed_run_is_told_with_the_code_of_its_signal(
    call: Call, session: KnownAnswers, error: str, code: int
) -> None:
    session.execution = replace(EXECUTION, status=Status.KILLED, exit_code=None, ended=None, error=error)
    outcome = call("run", "last", "--json")
    assert outcome.code == code
    assert outcome.object["status"] == "killed"
    assert outcome.object["exit_code"] is None


def test_steps_are_told_while_they_happen(call: Call, session: KnownAnswers) -> None:
    session.events = (
        {"event": "run-started"},
        {"event": "step-started", "name": "index"},
        {"event": "step-ended", "name": "index", "status": "completed", "exit_code": 0},
    )
    assert "step index completed" in call("run", "last").stderr


def test_attempts_at_a_task_are_told_apart_while_they_happen(call: Call, session: KnownAnswers) -> None:
    one: dict[str, Any] = {"name": "COUNT (1)", "id": "a" * 32, "attempt": 1}
    two: dict[str, Any] = {"name": "COUNT (1)", "id": "b" * 32, "attempt": 2}
    times = {"started": "2024-01-01T00:00:00.000+00:00", "ended": "2024-01-01T00:00:04.000+00:00"}
    session.events = (
        {"event": "step-ended", "name": "SPLIT", "id": "c" * 32, "status": "completed", "exit_code": 0, "cached": True},
        {"event": "step-started", **one},
        {"event": "step-ended", **one, **times, "status": "failed", "exit_code": 3, "after": "retry"},
        {"event": "step-started", **two},
        {"event": "step-ended", **two, **times, "status": "failed", "exit_code": 3, "after": "ignore"},
    )
    assert call("run", "last").stderr.splitlines() == [
        "task SPLIT taken from an earlier run",
        "task COUNT (1) failed with exit code 3 after 4.0 s, tried again",
        "task COUNT (1) (attempt 2) failed with exit code 3 after 4.0 s, ignored",
    ]


def test_a_damaged_store_is_told_in_full_with_exit_code_5(call: Call, session: KnownAnswers) -> None:
    session.problems = (Problem(sha256=SHA, path=Path("/store/ab"), problem="its bytes are wrong"),)
    outcome = call("cache", "verify", "--json")
    assert outcome.code == 5
    assert outcome.object["ok"] is False
    assert outcome.object["problems"] == [{"path": "/store/ab", "problem": "its bytes are wrong", "sha256": SHA}]


def test_a_crate_that_passes_is_exit_code_0_and_one_that_fails_is_9_with_its_issues(
    call: Call, session: KnownAnswers
) -> None:
    outcome = call("validate", "crate", "--profile", "p", "--json")
    assert outcome.code == 9
    assert outcome.object["passed"] is False
    assert outcome.object["issues"] == [
        {"severity": "required", "check": "ro-crate-1.1_5.3", "entity": "./", "message": "no licence"}
    ]
    assert session.asked == [("judge", Path("crate"), ("p",), None)]
    session.validation = replace(VALIDATION, passed=True, required=0, issues=())
    assert call("validate", "crate").code == 0


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (FetchError("no answer", identifier="https://x/y"), 4, "fetch"),
        (DigestError("not the same", expected=SHA, actual="cd" * 32, hint="look again"), 5, "digest"),
        (CrateError("wrong"), 9, "crate"),
        (NotFoundError("no such thing"), 10, "not-found"),
        (LockedError("busy"), 11, "locked"),
        (WfexsError("something"), 1, "other"),
        (OSError(28, "No space left on device"), 13, "disk"),
        (OSError(13, "Permission denied", "/x"), 1, "other"),
        (MemoryError(), 1, "other"),
        (RuntimeError("a slip of ours"), 1, "other"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_every_failure_is_an_exit_code_an_object_and_a_sentence(
    call: Call, session: KnownAnswers, error: BaseException, code: int, kind: str
) -> None:
    session.raises = error
    outcome = call("show", "last", "--json")
    assert outcome.code == code
    jsonschema.Draft202012Validator(schema_of("error")).validate(outcome.object)
    told = outcome.object["error"]
    assert set(told) >= {"kind", "exit_code", "message", "hint", "where"}
    assert (told["kind"], told["exit_code"]) == (kind, code)
    assert outcome.stderr.startswith("wfexs-like: error: ")
    assert "Traceback" not in outcome.stderr
    text = call("show", "last")
    assert (text.code, text.stdout) == (code, "")


def test_a_digest_error_shows_both_digests_in_full(call: Call, session: KnownAnswers) -> None:
    session.raises = DigestError("not the same", expected=SHA, actual="cd" * 32, identifier="https://x/y", hint="look")
    outcome = call("stage", "demo.stage", "--json")
    assert outcome.object["error"]["expected"] == SHA
    assert outcome.object["error"]["actual"] == "cd" * 32
    assert "wfexs-like: hint: look" in outcome.stderr


def test_an_error_after_the_result_does_not_print_a_second_object() -> None:
    app = App(environment={}, stdin=io.StringIO(), stdout=io.StringIO(), stderr=io.StringIO())
    app.options = app.options._replace(json=True)
    app.emit("list", {"workdirs": []}, str)
    app.emit_error({"schema": "wfexs-like/error/1"})
    assert json.loads(app.stdout.getvalue()) == {"schema": "wfexs-like/list/1", "workdirs": []}  # type: ignore[attr-defined]


def test_a_slip_of_ours_is_an_apology_that_names_type_and_place(call: Call, session: KnownAnswers) -> None:
    session.raises = RuntimeError("a slip of ours\nwith a second line")
    outcome = call("show", "last", "--json")
    told = outcome.object["error"]
    assert "RuntimeError: a slip of ours" in told["message"]
    assert told["exception"] == "RuntimeError"
    assert told["where"].startswith("test_cli_contract.py:")


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["frobnicate"],
        ["stage"],
        ["stage", "a", "b"],
        ["stage", "a", "--no-such-option"],
        ["run", "last", "--param", "novalue"],
        ["run", "last", "--param"],
        ["crate", "last", "out", "--prospective", "--retrospective"],
        ["crate", "last", "out", "--prospective", "--run", "1"],
        ["crate", "last", "out", "--include", "everything"],
        ["execute", "demo.stage", "--crate", "/tmp"],
        ["execute", "demo.stage", "--include", "inputs"],
        ["logs", "last", "zero"],
        ["logs", "last", "0"],
        ["cache"],
        ["cache", "frobnicate"],
        ["completion", "tcsh"],
        ["list", "--config"],
        ["staged-workdir", "frobnicate"],
        *[[name] for name in PLANNED],
    ],
)
def test_a_wrong_command_line_is_exit_code_2_and_touches_nothing(
    call: Call, session: KnownAnswers, argv: list[str]
) -> None:
    outcome = call(*argv, "--json")
    assert outcome.code == 2
    assert outcome.object["error"]["kind"] == "usage"
    assert outcome.object["error"]["hint"]
    assert [asked for asked in session.asked if asked[0] != "locate"] == []
    assert call(*argv).stdout == ""


def test_verbs_to_come_are_said_to_be_not_built_yet_and_misspelt_ones_are_guessed(call: Call) -> None:
    assert "not built yet" in call("publish").stderr
    assert 'did you mean "wfexs-like stage"?' in call("stge").stderr


@pytest.mark.parametrize("verb", NAMES)
def test_the_help_of_every_verb_ends_with_an_example_of_it(call: Call, verb: str) -> None:
    outcome = call(verb, "--help")
    assert outcome.code == 0
    last = outcome.stdout.rstrip().splitlines()[-1]
    assert last.strip().startswith(f"wfexs-like {verb}")


@pytest.mark.parametrize("action", ["list", "add", "verify", "remove", "gc"])
def test_the_help_of_every_action_of_the_cache_ends_with_an_example_of_it(call: Call, action: str) -> None:
    last = call("cache", action, "--help").stdout.rstrip().splitlines()[-1]
    assert last.strip().startswith(f"wfexs-like cache {action}")
    assert last.strip() in call("man").stdout.replace("\\-", "-")


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (["execute", "a.stage", "--crate"], "execute"),
        (["cache", "add", "--sha256"], "cache add"),
        (["stage"], "stage"),
        (["cache"], "cache"),
    ],
)
def test_the_hint_of_a_wrong_use_leads_to_the_help_of_that_verb(call: Call, argv: list[str], command: str) -> None:
    outcome = call(*argv)
    assert outcome.code == 2
    assert f'"wfexs-like {command} --help"' in outcome.stderr


def test_the_help_of_crate_tells_its_defaults(call: Call) -> None:
    words = " ".join(call("crate", "--help").stdout.split())
    assert "What ran (the default)" in words
    assert "When nothing is said: the outputs of a retrospective crate" in words


def test_help_and_version_are_one_object_too(call: Call) -> None:
    assert call("--help", "--json").object["schema"] == "wfexs-like/help/1"
    assert call("stage", "--help", "--json").object["command"] == "wfexs-like stage"
    assert set(call("--version", "--json").object) == {"schema", "version"}


def test_removing_asks_at_a_terminal_and_takes_no_for_an_answer(call: Call, session: KnownAnswers) -> None:
    refused = call("rm", "last", answer="n\n")
    assert refused.code == 1
    assert "with 1 run? [y/N]" in refused.stderr
    assert not [asked for asked in session.asked if asked[0] == "remove"]
    assert call("rm", "last", answer="y\n").code == 0
    assert call("rm", "last", "--yes", answer="").code == 0
    assert call("rm", "last", "--force", answer="").code == 0
    assert call("rm", "last", "--json", answer="").code == 0
    assert [asked[2] for asked in session.asked if asked[0] == "remove"] == [False, False, True, False]


def test_logs_are_printed_one_after_the_other_and_kept_harmless(
    call: Call, session: KnownAnswers, tmp_path: Path
) -> None:
    first, second = tmp_path / "engine.log", tmp_path / "a.stderr"
    first.write_bytes(b"one\ntwo\n\x1b[2Jthree \xff\n")
    second.write_text("x\n")
    session.log_files = (first, second)
    assert call("logs", "last").stdout == f"==> {first} <==\none\ntwo\nthree \\xff\n==> {second} <==\nx\n"
    assert call("logs", "last", "--tail", "1").stdout == f"==> {first} <==\nthree \\xff\n==> {second} <==\nx\n"
    told = call("logs", "last", "1", "--json").object
    assert told["run"] == 1
    assert told["files"][0] == {"path": str(first), "size": first.stat().st_size}
    assert call("logs", "last", "--json").object["run"] == 2


def test_showing_a_working_directory_tells_items_runs_steps_and_outputs(call: Call, session: KnownAnswers) -> None:
    text = call("show", "last").stdout
    for expected in ("brave-otter", "0a1b", "cwltool@3.3", "1.5 kB", "first-use", "run 1  completed", "align/sort"):
        assert expected in text
    assert f"calls: {session.root}/runs/1/outputs/calls.vcf (12 B)" in text


def test_attempts_and_work_that_was_done_before_are_told(call: Call, session: KnownAnswers) -> None:
    first = replace(STEP, status=Status.FAILED, exit_code=3, after="retry")
    session.execution = replace(
        EXECUTION, steps=(first, replace(STEP, attempt=2), replace(STEP, name="x", id="x", cached=True))
    )

    steps = call("run", "last", "--json").object["steps"]
    text = call("show", "last").stdout

    assert [(one["attempt"], one.get("after"), one.get("cached")) for one in steps] == [
        (1, "retry", None),
        (2, None, None),
        (1, None, True),
    ]
    assert "step align/sort (attempt 2)  completed" in text
    assert f"  {'step x':<{len('step align/sort (attempt 2)')}}  completed  from an earlier run" in text


def test_what_a_run_was_given_instead_of_what_is_staged_is_shown_with_it(call: Call, session: KnownAnswers) -> None:
    session.execution = replace(EXECUTION, overrides={"ploidy": 2})
    assert "  with ploidy=2\n" in call("show", "last").stdout
    session.execution = EXECUTION
    assert "  with " not in call("show", "last").stdout


def test_the_step_to_blame_is_not_one_that_was_tried_again() -> None:
    from wfexs_like.cli.running import failing_step

    failed = replace(STEP, status=Status.FAILED)
    retried, ignored, last = (replace(failed, name=after, after=after) for after in ("retry", "ignore", "terminate"))

    assert failing_step(replace(EXECUTION, steps=(retried, ignored, last))) is last
    assert failing_step(replace(EXECUTION, steps=(retried, ignored))) is None


def test_schemas_are_listed_and_printed(call: Call) -> None:
    assert call("schema").stdout.split() == list(names())
    assert json.loads(call("schema", "lock").stdout)["title"] == "wfexs-like lock file"
    assert call("schema", "stage", "--json").object["document"]["type"] == "object"
    missing = call("schema", "nothing", "--json")
    assert (missing.code, missing.object["error"]["kind"]) == (10, "not-found")


def test_continuing_is_not_offered_where_the_workflow_itself_would_fail_again(
    call: Call, session: KnownAnswers
) -> None:
    said = "continues where it stopped"
    failed = replace(
        EXECUTION, run=7, engine="nextflow", status=Status.FAILED, exit_code=0, error="no output", steps=(STEP,)
    )
    session.execution = failed
    assert said not in call("run", "last").stderr
    session.execution = replace(failed, status=Status.KILLED, exit_code=None)
    assert said in call("run", "last").stderr
    session.execution = replace(failed, steps=(STEP, replace(STEP, name="SLOW", id="ab" * 16, status=Status.KILLED)))
    assert said in call("run", "last").stderr


@pytest.mark.parametrize(
    ("line", "network", "hinted"),
    [
        ("urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>", "namespace", True),
        ("curl: (6) Could not resolve host: example.org", "namespace", True),
        ("OSError: [Errno 101] Network is unreachable", "namespace", True),
        ("curl: (6) Could not resolve host: example.org", "none", False),
        ("no such file", "namespace", False),
    ],
)
def test_a_run_that_wanted_the_network_is_told_that_it_has_none(
    call: Call, session: KnownAnswers, line: str, network: str, hinted: bool
) -> None:
    session.execution = replace(EXECUTION, status=Status.FAILED, exit_code=1, network=network, tail=(line,))
    assert ("this run has no network: stage what it needs" in call("run", "last").stderr) is hinted


def test_the_names_of_outputs_and_the_reason_stay_on_their_lines(call: Call, session: KnownAnswers) -> None:
    outputs = {"a\nwfexs-like: error: b\x1b[2J": {"class": "File", "path": "x\ny\r", "size": 1, "sha256": "0" * 64}}
    session.execution = replace(EXECUTION, outputs=outputs)
    assert "\n  a\\nwfexs-like: error: b: " in call("run", "last").stdout
    assert "x\\ny\\r (1 B)" in call("run", "last").stdout
    session.execution = replace(EXECUTION, status=Status.FAILED, exit_code=1, error="one\ntwo")
    assert "one\\ntwo\n" in call("run", "last").stderr
