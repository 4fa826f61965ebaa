"""The journal: what a run did, line by line, written while it happens. It is the truth; all else is derived from it.

``runs/<n>/journal.jsonl`` holds one JSON object a line, in UTF-8, only ever appended to. It comes into being with its
first line already in it, and is held under an exclusive ``flock`` for as long as somebody works on the run: a journal
without an end whose lock is free is that of a run that was killed. First and last line are synced to disk. Bytes after
the last newline are a line that was being written when the end came, and are ignored.

Every line has ``event`` and ``time`` (ISO 8601, UTC, milliseconds). Paths are relative to the working directory's
content; a File or Directory is in CWL form with ``path``. Events, and what they hold:

``run-started``
    ``schema``, ``run``, ``uuid``, ``owner`` (``pid``, ``started`` in clock ticks since boot, ``boot``), ``engine``
    (``name``, ``version``, ``sha256``, ``platform`` if it says), ``plan_digest``, ``parameters``, ``overrides``,
    ``environment``, ``host``, ``folders`` (the inode of each of the run's own folders, by name); ``resumed`` (number of
    the run whose finished work may be used again) if there is one; ``allowed`` (reasons, ``engines.secrecy``) if its
    user let something of a secret run be found in clear.
``engine-started``
    ``argv``, ``network`` (``namespace`` or ``none``), ``processes`` (``namespace`` or ``group``), ``child`` (as
    ``owner``). A second one means that a way to isolate the engine did not work and the next was tried.
``network-watched``
    ``of`` (``engine``, or ``containers``), ``watched`` (whether its attempts to leave the network namespace are seen
    and listed), ``reason`` (why they are not).
``attempt``
    ``number`` (which one; a later line with the same one says more), ``protocol`` (``tcp``, ``udp``, ``dns``, ``icmp``,
    another's name, or ``ip-<number>``), ``address``, ``port``, ``name`` (asked for by DNS), ``count``, ``step`` (its
    name, when known), ``program``. ``time`` is that of the first.
``attempts-unlisted``
    ``count``: so many more were made than are listed.
``step-started``
    ``name``, ``step`` (the name without the suffix of a scatter's members), ``tool``, ``command``, ``inputs``,
    ``container``.
``step-ended``
    ``name``, ``step``, ``tool``, ``status`` (``completed``, ``failed``, ``skipped``), ``exit_code``, ``outputs``,
    ``resources``, ``error``. ``work`` seals a task's folder, for a run that goes on from this one. A skipped step
    has no ``step-started``, nor has one whose work was done before.
both of these, if there is something to say
    ``id`` (which attempt at which step this is; default: ``name``. Lines with the same one tell of the same attempt),
    ``attempt`` (from 1), ``cached``, ``after`` (``retry``, ``ignore``, ``finish``, ``terminate``), ``script``, ``tag``,
    ``environment``, ``allotted``, ``trace``, and ``started`` and ``ended``: times that the engine told, which count
    more than the line's own ``time``. What the line of the end says counts more than what that of the start says.
``measured``
    ``path``, ``sha256`` and ``size`` of a product of a step, as another took it, or as it was in the end (a folder's by
    the tree rule). The last of several counts.
``container-started``
    ``container`` (its name), ``image`` (as the workflow calls it), ``digest`` and ``id`` (``sha256:<hex>``, of the
    manifest and of the config), ``argv`` (without the values of variables).
``container-ended``
    ``container``, ``exit_code`` (``null`` when it could not be started); ``cpu_seconds``, ``max_memory_bytes`` and
    ``step`` (its name), where its cgroup could be read.
``run-ended``
    ``status`` (``completed``, ``failed``, ``killed``), ``exit_code``, ``error``, ``error_kind`` (``policy`` when an
    output led out of the run; else absent), ``outputs`` (with ``sha256`` and
    ``size``), ``moved`` (where the products of steps went: path while running -> path of the output), ``logs``,
    ``tail`` (the last lines that the failing step wrote), ``signal`` (the number of the signal that stopped it),
    ``state`` (the digest of what the engine keeps to go on from), ``gone`` (folders of the run whose files are no
    longer there), ``final_parameters`` (all that the workflow ran with, where the engine tells).
``run-refused``
    ``error``, ``error_kind``. After the end it was seen that the run can't be believed: it counts as failed.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any
from uuid import UUID

from engines.execution import Attempt, Execution, ImageUsed, RuntimeUsed, Status, StepRun
from staging.errors import NotFoundError, WfexsError
from staging.placing import link
from staging.plan import Json

JOURNAL_SCHEMA = "wfexs-like/journal/1"
JOURNAL = "journal.jsonl"
KILLED_WITHOUT_WORD = "the run was killed: its record breaks off"

_GONE_PREFIX = "tmp"
_BRIEF = frozenset(
    {"name", "step", "tool", "status", "exit_code", "attempt", "cached", "after", "tag", "started", "ended"}
)


def timestamp() -> str:
    """The time, as the journal writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def refuse(path: Path, error: str, kind: str) -> None:
    """Add to the journal of a run that ended that it can't be believed, and why."""
    event = {"event": "run-refused", "time": timestamp(), "error": error, "error_kind": kind}
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        os.write(descriptor, json.dumps(event, sort_keys=True).encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Journal:
    """The writing end. Made with its first line in it; locked until it is closed."""

    def __init__(self, path: Path, first: Mapping[str, Json]) -> None:
        """Begin the journal at ``path``.

        Raises:
            WfexsError: there is one already.
        """
        self.path = path
        self._lock = threading.Lock()
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        self._descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.append(first, sync=True)
            _place(temporary, path)
        except BaseException:
            os.close(self._descriptor)
            raise
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)

    def append(self, event: Mapping[str, Json], *, sync: bool = False) -> None:
        """Add one line; ``sync`` waits until the disk has it. Lines from several threads don't mix."""
        line = json.dumps(event, separators=(",", ":"), sort_keys=True).encode() + b"\n"
        view = memoryview(line)
        with self._lock:
            while view:
                view = view[os.write(self._descriptor, view) :]
        if sync:
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Let go of the run."""
        os.close(self._descriptor)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_live(path: Path) -> bool:
    """Whether somebody works on the run of this journal."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def events(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a journal; a torn or foreign one is left out."""
    with path.open("rb") as stream:
        for line in stream:
            if not line.endswith(b"\n"):
                return
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and isinstance(event.get("event"), str):
                yield event


