"""The folder of working directories: finding one, beginning a new one, removing one, and what dead stagers left."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

from staging.areas import PLAIN, Area
from staging.errors import DefinitionError, Fault, NotFoundError, UsageError, WfexsError, from_os_error
from staging.locks import LockFile, hold_folder
from staging.nicknames import ID, RULE, is_nickname, numbered, pick
from staging.removing import remove_path
from staging.store import ContentStore
from staging.workdir import NICKNAME, USE_LOCK, VAULT, WORKDIR_SCHEMA, NewWorkdir, StagedWorkdir

_PARTIAL = ".partial-"
_DOOMED = ".doomed-"
_PREFIX_LENGTH = 2

# ``Workdirs.list`` hides the type of that name inside its class.
_Known: TypeAlias = list["StagedWorkdir"]
_Damaged: TypeAlias = list[tuple[Path, WfexsError]]


class Workdirs:
    """The folder of working directories.

    ``store`` is told when one is removed; ``dissolve`` is called with its folder before that. ``closed`` gives a
    context in which nobody reads in that folder, or refuses. ``forget`` hears the id of each encrypted one that goes.
    """

    def __init__(
        self,
        root: Path,
        store: ContentStore | None = None,
        *,
        dissolve: Callable[[Path], None] = lambda _root: None,
        closed: Callable[[Path], contextlib.AbstractContextManager[None]] = lambda _root: contextlib.nullcontext(),
        forget: Callable[[str], None] = lambda _identity: None,
    ) -> None:
        self.root = root.absolute()
        self._store = store
        self._dissolve = dissolve
        self._closed = closed
        self._forget = forget

    def create(
        self,
        nickname: str | None = None,
        *,
        area: Callable[[Path, str], Area] | None = None,
        randomness: random.Random | None = None,
    ) -> NewWorkdir:
        """Begin a new one. A nickname that is taken gets a number; without one, two words are drawn.

        ``area`` makes the area, of the new one's folder and id, that its content is kept in.

        Raises:
            UsageError: the nickname has characters that one can't have.
            DiskError: the disk is full.
        """
        if nickname is not None and not is_nickname(nickname):
            raise UsageError(
                f"{nickname!r} can't be a nickname",
                hint=RULE,
            )
        randomness = randomness or random.SystemRandom()
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o755)
        except OSError as error:
            raise from_os_error(error, "make the folder of working directories") from error
        self.sweep()
        with hold_folder(self.root):
            # Those in the making first: one that is finished between the two looks is in the list.
            taken = self._spoken_for() | {one.nickname for one in self.list()}
            name = numbered(nickname, taken) if nickname else pick(taken, randomness)
            return self._begin(name, _new_id(randomness), area)

    def _spoken_for(self) -> set[str]:
        """The nicknames of those that are in the making."""
        names = set()
        for path in self.root.glob(f"{_PARTIAL}*/{NICKNAME}"):
            with contextlib.suppress(OSError, UnicodeDecodeError):  # finished or given up meanwhile
                names.add(path.read_text(encoding="utf-8"))
        return names

    def _begin(self, nickname: str, workdir_id: str, area: Callable[[Path, str], Area] | None) -> NewWorkdir:
        root = self.root / f"{_PARTIAL}{workdir_id}"
        held = None
        try:
            held = LockFile(root / USE_LOCK).hold(workdir_id)
            # What is staged and made may be for nobody else's eyes. Before anything is in it.
            root.chmod(0o700)
            (root / NICKNAME).write_text(nickname, encoding="utf-8")
            (root / "work").mkdir(mode=0o755)
        except (OSError, WfexsError) as error:
            with contextlib.suppress(WfexsError):
                remove_path(root)
            if held is not None:
                held.release()
            if isinstance(error, OSError):
                raise from_os_error(error, "make a working directory") from error
            raise

        def remove(folder: Path) -> None:
            if area is not None:
                self._forget_unless_there(workdir_id)
            self._remove(folder)
            if self._store is not None:
                self._store.index.drop_uses(str(self.root), workdir_id)

        return NewWorkdir(
            workdir_id=workdir_id,
            nickname=nickname,
            root=root,
            held=held,
            area=None if area is None else area(root, workdir_id),
            remove=remove,
        )

    def sweep(self) -> int:
        """Remove what dead stagers and interrupted removals left; returns how many there were."""
        swept = 0
        for folder in (*self.root.glob(f"{_PARTIAL}*"), *self.root.glob(f"{_DOOMED}*")):
            with contextlib.suppress(FileNotFoundError):
                if folder.lstat().st_uid != os.geteuid():
                    continue
            condemned = folder.name.startswith(_DOOMED) or folder.is_symlink()
            doomed = folder if condemned else self._condemn(folder)
            if doomed is not None:
                # Another one may sweep the same folder right now, and see to the rest.
                with contextlib.suppress(WfexsError):
                    self._remove(doomed)
                    swept += 1
        return swept

    def _condemn(self, folder: Path) -> Path | None:
        """Rename a dead stager's folder, so that nobody takes it for his; ``None`` when its stager lives."""
        identity = folder.name.removeprefix(_PARTIAL)
        held = LockFile(folder / USE_LOCK).attempt(identity)
        if held is None:
            return None
        with held:
            if (folder / VAULT).is_dir():
                self._forget_unless_there(identity)
            return _rename_away(folder)

    def list(self) -> tuple[StagedWorkdir, ...]:
        """All that are whole, oldest first. See ``damaged`` for the others."""
        return tuple(sorted(self._read_all()[0], key=lambda one: (one.created, one.id)))

    def damaged(self) -> tuple[tuple[Path, WfexsError], ...]:
        """Folders that should be working directories, and what is wrong with them."""
        return tuple(self._read_all()[1])

    def find(self, reference: str | StagedWorkdir) -> StagedWorkdir:
        """The one that is meant: ``last``, an id, a nickname, a unique beginning of an id, or a path in it.

        One that was found before is given back as it is: its id may be that of another one as well, of which it is
        a copy.

        Raises:
            UsageError: nothing was named.
            NotFoundError: there is none, or more than one (then it names them).
            DefinitionError: its ``workdir.json`` is damaged.
        """
        if isinstance(reference, StagedWorkdir):
            return reference
        if not reference.strip():
            raise UsageError(
                "the name of the working directory is empty", hint="give its id, its nickname, or last for the newest"
            )
        known, damaged = self._read_all()
        if reference == "last":
            if not known:
                raise NotFoundError("there is no working directory yet", hint="wfexs-like stage STAGE makes one")
            return max(known, key=lambda one: (one.created, one.id))
        for one in known:
            if one.id == reference:
                return one
        named = [one for one in known if one.nickname == reference]
        if not named and len(reference) >= _PREFIX_LENGTH:
            named = [one for one in known if one.id.startswith(reference)]
        if len(named) == 1:
            return named[0]
        if named:
            raise NotFoundError(
                f"{reference!r} means {len(named)} working directories: " + _names(named),
                hint="use the id, or a longer beginning of it",
                candidates=[one.id for one in named],
            )
        for path, error in damaged:
            if path.name == reference:
                raise error
        return self._find_by_path(reference, known)

    def _find_by_path(self, reference: str, known: _Known) -> StagedWorkdir:
        """The one that a folder is, or is in."""
        path = Path(reference)
        if path.is_dir():
            full = path.resolve()
            root = next((one for one in (full, *full.parents) if (one / "workdir.json").is_file()), full)
            # The store knows those that are kept here by the path that they have here, whatever links lead to it.
            return next((one for one in known if one.root.resolve() == root), None) or self.read(root)
        begun = [one for one in known if one.id.startswith(reference)]
        if begun:
            raise NotFoundError(
                f"{reference!r} is too short for the beginning of an id: " + _names(begun),
                hint=f"give {_PREFIX_LENGTH} characters of it at least",
                candidates=[one.id for one in begun],
            )
        raise NotFoundError(
            f"there is no working directory {reference!r}", hint="wfexs-like list shows what there is", where=reference
        )

    def remove(self, workdir: StagedWorkdir) -> None:
        """Delete it with all its runs.

        Raises:
            LockedError: a run or a crate is using it.
        """
        with workdir.use(exclusive=True):
            # Where somebody reads in it, or it can't be renamed, it has to stay as it is: nothing is destroyed before.
            with self._closed(workdir.root):
                doomed = _rename_away(workdir.root)
            if workdir.vault != PLAIN and workdir.root.parent.resolve() == self.root.resolve():
                self._forget_unless_there(workdir.id)
            # From here on it is gone; what an interrupt leaves is swept.
            self._remove(doomed)
            if self._store is not None:
                self._store.index.drop_uses(str(workdir.root.parent), workdir.id)

    def _forget_unless_there(self, identity: str) -> None:
        """A copy that lies here as well is still what it was."""
        if not os.path.lexists(self.root / identity) and all(one.id != identity for one in self.list()):
            self._forget(identity)

    def _remove(self, folder: Path) -> None:
        if folder.is_symlink():
            # What it leads to is none of ours.
            remove_path(folder)
            return
        self._dissolve(folder)
        if self._store is not None:
            self._store.remove_tree(folder)
        else:
            remove_path(folder)

    def read(self, root: Path) -> StagedWorkdir:
        """The working directory at a path.

        Raises:
            NotFoundError: there is none. DefinitionError: its ``workdir.json`` is damaged.
        """
        file = root / "workdir.json"
        try:
            text = file.read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError(
                f"{root} is no working directory: it has no workdir.json", where=str(root), hint=_rest_of(root)
            ) from error
        except OSError as error:
            raise from_os_error(error, f"read {file}") from error
        try:
            record = json.loads(text)
            if not isinstance(record, dict) or record.get("schema") != WORKDIR_SCHEMA:
                raise ValueError(f"not a {WORKDIR_SCHEMA} document")
            fields = {key: record[key] for key in ("id", "nickname", "created", "vault")}
            if not all(isinstance(value, str) for value in fields.values()) or not ID.fullmatch(fields["id"]):
                raise ValueError("a value is of the wrong form")
            if (fields["vault"] == PLAIN) is os.path.lexists(root / VAULT):
                has = "has none" if fields["vault"] != PLAIN else "has one"
                raise ValueError(f"it says {fields['vault']!r} of the vault folder, and {has}")
        except (ValueError, KeyError, RecursionError) as error:
            reason = f"the key {error} is missing" if isinstance(error, KeyError) else str(error)
            raise DefinitionError(
                (Fault(file=str(file), where="", message=reason),),
                message=f"the working directory {root.name} is damaged: its workdir.json is wrong ({reason})",
                hint="stage again; what is in its runs folder is still there",
            ) from error
        return StagedWorkdir(root=root, **fields)

    def _read_all(self) -> tuple[_Known, _Damaged]:
        known: _Known = []
        damaged: _Damaged = []
        try:
            folders = [Path(one.path) for one in os.scandir(self.root) if ID.fullmatch(one.name) and one.is_dir()]
        except FileNotFoundError:
            return [], []
        except OSError as error:
            raise from_os_error(error, "list the working directories") from error
        for folder in folders:
            try:
                known.append(self.read(folder))
            except WfexsError as error:
                if folder.is_dir():
                    damaged.append((folder, error))
        return known, damaged


