"""Running: a run watched by a person, and what is said when it fails."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from staging.errors import WfexsError
from wfexs_like.cli.context import App, is_terminal, shown_path
from wfexs_like.cli.render import elapsed, one_line, plain

if TYPE_CHECKING:
    from engines.execution import Execution, StepRun
    from staging.plan import Json
    from staging.workdir import StagedWorkdir
    from wfexs_like.results import Proof

TAIL_LINES: Final = 20
_TAIL_BYTES: Final = 65536
_LINE_LENGTH: Final = 1000
_SIGNAL: Final = re.compile(r"\bsignal ([0-9]{1,2})\b")
_JAVA_FRAME: Final = re.compile(r"\s+(?:at [\w.$/<>@]+\(.*\)|\.\.\. \d+ (?:more|common frames omitted))\s*$")
_UNREACHED: Final = re.compile(
    r"name resolution|could not resolve|name or service not known|name does not resolve|nodename nor servname"
    r"|network is (?:unreachable|down)|UnknownHostException|unable to resolve host|getaddrinfo|no route to host"
    r"|can't stage file (?:https?|ftp|s3|gs|az)://",
    re.IGNORECASE,
)
FAILED: Final = 8
NOT_OFFLINE: Final = 14


def perform(
    app: App,
    workdir: str | StagedWorkdir,
    overrides: Mapping[str, Json],
    resume: int | Literal["last"] | None = None,
    *,
    require_offline: bool = False,
    allowed: tuple[str, ...] = (),
) -> Execution:
    """Run, telling each step as it starts and ends. ``resume`` is the run to go on from."""
    try:
        return app.session.run(
            workdir,
            params=overrides,
            resume=resume,
            require_offline=require_offline,
            allowed=allowed,
            listener=step_listener(app),
        )
    finally:
        app.close()


def step_listener(app: App) -> Callable[[Mapping[str, Json]], None]:
    """Hears of a run's journal events and tells of the steps among them."""

    def listen(event: Mapping[str, Json]) -> None:
        name = event.get("name")
        if not isinstance(name, str):
            return
        told = event.get("id")
        identity = told if isinstance(told, str) and told != name else None
        if event.get("event") == "step-started":
            app.narrator.step_started(name, identity=identity)
        elif event.get("event") == "step-ended":
            code, attempt, after = event.get("exit_code"), event.get("attempt"), event.get("after")
            app.narrator.step_ended(
                name,
                str(event.get("status")),
                code if isinstance(code, int) else None,
                identity=identity,
                attempt=attempt if isinstance(attempt, int) else 1,
                cached=event.get("cached") is True,
                after=after if isinstance(after, str) else None,
                seconds=elapsed(_text(event.get("started")), _text(event.get("ended"))),
            )

    return listen


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def exit_code(execution: Execution) -> int:
    """What the program ends with after a run: 0, 8 when the workflow failed, 128 + the signal when it was killed.

    The record tells which signal that was; a run that was cancelled from elsewhere counts as terminated.
    """
    if str(execution.status) == "killed":
        # Records of older runs tell the signal in words only.
        told = _SIGNAL.search(execution.error or "")
        return 128 + (execution.signal or (int(told[1]) if told else signal.SIGTERM))
    return 0 if str(execution.status) == "completed" else FAILED


def prove(app: App, workdir: str, stage_file: Path) -> Proof:
    """Make the trial run, telling each step as it starts and ends, and say how it went."""
    from wfexs_like.cli.views import proof_words

    try:
        proof = app.session.prove(workdir, beside=stage_file.resolve().parent, listener=step_listener(app))
    except WfexsError as error:
        # What is staged stays, and whoever reads the error object alone has to know where.
        error.fields.update(id=workdir, path=str(app.session.locate(workdir).root))
        raise
    finally:
        app.close()
    if proof.proven:
        for line in proof_words(proof):
            app.say(line)
    else:
        app.complain(plain("\n".join(proof_words(proof))))
    return proof


def proof_exit_code(proof: Proof | None) -> int:
    """0 when nothing was asked for or it is proven, 8 when the trial failed, else 14: it tried, or nobody could see."""
    if proof is None or proof.proven:
        return 0
    return NOT_OFFLINE if proof.outcome == "completed" else FAILED


def tell_network(app: App, execution: Execution) -> None:
    """Warn of a run that could reach the network, or of which nobody saw what it tried; ``--quiet`` silences it."""
    from wfexs_like.cli.views import unwatched_words

    words = [f"run {execution.run} had no network, but {one}" for one in unwatched_words(execution)]
    # One whose engine never started could reach nothing.
    if execution.network != "namespace" and execution.argv:
        what = f"run {execution.run} was not kept from the network, since this host gives it no network namespace"
        words = [f'{what} ("wfexs-like doctor" says why)']
    for one in words:
        app.say(plain(f"wfexs-like: warning: {one}"))


def tell_failure(app: App, workdir: str | StagedWorkdir, execution: Execution) -> None:
    """Say why a run failed: a sentence, then the last lines of the step that did."""
    if str(execution.status) != "completed":
        with app.session.opened(workdir) as found:
            app.complain(plain("\n".join(_failure_lines(app, found, execution))))


