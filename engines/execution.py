"""The execution: what one run was, from its journal alone. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath

from staging.plan import Json


class Status(StrEnum):
    """How a run or a step ended; ``running`` only while somebody still works on it."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    KILLED = "killed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRun:
    """One attempt at one step (one job of the engine).

    ``name`` is the path of step names from the workflow down (``align/sort``), with the engine's own suffix for scatter
    members. ``tool`` is the process it ran, as the workflow's documents name it. ``command`` is the command line as an
    argv. Times are ISO 8601 in UTC with milliseconds and ``+00:00``, ``None`` when not known. ``inputs`` and
    ``outputs``
    are JSON trees in CWL form; a File in them has ``path`` relative to the working directory's content when below it;
    one that is no longer there has its former path as ``transient``, which still tells whose product it was.
    ``resources`` are numbers by name: ``wall_seconds``, ``cpu_seconds``, ``max_rss_bytes``; ``max_memory_bytes``
    of a whole container, page cache and all; ``read_characters`` and ``written_characters`` (bytes by any call that
    reads or writes), ``read_bytes`` and ``written_bytes`` (of these, what disks had to do with).

    ``allotted`` is what the engine set aside for it: ``cores``, ``memory`` and ``storage`` (bytes), each where it says.

    ``id`` tells attempts of one step apart (``""`` becomes ``name``); ``attempt`` counts them from 1. ``cached``: an
    earlier run did the work, its times are those of then. ``after`` is what the engine did about a failure: ``retry``,
    ``ignore``, ``finish`` or ``terminate`` (``None``: nothing failed, or it didn't say). ``script`` is the text that
    was executed where that is more than a command line, ``tag`` the engine's word for this member of the step.
    ``environment`` are the variables that the step was given, ``trace`` the engine's own raw quantities by its names.
    ``step`` is the name without what tells members of a scatter or tasks of a process apart (``""`` becomes ``name``).
    """

    name: str
    status: Status
    tool: str | None = None
    exit_code: int | None = None
    started: str | None = None
    ended: str | None = None
    command: tuple[str, ...] = ()
    inputs: Mapping[str, Json] = field(default_factory=dict)
    outputs: Mapping[str, Json] = field(default_factory=dict)
    resources: Mapping[str, float] = field(default_factory=dict)
    allotted: Mapping[str, float] = field(default_factory=dict)
    container: str | None = None
    error: str | None = None
    id: str = ""
    attempt: int = 1
    cached: bool = False
    after: str | None = None
    script: str | None = None
    tag: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    trace: Mapping[str, Json] = field(default_factory=dict)
    step: str = ""

    def __post_init__(self) -> None:
        """Attempts are told apart by name where nothing else does."""
        for one in ("id", "step"):
            if not getattr(self, one):
                object.__setattr__(self, one, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeUsed:
    """What a run's containers ran in: the runtime's name, its version, and its notes on itself by name."""

    name: str
    version: str
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUsed:
    """An image that a run had: as the workflow calls it, its manifest's digest, its id (the config's digest), hex.

    ``started``: a container of it was.
    """

    name: str
    digest: str
    id: str
    started: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Something that a run tried to reach, and did not.

    ``protocol`` is ``tcp``, ``udp``, ``dns``, ``icmp``, another's name or ``ip-<number>``. ``name`` was asked for by
    DNS; the ``address`` is then that of whom a program chose to ask, ``None`` where it asked as it was told to.
    ``count`` is how often, ``step`` who did it (the name of a ``StepRun``) and ``program`` its process's name, each
    ``None`` when not known; ``time`` that of the first.
    """

    protocol: str
    address: str | None = None
    port: int | None = None
    name: str | None = None
    count: int = 1
    step: str | None = None
    program: str | None = None
    time: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One run.

    ``run`` is its number, ``uuid`` its identity everywhere else. ``exit_code`` is the engine's own, ``None`` when it
    was
    killed. ``parameters`` are the values it ran with (the plan's, with ``overrides`` laid over them), ``outputs`` a
    JSON
    tree in CWL form whose Files have ``path`` (relative to the working directory's content), ``size`` and ``sha256``.
    ``network`` says how it was kept offline: ``namespace`` (proven) or ``none`` (not isolated). ``watched``: what it
    tried to reach was seen, and is in ``attempts`` (``attempts_unlisted`` more were made than those);
    ``containers_watched`` says the same of its containers, if it had any, and ``unwatched_because`` why not. ``error``
    is one sentence; ``tail`` are the last lines that the failing step (or the engine, when it broke) wrote. ``signal``
    is the number of the signal that stopped it. ``final_parameters`` are all that the workflow ran with, its own
    defaults among them, where the engine tells. ``resumed`` is the number of the run whose finished work was used
    again; ``platform`` what the engine itself ran on, by name (``java``: ``17.0.15 (Debian)``). ``runtime`` and
    ``images`` are those of its containers, where it had any. ``allowed`` are the reasons for which something of a
    secret run could be found in clear (``engines.secrecy``).
    """

    run: int
    uuid: str
    status: Status
    engine: str
    engine_version: str
    engine_sha256: str | None = None
    argv: tuple[str, ...] = ()
    started: str | None = None
    ended: str | None = None
    exit_code: int | None = None
    error: str | None = None
    steps: tuple[StepRun, ...] = ()
    parameters: Mapping[str, Json] = field(default_factory=dict)
    overrides: Mapping[str, Json] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Json] = field(default_factory=dict)
    host: Mapping[str, Json] = field(default_factory=dict)
    network: str = "none"
    watched: bool = False
    containers_watched: bool | None = None
    unwatched_because: str | None = None
    attempts: tuple[Attempt, ...] = ()
    attempts_unlisted: int = 0
    plan_digest: str = ""
    logs: tuple[PurePosixPath, ...] = ()
    tail: tuple[str, ...] = ()
    signal: int | None = None
    final_parameters: Mapping[str, Json] | None = None
    resumed: int | None = None
    platform: Mapping[str, str] = field(default_factory=dict)
    runtime: RuntimeUsed | None = None
    images: tuple[ImageUsed, ...] = ()
    allowed: tuple[str, ...] = ()