def replay(path: Path, *, brief: bool = False, without: frozenset[str] = frozenset()) -> Execution:
    """What is known of a run: as it is now, or as it was when its record ended or broke off. No time is invented.

    ``brief`` leaves out what steps took, made, wrote and used, so that a run of very many fits into memory: of each
    step stays which it was and how it ended. ``without`` names what else of a step's lines is left out (``trace``).

    Raises:
        NotFoundError: there is no journal, or nothing that can be read in it.
        WfexsError: a value in it is not what a journal holds.
    """
    try:
        return _replay(path, brief=brief, without=without)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise WfexsError(
            f"the record of run {path.parent.name} is damaged: {reason}",
            hint="what the run made is still in its folder; run again for a whole record",
            where=str(path),
        ) from error


def _replay(path: Path, *, brief: bool, without: frozenset[str]) -> Execution:
    try:
        live = is_live(path)
        told = _Told(brief=brief, without=without)
        for line in events(path):
            told.hear(line)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no record of run {path.parent.name}", where=str(path)) from error
    first, last = told.first, told.last
    if first is None:
        raise NotFoundError(f"the record of run {path.parent.name} can't be read", where=str(path))
    if last is not None and told.refused is not None:
        last = {**last, "status": "failed", "error": str(told.refused["error"]), "tail": ()}
    status = Status(last["status"]) if last is not None else Status.RUNNING if live else Status.KILLED
    started = told.engine
    engine = first["engine"]
    places = _Places(int(first["run"]), last, told.measured)
    unended = Status.RUNNING if status is Status.RUNNING else Status.KILLED
    return Execution(
        run=int(first["run"]),
        uuid=str(UUID(first["uuid"])),
        status=status,
        engine=engine["name"],
        engine_version=engine["version"],
        engine_sha256=engine.get("sha256"),
        argv=tuple(started.get("argv", ())),
        started=first.get("time"),
        ended=last.get("time") if last is not None else None,
        exit_code=last.get("exit_code") if last is not None else None,
        error=last.get("error") if last is not None else KILLED_WITHOUT_WORD if status is Status.KILLED else None,
        tail=tuple(map(str, last.get("tail", ()))) if last is not None else (),
        signal=last.get("signal") if last is not None else None,
        steps=tuple(_steps(told.steps, unended, places)),
        parameters=first.get("parameters", {}),
        overrides=first.get("overrides", {}),
        environment=first.get("environment", {}),
        outputs=last.get("outputs", {}) if last is not None else {},
        host=first.get("host", {}),
        network=started.get("network", "none"),
        watched=told.watched,
        containers_watched=told.containers_watched,
        unwatched_because=told.unwatched_because,
        attempts=tuple(_attempts(told.attempts)),
        attempts_unlisted=told.unlisted,
        plan_digest=first.get("plan_digest", ""),
        logs=tuple(PurePosixPath(one) for one in last.get("logs", ())) if last is not None else (),
        final_parameters=last.get("final_parameters") if last is not None else None,
        allowed=tuple(map(str, first.get("allowed", ()))),
        resumed=None if first.get("resumed") is None else int(first["resumed"]),
        platform={str(name): str(one) for name, one in engine.get("platform", {}).items()},
        runtime=_runtime(first.get("runtime")),
        images=tuple(
            ImageUsed(
                name=str(one["name"]),
                digest=str(one["digest"]),
                id=str(one["id"]),
                started=f"sha256:{one['digest']}" in told.images,
            )
            for one in first.get("images", ())
        ),
    )


