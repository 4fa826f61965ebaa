"""Upkeep of the content store: list it, read it through, remove from it, collect what nobody uses."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from staging.errors import LockedError, NotFoundError, from_os_error
from staging.fingerprints import Fingerprint, FingerprintError, Tree
from staging.identifiers import Identifier, IdentifierError
from staging.index import Origin
from staging.locks import LockFile
from staging.objects import Stored, User, object_name
from staging.plan import Kind
from staging.removing import remove_path
from staging.store import ContentStore

_NAME_LENGTH = 64
_PARTIAL_KEPT = 7 * 24 * 3600  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreEntry:
    """One content of the store: a file, or a folder with all its files.

    ``size`` is in bytes. ``verified`` is when its bytes were last hashed (``None``: not known). ``users`` are the ids
    of the working directories that hold it.
    """

    fingerprint: Fingerprint
    kind: Kind
    size: int
    verified: str | None
    origins: tuple[Origin, ...] = ()
    users: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An object that is not what its name says; it has been put into quarantine."""

    sha256: str
    path: Path
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What was removed (or would be): the objects' digests, sorted, and how many bytes that freed."""

    removed: tuple[str, ...]
    size: int


def entries(store: ContentStore) -> tuple[StoreEntry, ...]:
    """Every content, by digest. A folder's files are not listed apart unless they also came by themselves."""
    verified = store.index.verified()
    origins: dict[str, list[Origin]] = {}
    for origin in store.index.all_origins():
        origins.setdefault(origin.fingerprint.digest, []).append(origin)
    users: dict[str, set[str]] = {}
    for use in store.index.uses():
        users.setdefault(use.name, set()).add(use.workdir)
    listed: list[StoreEntry] = []
    members: set[str] = set()
    for name, status in sorted(_objects(store)):
        digest = name[:_NAME_LENGTH]
        tree = store.read_tree(name) if name.endswith(".t") else None
        size = status.st_size
        if tree is not None:
            size = tree.size
            stored = Stored(kind=Kind.DIRECTORY, fingerprint=Fingerprint(digest=digest), size=size, tree=tree)
            members.update(stored.names()[1:])
        listed.append(
            StoreEntry(
                fingerprint=Fingerprint(digest=digest),
                kind=Kind.DIRECTORY if name.endswith(".t") else Kind.FILE,
                size=size,
                verified=verified.get(name),
                origins=tuple(
                    one for one in origins.get(digest, ()) if (one.kind is Kind.DIRECTORY) == name.endswith(".t")
                ),
                users=tuple(sorted(users.get(name, ()))),
            )
        )
    return tuple(
        one
        for one in listed
        if one.origins
        or one.kind is Kind.DIRECTORY
        or not {one.fingerprint.digest, object_name(one.fingerprint.digest, "x")} & members
    )


def verify(store: ContentStore) -> tuple[Problem, ...]:
    """Read every object. Those with wrong bytes are put into quarantine and told, by digest."""
    problems: list[Problem] = []
    found = sorted(_objects(store))
    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="verify") as pool:
        right = list(pool.map(store.reread, [name for name, _ in found]))
    for (name, status), is_right in zip(found, right, strict=True):
        if is_right:
            continue
        problem = "its bytes are not those of its name" if stat.S_ISREG(status.st_mode) else "it is not a regular file"
        problems.append(Problem(sha256=name[:_NAME_LENGTH], path=store.path(name), problem=problem))
    present = {name for name, _ in _objects(store)}
    for name in sorted(present):
        tree = store.read_tree(name) if name.endswith(".t") else None
        gone = [
            entry.path
            for entry in (tree.entries if tree else ())
            if entry.kind in "fx" and object_name(entry.digest, entry.kind) not in present
        ]
        if gone:
            problems.append(
                Problem(
                    sha256=name[:_NAME_LENGTH],
                    path=store.path(name),
                    problem=f"{len(gone)} of the folder's files are missing, {gone[0]!r} among them",
                )
            )
    return tuple(problems)


def remove(store: ContentStore, what: str, *, force: bool = False) -> Collected:
    """Remove the content with that sha256, or the one that an identifier means. ``force``: also when it is in use.

    Raises:
        NotFoundError: the store has no such thing.
        LockedError: a working directory holds it.
    """
    with store.locks.hold("structure", patience=60.0, what="the content store"):
        _drop(store, _dead_users(store))
        digests = _digests(store, what)
        used: dict[str, set[str]] = {}
        for use in store.index.uses():
            used.setdefault(use.name, set()).add(use.workdir)
        names = [name for digest in digests for name in (digest, f"{digest}.x", f"{digest}.t")]
        names = [name for name in names if os.path.lexists(store.path(name))]
        if not names:
            raise NotFoundError(f"the content store has nothing for {what!r}", hint="wfexs-like cache list")
        holders = sorted({workdir for name in names for workdir in used.get(name, ())})
        if holders and not force:
            raise LockedError(
                f"{what} is held by the working director{'y' if len(holders) == 1 else 'ies'} {', '.join(holders[:5])}",
                hint="remove them first (wfexs-like rm), or use --force",
            )
        doomed = set(names)
        for name in names:
            tree = store.read_tree(name) if name.endswith(".t") else None
            if tree is not None:
                doomed |= _only_of(store, name, tree, used)
        return _delete(store, sorted(doomed), unlearn=True)


