"""Findings: what was found out about one thing that a workflow or a verb needs, and how programs are asked for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from staging.errors import WfexsError
from staging.process import ProcessError, find_tool, run

PATIENCE: Final = 10.0
"""Seconds that one probe may take."""

_VERSION: Final = re.compile(r"\d+(?:\.\d+)+[\w.+-]*|\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    ``found``: it is there. ``works``: it did what was tried. ``fix`` is what to do about it, ``None`` when there is
    nothing to do. ``essential``: without it nothing goes.
    """

    name: str
    found: bool
    works: bool
    purpose: str
    version: str | None = None
    detail: str | None = None
    fix: str | None = None
    essential: bool = False


def tool(name: str, environment: Mapping[str, str], *, purpose: str, fix: str, ask: str = "--version") -> Finding:
    """A program that has only to be there and to say its version."""
    if find_tool(name, environment) is None:
        return Finding(name=name, found=False, works=False, purpose=purpose, fix=fix)
    said, failure = ask_program((name, ask), environment)
    if failure is not None:
        return Finding(name=name, found=True, works=False, purpose=purpose, detail=failure, fix=f"reinstall {name}")
    return Finding(name=name, found=True, works=True, purpose=purpose, version=version_in(said))


def version_in(text: str) -> str | None:
    """The first thing in ``text`` that looks like a version."""
    match = _VERSION.search(text)
    return match.group() if match else None


def ask_program(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[str, str | None]:
    """What a program says when asked, and why it failed (``None``: it didn't)."""
    try:
        completed = run(argv, env=environment, timeout=PATIENCE)
    except WfexsError as error:
        return "", in_words(error)
    return (completed.stdout + completed.stderr).decode(errors="replace").strip(), None


def in_words(error: WfexsError | OSError) -> str:
    """Why a probe failed."""
    if isinstance(error, ProcessError) and error.reason == "timeout":
        return f"no answer within {PATIENCE:g} s"
    return error.message if isinstance(error, WfexsError) else (error.strerror or str(error)).lower()


def with_apt(package: str) -> str:
    """How Debian and Ubuntu install a package."""
    return f"apt-get install {package}"
