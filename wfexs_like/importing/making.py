"""Making a working directory of a crate: the only module that knows the whole way of an import."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from engines.base import Engine, InstalledEngine, Wish, WorkflowInterface
from engines.gathering import check_contained
from engines.interface import interface_as_json
from staging.areas import PLAIN
from staging.definition import StageDefinition
from staging.errors import CrateError, DefinitionError, DigestError
from staging.identifiers import Identifier
from staging.paths import safe_name
from staging.placing import write_atomically, write_json
from staging.plan import Json, Plan, Role, Trust
from staging.progress import Progress
from staging.removing import remove_path
from staging.stager import Stager
from staging.wanted import StagedItem
from staging.workdir import ABOUT, INTERFACE, LOCK, NewWorkdir, StagedWorkdir
from wfexs_like.flow.plugins import PLUGINS, locked_plugins
from wfexs_like.flow.recognising import load_engine
from wfexs_like.flow.stage import prepare, realise
from wfexs_like.flow.work import StageWork
from wfexs_like.flow.workflow import WORKFLOW_FOLDER
from wfexs_like.importing.addresses import named_by_archive, path_inside
from wfexs_like.importing.asking import refuse_in_clear
from wfexs_like.importing.checking import check_payload, has_lock, read_plan
from wfexs_like.importing.foreign import STAGE_FILE, Foreign
from wfexs_like.importing.opening import OpenCrate, open_crate
from wfexs_like.importing.taking import IN_CRATE, Level, Taking
from wfexs_like.importing.telling import about, find_run, overrides_of
from wfexs_like.reading.account import Account
from wfexs_like.reading.contents import open_crate as look_into
from wfexs_like.reading.makers import OURS
from wfexs_like.reading.recount import recount_contents

_UNPACKED: Final = ".crate"
"""Where an archive is unpacked meanwhile: within the content, which may be encrypted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What is to be imported, and how.

    ``run`` is the run whose parameters the working directory shall have (``None``: those of the plan). ``level``:
    ``full`` takes the bytes that are in the crate, ``metadata`` only what has no address to be fetched from.
    ``strict``: whatever is in the crate is verified, and what can't be is refused. ``locked`` is a lock that the
    crate's maker gave apart. ``clear``: what a crate of an encrypted working directory holds may become plain.
    """

    crate: Path
    run: int | str | None = None
    level: Level = "full"
    strict: bool = False
    locked: Path | None = None
    clear: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A working directory made of a crate.

    ``overrides`` are the parameters that differ from the crate's own plan, since ``run`` had others: the number of the
    run that was asked for, or in a crate of another maker of the one whose parameters it has.
    """

    workdir: StagedWorkdir
    plan: Plan
    items: tuple[StagedItem, ...]
    overrides: Mapping[str, Json] = field(default_factory=dict)
    run: int | None = None


def import_crate(
    wish: Import,
    new: NewWorkdir,
    *,
    stager: Stager,
    cache: Path,
    progress: Progress,
    work: Callable[[StageDefinition], StageWork] | None = None,
) -> Imported:
    """Make a working directory of a crate: ``new``, which is finished then, or left for its maker to take away.

    ``work`` makes the work that stages a definition in there, which is how a crate of another maker comes in.

    Raises:
        NotFoundError: there is no such crate, or it tells of no such run.
        CrateError: it is none, has no lock, or is at odds with itself.
        KeyAccessError: it is of an encrypted working directory, and ``new`` is plain.
        DefinitionError: its lock is none, or its workflow is invalid.
        DigestError: a file is not what the lock says.
        FetchError: something is neither in the crate nor to be had.
        PolicyError: a path in it could do harm.
        EngineError: its engine can't be set up here.
    """
    unpacked = new.content / _UNPACKED
    crate = open_crate(wish.crate, unpacked)
    if new.vault == PLAIN and not wish.clear:
        refuse_in_clear(crate.entities)
    account = None if work is None or wish.locked is not None or has_lock(crate) else _account(crate)
    if work is not None and account is not None and not (account.maker or "").startswith(OURS):
        foreign = Foreign(crate=crate, account=account, cache=cache, level=wish.level, strict=wish.strict)
        return _import_foreign(wish, foreign, new, work, unpacked)
    plan = read_plan(crate, wish.locked, strict=wish.strict)
    if wish.strict:
        check_payload(crate)
    run = None if wish.run is None else find_run(crate, wish.run)[0]
    engine = load_engine(plan.engine)
    taking = Taking(crate=crate, plan=plan, stager=stager, content=new.content, workdir_id=new.id, level=wish.level)
    items = taking.take()
    installed = _installed(engine, plan, cache, progress)
    interface = _inspected(engine, installed, plan, new.content)
    overrides = overrides_of(crate, run, plan, engine, interface) if run is not None else {}
    if overrides:
        plan = replace(plan, parameters={**plan.parameters, **overrides})
    for name in plan.settings.secrets:
        progress.say(f"a run of this workflow is given your Nextflow secret {name!r}: see that you want that")
    items = (*items, *_engine_items(plan, installed))
    words = about(crate)
    remove_path(unpacked)
    _write(new, plan, interface, words, items)
    return Imported(workdir=new.commit(), plan=plan, items=items, overrides=overrides, run=run)


