"""The workflow: fetched with all its documents, its engine chosen and set up, and asked what it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engines.base import Engine, InstalledEngine, WorkflowInterface
from engines.gathering import gather
from staging.definition import EngineSettings, Source
from staging.plan import Kind, Role
from staging.resolving import GIT_SCHEMES, workflow_pointer
from staging.unpacked import unpacked_item
from staging.wanted import StagedItem, Wanted
from wfexs_like.flow.inspecting import Inspection
from wfexs_like.flow.recognising import DEFAULT_ENGINE, load_engine, named_engine, recognised
from wfexs_like.flow.work import StageWork

WORKFLOW_FOLDER = "workflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedWorkflow:
    """The workflow in its place: its items, and what the engine says of it."""

    items: tuple[StagedItem, ...]
    engine: Engine
    installed: InstalledEngine
    interface: WorkflowInterface
    entry: PurePosixPath
    settings: EngineSettings


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
        return recognised(work, root, entry), items, root, entry
    if is_crate_archive(first.name):
        archive = PurePosixPath("workflow-crate") / first.name
        (item,) = work.fetch([_whole_wanted(source, archive, Kind.FILE)])
        tree = unpack_crate(work.content / archive, root)
        entry = entry or find_main_workflow(root)
        return (
            recognised(work, root, entry),
            (item, unpacked_item(item, tree, content=work.content, path=whole)),
            root,
            entry,
        )
    engine = named_engine(work, first.name) or load_engine(DEFAULT_ENGINE)
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