def _failure_lines(app: App, workdir: StagedWorkdir, execution: Execution) -> list[str]:
    from staging.areas import PLAIN

    status, name = str(execution.status), app.session.name_of(workdir)
    step = failing_step(execution)
    reason = execution.error or (step.error if step else None)
    what = f"run {execution.run} was killed" if status == "killed" else f"the workflow failed in run {execution.run}"
    lines = [f"wfexs-like: error: {what}" + (f": {one_line(reason)}" if reason else "")]
    at_work = step or _broken_off(execution)
    log = failing_log(app.session.logs(workdir, execution.run), at_work) if status == "failed" else None
    if log is not None and step is None and at_work is not None and log.suffix == ".log":
        # How the engine calls what it starts is not why the run was stopped.
        log = None
    tail = last_lines(log, TAIL_LINES, ours=step is None or log.suffix == ".log") if log is not None else []
    if workdir.vault != PLAIN and not is_terminal(app.stderr):
        # Whoever collects them there keeps them in clear: a file, a batch system's, a journal.
        if tail or execution.tail:
            lines.append("the last lines that it wrote are only shown on a terminal, since it is encrypted")
    elif log is not None and tail:
        lines += [f"the last lines of {shown_path(log)}:", *(f"  | {line}" for line in tail)]
    elif execution.tail:
        lines += ["the last lines that it wrote:", *(f"  | {line[:_LINE_LENGTH]}" for line in execution.tail)]
    wants = execution.attempts or _wants_network((reason or "", *tail, *execution.tail))
    if execution.network == "namespace" and wants:
        lines.append(
            "wfexs-like: hint: this run has no network: stage what it needs, as a parameter or in the workflow"
        )
    if can_be_continued(execution):
        lines.append(f'wfexs-like: hint: "wfexs-like run {name} --resume {execution.run}" continues where it stopped')
    lines.append(f'wfexs-like: hint: "wfexs-like logs {name} {execution.run}" prints everything it wrote')
    return lines


def can_be_continued(execution: Execution) -> bool:
    """Whether there is something that another run need not do again, and an engine that can take it from there.

    It helps where a task failed or was stopped: what the workflow itself does wrong it would do again.
    """
    from engines.base import ENGINES

    stopped = any(str(step.status) in ("killed", "running") for step in execution.steps)
    if str(execution.status) != "killed" and failing_step(execution) is None and not stopped:
        return False
    if not any(str(step.status) == "completed" for step in execution.steps):
        return False
    return execution.engine in ENGINES.names() and ENGINES.load(execution.engine).resumes


def _wants_network(lines: Iterable[str]) -> bool:
    """Whether what was said at the end is that somebody else's machine could not be reached."""
    return any(_UNREACHED.search(line) for line in lines)


def failing_step(execution: Execution) -> StepRun | None:
    """The step that failed first: what fails after it may fail because of it. One that was got over is not it."""
    failed = (step for step in execution.steps if str(step.status) == "failed")
    return next((step for step in failed if step.after not in ("retry", "ignore")), None)


def _broken_off(execution: Execution) -> StepRun | None:
    """The step that was at work when a run was stopped for taking too long; the last that began of several."""
    if execution.exit_code is not None:
        return None
    stopped = [step for step in execution.steps if str(step.status) == "killed"]
    return max(stopped, key=lambda step: step.started or "", default=None)


def failing_log(logs: tuple[Path, ...], step: StepRun | None) -> Path | None:
    """The log to show: what the failing step wrote on its stderr, else its stdout, else the engine's own log."""
    from engines.child.step_logs import log_stem

    written = [log for log in logs if is_log(log) and log.is_file() and log.stat().st_size > 0]
    stem = log_stem(step.name, step.id) if step is not None else None
    of_step = [log for log in written if stem is not None and log.name in (f"{stem}.stderr", f"{stem}.stdout")]
    of_step.sort(key=lambda log: log.suffix != ".stderr")
    # What the engine said to its user comes before what it noted for whoever mends it.
    of_engine = sorted((log for log in written if log.suffix == ".log"), key=lambda log: log.name != "engine.log")
    candidates = of_step or of_engine or written
    return candidates[0] if candidates else None


def is_log(path: Path) -> bool:
    """Whether a file among a run's logs is lines for a person; an engine's reports (HTML, tables, graphs) are not."""
    return path.suffix in (".log", ".stdout", ".stderr")


def last_lines(path: Path, count: int, *, ours: bool = False) -> list[str]:
    """The last ``count`` lines of a text, however long it is; endless lines are cut.

    ``ours``: an engine wrote it, whose own tracebacks tell a user nothing and are left out.
    """
    with path.open("rb") as stream:
        stream.seek(0, 2)
        end = stream.tell()
        stream.seek(max(0, end - _TAIL_BYTES))
        text = stream.read().decode("utf-8", "backslashreplace")
    lines = text.splitlines()
    if end > _TAIL_BYTES and len(lines) > 1:
        lines = lines[1:]
    lines = list(_without_tracebacks(lines)) if ours else lines
    return [plain(line)[:_LINE_LENGTH] for line in lines[-count:]]


def _without_tracebacks(lines: Iterable[str]) -> Iterator[str]:
    """The lines but for tracebacks: of Python's the last line (what went wrong) stays, of Java's the first."""
    inside = False
    for line in lines:
        if _JAVA_FRAME.match(line):
            continue
        if line.strip() == "Traceback (most recent call last):":
            inside = True
        elif not inside or not line.startswith(" "):
            inside = False
            yield line