def _account(crate: OpenCrate) -> Account:
    with look_into(crate.root) as contents:
        return recount_contents(crate.place, contents)


def _import_foreign(
    wish: Import, foreign: Foreign, new: NewWorkdir, work: Callable[[StageDefinition], StageWork], unpacked: Path
) -> Imported:
    """Stage what a crate of another maker tells, as a stage file would be staged."""
    definition = foreign.definition(wish.run)
    working = work(definition)
    said = _say(foreign, working, 0)
    try:
        prepared = prepare(working)
    except DefinitionError as error:
        faults = tuple(one if one.hint else replace(one, hint=STAGE_FILE) for one in error.faults)
        raise DefinitionError(faults) from error
    foreign.holding.hold(prepared.workflow.items)
    foreign.holding.vouch((*prepared.inputs.wanted, *prepared.environment.wanted))
    said = _say(foreign, working, said)
    plan, staged = realise(working, prepared)
    foreign.holding.hold(staged)
    _say(foreign, working, said)
    items = tuple(_of_crate(one, foreign.crate) for one in staged)
    plan = replace(plan, items=tuple(one.item for one in items))
    words = about(foreign.crate)
    remove_path(unpacked)
    _write(new, plan, prepared.workflow.interface, words, items)
    return Imported(workdir=new.commit(), plan=plan, items=items, run=foreign.number_of(wish.run))


def _say(foreign: Foreign, working: StageWork, already: int) -> int:
    """Say the remarks that weren't said yet; how many there are by now."""
    for remark in foreign.remarks[already:]:
        working.progress.say(remark)
    return len(foreign.remarks)


def _of_crate(one: StagedItem, crate: OpenCrate) -> StagedItem:
    """An item that was in the crate is told as such, and named by what lasts."""
    pinned = Identifier.parse(one.item.pinned) if one.item.pinned.startswith("file:") else None
    if pinned is None or path_inside(pinned, crate.root) is None:
        return one
    item = one.item if crate.place.is_dir() else named_by_archive(one.item, crate.place, crate.root)
    return replace(one, item=item, source=IN_CRATE)


def _write(
    new: NewWorkdir, plan: Plan, interface: WorkflowInterface, words: object, items: tuple[StagedItem, ...]
) -> None:
    write_json(new.content / INTERFACE, interface_as_json(interface))
    write_json(new.content / ABOUT, words)
    write_atomically(new.content / LOCK, plan.lock_bytes())
    new.record(items)


def _installed(engine: Engine, plan: Plan, cache: Path, progress: Progress) -> InstalledEngine:
    """The very engine that the crate was made with.

    Raises:
        DigestError: the one that is to be had here is another.
        EngineError: it can't be set up here.
    """
    expected = plan.engine_fingerprint
    installed = engine.install(plan.engine_version, cache, progress.say, expected)
    actual = installed.fingerprint.removeprefix("sha256:")
    if actual != expected:
        raise DigestError(
            f"{plan.engine} {plan.engine_version} is not the one that the crate was made with",
            hint="install the version of wfexs-like that made the crate: its README says which",
            identifier=installed.identifier,
            expected=expected,
            actual=actual,
        )
    return installed


def _inspected(engine: Engine, installed: InstalledEngine, plan: Plan, content: Path) -> WorkflowInterface:
    """What the engine says of the workflow that lies there now.

    Raises:
        DefinitionError: it isn't valid.
        CrateError: it is another one than the lock says.
    """
    root, entry = content / WORKFLOW_FOLDER, plan.workflow.path
    relative = entry.relative_to(WORKFLOW_FOLDER)
    asked = str(relative) if plan.workflow.process is None else f"{relative}#{plan.workflow.process}"
    wish = Wish()
    if engine.takes_settings:
        wish = Wish(
            settings=plan.settings,
            parameters={name: _foretold(value) for name, value in plan.parameters.items()},
            containers=plan.container != "none",
        )
    plugins = plan.of_role(Role.PLUGIN)
    interface = engine.inspect(root, asked, installed, wish, content / PLUGINS if plugins else None)
    if interface.plugins and locked_plugins(interface.plugins, plan) is None:
        raise CrateError(
            f"the crate's lock lacks plugins that its workflow declares: {', '.join(interface.plugins)}",
            where=str(entry),
        )
    check_contained(root, interface.entry, engine.references)
    if (interface.process, interface.language) != (plan.workflow.process, plan.workflow.language):
        raise CrateError(
            f"the crate's lock is for another workflow than {str(entry)!r}",
            hint="the lock is at odds with the crate: don't trust it",
            where=str(entry),
        )
    return interface


def _foretold(value: Json) -> Json:
    """A value as staging tells it to the engine: for a file a path with its name, for a place of outputs the place."""
    if isinstance(value, Mapping):
        if value.get("class") not in ("File", "Directory"):
            return {key: _foretold(one) for key, one in value.items()}
        if "outputPlace" in value:
            return str(value["outputPlace"])
        return f"/not-staged-yet/{safe_name(str(value.get('basename') or value.get('item')))}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_foretold(one) for one in value]
    return value


def _engine_items(plan: Plan, installed: InstalledEngine) -> tuple[StagedItem, ...]:
    return tuple(StagedItem(item=one, source=installed.source, trust=Trust.LOCKED) for one in plan.of_role(Role.ENGINE))
