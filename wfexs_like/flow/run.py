"""Run: execute a staged working directory once more, after looking whether it still is what the lock says."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from engines.base import Engine, InstalledEngine, Listener, Placement, ResumeFrom, RunRequest, WorkflowInterface
from engines.containers.base import Containers
from engines.execution import Execution, Status
from engines.interface import interface_from_json
from engines.journal import JOURNAL, replay
from staging.areas import PLAIN
from staging.errors import DefinitionError, DigestError, Fault, NotFoundError, PolicyError, UsageError, WfexsError
from staging.plan import Json, Plan, Role
from staging.progress import Progress
from staging.resolving import with_paths
from staging.store import ContentStore
from staging.workdir import VAULT, StagedWorkdir
from wfexs_like.flow.discreet import check_secret
from wfexs_like.flow.recognising import load_engine


def run(
    workdir: StagedWorkdir,
    store: ContentStore,
    *,
    cache: Path,
    params: Mapping[str, Json],
    host: Host | None = None,
    resume: int | None = None,
    require_offline: bool = False,
    allowed: tuple[str, ...] = (),
    listener: Listener | None,
    progress: Progress,
) -> Execution:
    """Verify, then execute once. ``allowed``: see ``engines.secrecy``.

    Raises:
        ContainerError: the container runtime is not to be had here, or can't take an image.
        PolicyError: with ``require_offline``: this host gives a run no network namespace. In an encrypted working
            directory: something would be found in clear elsewhere.
        DigestError: a staged file or the engine is no longer what the lock says.
        DefinitionError: an overridden parameter doesn't fit.
        NotFoundError: there is no run ``resume``.
        UsageError: that run can't be continued, or another container runtime is insisted on than the lock has.
    """
    if require_offline:
        check_offline()
    with workdir.use():
        ready = make_ready(workdir, store, cache=cache, params=params, progress=progress, host=host, allowed=allowed)
        earlier = _earlier(workdir, resume) if resume is not None else None
        number, folder = workdir.new_run()
        request = make_request(ready, workdir, store, number=number, folder=folder, require_offline=require_offline)
        request = replace(request, resume=earlier, allowed=allowed)
        try:
            execution = ready.engine.run(request, listener or (lambda _event: None))
        except WfexsError:
            # Where nothing was begun there is no run to tell of; a folder with anything in it stays.
            with suppress(OSError):
                folder.rmdir()
            raise
        return _believed(execution, workdir, ready.plan, store, folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What a run takes of its user: the environment, which finds container runtimes, and the one that is preferred.

    ``insists``: it was asked for at this run, and no other will do.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    container: str | None = None
    insists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A working directory that was verified, the engine that can run it, and what its steps run in."""

    plan: Plan
    engine: Engine
    installed: InstalledEngine
    interface: WorkflowInterface
    overrides: Mapping[str, Json]
    containers: Containers | None = None


def make_ready(
    workdir: StagedWorkdir,
    store: ContentStore,
    *,
    cache: Path,
    params: Mapping[str, Json],
    progress: Progress,
    host: Host | None = None,
    allowed: Sequence[str] = (),
) -> Ready:
    """Verify what is staged, set the engine up and load the images; see ``run`` for what is raised."""
    plan = workdir.plan()
    if host is not None and host.insists:
        _check_runtime(plan, workdir, str(host.container))
    asking = None
    if plan.container != "none":
        from wfexs_like.flow.containers import Asking

        host = host or Host()
        environment = {**host.environment, "WFEXS_LIKE_CACHE": str(cache)}
        asking = Asking(plan, workdir.content, environment=environment, preferred=host.container)
    workdir.verify(plan, store)
    engine = load_engine(plan.engine)
    installed = engine.install(plan.engine_version, cache, progress.say, plan.engine_fingerprint)
    _check_engine(plan, installed)
    interface = read_interface(workdir)
    overrides = _overrides(engine.bind_override, interface, params)
    containers = asking.containers(interface, progress) if asking is not None else None
    if workdir.vault != PLAIN:
        check_secret(containers, allowed)
    return Ready(
        plan=plan,
        engine=engine,
        installed=installed,
        interface=interface,
        overrides=overrides,
        containers=containers,
    )


def _check_runtime(plan: Plan, workdir: StagedWorkdir, insisted: str) -> None:
    """Refuse a container runtime that the lock doesn't have; one that has nothing to do may be any.

    Raises:
        UsageError: the lock has another one.
    """
    if plan.container in ("any", insisted) or (insisted == "any" and plan.container != "none"):
        return
    from wfexs_like.flow.images import askers

    if plan.container == "none" and not askers(read_interface(workdir)):
        return
    locked = "no containers" if plan.container == "none" else f"containers of {plan.container}"
    raise UsageError(
        f"{workdir.nickname} was staged for {locked}, which the lock has; --container says {insisted}",
        hint=f"stage it anew with workflow_config.containerType: {insisted}, or run it without --container",
    )


