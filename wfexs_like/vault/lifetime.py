"""When an encrypted area is open: from its first user to its last, and never longer.

In the folder of a working directory::

    vault/data/      the cipher text
    vault/key.c4gh   the password, sealed for whoever may open it (``wrapping``)
    vault/.users     each user holds a shared flock on it; the guard waits for all of it
    vault/.guard     held by the guard for its life; holds the number of the process that serves the mount
    vault/.turn      held by whoever looks whether the area is open and opens it
    work/            the mount point

The guard is ``wfexs_like.vault.guard``. Nothing here depends on a clock or on anybody's good behaviour: the kernel
gives locks back when their holder ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from staging.areas import served
from staging.errors import LockedError, VaultError, WfexsError, from_os_error
from wfexs_like.seal.recipients import Recipient
from wfexs_like.vault.base import Vault
from wfexs_like.vault.contents import SENTINEL, check_folders, check_sentinel, clear_scratch
from wfexs_like.vault.guarding import ELSEWHERE, MOUNTED, UNWRITTEN, start_guard, unmount, unwritten
from wfexs_like.vault.known import KnownAreas
from wfexs_like.vault.locking import (
    FOLDER,
    GUARD,
    PAUSE,
    USERS,
    attempt,
    is_guarded,
    lock_file,
    looks,
    server_number,
    turn,
)
from wfexs_like.vault.mounts import mount_at, mountable, protect
from wfexs_like.vault.owners import check_owners
from wfexs_like.vault.server import Server, check_ours, end_orphan, is_served, is_stopped, serves
from wfexs_like.vault.users import Process, holders
from wfexs_like.vault.wrapping import wrap

DATA: Final = "data"
KEY: Final = "key.c4gh"
POINT: Final = "work"
_PATIENCE: Final = 30.0
_SHORT: Final = 3.0
# How what is mounted is called, before the working directory's id.
_OURS: Final = "wfexs-like:"

Password = Callable[[], bytes]


class EncryptedArea:
    """The encrypted area of the working directory ``identity`` at ``root``; see ``staging.areas.Area``.

    ``password`` is only called where nobody has the area open already. ``recipients`` are those for whom a new one is
    made. ``known`` remembers what it is, and ``name`` what people call it; without that it is for this moment alone.
    """

    def __init__(
        self,
        vault: Vault,
        root: Path,
        identity: str,
        password: Password,
        recipients: Sequence[Recipient] = (),
        *,
        known: KnownAreas | None = None,
        name: str = "it",
    ) -> None:
        self.kind = vault.name
        self._vault = vault
        self._root = root
        self._identity = identity
        self._source = f"{_OURS}{identity}"
        self._password = password
        self._known = known
        self._name = name
        self._recipients = recipients
        self._point = root / POINT
        self._new = False

    def make(self) -> None:
        """Make it, empty and closed; ``work`` is there and empty.

        Raises:
            VaultError: that can't be done here.
        """
        cipher = self._root / FOLDER / DATA
        try:
            cipher.mkdir(parents=True, mode=0o700)
        except OSError as error:
            raise from_os_error(error, "make the encrypted area") from error
        password = self._password()
        self._vault.initialise(cipher, password)
        wrap(self._root / FOLDER / KEY, password, self._recipients)
        protect(self._point)
        if self._known is not None:
            configuration = self._vault.configuration(cipher)
            self._known.remember(self._identity, password, configuration, new=True, name=self._name)
        self._new = True

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """While it lasts, ``work`` shows what is in the area.

        Raises:
            VaultError: it can't be opened, or went away while it was used.
            LockedError: another user has it open.
            PolicyError: something lies in clear where it is to be mounted, or leads out of the area; it was exchanged,
                or lies in a folder of another user.
        """
        check_ours(self._point)
        check_owners(self._root)
        with self._used():
            if self._new:
                (self._point / SENTINEL).write_text(f"{self._source}\n", encoding="utf-8")
                self._new = False
            check_sentinel(self._point, self._source)
            check_folders(self._point)
            yield

    @contextlib.contextmanager
    def _used(self) -> Iterator[None]:
        users = lock_file(self._root, USERS)
        joined = False
        try:
            with turn(self._root):
                self._share(users)
                server = self._serving(users)
            joined = True
            try:
                with served(self._point, server.descriptor):
                    yield
            except Exception as error:
                if server.is_dead() and not isinstance(error, VaultError):
                    raise self._gone() from error
                raise
            finally:
                dead = server.is_dead()
                server.close()
            if dead:
                raise self._gone()
        finally:
            os.close(users)
            # What could not be had may be somebody else's; what was opened in vain its guard closes.
            if joined:
                wait_closed(self._root)

    def _share(self, users: int) -> None:
        """Become one of the users, as soon as the guard has closed it or somebody has seen to its removal.

        Raises:
            LockedError: that does not come to an end.
        """
        for _ in looks(_PATIENCE):
            if attempt(users, fcntl.LOCK_SH):
                return
            self._refuse_stopped()
        raise LockedError(
            "the encrypted area is being closed or removed, which does not come to an end",
            hint=f'"fuser {self._root / FOLDER / USERS}" says by whom',
            where=str(self._root),
        )

    def _refuse_stopped(self) -> None:
        guard = _stopped_guard(self._root)
        if guard is not None:
            raise LockedError(
                f"the encrypted area can't be opened: {guard}, which closes it after its last user, is stopped",
                hint=f'"kill -CONT {guard.number}" lets it go on and come to its end',
                where=str(self._root),
            )

    def _serving(self, users: int) -> Server:
        """The server of the open area, which is opened for that if need be. In turn, with the users' lock shared."""
        mounted = mount_at(self._point)
        if mounted is not None and (mounted.kind, mounted.source) != (self._vault.kind, self._source):
            raise stranger(self._point)
        if mounted is not None:
            number = serves(server_number(self._root), self._source, self._point)
            server = Server(number)
            if is_served(self._point, server):
                if not is_guarded(self._root):
                    self._guard((), adopted=number)
                return server
            server.close()
        # Whoever can't open it afterwards takes nothing away.
        secret = self._password()
        self._vault.check()
        cipher = self._root / FOLDER / DATA
        configuration = self._vault.configuration(cipher)
        is_known = self._known is None or self._known.check(self._root, self._identity, secret, configuration)
        if mounted is not None:
            unmount(self._point)
            self._let_go(users)
        elif not is_guarded(self._root):
            end_orphan(server_number(self._root), self._source, self._point)
        with mountable(self._point):
            self._guard(self._vault.command(cipher, self._point, source=self._source), secret)
        if not self._new:
            # Not in what is another one's. Nobody else is there: it is of users that were killed.
            check_sentinel(self._point, self._source)
            if self._known is not None and not is_known:
                self._known.remember(self._identity, secret, configuration, new=False, name=self._name)
            clear_scratch(self._point)
        return Server(server_number(self._root))

    def _let_go(self, users: int) -> None:
        """Let the guard of a mount whose server is dead come to its end, which we are in the way of.

        Raises:
            LockedError: others use what it served.
        """
        fcntl.flock(users, fcntl.LOCK_UN)
        for _ in looks(_SHORT):
            if not is_guarded(self._root):
                break
        else:
            raise LockedError(
                "the process that served the encrypted area was ended, and others still use what it served",
                hint="wait for them to end, or stop them",
                where=str(self._root),
            )
        self._share(users)

    def _guard(self, command: Sequence[str], password: bytes = b"", *, adopted: int = 0) -> None:
        """Start the guard: of what ``command`` serves, or of what the process ``adopted`` serves already."""
        self._refuse_stopped()
        said, words = start_guard(self._root, POINT, command, password, adopted=adopted)
        if not said and not is_guarded(self._root):
            # What it started may have mounted it by now, or would some time.
            end_orphan(server_number(self._root), self._source, self._point)
            if is_open(self._root):
                unmount(self._point)
            raise VaultError(
                "the encrypted area can't be opened: the process that sees to its closing was killed meanwhile",
                hint="do again what was being done",
                where=str(self._root),
            )
        if said != MOUNTED:
            raise self._failed(said, words)

    def _failed(self, said: str, words: str) -> WfexsError:
        if said.startswith(UNWRITTEN):
            return unwritten(said)
        if said == ELSEWHERE:
            return LockedError(
                "the encrypted area is open where it can't be seen from here",
                hint="it is mounted in another container or mount namespace: close it there first",
                where=str(self._root),
            )
        if not said:
            return VaultError(
                "the encrypted area can't be opened: what mounts it has not come to an end with that",
                hint='the disk that it lies on may not answer; "wfexs-like doctor" tries one elsewhere',
                where=str(self._root),
            )
        lines = words.strip().splitlines()
        code = said.removeprefix("failed ")
        meaning, hint = self._vault.explain(int(code) if code.isdecimal() else 1, lines[-1] if lines else "")
        return VaultError(f"the encrypted area can't be opened: {meaning}", hint=hint, where=str(self._root))

    def _gone(self) -> VaultError:
        return VaultError(
            "the encrypted area went away while it was used: the process that served it was ended",
            hint="nothing was written in clear; do again what was being done",
            where=str(self._root),
        )


