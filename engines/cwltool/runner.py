"""A run with cwltool: from the request to the record.

The child speaks; here its words become journal events. What it made is checked and measured only after nothing of it
is left that could still change it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engines import expectations
from engines.base import Listener, RunRequest
from engines.cwltool.child_process import child_argv, common_request
from engines.execution import Execution, Status
from engines.host import facts
from engines.isolation import Isolation
from engines.journal import JOURNAL, JOURNAL_SCHEMA, Journal, replay, timestamp
from engines.launcher import Ending, Errand, Outcome, Started, last_words, run_errand
from engines.naming import give_names
from engines.outputs import Outputs
from engines.processes import MARKER, identity
from engines.stopping import CANCEL, clear
from engines.summary import keep_summary
from staging.errors import ContainerError, EngineError, PolicyError, WfexsError, from_os_error
from staging.process import base_environment, find_tool

_TELLING = re.compile(r"\b[A-Z]\w*(Error|Exception)\b")
_LONGEST_SENTENCE = 400
_UNTOLD = "it failed"
_FOLDERS = ("outputs", "logs", "logs/steps", "tmp", "tmp/home", "engine")


def run(request: RunRequest, listener: Listener) -> Execution:
    """Execute once; see ``engines.base.Engine.run``."""
    _check(request)
    try:
        for name in _FOLDERS:
            (request.folder / name).mkdir(parents=True, exist_ok=True)
        journal = Journal(request.folder / JOURNAL, _first(request))
    except OSError as error:
        raise from_os_error(error, f"begin run {request.run}") from error
    with journal:
        _Run(request, journal, listener).execute()
    execution = replay(request.folder / JOURNAL)
    keep_summary(request.folder, execution)
    return execution


def _check(request: RunRequest) -> None:
    """What must be so before there is a run at all."""
    if request.plan.container != "none":
        raise ContainerError(
            f"this engine does not run steps in {request.plan.container} yet",
            hint="stage with containerType none, and install the tools that the workflow calls",
        )
    environment = {**base_environment(), **request.environment}
    if request.interface.needs_javascript and not (find_tool("node", environment) or find_tool("nodejs", environment)):
        raise EngineError(
            "the workflow has JavaScript expressions, and node is not on the PATH",
            hint="install it (Debian, Ubuntu: apt-get install nodejs)",
            where=str(request.interface.entry),
        )


def _first(request: RunRequest) -> dict[str, Any]:
    return {
        "event": "run-started",
        "time": timestamp(),
        "schema": JOURNAL_SCHEMA,
        "run": request.run,
        "uuid": request.uuid,
        "owner": identity(os.getpid()),
        "engine": {
            "name": request.engine.name,
            "version": request.engine.version,
            "sha256": request.engine.fingerprint,
        },
        "plan_digest": str(request.plan.digest),
        "parameters": _Relative(request.content).tree(request.parameters),
        "overrides": request.overrides,
        "environment": request.environment,
        "host": facts(),
    }


class _Run:
    """One run while it lasts."""

    def __init__(self, request: RunRequest, journal: Journal, listener: Listener) -> None:
        self.request = request
        self.journal = journal
        self.listener = listener
        self.relative = _Relative(request.content)
        self.log = request.folder / "logs" / "engine.log"
        self.tools = {step.name: step.tool for step in request.interface.steps}
        self.main = request.interface.process or request.interface.entry.stem
        self.broken: str | None = None
        if not self.tools and request.interface.tools:
            self.tools[self.main] = request.interface.tools[0].id

    def execute(self) -> None:
        """Run the child, and write the end of the record whatever happens."""
        errand = Errand(
            argv=child_argv(self.request.engine),
            request=self.child_request,
            log=self.log,
            mark=self.request.uuid,
            folder=self.request.folder,
            cwd=self.request.content,
            environment={"HOME": str(self.tmp / "home"), "TMPDIR": str(self.tmp)},
            isolate_network=self.request.placement.isolate_network,
            time_limit=self.request.placement.time,
        )
        try:
            outcome = run_errand(errand, started=self.started, heard=self.heard)
            end = self.end(outcome)
        except WfexsError as error:
            self.finish({"status": "failed", "exit_code": None, "error": error.message})
            raise
        except BaseException:
            self.finish({"status": "killed", "exit_code": None, "error": "the program that ran it broke"})
            raise
        self.finish(end)
        if self.broken is not None:
            raise EngineError(f"cwltool could not be used: {self.broken}", hint="stage again to set the engine up anew")

    @property
    def tmp(self) -> Path:
        """The run's scratch space."""
        return self.request.folder / "tmp"

    def child_request(self, isolation: Isolation) -> dict[str, object]:
        """What the child is told."""
        request = self.request
        workflow = request.content / request.plan.workflow.path
        root = _root_of(workflow, request)
        return {
            **common_request(request.engine),
            "verb": "run",
            "network": "namespace" if isolation.network else "none",
            "root": str(root),
            "entry": str(workflow.relative_to(root)),
            "process": request.plan.workflow.process,
            "name": self.main,
            "content": str(request.content),
            "staged": [str(request.content / name) for name in ("inputs", "workflow", "environment")],
            "own": [str(self.tmp), str(request.folder / "outputs")],
            "read_only": [*self._read_only()] if isolation.mounts else [],
            "writable": [str(request.folder)],
            "sealed": [str(self.journal.path)],
            "outputs": str(request.folder / "outputs"),
            "tmp": str(self.tmp),
            "logs": str(request.folder / "logs" / "steps"),
            "parameters": request.parameters,
            "requirements": list(request.plan.requirements),
            "environment": dict(request.environment),
            "preserve": [] if isolation.processes else [MARKER],
            "cores": request.placement.cores,
            "memory": request.placement.memory,
            "validate": False,
        }

    def _read_only(self) -> Iterator[str]:
        """The folders that tools may not change: the store, our own code, and all of this working directory."""
        if self.request.store is not None:
            yield str(self.request.store)
        ours = Path(__file__).parents[2]
        yield from (str(ours / name) for name in ("engines", "staging", "wfexs_like"))
        yield str(self.request.content)

    def started(self, started: Started) -> None:
        """The child lives."""
        self.tell(
            {
                "event": "engine-started",
                "time": timestamp(),
                "argv": [self.relative.text(word) for word in started.argv],
                "network": "namespace" if started.isolation.network else "none",
                "processes": "namespace" if started.isolation.processes else "group",
                "child": dict(started.child),
            }
        )

    def heard(self, event: dict[str, Any]) -> None:
        """The child said something about a step."""
        if event["event"] == "broken":
            self.broken = str(event["message"])
            return
        event["tool"] = self.tools.get(event.get("step", ""))
        if "command" in event:
            event["command"] = [self.relative.text(word) for word in event["command"]]
        if event.get("error"):
            event["error"] = _sentence(self.relative.text(str(event["error"])))
        self.tell(event)

    def tell(self, event: Mapping[str, Any], *, sync: bool = False) -> None:
        """Write an event, then let the listener know."""
        self.journal.append(event, sync=sync)
        self.listener(event)

    def end(self, outcome: Outcome) -> dict[str, Any]:
        """How the run ended, as the record says it."""
        if outcome.ending is Ending.CANCELLED:
            why = f"it was stopped by signal {outcome.signal}" if outcome.signal else "it was cancelled"
            return {"status": "killed", "exit_code": None, "error": why, "signal": outcome.signal}
        if outcome.ending is Ending.TIMEOUT:
            limit = self.request.placement.time
            return {
                "status": "failed",
                "exit_code": None,
                "error": f"the run was stopped because it took longer than its time limit of {limit} s",
            }
        last = outcome.last
        if last is None:
            tail = [self.relative.text(line) for line in last_words(self.log)]
            return {"status": "failed", "exit_code": outcome.code, "error": _died(outcome.code), "tail": tail}
        end: dict[str, Any] = {"status": "completed", "exit_code": last["exit_code"], "error": None}
        self._settle(end, last)
        if (self.request.folder / CANCEL).exists():
            end |= {"status": "killed", "exit_code": None, "error": "it was cancelled"}
        return end

    def _settle(self, end: dict[str, Any], last: Mapping[str, Any]) -> None:
        """Outputs, and what may be wrong with them."""
        outputs = Outputs(root=self.request.folder / "outputs", content=self.request.content)
        try:
            named, renamed = give_names(last["outputs"] or {}, self.request.plan.outputs)
            end["outputs"] = outputs.settle(named)
            places = {old: renamed.get(new, new) for old, new in last["moved"].items()}
            end["moved"] = {self.relative.path(old): self.relative.path(new) for old, new in places.items()}
        except PolicyError as error:
            end |= {"status": "failed", "error": error.message, "error_kind": error.kind, "outputs": {}}
            return
        except OSError as error:
            end |= {"status": "failed", "error": from_os_error(error, "read the outputs").message, "outputs": {}}
            return
        if last["refused"]:
            end |= {"status": "failed", "error": last["refused"][0], "error_kind": PolicyError.kind}
        elif last["exit_code"] != 0:
            end |= {"status": "failed", "error": self._reason(last), "tail": self._tail(last)}
        elif miss := expectations.check(self.request.plan.outputs, end["outputs"]):
            end |= {"status": "failed", "error": miss}
        if end["status"] == "completed":
            for slot in self.request.interface.outputs:
                end["outputs"].setdefault(slot.name, None)

    def _reason(self, last: Mapping[str, Any]) -> str:
        """Why it failed, in a sentence: the failing step and its reason."""
        failure = last.get("failure")
        if not failure:
            return _sentence(self.relative.text(str(last.get("error") or "it failed")))
        code = failure.get("exit_code")
        if code and code > 0:
            return f"step {failure['name']!r} failed with exit code {code}"
        reason = str(failure["error"])
        if reason == _UNTOLD:
            # An expression's error is only told when the step is over.
            reason = str(last.get("error") or _UNTOLD)
        return f"step {failure['name']!r} failed: {_sentence(self.relative.text(reason))}"

    def _tail(self, last: Mapping[str, Any]) -> list[str]:
        """The last lines that the failing step wrote."""
        failure = last.get("failure") or {}
        return [self.relative.text(line) for line in failure.get("stderr", ())]

    def finish(self, end: Mapping[str, Any]) -> None:
        """Clear the scratch space and write the last line."""
        clear(self.tmp)
        logs = []
        for path in sorted((self.request.folder / "logs").rglob("*")):
            if path.is_symlink():
                # We make none: a tool left it, and who reads logs would read what it leads to.
                path.unlink(missing_ok=True)
            elif path.is_file():
                logs.append(str(path.relative_to(self.request.content)))
        self.tell(
            {"event": "run-ended", "time": timestamp(), "logs": logs, "outputs": {}, "moved": {}, **end}, sync=True
        )


