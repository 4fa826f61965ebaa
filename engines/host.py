"""The host: what of a machine belongs in the record of a run (no names of it or of its users)."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from staging.plan import Json

_DISPLAYS = "0x03"
_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
_DEVICES = Path("/sys/bus/pci/devices")
_NVIDIA = Path("/proc/driver/nvidia/gpus")


def facts() -> dict[str, Json]:
    """Architecture, kernel, operating system, processor, cores that may be used, memory in bytes, Python, and GPUs."""
    system = os.uname()
    found: dict[str, Json] = {
        "architecture": system.machine,
        "kernel": f"{system.sysname} {system.release}",
        "operating_system": _os_release(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
    }
    if gpus := graphics():
        found["gpus"] = gpus
    return found


def graphics(devices: Path = _DEVICES, nvidia: Path = _NVIDIA) -> list[str]:
    """The graphics processors that compute: by their driver's name for them, else by maker and PCI number.

    What only has a screen to show (the chip of a server's board) is by none of the makers known here.
    Source: sysfs-bus-pci (Linux), PCI Code and ID Assignment Specification (class 03), README of NVIDIA's driver.
    """
    found = []
    for device in sorted(devices.iterdir()) if devices.is_dir() else ():
        kind, vendor, number = (next(iter(_lines(str(device / one), 64)), "") for one in ("class", "vendor", "device"))
        if kind.startswith(_DISPLAYS) and vendor in _VENDORS:
            told = _lines(str(nvidia / device.name / "information"), 4096)
            model = next((line.partition(":")[2].strip() for line in told if line.startswith("Model:")), "")
            product = next(iter(_lines(str(device / "product_name"), 256)), "").strip()
            found.append(model or product or f"{_VENDORS[vendor]} {number.removeprefix('0x')}")
    return found


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