def stranger(point: Path) -> VaultError:
    """What to say where something else is mounted than an encrypted area."""
    mounted = mount_at(point)
    what = "" if mounted is None else f": {mounted.source} ({mounted.kind})"
    return VaultError(
        f"something else is mounted on {point}{what}", hint="unmount it, and see who mounted it", where=str(point)
    )


def is_open(root: Path) -> bool:
    """Whether an encrypted area is mounted on the mount point now, its server alive or dead."""
    mounted = mount_at(root / POINT)
    return mounted is not None and mounted.source.startswith(_OURS)


def _stopped_guard(root: Path) -> Process | None:
    return next((one for one in holders(root, GUARD) if is_stopped(one.number)), None)


def wait_closed(root: Path) -> None:
    """Wait until the guard has closed the area, unless there is another user; close it where there is no guard.

    Raises:
        VaultError: it can't be closed. LockedError: another user opened it.
    """
    began = time.monotonic()
    while is_open(root):
        waited = time.monotonic() - began
        users = lock_file(root, USERS)
        try:
            if attempt(users, fcntl.LOCK_EX):
                if waited > _SHORT or not is_guarded(root):
                    check_ours(root / POINT)
                    unmount(root / POINT)
            elif waited > _SHORT and not attempt(users, fcntl.LOCK_SH) and _stopped_guard(root) is not None:
                # It has them all, was about to do it, and never will.
                check_ours(root / POINT)
                unmount(root / POINT)
            elif attempt(users, fcntl.LOCK_SH):
                return
            elif waited > _PATIENCE:
                raise VaultError("the encrypted area is still open", hint=f"unmount {root / POINT}", where=str(root))
        finally:
            os.close(users)
        time.sleep(PAUSE)
