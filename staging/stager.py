"""The stager: all that a stage wants, fetched or taken from the store, verified, and laid out below one folder."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path, PurePosixPath

from staging.bulk import obtain_bulk
from staging.definition import Source
from staging.errors import WfexsError
from staging.fingerprints import Fingerprint, StatSignature
from staging.images.reference import SCHEME as IMAGES
from staging.laying import Ground, LaidFile
from staging.objects import MissingObjectError, User
from staging.obtained import BY_COMMAND_LINE, Obtained, Request, most_telling
from staging.obtaining import Obtainer, check_schemes
from staging.paths import safe_join
from staging.placing import write_atomically
from staging.plan import Plan, Role, Trust
from staging.progress import Progress, Silent
from staging.removing import remove_path
from staging.store import ContentStore
from staging.wanted import (
    Job,
    PlacedFile,
    StagedItem,
    Wanted,
    inline_identifier,
    item_of,
    jobs_of,
    locked_items,
    trust_of,
)

__all__ = ["PlacedFile", "StagedItem", "Stager", "Wanted", "inline_identifier"]

_SAID_ONE_BY_ONE = 3
_PLACE_TRIES = 3


class Stager:
    """Stages into working directories.

    ``environment`` is what fetchers' child processes get, ``jobs`` how many transfers run at once.
    """

    def __init__(
        self,
        store: ContentStore,
        progress: Progress | None = None,
        environment: Mapping[str, str] | None = None,
        *,
        jobs: int = 8,
    ) -> None:
        self.store = store
        self.progress = progress or Silent()
        self.environment = dict(environment or {})
        self.jobs = jobs

    def fetch_all(
        self,
        wanted: Sequence[Wanted],
        content: Path,
        base: Path,
        *,
        locked: Plan | None = None,
        workdir_id: str = "",
        home: Path | None = None,
    ) -> tuple[StagedItem, ...]:
        """Stage all of ``wanted`` below ``content``, in any order, and tell of it in theirs.

        Relative identifiers are read from ``base``. ``locked`` refuses whatever is not in that plan. ``workdir_id`` and
        ``home`` (the folder of working directories; by default two above ``content``) say who holds the objects from
        now on; without an id nobody does. The first failure stops the others.

        Raises:
            DigestError: bytes are not what was promised, or something is not in the lock.
            FetchError: something could not be had.
            DefinitionError: a scheme that nothing can fetch, a folder for a file.
            DiskError: the disk is full.
        """
        user = User(
            home=str((home or content.parent.parent).absolute()), workdir=workdir_id or f"guest-{os.urandom(8).hex()}"
        )
        pinned = locked_items(wanted, locked) if locked is not None else {}
        jobs = jobs_of(wanted, base, pinned)
        check_schemes([job.request for job in jobs])
        self.store.workspace.sweep()
        with self._at_work(user, keep=bool(workdir_id)):
            obtained = self._obtain_all(jobs, user, content, wanted)
            self._say_trust(jobs, obtained)
            placed = self._place_all(jobs, obtained, wanted, content, user)
            for index, one in enumerate(wanted):
                if one.contents is not None:
                    placed[index] = self._write_inline(one, content)
            self.store.flush()
        sources = {index: (job.request, obtained[job.request.key]) for job in jobs for index in job.wanted}
        return tuple(
            StagedItem(
                item=replace(pinned[index], path=one.path) if index in pinned else item_of(one, sources.get(index)),
                source="cache" if index not in sources or sources[index][1].cached else "fetched",
                trust=Trust.LOCKED if index in pinned else trust_of(one),
                placed=placed[index],
            )
            for index, one in enumerate(wanted)
        )

    def add(
        self, sources: Sequence[Source], base: Path, *, labels: Sequence[str] | None = None
    ) -> tuple[Obtained, ...]:
        """Have contents in the store, without a working directory. ``labels``: each is a part of what is called so.

        Raises:
            DigestError, FetchError, DefinitionError, DiskError: as ``fetch_all``.
        """
        wanted = [
            Wanted(
                role=Role.INPUT,
                name=str(one.mirrors[0]),
                path=PurePosixPath("x"),
                source=one,
                label=label,
                part=label is not None,
            )
            for one, label in zip(sources, labels or (None,) * len(sources), strict=True)
        ]
        jobs = jobs_of(wanted, base, {}, promise=BY_COMMAND_LINE)
        check_schemes([job.request for job in jobs])
        user = User(home=str(self.store.root.absolute()), workdir=f"guest-{os.urandom(8).hex()}")
        with self._at_work(user, keep=False):
            obtained = self._obtain_all(jobs, user, self.store.root, wanted)
            self._say_trust(jobs, obtained)
            self.store.flush()
        by_index = {index: obtained[job.request.key] for job in jobs for index in job.wanted}
        return tuple(by_index[index] for index in range(len(wanted)))

    @contextlib.contextmanager
    def _at_work(self, user: User, *, keep: bool) -> Iterator[None]:
        with self.store.workspace.at_work(), self.store.locks.hold(user.lock):
            try:
                yield
            finally:
                if not keep:
                    self.store.index.drop_uses(user.home, user.workdir)

    # -- obtaining ---------------------------------------------------------------------------------------------------

    def _obtain_all(
        self, jobs: Sequence[Job], user: User, content: Path, wanted: Sequence[Wanted]
    ) -> dict[str, Obtained]:
        cancelled = threading.Event()
        obtainer = Obtainer(
            store=self.store, user=user, progress=self.progress, environment=self.environment, cancelled=cancelled
        )
        cacheable = [job.request for job in jobs if job.cacheable]
        obtainer.remember(cacheable)
        obtained = obtainer.obtain_at_once(cacheable)
        obtained.update(obtain_bulk(obtainer, [one for one in cacheable if one.key not in obtained], self.jobs))
        for job in jobs:
            one = obtained.get(job.request.key)
            if one is not None:
                self.progress.begin(job.request.key, job.request.label, one.stored.size)
                self.progress.end(job.request.key, _outcome(job, one))
        rest = [job for job in jobs if job.request.key not in obtained]
        if rest:
            obtained.update(self._obtain_rest(rest, obtainer, content, wanted))
        return obtained

    def _obtain_rest(
        self, jobs: Sequence[Job], obtainer: Obtainer, content: Path, wanted: Sequence[Wanted]
    ) -> dict[str, Obtained]:
        obtained: dict[str, Obtained] = {}

        def work(job: Job) -> None:
            request = job.request
            if obtainer.cancelled.is_set():
                return
            self.progress.begin(request.key, request.label, request.size)
            outcome = "absent" if wanted[job.wanted[0]].optional else "failed"
            try:
                if job.cacheable:
                    obtained[request.key] = obtainer.obtain(request)
                else:
                    target = Ground(content).path(wanted[job.wanted[0]].path)
                    partial = content / ".fetching" / os.urandom(8).hex()
                    obtained[request.key] = obtainer.fetch_into(request, target, partial)
                outcome = _outcome(job, obtained[request.key])
            finally:
                self.progress.end(request.key, outcome)

        futures: list[Future[None]] = []
        with ThreadPoolExecutor(max(1, min(self.jobs, len(jobs))), thread_name_prefix="fetch") as pool:
            try:
                futures += [pool.submit(work, job) for job in jobs]
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                # An interrupt comes by here too: nobody goes on once one has failed or the caller has given up.
                if not all(future.done() and not future.exception() for future in futures):
                    obtainer.cancelled.set()
                    pool.shutdown(wait=False, cancel_futures=True)
        remove_path(content / ".fetching")
        _raise_first(futures)
        return obtained

    def _say_trust(self, jobs: Sequence[Job], obtained: Mapping[str, Obtained]) -> None:
        for job in jobs:
            one = obtained[job.request.key]
            if one.before is not None:
                self.progress.say(
                    f"{_called(job.request)} has changed since {one.before.fetched}: its sha256 "
                    f"was {one.before.fingerprint.digest}, it is {one.stored.fingerprint.digest} now"
                )
        first = [
            job.request
            for job in jobs
            if job.request.sha256 is None
            and obtained[job.request.key].mutable
            and not obtained[job.request.key].cached
            # Of a user's own file nobody else could have stated it; the summary at the end tells enough.
            and job.request.mirrors[0].local_path is None
        ]
        if len(first) <= _SAID_ONE_BY_ONE:
            for request in first:
                digest = obtained[request.key].stored.fingerprint.digest
                self.progress.say(
                    f"trust on first use: {request.label}: nobody stated a digest; it is sha256:{digest} from now on"
                    if request.mirrors[0].scheme == IMAGES
                    else f"trust on first use: {_called(request)}: nobody stated a sha256; it is {digest} from now on"
                )
        else:
            names = ", ".join(request.label for request in first[:2])
            self.progress.say(
                f"trust on first use: nobody stated a sha256 for {len(first)} items ({names}, ...); "
                "their digests are in the lock from now on"
            )

    # -- placing -----------------------------------------------------------------------------------------------------

    def _place_all(
        self,
        jobs: Sequence[Job],
        obtained: dict[str, Obtained],
        wanted: Sequence[Wanted],
        content: Path,
        user: User,
    ) -> dict[int, tuple[PlacedFile, ...]]:
        for attempt in range(_PLACE_TRIES):
            try:
                return self._place(jobs, obtained, wanted, content)
            except MissingObjectError as error:
                # Damaged or deleted between the look and the use: fetch those again.
                gone = set(error.names)
                again = [job for job in jobs if job.cacheable and gone & set(obtained[job.request.key].stored.names())]
                if attempt == _PLACE_TRIES - 1 or not again:
                    raise
                for job in jobs:
                    for index in job.wanted if job.cacheable else ():
                        remove_path(safe_join(content, wanted[index].path))
                for job in again:
                    del obtained[job.request.key]
                obtained.update(self._obtain_all(again, user, content, wanted))
        raise AssertionError("the last attempt returns or raises")

    def _place(
        self, jobs: Sequence[Job], obtained: Mapping[str, Obtained], wanted: Sequence[Wanted], content: Path
    ) -> dict[int, tuple[PlacedFile, ...]]:
        ground = Ground(content)
        ways: dict[str, str] = {}
        files: dict[int, list[LaidFile]] = {}
        for job in jobs:
            stored = obtained[job.request.key].stored
            for index in job.wanted:
                files[index] = ground.files(stored, wanted[index].path)
                if job.cacheable:
                    ground.prepare(stored, wanted[index].path)
                    for one in files[index]:
                        if ways.setdefault(one.target, one.name) != one.name:
                            raise WfexsError(f"two things are to be staged as {one.path}", where=wanted[index].name)
        signatures = self.store.place(ways)
        return {
            index: tuple(
                PlacedFile(
                    path=one.path,
                    sha256=one.name[:64],
                    signature=signatures.get(one.target) or StatSignature.of(one.target),
                )
                for one in laid
            )
            for index, laid in files.items()
        }

    def _write_inline(self, one: Wanted, content: Path) -> tuple[PlacedFile, ...]:
        assert one.contents is not None
        target = Ground(content).path(one.path)
        write_atomically(target, one.contents, mode=0o444)
        digest = Fingerprint.of_bytes(one.contents).digest
        return (PlacedFile(path=str(one.path), sha256=digest, signature=StatSignature.of(target)),)


def _outcome(job: Job, obtained: Obtained) -> str:
    """How a job ended well, as ``Progress`` hears it."""
    if job.part:
        return "part"
    return "cache" if obtained.cached else "fetched"


def _called(request: Request) -> str:
    """What is fetched and from where, without saying the same twice."""
    place = str(request.mirrors[0])
    return place if request.label == place else f"{request.label}: {place}"


def _raise_first(futures: Sequence[Future[None]]) -> None:
    """Raise the most telling of the errors, if any."""
    errors = [error for future in futures if not future.cancelled() and (error := future.exception()) is not None]
    for error in errors:
        if not isinstance(error, WfexsError):
            raise error
    if errors:
        raise most_telling([error for error in errors if isinstance(error, WfexsError)])
