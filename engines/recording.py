"""Recording: what every engine's run shares, from the request to the record. It knows no engine.

The child speaks; its words become journal events. What it made is checked and measured only after nothing of it is left
that could still change it. The record gets an end whatever happens.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from typing import Any

from engines.base import Listener, RunRequest
from engines.containers.base import Dark
from engines.containers.door import Door
from engines.containers.metering import METERED
from engines.daemons import hidden
from engines.execution import Execution
from engines.isolation import Isolation
from engines.journal import JOURNAL, Journal, replay, timestamp
from engines.launcher import Ending, Errand, Outcome, Started, add_to_log, last_words, run_errand
from engines.measuring import Measuring
from engines.network.holder import ContainerNetwork
from engines.network.owners import Owner
from engines.network.watch import Watch
from engines.opening import earlier_runs, first_line
from engines.own_folders import OwnFolders, words
from engines.phrasing import died, sentence
from engines.relative import Relative
from engines.secrecy import CONTAINER_RECORDS, OPEN_WALLS, refusal
from engines.stopping import CANCEL, clear
from engines.summary import keep_summary
from staging.errors import EngineError, PolicyError, WfexsError, from_os_error

FOLDERS = ("outputs", "logs", "logs/steps", "tmp", "tmp/home", "engine")
"""What a run's folder holds before its engine starts."""

_OUR_CODE = ("engines", "staging", "wfexs_like")


def record(
    request: RunRequest,
    listener: Listener,
    make_run: Callable[[RunRequest, Journal, Listener], RecordedRun],
    *,
    folders: Sequence[str] = FOLDERS,
) -> Execution:
    """Make the run's ``folders`` and its journal, run, and tell what the journal then tells.

    Raises:
        EngineError: the engine could not be started, or broke in a way that no other run would survive.
        WfexsError: the run's folder can't be written, or has a record already.
    """
    try:
        for name in folders:
            (request.folder / name).mkdir(parents=True, exist_ok=True)
        journal = Journal(request.folder / JOURNAL, first_line(request))
    except OSError as error:
        raise from_os_error(error, f"begin run {request.run}") from error
    with journal:
        run = make_run(request, journal, listener)
        with closing(run.folders):
            run.execute(run.errand())
            displaced = run.folders.displaced(("",))
        if displaced is not None:
            # Not even the record can be read where it was written.
            raise PolicyError(words(""), where=str(request.folder))
        execution = replay(request.folder / JOURNAL)
    keep_summary(request.folder, execution)
    return execution


