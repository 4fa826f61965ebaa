"""Stage: from a stage file to a locked working directory, or to nothing at all.

The order is the promise: the document's own faults first, then the workflow and its engine, then the parameters against
the workflow's interface, and only then the inputs. Whatever fails leaves no working directory behind.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import cast

from engines.base import ENGINES, Beside, Engine, InstalledEngine, Wish, WorkflowInterface
from engines.expectations import unknown_outputs
from engines.gathering import check_contained, gather
from engines.interface import interface_as_json, interface_from_json
from staging.checksums import check_sha1
from staging.definition import (
    DirectoryValue,
    EngineSettings,
    FileValue,
    OutputPlace,
    Param,
    Source,
    StageDefinition,
    Value,
)
from staging.errors import DefinitionError, DigestError, Fault
from staging.fingerprints import Fingerprint
from staging.identifiers import Identifier
from staging.places import placed
from staging.placing import write_atomically
from staging.plan import Json, Kind, Plan, PlanItem, Role, Trust, WorkflowEntry, canonical, settings_as_json
from staging.progress import Progress
from staging.resolving import GIT_SCHEMES, Layout, lay_out, workflow_pointer
from staging.stager import Stager
from staging.unpacked import unpacked_item
from staging.wanted import StagedItem, Wanted
from wfexs_like.flow.image_staging import stage_wanted
from wfexs_like.flow.images import WantedImages, askers, images_of, runtime_of, words_on_runtime

WORKFLOW_FOLDER = "workflow"
# Raised whenever the meaning of a kept inspection changes, so that an old one is not believed.
INSPECTION_VERSION = 7
_DEFAULT_ENGINE = "cwltool"
_PROFILE = "profile"
_PROFILE_PLACES = (_PROFILE, "workflow_config.nextflow.profile")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageWork:
    """One stage in progress: what is asked, where it goes and who does it.

    ``container`` is the container runtime where nobody else says one.
    """

    definition: StageDefinition
    stager: Stager
    content: Path
    workdir_id: str
    cache: Path
    progress: Progress
    locked: Plan | None = None
    container: str | None = None

    @property
    def runtime(self) -> str | None:
        """The container runtime that is asked for: by the stage file, by the lock, or by the settings."""
        locked = self.locked.container if self.locked is not None else None
        return self.definition.container or locked or self.container

    def fetch(self, wanted: Sequence[Wanted]) -> tuple[StagedItem, ...]:
        """Fetch and place; see ``Stager.fetch_all``."""
        staged = self.stager.fetch_all(
            wanted, self.content, self.definition.base, locked=self.locked, workdir_id=self.workdir_id
        )
        check_sha1(wanted, self.content)
        return staged


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedWorkflow:
    """The workflow in its place: its items, and what the engine says of it."""

    items: tuple[StagedItem, ...]
    engine: Engine
    installed: InstalledEngine
    interface: WorkflowInterface
    entry: PurePosixPath
    settings: EngineSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """All that can be known without the inputs' bytes: the workflow, the job, and what is still to be fetched.

    ``container`` is the plan's runtime, ``images`` what it takes.
    """

    workflow: StagedWorkflow
    container: str
    images: WantedImages
    inputs: Layout
    environment: Layout


def prepare(work: StageWork) -> Prepared:
    """Fetch the workflow, set up its engine, and fit the parameters to the workflow's interface.

    Raises:
        DefinitionError: the workflow is invalid, or parameters or expected outputs don't fit it.
        ContainerError: it can't be known which container image a step wants, or there is to be none and it needs one.
    """
    definition = work.definition
    workflow = stage_workflow(work)
    interface = workflow.interface
    for note in interface.notes:
        work.progress.say(note)
    wanting = askers(interface)
    container = runtime_of(definition, wanting, asked=work.runtime)
    for words in words_on_runtime(definition, wanting, container):
        work.progress.say(words)
    images = WantedImages() if container == "none" else images_of(definition, wanting)
    bound = workflow.engine.bind(interface, definition.params, _local(definition.base), workflow.settings)
    faults = (
        *(one if one.file else replace(one, file=definition.file) for one in bound.faults),
        *_missing_defaults(work, workflow, bound.params),
        *unknown_outputs(interface, definition.outputs, definition.file),
    )
    if faults:
        raise DefinitionError(faults)
    params = (*bound.params, *_remote_defaults(interface, bound.params))
    return Prepared(
        workflow=workflow,
        container=container,
        images=images,
        inputs=lay_out(params, role=Role.INPUT, top="inputs", file=definition.file),
        environment=lay_out(definition.environment, role=Role.ENVIRONMENT, top="environment", file=definition.file),
    )


def realise(work: StageWork, prepared: Prepared) -> tuple[Plan, tuple[StagedItem, ...]]:
    """Fetch the inputs and write down what everything is: the plan."""
    definition, workflow = work.definition, prepared.workflow
    fetched = work.fetch((*prepared.inputs.wanted, *prepared.environment.wanted))
    images = stage_wanted(work, prepared.images, workflow.items)
    items = (*workflow.items, *engine_items(workflow, definition, work.locked), *fetched, *images)
    interface = workflow.interface
    plan = Plan(
        workflow=WorkflowEntry(
            path=workflow.entry,
            process=interface.process,
            language=interface.language,
            language_version=interface.language_version,
        ),
        engine=workflow.installed.name,
        engine_version=workflow.installed.version,
        container=prepared.container,
        writable_containers=definition.writable_containers and prepared.container != "none",
        items=tuple(one.item for one in items),
        parameters=prepared.inputs.values,
        environment=prepared.environment.values,
        requirements=cast("tuple[Mapping[str, Json], ...]", definition.requirements),
        outputs=definition.outputs,
        limits=definition.limits,
        settings=workflow.settings,
    )
    return plan, items


def stage_workflow(work: StageWork) -> StagedWorkflow:
    """Fetch the workflow with all its documents, choose and set up its engine, and inspect it."""
    pointer = workflow_pointer(work.definition.workflow)
    engine, items, root, entry = _fetch_workflow(work, pointer.whole, pointer.entry)
    full_entry = entry if pointer.process is None else f"{entry or ''}#{pointer.process}"
    locked = work.locked
    version = engine.choose(
        root, full_entry, work.definition.engine.version or (locked.engine_version if locked else None)
    )
    installed = engine.install(
        version, work.cache, work.progress.say, locked.engine_fingerprint if locked is not None else None
    )
    if work.definition.settings != EngineSettings() and not engine.takes_settings:
        work.progress.say(f"profiles and limits for Nextflow's tasks mean nothing to {engine.name}: they are left out")
    inspection = Inspection(work=work, engine=engine, installed=installed, items=items, root=root, entry=full_entry)
    interface, plugins = inspection.make()
    relative = root.relative_to(work.content)
    return StagedWorkflow(
        items=(*items, *plugins),
        engine=engine,
        installed=installed,
        interface=interface,
        entry=PurePosixPath(relative) / interface.entry,
        settings=inspection.settings,
    )


def load_engine(name: str) -> Engine:
    """The adapter of that name.

    Raises:
        DefinitionError: there is none.
    """
    try:
        return ENGINES.load(name)()
    except KeyError as error:
        known = ", ".join(ENGINES.names())
        raise DefinitionError(
            (Fault(file="engine", where=name, message="no such engine", hint=f"engines here: {known}"),)
        ) from error


def _named_engine(work: StageWork, document: str) -> Engine | None:
    """The engine that was asked for, or else the one whose documents are called like that."""
    name = work.definition.engine.name or (work.locked.engine if work.locked else None)
    if name is not None:
        return load_engine(name)
    engines = [load_engine(one) for one in ENGINES.names()]
    return next((one for one in engines if document.endswith(one.suffixes)), None)


def _recognised(work: StageWork, root: Path, entry: str | None) -> Engine:
    """The engine for a workflow that lies there: by its name, or by looking at it."""
    engine = _named_engine(work, entry or "")
    if engine is not None:
        return engine
    engines = [load_engine(one) for one in ENGINES.names()]
    return next((one for one in engines if one.recognises(root, entry)), None) or load_engine(_DEFAULT_ENGINE)


def _fetch_workflow(
    work: StageWork, source: Source, entry: str | None
) -> tuple[Engine, tuple[StagedItem, ...], Path, str | None]:
    """Its engine, its items, the root of its documents, and the main document below that root where it is known."""
    from staging.crate_source import find_main_workflow, is_crate_archive, unpack_crate

    first = source.mirrors[0].against(work.definition.base)
    whole = PurePosixPath(WORKFLOW_FOLDER)
    root = work.content / whole
    local = first.local_path
    if first.scheme in GIT_SCHEMES or (local is not None and local.is_dir()):
        items = work.fetch([_whole_wanted(source, whole, Kind.DIRECTORY)])
        entry = entry or find_main_workflow(root)
        return _recognised(work, root, entry), items, root, entry
    if is_crate_archive(first.name):
        archive = PurePosixPath("workflow-crate") / first.name
        (item,) = work.fetch([_whole_wanted(source, archive, Kind.FILE)])
        tree = unpack_crate(work.content / archive, root)
        entry = entry or find_main_workflow(root)
        return (
            _recognised(work, root, entry),
            (item, unpacked_item(item, tree, content=work.content, path=whole)),
            root,
            entry,
        )
    engine = _named_engine(work, first.name) or load_engine(_DEFAULT_ENGINE)
    gathered = gather(
        source,
        top=WORKFLOW_FOLDER,
        content=work.content,
        fetch=work.fetch,
        references=engine.references,
        base=work.definition.base,
        locked=None if work.locked is None else {one.name for one in work.locked.of_role(Role.WORKFLOW)},
    )
    return engine, gathered.items, root, str(gathered.entry.relative_to(WORKFLOW_FOLDER))


def _whole_wanted(source: Source, path: PurePosixPath, kind: Kind) -> Wanted:
    return Wanted(role=Role.WORKFLOW, name="workflow", source=source, path=path, kind=kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What an engine is asked of a workflow that lies in its place."""

    work: StageWork
    engine: Engine
    installed: InstalledEngine
    items: tuple[StagedItem, ...]
    root: Path
    entry: str | None

    @property
    def settings(self) -> EngineSettings:
        """What the stage file asks of the engine; nothing for one that takes no settings."""
        return self.work.definition.settings if self.engine.takes_settings else EngineSettings()

    def make(self) -> tuple[WorkflowInterface, tuple[StagedItem, ...]]:
        """The workflow's interface, and the engine's plugins that it declares, staged.

        The interface is kept by what it depends on: the documents' bytes, the entry, the engine's bytes, and what the
        stage file asks that bears on it.
        """
        interface = self._ask()
        plugins: tuple[StagedItem, ...] = ()
        if interface.plugins:
            from wfexs_like.flow.plugins import PLUGINS, stage_plugins

            plugins = stage_plugins(
                interface.plugins,
                content=self.work.content,
                resolve=lambda asked: self.engine.plugins(asked, self.installed),
                fetch=self.work.fetch,
                locked=self.work.locked,
            )
            interface = self._ask(plugins, self.work.content / PLUGINS)
        return interface, plugins

    def _ask(self, plugins: tuple[StagedItem, ...] = (), folder: Path | None = None) -> WorkflowInterface:
        """The engine's answer, or the one that it gave to the same question before."""
        wish = self._wish()
        kept = self._kept(wish, plugins)
        interface = _read_kept(kept)
        if interface is None:
            interface = self._inspected(wish, folder)
            check_contained(self.root, interface.entry, self.engine.references)
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_json(kept, interface_as_json(interface))
        return interface

    def _wish(self) -> Wish:
        """What bears on the answer: nothing, for an engine whose workflows are what their documents say."""
        if not self.engine.takes_settings:
            return Wish()
        definition, runtime = self.work.definition, self.work.runtime
        return Wish(
            settings=self.settings,
            parameters={one.name: _foretold(one.value) for one in definition.params},
            containers=bool(definition.images) if runtime is None else runtime != "none",
        )

    def _inspected(self, wish: Wish, folder: Path | None) -> WorkflowInterface:
        """The engine's answer. A fault of what the stage file asks is told at its place there."""
        try:
            return self.engine.inspect(self.root, self.entry, self.installed, wish, folder)
        except DefinitionError as error:
            if not any(one.where == _PROFILE and not one.file for one in error.faults):
                raise
            faults = tuple(
                placed(one, self.work.definition, _PROFILE_PLACES) if one.where == _PROFILE and not one.file else one
                for one in error.faults
            )
            raise DefinitionError(faults, hint=error.hint) from error

    def _kept(self, wish: Wish, plugins: tuple[StagedItem, ...]) -> Path:
        facts = {
            "version": INSPECTION_VERSION,
            "documents": [[str(one.item.path), one.item.fingerprint.digest] for one in self.items],
            "entry": self.entry,
            "engine": self.installed.fingerprint,
            "settings": settings_as_json(wish.settings),
            "parameters": wish.parameters,
            "containers": wish.containers,
            "plugins": [[one.item.name, one.item.fingerprint.digest] for one in plugins],
        }
        return self.work.cache / "inspections" / f"{Fingerprint.of_bytes(canonical(facts)).digest}.json"


