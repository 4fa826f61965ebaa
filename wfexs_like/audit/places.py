"""Places: where this host may have kept what should be secret, and what of it is found there.

Files (their names, where links lead to, their contents), and of every process that we may look at: its arguments, its
environment, and the files that it holds open and that no longer have a name (proc(5)).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

from wfexs_like.audit.searching import Search

Kind = Literal["content", "name", "link", "arguments", "environment", "unnamed"]

_PROC: Final = Path("/proc")
_DELETED: Final = " (deleted)"
_MEMORY: Final = ("/memfd:", "/dev/zero", "/SYSV", "/[aio]", "/anon_hugepage", "/i915")
_QUIET: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a canary was found. ``offset`` in bytes; ``form`` as in ``Hit``; ``process``: the command's name."""

    path: Path
    kind: Kind
    offset: int
    form: str
    canary: str
    process: str | None = None


def search_processes(search: Search, *, besides: Collection[int] = (), folders: Sequence[Path] = ()) -> Iterator[Place]:
    """What is found in the processes that we may look at; not in ourselves, nor in those with the ids ``besides``.

    Files without a name that were in one of ``folders`` are passed over.
    """
    for folder in _PROC.iterdir():
        if not folder.name.isdecimal() or int(folder.name) in (os.getpid(), *besides):
            continue
        command = _read(folder / "comm").decode(errors="replace").strip()
        kinds: tuple[tuple[str, Kind], ...] = (("cmdline", "arguments"), ("environ", "environment"))
        for name, kind in kinds:
            for hit in search.in_bytes(_read(folder / name)):
                yield Place(
                    path=folder / name,
                    kind=kind,
                    offset=hit.offset,
                    form=hit.form,
                    canary=hit.needle.canary,
                    process=command,
                )
        yield from _unnamed(search, folder, command, folders)


def _unnamed(search: Search, folder: Path, command: str, besides: Sequence[Path]) -> Iterator[Place]:
    """What is in files that a process holds open and that have no name any more. Memory is no file."""
    try:
        held = list((folder / "fd").iterdir())
    except OSError:
        return
    for path in held:
        try:
            named = str(path.readlink())
            if any(named.startswith(f"{one}/") for one in besides):
                continue
            if not named.endswith(_DELETED) or named.startswith(_MEMORY) or not stat.S_ISREG(path.stat().st_mode):
                continue
        except OSError:
            continue
        for place in _in_file(search, path):
            yield Place(
                path=Path(named.removesuffix(_DELETED)),
                kind="unnamed",
                offset=place.offset,
                form=place.form,
                canary=place.canary,
                process=command,
            )


def _in_file(search: Search, path: Path) -> Iterator[Place]:
    try:
        descriptor = os.open(path, _QUIET)
    except OSError:
        return
    try:
        for hit in search.in_file(partial(os.pread, descriptor)):
            yield Place(path=path, kind="content", offset=hit.offset, form=hit.form, canary=hit.needle.canary)
    except OSError:
        return
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def unique(places: Sequence[Place]) -> tuple[Place, ...]:
    """Each place once, sorted by where it is."""
    return tuple(sorted(set(places), key=lambda one: (str(one.path), one.kind, one.offset, one.form, one.canary)))
