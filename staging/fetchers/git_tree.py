"""A commit's tree as a folder: the very blobs, with none of a checkout's filters, attributes or line endings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from staging.errors import FetchError, PolicyError, from_os_error
from staging.fetchers.base import FetchContext
from staging.fetchers.git_command import Git
from staging.fingerprints import Tree, TreeEntry, check_link
from staging.paths import safe_relative
from staging.streams import CHUNK, Sink

_LFS_MARK: Final = b"version https://git-lfs.github.com/spec/"
_LFS_SIZE: Final = 1024
_LONGEST_LINK: Final = 4096
_LINK, _SUBMODULE = "120000", "160000"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    mode: str
    blob: str
    size: int
    path: str


def export(git: Git, commit: str, into: Path) -> Tree:
    """Write the tree of ``commit`` to the new folder ``into``. On failure nothing is left there.

    Submodules are left out, and a person is told so; so is the content behind Git LFS pointers.

    Raises:
        FetchError: an object is missing.
        PolicyError: an entry would lie outside the folder, in a ``.git``, twice, or is a link that leads out.
    """
    entries = list(_listed(git, commit))
    _check_places(entries)
    try:
        into.mkdir()
    except OSError as error:
        raise from_os_error(error, "write") from error
    try:
        return _write_all(git, entries, into)
    except BaseException as error:
        shutil.rmtree(into, ignore_errors=True)
        if isinstance(error, OSError):
            raise from_os_error(error, "write") from error
        raise


def _listed(git: Git, commit: str) -> Iterator[_Entry]:
    listing = git.call("ls-tree", "-r", "-z", "-l", "--full-tree", commit).stdout
    left_out = []
    for line in filter(None, listing.split(b"\0")):
        head, _, raw = line.partition(b"\t")
        mode, _, blob, size = head.decode().split()
        try:
            path = raw.decode()
        except UnicodeDecodeError as error:
            raise PolicyError(f"the file name {raw!r} is not UTF-8", where=repr(raw)) from error
        if mode == _SUBMODULE:
            left_out.append(path)
        else:
            yield _Entry(mode=mode, blob=blob, size=int(size), path=path)
    if left_out:
        git.context.progress.say(f"{git.source.url}: submodules are left out: {', '.join(map(repr, left_out))}")


def _check_places(entries: list[_Entry]) -> None:
    """A tree made by hand could list a name twice, such as a link and a folder that would be written through it."""
    leaves: set[str] = set()
    folders: set[str] = set()
    for entry in entries:
        try:
            path = safe_relative(entry.path)
        except PolicyError as error:
            raise PolicyError(f"the repository's entry {error.message}", hint=error.hint, where=entry.path) from error
        if any(part.casefold() == ".git" for part in path.parts):
            raise PolicyError(f"the repository holds a file in a .git folder: {entry.path!r}", where=entry.path)
        if entry.path in leaves:
            raise PolicyError(f"the repository lists {entry.path!r} twice", where=entry.path)
        leaves.add(entry.path)
        folders.update(str(parent) for parent in path.parents)
    both = leaves & folders
    if both:
        name = min(both)
        raise PolicyError(f"the repository lists {name!r} as a file and as a folder", where=name)


def _write_all(git: Git, entries: list[_Entry], into: Path) -> Tree:
    written: list[TreeEntry] = []
    links: list[tuple[str, str]] = []
    total, done, pointers = sum(entry.size for entry in entries if entry.mode != _LINK), 0, 0
    for folder in sorted({(into / entry.path).parent for entry in entries}):
        folder.mkdir(parents=True, exist_ok=True)
    with git.start("cat-file", "--batch") as child:
        if child.stdin is None or child.stdout is None:  # pragma: no cover - pipes were asked for
            raise FetchError("git has no pipes")
        for entry in entries:
            _ask(child.stdin, child.stdout, entry)
            if entry.mode == _LINK:
                if entry.size > _LONGEST_LINK:
                    raise PolicyError(f"the link {entry.path!r} has a target that is too long", where=entry.path)
                links.append((entry.path, _link_target(child.stdout.read(entry.size), entry.path)))
            else:
                line, pointer = _write_file(child.stdout, entry, into, git.context)
                written.append(line)
                pointers += pointer
            if child.stdout.read(1) != b"\n":
                raise FetchError(f"git gave only a part of {entry.path!r}", where=git.source.url)
            done += entry.size if entry.mode != _LINK else 0
            git.context.progress.advance(git.context.key, done, total)
        child.stdin.close()
    # Links come last: while files are written there is none that they could be written through.
    for path, target in links:
        (into / path).symlink_to(target)
        written.append(TreeEntry(kind="l", path=path, digest=target))
    if pointers:
        git.context.progress.say(f"{git.source.url}: {pointers} files are Git LFS pointers; their content is left out")
    return Tree.of(written)


def _ask(questions: IO[bytes], answers: IO[bytes], entry: _Entry) -> None:
    try:
        questions.write(f"{entry.blob}\n".encode())
        questions.flush()
    except BrokenPipeError as error:
        raise FetchError(f"git stopped before {entry.path!r}") from error
    if answers.readline().split() != [entry.blob.encode(), b"blob", str(entry.size).encode()]:
        raise FetchError(f"git has no content for {entry.path!r}", where=entry.path)


def _write_file(answers: IO[bytes], entry: _Entry, into: Path, context: FetchContext) -> tuple[TreeEntry, bool]:
    executable = entry.mode == "100755"
    target = into / entry.path
    left, pointer = entry.size, False
    with Sink(target, mode=0o755 if executable else 0o644) as sink:
        while left:
            if context.cancelled.is_set():
                raise FetchError("given up")
            chunk = answers.read(min(left, CHUNK))
            if not chunk:
                raise FetchError(f"git gave only a part of {entry.path!r}", where=entry.path)
            pointer = pointer or (entry.size < _LFS_SIZE and chunk.startswith(_LFS_MARK))
            sink.write(chunk)
            left -= len(chunk)
    if executable:
        target.chmod(0o755)
    kind = "x" if executable else "f"
    return TreeEntry(kind=kind, path=entry.path, digest=sink.fingerprint.digest, size=sink.size), pointer


def _link_target(raw: bytes, path: str) -> str:
    try:
        target = raw.decode()
    except UnicodeDecodeError as error:
        raise PolicyError(f"the link {path!r} has a target that is not UTF-8", where=path) from error
    if not target or "\0" in target:
        raise PolicyError(f"the link {path!r} has a target that can't be one", where=path)
    check_link(path, target)
    return target
