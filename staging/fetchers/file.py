"""Local files and folders (``file:``): copied, never linked, and never trusted to stand still."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from staging.errors import FetchError, PolicyError, from_os_error
from staging.fetchers.base import FetchContext, Fetched, Pin, Unchanged
from staging.fingerprints import StatSignature, Tree, TreeEntry, check_link, walk
from staging.identifiers import Identifier
from staging.plan import Kind
from staging.streams import Copied, copy_hashed

SETTLED: Final = 100_000_000
"""Nanoseconds that a change must be old to count as past.

Within one tick of the kernel's clock (at most 10 ms) a second change leaves the same time stamp. A signature is
therefore given as a validator only when its newest time lies further back than this.
"""

_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_EXECUTABLE = 0o755


class FileFetcher:
    """Fetches ``file:`` identifiers. A link that is named is followed; links *in* a folder stay links."""

    def pin(self, identifier: Identifier, context: FetchContext) -> Pin:  # noqa: ARG002 - the protocol's
        """The same identifier, with the source's stat signature as validator where that is safe."""
        path = _path_of(identifier)
        started = time.time_ns()
        status = _stat(path, identifier)
        if stat.S_ISDIR(status.st_mode):
            state = _survey_folder(path)
            return Pin(
                identifier=identifier, kind=Kind.DIRECTORY, size=state.size, validators=state.validators(started)
            )
        _refuse_special(status, path)
        return Pin(identifier=identifier, kind=Kind.FILE, size=status.st_size, validators=_validators(status, started))

    def survey(self, pin: Pin, context: FetchContext) -> Pin:  # noqa: ARG002 - the protocol's
        """The pin itself: it knows all there is to know."""
        return pin

    def fetch(self, pin: Pin, into: Path, context: FetchContext, known: Mapping[str, str]) -> Fetched | Unchanged:
        """Copy the file, or the folder with all below it; see ``Fetcher.fetch``.

        Raises:
            FetchError: it is not there, can't be read, or is written to all the time.
            PolicyError: it is a device, a socket or a pipe, or a folder that has such a thing or a link leading out.
        """
        path = _path_of(pin.identifier)
        if stat.S_ISDIR(_stat(path, pin.identifier).st_mode):
            return _fetch_folder(path, into, context, known)
        for attempt in (1, 2):
            fetched = _fetch_file(path, into, context, known)
            if fetched is not None:
                return fetched
            if attempt == 1:
                context.progress.say(f"{path} changed while it was read; reading it again")
        raise _changing(path)


def _fetch_file(path: Path, into: Path, context: FetchContext, known: Mapping[str, str]) -> Fetched | Unchanged | None:
    """``None`` when the file changed meanwhile; nothing is left at ``into`` then."""
    with _opened(path, follow=True) as descriptor:
        started = time.time_ns()
        before = os.fstat(descriptor)
        _refuse_special(before, path)
        validators = _validators(before, started)
        if validators and dict(known) == validators:
            return Unchanged()
        copied = copy_hashed(
            descriptor,
            into,
            advance=lambda done: context.progress.advance(context.key, done, before.st_size),
            cancelled=context.cancelled,
            name=str(path),
        )
        if _changed(before, descriptor, copied):
            into.unlink()
            return None
    return Fetched(kind=Kind.FILE, fingerprint=copied.fingerprint, size=copied.size, validators=validators)


def _fetch_folder(path: Path, into: Path, context: FetchContext, known: Mapping[str, str]) -> Fetched | Unchanged:
    started = time.time_ns()
    state = _survey_folder(path)
    validators = state.validators(started)
    if validators and dict(known) == validators:
        return Unchanged()
    try:
        tree = _copy_folder(path, into, context, state.size)
        if _survey_folder(path) != state:
            raise _changing(path)
    except OSError as error:
        shutil.rmtree(into, ignore_errors=True)
        if error.errno == errno.ENAMETOOLONG:
            raise _too_deep(path) from error
        raise
    except BaseException:
        shutil.rmtree(into, ignore_errors=True)
        raise
    return Fetched(kind=Kind.DIRECTORY, fingerprint=tree.fingerprint, size=tree.size, tree=tree, validators=validators)