def collect(store: ContentStore, *, dry_run: bool = False) -> Collected:
    """Remove every content that no working directory and no live stager holds, and what unfinished work left behind.

    ``dry_run``: only say what would be removed.
    """
    with store.locks.hold("structure", patience=60.0, what="the content store"):
        # What frees room comes before what needs some: the disk may be full.
        dead = _dead_users(store)
        used = {use.name for use in store.index.uses() if (use.home, use.workdir) not in dead}
        doomed = sorted(name for name, _ in _objects(store) if name not in used)
        if dry_run:
            size = sum(status.st_size for name, status in _objects(store) if name not in used)
            return Collected(removed=tuple(sorted({name[:_NAME_LENGTH] for name in doomed})), size=size)
        collected = _delete(store, doomed, unlearn=False)
        _drop(store, dead)
    store.workspace.sweep()
    _sweep_partial(store)
    remove_path(store.quarantine)
    return collected


def _only_of(store: ContentStore, name: str, tree: Tree, used: dict[str, set[str]]) -> set[str]:
    """A tree's files that nothing else needs: no origin of their own, no user, no other tree."""
    others: set[str] = set()
    for other, _ in _objects(store):
        parsed = store.read_tree(other) if other.endswith(".t") and other != name else None
        if parsed is not None:
            others |= {object_name(entry.digest, entry.kind) for entry in parsed.entries}
    own = {object_name(entry.digest, entry.kind) for entry in tree.entries if entry.kind in "fx"}
    return {
        one
        for one in own - others
        if not used.get(one) and not store.index.origins_of(Fingerprint(digest=one[:_NAME_LENGTH]))
    }


def _delete(store: ContentStore, names: list[str], *, unlearn: bool) -> Collected:
    size = 0
    try:
        for name in names:
            path = store.path(name)
            size += path.lstat().st_size
            remove_path(path)
    except OSError as error:
        raise from_os_error(error, "remove from the content store") from error
    store.index.forget(names)
    digests = sorted({name[:_NAME_LENGTH] for name in names})
    if unlearn:
        store.index.unlearn(digests)
    return Collected(removed=tuple(digests), size=size)


def _digests(store: ContentStore, what: str) -> list[str]:
    try:
        return [Fingerprint.parse(what).digest]
    except FingerprintError:
        pass
    texts = [what]
    with contextlib.suppress(IdentifierError):
        texts.append(str(Identifier.parse(what).against(Path.cwd())))
    asked = store.index.asked(texts)
    pinned = [asked[text].pinned if text in asked else text for text in texts]
    return sorted({origin.fingerprint.digest for origin in store.index.origins(pinned).values()})


def _dead_users(store: ContentStore) -> set[tuple[str, str]]:
    """Working directories that are gone: removed by hand, or left unfinished by a stager that was killed."""
    return {(home, workdir) for home, workdir in store.index.users() if not _is_alive(store, home, workdir)}


def _drop(store: ContentStore, dead: set[tuple[str, str]]) -> None:
    for home, workdir in dead:
        store.index.drop_uses(home, workdir)


def _is_alive(store: ContentStore, home: str, workdir: str) -> bool:
    folder = Path(home)
    if (folder / workdir).is_dir() or store.locks.is_held(User(home=home, workdir=workdir).lock):
        return True
    return LockFile(folder / f".partial-{workdir}" / ".lock").is_held(workdir)


def _sweep_partial(store: ContentStore) -> None:
    """Remove what interrupted downloads left a week ago or longer."""
    folder = store.root / "partial"
    if not folder.is_dir():
        return
    for one in list(folder.iterdir()):
        held = store.locks.attempt(f"identifier:{one.name}")
        if held is not None:
            with held:
                if one.lstat().st_mtime < time.time() - _PARTIAL_KEPT:
                    remove_path(one)


def _objects(store: ContentStore) -> Iterator[tuple[str, os.stat_result]]:
    if not store.objects.is_dir():
        return
    with os.scandir(store.objects) as folders:
        for folder in list(folders):
            if folder.is_dir(follow_symlinks=False):
                with os.scandir(folder.path) as objects:
                    yield from [(one.name, one.stat(follow_symlinks=False)) for one in objects]