def _runtime(record: Mapping[str, Any] | None) -> RuntimeUsed | None:
    if record is None:
        return None
    notes = {str(name): str(one) for name, one in record.get("notes", {}).items()}
    return RuntimeUsed(name=str(record["name"]), version=str(record["version"]), notes=notes)


class _Told:
    """What a journal's lines say, heard one by one: of the run, its engine, and each attempt at a step."""

    def __init__(self, *, brief: bool = False, without: frozenset[str] = frozenset()) -> None:
        self.brief = brief
        self.without = without
        self.first: dict[str, Any] | None = None
        self.last: dict[str, Any] | None = None
        self.refused: dict[str, Any] | None = None
        self.engine: dict[str, Any] = {}
        self.steps: dict[str, dict[str, Any]] = {}
        self.attempts: dict[int, dict[str, Any]] = {}
        self.unlisted = 0
        self.images: set[str] = set()
        self.measured: dict[str, tuple[str, int]] = {}
        self.watched = False
        self.containers_watched: bool | None = None
        self.unwatched_because: str | None = None

    def hear(self, line: dict[str, Any]) -> None:
        """One more line."""
        for name in ("time", "started", "ended"):
            _check_time(line.get(name))
        event = line["event"]
        if event in ("step-started", "step-ended"):
            self._hear_step(line)
        elif event == "run-started":
            self.first = self.first or line
        elif event == "engine-started":
            self.engine = line
        elif event == "run-ended":
            self.last = line
        elif event == "network-watched":
            self._hear_watched(line)
        elif event == "attempt":
            self.attempts[int(line["number"])] = line
        elif event == "run-refused":
            self.refused = self.refused or line
        else:
            self._hear_detail(line)

    def _hear_detail(self, line: dict[str, Any]) -> None:
        event = line["event"]
        if event == "measured" and not self.brief:
            self.measured[line["path"]] = (str(line["sha256"]), int(line["size"]))
        elif event == "container-started":
            self.images.add(str(line["digest"]))
        elif event == "attempts-unlisted":
            self.unlisted = int(line["count"])

    def _hear_watched(self, line: dict[str, Any]) -> None:
        if line.get("of") == "containers":
            self.containers_watched = line["watched"] is True
        else:
            self.watched = line["watched"] is True
        if line["watched"] is not True:
            self.unwatched_because = str(line.get("reason") or "")

    def _hear_step(self, line: dict[str, Any]) -> None:
        name = line["name"]
        over = line["event"] == "step-ended"
        if over:
            Status(line["status"])
        told = self.steps.setdefault(str(line.get("id") or name), {"name": name})
        told.update(
            (key, one)
            for key, one in line.items()
            if one is not None and not (self.brief and key not in _BRIEF) and key not in self.without
        )
        moment = "ended" if over else "started"
        if line.get(moment) is None and (time := line.get("time")) is not None:
            told[moment] = time


