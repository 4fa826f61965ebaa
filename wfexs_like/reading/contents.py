"""Contents: the files of a crate, in a folder or a zip, seen without believing one of their names.

Nothing is followed, unpacked or opened that isn't a regular file of the crate. What can't be one is told by name.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Final

from staging.archives import Limits, look_into_zip
from staging.crate_source import METADATA
from staging.errors import CrateError, NotFoundError, PolicyError, UsageError, from_os_error
from staging.fingerprints import check_link
from staging.paths import safe_relative
from wfexs_like.reading.plain_paths import is_plain_path
from wfexs_like.seal.naming import MAGIC

MOST_ENTRIES: Final = 1_000_000
MOST_ZIPPED: Final = 250_000
"""So many files and folders a crate may have, as a folder and as a zip, which takes more memory to look into."""
WHICH_CRATE: Final = (
    'name the folder or zip of a crate; "wfexs-like crate WORKDIR DEST" makes one of a working directory'
)
"""What to do where something else than a crate was named."""
_MOST_HOPS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file (``f``), executable file (``x``) or folder that is empty (``d``); ``size`` is in bytes."""

    kind: str
    size: int = 0


@dataclass(slots=True, kw_only=True)
class Contents:
    """What is in a crate, by path. ``links`` have their targets; ``refused`` says what is wrong with other entries.

    ``folders`` are all that something lies in, and the empty ones.
    """

    members: dict[str, Member] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    openers: dict[str, Callable[[], IO[bytes]]] = field(default_factory=dict)
    errors: tuple[type[Exception], ...] = (OSError,)

    def open(self, path: str) -> IO[bytes]:
        """The bytes of a file.

        Raises:
            KeyError: there is none of that path.
        """
        return self.openers[path]()

    def read(self, path: str, most: int) -> bytes:
        """All bytes of a file. They are kept: whoever opens it later gets these, and not what it may have become.

        Raises:
            CrateError: it is larger than ``most`` bytes, or damaged.
        """
        try:
            with self.open(path) as stream:
                content = stream.read(most + 1)
        except self.errors as error:
            raise CrateError(f"{path} can't be read: {error}", where=path) from error
        if len(content) > most:
            raise CrateError(f"{path} is larger than {most >> 20} MiB", where=path)
        self.openers[path] = partial(io.BytesIO, content)
        return content

    def resolve(self, path: str) -> str | None:
        """The path of the file or folder that ``path`` leads to by way of the crate's own links; ``None``: nowhere."""
        for _ in range(_MOST_HOPS):
            if path in self.members or path in self.folders:
                return path
            link = self._first_link(path)
            if link is None:
                return None
            base, rest = link.rpartition("/")[0], path[len(link) + 1 :]
            path = os.path.normpath("/".join(one for one in (base, self.links[link], rest) if one))
            if path == ".." or path.startswith(("../", "/")):
                return None
        return None

    def _first_link(self, path: str) -> str | None:
        """The link that is the first on the way to ``path``; none where the way ends before."""
        prefix = ""
        for part in path.split("/"):
            prefix = f"{prefix}/{part}" if prefix else part
            if prefix in self.links:
                return prefix
            if prefix not in self.folders:
                return None
        return None

    def add_parents(self, path: str) -> None:
        """Remember the folders that ``path`` lies in."""
        parent = path.rpartition("/")[0]
        while parent and parent not in self.folders:
            self.folders.add(parent)
            parent = parent.rpartition("/")[0]


