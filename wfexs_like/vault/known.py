"""What this installation knows of encrypted areas: which password and which configuration the one of an id has.

Whoever has a public key and can write to a disk can make a whole area for its owner and put it in the place of another
one, under the same id. So what an area is gets remembered where the private key lies, which is out of reach for those
who only have the disk with the working directories. One that is not known is opened, which is said aloud, and held to
what it was from then on. It takes no private key to remember one, so none is needed to make one.

``known-workdirs`` in the keys' folder has a line ``<id> <digest of the password> <digest of the configuration>`` for
each, in hexadecimal digits of SHA-256, until that one is removed. The password is 256 random bits, of which a digest
tells nothing. Changing who may open an area changes neither, and copies of it have the same.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from staging.errors import PolicyError, VaultError, WfexsError, from_os_error
from staging.placing import open_regular, write_atomically
from wfexs_like.vault.owners import check_keys

NAME: Final = "known-workdirs"
_PURPOSE: Final = b"wfexs-like known area\0"
_LOOSE: Final = 0o022
_FIELDS: Final = 3
# A line that was cut in its last one is no other configuration.
_DIGITS: Final = 2 * hashlib.sha256().digest_size


class KnownAreas:
    """Those that the file ``path`` remembers. ``say`` hears what a person should know."""

    def __init__(self, path: Path, say: Callable[[str], None] = lambda _message: None) -> None:
        self._path = path
        self._say = say

    def check(self, root: Path, identity: str, password: bytes, configuration: bytes | None = None) -> bool:
        """Whether the area of that id, in the working directory ``root``, is known; ``None`` is not looked at.

        Raises:
            PolicyError: it is known, and another one; or what is known may have been written by others.
            VaultError: it is that of another working directory that is known, or its configuration is another one.
        """
        known = self._read()
        there = known.get(identity)
        if there is None:
            if root.name in known:
                raise PolicyError(
                    f"the working directory {root.name} says that it is {identity}: it was exchanged",
                    hint=f"bring back the one that belongs there; {self._remedy(root.name)}",
                    where=str(root),
                )
            return False
        if there[0] != _digest(identity, password):
            theirs = next((one for one, (said, _) in known.items() if said == _digest(one, password)), None)
            if theirs is not None:
                raise VaultError(
                    f"the encrypted area is that of another working directory of yours, {theirs}",
                    hint="folders were exchanged: bring back the vault folder that belongs here",
                    where=str(root),
                )
            raise PolicyError(
                "this is not the encrypted area that this installation knows by that id: whoever can write to the disk "
                "and has your public key has put another one in its place",
                hint=f"bring the vault folder back from a copy, and trust nothing in this one; "
                f"{self._remedy(identity)}",
                where=str(root),
            )
        if configuration is not None and there[1] != _digest(identity, configuration):
            raise VaultError(
                "the encrypted area can't be opened: its configuration is not the one that it was made with",
                hint="it is damaged, or was changed by somebody who has or had its key: bring vault/data back from a "
                f"copy, or remove the working directory (wfexs-like rm); {self._remedy(identity)}",
                where=str(root),
            )
        return True

    def remember(self, identity: str, password: bytes, configuration: bytes, *, new: bool, name: str) -> None:
        """Hold the area of that id to what it is; it is ``new``, or comes from elsewhere and is called ``name``."""
        if not new:
            self._say(
                f"{name} is not known to this installation, which opens it for the first time and can't tell who made "
                "it: go on only if you know where it is from (it is held to what it is now from here on)"
            )
        line = f"{identity} {_digest(identity, password)} {_digest(identity, configuration)}\n"
        try:
            self._append(line.encode("ascii"))
        except OSError as error:
            self._say(
                f"{name} can't be remembered in {self._path} ({error.strerror}): nobody will notice if the whole "
                "of it is exchanged"
            )

    def forget(self, identity: str) -> None:
        """Remember the area of that id no more, which is gone for good. Where that can't be done it is said."""
        try:
            if identity in self._read():
                with self._held() as descriptor:
                    lines = _whole(descriptor).splitlines(keepends=True)
                    kept = [one for one in lines if one.split()[:1] != [identity.encode()]]
                    write_atomically(self._path, b"".join(kept), mode=0o600)
        except (OSError, WfexsError) as error:
            why = error.message if isinstance(error, WfexsError) else error.strerror
            self._say(f"what is removed is still remembered in {self._path}: {why}")

    def _append(self, line: bytes) -> None:
        with self._held(os.O_CREAT) as descriptor:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":  # a power failure in the midst of a line
                line = b"\n" + line
            try:
                whole = os.write(descriptor, line) == len(line)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
            if not whole:  # the disk is full
                os.ftruncate(descriptor, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextlib.contextmanager
    def _held(self, flags: int = 0) -> Iterator[int]:
        """The file, which nobody else writes to meanwhile."""
        flags |= os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        while True:
            descriptor = os.open(self._path, flags, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                # Who forgot one meanwhile has written another file.
                if os.path.samestat(os.fstat(descriptor), self._path.lstat()):
                    yield descriptor
                    return
            finally:
                os.close(descriptor)

    def _read(self) -> dict[str, tuple[str, str]]:
        """The two digests of each; where there are several lines for one, the first counts."""
        check_keys(self._path.parent)
        try:
            with open_regular(self._path) as descriptor:
                status = os.fstat(descriptor)
                if status.st_mode & _LOOSE or status.st_uid not in (os.geteuid(), 0):
                    raise PolicyError(
                        f"others may write into {self._path}, which says what is known of working directories",
                        hint=f"chmod 600 {self._path}, and look who wrote what is in it",
                        where=str(self._path),
                    )
                text = _whole(descriptor)
        except FileNotFoundError:
            return {}
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EINVAL) and not stat.S_ISREG(self._path.lstat().st_mode):
                raise PolicyError(f"{self._path} is not a file", where=str(self._path)) from error
            raise from_os_error(error, f"read {self._path}") from error
        found: dict[str, tuple[str, str]] = {}
        for line in text.decode("ascii", errors="replace").splitlines():
            fields = line.split()
            if len(fields) == _FIELDS and len(fields[1]) == len(fields[2]) == _DIGITS:
                found.setdefault(fields[0], (fields[1], fields[2]))
        return found

    def _remedy(self, identity: str) -> str:
        return f"if you changed it yourself, remove the line of {identity} from {self._path}"


def _whole(descriptor: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as stream:
        return stream.read()


def _digest(identity: str, content: bytes) -> str:
    return hashlib.sha256(_PURPOSE + identity.encode() + b"\0" + content).hexdigest()
