"""Passphrases: from a descriptor, a file, a command or a person; never from the command line."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from staging.errors import KeyAccessError, UsageError

PREFIX: Final = "WFEXS_LIKE_PASSPHRASE_"
SOURCES: Final = tuple(PREFIX + kind for kind in ("FD", "FILE", "COMMAND"))
_LIMIT: Final = 64 * 1024
_PATIENCE: Final = 60.0


def find_passphrase(environment: Mapping[str, str], ask: Callable[[], str] | None) -> str:
    """The passphrase from the one source that ``environment`` names, else by ``ask``ing (``None``: nobody is there).

    One line end is taken off its end, as ``echo`` and editors add one.

    Raises:
        UsageError: there is no source, there are two, or the one there is can't be used.
        KeyAccessError: it is empty.
    """
    stated = [name for name in SOURCES if environment.get(name)]
    if len(stated) > 1:
        raise UsageError(f"{stated[0]} and {stated[1]} are both set", hint="set one of them")
    if not stated and ask is None:
        raise UsageError(
            "a passphrase is needed and there is no terminal to ask at",
            hint=f"set {SOURCES[1]} (or _FD, _COMMAND), or use --no-passphrase",
        )
    if stated:
        found = _READERS[stated[0]](environment[stated[0]], environment)
    else:
        assert ask is not None
        found = ask()
    if not found:
        source = f" from {stated[0]}" if stated else ""
        raise KeyAccessError(f"the passphrase{source} is empty", hint="choose one that has some length")
    return found


def _from_descriptor(value: str, _environment: Mapping[str, str]) -> str:
    if not value.isdecimal():
        raise UsageError(f"{SOURCES[0]} is {value!r}, which is not the number of a descriptor")
    try:
        with os.fdopen(int(value), "rb") as stream:
            return _text(stream.read(_LIMIT + 1), SOURCES[0])
    except (OSError, OverflowError) as error:
        raise UsageError(f"descriptor {value} of {SOURCES[0]} can't be read: {error}") from error


def _from_file(value: str, _environment: Mapping[str, str]) -> str:
    try:
        with Path(value).open("rb") as stream:
            return _text(stream.read(_LIMIT + 1), SOURCES[1])
    except OSError as error:
        raise UsageError(f"the file of {SOURCES[1]} can't be read: {error.strerror}: {value}") from error


def _from_command(value: str, environment: Mapping[str, str]) -> str:
    from staging.process import MissingToolError, ProcessError, run

    try:
        argv = shlex.split(value)
    except ValueError as error:
        raise UsageError(f"{SOURCES[2]} is not a command: {error}") from error
    if not argv:
        raise UsageError(f"{SOURCES[2]} is not a command")
    try:
        completed = run(argv, env=environment, timeout=_PATIENCE)
    except MissingToolError as error:
        raise KeyAccessError(
            f"the command of {SOURCES[2]} is not there: {argv[0]!r}", hint="name a program of PATH, or its whole path"
        ) from error
    except ProcessError as error:
        # What it said may hold the secret: only how it ended is told.
        raise KeyAccessError(f"the command of {SOURCES[2]} {error.reason}", hint=f"it was {argv[0]!r}") from None
    return _text(completed.stdout, SOURCES[2])


def _text(content: bytes, source: str) -> str:
    if len(content) > _LIMIT:
        raise UsageError(f"{source} gives more than {_LIMIT} bytes, which is no passphrase")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{source} gives bytes that are not UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


_READERS: Final[Mapping[str, Callable[[str, Mapping[str, str]], str]]] = {
    SOURCES[0]: _from_descriptor,
    SOURCES[1]: _from_file,
    SOURCES[2]: _from_command,
}
