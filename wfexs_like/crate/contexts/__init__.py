"""JSON-LD contexts that are built in, so that a crate is validated without the network.

``ro-crate-1.1.jsonld``, ``ro-crate-1.2.jsonld`` and ``ro-crate-1.3.jsonld`` are the RO-Crate project's contexts
(CC0-1.0, as they say of themselves), as the Python package rocrate 0.15, the JavaScript package ro-crate 3.7.2 and
rocrate 0.16 carry them, without white space. ``workflow-run.jsonld`` has the sixteen terms of
https://w3id.org/ro/terms/workflow-run/context (Apache-2.0).
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent

CONTEXT_FILES = {
    "https://w3id.org/ro/crate/1.1/context": _HERE / "ro-crate-1.1.jsonld",
    "https://w3id.org/ro/crate/1.2/context": _HERE / "ro-crate-1.2.jsonld",
    "https://w3id.org/ro/crate/1.3/context": _HERE / "ro-crate-1.3.jsonld",
    "https://w3id.org/ro/terms/workflow-run/context": _HERE / "workflow-run.jsonld",
}
"""The file of each context that needs no network, by its address."""
