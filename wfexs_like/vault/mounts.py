"""What is mounted where, as the kernel tells it, and the folder below a mount that nobody can write to."""

from __future__ import annotations

import array
import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from staging.errors import PolicyError, VaultError, from_os_error

_TABLE: Final = Path("/proc/self/mountinfo")
_OPTIONAL_FIELDS_END: Final = b"-"
_OWNER: Final = b"user_id="
# ioctl_iflags(2)
_GET_FLAGS: Final = 0x80086601
_SET_FLAGS: Final = 0x40086602
_IMMUTABLE: Final = 0x10
_CLOSED: Final = 0o500
_OPEN: Final = 0o700
# Root writes wherever a mode says that nobody may; an immutable folder stops it as well.
_ROOT: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mount: the file system's type, what it says is mounted, and of FUSE the user whose it is."""

    kind: str
    source: str
    owner: int | None = None


def real_point(point: Path) -> Path:
    """The way to a mount point that the kernel knows, which is the one without links.

    The last step is none, and its server may be dead: it is not looked at.
    """
    return Path(os.path.realpath(point.parent), point.name)


def mount_at(point: Path) -> Mount | None:
    """What is mounted there, the uppermost one; a mount whose server is dead is told as well (proc(5), mountinfo)."""
    path, found = os.fsencode(real_point(point)), None
    for line in lines_of(_TABLE.read_bytes()):
        fields = line.split(b" ")
        if _unescaped(fields[4]) == path:
            kind, source, *options = fields[fields.index(_OPTIONAL_FIELDS_END, 6) + 1 :]
            name = _unescaped(source).decode(errors="replace")
            found = Mount(kind=kind.decode(), source=name, owner=_owner(b",".join(options)))
    return found


def lines_of(table: bytes) -> list[bytes]:
    """The lines of such a table: names in it may have a carriage return, which ends none (proc(5) escapes it not)."""
    return table.removesuffix(b"\n").split(b"\n")


def _owner(options: bytes) -> int | None:
    """Whose a FUSE mount is (mount.fuse3(8), user_id)."""
    said = [one.removeprefix(_OWNER) for one in options.split(b",") if one.startswith(_OWNER)]
    return int(said[0]) if said and said[0].isdigit() else None


def _unescaped(field: bytes) -> bytes:
    return field.decode("unicode_escape").encode("latin-1")


def protect(point: Path) -> None:
    """Make that nobody, this user and root included, can write into the folder while nothing is mounted on it.

    Raises:
        VaultError: that can't be had on this file system.
    """
    with _folder(point) as descriptor:
        os.fchmod(descriptor, _CLOSED)
        if os.geteuid() == _ROOT:
            _set_immutable(descriptor, point, immutable=True)


def unprotect(point: Path) -> None:
    """Make it an ordinary folder again, which can be removed."""
    with _folder(point) as descriptor:
        if os.geteuid() == _ROOT:
            _set_immutable(descriptor, point, immutable=False)
        os.fchmod(descriptor, _OPEN)


@contextmanager
def mountable(point: Path) -> Iterator[None]:
    """While it lasts, something may be mounted on the protected folder, which is empty.

    Raises:
        PolicyError: something was written there in clear.
        VaultError: it is not protected, and can't be.
    """
    with _folder(point) as descriptor:
        _refuse_strangers(descriptor, point)
        if os.geteuid() == _ROOT:
            _set_immutable(descriptor, point, immutable=True)
            yield
            return
        # fusermount lets nobody mount where he can't write; the descriptor reaches what the mount then covers.
        os.fchmod(descriptor, _OPEN)
        try:
            yield
        finally:
            os.fchmod(descriptor, _CLOSED)
        # It could be written to for a moment.
        _refuse_strangers(descriptor, point)


def _refuse_strangers(descriptor: int, point: Path) -> None:
    strangers = sorted(os.listdir(descriptor))
    if strangers:
        raise PolicyError(
            f"there are files in clear where the encrypted area belongs: {', '.join(strangers[:3])}",
            hint=f"move them away from {point}, and see who wrote them",
            where=str(point),
        )


@contextmanager
def _folder(point: Path) -> Iterator[int]:
    try:
        descriptor = os.open(point, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise from_os_error(error, f"open {point}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _set_immutable(descriptor: int, point: Path, *, immutable: bool) -> None:
    flags = array.array("i", [0])
    try:
        fcntl.ioctl(descriptor, _GET_FLAGS, flags)
        wanted = flags[0] | _IMMUTABLE if immutable else flags[0] & ~_IMMUTABLE
        if wanted != flags[0]:
            flags[0] = wanted
            fcntl.ioctl(descriptor, _SET_FLAGS, flags)
    except OSError as error:
        if not immutable and error.errno in (errno.ENOTTY, errno.EOPNOTSUPP):
            return
        raise VaultError(
            f"{point} can't be made immutable ({error.strerror}): what comes when the encrypted area is closed "
            "could be written there in clear",
            hint="work as a user other than root, or give the container --cap-add LINUX_IMMUTABLE"
            if error.errno == errno.EPERM
            else "keep the working directories on ext4, XFS or Btrfs, or work as a user other than root",
            where=str(point),
        ) from error