def _died(code: int | None) -> str:
    sentence = "the engine ended without a word"
    if code is not None and (code < 0 or code > 128):  # noqa: PLR2004 - 128 + signal, as shells say it
        sentence += f" (signal {-code if code < 0 else code - 128}; was there enough memory?)"
    return sentence


def _sentence(text: str) -> str:
    """What was said, in a line: of many lines the first, and the one that names an error. The log has them all."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return _UNTOLD
    chosen = lines[:1]
    if len(lines) > 1:
        telling = [line for line in lines[1:] if _TELLING.search(line)]
        chosen += telling[:1] or lines[1:2]
    return " ".join(chosen)[:_LONGEST_SENTENCE].rstrip(".:")


def _root_of(workflow: Path, request: RunRequest) -> Path:
    """The folder that the workflow's documents lie in: the interface names the document relative to it."""
    return Path(*workflow.parts[: len(workflow.parts) - len(request.interface.entry.parts)])


class _Relative:
    """Paths relative to the working directory's content."""

    def __init__(self, content: Path) -> None:
        self.prefix = f"{content}/"
        self.uri = f"{content.as_uri()}/"

    def path(self, path: str) -> str:
        """One path."""
        return path.removeprefix(self.prefix)

    def text(self, text: str) -> str:
        """A text that may hold such paths."""
        return text.replace(self.uri, "").replace(self.prefix, "")

    def tree(self, value: Any) -> Any:
        """A JSON tree with Files in CWL form."""
        if isinstance(value, Mapping):
            made = {str(key): self.tree(one) for key, one in value.items()}
            if made.get("class") in ("File", "Directory") and isinstance(made.get("path"), str):
                made["path"] = self.path(made["path"])
            return made
        if isinstance(value, list | tuple):
            return [self.tree(one) for one in value]
        return value


__all__ = ["Status", "run"]
