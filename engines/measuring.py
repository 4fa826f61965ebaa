"""Measuring: digest and size of what passes from one step to another, which is gone when the run is over.

A product is read as soon as another step takes it, in a thread of its own: its bytes are still in memory then, and the
run goes on meanwhile. What no step took, and folders, are read when nothing of the run lives any more, before its
scratch space is cleared; the run's outputs are measured elsewhere (``engines.outputs``). What changed after it was read
is read once more. Memory is one record for each product, however large it is.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from engines.own_folders import open_below
from staging.errors import WfexsError
from staging.fingerprints import Tree

_RUNS = "runs/"
_CHUNK = 1 << 20


class _Signature(NamedTuple):
    """What betrays that a file was changed, or is another one."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int


class Measuring:
    """Measures the products of one run's steps.

    ``content`` is the working directory's content; ``tell`` takes an event ``measured`` for each product, from any
    thread.
    """

    def __init__(self, content: Path, tell: Callable[[Mapping[str, Any]], None]) -> None:
        self._content = content
        self._prefix = os.path.realpath(content) + "/"
        self._tell = tell
        self._made: dict[str, bool] = {}
        """Products by path, and whether it is a folder."""
        self._measured: dict[str, _Signature] = {}
        self._queue: deque[str] = deque()
        self._queued: set[str] = set()
        self._wake = threading.Condition()
        self._ending = self._abandoned = False
        self._worker: threading.Thread | None = None

    def heard(self, event: Mapping[str, Any]) -> None:
        """A step began or ended: note what it made, and begin to read what it took."""
        if event["event"] == "step-ended":
            self._made.update((path, folder) for path, folder in _places(event.get("outputs")) if _is_product(path))
        elif event["event"] == "step-started":
            taken = [path for path, folder in _places(event.get("inputs")) if not folder and _is_product(path)]
            self._begin(taken)

    def finish(self, moved: Mapping[str, str], *, abandon: bool = False) -> None:
        """Wait for what is being read, then read the rest; what is in ``moved`` (path -> path) is an output.

        Nothing of the run may live any more. ``abandon``: read nothing further. A second call does nothing.
        """
        with self._wake:
            if self._ending:
                return
            self._ending, self._abandoned = True, abandon
            self._wake.notify()
        if self._worker is not None:
            self._worker.join()
        if abandon:
            return
        # What was read while tools could still write, and is another one now.
        for path in [one for one, known in self._measured.items() if self._signature(one) not in (known, None)]:
            if path not in moved:
                self._file(path)
        for path, folder in self._made.items():
            if path not in self._measured and path not in moved:
                if folder:
                    self._folder(path)
                else:
                    self._file(path)

    def close(self) -> None:
        """Read nothing further, and tell nothing any more."""
        with self._wake:
            self._ending = self._abandoned = True
            self._wake.notify()
        if self._worker is not None:
            self._worker.join()

    # -- the thread ------------------------------------------------------------------------------------------------

    def _begin(self, paths: list[str]) -> None:
        with self._wake:
            new = [one for one in dict.fromkeys(paths) if one not in self._queued]
            if not new or self._ending:
                return
            self._queued.update(new)
            self._queue += new
            self._wake.notify()
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, name="measuring", daemon=True)
            self._worker.start()

    def _work(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._ending:
                    self._wake.wait()
                if not self._queue or self._abandoned:
                    return
                path = self._queue.popleft()
            self._file(path)

    # -- reading ---------------------------------------------------------------------------------------------------

    def _file(self, path: str) -> None:
        """Read one file. What can't be read, or is no file of the run, has no digest."""
        with suppress(OSError):
            descriptor = self._open(path)
            try:
                before = os.fstat(descriptor)
                if not stat.S_ISREG(before.st_mode):
                    return
                digest = hashlib.sha256()
                while chunk := os.read(descriptor, _CHUNK):
                    digest.update(chunk)
                    if self._abandoned:
                        return
                after = os.fstat(descriptor)
            finally:
                os.close(descriptor)
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                # Somebody writes to it: it is read again in the end.
                self._measured.pop(path, None)
                self._made.setdefault(path, False)
                return
            self._measured[path] = _signature(before)
            self._say(path, digest.hexdigest(), before.st_size)

    def _folder(self, path: str) -> None:
        with suppress(OSError, WfexsError):
            real = os.path.realpath(self._content / path)
            if real.startswith(self._prefix + _RUNS):
                tree = Tree.of_directory(Path(real))
                self._say(path, tree.fingerprint.digest, tree.size)

    def _say(self, path: str, digest: str, size: int) -> None:
        self._tell({"event": "measured", "path": path, "sha256": digest, "size": size})

    def _open(self, path: str) -> int:
        """The file that a product is, by no link on the way: what a link led to was looked up, and is in the run."""
        real = os.path.realpath(self._content / path)
        parts = real.removeprefix(self._prefix).split("/")
        if not real.startswith(self._prefix + _RUNS):
            raise PermissionError(path)
        top = os.open(self._content, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            folder = open_below(top, parts[:-1])
        finally:
            os.close(top)
        try:
            return os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        finally:
            os.close(folder)

    def _signature(self, path: str) -> _Signature | None:
        try:
            return _signature((self._content / path).stat())
        except OSError:
            return None


def _signature(status: os.stat_result) -> _Signature:
    return _Signature(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _is_product(path: str) -> bool:
    return path.startswith(_RUNS)


def _places(value: Any) -> Iterator[tuple[str, bool]]:
    """Where each File and Directory in a value lies, secondary files too, and whether it is a folder."""
    if isinstance(value, Mapping):
        if value.get("class") in ("File", "Directory") and isinstance(value.get("path"), str):
            yield value["path"], value["class"] == "Directory"
        for one in value.values():
            yield from _places(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _places(one)
