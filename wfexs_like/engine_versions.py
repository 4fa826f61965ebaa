"""The engines: which versions are known or set up, and setting one up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engines.base import ENGINES, InstalledEngine
from staging.errors import DefinitionError, UsageError, WfexsError
from wfexs_like.results import EngineReport


def list_engines(cache: Path, say: Callable[[str], None]) -> tuple[EngineReport, ...]:
    """Every engine with its versions, known or set up. One that can't tell does not hide the others."""
    reports: list[EngineReport] = []
    for name in ENGINES.names():
        try:
            versions = ENGINES.load(name)().versions(cache)
        except WfexsError as error:
            say(f"{name}: {error.message}")
            continue
        reports += [EngineReport(engine=name, version=one) for one in versions]
    return tuple(reports)


def add_engine(name: str, cache: Path, say: Callable[[str], None]) -> InstalledEngine:
    """Fetch and set up an engine, for when there is no network: ``nextflow@24.10.0``, or ``nextflow``: the default.

    Raises:
        UsageError: that is no engine, or no version.
        EngineError: there is no such version, or it can't be set up here.
        DigestError: a file of it is not the one that is known.
    """
    engine, at, version = name.partition("@")
    known = ENGINES.names()
    if engine not in known or (at and not version):
        raise UsageError(
            f"{name!r} is not an engine" if engine not in known else f"{name!r} lacks the version after the @",
            hint=f"written as in {known[-1]}@VERSION; the engines are {', '.join(known)}",
        )
    try:
        return ENGINES.load(engine)().install(version or None, cache, say)
    except DefinitionError as error:
        raise UsageError(error.message, hint=error.hint) from error
