"""Stage: from a stage file to a locked working directory, or to nothing at all.

The order is the promise: the document's own faults first, then the workflow and its engine, then the parameters against
the workflow's interface, and only then the inputs. Whatever fails leaves no working directory behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from engines.base import Beside, WorkflowInterface
from engines.expectations import unknown_outputs
from staging.definition import (
    DirectoryValue,
    FileValue,
    Param,
    Source,
    StageDefinition,
)
from staging.errors import DefinitionError, DigestError, Fault
from staging.fingerprints import Fingerprint
from staging.identifiers import Identifier
from staging.plan import Json, Kind, Plan, PlanItem, Role, Trust, WorkflowEntry
from staging.resolving import Layout, lay_out
from staging.wanted import StagedItem
from wfexs_like.flow.image_staging import stage_wanted
from wfexs_like.flow.images import WantedImages, askers, images_of, runtime_of, words_on_runtime
from wfexs_like.flow.work import StageWork
from wfexs_like.flow.workflow import WORKFLOW_FOLDER, StagedWorkflow, stage_workflow


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
