"""Laying out: which files a content has below its place, and the folders and links among them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from staging.errors import PolicyError, from_os_error
from staging.fingerprints import check_link
from staging.objects import Stored, object_name
from staging.paths import safe_relative


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidFile:
    """One regular file of a content: ``path`` below the content folder, ``target`` in full, ``name`` its object."""

    path: str
    target: str
    name: str


class Ground:
    """The content folder that things are laid out in. No way in it leads through a link.

    Raises (every method):
        PolicyError: a path would lead out of it.
        DiskError: the disk is full.
        WfexsError: something is in the way.
    """

    def __init__(self, content: Path) -> None:
        self._root = str(content)
        self._made = {""}

    def path(self, relative: PurePosixPath) -> Path:
        """The full path of something that is to lie there; the folder for it is made."""
        text = str(safe_relative(str(relative)))
        self._folder(text.rpartition("/")[0])
        return Path(f"{self._root}/{text}")

    def files(self, stored: Stored, relative: PurePosixPath) -> list[LaidFile]:
        """The regular files of a content that is to lie at ``relative``."""
        text = str(safe_relative(str(relative)))
        if stored.tree is None:
            return [LaidFile(path=text, target=f"{self._root}/{text}", name=stored.fingerprint.digest)]
        return [
            LaidFile(
                path=f"{relative}/{safe_relative(entry.path)}",
                target=f"{self._root}/{relative}/{entry.path}",
                name=object_name(entry.digest, entry.kind),
            )
            for entry in stored.tree.entries
            if entry.kind in "fx"
        ]

    def prepare(self, stored: Stored, relative: PurePosixPath) -> None:
        """Make the folders that a content needs, and its symbolic links; its files come after."""
        text = str(safe_relative(str(relative)))
        self._folder(text.rpartition("/")[0])
        if stored.tree is None:
            return
        self._folder(text)
        links: list[tuple[str, str]] = []
        for entry in stored.tree.entries:
            path = f"{relative}/{safe_relative(entry.path)}"
            self._folder(path if entry.kind == "d" else path.rpartition("/")[0])
            if entry.kind == "l":
                check_link(entry.path, entry.digest)
                links.append((entry.digest, f"{self._root}/{path}"))
        for target, place in links:
            try:
                os.symlink(target, place)  # noqa: PTH211 - the text itself, not a Path
            except OSError as error:
                raise from_os_error(error, "place files in the working directory") from error

    def _folder(self, relative: str) -> None:
        if relative in self._made:
            return
        self._folder(relative.rpartition("/")[0])
        path = f"{self._root}/{relative}"
        try:
            os.mkdir(path, 0o755)  # noqa: PTH102 - the hot path of many inputs
        except FileExistsError as error:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                raise PolicyError(
                    f"{relative!r} in the working directory is a file or a link, not a folder", where=path
                ) from error
        except OSError as error:
            raise from_os_error(error, "make a folder in the working directory") from error
        self._made.add(relative)
