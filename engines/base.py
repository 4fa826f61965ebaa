"""The engine contract: what we ask of an engine adapter, and the values that go in and out.

Source of the parameter vocabulary: CWL v1.2 (Process, Parameter), which Nextflow's parameters fit into.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from engines.containers.base import Containers
from engines.execution import Execution
from staging.definition import EngineSettings, Param
from staging.errors import Fault
from staging.identifiers import Identifier
from staging.plan import Json, Kind, Plan
from staging.plugins import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class FormalParameter:
    """A slot of the workflow's interface.

    ``type`` is the CWL type in its JSON form (``"File"``, ``["null", "int"]``, ``{"type": "array", "items": ...}``,
    with
    every name resolved). ``secondary`` are CWL secondaryFiles patterns. ``format`` is a list of IRIs.
    """

    name: str
    type: Json
    required: bool
    default: Json = None
    has_default: bool = False
    label: str | None = None
    doc: str | None = None
    format: tuple[str, ...] = ()
    secondary: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A process that a step runs. ``id`` as in ``StepRun.tool``; ``program`` is the first word of its command line.

    ``secrets`` are the names of those that it can't run without. ``container`` is the image's name as the engine says
    it when it runs the tool (where steps differ in that, as the first of them has it; ``Step`` has each);
    ``container_recipe`` tells how the image comes to be where it is not simply pulled by that name: CWL's
    ``dockerPull`` (another name, to pull it by), ``dockerLoad``, ``dockerImport`` or ``dockerFile``, or ``unknown``
    with the expression that chooses it, or ``missing`` where nothing says which it is. ``also`` lists other images that
    it may choose. ``software`` are packages in the form of CWL's SoftwareRequirement, with what else is told of each:
    ``homepage``, ``documentation``, ``repository``, ``download`` and ``description`` (texts), ``licences`` and
    ``citations`` (lists; addresses, identifiers of SPDX, DOIs). ``needs`` is the least that it asks for, where its text
    says so: ``cores``, ``memory`` and ``storage`` (bytes). ``aliases`` are other names by which ``StepRun.tool`` may
    call it; ``recipe_file`` is the file that says how its environment is made, relative to the workflow's root.
    """

    id: str
    kind: str
    label: str | None = None
    doc: str | None = None
    program: str | None = None
    container: str | None = None
    container_required: bool = False
    container_recipe: Mapping[str, Json] | None = None
    software: tuple[Mapping[str, Json], ...] = ()
    secrets: tuple[str, ...] = ()
    inputs: tuple[FormalParameter, ...] = ()
    outputs: tuple[FormalParameter, ...] = ()
    needs: Mapping[str, float] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    recipe_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of the workflow: ``name`` is the path of step names; ``position`` its topological place from 0.

    ``container``, ``container_required`` and ``container_recipe`` are those of its tool as this step runs it: a step
    or a workflow around it may choose another image (see ``Tool``).
    """

    name: str
    tool: str
    position: int
    label: str | None = None
    doc: str | None = None
    scatter: tuple[str, ...] = ()
    when: bool = False
    container: str | None = None
    container_required: bool = False
    container_recipe: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowInterface:
    """What an engine says of a workflow without running it. JSON both ways, so that it can be kept.

    ``connections`` are (source, target) pairs, such as ``("index/out", "align/index")`` or ``("reads",
    "align/reads")``. ``documents`` are the files the workflow is made of, relative to its root; ``kind`` is
    ``Workflow``, ``CommandLineTool``, ...; ``licence``, ``authors``, ``version``, ``keywords`` and ``repository``
    (the address of the one that it comes from) when it states them.
    ``open_outputs``: what it makes is known only when it ran; ``outputs`` need not be all. ``plugins`` are those of
    the engine that the workflow declares (``nf-schema@2.1.1``); without them it was not read further. ``constraints``
    is the JSON Schema that the workflow itself states for its parameters. ``notes`` are sentences about what could not
    be found out.
    """

    entry: PurePosixPath
    process: str | None
    language: str
    language_version: str
    kind: str
    inputs: tuple[FormalParameter, ...]
    outputs: tuple[FormalParameter, ...]
    steps: tuple[Step, ...] = ()
    tools: tuple[Tool, ...] = ()
    connections: tuple[tuple[str, str], ...] = ()
    documents: tuple[str, ...] = ()
    label: str | None = None
    doc: str | None = None
    licence: str | None = None
    version: str | None = None
    authors: tuple[Mapping[str, Json], ...] = ()
    keywords: tuple[str, ...] = ()
    repository: str | None = None
    needs_javascript: bool = False
    open_outputs: bool = False
    plugins: tuple[str, ...] = ()
    constraints: Mapping[str, Json] | None = None
    notes: tuple[str, ...] = ()


class Plugin(NamedTuple):
    """A plugin of an engine: its name, its exact version, where it is to be had, and its sha512 (hex) where stated."""

    name: str
    version: str
    url: str
    sha512: str | None = None


class Reference(NamedTuple):
    """What one document of a workflow says of another, as it is written, without a fragment; a folder ends in ``/``.

    ``optional``: the workflow is whole without it (a default that a parameter may replace, an ontology).
    """

    text: str
    optional: bool = False


class EngineFile(NamedTuple):
    """One of the files that an engine is: its base name, its purl, its sha256 (hex) and its size in bytes."""

    name: str
    identifier: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledEngine:
    """An engine that is ready to run: exact version, where, and what attests its bytes.

    ``program`` is what runs it: the interpreter of its environment, or its Java. ``fingerprint`` is the sha256 over its
    files by the adapter's own rule, ``size`` their bytes; ``files`` are listed where they are few enough to be items of
    the plan. ``identifier`` is a purl (``pkg:pypi/cwltool@3.3...``). ``source`` is ``cache`` when nothing had to be
    fetched for it, ``expected`` whether its files' digests were known beforehand. ``home`` is where the adapter keeps
    what it builds once for this engine (``None``: it keeps nothing). ``platform`` tells what else it runs on, by
    name (``java``: ``17.0.15 (Debian)``).
    """

    name: str
    version: str
    identifier: str
    fingerprint: str
    size: int
    program: Path
    source: str = "cache"
    expected: bool = True
    home: Path | None = None
    files: tuple[EngineFile, ...] = ()
    platform: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineVersion:
    """A version of an engine as this machine has it, or could have it.

    ``known``: the digests of its files ship with us. ``cached``: it is set up here; only then are ``source`` (where it
    came from: ``default`` when it came with us), ``fingerprint``, ``size`` (bytes) and ``verified`` (its files are
    still the ones that were set up) told. ``default``: it is taken when nobody says which. ``platform`` is what it
    would run on here, by name, and ``lacks`` a sentence on what is missing for it.
    """

    version: str
    known: bool
    cached: bool
    default: bool
    source: str | None = None
    fingerprint: str | None = None
    size: int | None = None
    verified: bool | None = None
    platform: Mapping[str, str] = field(default_factory=dict)
    lacks: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the stage file asks that bears on what the workflow is: settings, and parameters.

    In ``parameters`` a path stands for a file or folder: it has the right name, and nothing is there yet.
    ``containers``: steps will run in them, which a workflow may ask about.
    """

    settings: EngineSettings = field(default_factory=EngineSettings)
    parameters: Mapping[str, Json] = field(default_factory=dict)
    containers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where tasks run. Only this machine, for now; nothing else knows.

    ``require_offline``: rather not at all than with a network.
    """

    cores: int
    memory: int
    time: int | None = None
    isolate_network: bool = True
    require_offline: bool = False


class ResumeFrom(NamedTuple):
    """The earlier run of the same working directory whose finished work may be used again: its number and folder."""

    run: int
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """All that a run needs. Every path is absolute and below ``content`` (the working directory's content).

    ``parameters`` is the job with ``path`` in every File and Directory. ``folder`` is ``runs/<n>``: the engine writes
    below it and nowhere else (``outputs/``, ``logs/``, ``tmp/``, ``engine/``). ``store`` is the content store's folder,
    which tools may not write to. ``resume`` is the run to go on from, for an engine that can. ``containers`` is what
    steps run in; without it they run on this machine. ``covered`` are folders of this machine that nothing of the run
    may find: empty ones lie over them, in which there is only what the run itself needs. ``hidden`` are
    folders that tools have no business with and don't find, where the host can do that. ``secret``: what it writes may
    be found nowhere else than below ``folder`` (and in memory), or it must not begin. ``allowed`` are the reasons
    (``engines.secrecy``) for which its user lets something be found elsewhere nevertheless.
    """

    plan: Plan
    interface: WorkflowInterface
    engine: InstalledEngine
    content: Path
    folder: Path
    run: int
    uuid: str
    parameters: Mapping[str, Json]
    overrides: Mapping[str, Json]
    environment: Mapping[str, str]
    placement: Placement
    store: Path | None = None
    resume: ResumeFrom | None = None
    containers: Containers | None = None
    covered: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    secret: bool = False
    allowed: tuple[str, ...] = ()


Listener = Callable[[Mapping[str, Json]], None]
Beside = Callable[[Identifier], Kind | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Parameters that fit the workflow's interface, or the faults that say why not.

    ``params`` are the definition's values, each under the interface's own name (a nested map may have become a
    record or
    several dotted names).
    """

    params: tuple[Param, ...]
    faults: tuple[Fault, ...] = ()


class Engine(Protocol):
    """An engine adapter.

    ``suffixes`` are those of its documents' names (``.cwl``); ``takes_settings``: it goes by ``EngineSettings``;
    ``resumes``: it can go on from an earlier run (``RunRequest.resume``).
    """

    name: str
    suffixes: tuple[str, ...]
    takes_settings: bool
    resumes: bool

    def recognises(self, root: Path, entry: str | None) -> bool:
        """Whether the workflow at ``root`` (a file or a folder) is in this engine's language."""

    def choose(self, root: Path, entry: str | None, asked: str | None) -> str | None:
        """The version that the workflow at ``root`` is to be run with (``None``: the default); nothing is fetched.

        Raises:
            DefinitionError: the workflow can't be run with the version that was asked for.
        """

    def install(
        self, version: str | None, cache: Path, say: Callable[[str], None], expected: str | None = None
    ) -> InstalledEngine:
        """The engine of that version (``None``: the default), ready to run; fetched and verified if need be.

        ``expected`` is the fingerprint that a lock has for it, for a version that is to be had from several places.

        Raises:
            EngineError: there is no such version, or it can't be set up here.
        """

    def versions(self, cache: Path) -> tuple[EngineVersion, ...]:
        """The versions that are known or set up, oldest first. Nothing is fetched; what is set up is looked at."""

    def references(self, document: bytes, name: str) -> tuple[Reference, ...]:
        """Every reference of a workflow document to something outside it."""

    def plugins(self, names: tuple[str, ...], engine: InstalledEngine) -> tuple[Plugin, ...]:
        """Exactly which plugins the names that a workflow declares mean, for this engine.

        Raises:
            FetchError: it can't be found out.
        """

    def inspect(
        self,
        root: Path,
        entry: str | None,
        engine: InstalledEngine,
        wish: Wish | None = None,
        plugins: Path | None = None,
    ) -> WorkflowInterface:
        """Read the workflow: its inputs, outputs, steps and tools. No task is run, no network is used.

        ``plugins`` is the folder with the engine's plugins that were staged for it. Without it a workflow that declares
        some is read no further than that (``WorkflowInterface.plugins``).

        Raises:
            DefinitionError: the workflow is not valid; the engine's own words, shortened.
        """

    def bind(
        self,
        interface: WorkflowInterface,
        params: tuple[Param, ...],
        beside: Beside | None = None,
        settings: EngineSettings | None = None,
    ) -> Bound:
        """Fit the asked parameters to the interface: unknown names, missing ones, wrong types are faults.

        ``beside`` says what lies at an identifier, where that can be seen for nothing (a local file): secondary files
        that nobody named are taken from there. ``settings`` may let unknown names through.
        """

    def bind_override(self, interface: WorkflowInterface, name: str, value: Json) -> Json:
        """The value that ``run --param name=value`` means, in the input's own type.

        Raises:
            DefinitionError: there is no such input, the value doesn't fit, or it would be a file that is not staged.
        """

    def run(self, request: RunRequest, listener: Listener) -> Execution:
        """Execute once.

        Events go to the run's journal and then to ``listener``. A workflow that fails is a returned ``Execution`` with
        that status, not an error.

        Raises:
            EngineError: the engine could not be started.
        """


ENGINES: Registry[Engine] = Registry("wfexs_like.engines", what="engine")
