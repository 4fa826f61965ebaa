"""Class data: the archive that lets a Java start with Nextflow's classes read and verified before (class data sharing).

It is made once for a Java and an engine, and loaded only while it is the one that was made here: Java believes what is
in it without verifying it again.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from engines.nextflow.setup import support_jar
from engines.nextflow.setup.records import holds_beside
from staging.fingerprints import StatSignature

FIRST_JAVA = 13
"""The first Java that can make such an archive of a program's own classes when it ends."""


def place(home: Path, java: Path, version: str, major: int) -> Path | None:
    """Where the archive of this Java (``version``: its own) is for the engine at ``home``; ``None``: it makes none."""
    if major < FIRST_JAVA:
        return None
    try:
        signatures = [StatSignature.of(os.path.realpath(one)) for one in _binaries(java)]
    except OSError:
        return None
    key = hashlib.sha256(f"{java}\n{version}\n{signatures}".encode()).hexdigest()[:12]
    jar = support_jar.place(home)
    return home / f"classes-{key}-{jar.stem.rpartition('-')[2] if jar else 'bare'}.jsa"


def usable(home: Path, java: Path, version: str, major: int) -> Path | None:
    """The archive if it is there and still the one that was made here."""
    archive = place(home, java, version, major)
    return archive if archive is not None and holds_beside(archive) else None


def _binaries(java: Path) -> tuple[Path, ...]:
    """The program, and the library that is the machine itself."""
    machine = java.parent.parent / "lib" / "server" / "libjvm.so"
    return (java, machine) if machine.exists() else (java,)
