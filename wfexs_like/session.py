"""The session: stage, run, crate and the rest. The only module that knows the whole flow."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from staging.areas import PLAIN
from staging.errors import DefinitionError, Fault, WfexsError
from staging.progress import Progress, Silent
from staging.store import ContentStore
from staging.workdir import StagedWorkdir
from staging.workdirs import Workdirs
from wfexs_like.encryption import Encryption, is_open
from wfexs_like.settings import Settings
from wfexs_like.workplaces import Workplaces

if TYPE_CHECKING:
    from engines.base import InstalledEngine, Listener
    from engines.execution import Execution
    from staging.plan import Json
    from staging.stager import Stager
    from wfexs_like.access import Access
    from wfexs_like.audit.attestation import Attestation
    from wfexs_like.caching import Cache
    from wfexs_like.comparing.report import CompareReport
    from wfexs_like.crate.report_types import CrateReport, Validation
    from wfexs_like.crate.validation import Level
    from wfexs_like.flow.audit import AuditWish
    from wfexs_like.flow.run import Host
    from wfexs_like.importing.report import ImportReport
    from wfexs_like.reading.account import Account
    from wfexs_like.results import EngineReport, Proof, StageReport, WorkdirReport
    from wfexs_like.seal.ssh_keys import Signer
    from wfexs_like.sealing import SealWish
    from wfexs_like.stagings import Staging
    from wfexs_like.stopping_runs import Runs
    from wfexs_like.unlocking import Passphrases


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
    def cache(self) -> Cache:
        """The same store, for people to look into and to clean."""
        from wfexs_like.caching import Cache

        return Cache(self.store, self._stager)

    @cached_property
    def _places(self) -> Workplaces:
        return Workplaces(self.settings, self._encryption, self.progress)

    @cached_property
    def _staging(self) -> Staging:
        from wfexs_like.stagings import Staging

        return Staging(self.settings, self._places, self.progress)

    def _stager(self) -> Stager:
        return self._staging.stager()

    @cached_property
    def _runs(self) -> Runs:
        from wfexs_like.stopping_runs import Runs

        return Runs(self.settings, self.progress)

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
        return self._staging.resolve(stage_file, locked=locked)

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
        is accepted. With ``update`` as well, all is pinned anew, the differences are told, and the lock file is
        written again.

        Raises:
            UsageError: ``update`` without ``locked``.
            DefinitionError: the stage file, a parameter or the workflow is wrong.
            FetchError: something could not be had.
            DigestError: something is not what was promised.
        """
        return self._staging.stage(
            stage_file, locked=locked, update=update, nickname=nickname, recipients=recipients, like=like
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
        from wfexs_like.workdir_reports import last_unfinished

        with self._places.stored(workdir) as (found, store):
            self._runs.sweep(found)
            return run(
                found,
                store,
                cache=self.settings.cache,
                params=params or {},
                host=_host(self.settings),
                resume=last_unfinished(found) if resume == "last" else resume,
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
        engine_configuration: bool = False,
        prov: bool = False,
    ) -> CrateReport:
        """Export an RO-Crate of what was staged, or of what ran (all runs, or the one numbered ``run``).

        It is signed where there is a ``signer``; ``wfexs_like.unlocking.unlock_signer`` gives this installation's.
        It is sealed where there is a wish for it; of an encrypted working directory another one has to be allowed.
        ``wrroc`` is the version of Workflow Run RO-Crate (see ``wfexs_like.crate.generations``). With ``prov``
        it tells the same as W3C PROV, too. ``engine_configuration``: see ``wfexs_like.crate.engine_files``.

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
                replace(subject, configured=engine_configuration),
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
                prov=prov,
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
        run: int | str | None = None,
        nickname: str | None = None,
        level: Literal["metadata", "full"] = "full",
        strict: bool = False,
        locked: Path | None = None,
        vault: str | None = None,
    ) -> ImportReport:
        """A new working directory, made of a crate of ours; see ``wfexs_like.importing.making`` for the rest.

        ``vault``: how it is encrypted; ``None``: as the crate's own was, otherwise as ``stage`` does where nothing is
        said.
        """
        from wfexs_like.importing.asking import asked_of
        from wfexs_like.importing.making import Import, import_crate
        from wfexs_like.importing.report import report_import

        wish = Import(crate=crate, run=run, level=level, strict=strict, locked=locked, clear=vault == PLAIN)
        kind = vault or asked_of(crate)
        if vault == PLAIN and asked_of(crate):
            self.progress.say("not encrypted, as --vault plain says: the crate is of an encrypted working directory")
        with self._places.new(kind, nickname) as (new, store):
            imported = import_crate(
                wish,
                new,
                stager=self._staging.stager(store),
                cache=self.settings.cache,
                progress=self.progress,
                work=lambda definition: self._staging.work(definition, new, store),
            )
        return report_import(wish, imported)

    def compare(
        self,
        a: str,
        b: str,
        *,
        strict: bool = False,
        tolerance: float | None = None,
        show: bool = False,
        kept: bool = False,
    ) -> CompareReport:
        """Hold two runs against each other, each ``CRATE``, ``CRATE:RUN``, ``WORKDIR`` or ``WORKDIR:RUN``.

        ``strict``: by their bytes alone. ``tolerance`` is relative, for numbers in tables and documents. With ``show``
        the first differences in what is encrypted are told, too; not where the report will be ``kept`` in a file.

        Raises:
            PolicyError: it will be kept, and would have what is encrypted in clear.
            NotFoundError: there is none of that name, or no such run.
            CrateError: it is no crate, is sealed, or tells of no run.
            DigestError: an output of a run is not the one that was recorded.
        """
        from wfexs_like.comparing.compare import compare
        from wfexs_like.comparing.files import TOLERANCE, Manner
        from wfexs_like.comparing.finding import open_side

        manner = Manner(strict=strict, tolerance=TOLERANCE if tolerance is None else tolerance)
        with open_side(self, a, show=show, kept=kept) as one, open_side(self, b, show=show, kept=kept) as other:
            return compare(one, other, manner)

    def judge(
        self, crate: Path, *, profiles: tuple[str, ...] = (), level: Level | None = None
    ) -> tuple[Validation, ...]:
        """Whether any crate conforms to profiles, offline; see ``wfexs_like.crate.validation``."""
        from wfexs_like.crate.validation import judge_crate

        return judge_crate(crate, profiles=profiles, level=level, cache=self.settings.cache)

    def account(self, target: str, *, secret: bool = True) -> Account:
        """What any maker's crate, or a working directory, tells of its runs; see ``wfexs_like.flow.accounts``."""
        from wfexs_like.flow.accounts import account_of

        return account_of(self, target, secret=secret)

    def workdirs(self) -> tuple[WorkdirReport, ...]:
        """All working directories, oldest first. Those that are damaged are told of, and do not hide the others.

        One that is encrypted is not opened for that.
        """
        from wfexs_like.workdir_reports import tell, tell_closed

        reports = []
        for one in self._workdirs.list():
            try:
                reports.append(tell(one) if one.vault == PLAIN else tell_closed(one))
            except WfexsError as error:
                self.progress.say(f"{one.id} is damaged: {error.message}")
        for _, damage in self._workdirs.damaged():
            self.progress.say(damage.message)
        return tuple(reports)

    def show(self, workdir: str | StagedWorkdir) -> WorkdirReport:
        """One working directory, with the state of every run."""
        from wfexs_like.workdir_reports import tell

        was_open = is_open(self._workdirs.find(workdir))
        with self.opened(workdir) as found:
            return replace(tell(found), open=was_open)

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

    def recipients(self, target: str) -> Access:
        """Who may open an encrypted working directory or something sealed; see ``wfexs_like.encryption``."""
        return self._encryption.recipients(self._sharable(target))

    def share(
        self,
        target: str,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        even_own: bool = False,
        signer: Signer | None = None,
    ) -> Access:
        """Change who may open an encrypted working directory or something sealed; see ``wfexs_like.encryption``."""
        found = self._sharable(target)
        return self._encryption.share(found, add=add, remove=remove, even_own=even_own, signer=signer)

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
        from wfexs_like.auditing import audit_workdir

        found = self._workdirs.find(workdir)
        return audit_workdir(found, wish, encryption=self._encryption, settings=self.settings, progress=self.progress)

    def locate(self, workdir: str | StagedWorkdir) -> StagedWorkdir:
        """Which working directory is meant: cheap, nothing of it is read but its name."""
        return self._workdirs.find(workdir)

    def name_of(self, found: StagedWorkdir) -> str:
        """A word for a command line that means this one: its id, or its path where it is a copy that lies elsewhere."""
        here = found.root.resolve().parent == self.settings.workdirs.resolve()
        return found.id if here else shlex.quote(str(found.root))

    def logs(self, workdir: str | StagedWorkdir, run: int | None = None) -> tuple[Path, ...]:
        """The log files of a run (the last one by default); of an encrypted one they are there while it is opened."""
        from wfexs_like.workdir_reports import log_files

        with self.opened(workdir) as found:
            return log_files(found, run, name=self.name_of(found))

    def remove(self, workdir: str | StagedWorkdir, *, force: bool = False) -> Path:
        """Remove a working directory with all its runs; with ``force`` its running runs are stopped first."""
        from wfexs_like.removing import remove_workdir

        return remove_workdir(
            self._workdirs.find(workdir),
            self._workdirs,
            encryption=self._encryption,
            stop=self.cancel,
            sweep=self._runs.sweep,
            force=force,
        )

    def cancel(self, workdir: str | StagedWorkdir, run: int | None = None) -> tuple[int, ...]:
        """Stop a run (all running ones by default); returns the numbers of those stopped."""
        with self.opened(workdir) as found:
            return self._runs.stop(found, run, name=self.name_of(found))

    def engines(self) -> tuple[EngineReport, ...]:
        """Every engine with its versions, known or set up. One that can't tell does not hide the others."""
        from wfexs_like.engine_versions import list_engines

        return list_engines(self.settings.cache, self.progress.say)

    def engine_add(self, name: str) -> InstalledEngine:
        """Fetch and set up an engine, for when there is no network; see ``wfexs_like.engine_versions``."""
        from wfexs_like.engine_versions import add_engine

        return add_engine(name, self.settings.cache, self.progress.say)


def _host(settings: Settings) -> Host:
    from wfexs_like.flow.run import Host

    return Host(environment=settings.environment, container=settings.container, insists=settings.insists)
