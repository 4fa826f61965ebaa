"""The content store: bytes under the name of their sha256, read-only, believed only after a look.

Layout below its root::

    objects/ab/abcd...      a file's bytes, mode 0444
    objects/ab/abcd....x    the same for a file that is executable in a tree, mode 0555 (an object has one mode)
    objects/ab/abcd....t    a tree's text (``staging.fingerprints.Tree``); its files are objects of their own
    index.sqlite            signatures, origins, uses (``staging.index``)
    tmp/<token>/            one process's unfinished work, swept when that process is gone
    partial/<sha256>/       what an interrupted download left to go on from
    quarantine/             objects whose bytes were not what their name says
    .locks                  the locks (``staging.locks``)

An object's unchanged stat signature stands for its digest. When it changed, the bytes are read again; wrong bytes are
moved to the quarantine and the object counts as absent. Hard links that the store makes or removes itself change only
``ctime``; the new signature is recorded under the same lock.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from staging.errors import DiskError, PolicyError, from_os_error
from staging.fingerprints import Fingerprint, FingerprintError, StatSignature, Tree
from staging.index import Index
from staging.locks import LockFile
from staging.objects import (
    EXECUTABLE,
    READ_ONLY,
    MissingObjectError,
    Stored,
    User,
    identifier_key,
    now,
    object_mode,
    object_name,
    read_digest,
)
from staging.placing import Way, copy, make_folders, open_regular, sync_many
from staging.plan import Kind
from staging.removing import files_below, remove_folder
from staging.workspace import Workspace

if TYPE_CHECKING:
    from staging.upkeep import Collected, Problem, StoreEntry

_READ_TRIES = 10


class ContentStore:
    """The store below ``root``, for any number of threads and processes at once. ``close`` it when done.

    Raises (every method):
        DiskError: the disk is full.
        WfexsError: the folder can't be used.
    """

    def __init__(self, root: Path, *, lender: ContentStore | None = None) -> None:
        self.root = root
        self._lender = lender
        self.objects = root / "objects"
        self._objects = str(self.objects)
        self.quarantine = root / "quarantine"
        self.index = Index(root / "index.sqlite")
        self.locks = LockFile(root / ".locks")
        self.damaged: dict[str, str] = {}
        """Digests whose bytes were found damaged since this store was opened, and what the bytes were (or a word)."""
        self._guard = threading.Lock()
        self._unsynced: set[str] = set()
        self.workspace = Workspace(root / "tmp", self.locks)

    def close(self) -> None:
        """Remove this process's temporary files and close the index."""
        self.workspace.close()
        self.index.close()

    def __enter__(self) -> ContentStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- looking -----------------------------------------------------------------------------------------------------

    def path(self, name: str) -> Path:
        """Where an object lies."""
        return self.objects / name[:2] / name

    def _path(self, name: str) -> str:
        # The same as a text: making a Path costs more than asking the file system.
        return f"{self._objects}/{name[:2]}/{name}"

    def has_file(self, fingerprint: Fingerprint) -> bool:
        """Whether there is an object for a file of that digest; its bytes are not looked at."""
        if os.path.lexists(self.path(fingerprint.digest)):
            return True
        return self._lender is not None and self._lender.has_file(fingerprint)

    def intact(self, names: Sequence[str]) -> dict[str, StatSignature]:
        """Those of the objects that are there with the right bytes. Damaged ones are put into quarantine."""
        if self._lender is not None:
            self._borrow(names, self._lender)
        found: dict[str, StatSignature] = {}
        recorded = self.index.signatures(names)
        for name in names:
            if name in found:
                continue
            try:
                now = StatSignature.of(self._path(name))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise from_os_error(error, "look into the content store") from error
            seen = now if recorded.get(name) == now else self._examine(name)
            if seen is not None:
                found[name] = seen
        return found

    def lookup(self, fingerprint: Fingerprint, kind: Kind | None = None) -> Stored | None:
        """The content of that digest, when the store has all of it, intact."""
        digest = fingerprint.digest
        if kind is not Kind.DIRECTORY:
            signature = self.intact((digest,)).get(digest) or self._from_executable(digest)
            if signature is not None:
                return Stored(kind=Kind.FILE, fingerprint=fingerprint, size=signature.size)
        if kind is Kind.FILE or not self.intact((f"{digest}.t",)):
            return None
        tree = self.read_tree(f"{digest}.t")
        if tree is None:
            return None
        stored = Stored(kind=Kind.DIRECTORY, fingerprint=fingerprint, size=tree.size, tree=tree)
        wanted = stored.names()
        return stored if len(self.intact(wanted)) == len(wanted) else None

    def read_tree(self, name: str) -> Tree | None:
        """The tree whose text is that object; ``None`` when there is no such object, or it is no tree's text."""
        try:
            with open_regular(self.path(name)) as descriptor, open(descriptor, "rb", closefd=False) as stream:
                return Tree.parse(stream.read().decode())
        except (OSError, UnicodeDecodeError, FingerprintError, PolicyError):
            return None

    def claim(self, user: User, names: Sequence[str]) -> dict[str, StatSignature]:
        """Say that ``user`` holds objects from now on, so that they aren't collected; those that are there, intact."""
        with self.locks.hold("structure", shared=True):
            self.index.use(user.home, user.workdir, names)
            return self.intact(names)

    def _from_executable(self, digest: str) -> StatSignature | None:
        executable = object_name(digest, "x")
        if not self.intact((executable,)):
            return None
        with self.workspace.temporary() as path:
            if copy(self.path(executable), path, READ_ONLY) != digest:
                return None
            self.commit_file(path, Fingerprint(digest=digest))
        return self.intact((digest,)).get(digest)

    # -- bringing in -------------------------------------------------------------------------------------------------

    def _borrow(self, names: Sequence[str], lender: ContentStore) -> None:
        """Copy from the lender what is missing here and intact there; the bytes are hashed on the way."""
        missing = [name for name in dict.fromkeys(names) if not os.path.lexists(self._path(name))]
        for name in lender.intact(missing):
            with self.locks.hold(f"borrow:{name}"), self.workspace.temporary() as path:
                if os.path.lexists(self._path(name)):
                    continue
                try:
                    if copy(lender.path(name), path, object_mode(name)) != name[:64]:
                        lender.reread(name)
                        continue
                    make_folders(self.path(name).parent)
                    path.replace(self.path(name))
                except OSError as error:
                    raise from_os_error(error, "write into the content store") from error
                self.index.record({name: StatSignature.of(self._path(name))}, verified=now())

    def partial(self, identifier: str) -> Path:
        """The folder for what an interrupted download of ``identifier`` leaves; use it under ``identifier_lock``."""
        return self.root / "partial" / identifier_key(identifier)

    def identifier_lock(self, identifier: str) -> str:
        """The name of the lock under which an identifier is fetched."""
        return f"identifier:{identifier_key(identifier)}"

    def commit_file(self, path: Path, fingerprint: Fingerprint) -> None:
        """Take a finished file in: ``path`` is moved away. Its digest was made of the bytes as they were written."""
        self.commit_files([(path, fingerprint)])

    def commit_files(self, finished: Sequence[tuple[Path, Fingerprint]]) -> None:
        """Take many finished files in: they get on the disk together, and then their names."""
        try:
            for path, _ in finished:
                path.chmod(READ_ONLY)
            sync_many(path for path, _ in finished)
            with self.locks.hold("structure", shared=True):
                self._take([(path, fingerprint.digest) for path, fingerprint in finished])
        except OSError as error:
            raise from_os_error(error, "write into the content store") from error

    def commit_tree(self, folder: Path, tree: Tree) -> None:
        """Take a finished folder in: its files become objects, then the tree's text does. ``folder`` is used up."""
        files = [entry for entry in tree.entries if entry.kind in "fx"]
        try:
            for entry in files:
                (folder / entry.path).chmod(EXECUTABLE if entry.kind == "x" else READ_ONLY)
            sync_many(folder / entry.path for entry in files)
            with self.workspace.temporary() as text:
                text.write_bytes(tree.text().encode())
                text.chmod(READ_ONLY)
                sync_many([text])
                members = [(folder / entry.path, object_name(entry.digest, entry.kind)) for entry in files]
                with self.locks.hold("structure", shared=True):
                    self._take([*members, (text, object_name(tree.fingerprint.digest, "t"))])
        except OSError as error:
            raise from_os_error(error, "write into the content store") from error

    def flush(self) -> None:
        """Have the names of all objects taken in so far on the disk."""
        with self._guard:
            folders, self._unsynced = self._unsynced, set()
        try:
            sync_many(folders)
        except OSError as error:
            raise from_os_error(error, "write into the content store") from error

    def _take(self, finished: Sequence[tuple[Path, str]]) -> None:
        """Give finished files their final names; what is there already, intact, stays as it is."""
        there = self.intact([name for _, name in finished])
        signatures: dict[str, StatSignature | None] = {}
        folders: set[str] = set()
        for path, name in finished:
            if name in there or name in signatures:
                continue
            target = self._path(name)
            try:
                os.replace(path, target)  # noqa: PTH105 - the hot path of small files
            except FileNotFoundError:
                make_folders(self.path(name).parent)
                folders.add(self._objects)
                os.replace(path, target)  # noqa: PTH105
            folders.add(target[: -len(name) - 1])
            signatures[name] = StatSignature.of(target)
        with self._guard:
            self._unsynced |= folders
        self.index.record(signatures, verified=now())

    # -- handing out -------------------------------------------------------------------------------------------------

    def place(self, wanted: Mapping[str, str]) -> dict[str, StatSignature]:
        """Give objects further names: each path of ``wanted`` becomes the object that it maps to.

        A clone where the file system has them, else a hard link, else (another file system) a verified copy. Returns
        each path's signature.

        Raises:
            MissingObjectError: objects are missing or damaged. Some paths may have been made.
        """
        if not wanted:
            return {}
        placed: dict[str, StatSignature] = {}
        moved: dict[str, tuple[StatSignature, StatSignature]] = {}
        copies: list[str] = []
        way = Way()
        try:
            # The structure lock keeps a collection away; the links lock makes (look, link, look, record) one step.
            with self.locks.hold("structure", shared=True), self.locks.hold("links"):
                intact = self.intact(list(wanted.values()))
                missing = sorted(set(wanted.values()) - intact.keys())
                if missing:
                    raise MissingObjectError(missing)
                try:
                    for path, name in wanted.items():
                        if not way.take(self._path(name), path, object_mode(name)):
                            copies.append(path)
                            continue
                        placed[path] = StatSignature.of(path)
                        if placed[path].inode == intact[name].inode:
                            moved[name] = (intact[name], placed[path])
                finally:
                    self._record_links(moved)
            for path in copies:
                self._copy_out(wanted[path], Path(path))
                placed[path] = StatSignature.of(path)
        except OSError as error:
            raise from_os_error(error, "place files in the working directory") from error
        return placed

    def _copy_out(self, name: str, path: Path) -> None:
        if copy(self.path(name), path, object_mode(name)) != name[:64]:
            path.unlink()
            self.reread(name)  # its signature says that it is right: the bytes changed below the file system
            raise MissingObjectError([name])

    def _record_links(self, moved: Mapping[str, tuple[StatSignature, StatSignature]]) -> None:
        self.index.move({name: pair for name, pair in moved.items() if pair[0].is_same_but_linked(pair[1])})

    def remove_tree(self, folder: Path) -> None:
        """Delete a folder that may hold hard links to objects, whose signatures are carried over.

        Raises:
            WfexsError: something in it can't be deleted.
        """
        try:
            linked = [path for path, status in files_below(folder) if status.st_nlink > 1]
            for start in range(0, len(linked), 1000):
                with self.locks.hold("links"):
                    self._unlink(linked[start : start + 1000])
            remove_folder(folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise from_os_error(error, f"delete {folder}") from error

    def _unlink(self, paths: Sequence[Path]) -> None:
        known = self.index.by_inode([path.lstat().st_ino for path in paths])
        moved: dict[str, tuple[StatSignature, StatSignature]] = {}
        for path in paths:
            before = StatSignature.of(path)
            name, recorded = known.get((before.device, before.inode), ("", before))
            first, last = moved.get(name, (recorded, recorded))
            path.unlink()
            if name and before == last:
                with contextlib.suppress(FileNotFoundError):
                    moved[name] = (first, StatSignature.of(self.path(name)))
        self._record_links(moved)

    # -- doubting ----------------------------------------------------------------------------------------------------

    def _examine(self, name: str, *, reread: bool = False) -> StatSignature | None:
        """Read an object's bytes, unless another process just did; wrong ones go into quarantine."""
        with self.locks.hold(f"object:{name}"):
            path = self.path(name)
            try:
                if not reread and self.index.signatures((name,)).get(name) == StatSignature.of(path):
                    return StatSignature.of(path)
                started = time.time_ns()
                actual, read = self._read(path, name)
            except FileNotFoundError:
                return None
            except OSError as error:
                raise from_os_error(error, "read the content store") from error
            if read is None:
                self.damaged[name[:64]] = actual
                self._to_quarantine(name)
                return None
            with contextlib.suppress(DiskError):  # only a convenience; a full disk is no reason not to read
                self.index.record({name: read if read.is_settled(started) else None}, verified=now())
            return read

    def reread(self, name: str) -> bool:
        """Hash an object, whatever its signature says; ``False``: it was damaged, and is in quarantine now."""
        return self._examine(name, reread=True) is not None

    def _read(self, path: Path, name: str) -> tuple[str, StatSignature | None]:
        """The digest of the bytes, and the signature before and after reading them (``None``: they are wrong)."""
        digest = ""
        for _ in range(_READ_TRIES):
            if not stat.S_ISREG(path.lstat().st_mode):
                return "not a regular file", None
            with open_regular(path) as descriptor:
                if stat.S_IMODE(os.fstat(descriptor).st_mode) != object_mode(name):
                    os.fchmod(descriptor, object_mode(name))
                before = StatSignature.of(descriptor)
                digest = read_digest(descriptor)
            if digest != name[:64]:
                return digest, None
            if before == StatSignature.of(path):
                return digest, before
        return digest, None

    def _to_quarantine(self, name: str) -> None:
        try:
            make_folders(self.quarantine)
            target = self.quarantine / f"{name}-{os.urandom(4).hex()}"
            os.rename(self.path(name), target)  # noqa: PTH104
        except FileNotFoundError:
            return
        except OSError as error:
            raise from_os_error(error, "put a damaged object aside") from error
        self.index.forget([name])

    # -- upkeep (the cache verbs) ------------------------------------------------------------------------------------

    def entries(self) -> tuple[StoreEntry, ...]:
        """What is in the store: see ``staging.upkeep.entries``."""
        from staging.upkeep import entries

        return entries(self)

    def verify(self) -> tuple[Problem, ...]:
        """Read everything: see ``staging.upkeep.verify``."""
        from staging.upkeep import verify

        return verify(self)

    def remove(self, what: str, *, force: bool = False) -> Collected:
        """Remove one content: see ``staging.upkeep.remove``."""
        from staging.upkeep import remove

        return remove(self, what, force=force)

    def gc(self, *, dry_run: bool = False) -> Collected:
        """Remove what nobody uses: see ``staging.upkeep.collect``."""
        from staging.upkeep import collect

        return collect(self, dry_run=dry_run)
