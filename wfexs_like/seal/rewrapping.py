"""Sharing a sealed file again: its header is changed in place, slot by slot, and the body is not touched.

A writer that is interrupted harms nobody who is not being changed: to add somebody, the note is written first and the
packet that opens last; to remove, the packet goes first. Half a change can be done again. Where a header has no free
slots left (other tools make such), the file is made anew beside, and takes the place of the old one at once.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from staging.errors import NotFoundError, PolicyError, from_os_error
from wfexs_like.seal.headers import OpenedHeader, Place, open_header, seal_header
from wfexs_like.seal.packets import PACKET_BYTES, free_slot, short_label, taken_slots
from wfexs_like.seal.recipients import Recipient, distinct
from wfexs_like.seal.segments import writer_to

_BEGUN: Final = ".recipients."
_PART: Final = ".part"
_COPIED: Final = 1 << 24
_NO_COPY: Final = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.ETXTBSY})


def rewrap(
    path: Path,
    private_keys: Sequence[bytes],
    *,
    add: Sequence[Recipient] = (),
    remove: Sequence[Recipient | str] = (),
    even_own: bool = False,
) -> tuple[Recipient, ...]:
    """Change who may open the sealed file at ``path``, and say who may now.

    ``remove`` names keys, or their fingerprints. Who is there already is not added again. ``even_own`` allows to remove
    a key that is in ``private_keys``. Packets of which nothing is known stay. Who was removed may have kept what they
    opened, or its session key.

    Raises:
        NotFoundError: there is no such file, or nobody of that key among its recipients.
        KeyAccessError: none of the private keys opens it, or nothing can be sealed for an added one.
        DigestError: it is no crypt4gh file, or its header is damaged.
        PolicyError: nobody would be left, or one's own key would go without ``even_own``; or it is a pipe or a device.
        DiskError: there is no room for the file made anew.
    """
    with _locked(path) as descriptor:
        opened = open_header(descriptor, private_keys, name=str(path))
        leaving = _leaving(opened, remove, even_own=even_own, path=path)
        known = {one.public_key for one in opened.recipients} - leaving
        joining = distinct(one for one in add if one.public_key not in known)
        staying = tuple(one for one in opened.recipients if one.public_key not in leaving)
        if not staying and not joining:
            raise PolicyError(f"nobody could open {path} any more", hint="add another recipient first", where=str(path))
        changed = leaving | {one.public_key for one in joining}
        try:
            if not _in_place(descriptor, opened, joining, changed):
                _anew(path, descriptor, opened, (*staying, *joining))
        except OSError as error:
            raise from_os_error(error, f"change the recipients of {path}") from error
        added = (Recipient(public_key=one.public_key, label=short_label(one.label)) for one in joining)
        return (*staying, *added)


def _leaving(opened: OpenedHeader, remove: Sequence[Recipient | str], *, even_own: bool, path: Path) -> set[bytes]:
    named = {one.fingerprint: one.public_key for one in (*opened.recipients, *opened.broken)}
    leaving: set[bytes] = set()
    for one in remove:
        print_ = one if isinstance(one, str) else one.fingerprint
        if print_ not in named:
            unknown = f", but {opened.unknown} packets are for nobody knows whom" if opened.unknown else ""
            raise NotFoundError(
                f"{print_} is no recipient of {path}{unknown}", hint=f"wfexs-like recipients list {path}"
            )
        leaving.add(named[print_])
    if not even_own and leaving.intersection(opened.own):
        raise PolicyError(
            f"your own key would be removed from {path}", hint='"--even-own" says that this is wanted', where=str(path)
        )
    return leaving


def _in_place(descriptor: int, opened: OpenedHeader, joining: Sequence[Recipient], changed: set[bytes]) -> bool:
    """Do it slot by slot; ``False``, and nothing is done, when there are too few free slots."""
    key = opened.session_key
    pairs = list(_neighbours(opened.gaps))
    if len(pairs) < len(joining):
        return False
    slots = [(packet, note, *taken_slots(key, one)) for (packet, note), one in zip(pairs, joining, strict=False)]
    gone = [one.places for one in opened.entries if one.recipient.public_key in changed]
    free = [(place, free_slot(key)) for places in gone for place in places if len(place.packet) == PACKET_BYTES]
    if sum(map(len, gone)) != len(free):
        return False
    firsts = {places[0].offset for places in gone}
    # Added before removed, so that there is always somebody.
    _write(descriptor, [(note, content) for _, note, _, content in slots])
    _write(descriptor, [(packet, content) for packet, _, content, _ in slots])
    _write(descriptor, [(place, content) for place, content in free if place.offset in firsts])
    _write(descriptor, [(place, content) for place, content in free if place.offset not in firsts])
    return True


def _neighbours(gaps: Sequence[Place]) -> Iterator[tuple[Place, Place]]:
    """Pairs of free slots side by side."""
    first: Place | None = None
    for gap in gaps:
        if first is not None and first.offset + PACKET_BYTES == gap.offset:
            yield first, gap
            first = None
        else:
            first = gap


def _write(descriptor: int, slots: Iterable[tuple[Place, bytes]]) -> None:
    written = False
    for place, content in slots:
        os.pwrite(descriptor, content, place.offset)
        written = True
    if written:
        os.fdatasync(descriptor)


def _anew(path: Path, descriptor: int, opened: OpenedHeader, recipients: Sequence[Recipient]) -> None:
    """The file with a new header, in the place of the old one: not of a link to it, or the old one would stay."""
    path = path.resolve()
    header = seal_header(recipients, opened.session_key, keep=[one.packet for one in opened.others])
    status = os.fstat(descriptor)
    target, fresh = _begin(path.parent)
    try:
        with os.fdopen(target, "wb", buffering=0) as stream:
            writer_to(stream.fileno())(memoryview(header))
            _copy(descriptor, opened.length, stream.fileno())
            with contextlib.suppress(PermissionError):
                os.fchown(stream.fileno(), status.st_uid, status.st_gid)
            os.fchmod(stream.fileno(), status.st_mode & 0o7777)
            os.fsync(stream.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _begin(folder: Path) -> tuple[int, Path]:
    """A new file that somebody is at, which is seen by its lock; see ``remove_unfinished``."""
    while True:
        # Not named after the file, whose name may be as long as names can be.
        target, name = tempfile.mkstemp(prefix=_BEGUN, suffix=_PART, dir=folder)
        fcntl.flock(target, fcntl.LOCK_EX)
        if _is_still(Path(name), target):
            return target, Path(name)
        os.close(target)  # taken for a dead one's, before it was locked


def is_unfinished(name: str) -> bool:
    """Whether a file is called as those are that are made anew, until they take the place of the old one."""
    return name.startswith(_BEGUN) and name.endswith(_PART)


def remove_unfinished(path: Path) -> None:
    """Remove what somebody who was killed left of a file made anew; one that somebody is at stays.

    Raises:
        OSError: it can't be removed.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        pass
    finally:
        os.close(descriptor)


