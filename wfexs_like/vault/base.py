"""The contract of a vault: a file system of which only cipher text is kept on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from staging.plugins import Registry


class Vault(Protocol):
    """One kind of encrypted file system, served by a program of its own.

    ``name`` is what stage files call it, ``kind`` the file system's type in ``/proc/self/mountinfo`` (proc(5)).
    """

    name: str
    kind: str

    def check(self) -> None:
        """Look whether it can be used on this host at all.

        Raises:
            VaultError: something that it needs is missing; says what to install or to allow.
        """

    def initialise(self, cipher: Path, password: bytes) -> None:
        """Make an empty one in the empty folder ``cipher``.

        Raises:
            VaultError: that can't be done.
        """

    def configuration(self, cipher: Path) -> bytes:
        """What makes this one another than any that has the same password.

        Raises:
            VaultError: it is gone.
        """

    def command(self, cipher: Path, point: Path, *, source: str) -> tuple[str, ...]:
        """The program that mounts it at ``point`` and serves it, in the foreground, until it is unmounted.

        It reads the password, one line, from its standard input and calls what it mounts ``source``. Once it has, it
        sends SIGUSR1 to the process whose number takes the place of ``NOTIFIED`` in the arguments. What it has to say
        it says on its standard error alone.
        """

    def explain(self, code: int, words: str) -> tuple[str, str | None]:
        """What it means, and what helps, that the program ended with ``code`` before it had mounted anything."""


NOTIFIED = "NOTIFIED"
VAULTS: Registry[Vault] = Registry("wfexs_like.vaults", what="vault")
