"""The configuration that is laid over a workflow's own: where the engine writes, what it may use, what stays off.

Nextflow reads it last (``-c``), so it wins over the workflow's files without touching them. Pure. Source: Nextflow's
reference of configuration scopes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from engines.base import Placement
from engines.nextflow.setup.versions import RESOURCE_LIMITS, Version
from staging.definition import EngineSettings, Limits

TRACE_FIELDS = (
    "task_id,hash,native_id,process,tag,name,status,exit,module,container,cpus,time,disk,memory,attempt,submit,start,"
    "complete,duration,realtime,queue,%cpu,%mem,rss,vmem,peak_rss,peak_vmem,rchar,wchar,syscr,syscw,read_bytes,"
    "write_bytes,vol_ctxt,inv_ctxt,workdir,scratch,error_action"
)
REPORTS = {"trace": "trace.txt", "report": "report.html", "timeline": "timeline.html", "dag": "dag.dot"}
# Our witness makes these with the engine's own classes, sooner (groovy/Reports.groovy).
_WITNESSED = frozenset({"report", "timeline"})
_POLL = "20 ms"
"""How often the engine looks whether a task has ended; its own 100 ms are longer than many a task."""

# What would fetch images and packages, or speak to services.
_OTHER_CONTAINERS = ("podman", "singularity", "apptainer", "charliecloud", "shifter", "sarus")
_OFF = (*_OTHER_CONTAINERS, "conda", "spack", "wave", "fusion", "tower", "notification")
_DOCKER = {
    "engineOptions": "''",
    "fixOwnership": "false",
    "kill": "true",
    "legacy": "false",
    "mountFlags": "''",
    "remove": "true",
    "sudo": "false",
    "temp": "null",
    "tty": "false",
    "userEmulation": "false",
    "writableInputMounts": "false",
}
"""What a workflow says of how the command is called and where containers may write: that is decided for it.

Its ``registry`` is part of an image's name, and its ``runOptions`` go by the same policy as a process's
``containerOptions``.
"""


def overlay(
    *,
    version: str,
    placement: Placement,
    settings: EngineSettings,
    limits: Limits,
    logs: Path,
    mark: str,
    has_processes: bool = True,
    containers: bool = False,
) -> str:
    """The text of the configuration for one run.

    ``limits`` are what the stage file asks for, which is all that tasks are cut down to; a task that wants more than
    the machine has fails by the engine's own rule. ``logs`` is the folder that takes the engine's own reports. ``mark``
    is a word that no workflow can have written. ``has_processes``: the workflow is known to have some.
    ``containers``: tasks run in them, by a command called ``docker``, whatever the runtime behind it is.
    """
    most = _largest(settings, limits, placement) if Version.parse(version) >= RESOURCE_LIMITS else []
    lines = (
        *_everywhere(logs),
        *_docker(containers=containers),
        *_executor(placement, settings),
        *_processes(settings, mark, most),
    )
    if not has_processes:
        # Else the engine warns that our selector matches none.
        lines += ("nextflow.enable.configProcessNamesValidation = false",)
    return "\n".join(lines) + "\n"


def _everywhere(logs: Path) -> Iterator[str]:
    """What stays off, and what is recorded."""
    yield "// Laid over the workflow's own configuration for this run."
    yield "cleanup = false"
    yield from (f"{scope}.enabled = false" for scope in _OFF)
    for scope, name in REPORTS.items():
        enabled = "false" if scope in _WITNESSED else "true"
        yield f"{scope} {{ enabled = {enabled}; overwrite = true; file = {quoted(str(logs / name))} }}"
    yield f"trace {{ raw = true; fields = {quoted(TRACE_FIELDS)} }}"


def _docker(*, containers: bool) -> Iterator[str]:
    """The one container engine that may be on."""
    if not containers:
        yield "docker.enabled = false"
        return
    yield "docker {"
    yield "  enabled = true"
    yield from (f"  {name} = {value}" for name, value in _DOCKER.items())
    yield "}"


def _executor(placement: Placement, settings: EngineSettings) -> Iterator[str]:
    """What all tasks may use together."""
    cores = min(placement.cores, settings.max_cpus or placement.cores)
    queue = f"; queueSize = {settings.max_processes}" if settings.max_processes else ""
    most = f"cpus = {cores}; memory = '{placement.memory} B'; pollInterval = '{_POLL}'{queue}"
    yield f"executor {{ name = 'local'; {most} }}"
    yield f"executor {{ $local {{ {most} }} }}"


def _processes(settings: EngineSettings, mark: str, most: Sequence[str]) -> Iterator[str]:
    """What each task has to keep to; ``most`` are its resource limits.

    Selectors win over what a process says of itself, and the last one over those before it. A selector that the
    workflow has too would keep the workflow's place among them.
    """
    yield "process {"
    yield f"  withName: {quoted(f'.*|{mark}')} {{"
    yield "    executor = 'local'"
    yield "    scratch = false"
    if settings.max_task_duration:
        yield f"    time = '{settings.max_task_duration} s'"
    if settings.max_retries is not None:
        yield f"    maxRetries = {settings.max_retries}"
        if settings.max_retries == 0:
            # The engine takes 0 for not said, which is one; with one error allowed there is no second attempt.
            yield "    maxErrors = 1"
    if most:
        yield f"    resourceLimits = [{', '.join(most)}]"
    yield "  }"
    yield "}"


def _largest(settings: EngineSettings, limits: Limits, placement: Placement) -> list[str]:
    """What one task may have at most, where the stage file says so."""
    largest = []
    cores = [one for one in (limits.cores, settings.max_cpus, settings.max_cpus_per_process) if one is not None]
    if cores:
        largest.append(f"cpus: {min(placement.cores, *cores)}")
    if limits.memory is not None:
        largest.append(f"memory: '{min(placement.memory, limits.memory)} B'")
    if settings.max_task_duration is not None:
        largest.append(f"time: '{settings.max_task_duration} s'")
    return largest


def quoted(text: str) -> str:
    """A Groovy string literal: between single quotes nothing is replaced, whatever is in it."""
    escapes = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
    return "'" + "".join(escapes.get(one) or (f"\\u{ord(one):04x}" if one < " " else one) for one in text) + "'"