def _read_kept(path: Path) -> WorkflowInterface | None:
    """An interface that was kept; ``None`` if there is none, or a damaged one."""
    try:
        return interface_from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError, DefinitionError):
        return None


def _foretold(value: Value) -> Json:
    """A value as it can be told before anything is fetched: for a file or a folder stands a path with its name."""
    if isinstance(value, OutputPlace):
        return str(value.path)
    if isinstance(value, FileValue | DirectoryValue):
        name = value.basename or (value.source.mirrors[0].name if value.source is not None else "contents.txt")
        return f"/not-staged-yet/{name}"
    if isinstance(value, Mapping):
        return {key: _foretold(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_foretold(one) for one in value]
    return value


def write_json(path: Path, value: object) -> None:
    """Write a JSON document whole or not at all."""
    write_atomically(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n")


def engine_items(workflow: StagedWorkflow, definition: StageDefinition, locked: Plan | None) -> list[StagedItem]:
    """The engine as an item of the plan, and its files where it tells them.

    Raises:
        DigestError: the lock holds another one.
    """
    installed = workflow.installed
    asked = definition.engine.version
    item = PlanItem(
        role=Role.ENGINE,
        name=installed.name,
        identifier=f"{installed.name}@{asked or installed.version}",
        pinned=installed.identifier,
        kind=Kind.DIRECTORY,
        fingerprint=Fingerprint.parse(installed.fingerprint),
        size=installed.size,
        trust=Trust.EXPECTED if installed.expected else Trust.FIRST_USE,
    )
    trust = item.trust
    if locked is not None:
        expected = locked.engine_fingerprint
        if expected != item.fingerprint.digest:
            raise DigestError(
                f"the engine {item.identifier} is not the one in the lock",
                hint="install the version of wfexs-like that made the lock, or stage without --locked",
                identifier=item.identifier,
                expected=expected,
                actual=item.fingerprint.digest,
            )
        trust = Trust.LOCKED
    files = [
        replace(
            item,
            name=f"{installed.name}/{one.name}",
            identifier=one.identifier,
            pinned=one.identifier,
            kind=Kind.FILE,
            fingerprint=Fingerprint.parse(f"sha256:{one.sha256}"),
            size=one.size,
        )
        for one in installed.files
    ]
    return [StagedItem(item=one, source=installed.source, trust=trust) for one in (item, *files)]


def _local(base: Path) -> Beside:
    """What lies at an identifier, as far as the local file system tells."""

    def look(identifier: Identifier) -> Kind | None:
        path = identifier.against(base).local_path
        if path is None or not path.exists():
            return None
        return Kind.DIRECTORY if path.is_dir() else Kind.FILE

    return look


def _missing_defaults(work: StageWork, workflow: StagedWorkflow, params: tuple[Param, ...]) -> tuple[Fault, ...]:
    """Defaults of the workflow that are not there, and that no parameter replaces."""
    given = {param.name for param in params if param.value is not None}
    root = work.content / WORKFLOW_FOLDER
    return tuple(
        Fault(
            file=work.definition.file,
            where=f"params.{one.name}",
            message=f"the workflow's default for {one.name!r}, {one.default['path']}, is not there",
            hint="give it a value",
        )
        for one in workflow.interface.inputs
        if one.name not in given
        and isinstance(one.default, Mapping)
        and one.default.get("class") in ("File", "Directory")
        and isinstance(one.default.get("path"), str)
        and not (root / str(one.default["path"])).exists()
    )


def _remote_defaults(interface: WorkflowInterface, params: tuple[Param, ...]) -> tuple[Param, ...]:
    """Defaults of the workflow that point outside it: staged like any input, since no run may fetch them."""
    given = {param.name for param in params}
    return tuple(
        Param(name=one.name, value=value, where=f"default of {one.name}")
        for one in interface.inputs
        if one.name not in given and (value := _remote(one.default, f"default of {one.name}")) is not None
    )


def _remote(value: Json, where: str) -> FileValue | DirectoryValue | None:
    if not isinstance(value, dict) or value.get("class") not in ("File", "Directory"):
        return None
    location = value.get("location") or value.get("path")
    if not isinstance(location, str) or not location.startswith(("http://", "https://")):
        return None
    basename = value.get("basename")
    make: Callable[..., FileValue | DirectoryValue] = FileValue if value["class"] == "File" else DirectoryValue
    return make(
        source=Source(mirrors=(Identifier.parse(location),), where=where),
        basename=str(basename) if basename else None,
        where=where,
    )


def differences(old: Plan, new: Plan) -> tuple[str, ...]:
    """What another stage of the same file found changed, one sentence each."""
    # Of an image's blobs its own digest tells enough.
    before = {(item.role, item.name): item for item in old.items if item.role is not Role.BLOB}
    after = {(item.role, item.name): item for item in new.items if item.role is not Role.BLOB}
    lines = [f"{name} is no longer part of it" for role, name in before if (role, name) not in after]
    for key, item in after.items():
        known = before.get(key)
        if known is None:
            lines.append(f"{item.name} is new: {item.pinned} sha256 {item.fingerprint.digest}")
        elif known.fingerprint != item.fingerprint:
            lines.append(
                f"{item.name} changed: {known.fingerprint.digest} -> {item.fingerprint.digest} ({item.pinned})"
            )
    if old.parameters != new.parameters:
        lines.append("the parameters' values changed")
    return tuple(lines)