class RecordedRun(ABC):
    """One run while it lasts. An engine says how its child is called, what it is told, and what its words mean."""

    step_word = "step"
    """What the engine calls a step."""

    def __init__(self, request: RunRequest, journal: Journal, listener: Listener) -> None:
        self.request = request
        self.journal = journal
        self.listener = listener
        self.relative = Relative(request.content)
        self.log = request.folder / "logs" / "engine.log"
        self.broken: str | None = None
        self.steps_in: dict[str, str] = {}
        """The names of steps by the folders that they work in, relative to the working directory's content."""
        self._used: dict[str, dict[str, float]] = {}
        self._telling = threading.Lock()
        self.measuring = Measuring(request.content, self._tell_measured)
        self.door = self._make_door()
        self.watch = Watch(self.tell, place_of=self._own_folders, step_at=self._step_at)
        self._container_network: ContainerNetwork | None = None
        if request.containers is not None:
            runtime = request.containers.runtime
            self._container_network = ContainerNetwork(runtime, self.watch, uuid=request.uuid, say=self._note)
        try:
            self.folders = OwnFolders(request.folder)
        except OSError as error:
            raise from_os_error(error, f"begin run {request.run}") from error

    # -- what an engine says ---------------------------------------------------------------------------------------

    @abstractmethod
    def argv(self) -> tuple[str, ...]:
        """The child's command line; ``Errand.argv`` says what is appended."""

    @abstractmethod
    def child_request(self, isolation: Isolation) -> Mapping[str, object]:
        """What the child is told, as JSON; ``walls`` is part of it where the child puts up ``engines.child.walls``."""

    @abstractmethod
    def ended(self, last: Mapping[str, Any]) -> dict[str, Any]:
        """How the run ended, as ``run-ended`` says it, from the child's own last word (see ``settle``)."""

    def environment(self) -> dict[str, str]:
        """The child's environment, over the base one."""
        return {"HOME": str(self.tmp / "home"), "TMPDIR": str(self.tmp)}

    def heard(self, event: dict[str, Any]) -> None:
        """The child said something of a step: by default it is told on, with paths as the record has them."""
        if "command" in event:
            event["command"] = [self.relative.text(word) for word in event["command"]]
        for folder in event.pop("folders", ()):
            self.steps_in[self.relative.path(folder)] = event["name"]
        if event["event"] == "step-ended" and (used := self._used.pop(event["name"], None)) is not None:
            event["resources"] = {**used, **event.get("resources", {})}
        if event.get("error"):
            event["error"] = sentence(self.relative.text(str(event["error"])))
        self.tell(event)

    def leave(self, end: dict[str, Any]) -> None:  # noqa: B027 - most engines have nothing to keep
        """The last moment before the scratch space is cleared: take from it what has to stay, amend ``end``.

        Called once for every run whose folders are its own, however it ended; nothing of the child lives any more. An
        ``OSError`` becomes the reason why a run that completed failed.
        """

    def clean_logs(self) -> None:  # noqa: B027 - most engines have nothing to take out of them
        """Take out of the logs what may not stay in them. Called once for every run whose logs are its own."""

    # -- the run ---------------------------------------------------------------------------------------------------

    @property
    def tmp(self) -> Path:
        """The run's scratch space."""
        return self.request.folder / "tmp"

    def _make_door(self) -> Door | None:
        """The way to the container runtime, for a run whose steps run in containers."""
        request = self.request
        if request.containers is None:
            return None
        return Door(
            request.containers,
            content=request.content,
            folder=request.folder,
            uuid=request.uuid,
            placement=request.placement,
            tell=self._tell_of_container,
            say=self._note,
            network=self.network,
            earlier=earlier_runs(request),
            secret=request.secret and CONTAINER_RECORDS not in request.allowed,
            step_at=lambda folder: self._step_at((folder,)),
        )

    def network(self) -> Dark:
        """The network that the next container gets."""
        return self._container_network() if self._container_network is not None else Dark()

    def _tell_of_container(self, event: Mapping[str, Any]) -> None:
        if "argv" in event:
            event = {**event, "argv": [self.relative.text(word) for word in event["argv"]]}
        if event["event"] == "container-ended" and event.get("step"):
            # Whoever called for the container hears of its end later, and so of its step's.
            self._used[event["step"]] = {name: event[name] for name in METERED if name in event}
        self.tell(event)

    def _note(self, text: str) -> None:
        """Write a sentence to the run's log; what may have been put in its place gets none."""
        with suppress(OSError):
            add_to_log(self.folders.descriptor("logs"), self.log.name, f"{text}\n")

    def errand(self) -> Errand:
        """What the child is started for."""
        return Errand(
            argv=self.argv(),
            request=self.child_request,
            log=self.log,
            mark=self.request.uuid,
            folder=self.request.folder,
            cwd=self.request.content,
            environment=self.environment(),
            isolate_network=self.request.placement.isolate_network,
            require_network=self.request.placement.require_offline,
            watch=self.watch.listen,
            time_limit=self.request.placement.time,
        )

    def walls(self, isolation: Isolation) -> dict[str, Any]:
        """The part of a child's request that ``engines.child.walls`` goes by; the engine adds its ``libraries``.

        Raises:
            PolicyError: what is to be covered can't be.
        """
        if self.request.covered and not isolation.mounts:
            raise PolicyError("this host lets nothing be mounted, so it can't be shown that what is staged is enough")
        closed = self.request.secret and OPEN_WALLS not in self.request.allowed
        if closed and not isolation.mounts:
            raise refusal(OPEN_WALLS)
        return {
            "content": str(self.request.content),
            **({"secret": True, "all": True, "temporary": str(self.tmp)} if closed else {}),
            "read_only": [*self._read_only()] if isolation.mounts else [],
            "writable": [str(self.request.folder)],
            "hidden": [*self._hidden(isolation), *(("/dev/kmsg",) if closed else ()), *map(str, self.request.hidden)],
            "sealed": [str(self.journal.path), *([str(self.door.folder)] if self.door is not None else [])],
            **({"names": str(self.tmp)} if isolation.network else {}),
            "covered": [str(one) for one in self.request.covered],
        }

    def _hidden(self, isolation: Isolation) -> tuple[str, ...]:
        """The sockets of this machine that tools may not find."""
        runtime = self.request.containers.runtime.environment if self.request.containers is not None else {}
        return hidden({**os.environ, **runtime}, self.request.folder, listening=isolation.network)

    def _read_only(self) -> Iterator[str]:
        """The folders that tools may not change: the store, our own code, and all of this working directory."""
        if self.request.store is not None and not self.request.covered:
            yield str(self.request.store)
        ours = Path(__file__).parents[1]
        yield from (str(ours / name) for name in _OUR_CODE)
        yield str(self.request.content)

    def execute(self, errand: Errand) -> None:
        """Run the child, and write the end of the record whatever happens.

        Raises:
            EngineError: the child could not be started, or said that its engine is broken.
        """
        try:
            try:
                with self.door or nullcontext():
                    outcome = run_errand(errand, started=self.started, heard=self._heard)
            finally:
                if self._container_network is not None:
                    self._container_network.close()
                self.watch.end()
            displaced = self.folders.displaced()
            end = self.end(outcome) if displaced is None else self._without_trust(outcome, displaced)
            end = self._with_reason(end)
            whole = displaced is None and end["status"] != "killed"
            self.measuring.finish(end.get("moved", {}), abandon=not whole)
        except WfexsError as error:
            self.finish({"status": "failed", "exit_code": None, "error": error.message})
            raise
        except BaseException:
            self.finish({"status": "killed", "exit_code": None, "error": "the program that ran it broke"})
            raise
        self.finish(end)
        if self.broken is not None:
            raise EngineError(
                f"{self.request.engine.name} could not be used: {self.broken}",
                hint="stage again to set the engine up anew",
            )

    def started(self, started: Started) -> None:
        """The child lives."""
        if self._container_network is not None:
            self._container_network.prepare()
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

    def _heard(self, event: dict[str, Any]) -> None:
        """The child said something."""
        if event["event"] == "broken":
            self.broken = str(event["message"])
        else:
            self.heard(event)

    def tell(self, event: Mapping[str, Any], *, sync: bool = False) -> None:
        """Write an event, then let the listener know; from any thread, one after the other."""
        with self._telling:
            self.journal.append(event, sync=sync)
            self.listener(event)
        self.measuring.heard(event)

    def _tell_measured(self, event: Mapping[str, Any]) -> None:
        """Tell what a product of a step is. A record that can't be written any more ends the run elsewhere."""
        with suppress(OSError):
            self.tell({**event, "time": timestamp()})

    def _with_reason(self, end: dict[str, Any]) -> dict[str, Any]:
        """The end of a run that failed because a container was refused, or could not be had, says that."""
        reason = None if self.door is None else self.door.failure
        if self.door is not None and self.door.exchanged and end["status"] == "completed":
            end = {**end, "status": "failed"}
        if reason is None or end["status"] != "failed" or end.get("error_kind"):
            return end
        words = self.relative.text(reason.message)
        step = self.door.failed if self.door is not None else None
        told = words if step is None else f"{self.step_word} {step!r} failed: {words}"
        return {**end, "error": told, "error_kind": reason.kind}

    def _own_folders(self, owner: Owner) -> tuple[str, ...]:
        """The run's own folders among those that a process and its ancestors work in, relative to the content."""
        mark = f"/{self.relative.path(str(self.request.folder))}/"
        found = ((one, f"{one}/".find(mark)) for one in owner.folders)
        return tuple(one[at + 1 :] for one, at in found if at >= 0)

    def _step_at(self, folders: Sequence[str]) -> str | None:
        """The step that works in one of some folders of the run, or above it."""
        for folder in folders:
            above = folder
            while above:
                if above in self.steps_in:
                    return self.steps_in[above]
                above = above.rpartition("/")[0]
        return None

    def _without_trust(self, outcome: Outcome, displaced: str) -> dict[str, Any]:
        """The end of a run in whose folder nothing may be touched any more: what ``displaced`` says is not there."""
        if outcome.ending is Ending.CANCELLED:
            return self.end(outcome)
        return {
            "status": "failed",
            "exit_code": outcome.code,
            "error": words(displaced),
            "error_kind": PolicyError.kind,
        }

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
        if outcome.last is None:
            tail = [self.relative.text(line) for line in last_words(self.log)]
            return {"status": "failed", "exit_code": outcome.code, "error": died(outcome.code), "tail": tail}
        end = self.ended(outcome.last)
        if (self.request.folder / CANCEL).exists():
            end |= {"status": "killed", "exit_code": None, "error": "it was cancelled"}
        return end

    def finish(self, end: Mapping[str, Any]) -> None:
        """Clear the scratch space and write the last line. What is not the run's own any more is left alone."""
        self.measuring.close()
        said = dict(end)
        whole = self.folders.stands("logs") and self.folders.displaced(("logs/steps",)) is None
        steps: list[Callable[[], None]] = []
        if self.folders.displaced() is None:
            steps.append(lambda: self.leave(said))
        if whole:
            steps.append(self.clean_logs)
        for step in steps:
            try:
                step()
            except OSError as error:
                if said["status"] == "completed":
                    said |= {"status": "failed", "error": from_os_error(error, "keep what the run made").message}
        if self.folders.stands("tmp"):
            clear(self.tmp)
        own = self.relative.path(str(self.request.folder))
        logs = [f"{own}/{name}" for name in self.folders.files("logs")] if whole else []
        self.tell(
            {"event": "run-ended", "time": timestamp(), "logs": logs, "outputs": {}, "moved": {}, **said}, sync=True
        )
