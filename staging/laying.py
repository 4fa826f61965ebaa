"""Laying out: which files a content has below its place, and the folders and links among them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from staging.errors import from_os_error
from staging.fingerprints import check_link
from staging.paths import safe_relative
from staging.store import Stored, object_name


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidFile:
    """One regular file of a content: ``path`` below the content folder, ``target`` in full, ``name`` its object."""

    path: str
    target: Path
    name: str


def laid_files(stored: Stored, relative: PurePosixPath, target: Path) -> list[LaidFile]:
    """The regular files of a content that is to lie at ``target``.

    Raises:
        PolicyError: a path in the folder would lead out of it.
    """
    if stored.tree is None:
        return [LaidFile(path=str(relative), target=target, name=stored.fingerprint.digest)]
    return [
        LaidFile(
            path=f"{relative}/{entry.path}",
            target=target / safe_relative(entry.path),
            name=object_name(entry.digest, entry.kind),
        )
        for entry in stored.tree.entries
        if entry.kind in "fx"
    ]


def lay_out(stored: Stored, target: Path, made: set[Path] | None = None) -> None:
    """Make a folder's folders and symbolic links; its files come after.

    Raises:
        DiskError: the disk is full.
        PolicyError: a path or link would lead out of it.
    """
    if stored.tree is None:
        return
    known = set() if made is None else made
    make_folder(target, known)
    links = [entry for entry in stored.tree.entries if entry.kind == "l"]
    for entry in stored.tree.entries:
        path = target / safe_relative(entry.path)
        make_folder(path if entry.kind == "d" else path.parent, known)
    for entry in links:
        check_link(entry.path, entry.digest)
        try:
            os.symlink(entry.digest, target / entry.path)  # noqa: PTH211 - the text itself, not a Path
        except OSError as error:
            raise from_os_error(error, "place files in the working directory") from error


def make_folder(folder: Path, made: set[Path] | None = None) -> None:
    """Make a folder and its parents; ``made`` saves asking again.

    Raises:
        DiskError: the disk is full.
        WfexsError: it can't be made.
    """
    if made is not None and folder in made:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    except OSError as error:
        raise from_os_error(error, "make a folder in the working directory") from error
    if made is not None:
        made.add(folder)