def _copy_folder(root: Path, into: Path, context: FetchContext, total: int) -> Tree:
    entries: list[TreeEntry] = []
    made: set[str] = set()
    done = 0
    _make_folder(into)
    for relative, status in _walk(root):
        parent = os.path.dirname(relative)  # noqa: PTH120 - a text with "/" in it, not a path of this machine
        if parent not in made:
            (into / parent).mkdir(parents=True, exist_ok=True)
            made.add(parent)
        source, target = root / relative, into / relative
        if stat.S_ISLNK(status.st_mode):
            text = os.readlink(source)  # noqa: PTH115 - the text itself
            check_link(relative, text)
            target.symlink_to(text)
            entries.append(TreeEntry(kind="l", path=relative, digest=text))
        elif stat.S_ISDIR(status.st_mode):
            target.mkdir(exist_ok=True)
            entries.append(TreeEntry(kind="d", path=relative))
        else:
            _refuse_special(status, source)
            copied, executable = _copy_member(source, target, context, done, total)
            done += copied.size
            digest = copied.fingerprint.digest
            entries.append(TreeEntry(kind="x" if executable else "f", path=relative, digest=digest, size=copied.size))
    return Tree.of(entries)


def _copy_member(source: Path, target: Path, context: FetchContext, done: int, total: int) -> tuple[Copied, bool]:
    with _opened(source, follow=False) as descriptor:
        before = os.fstat(descriptor)
        _refuse_special(before, source)
        executable = bool(before.st_mode & stat.S_IXUSR)
        copied = copy_hashed(
            descriptor,
            target,
            advance=lambda count: context.progress.advance(context.key, done + count, total),
            cancelled=context.cancelled,
            mode=_EXECUTABLE if executable else 0o644,
            name=str(source),
        )
        if _changed(before, descriptor, copied):
            raise _changing(source)
    if executable:
        target.chmod(_EXECUTABLE)
    return copied, executable


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What the file system says of a folder: a mark of its state, its newest time (ns), the bytes of its files."""

    mark: str
    newest: int
    size: int

    def validators(self, started: int) -> dict[str, str]:
        return {"stat-tree": self.mark} if started - self.newest >= SETTLED else {}


def _survey_folder(root: Path) -> _State:
    newest = size = 0
    lines: list[str] = []
    for relative, status in _walk(root):
        newest = max(newest, status.st_ctime_ns)
        if stat.S_ISDIR(status.st_mode):
            lines.append(f"{relative!r} folder")
            continue
        lines.append(f"{relative!r} {status.st_mode:o} {_signature(status)}")
        size += status.st_size if stat.S_ISREG(status.st_mode) else 0
    lines.sort()
    return _State(mark=hashlib.sha256("\n".join(lines).encode()).hexdigest(), newest=newest, size=size)


def _walk(root: Path) -> list[tuple[str, os.stat_result]]:
    try:
        return walk(root)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise _too_deep(root) from error
        raise _unreadable(root, error) from error


def _make_folder(into: Path) -> None:
    try:
        into.mkdir()
    except OSError as error:
        raise from_os_error(error, "write") from error


@contextmanager
def _opened(path: Path, *, follow: bool) -> Iterator[int]:
    try:
        descriptor = os.open(path, _OPEN if follow else _OPEN | os.O_NOFOLLOW)
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _changed(before: os.stat_result, descriptor: int, copied: Copied) -> bool:
    after = os.fstat(descriptor)
    return StatSignature.of_status(before) != StatSignature.of_status(after) or copied.size != before.st_size


def _validators(status: os.stat_result, started: int) -> dict[str, str]:
    return {"stat": _signature(status)} if started - status.st_ctime_ns >= SETTLED else {}


def _signature(status: os.stat_result) -> str:
    return f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def _path_of(identifier: Identifier) -> Path:
    path = identifier.local_path
    if path is None:
        raise FetchError(f"{identifier} is not an absolute local file", where=str(identifier))
    return path


def _stat(path: Path, identifier: Identifier) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise _unreadable(path, error, identifier) from error


def _unreadable(path: Path, error: OSError, identifier: Identifier | None = None) -> FetchError:
    hint = None
    if error.errno == errno.ENOENT and identifier is not None:
        whole = path.with_name(f"{path.name}#{identifier.fragment}") if identifier.fragment else None
        if whole is not None and whole.exists():
            hint = f"there is a {whole.name}: write the # in its name as %23"
    reason = (error.strerror or str(error)).lower()
    return FetchError(f"cannot read {path}: {reason}", hint=hint, where=str(path), identifier=str(path))


def _refuse_special(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise PolicyError(f"{path} is neither a file nor a folder", where=str(path))


def _too_deep(root: Path) -> PolicyError:
    return PolicyError(
        f"{root} holds folders so deep that their paths are too long to be copied",
        where=str(root),
        hint="pack the folder into an archive, or move it nearer to the root of the file system",
    )


def _changing(path: Path) -> FetchError:
    return FetchError(
        f"{path} changes while it is read",
        hint="stage again when nothing writes to it",
        where=str(path),
        transient=True,
    )
