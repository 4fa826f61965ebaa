"""The keys of this installation: what is there, whose fingerprints, and whether they are kept as they should be."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

from staging.errors import KeyAccessError, NotFoundError, PolicyError, WfexsError, from_os_error
from wfexs_like.keys import KeyFiles, read_public
from wfexs_like.seal.ssh_keys import PublicKey, SigningKeyFiles, parse_public_line
from wfexs_like.settings import Settings
from wfexs_like.unlocking import needs_passphrase

Use = Literal["sealing", "signing"]
USES: Final[tuple[Use, ...]] = ("sealing", "signing")
_KINDS: Final[dict[Use, str]] = {"sealing": "crypt4gh", "signing": "ssh-ed25519"}
_LOOSE: Final = 0o077
_LARGEST: Final = 1 << 16
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReport:
    """One pair.

    ``passphrase`` is whether the private key needs one, ``None`` where that can't be told. ``loose`` is whether others
    than its owner may read the private key. ``problem`` says in words why the pair can't be used as it is.
    """

    use: Use
    kind: str
    private: Path
    public: Path
    fingerprint: str | None
    passphrase: bool | None
    loose: bool
    problem: str | None


def list_keys(settings: Settings) -> tuple[KeyReport, ...]:
    """Both pairs, those that are missing too; nothing is refused, all is told."""
    return tuple(_report(settings, use) for use in USES)


def public_text(settings: Settings, use: Use) -> str:
    """The text of a public key's file, to give to others.

    Raises:
        NotFoundError: there is none.
        KeyAccessError: the file holds something else.
    """
    _, public = _files(settings, use)
    _fingerprint(use, public)
    return _read(public)


def _files(settings: Settings, use: Use) -> tuple[Path, Path]:
    pair = KeyFiles.below(settings.keys) if use == "sealing" else SigningKeyFiles.below(settings.keys)
    return pair.private, pair.public


def _report(settings: Settings, use: Use) -> KeyReport:
    private, public = _files(settings, use)
    problems: list[str] = []
    loose = False
    with contextlib.suppress(OSError):  # what can't be looked at is told below
        loose = bool(private.stat().st_mode & _LOOSE)
    found = _told(lambda: _fingerprint(use, public), problems)
    passphrase = _told(lambda: needs_passphrase(private), problems)
    return KeyReport(
        use=use,
        kind=_KINDS[use],
        private=private,
        public=public,
        fingerprint=found,
        passphrase=passphrase,
        loose=loose,
        problem="; ".join(dict.fromkeys(problems)) or None,
    )


def _told(attempt: Callable[[], T], problems: list[str]) -> T | None:
    try:
        return attempt()
    except WfexsError as error:
        hint = f" ({error.hint})" if error.hint and isinstance(error, NotFoundError | PolicyError) else ""
        problems.append(f"{error.message}{hint}")
        return None


def _fingerprint(use: Use, public: Path) -> str:
    if use == "sealing":
        return PublicKey(blob=read_public(public)).fingerprint
    text = _read(public)
    try:
        return parse_public_line(text.splitlines()[0] if text else "").fingerprint
    except ValueError as error:
        raise KeyAccessError(f"{public} is not an SSH public key", where=str(public)) from error


def _read(path: Path) -> str:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as stream:
            return stream.read(_LARGEST).decode(errors="replace")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(f"there is no public key {path}", hint='"wfexs-like keys init" makes it') from error
    except OSError as error:
        raise from_os_error(error, f"read the public key {path}") from error