@contextmanager
def open_crate(path: Path) -> Iterator[Contents]:
    """The contents of a crate: a folder, or a zip (a single folder around everything is taken away).

    Raises:
        NotFoundError: there is nothing.
        CrateError: it is neither.
        UsageError: it is sealed as a whole.
        ArchiveError: the zip is damaged.
        PolicyError: an entry of the zip could do harm, or there are too many.
    """
    try:
        mode = path.stat().st_mode
        folder = _folder(path) if stat.S_ISDIR(mode) else None
        if folder is None and not stat.S_ISREG(mode):
            raise CrateError(f"{path} is neither a folder nor a file", where=str(path))
        start = b""
        if folder is None:
            with path.open("rb") as stream:
                start = stream.read(len(MAGIC))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(
            f"there is no file or folder {path}",
            hint=WHICH_CRATE,
            where=str(path),
        ) from error
    except OSError as error:
        raise from_os_error(error, f"read the crate {path}") from error
    # After the try: what the caller meets is not of the crate's being there.
    if folder is not None:
        yield folder
        return
    if start == MAGIC:
        raise UsageError(
            f"{path} is sealed as a whole: nothing in it can be looked at",
            hint='"wfexs-like open" opens it and verifies it on the way; name what comes out of that',
            where=str(path),
        )
    if not start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        raise CrateError(f"{path} is neither a folder nor a zip", where=str(path))
    from staging.zip_archives import ZipReader

    with look_into_zip(path, limits=Limits(entries=MOST_ZIPPED)) as inside:
        found = Contents(errors=(OSError, *_errors_of(ZipReader)))
        prefix = _wrapper(inside)
        for name, one in inside.items():
            inner = name.removeprefix(prefix)
            if not inner or name == prefix.rstrip("/"):
                continue
            found.add_parents(inner)
            if one.target is not None:
                found.links[inner] = one.target
            elif one.entry.kind == "d":
                found.folders.add(inner)
            else:
                kind = "x" if one.entry.executable else "f"
                found.members[inner] = Member(kind=kind, size=one.entry.size)
                found.openers[inner] = one.open
        _mark_empty(found)
        yield found


def _errors_of(reader: type) -> tuple[type[Exception], ...]:
    errors: tuple[type[Exception], ...] = reader.errors  # type: ignore[attr-defined]
    return errors


def _wrapper(inside: Mapping[str, object]) -> str:
    if METADATA in inside:
        return ""
    tops = {name.partition("/")[0] for name in inside}
    top = tops.pop() if len(tops) == 1 else ""
    return f"{top}/" if top and f"{top}/{METADATA}" in inside else ""


def _mark_empty(found: Contents) -> None:
    parents = {path.rpartition("/")[0] for path in (*found.members, *found.links, *found.folders)}
    for folder in found.folders - parents:
        found.members.setdefault(folder, Member(kind="d"))


def _folder(root: Path) -> Contents:
    found = Contents()
    pending = [""]
    count = 0
    while pending:
        prefix = pending.pop()
        try:
            with os.scandir(root / prefix if prefix else root) as entries:
                children = sorted(entries, key=lambda one: os.fsencode(one.name))
        except OSError as error:
            if not prefix:
                raise
            found.refused[prefix] = f"can't be read: {error.strerror}"
            continue
        count += len(children)
        if count > MOST_ENTRIES:
            raise PolicyError(f"the crate has more than {MOST_ENTRIES} entries", where=str(root))
        for child in children:
            path = f"{prefix}/{child.name}" if prefix else child.name
            if _take(found, root, path, child):
                pending.append(path)
                found.folders.add(path)
    _mark_empty(found)
    return found


def _take(found: Contents, root: Path, path: str, child: os.DirEntry[str]) -> bool:
    """Put one entry where it belongs; ``True`` for a folder, whose own entries are still to come."""
    try:
        if not is_plain_path(path):
            safe_relative(path)
    except PolicyError:
        # Bytes that are no characters are shown escaped.
        found.refused[path.encode(errors="backslashreplace").decode()] = "has a name that can't be trusted"
        return False
    if child.is_symlink():
        target = os.readlink(root / path)  # noqa: PTH115 - the text itself, not a Path
        try:
            check_link(path, target)
        except PolicyError:
            found.refused[path] = f"is a symbolic link that leads out of the crate, to {target!r}"
            return False
        found.links[path] = target
        return False
    if child.is_dir(follow_symlinks=False):
        return True
    status = child.stat(follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        found.refused[path] = "is neither a file, a folder nor a link"
        return False
    found.members[path] = Member(kind="x" if status.st_mode & stat.S_IXUSR else "f", size=status.st_size)
    found.openers[path] = partial(_open_regular, root / path)
    return False


def _open_regular(path: Path) -> IO[bytes]:
    # It may have become something else since it was seen: no link is followed, no pipe waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path.name} is no longer a file")
    return os.fdopen(descriptor, "rb", buffering=0)
