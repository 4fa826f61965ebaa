"""Engines made by hand: folders that are as setting up leaves them, with small files in place of an engine's."""

from __future__ import annotations

import time
from pathlib import Path

from engines.nextflow.setup.launching import JARS
from engines.nextflow.setup.records import EngineRecord, attest


def set_up(cache: Path, version: str, source: str = "maven") -> Path:
    """That version of Nextflow in a cache, made of two small files; returns the folder that they are in."""
    beside = cache / "engines" / "nextflow" / "beside"
    jars = beside / JARS
    jars.mkdir(parents=True)
    files = []
    for name in (f"nextflow-{version}.jar", "groovy.jar"):
        (jars / name).write_text(f"{name} from {source}")
    time.sleep(0.05)
    for path in sorted(jars.iterdir(), reverse=True):
        attested = attest(path, f"pkg:maven/{path.name}")
        assert attested is not None
        files.append(attested)
    record = EngineRecord(version=version, source=source, identifier="pkg:maven/x", known=True, files=tuple(files))
    record.write(beside / "engine.json")
    home = beside.with_name(f"{version}-{record.fingerprint[:12]}")
    beside.rename(home)
    return home / JARS
