"""Audit: whether anything of a working directory lies outside of its vault, as far as this host lets us look."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from staging.areas import PLAIN
from staging.errors import UsageError, WfexsError
from staging.identifiers import Identifier
from staging.progress import Progress
from staging.workdir import StagedWorkdir
from wfexs_like import __version__
from wfexs_like.audit.attestation import Attestation, Judged, Judgement, Told
from wfexs_like.audit.canaries import SHORTEST, Canary, needles_of
from wfexs_like.audit.host import Root, facts, foreign_mounts, usual_roots
from wfexs_like.audit.places import Place, search_processes, unique
from wfexs_like.audit.scanning import Scan, Scope, Window, masked, processes_looked_at
from wfexs_like.audit.searching import Search
from wfexs_like.settings import Settings

if TYPE_CHECKING:
    from staging.plan import Json, Plan

MOST_OWN: Final = 64
"""Needles that are taken from a working directory: each one makes the search slower."""

_EARLIER: Final = 2.0
"""Seconds: file systems tell times this coarsely (FAT)."""
_COARSE: Final = 0.01
"""Seconds by which the clock that dates files may be late: a tick of the kernel."""
_DIGITS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditWish:
    """What is to be looked for, and where.

    ``canaries`` are texts; ``typed``: some of them stand in the command line; ``asked`` are the files that they came
    from. With ``own`` names and values of the working directory are looked for too, with ``everything`` on all local
    file systems. ``excepted`` are paths where they may be.
    """

    canaries: tuple[str, ...] = ()
    typed: bool = False
    asked: tuple[Path, ...] = ()
    own: bool = False
    everything: bool = False
    excepted: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if not self.canaries and not self.own:
            raise UsageError(
                "there is nothing to look for",
                hint="name texts that are in the working directory with --canary-file, or use --own",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What only an open working directory tells: names, values of parameters, its local sources, when it ran."""

    names: tuple[str, ...]
    values: tuple[str, ...]
    sources: tuple[Path, ...]
    windows: tuple[Window, ...]


def learn(workdir: StagedWorkdir) -> Learned:
    """Look into a working directory that is open."""
    from wfexs_like.flow.describe import executions_of

    plan, executions = workdir.plan(), executions_of(workdir, brief=True)
    now = time.time()
    windows = tuple(
        Window(run=one.run, begin=_seconds(one.started) - _COARSE, end=_seconds(one.ended) if one.ended else now)
        for one in executions
        if one.started
    )
    names = _long(_names(workdir))
    values = _long(text for tree in (plan.parameters, *(one.overrides for one in executions)) for text in _texts(tree))
    return Learned(names=names, values=values, sources=tuple(_sources(plan)), windows=windows)


def audit(
    workdir: StagedWorkdir, learned: Learned | None, wish: AuditWish, *, settings: Settings, progress: Progress
) -> Attestation:
    """Look for the canaries everywhere but in the vault. ``learned`` is ``None`` where it could not be opened."""
    started = _now()
    if workdir.vault == PLAIN:
        progress.say(f"{workdir.nickname} is not encrypted: all that it was staged from went through the content store")
    given = [Canary(name=str(number), text=text) for number, text in enumerate(dict.fromkeys(wish.canaries), 1)]
    own, taken = _own(learned) if wish.own and learned is not None else ([], None)
    search = Search(needles_of([*given, *own]))
    since = _staging_began(workdir)
    windows = learned.windows if learned is not None else ()
    scope = Scope(
        roots=_roots(workdir, settings, everything=wish.everything),
        since=since,
        besides=_besides(workdir),
        windows=windows,
    )
    findings = Scan(search, scope, progress).run()
    processes = processes_looked_at()
    judge = _Judge(wish, () if learned is None else learned.sources)
    places = (*findings.places, *_in_processes(search, workdir))
    return Attestation(
        workdir=workdir.id,
        created=workdir.created,
        vault=workdir.vault,
        since=datetime.fromtimestamp(since, tz=UTC).isoformat(timespec="milliseconds"),
        started=started,
        ended=_now(),
        version=__version__,
        host=facts(),
        everything=wish.everything,
        opened=learned is not None,
        canaries=tuple(Told(canary=one.name, sha256=_digits(one.text)) for one in given),
        own=taken,
        findings=findings,
        hits=tuple(Judged(place=place, judgement=judge.of(place)) for place in unique(places)),
        processes=processes,
        windows=windows,
        masked=lambda path: masked(search, path),
    )