def _names(workdirs: Iterable[StagedWorkdir]) -> str:
    return ", ".join(f"{one.id} ({one.nickname})" for one in sorted(workdirs, key=lambda one: one.created))


def _rest_of(root: Path) -> str:
    """What to do about a folder that is no working directory, or is one no more.

    Where an encrypted area was open nobody may write or remove it, and one that is open outlives its files.
    """
    point = root / "work"
    try:
        left = ID.fullmatch(root.name) is not None and point in root.iterdir()
    except OSError:
        left = False
    if not left:
        return "wfexs-like list"
    try:
        list(point.iterdir())
        still_open = os.path.ismount(point)
    except OSError:
        still_open = True
    place = shlex.quote(str(point))
    steps = f"fusermount3 -u {place}; chattr -i {place}" if still_open else f"chattr -i {place}"
    return f'"{steps}" lets go of what "rm -r" left of an encrypted one; "wfexs-like rm" removes it whole'


def _rename_away(folder: Path) -> Path:
    doomed = folder.with_name(f"{_DOOMED}{os.urandom(8).hex()}")
    try:
        folder.rename(doomed)
    except OSError as error:
        told = from_os_error(error, f"delete {folder}")
        if error.errno == errno.EXDEV:
            # overlayfs renames no folder of a lower layer (the kernel's overlayfs.rst, "Renaming directories").
            told.hint = "it is part of the image that this container was made of, and is to be removed there"
        raise told from error
    return doomed


def _new_id(randomness: random.Random) -> str:
    """A random UUID (RFC 9562, version 4)."""
    digits = f"{randomness.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
