"""The workspace: where a process keeps what is not finished yet. Nothing in it outlives its process for long."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from staging.errors import from_os_error
from staging.locks import Held, LockFile
from staging.placing import make_folders
from staging.removing import remove_path


class Workspace:
    """A folder of its own below ``root`` for each process, made when it is needed. From any thread.

    Raises (every method):
        DiskError: the disk is full.
        WfexsError: the folder can't be used.
    """

    def __init__(self, root: Path, locks: LockFile) -> None:
        self._root = root
        self._locks = locks
        self._guard = threading.Lock()
        self._own: tuple[Path, Held] | None = None
        self._serial = 0
        self._workers = 0

    def close(self) -> None:
        """Remove this process's folder."""
        with self._guard:
            self._drop_own()

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """While anybody is at work there may be temporary files; after the last one they are removed."""
        with self._guard:
            self._workers += 1
        try:
            yield
        finally:
            with self._guard:
                self._workers -= 1
                if not self._workers:
                    self._drop_own()

    def _drop_own(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            shutil.rmtree(own[0], ignore_errors=True)
            own[1].release()

    @contextlib.contextmanager
    def temporary(self) -> Iterator[Path]:
        """A path on the store's file system that does not exist; whatever is there at the end is removed."""
        path = self.temporary_path()
        try:
            yield path
        finally:
            remove_path(path)

    def temporary_path(self) -> Path:
        """A path on the store's file system that does not exist; whoever asks for it removes it."""
        with self._guard:
            if self._own is None:
                self._own = self._make_own()
            self._serial += 1
            return self._own[0] / str(self._serial)

    def _make_own(self) -> tuple[Path, Held]:
        """Our folder for unfinished work."""
        try:
            make_folders(self._root)
            token = os.urandom(8).hex()
            held = self._locks.hold(f"tmp:{token}")
            try:
                (self._root / token).mkdir(mode=0o700)
            except BaseException:
                held.release()
                raise
        except OSError as error:
            raise from_os_error(error, "use the cache folder") from error
        return self._root / token, held

    def sweep(self) -> int:
        """Remove the unfinished work of processes that are gone; returns how many there were."""
        swept = 0
        with contextlib.suppress(FileNotFoundError):
            for folder in list(self._root.iterdir()):
                held = self._locks.attempt(f"tmp:{folder.name}")
                if held is not None:
                    with held:
                        remove_path(folder)
                        swept += 1
        return swept
