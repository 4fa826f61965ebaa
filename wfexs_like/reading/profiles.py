"""Profiles: what the addresses are called that crates say they conform to."""

from __future__ import annotations

from typing import Final

_NAMES: Final = {
    "https://w3id.org/ro/wfrun/process/": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/": "Workflow RO-Crate",
    "https://w3id.org/ro/crate/": "RO-Crate",
}


def profile_name(address: str) -> str:
    """Name and version of a profile as its authors write them; of one that isn't known its address."""
    for start, name in _NAMES.items():
        version = address.removeprefix(start).rstrip("/")
        if version != address.rstrip("/") and version and "/" not in version:
            return f"{name} {version}"
    return address
