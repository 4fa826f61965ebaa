"""gocryptfs (https://nuetzlich.net/gocryptfs): file contents in AES-GCM, names in EME, over FUSE."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from staging.errors import VaultError
from staging.placing import open_regular
from staging.process import ProcessError, base_environment, find_tool, run
from wfexs_like.vault.base import NOTIFIED

_PATIENCE: Final = 60.0
# The password is 256 random bits: there is nothing to stretch, and every open would pay for it.
_SCRYPT: Final = "10"
_WRONG_PASSWORD: Final = 12
_CONFIG: Final = "gocryptfs.conf"
_LARGEST: Final = 1 << 16
_BRING_BACK: Final = (
    f"bring vault/data/{_CONFIG} back from a copy; if there is none, nobody can read it again: "
    "remove the working directory (wfexs-like rm) and stage again"
)
# gocryptfs(1), EXIT CODES.
_MEANINGS: Final[dict[int, tuple[str, str | None]]] = {
    6: ("its folder of cipher text is not there or not a gocryptfs", "bring it back from where it was moved to"),
    10: ("the mount point is not empty", "move away what was written there in clear"),
    _WRONG_PASSWORD: ("its wrapped password is not the one that it was made with", None),
    23: (f"its {_CONFIG} can't be read", _BRING_BACK),
    24: (f"its {_CONFIG} can't be read", _BRING_BACK),
}


class Gocryptfs:
    """The vault ``gocryptfs``."""

    name = "gocryptfs"
    kind = "fuse.gocryptfs"

    def check(self) -> None:
        """See ``Vault.check``."""
        if find_tool("gocryptfs") is None:
            raise _impossible("gocryptfs is not installed", "install it (Debian, Ubuntu: apt-get install gocryptfs)")
        if find_tool("fusermount3") is None and find_tool("fusermount") is None:
            raise _impossible("fusermount is not installed", "install it (Debian, Ubuntu: apt-get install fuse3)")
        try:
            os.close(os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC))
        except FileNotFoundError as error:
            hint = "load the kernel's module (modprobe fuse); in a container, start that with --device /dev/fuse"
            raise _impossible("there is no /dev/fuse here", hint) from error
        except OSError as error:
            raise _impossible(
                f"/dev/fuse can't be used: {error.strerror}", "let this user read and write it"
            ) from error

    def initialise(self, cipher: Path, password: bytes) -> None:
        """See ``Vault.initialise``."""
        argv = ("gocryptfs", "-q", "-nosyslog", "-init", "-scryptn", _SCRYPT, "--", str(cipher))
        try:
            run(argv, env=base_environment(), input=password + b"\n", timeout=_PATIENCE)
        except ProcessError as error:
            raise VaultError(f"gocryptfs can't make an encrypted area: {error.completed.last_words}") from error

    def configuration(self, cipher: Path) -> bytes:
        """See ``Vault.configuration``: it holds the master key, sealed with the password (gocryptfs(1), FILES)."""
        try:
            with open_regular(cipher / _CONFIG) as descriptor:
                return os.read(descriptor, _LARGEST)
        except OSError as error:
            raise VaultError(
                f"the encrypted area can't be opened: its {_CONFIG} can't be read", hint=_BRING_BACK, where=str(cipher)
            ) from error

    def command(self, cipher: Path, point: Path, *, source: str) -> tuple[str, ...]:
        """See ``Vault.command``."""
        options = ("-q", "-fg", "-nosyslog", "-nosuid", "-nodev", "-fsname", source, f"-notifypid={NOTIFIED}")
        return ("gocryptfs", *options, "--", str(cipher), str(point))

    def explain(self, code: int, words: str) -> tuple[str, str | None]:
        """See ``Vault.explain``."""
        meaning = _MEANINGS.get(code)
        if meaning is not None:
            return meaning
        return f"gocryptfs ended with {code}" + (
            f": {words}" if words else ""
        ), '"wfexs-like doctor" tries it by itself'


def _impossible(reason: str, hint: str) -> VaultError:
    return VaultError(f"no encrypted area can be opened here: {reason}", hint=hint + '; see "wfexs-like doctor"')
