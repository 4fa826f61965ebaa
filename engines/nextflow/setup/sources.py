"""Sources: where the files of a version of Nextflow come from, and which are known beforehand.

There are two behind one protocol, and they give different files for one version: the asset of the project's releases
(one big file) and the artifacts of a Maven repository. The digests of known versions (``releases/<version>.json``) are
those of the artifacts; an asset's are pinned when it is first fetched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Protocol

from engines.base import EngineFile
from engines.nextflow.setup.versions import Version, is_version
from staging.errors import DigestError, EngineError
from staging.fingerprints import Fingerprint

Say = Callable[[str], None]

RELEASE = "release"
MAVEN = "maven"
SETTING = "WFEXS_LIKE_NEXTFLOW_SOURCE"
SCHEMA = "wfexs-like/nextflow-release/1"


class UnreachableError(EngineError):
    """The host of a source can't be reached at all: no such name, no route, nobody there."""


class Source(Protocol):
    """Somewhere that has the files of a version."""

    @property
    def name(self) -> str:
        """``release`` or ``maven``."""

    def fetch(self, version: str, into: Path, say: Say) -> tuple[EngineFile, ...]:
        """Write the files of that version into the folder; they are returned in the order of the classpath.

        The first one is the engine's own, the others what it needs. Nothing is said of their digests but what they are.

        Raises:
            UnreachableError: the source's host is not to be reached.
            EngineError: the source has no such version, or it could not be had whole.
        """


def asked_source(environment: Mapping[str, str]) -> str | None:
    """The source that the user's environment asks for, if it does.

    Raises:
        EngineError: there is no source of that name.
    """
    asked = environment.get(SETTING, "").strip().lower()
    if asked not in ("", RELEASE, MAVEN):
        raise EngineError(
            f"{SETTING} is {asked!r}, and there is no such source of Nextflow", hint=f"set it to {RELEASE} or {MAVEN}"
        )
    return asked or None


def known_versions() -> tuple[str, ...]:
    """The versions whose artifacts' digests ship with us, oldest first."""
    names = [one.name.removesuffix(".json") for one in files(__package__).joinpath("releases").iterdir()]
    return tuple(sorted((one for one in names if is_version(one)), key=Version.parse))


def known_files(version: str) -> tuple[EngineFile, ...] | None:
    """The artifacts of a known version in the order of the classpath; ``None`` when it isn't known."""
    resource = files(__package__).joinpath("releases", f"{version}.json")
    if not is_version(version) or not resource.is_file():
        return None
    record = json.loads(resource.read_text("utf-8"))
    return tuple(
        EngineFile(
            name=str(one["name"]),
            identifier=str(one["identifier"]),
            sha256=Fingerprint.parse(one["sha256"]).digest,
            size=int(one["size"]),
        )
        for one in record["files"]
    )


def compare(version: str, found: Sequence[EngineFile], wanted: Sequence[EngineFile], promised: str) -> None:
    """Refuse files that are not the wanted ones. ``promised`` completes "... is not what".

    Raises:
        DigestError: the first file that differs, is missing or is too many is named.
    """
    by_name = {one.name: one for one in found}
    for one in wanted:
        there = by_name.pop(one.name, None)
        if there is None or there.sha256 != one.sha256:
            raise _differs(
                version,
                one.name,
                f"is not what {promised}" if there else f"is missing, and {promised} it",
                expected=one.sha256,
                actual=there.sha256 if there else None,
            )
    for surplus in by_name.values():
        raise _differs(
            version, surplus.name, f"is there, and not what {promised}", expected=None, actual=surplus.sha256
        )


def _differs(version: str, name: str, what: str, *, expected: str | None, actual: str | None) -> DigestError:
    digests = f": sha256 is {actual}, expected {expected}" if expected and actual else ""
    return DigestError(
        f"the file {name} of Nextflow {version} {what}{digests}",
        hint="where it was fetched from (or a copy that mvn or a proxy keeps) there are other bytes; none were kept",
        where=name,
        expected=expected,
        actual=actual,
    )