def _attempts(told: Mapping[int, Mapping[str, Any]]) -> Iterator[Attempt]:
    """Each attempt, in the order of the first of its kind. What turned out to be the same is one."""
    merged: dict[tuple[Any, ...], dict[str, Any]] = {}
    for line in told.values():
        key = tuple(line.get(name) for name in ("protocol", "address", "port", "name", "step"))
        if key in merged:
            merged[key]["count"] += int(line["count"])
        else:
            merged[key] = {**line, "count": int(line["count"])}
    for line in merged.values():
        yield Attempt(
            protocol=str(line["protocol"]),
            address=line.get("address"),
            port=line.get("port"),
            name=line.get("name"),
            count=line["count"],
            step=line.get("step"),
            program=line.get("program"),
            time=line.get("time"),
        )


def _check_time(text: object) -> None:
    if text is None:
        return
    if not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(f"{text!r} is no time")


class _Places:
    """Where the files that steps speak of are after the run: at an output's place, or gone."""

    def __init__(
        self, run: int, last: Mapping[str, Any] | None, measured: Mapping[str, tuple[str, int]] | None = None
    ) -> None:
        self.ended = last is not None
        self.measured = measured or {}
        self.gone: tuple[str, ...] = (f"runs/{run}/{_GONE_PREFIX}/",)
        self.moved: Mapping[str, str] = last.get("moved", {}) if last is not None else {}
        self.known: dict[str, Mapping[str, Any]] = {}
        if last is not None:
            self.gone += tuple(map(str, last.get("gone", ())))
            self._learn(last.get("outputs", {}))

    def _learn(self, value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("path"), str) and "sha256" in value:
                self.known[value["path"]] = value
            for one in value.values():
                self._learn(one)
        elif isinstance(value, list):
            for one in value:
                self._learn(one)

    def settle(self, value: Any) -> Any:
        """The value with final places; it is changed where it stands, for a run may have very many."""
        if isinstance(value, list):
            for one in value:
                if isinstance(one, dict | list):
                    self.settle(one)
        elif isinstance(value, dict):
            for one in value.values():
                if isinstance(one, dict | list):
                    self.settle(one)
            path = value.get("path")
            if isinstance(path, str) and value.get("class") in ("File", "Directory"):
                if path in self.measured:
                    value["sha256"], value["size"] = self.measured[path]
                self._settle_file(value, self.moved.get(path, path))
        return value

    def _settle_file(self, record: dict[str, Any], path: str) -> None:
        known = self.known.get(path)
        if known is not None:
            record |= {"path": path, "sha256": known["sha256"], "size": known.get("size")}
        elif self.ended and path.startswith(self.gone):
            # Nothing is there any more. The name still tells which step's product another step took.
            record["transient"] = record.pop("path")
        elif self.ended:
            # Part of an output, or a folder whose files are outputs one by one.
            record["path"] = path


def _steps(told: dict[str, dict[str, Any]], unended: Status, places: _Places) -> Iterator[StepRun]:
    """Each attempt, in the order in which they were first heard of; ``told`` is used up on the way."""
    for identity in list(told):
        step = told.pop(identity)
        yield StepRun(
            id=identity,
            name=step["name"],
            status=Status(step["status"]) if "status" in step else unended,
            tool=step.get("tool"),
            exit_code=step.get("exit_code"),
            started=step.get("started"),
            ended=step.get("ended"),
            command=tuple(step.get("command", ())),
            inputs=places.settle(step.get("inputs", {})),
            outputs=places.settle(step.get("outputs", {})),
            resources=step.get("resources", {}),
            allotted=step.get("allotted", {}),
            container=step.get("container"),
            error=step.get("error"),
            attempt=int(step.get("attempt", 1)),
            cached=bool(step.get("cached", False)),
            after=step.get("after"),
            script=step.get("script"),
            tag=step.get("tag"),
            environment=step.get("environment", {}),
            trace=step.get("trace", {}),
            step=str(step.get("step", "")),
        )


def _place(temporary: Path, path: Path) -> None:
    """Give a finished file its name, never in place of another."""
    try:
        if link(temporary, path):
            return
    except FileExistsError as error:
        raise WfexsError(f"the run {path.parent.name} has a record already", where=str(path)) from error
    # A file system without hard links.
    if path.exists():
        raise WfexsError(f"the run {path.parent.name} has a record already", where=str(path))
    temporary.rename(path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
