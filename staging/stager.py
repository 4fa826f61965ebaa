"""The stager: all that a stage wants, fetched or taken from the store, verified, and laid out below one folder."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from staging.bulk import obtain_bulk
from staging.definition import Source
from staging.errors import DigestError, WfexsError
from staging.fingerprints import Fingerprint, StatSignature
from staging.laying import Ground, LaidFile
from staging.obtaining import Obtained, Obtainer, Request, check_schemes, most_telling
from staging.paths import safe_join
from staging.placing import write_atomically
from staging.plan import Kind, Plan, PlanItem, Role, Trust
from staging.progress import Progress, Silent
from staging.store import ContentStore, MissingObjectError, User, remove_path

_SAID_ONE_BY_ONE = 3
_PLACE_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One thing to be staged: from ``source``, or made of ``contents``. ``path`` is where, below the content folder.

    ``kind`` is what it has to be (``None``: either). An item that is not ``cacheable`` is fetched past the store.
    """

    role: Role
    name: str
    path: PurePosixPath
    source: Source | None = None
    contents: bytes | None = None
    kind: Kind | None = None
    disclosable: bool = True
    cacheable: bool = True
    clonable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFile:
    """A file that the stager wrote: ``path`` below the content folder, its bytes' sha256 and its signature."""

    path: str
    sha256: str
    signature: StatSignature


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedItem:
    """One thing that is staged. ``source`` is ``fetched`` or ``cache``; ``trust`` may also be ``locked``."""

    item: PlanItem
    source: str
    trust: Trust
    placed: tuple[PlacedFile, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Job:
    """A content that one or more of the wanted things have in common."""

    request: Request
    cacheable: bool
    wanted: list[int] = field(default_factory=list)


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
        pinned = _locked_items(wanted, locked) if locked is not None else {}
        jobs = _jobs(wanted, base, pinned)
        check_schemes([job.request for job in jobs])
        self.store.sweep()
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
                item=replace(pinned[index], path=one.path) if index in pinned else _item(one, sources.get(index)),
                source="cache" if index not in sources or sources[index][1].cached else "fetched",
                trust=Trust.LOCKED if index in pinned else _trust(one),
                placed=placed[index],
            )
            for index, one in enumerate(wanted)
        )

    def add(self, sources: Sequence[Source], base: Path) -> tuple[Obtained, ...]:
        """Have contents in the store, without a working directory.

        Raises:
            DigestError, FetchError, DefinitionError, DiskError: as ``fetch_all``.
        """
        wanted = [
            Wanted(role=Role.INPUT, name=str(one.mirrors[0]), path=PurePosixPath("x"), source=one) for one in sources
        ]
        jobs = _jobs(wanted, base, {})
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
        with self.store.at_work(), self.store.locks.hold(user.lock):
            try:
                yield
            finally:
                if not keep:
                    self.store.index.drop_uses(user.home, user.workdir)

    # -- obtaining ---------------------------------------------------------------------------------------------------

    def _obtain_all(
        self, jobs: Sequence[_Job], user: User, content: Path, wanted: Sequence[Wanted]
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
                self.progress.end(job.request.key, "cache" if one.cached else "fetched")
        rest = [job for job in jobs if job.request.key not in obtained]
        if rest:
            obtained.update(self._obtain_rest(rest, obtainer, content, wanted))
        return obtained

    def _obtain_rest(
        self, jobs: Sequence[_Job], obtainer: Obtainer, content: Path, wanted: Sequence[Wanted]
    ) -> dict[str, Obtained]:
        obtained: dict[str, Obtained] = {}

        def work(job: _Job) -> None:
            request = job.request
            if obtainer.cancelled.is_set():
                return
            self.progress.begin(request.key, request.label, request.size)
            outcome = "failed"
            try:
                if job.cacheable:
                    obtained[request.key] = obtainer.obtain(request)
                else:
                    target = Ground(content).path(wanted[job.wanted[0]].path)
                    partial = content / ".fetching" / os.urandom(8).hex()
                    obtained[request.key] = obtainer.fetch_into(request, target, partial)
                outcome = "cache" if obtained[request.key].cached else "fetched"
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

    def _say_trust(self, jobs: Sequence[_Job], obtained: Mapping[str, Obtained]) -> None:
        for job in jobs:
            one = obtained[job.request.key]
            if one.before is not None:
                self.progress.say(
                    f"{job.request.label}: {job.request.mirrors[0]} has changed since {one.before.fetched}: its sha256 "
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
                    f"trust on first use: {request.label}: nobody stated a sha256 for {request.mirrors[0]}; "
                    f"it is {digest} from now on"
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
        jobs: Sequence[_Job],
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
        self, jobs: Sequence[_Job], obtained: Mapping[str, Obtained], wanted: Sequence[Wanted], content: Path
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


def inline_identifier(name: str) -> str:
    """How a lock names a content that the stage file itself holds: ``inline:`` and the item's name."""
    return f"inline:{quote(name, safe='/[].')}"


def _locked_items(wanted: Sequence[Wanted], locked: Plan) -> dict[int, PlanItem]:
    """The lock's item for each of ``wanted``.

    Raises:
        DigestError: one is not in the lock, or not under that identifier.
    """
    known = {(item.role, item.name): item for item in locked.items}
    found: dict[int, PlanItem] = {}
    for index, one in enumerate(wanted):
        item = known.get((one.role, one.name))
        asked = _asked(one)
        hint = "stage without --locked to make a new lock"
        if item is None:
            raise DigestError(
                f"the {one.role} {one.name!r} ({asked}) is not in the lock", hint=hint, where=one.name, identifier=asked
            )
        if item.identifier != asked:
            raise DigestError(
                f"the {one.role} {one.name!r} is {asked}, the lock has {item.identifier} for it",
                hint=hint,
                where=one.name,
                identifier=asked,
            )
        stated = Fingerprint.of_bytes(one.contents) if one.contents is not None else one.source and one.source.sha256
        if stated and stated != item.fingerprint:
            raise DigestError(
                f"the {one.role} {one.name!r} has the sha256 {stated.digest} in the stage file, the lock says "
                f"{item.fingerprint.digest}",
                hint=hint,
                where=one.name,
                identifier=asked,
                expected=item.fingerprint.digest,
                actual=stated.digest,
            )
        found[index] = item
    return found


def _asked(one: Wanted) -> str:
    """The identifier as it was asked; a relative one stays relative, so that the lock tells no local path."""
    return str(one.source.mirrors[0]) if one.source is not None else inline_identifier(one.name)


def _jobs(wanted: Sequence[Wanted], base: Path, pinned: Mapping[int, PlanItem]) -> list[_Job]:
    jobs: dict[tuple[object, ...], _Job] = {}
    for index, one in enumerate(wanted):
        source = one.source
        if source is None:
            continue
        locked = pinned.get(index)
        sha256 = locked.fingerprint if locked is not None else source.sha256
        size = locked.size if locked is not None and locked.kind is Kind.FILE else source.size
        mirrors = tuple(mirror.against(base) for mirror in source.mirrors)
        same = (mirrors, sha256, size, one.kind) if one.cacheable else (index,)
        job = jobs.get(same)
        if job is None:
            job = jobs[same] = _Job(
                request=Request(
                    key=f"{one.role}:{one.name}",
                    label=one.name,
                    mirrors=mirrors,
                    sha256=sha256,
                    promise="the lock" if locked is not None else "the stage file",
                    size=size,
                    kind=one.kind or (locked.kind if locked is not None else None),
                    licences=source.licences,
                    where=source.where,
                ),
                cacheable=one.cacheable,
            )
        job.wanted.append(index)
    return list(jobs.values())


def _raise_first(futures: Sequence[Future[None]]) -> None:
    """Raise the most telling of the errors, if any."""
    errors = [error for future in futures if not future.cancelled() and (error := future.exception()) is not None]
    for error in errors:
        if not isinstance(error, WfexsError):
            raise error
    if errors:
        raise most_telling([error for error in errors if isinstance(error, WfexsError)])


def _item(one: Wanted, obtained: tuple[Request, Obtained] | None) -> PlanItem:
    """The plan's entry: a value that stands in the stage file, or what was obtained for a source."""
    source, asked = one.source, _asked(one)
    hops: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    if one.contents is not None:
        fingerprint, size, kind = Fingerprint.of_bytes(one.contents), len(one.contents), Kind.FILE
        pinned = asked
    else:
        assert source is not None
        assert obtained is not None
        request, got = obtained
        # What was written as a relative path is told as one: the folder of the stage file is nobody's business.
        written = {str(full): str(short) for full, short in zip(request.mirrors, source.mirrors, strict=True)}
        fingerprint, size, kind = got.stored.fingerprint, got.stored.size, got.stored.kind
        pinned = written.get(got.pinned, got.pinned)
        hops = tuple(hop for hop in (written.get(hop, hop) for hop in got.hops) if hop != asked)
        licences = tuple(dict.fromkeys((*source.licences, *got.licences)))
    return PlanItem(
        role=one.role,
        name=one.name,
        identifier=asked,
        pinned=pinned,
        kind=kind,
        fingerprint=fingerprint,
        size=size,
        trust=_trust(one),
        path=one.path,
        hops=hops,
        licences=licences,
        attributions=source.attributions if source is not None else (),
        disclosable=one.disclosable,
        cacheable=one.cacheable,
        clonable=one.clonable,
    )


def _trust(one: Wanted) -> Trust:
    """Expected when the stage file tells the digest or holds the bytes themselves."""
    source = one.source
    stated = source is None or source.sha256 is not None or source.mirrors[0].scheme == "data"
    return Trust.EXPECTED if stated else Trust.FIRST_USE