def remove_unfinished_beside(path: Path) -> None:
    """Remove what somebody of this user who was killed left beside a single file that was to be made anew.

    What can't be removed stays, and harms nobody: it is as sealed as the file itself.
    """
    with contextlib.suppress(OSError), os.scandir(path.resolve().parent) as entries:
        for one in entries:
            if is_unfinished(one.name) and one.stat(follow_symlinks=False).st_uid == os.geteuid():
                with contextlib.suppress(OSError):
                    remove_unfinished(Path(one.path))


def _copy(source: int, offset: int, target: int) -> None:
    """All from ``offset`` on, by the file system itself where it can."""
    direct = True
    while True:
        if direct:
            try:
                count = os.copy_file_range(source, target, _COPIED, offset_src=offset)
            except OSError as error:
                if error.errno not in _NO_COPY:
                    raise
                direct = False
                continue
        else:
            rest = memoryview(os.pread(source, 1 << 20, offset))
            count = len(rest)
            while rest:
                rest = rest[os.write(target, rest) :]
        if not count:
            return
        offset += count


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """A descriptor of the file, while nobody else changes its recipients: one that waited may find another file."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise NotFoundError(f"there is no sealed file {path}", where=str(path)) from error
        except OSError as error:
            raise from_os_error(error, f"change the recipients of {path}") from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise PolicyError(f"{path} is not a file", where=str(path))
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_still(path, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether ``path`` is the file that was opened."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
