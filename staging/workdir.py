"""Working directories: where staged things lie, and the only module that knows the layout.

Below the folder of working directories::

    <id>/workdir.json       what it is: schema, id, nickname, created, vault kind
    <id>/work/              the content: stage.yaml stage.lock.json interface.json signatures.json
                            workflow/ inputs/ engine/ runs/<n>/ crates/; where it is encrypted, the mount point
    <id>/vault/             where it is encrypted: what is on disk of it (``staging.areas``)
    <id>/.lock              who uses it (``staging.locks``): shared by runs and crates, alone for removal
    .partial-<id>/          one that is being staged; renamed when it is whole, swept when its stager is dead
    .doomed-<random>/       one that is being removed
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from staging.areas import Area
from staging.errors import LockedError, NotFoundError, from_os_error
from staging.locks import Held, LockFile
from staging.placing import sync, sync_folder, sync_tree, write_atomically
from staging.plan import Plan
from staging.signatures import FILE as SIGNATURES
from staging.signatures import Signatures, verify_items
from staging.stager import StagedItem
from staging.store import ContentStore

WORKDIR_SCHEMA = "wfexs-like/workdir/1"
# Held by whoever uses the working directory; it lies beside the content.
USE_LOCK = ".lock"
# Beside the content of one that is encrypted: what is on disk of it.
VAULT = "vault"
# What lies directly below the content.
STAGE_FILE = "stage.yaml"
JOB_FILE = "job.yml"
LOCK = "stage.lock.json"
INTERFACE = "interface.json"
ABOUT = "about.json"
# In one that is encrypted: what would otherwise be put into the system's temporary folder, and a store of its own.
SCRATCH = ".scratch"
OWN_STORE = ".store"

# What it will be called, while it is in the making.
NICKNAME = ".nickname"

_Held = TypeVar("_Held")


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedWorkdir:
    """A working directory that is staged, whole.

    ``created`` is ISO 8601 in UTC with microseconds. ``root`` is the folder that bears the id.
    """

    id: str
    nickname: str
    created: str
    root: Path
    vault: str = "plain"

    @property
    def content(self) -> Path:
        """The folder below which everything lies that an engine may see."""
        return self.root / "work"

    @property
    def lock_path(self) -> Path:
        """The lock file."""
        return self.content / LOCK

    @property
    def about_path(self) -> Path:
        """What the stage file says of the whole: title, description, licence, authors."""
        return self.content / ABOUT

    @property
    def interface_path(self) -> Path:
        """What the engine said of the workflow."""
        return self.content / INTERFACE

    @property
    def runs_path(self) -> Path:
        """The folder of the runs."""
        return self.content / "runs"

    def plan(self) -> Plan:
        """The lock.

        Raises:
            DefinitionError: it is damaged. NotFoundError: it is missing.
        """
        return Plan.parse(self._read(self.lock_path, "lock"), file=str(self.lock_path))

    def _read(self, path: Path, what: str) -> bytes:
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError(
                f"the working directory {self.nickname} has no {what}",
                where=str(path),
                hint="it was removed; stage again",
            ) from error
        except OSError as error:
            raise from_os_error(error, f"read the {what}") from error

    # -- use ---------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def use(self, *, exclusive: bool = False) -> Iterator[None]:
        """Hold it: shared with other users (runs, crates), or alone (removal).

        Raises:
            LockedError: that can't be now.
            NotFoundError: it was removed meanwhile.
        """
        if not self.root.is_dir():
            raise self._gone()
        held = LockFile(self.root / USE_LOCK).attempt(self.id, shared=not exclusive)
        if held is None:
            raise LockedError(
                f"the working directory {self.nickname} is " + ("in use" if exclusive else "being removed"),
                where=str(self.root),
                hint=f"wait for its runs, or stop them (wfexs-like cancel {self.nickname})" if exclusive else None,
            )
        with held:
            if not (self.root / "workdir.json").exists():
                raise self._gone()
            yield

    def _gone(self) -> NotFoundError:
        return NotFoundError(f"the working directory {self.nickname} is gone", where=str(self.root))

    def new_run(self) -> tuple[int, Path]:
        """A number that no other run has, and its folder ``runs/<n>``, made and empty.

        Raises:
            DiskError: the disk is full.
        """
        try:
            self.runs_path.mkdir(exist_ok=True)
            number = max(self.runs(), default=0)
            while True:
                number += 1
                folder = self.runs_path / str(number)
                with contextlib.suppress(FileExistsError):
                    folder.mkdir()
                    sync(self.runs_path)
                    return number, folder
        except OSError as error:
            raise from_os_error(error, "make a folder for the run") from error

    def runs(self) -> tuple[int, ...]:
        """The numbers of its runs, sorted."""
        try:
            names = [entry.name for entry in os.scandir(self.runs_path)]
        except FileNotFoundError:
            return ()
        return tuple(sorted(int(name) for name in names if name.isascii() and name.isdigit() and name[0] != "0"))

    def run_folder(self, number: int) -> Path:
        """The folder of a run.

        Raises:
            NotFoundError: there is no such run.
        """
        if number not in self.runs():
            known = ", ".join(map(str, self.runs())) or "none"
            raise NotFoundError(f"the working directory {self.nickname} has no run {number}", hint=f"its runs: {known}")
        return self.runs_path / str(number)

    def verify(self, plan: Plan, store: ContentStore | None = None, *, rehash: bool = False) -> None:
        """Make sure that every staged byte is the one that the plan attests.

        An unchanged stat signature stands for the digest, ``rehash`` reads everything. ``store`` knows the signatures
        of files that are hard links to its objects.

        Raises:
            DigestError: something was changed, added or removed; says what, and what to do.
        """
        verify_items(self.content, plan, store, rehash=rehash)


class NewWorkdir:
    """A working directory in the making. Leaving the ``with`` block without ``commit`` leaves nothing behind."""

    def __init__(
        self,
        *,
        workdir_id: str,
        nickname: str,
        root: Path,
        held: Held,
        area: Area | None,
        remove: Callable[[Path], None],
    ) -> None:
        self.id = workdir_id
        self.nickname = nickname
        self.root = root
        self.content = root / "work"
        self._home = root.parent
        self._held = held
        self.vault = "plain" if area is None else area.kind
        self._area = area
        self._remove = remove
        self._opened = contextlib.ExitStack()
        self._signatures = Signatures()
        self._committed = False

    def __enter__(self) -> NewWorkdir:
        if self._area is not None:
            try:
                self._area.make()
                self._opened.enter_context(self._area.open())
            except BaseException:
                self.__exit__(None, None, None)
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._opened.close()
        finally:
            try:
                if not self._committed:
                    self._remove(self.root)
            finally:
                self._held.release()

    def hold(self, held: contextlib.AbstractContextManager[_Held]) -> _Held:
        """Enter a context that is left before the content is closed."""
        return self._opened.enter_context(held)

    def record(self, items: Iterable[StagedItem]) -> None:
        """Remember the signatures of what the stager placed, so that nothing need be read again to verify it."""
        for item in items:
            for placed in item.placed:
                self._signatures.add(placed.path, placed.sha256, placed.signature)

    def commit(self) -> StagedWorkdir:
        """Give it its final name: from here on it is whole, also when the power fails.

        Raises:
            DiskError: the disk is full.
        """
        created = datetime.now(tz=UTC).isoformat(timespec="microseconds")
        record = {
            "schema": WORKDIR_SCHEMA,
            "id": self.id,
            "nickname": self.nickname,
            "created": created,
            "vault": self.vault,
        }
        self._signatures.settle(self.content)
        self._signatures.write(self.content / SIGNATURES)
        if self._area is not None:
            try:
                sync_tree(self.content)
            except OSError as error:
                raise from_os_error(error, "finish the working directory") from error
        # What serves an open area knows it by its path.
        self._opened.close()
        write_atomically(self.root / "workdir.json", _text(record))
        final = self._home / self.id
        try:
            sync_tree(self.root)
            self.root.rename(final)
            self._committed = True
            with contextlib.suppress(OSError):  # nobody looks at it any more
                (final / NICKNAME).unlink()
            sync_folder(self._home)
        except OSError as error:
            raise from_os_error(error, "finish the working directory") from error
        return StagedWorkdir(
            id=self.id, nickname=self.nickname, created=created, root=final, vault=str(record["vault"])
        )


def _text(record: object) -> bytes:
    return (json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
