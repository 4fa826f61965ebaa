"""Staging by an installation's settings: what would be fetched, and a new working directory with all of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from staging.areas import PLAIN
from staging.definition import StageDefinition
from staging.errors import UsageError
from staging.loading import load_stage_file
from staging.lock_files import read_lock
from staging.placing import write_atomically
from staging.plan import Plan
from staging.progress import Progress
from staging.stager import Stager
from staging.store import ContentStore
from staging.workdir import OWN_STORE, NewWorkdir
from wfexs_like.flow.stage import differences, prepare, realise
from wfexs_like.flow.survey import survey
from wfexs_like.flow.work import StageWork
from wfexs_like.results import StageReport, report_items
from wfexs_like.sealing import read_staged
from wfexs_like.settings import Settings
from wfexs_like.staged_files import write_staged
from wfexs_like.workplaces import Workplaces


class Staging:
    """The staging verbs; see ``wfexs_like.session.Session`` for what they take and raise."""

    def __init__(self, settings: Settings, places: Workplaces, progress: Progress) -> None:
        self._settings = settings
        self._places = places
        self._progress = progress

    def resolve(self, stage_file: Path, *, locked: Path | None = None) -> StageReport:
        """What staging would fetch."""
        definition = load_stage_file(stage_file)
        lock = read_lock(locked) if locked else None
        with self._places.new(definition.vault, None) as (new, store):
            work = self.work(definition, new, store, lock)
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
        """Fetch, verify, lock: a new working directory."""
        if update and locked is None:
            raise UsageError("--update needs --locked LOCK", hint="name the lock file that is to be renewed")
        definition = load_stage_file(stage_file)
        seal_for = read_staged(definition.seal_for, definition.base)
        lock = read_lock(locked) if locked else None
        with self._places.new(definition.vault, nickname or definition.nickname, recipients, like=like) as (new, store):
            work = self.work(definition, new, store, None if update else lock)
            prepared = prepare(work)
            plan, items = realise(work, prepared)
            write_staged(new, definition, prepared.workflow.interface, plan, seal_for=seal_for)
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

    def stager(self, store: ContentStore | None = None) -> Stager:
        """Who fetches into ``store``, by default the one that working directories share."""
        settings = self._settings
        return Stager(store or self._places.store, self._progress, settings.for_fetchers, jobs=settings.jobs)

    def work(
        self, definition: StageDefinition, new: NewWorkdir, store: ContentStore, locked: Plan | None = None
    ) -> StageWork:
        """The staging of a definition into a working directory that is being made, whose store is ``store``."""
        cache = self._settings.cache
        return StageWork(
            definition=definition,
            stager=self.stager(store),
            content=new.content,
            inspections=(cache if new.vault == PLAIN else new.content / OWN_STORE) / "inspections",
            workdir_id=new.id,
            cache=cache,
            progress=self._progress,
            locked=locked,
            container=self._settings.container,
            public=None if new.vault == PLAIN else self.stager(),
        )
