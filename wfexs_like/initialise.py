"""Initialise: a config and the keys of this installation. Needs no network, and never touches what is there.

There are two pairs: crypt4gh's, for which things are sealed, and OpenSSH's, which signs.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from staging.errors import PolicyError, UsageError, from_os_error
from wfexs_like.keys import KeyFiles, encode_pair
from wfexs_like.seal.ssh_keys import SigningKeyFiles, encode_signing_pair
from wfexs_like.settings import Person, Settings

_WRITABLE_BY_OTHERS = 0o022


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialised:
    """What was made. ``created`` are the files; a config or a pair that was there already is not among them.

    ``encrypted`` says whether the new private keys need a passphrase. ``public_key`` is the body of the crypt4gh key.
    """

    config: Path
    keys: KeyFiles
    signing: SigningKeyFiles
    public_key: str
    encrypted: bool
    created: tuple[Path, ...]


def refuse_existing(settings: Settings, *, person: Person | None) -> None:
    """Look for what would be overwritten, before anybody is asked for a passphrase.

    Raises:
        PolicyError: there is a key already, or the keys' folder is open to others.
        UsageError: a person is to be written into a config that is there already.
    """
    files, signing = KeyFiles.below(settings.keys), SigningKeyFiles.below(settings.keys)
    for path in (files.private, files.public, signing.private, signing.public):
        if os.path.lexists(path):
            raise PolicyError(
                f"there is a key already: {path}",
                hint="keys are never overwritten: without them nothing sealed for them opens; move them away first, "
                'or add what is missing with "wfexs-like keys init"',
                where=str(path),
            )
    _refuse_open_folder(settings)
    if person is not None and os.path.lexists(settings.config):
        raise UsageError(
            f"there is a config already: {settings.config}",
            hint="write the person into it by hand, under [person]",
            where=str(settings.config),
        )


def missing_pairs(settings: Settings) -> tuple[KeyFiles | SigningKeyFiles, ...]:
    """The pairs of which neither half is there yet.

    Raises:
        PolicyError: of a pair one half is there, or the keys' folder is open to others.
    """
    _refuse_open_folder(settings)
    missing: list[KeyFiles | SigningKeyFiles] = []
    for pair in (KeyFiles.below(settings.keys), SigningKeyFiles.below(settings.keys)):
        there = [path for path in (pair.private, pair.public) if os.path.lexists(path)]
        if not there:
            missing.append(pair)
        elif len(there) == 1:
            gone = pair.public if there == [pair.private] else pair.private
            raise PolicyError(
                f"of the pair of {there[0]} the other half, {gone}, is missing",
                hint="bring it back, or move this half away: keys are never overwritten",
                where=str(there[0]),
            )
    return tuple(missing)


def initialise(
    settings: Settings, passphrase: str | None, *, person: Person | None = None, places: bool = False
) -> Initialised:
    """Make both pairs, and a config where there is none. ``places``: write the cache's and workdirs' places into it.

    Raises:
        KeyAccessError: the passphrase is empty.
        PolicyError, UsageError: see ``refuse_existing``.
        DiskError: the disk is full. WfexsError: it can't be written.
    """
    refuse_existing(settings, person=person)
    config = config_text(settings, person=person, places=places).encode()
    return _make(settings, passphrase, config=config)


def add_missing_keys(settings: Settings, passphrase: str | None) -> Initialised:
    """Make the pairs that are missing, and nothing else.

    Raises:
        KeyAccessError: the passphrase is empty.
        PolicyError: see ``missing_pairs``.
        DiskError: the disk is full. WfexsError: it can't be written.
    """
    return _make(settings, passphrase, config=None)


def _make(settings: Settings, passphrase: str | None, *, config: bytes | None) -> Initialised:
    makers: dict[type, Callable[[], tuple[bytes, bytes]]] = {
        KeyFiles: lambda: encode_pair(passphrase),
        SigningKeyFiles: lambda: encode_signing_pair(passphrase, comment=_comment()),
    }
    files = []
    for pair in missing_pairs(settings):
        private, public = makers[type(pair)]()
        files += [(pair.private, private, 0o600), (pair.public, public, 0o644)]
    created: list[Path] = []
    try:
        settings.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path, content, mode in files:
            _write_new(path, content, mode)
            created.append(path)
        if config is not None and not os.path.lexists(settings.config):
            settings.config.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_new(settings.config, config, 0o600)
            created.append(settings.config)
    except BaseException as error:
        for path in created:
            path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise from_os_error(error, "write the config and keys") from error
        raise
    keys = KeyFiles.below(settings.keys)
    return Initialised(
        config=settings.config,
        keys=keys,
        signing=SigningKeyFiles.below(settings.keys),
        public_key=next(iter(keys.public.read_text(errors="replace").splitlines()[1:]), ""),
        encrypted=passphrase is not None,
        created=tuple(created),
    )


def _refuse_open_folder(settings: Settings) -> None:
    if settings.keys.is_dir() and settings.keys.stat().st_mode & _WRITABLE_BY_OTHERS:
        raise PolicyError(
            f"others may write into {settings.keys}", hint=f"chmod 700 {settings.keys}", where=str(settings.keys)
        )


def _comment() -> str:
    """By whom a signing key is, for the people who get it."""
    name = "".join(one for one in socket.gethostname() if one.isalnum() or one in "-._")
    return f"wfexs-like@{name}"


def config_text(settings: Settings, *, person: Person | None, places: bool) -> str:
    """The config file: what is stated, and the rest as comments that say what there is."""
    mark = "" if places else "# "
    lines = [
        "# The config of wfexs-like. Every key may be left out. A flag or a WFEXS_LIKE_* variable wins over it.",
        f"{mark}cache = {toml_text(str(settings.cache))}",
        f"{mark}workdirs = {toml_text(str(settings.workdirs))}",
        f"# jobs = {settings.jobs}",
        '# container = "docker"',
        "",
        "# Who runs the workflows, for the crates.",
    ]
    if person is None:
        lines += ["# [person]", '# name = "Ada Lovelace"', '# orcid = "https://orcid.org/0000-0000-0000-0000"']
    else:
        stated = {"name": person.name, "orcid": person.orcid, "affiliation": person.affiliation}
        lines += ["[person]", *(f"{key} = {toml_text(value)}" for key, value in stated.items() if value is not None)]
    return "\n".join(lines) + "\n"


def toml_text(text: str) -> str:
    """``text`` as a TOML basic string (TOML 1.0): as JSON writes it, but for DEL, which TOML wants escaped.

    Raises:
        UsageError: it holds bytes that are not UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{text!a} is not UTF-8 text") from None
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Give ``path`` that content, whole or not at all; a file that is there stays.

    Raises:
        PolicyError: there is one.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            os.fchmod(stream.fileno(), mode)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError as error:
            raise PolicyError(
                f"{path} was made by somebody else meanwhile", hint="look whose it is, and try again", where=str(path)
            ) from error
    finally:
        temporary.unlink(missing_ok=True)