def make_request(
    ready: Ready,
    workdir: StagedWorkdir,
    store: ContentStore,
    *,
    number: int,
    folder: Path,
    require_offline: bool = False,
    covered: tuple[Path, ...] = (),
) -> RunRequest:
    """All that a run in ``folder`` needs; ``covered`` folders are nowhere to be found for it."""
    plan = ready.plan
    return RunRequest(
        plan=plan,
        interface=ready.interface,
        engine=ready.installed,
        content=workdir.content,
        folder=folder,
        run=number,
        uuid=str(uuid.uuid4()),
        parameters=with_paths(
            {**plan.parameters, **ready.overrides}, _places(plan), workdir.content, outputs=folder / "outputs"
        ),
        overrides=ready.overrides,
        environment=_environment(plan, workdir.content),
        placement=replace(_placement(plan), require_offline=require_offline),
        store=store.root,
        covered=covered,
        # The locks in there say who uses the area; a tool that took them would keep others out.
        hidden=() if workdir.vault == PLAIN else (workdir.root / VAULT,),
        containers=ready.containers,
        secret=workdir.vault != PLAIN,
    )


def check_offline() -> None:
    """Make sure that a run can be kept offline here.

    Raises:
        PolicyError: it can't.
    """
    from engines.isolation import probe

    if not probe().network:
        raise PolicyError(
            "the run must be offline, and this host gives it no network namespace",
            hint='"wfexs-like doctor" says what the host lacks',
        )


def _earlier(workdir: StagedWorkdir, number: int) -> ResumeFrom:
    """The run that is to be continued.

    Raises:
        NotFoundError: there is none of that number.
        UsageError: it is still running, or came to a good end.
    """
    if number not in workdir.runs():
        raise NotFoundError(
            f"{workdir.nickname} has no run {number}", hint=f'"wfexs-like show {workdir.id}" lists its runs'
        )
    folder = workdir.run_folder(number)
    try:
        status = replay(folder / JOURNAL, brief=True).status
    except NotFoundError as error:
        raise UsageError(
            f"run {number} was stopped before it began: there is nothing to continue",
            hint="run again without --resume",
        ) from error
    if status in (Status.RUNNING, Status.COMPLETED):
        why = "is still running" if status is Status.RUNNING else "was completed: there is nothing to continue"
        raise UsageError(f"run {number} {why}", hint="run again without --resume")
    return ResumeFrom(run=number, folder=folder)


def _believed(execution: Execution, workdir: StagedWorkdir, plan: Plan, store: ContentStore, folder: Path) -> Execution:
    """The execution, or what is left of it when something staged is no longer what it ran with.

    Where the host lets us, tools can't write to what is staged. This look holds everywhere.
    """
    if execution.status is Status.KILLED:
        return execution
    try:
        workdir.verify(plan, store)
    except WfexsError as error:
        from engines.summary import refuse_run

        changed = DigestError(f"what is staged was changed while it ran: {error.message}", hint=error.hint)
        return refuse_run(folder, changed)
    return execution


def read_interface(workdir: StagedWorkdir) -> WorkflowInterface:
    """What the engine said of the workflow when it was staged."""
    path = workdir.interface_path
    try:
        return interface_from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError, DefinitionError) as error:
        raise NotFoundError(
            f"{workdir.id} has no readable interface.json", hint="stage again: this working directory is damaged"
        ) from error


def _check_engine(plan: Plan, installed: InstalledEngine) -> None:
    for item in plan.of_role(Role.ENGINE)[:1]:
        if item.fingerprint.digest != installed.fingerprint.removeprefix("sha256:"):
            raise DigestError(
                f"the engine {item.identifier} has changed since it was staged",
                hint="stage again with the engine that is installed now, or install the one that was staged",
                identifier=item.identifier,
                expected=item.fingerprint.digest,
                actual=installed.fingerprint.removeprefix("sha256:"),
            )


def _places(plan: Plan) -> dict[str, PurePosixPath]:
    return {
        item.name: item.path
        for item in plan.items
        if item.path is not None and item.role in (Role.INPUT, Role.ENVIRONMENT)
    }


def _overrides(bind_override: object, interface: WorkflowInterface, params: Mapping[str, Json]) -> dict[str, Json]:
    assert callable(bind_override)
    overrides: dict[str, Json] = {}
    faults: list[Fault] = []
    for name, value in params.items():
        try:
            overrides[name] = bind_override(interface, name, value)
        except DefinitionError as error:
            faults.extend(error.faults)
    if faults:
        raise DefinitionError(tuple(faults), message="--param does not fit the workflow: " + str(faults[0].message))
    return overrides


def _environment(plan: Plan, content: Path) -> dict[str, str]:
    """The stage file's environment: scalars as text, files as paths, several of them joined by ``:``."""
    places = {item.name: item.path for item in plan.of_role(Role.ENVIRONMENT) if item.path is not None}
    return {name: _text(value) for name, value in with_paths(plan.environment, places, content).items()}


def _text(value: Json) -> str:
    if isinstance(value, Mapping):
        return str(value.get("path", ""))
    if isinstance(value, list):
        return ":".join(_text(one) for one in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _placement(plan: Plan) -> Placement:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0))
    return Placement(
        cores=min(cores, plan.limits.cores or cores),
        memory=min(memory, plan.limits.memory or memory),
        time=plan.limits.time,
    )
