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
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from staging.areas import served
from staging.errors import LockedError, VaultError, WfexsError, from_os_error
from staging.process import DEVNULL, PIPE, base_environment, find_tool, run, start
from staging.removing import open_folder
from wfexs_like.seal.recipients import Recipient
from wfexs_like.vault import guard
from wfexs_like.vault.base import Vault
from wfexs_like.vault.contents import SENTINEL, check_folders, check_sentinel, clear_scratch
from wfexs_like.vault.mounts import mount_at, mountable, protect
from wfexs_like.vault.server import Server, check_ours, is_served, serves
from wfexs_like.vault.wrapping import wrap

FOLDER: Final = "vault"
DATA: Final = "data"
KEY: Final = "key.c4gh"
POINT: Final = "work"
USERS: Final = ".users"
_GUARD: Final = ".guard"
_TURN: Final = ".turn"
_PATIENCE: Final = 30.0
_SHORT: Final = 3.0
_PAUSE: Final = 0.003
_WORDS: Final = 4096
# How what is mounted is called, before the working directory's id.
_OURS: Final = "wfexs-like:"
# What the guard answers.
_MOUNTED: Final = "mounted"
_ELSEWHERE: Final = "elsewhere"

Password = Callable[[], bytes]


class EncryptedArea:
    """The encrypted area of the working directory ``identity`` at ``root``; see ``staging.areas.Area``.

    ``password`` is only called where nobody has the area open already. ``recipients`` are those for whom a new one is
    made.
    """

    def __init__(
        self, vault: Vault, root: Path, identity: str, password: Password, recipients: Sequence[Recipient] = ()
    ) -> None:
        self.kind = vault.name
        self._vault = vault
        self._root = root
        self._source = f"{_OURS}{identity}"
        self._password = password
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
        self._new = True

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """While it lasts, ``work`` shows what is in the area.

        Raises:
            VaultError: it can't be opened, or went away while it was used.
            LockedError: another user has it open.
            PolicyError: something lies in clear where it is to be mounted, or leads out of the area.
        """
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
                fcntl.flock(users, fcntl.LOCK_SH)
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
        if mounted is not None:
            unmount(self._point)
            self._let_go(users)
        with mountable(self._point):
            command = self._vault.command(self._root / FOLDER / DATA, self._point, source=self._source)
            self._guard(command, secret)
        if not self._new:
            # Not in what is another one's. Nobody else is there: it is of users that were killed.
            check_sentinel(self._point, self._source)
            clear_scratch(self._point)
        return Server(server_number(self._root))

    def _let_go(self, users: int) -> None:
        """Let the guard of a mount whose server is dead come to its end, which we are in the way of.

        Raises:
            LockedError: others use what it served.
        """
        fcntl.flock(users, fcntl.LOCK_UN)
        until = time.monotonic() + _SHORT
        while is_guarded(self._root):
            if time.monotonic() > until:
                raise LockedError(
                    "the process that served the encrypted area was ended, and others still use what it served",
                    hint="wait for them to end, or stop them",
                    where=str(self._root),
                )
            time.sleep(_PAUSE)
        fcntl.flock(users, fcntl.LOCK_SH)

    def _guard(self, command: Sequence[str], password: bytes = b"", *, adopted: int = 0) -> None:
        """Start the guard: of what ``command`` serves, or of what the process ``adopted`` serves already."""
        with contextlib.ExitStack() as stack:

            def owned(descriptor: int) -> int:
                stack.callback(os.close, descriptor)
                return descriptor

            given = (
                owned(lock_file(self._root, _GUARD)),
                owned(lock_file(self._root, USERS)),
                owned(os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)),
            )
            words = owned(os.memfd_create("words"))
            reading, answer = os.pipe2(os.O_CLOEXEC)
            owned(reading)
            program = [str(find_tool(command[0])), *command[1:]] if command else []
            argv = (
                sys.executable,
                "-I",
                "-S",
                "-B",
                guard.__file__,
                *map(str, (*given, answer)),
                POINT,
                unmounter(),
                str(adopted),
                *program,
            )
            try:
                with open(words, "r+b", closefd=False) as stderr:
                    child = start(
                        argv,
                        env=base_environment(),
                        stdin=PIPE,
                        stdout=DEVNULL,
                        stderr=stderr,
                        pass_fds=(*given, answer),
                    )
            finally:
                os.close(answer)
            with child:
                assert child.stdin is not None
                with contextlib.suppress(BrokenPipeError):
                    child.stdin.write(password + b"\n")
                    child.stdin.close()
                said = _answer(reading)
                child.wait(_PATIENCE)
            if said != _MOUNTED:
                raise self._failed(said, os.pread(words, _WORDS, 0).decode(errors="replace"))

    def _failed(self, said: str, words: str) -> WfexsError:
        if said == _ELSEWHERE:
            return LockedError(
                "the encrypted area is open where it can't be seen from here",
                hint="it is mounted in another container or mount namespace: close it there first",
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


def unmount(point: Path) -> None:
    """Unmount what is there, also when its server is dead or files in it are open.

    Raises:
        VaultError: it can't be done.
    """
    program = unmounter()
    run((program, "-u", "-z", "-q", "--", str(point)), env=base_environment(), timeout=_PATIENCE, check=False)
    if mount_at(point) is not None:
        raise VaultError(f"{point} can't be unmounted", hint=f'try "{program} -u -z {point}"', where=str(point))


def unmounter() -> str:
    """The program that unmounts.

    Raises:
        VaultError: there is none.
    """
    program = find_tool("fusermount3") or find_tool("fusermount")
    if program is None:
        raise VaultError("fusermount is not installed", hint="install it (Debian, Ubuntu: apt-get install fuse3)")
    return str(program)


def is_open(root: Path) -> bool:
    """Whether an encrypted area is mounted on the mount point now, its server alive or dead."""
    mounted = mount_at(root / POINT)
    return mounted is not None and mounted.source.startswith(_OURS)


def is_guarded(root: Path) -> bool:
    """Whether somebody sees to it that the area is closed after its last user."""
    descriptor = lock_file(root, _GUARD)
    try:
        return not attempt(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def wait_closed(root: Path) -> None:
    """Wait until the guard has closed the area, unless there is another user; close it where there is no guard.

    Raises:
        VaultError: it can't be closed. LockedError: another user opened it.
    """
    until = time.monotonic() + _PATIENCE
    while is_open(root):
        late = time.monotonic() > until
        users = lock_file(root, USERS)
        try:
            if attempt(users, fcntl.LOCK_EX):
                if late or not is_guarded(root):
                    check_ours(root / POINT)
                    unmount(root / POINT)
            elif attempt(users, fcntl.LOCK_SH):
                return
            elif late:
                raise VaultError("the encrypted area is still open", hint=f"unmount {root / POINT}", where=str(root))
        finally:
            os.close(users)
        time.sleep(_PAUSE)


@contextlib.contextmanager
def turn(root: Path) -> Iterator[None]:
    """While it lasts, nobody else looks whether the area is open in order to open it.

    Raises:
        LockedError: somebody does not come to an end with that.
    """
    descriptor = lock_file(root, _TURN)
    until = time.monotonic() + _PATIENCE
    try:
        while not attempt(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > until:
                raise LockedError(
                    "somebody else has been opening the encrypted area for too long",
                    hint=f'"fuser {root / FOLDER / _TURN}" says who',
                    where=str(root),
                )
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)


def lock_file(root: Path, name: str) -> int:
    """A descriptor of one of the files that are locked, made where it is missing."""
    try:
        folder = open_folder(root / FOLDER)
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            return os.open(name, flags, 0o600, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise from_os_error(error, "open the locks of the encrypted area") from error


def _answer(reading: int) -> str:
    pieces, until = b"", time.monotonic() + _PATIENCE
    while select.select([reading], [], [], max(0.0, until - time.monotonic()))[0] and (piece := os.read(reading, 256)):
        pieces += piece
    return pieces.decode().strip()


def attempt(descriptor: int, kind: int) -> bool:
    """Lock it with flock(2), if that can be had without waiting."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def server_number(root: Path) -> int:
    """The number of the process that serves the open area; 0 when it is not known."""
    text = (root / FOLDER / _GUARD).read_text(encoding="ascii").strip()
    return int(text) if text.isdecimal() else 0
