"""The session: stage, run, crate and the rest. The only module that knows the whole flow."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from engines.base import ENGINES, InstalledEngine, Listener
from engines.execution import Execution, Status
from engines.interface import interface_as_json
from staging.areas import PLAIN
from staging.definition import StageDefinition
from staging.errors import (
    DefinitionError,
    Fault,
    KeyAccessError,
    LockedError,
    NotFoundError,
    PolicyError,
    UsageError,
    VaultError,
    WfexsError,
)
from staging.lock_files import read_lock
from staging.placing import write_atomically, write_json
from staging.plan import Json, Plan, Role
from staging.progress import Progress, Silent
from staging.store import ContentStore
from staging.workdir import (
    ABOUT,
    INTERFACE,
    JOB_FILE,
    LOCK,
    OWN_STORE,
    STAGE_FILE,
    NewWorkdir,
    StagedWorkdir,
    Workdirs,
)
from wfexs_like.crate.report_types import CrateReport, Validation, ValidationIssue
from wfexs_like.encryption import Encryption, is_open
from wfexs_like.results import (
    EngineReport,
    ItemReport,
    Proof,
    StageReport,
    WorkdirReport,
    report_items,
    report_plan_item,
)
from wfexs_like.settings import Settings
from wfexs_like.workplaces import Workplaces

if TYPE_CHECKING:
    from staging.stager import Stager
    from staging.upkeep import Collected, Problem, StoreEntry
    from wfexs_like.access import Access
    from wfexs_like.audit.attestation import Attestation
    from wfexs_like.crate.validation import Level
    from wfexs_like.flow.audit import AuditWish
    from wfexs_like.flow.run import Host
    from wfexs_like.flow.work import StageWork
    from wfexs_like.importing.report import ImportReport
    from wfexs_like.seal.ssh_keys import Signer
    from wfexs_like.sealing import SealWish
    from wfexs_like.unlocking import Passphrases

__all__ = [
    "CrateReport",
    "EngineReport",
    "ItemReport",
    "Proof",
    "Session",
    "StageReport",
    "Validation",
    "ValidationIssue",
    "WorkdirReport",
]


_LETTING_GO = 10.0  # seconds


class Session:
    """One user's work with one set of settings. ``progress`` hears of fetching; ``passphrases`` unlock its key."""

    def __init__(
        self, settings: Settings, *, progress: Progress | None = None, passphrases: Passphrases | None = None
    ) -> None:
        self.settings = settings
        self.progress = progress or Silent()
        self._encryption = Encryption(settings, passphrases, self.progress.say)

    @property
    def store(self) -> ContentStore:
        """The content store of these settings."""
        return self._places.store

    @cached_property
    def _places(self) -> Workplaces:
        return Workplaces(self.settings, self._encryption, self.progress)

    @property
    def _workdirs(self) -> Workdirs:
        return self._places.workdirs

    def opened(self, workdir: str | StagedWorkdir) -> AbstractContextManager[StagedWorkdir]:
        """The working directory that is meant; while it lasts, its content can be read.

        Raises:
            VaultError: it is encrypted, and can't be opened.
            KeyAccessError: not with the key of this installation.
        """
        return self._places.opened(workdir)

    def check(self, stage_file: Path) -> tuple[Fault, ...]:
        """All faults of a stage file; nothing is fetched."""
        from staging.loading import load_stage_file

        try:
            load_stage_file(stage_file)
        except DefinitionError as error:
            return error.faults
        return ()

    def resolve(self, stage_file: Path, *, locked: Path | None = None) -> StageReport:
        """What staging would fetch. The workflow itself is fetched into the store, to learn what it needs."""
        from staging.loading import load_stage_file
        from wfexs_like.flow.survey import survey

        definition = load_stage_file(stage_file)
        lock = read_lock(locked) if locked else None
        with self._places.new(definition.vault, None) as (new, store):
            work = self._work(definition, new, store, lock)
            return StageReport(
                id=None,
                nickname=None,
                path=None,
                content=None,
                lock_path=None,
                lock_digest=None,
                items=tuple(survey(work)),
            )

    def stage(
        self,
        stage_file: Path,
        *,
        locked: Path | None = None,
        update: bool = False,
        nickname: str | None = None,
        recipients: Sequence[str] = (),
        like: str | None = None,
    ) -> StageReport:
        """Fetch, verify, lock: a new working directory.

        ``recipients`` are public keys, or their files, of others who may open it where it is encrypted. What the
        encrypted working directory ``like`` has need not be fetched. With ``locked`` nothing that is not in that lock
        is accepted. With ``update`` as well, all is pinned anew, the
        differences are told, and the lock file is written again.

        Raises:
            UsageError: ``update`` without ``locked``.
            DefinitionError: the stage file, a parameter or the workflow is wrong.
            FetchError: something could not be had.
            DigestError: something is not what was promised.
        """
        from staging.loading import load_stage_file
        from wfexs_like.flow.stage import differences, prepare, realise
        from wfexs_like.sealing import read_staged

        if update and locked is None:
            raise UsageError("--update needs --locked LOCK", hint="name the lock file that is to be renewed")
        definition = load_stage_file(stage_file)
        seal_for = read_staged(definition.seal_for, definition.base)
        lock = read_lock(locked) if locked else None
        with self._places.new(definition.vault, nickname or definition.nickname, recipients, like=like) as (new, store):
            work = self._work(definition, new, store, None if update else lock)
            prepared = prepare(work)
            plan, items = realise(work, prepared)
            write_json(new.content / INTERFACE, interface_as_json(prepared.workflow.interface))
            write_json(new.content / ABOUT, {**_about(definition), **({"seal": seal_for} if seal_for else {})})
            write_atomically(new.content / STAGE_FILE, definition.text.encode())
            if definition.job_text is not None:
                write_atomically(new.content / JOB_FILE, definition.job_text.encode())
            write_atomically(new.content / LOCK, plan.lock_bytes())
            new.record(items)
            workdir = new.commit()
        changes: tuple[str, ...] = ()
        if update and lock is not None and locked is not None:
            changes = differences(lock, plan)
            write_atomically(locked, plan.lock_bytes())
        return StageReport(
            id=workdir.id,
            nickname=workdir.nickname,
            path=workdir.root,
            content=workdir.content,
            lock_path=workdir.lock_path,
            lock_digest=str(plan.digest),
            items=report_items(items),
            changes=changes,
        )

    def run(
        self,
        workdir: str | StagedWorkdir,
        *,
        params: Mapping[str, Json] | None = None,
        resume: int | Literal["last"] | None = None,
        require_offline: bool = False,
        allowed: Sequence[str] = (),
        listener: Listener | None = None,
    ) -> Execution:
        """Execute once. A failed workflow is a returned ``Execution``.

        With ``resume`` what that run had done is not done again; ``last`` is the last one that failed or was killed.
        With ``require_offline`` it runs without a network, or not at all. ``allowed`` are reasons for which something
        of an encrypted working directory may be found in clear elsewhere (``engines.secrecy``).

        Raises:
            PolicyError: it has to be offline, and this host gives it no network namespace; or it is encrypted, and
                something would be found in clear.
            DigestError: a staged file or the engine is no longer what the lock says.
            DefinitionError: a parameter doesn't fit.
            NotFoundError: there is no such working directory, or no such run to continue.
            UsageError: that run, or this engine, can't be continued.
        """
        from wfexs_like.flow.run import run

        with self._places.stored(workdir) as (found, store):
            self._sweep(found, found.runs())
            return run(
                found,
                store,
                cache=self.settings.cache,
                params=params or {},
                host=_host(self.settings),
                resume=_last_unfinished(found) if resume == "last" else resume,
                require_offline=require_offline,
                allowed=tuple(allowed),
                listener=listener,
                progress=self.progress,
            )

    def prove(
        self, workdir: str | StagedWorkdir, *, beside: Path | None = None, listener: Listener | None = None
    ) -> Proof:
        """Run once with nothing but the staged files to be found, and no network; nothing of that run stays.

        ``beside`` is another folder that nothing may come from, such as the stage file's.

        Raises:
            PolicyError: this host gives a run no network namespace, or lets nothing be mounted.
            DigestError: a staged file or the engine is no longer what the lock says.
        """
        from wfexs_like.flow.prove import prove

        with self._places.stored(workdir) as (found, store):
            return prove(
                found,
                store,
                cache=self.settings.cache,
                host=_host(self.settings),
                beside=(self.settings.workdirs, *(() if beside is None else (beside,))),
                listener=listener,
                progress=self.progress,
            )

    def crate(
        self,
        workdir: str | StagedWorkdir,
        destination: Path,
        *,
        kind: Literal["prospective", "retrospective"],
        run: int | None = None,
        include: frozenset[str] = frozenset(),
        licence: str | None = None,
        validate: bool = True,
        rehash: bool = False,
        signer: Signer | None = None,
        seal: SealWish | None = None,
        allow_clear: bool = False,
        wrroc: str = "0.5",
    ) -> CrateReport:
        """Export an RO-Crate of what was staged, or of what ran (all runs, or the one numbered ``run``).

        It is signed where there is a ``signer``; ``wfexs_like.unlocking.unlock_signer`` gives this installation's.
        It is sealed where there is a wish for it; of an encrypted working directory another one has to be allowed.
        ``wrroc`` is the version of Workflow Run RO-Crate (see ``wfexs_like.crate.generations``).

        Raises:
            PolicyError: it would be in clear, and ``allow_clear`` is not set.
        """
        from wfexs_like.crate.export import export_crate
        from wfexs_like.crate.generations import GENERATIONS
        from wfexs_like.flow.describe import subject_of
        from wfexs_like.sealing import check_clear, sealing_of

        clear = check_clear(self.locate(workdir), sealed=seal is not None, allowed=allow_clear)
        with self._places.stored(workdir) as (found, store), found.use():
            sealing = None if seal is None else sealing_of(found, seal, self.settings)
            plan = found.plan()
            found.verify(plan, store)
            subject = subject_of(found, plan, person=self.settings.person, run=run, licence=licence)
            return export_crate(
                subject,
                destination,
                kind=kind,
                include=include,
                validate=validate,
                cache=self.settings.cache,
                rehash=rehash,
                signer=signer,
                sealing=sealing,
                clear=clear,
                generation=GENERATIONS[wrroc],
            )

    def refuse_clear(self, workdir: str | StagedWorkdir, *, sealed: bool, allowed: bool) -> None:
        """Refuse now what ``crate`` would refuse later.

        Raises:
            PolicyError: the crate of an encrypted working directory would be in clear, which is not ``allowed``.
        """
        from wfexs_like.sealing import check_clear

        check_clear(self.locate(workdir), sealed=sealed, allowed=allowed)

    def import_crate(
        self,
        crate: Path,
        *,
        run: int | None = None,
        nickname: str | None = None,
        level: Literal["metadata", "full"] = "full",
        strict: bool = False,
        locked: Path | None = None,
        vault: str | None = None,
    ) -> ImportReport:
        """A new working directory, made of a crate of ours; see ``wfexs_like.importing.making`` for the rest."""
        from wfexs_like.importing.making import Import, import_crate
        from wfexs_like.importing.report import report_import

        wish = Import(crate=crate, run=run, level=level, strict=strict, locked=locked)
        with self._places.new(vault, nickname) as (new, store):
            imported = import_crate(
                wish, new, stager=self._stager(store), cache=self.settings.cache, progress=self.progress
            )
        return report_import(wish, imported)

    def validate(self, crate: Path, *, profile: str | None = None) -> Validation:
        """Profile conformance of any crate, offline."""
        from wfexs_like.crate.export import validate_crate

        return validate_crate(crate, profile=profile, cache=self.settings.cache)

    def judge(
        self, crate: Path, *, profiles: tuple[str, ...] = (), level: Level | None = None
    ) -> tuple[Validation, ...]:
        """The same by several profiles, and down to a level that has to be met; see ``wfexs_like.crate.validation``."""
        from wfexs_like.crate.validation import judge_crate

        return judge_crate(crate, profiles=profiles, level=level, cache=self.settings.cache)

    def workdirs(self) -> tuple[WorkdirReport, ...]:
        """All working directories, oldest first. Those that are damaged are told of, and do not hide the others.

        One that is encrypted is not opened for that.
        """
        reports = []
        for one in self._workdirs.list():
            try:
                reports.append(self._tell(one) if one.vault == PLAIN else _closed(one))
            except WfexsError as error:
                self.progress.say(f"{one.id} is damaged: {error.message}")
        for _, damage in self._workdirs.damaged():
            self.progress.say(damage.message)
        return tuple(reports)

    def show(self, workdir: str | StagedWorkdir) -> WorkdirReport:
        """One working directory, with the state of every run."""
        was_open = is_open(self._workdirs.find(workdir))
        with self.opened(workdir) as found:
            return replace(self._tell(found), open=was_open)

    def mount(self, workdir: str | StagedWorkdir) -> bool:
        """Open an encrypted working directory until ``unmount``; ``False`` when it was left open before.

        Raises:
            UsageError: it is not encrypted.
            VaultError: it can't be opened. KeyAccessError: not with the key of this installation.
        """
        return self._encryption.keep_open(self._workdirs.find(workdir))

    def unmount(self, workdir: str | StagedWorkdir, *, force: bool = False) -> bool:
        """Close an encrypted working directory that was left open; ``False`` when it was not open.

        With ``force`` it is closed under those who have files of it open.

        Raises:
            UsageError: it is not encrypted.
            LockedError: others use it. VaultError: it can't be closed.
        """
        return self._encryption.close(self._workdirs.find(workdir), force=force)

    def recipients(self, target: str, *, key: Path | None = None) -> Access:
        """Who may open an encrypted working directory or something sealed; see ``wfexs_like.encryption``."""
        return self._encryption.recipients(self._sharable(target), key=key)

    def share(
        self,
        target: str,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        key: Path | None = None,
        even_own: bool = False,
        signer: Signer | None = None,
    ) -> Access:
        """Change who may open an encrypted working directory or something sealed; see ``wfexs_like.encryption``."""
        found = self._sharable(target)
        return self._encryption.share(found, add=add, remove=remove, key=key, even_own=even_own, signer=signer)

    def _sharable(self, target: str) -> StagedWorkdir | Path:
        path = Path(target)
        if path.is_dir():
            from wfexs_like.seal.sharing import is_sealed_crate

            return path if is_sealed_crate(path) else self._workdirs.find(target)
        return path if path.is_file() else self._workdirs.find(target)

    def audit(self, workdir: str | StagedWorkdir, wish: AuditWish) -> Attestation:
        """Look for what should be secret outside of a working directory's vault; see ``wfexs_like.flow.audit``.

        Where it can't be opened, its sources and runs are not known, and that is told.

        Raises:
            KeyAccessError, VaultError: it can't be opened, and names and values of its own are to be looked for.
        """
        from wfexs_like.flow.audit import audit, learn

        found, learned = self._workdirs.find(workdir), None
        try:
            with self._encryption.opened(found):
                learned = learn(found)
        except (
            DefinitionError,
            KeyAccessError,
            LockedError,
            NotFoundError,
            PolicyError,
            UsageError,
            VaultError,
        ) as error:
            if wish.own:
                raise
            self.progress.say(f"its sources and runs are not known: {error.message}")
        return audit(found, learned, wish, settings=self.settings, progress=self.progress)

    def locate(self, workdir: str | StagedWorkdir) -> StagedWorkdir:
        """Which working directory is meant: cheap, nothing of it is read but its name."""
        return self._workdirs.find(workdir)

    def name_of(self, found: StagedWorkdir) -> str:
        """A word for a command line that means this one: its id, or its path where it is a copy that lies elsewhere."""
        here = found.root.resolve().parent == self.settings.workdirs.resolve()
        return found.id if here else shlex.quote(str(found.root))

    def logs(self, workdir: str | StagedWorkdir, run: int | None = None) -> tuple[Path, ...]:
        """The log files of a run (the last one by default); of an encrypted one they are there while it is opened."""
        with self.opened(workdir) as found:
            return self._logs(found, run)

    def _logs(self, found: StagedWorkdir, run: int | None) -> tuple[Path, ...]:
        numbers = found.runs()
        chosen = run if run is not None else max(numbers, default=None)
        if chosen is None or chosen not in numbers:
            which = "no runs yet" if run is None else f"no run {run}"
            raise NotFoundError(
                f"{found.nickname} has {which}", hint=f'"wfexs-like run {self.name_of(found)}" makes one'
            )
        return tuple(sorted(path for path in (found.run_folder(chosen) / "logs").rglob("*") if path.is_file()))

    def remove(self, workdir: str | StagedWorkdir, *, force: bool = False) -> Path:
        """Remove a working directory with all its runs; with ``force`` its running runs are stopped first."""
        found = self._workdirs.find(workdir)
        if found.vault == PLAIN:
            if not force:
                self._sweep(found, found.runs())
            else:
                self.cancel(found)
        elif force and is_open(found):
            # Nothing runs in one that is closed, or can't be opened; nobody need be able to open it.
            with suppress(KeyAccessError, LockedError, PolicyError, VaultError):
                self.cancel(found)
            with suppress(LockedError):
                self._encryption.close(found, force=True)
        # Whoever ran what was just stopped still has to let go of the working directory.
        deadline = time.monotonic() + (_LETTING_GO if force else 0)
        while True:
            try:
                self._workdirs.remove(found)
            except LockedError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.05)
            else:
                return found.root

    def cancel(self, workdir: str | StagedWorkdir, run: int | None = None) -> tuple[int, ...]:
        """Stop a run (all running ones by default); returns the numbers of those stopped."""
        from engines.stopping import stop

        with self.opened(workdir) as found:
            if run is not None and run not in found.runs():
                raise NotFoundError(
                    f"{found.nickname} has no run {run}", hint=f'"wfexs-like show {self.name_of(found)}" lists them'
                )
            chosen = found.runs() if run is None else (run,)
            stopped = tuple(number for number in chosen if stop(found.run_folder(number)))
            self._sweep(found, chosen)
            return stopped

    def engines(self) -> tuple[EngineReport, ...]:
        """Every engine with its versions, known or set up. One that can't tell does not hide the others."""
        reports: list[EngineReport] = []
        for name in ENGINES.names():
            try:
                versions = ENGINES.load(name)().versions(self.settings.cache)
            except WfexsError as error:
                self.progress.say(f"{name}: {error.message}")
                continue
            reports += [EngineReport(engine=name, version=one) for one in versions]
        return tuple(reports)

    def engine_add(self, name: str) -> InstalledEngine:
        """Fetch and set up an engine, for when there is no network: ``nextflow@24.10.0``, or ``nextflow``: the default.

        Raises:
            UsageError: that is no engine, or no version.
            EngineError: there is no such version, or it can't be set up here.
            DigestError: a file of it is not the one that is known.
        """
        engine, at, version = name.partition("@")
        known = ENGINES.names()
        if engine not in known or (at and not version):
            raise UsageError(
                f"{name!r} is not an engine" if engine not in known else f"{name!r} lacks the version after the @",
                hint=f"written as in {known[-1]}@VERSION; the engines are {', '.join(known)}",
            )
        try:
            return ENGINES.load(engine)().install(version or None, self.settings.cache, self.progress.say)
        except DefinitionError as error:
            raise UsageError(error.message, hint=error.hint) from error

    def cache_list(self) -> tuple[StoreEntry, ...]:
        """Every content of the store, with where it came from and who uses it."""
        return self.store.entries()

    def cache_add(self, identifier: str, *, sha256: str | None = None) -> ItemReport:
        """Fetch one content into the store.

        Raises:
            FetchError: it could not be had.
            DigestError: it is not what ``sha256`` says.
        """
        from staging.definition import Source
        from staging.fingerprints import Fingerprint
        from staging.identifiers import Identifier

        expected = Fingerprint.parse(sha256) if sha256 else None
        asked = Identifier.parse(identifier)
        source = Source(mirrors=(asked,), sha256=expected, where=identifier)
        (obtained,) = self._stager().add([source], Path.cwd())
        return ItemReport(
            role="cache",
            name=asked.name,
            identifier=str(asked),
            pinned=obtained.pinned,
            size=obtained.stored.size,
            sha256=obtained.stored.fingerprint.digest,
            trust="expected" if expected else "first-use",
            source="cache" if obtained.cached else "fetched",
            licences=obtained.licences,
        )

    def cache_verify(self) -> tuple[Problem, ...]:
        """Read every object again; what is damaged goes into quarantine."""
        return self.store.verify()

    def cache_remove(self, what: str, *, force: bool = False) -> Collected:
        """Remove one content, by its sha256 or identifier."""
        return self.store.remove(what, force=force)

    def cache_gc(self, *, dry_run: bool = False) -> Collected:
        """Remove what no working directory uses."""
        return self.store.gc(dry_run=dry_run)

    def _stager(self, store: ContentStore | None = None) -> Stager:
        from staging.stager import Stager

        return Stager(store or self.store, self.progress, self.settings.for_fetchers, jobs=self.settings.jobs)

    def _sweep(self, workdir: StagedWorkdir, runs: Sequence[int]) -> None:
        """Remove what killed runs left in container runtimes."""
        if not any((workdir.content / "containers").glob("index.json")):
            return
        from wfexs_like.flow.sweeping import sweep_dead

        folders = [workdir.run_folder(number) for number in runs]
        sweep_dead(folders, self._for_containers, self.progress)

    @property
    def _for_containers(self) -> Mapping[str, str]:
        return {**self.settings.environment, "WFEXS_LIKE_CACHE": str(self.settings.cache)}

    def _work(
        self, definition: StageDefinition, new: NewWorkdir, store: ContentStore, locked: Plan | None
    ) -> StageWork:
        from wfexs_like.flow.work import StageWork

        return StageWork(
            definition=definition,
            stager=self._stager(store),
            content=new.content,
            inspections=(self.settings.cache if new.vault == PLAIN else new.content / OWN_STORE) / "inspections",
            workdir_id=new.id,
            cache=self.settings.cache,
            progress=self.progress,
            locked=locked,
            container=self.settings.container,
            public=None if new.vault == PLAIN else self._stager(),
        )

    def _tell(self, workdir: StagedWorkdir) -> WorkdirReport:
        from wfexs_like.flow.describe import executions_of, imported_from

        plan = workdir.plan()
        return WorkdirReport(
            id=workdir.id,
            nickname=workdir.nickname,
            path=workdir.root,
            content=workdir.content,
            created=workdir.created,
            vault=workdir.vault,
            lock_digest=str(plan.digest),
            engine=f"{plan.engine}@{plan.engine_version}",
            items=tuple(
                report_plan_item(item, source="staged", trust=item.trust)
                for item in plan.items
                if item.role is not Role.BLOB
            ),
            container=plan.container,
            runs=executions_of(workdir),
            imported=imported_from(workdir),
        )


def _closed(workdir: StagedWorkdir) -> WorkdirReport:
    """What can be told of an encrypted one that nobody opens."""
    return WorkdirReport(
        id=workdir.id,
        nickname=workdir.nickname,
        path=workdir.root,
        content=workdir.content,
        created=workdir.created,
        vault=workdir.vault,
        closed=True,
        open=is_open(workdir),
    )


def _host(settings: Settings) -> Host:
    from wfexs_like.flow.run import Host

    return Host(environment=settings.environment, container=settings.container, insists=settings.insists)


def _last_unfinished(workdir: StagedWorkdir) -> int:
    """The number of its last run that failed or was killed.

    Raises:
        NotFoundError: there is none.
    """
    from wfexs_like.flow.describe import executions_of

    broken = [one.run for one in executions_of(workdir, brief=True) if one.status in (Status.FAILED, Status.KILLED)]
    if not broken:
        raise NotFoundError(
            f"{workdir.nickname} has no run that failed or was killed", hint="run again without --resume"
        )
    return broken[-1]


def _about(definition: StageDefinition) -> dict[str, object]:
    return {
        "title": definition.title,
        "description": definition.description,
        "licence": definition.licence,
        "authors": [dict(one) for one in definition.authors],
    }
