"""Listing: which versions of Nextflow are known or set up here, and which Java each would run on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from engines.base import EngineVersion, InstalledEngine
from engines.nextflow.setup.installation import Cached, cached, known_versions, verify
from engines.nextflow.setup.java import USUAL, find_java
from engines.nextflow.setup.versions import DEFAULT, NAME, Version, java_range
from staging.errors import EngineError, WfexsError


class _Ground(NamedTuple):
    """What a version would run on here, or what is missing for it."""

    platform: Mapping[str, str]
    lacks: str | None = None


def versions(cache: Path, environment: Mapping[str, str], usual: Path = USUAL) -> tuple[EngineVersion, ...]:
    """Known versions and those in the cache, oldest first; one that came from two sources is told twice.

    ``environment`` is the user's, ``usual`` the folder that Javas usually lie in.
    """
    known = known_versions()
    there = cached(cache)
    grounds: dict[tuple[int, int], _Ground] = {}
    found: list[EngineVersion] = []
    for version in sorted({*known, DEFAULT, *(one.version for one in there)}, key=Version.parse):
        wanted = java_range(version)
        if wanted not in grounds:
            grounds[wanted] = _ground(version, environment, usual)
        possible = EngineVersion(
            version=version,
            known=version in known,
            cached=False,
            default=version == DEFAULT,
            platform=grounds[wanted].platform,
            lacks=grounds[wanted].lacks,
        )
        copies = [_set_up(possible, one, cache) for one in there if one.version == version]
        found += copies or [possible]
    return tuple(found)


def _set_up(possible: EngineVersion, one: Cached, cache: Path) -> EngineVersion:
    return replace(
        possible,
        cached=True,
        source=one.source,
        fingerprint=one.fingerprint,
        size=one.size,
        verified=_is_sound(one, cache),
    )


def _ground(version: str, environment: Mapping[str, str], usual: Path) -> _Ground:
    try:
        return _Ground({"java": find_java(version, environment, usual).label})
    except EngineError as error:
        oldest, newest = java_range(version)
        found = error.message.rpartition("found: ")[2]
        return _Ground({}, f"Java {oldest} to {newest} (found: {found})")


def _is_sound(one: Cached, cache: Path) -> bool:
    """Whether the files are the ones that were set up; they are read where the file system can't tell."""
    if one.verified:
        return True
    engine = InstalledEngine(
        name=NAME,
        version=one.version,
        identifier=str(one.home),
        fingerprint=one.fingerprint,
        size=one.size,
        program=one.home,
        home=one.home,
    )
    try:
        verify(engine, cache)
    except (WfexsError, OSError):
        return False
    return True
