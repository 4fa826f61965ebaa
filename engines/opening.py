"""Opening: the event that begins a run's journal, with all that is known before anything of it is started."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from engines.base import RunRequest
from engines.containers.base import Containers
from engines.host import facts
from engines.journal import JOURNAL, JOURNAL_SCHEMA, events, timestamp
from engines.own_folders import numbers
from engines.processes import identity
from engines.relative import Relative


def first_line(request: RunRequest) -> dict[str, Any]:
    """The event that begins a journal."""
    engine: dict[str, Any] = {
        "name": request.engine.name,
        "version": request.engine.version,
        "sha256": request.engine.fingerprint,
    }
    if request.engine.platform:
        engine["platform"] = dict(request.engine.platform)
    first = {
        "event": "run-started",
        "time": timestamp(),
        "schema": JOURNAL_SCHEMA,
        "run": request.run,
        "uuid": request.uuid,
        "owner": identity(os.getpid()),
        "engine": engine,
        "plan_digest": str(request.plan.digest),
        "parameters": Relative(request.content).tree(request.parameters),
        "overrides": request.overrides,
        "environment": request.environment,
        "host": facts(),
        "folders": numbers(request.folder),
    }
    if request.resume is not None:
        first["resumed"] = request.resume.run
    if request.allowed:
        first["allowed"] = list(request.allowed)
    if request.containers is not None:
        first |= _told_containers(request.containers)
    return first


def earlier_runs(request: RunRequest) -> tuple[Path, ...]:
    """The folders of the run that this one goes on from, of that which it went on from, and so on."""
    found: list[Path] = []
    folder = None if request.resume is None else request.resume.folder
    while folder is not None and folder not in found and (folder / JOURNAL).is_file():
        found.append(folder)
        first = next((one for one in events(folder / JOURNAL) if one["event"] == "run-started"), {})
        number = first.get("resumed")
        folder = folder.parent / str(number) if isinstance(number, int) else None
    return tuple(found)


def _told_containers(containers: Containers) -> dict[str, Any]:
    """What the record says of the runtime and the images."""
    images = {(one.name, one.digest): one for one in containers.images.values()}
    runtime = {"name": containers.runtime.name, "version": containers.facts.version}
    return {
        "runtime": {**runtime, "notes": dict(containers.facts.notes)},
        "images": [{"name": one.name, "digest": one.digest, "id": one.config} for one in images.values()],
    }
