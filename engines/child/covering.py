"""Covering: folders of the machine that a run must not find, so that it is seen whether what is staged is enough.

An empty file system lies over each. What the run itself needs and lies in one (the working directory, the engine, the
programs on the PATH) is mounted again at its place.
"""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Callable, Iterable, Sequence

_NOSUID, _NODEV, _BIND, _REC = 2, 4, 4096, 16384

Mount = Callable[[bytes, bytes, int, bytes | None], None]


def cover(mount: Mount, folders: Iterable[str], needed: Iterable[str], *, under: str | None = None) -> None:
    """Cover ``folders``, but for what is ``needed``. What is not a folder, or needed as a whole, is left out.

    What lies over them is the folder ``under``, where it is given.

    Raises:
        OSError: it can't be done.
    """
    places = [(os.path.realpath(one), one) for one in needed if os.path.lexists(one)]
    real_places = {real for real, _ in places}
    for folder in _outermost({os.path.realpath(one) for one in folders}):
        if folder == "/" or folder in real_places or not os.path.isdir(folder):  # noqa: PTH112
            continue
        kept = _outermost(one for one in real_places if one.startswith(f"{folder}/"))
        opened = [(one, os.open(one, os.O_PATH | os.O_CLOEXEC)) for one in kept]
        if under is None:
            mount(b"tmpfs", os.fsencode(folder), _NOSUID | _NODEV, b"tmpfs")
        else:
            mount(os.fsencode(under), os.fsencode(folder), _BIND, None)
        for one, descriptor in opened:
            _make_place(one, is_folder=os.path.isdir(f"/proc/self/fd/{descriptor}"))  # noqa: PTH112
            mount(f"/proc/self/fd/{descriptor}".encode(), os.fsencode(one), _BIND | _REC, None)
            os.close(descriptor)
    for real, said in sorted(places, key=lambda one: one[1]):
        # A path that led there over a link leads there still. Folders first: what is in them is there with them.
        if real != said and not os.path.lexists(said):
            os.makedirs(os.path.dirname(said), exist_ok=True)  # noqa: PTH103, PTH120
            os.symlink(real, said)  # noqa: PTH211


def programs(paths: Iterable[str]) -> list[str]:
    """What belongs to the programs on these PATHs and to this interpreter: their folders, with what lies beside those.

    A program in ``<place>/bin`` finds its libraries in ``<place>/lib``.
    """
    homes = {one.pw_dir for one in pwd.getpwall() if one.pw_uid == os.getuid()}
    found = [sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable))]  # noqa: PTH120
    for path in paths:
        for one in path.split(":"):
            if one.startswith("/"):
                found.append(one)
                beside = os.path.dirname(os.path.realpath(one))  # noqa: PTH120
                if os.path.isdir(f"{beside}/lib") and beside not in {"/usr", *homes}:  # noqa: PTH112
                    found.append(beside)
    return found


def _outermost(paths: Iterable[str]) -> Sequence[str]:
    """Those that lie in none of the others."""
    chosen: list[str] = []
    for path in sorted(set(paths)):
        if not any(path == one or path.startswith(f"{one.rstrip('/')}/") for one in chosen):
            chosen.append(path)
    return chosen


def _make_place(path: str, *, is_folder: bool) -> None:
    parent = os.path.dirname(path)  # noqa: PTH120
    os.makedirs(path if is_folder else parent, exist_ok=True)  # noqa: PTH103
    if not is_folder:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
