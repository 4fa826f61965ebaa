"""Targets: what a person names to have it told of: a crate, or a working directory, each with or without a run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from staging.crate_source import METADATA
from staging.errors import CrateError, NotFoundError, WfexsError
from wfexs_like.reading.account import Run
from wfexs_like.reading.recount import IN_A_BAG, OLD_METADATA

_WITH_RUN: Final = re.compile(r"(?s)(.+):([1-9]\d{0,8})")


class Target(NamedTuple):
    """``crate`` is where a crate lies; ``None`` where a working directory of that name is meant."""

    name: str
    run: int | None
    crate: Path | None


def read_target(text: str) -> Target:
    """What is meant by ``NAME`` or ``NAME:RUN``."""
    name, run = text, None
    if not Path(text).exists():
        match = _WITH_RUN.fullmatch(text)
        if match is not None:
            name, run = match[1], int(match[2])
    path = Path(name)
    is_crate = path.is_file() or any((path / one).exists() for one in (METADATA, OLD_METADATA))
    return Target(name=name, run=run, crate=path if is_crate else None)


def nothing_there(name: str, hint: str | None) -> WfexsError:
    """What to say of a name that means neither a crate nor a working directory; ``hint`` is for that."""
    if Path(name).is_dir():
        return CrateError(
            f"{name} is no RO-Crate and no working directory: it has no {METADATA}",
            hint=IN_A_BAG if (Path(name) / "data" / METADATA).is_file() else "name the crate's own folder or zip",
            where=name,
        )
    return NotFoundError(f"there is no crate and no working directory {name!r}", hint=hint, where=name)


def find_run(label: str, runs: Sequence[Run], number: int) -> Run:
    """The run of that number, in crates of ours, elsewhere the one at that place, from 1.

    Raises:
        NotFoundError: there is none.
    """
    # Of two that call themselves by one number the first is meant, as it is when one is imported.
    numbered = {one.number: one for one in reversed(runs) if one.number is not None}
    known = numbered or dict(enumerate(runs, 1))
    if number not in known:
        told = ", ".join(str(one) for one in sorted(known)) or "none"
        raise NotFoundError(f"{label} tells of no run {number}", hint=f"its runs: {told}", where=label)
    return known[number]