class _Judge:
    """Whether a canary should be where it is."""

    def __init__(self, wish: AuditWish, sources: Sequence[Path]) -> None:
        self._groups: tuple[tuple[Judgement, frozenset[Path]], ...] = (
            ("asked", _real(wish.asked)),
            ("source", _real(sources)),
            ("excepted", _real(wish.excepted)),
        )
        self._askers = frozenset(map(str, _ancestors())) if wish.typed else frozenset()

    def of(self, place: Place) -> Judgement:
        """The judgement on a place."""
        # Whoever started us had to have in its arguments what stands in ours.
        if place.kind == "arguments" and place.path.parent.name in self._askers:
            return "asked"
        if place.kind not in ("arguments", "environment"):
            around = {place.path, *place.path.parents}
            for judgement, paths in self._groups:
                if around & paths:
                    return judgement
        return "leak"


def _roots(workdir: StagedWorkdir, settings: Settings, *, everything: bool) -> tuple[Root, ...]:
    ours = [
        Root(name="working directory", path=workdir.root),
        Root(name="working directories", path=settings.workdirs),
        Root(name="content store", path=settings.cache),
        Root(name="keys", path=settings.keys),
        Root(name="settings", path=settings.config.parent),
    ]
    found = usual_roots(settings.environment, ours)
    return (*found, Root(name="all local file systems", path=Path("/"))) if everything else found


def _besides(workdir: StagedWorkdir) -> Mapping[str, str | None]:
    """What is not looked at: mounts that are none of this host's, and where the contents belong."""
    root = workdir.root.resolve()
    if workdir.vault == PLAIN:
        return {**foreign_mounts(), str(root): None}
    from wfexs_like.vault.lifetime import DATA
    from wfexs_like.vault.locking import FOLDER

    mounts = foreign_mounts()
    if str(root / workdir.content.name) in mounts:
        mounts[str(root / workdir.content.name)] = None
    return {**mounts, str(root / FOLDER / DATA): None}


def _in_processes(search: Search, workdir: StagedWorkdir) -> Iterator[Place]:
    """What processes betray; not the files in the vault that they hold open."""
    inside = {workdir.content, workdir.content.resolve()}
    for place in search_processes(search):
        if place.kind != "unnamed" or not inside & set(place.path.parents):
            yield place


def _own(learned: Learned) -> tuple[list[Canary], dict[str, int]]:
    """Needles of the directory itself. They are easily guessed, so that no digest of them is told."""
    values = [Canary(name=f"value {number}", text=text) for number, text in enumerate(learned.values, 1)]
    names = [Canary(name=f"name {number}", text=text) for number, text in enumerate(learned.names, 1)]
    taken = [*values, *names][:MOST_OWN]
    left_out = len(values) + len(names) - len(taken)
    of_values = min(len(values), len(taken))
    return taken, {"values": of_values, "names": len(taken) - of_values, "left_out": left_out}


def _names(workdir: StagedWorkdir) -> Iterator[str]:
    """How files and folders are called that were staged or came out of a run."""
    runs = [workdir.run_folder(number) / "outputs" for number in workdir.runs()]
    for folder in (workdir.content / "inputs", *runs):
        for path in sorted(folder.rglob("*")):
            yield path.name


def _texts(tree: Json) -> Iterator[str]:
    """The texts among the values of parameters; how files are referred to is none."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping):
        if tree.get("class") not in ("File", "Directory"):
            for one in tree.values():
                yield from _texts(one)
    elif isinstance(tree, Sequence):
        for one in tree:
            yield from _texts(one)


def _long(texts: Iterable[str]) -> tuple[str, ...]:
    """Those that are not found by chance, each once."""
    return tuple(dict.fromkeys(one for one in texts if len(os.fsencode(one)) >= SHORTEST))


def _sources(plan: Plan) -> Iterator[Path]:
    """Where items came from on this host. A relative name tells no place: the lock doesn't know its stage file's."""
    for item in plan.items:
        for text in (item.identifier, item.pinned, *item.hops):
            try:
                path = Identifier.parse(text).local_path
            except WfexsError:
                continue
            if path is not None and path.is_absolute():
                yield path


def _staging_began(workdir: StagedWorkdir) -> float:
    """When the first of what belongs to a working directory was made: it is dated when its staging ended."""
    moments = [_seconds(workdir.created)]
    for pattern in ("*", "vault/*", "vault/data/*"):
        for path in workdir.root.glob(pattern):
            try:
                moments.append(path.lstat().st_mtime)
            except OSError:
                continue
    return min(moments) - _EARLIER


def _ancestors() -> Iterator[int]:
    """The processes that started us, and theirs (proc(5), stat)."""
    current = os.getppid()
    while current > 1:
        yield current
        try:
            text = Path(f"/proc/{current}/stat").read_bytes()
        except OSError:
            return
        # The second field, the command's name in parentheses, may hold anything.
        current = int(text.rpartition(b")")[2].split()[1])


def _real(paths: Iterable[Path]) -> frozenset[Path]:
    return frozenset(one for path in paths for one in (path.absolute(), Path(os.path.realpath(path))))


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:_DIGITS]


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _now() -> str:
    return datetime.now(tz=UTC).isoformat(timespec="milliseconds")
