"""Targets: what a person names to have it told of: a crate, or a working directory, each with or without a run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

from staging.crate_source import METADATA
from wfexs_like.reading.recount import OLD_METADATA

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
