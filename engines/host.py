"""The host: what of a machine belongs in the record of a run (no names of it or of its users)."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from staging.plan import Json


def facts() -> dict[str, Json]:
    """Architecture, kernel, operating system, processor, cores that may be used, memory in bytes, Python."""
    system = os.uname()
    return {
        "architecture": system.machine,
        "kernel": f"{system.sysname} {system.release}",
        "operating_system": _os_release(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
    }


def _os_release() -> str | None:
    """``PRETTY_NAME`` of os-release(5)."""
    for line in _lines("/etc/os-release", 8192):
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            return value.strip().strip('"')
    return None


def _processor() -> str | None:
    for line in _lines("/proc/cpuinfo", 4096):
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Hardware", "cpu model"):
            return value.strip()
    return None


def _lines(path: str, limit: int) -> list[str]:
    try:
        with Path(path).open("rb") as stream:
            return stream.read(limit).decode(errors="replace").splitlines()
    except OSError:
        return []
