"""Generations: the two families of profiles that a crate can be of, which no crate can mix.

====================  ================  =====================  ==================
RO-Crate              Workflow RO-Crate  Workflow Run RO-Crate  ``--wrroc``
====================  ================  =====================  ==================
1.1                   1.0                0.5                    ``0.5`` (default)
1.3                   1.1                0.6                    ``0.6``
====================  ================  =====================  ==================

The entities are the same. What differs is the context, by which ComputationalWorkflow, FormalParameter, input and
output mean other addresses; the profiles that are named; and that Workflow RO-Crate 1.1 is declared by the root alone.
Source: Workflow Run RO-Crate 0.6, "Compatibility".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wfexs_like.crate.vocabulary import EXTRA_TERMS

_WORKFLOW_RO_CRATE: Final = "https://w3id.org/workflowhub/workflow-ro-crate"
_RUN: Final = "https://w3id.org/ro/wfrun"
_RUN_PROFILES: Final = {
    "process": "Process Run Crate",
    "workflow": "Workflow Run Crate",
    "provenance": "Provenance Run Crate",
}
_BUILD_INSTRUCTIONS: Final = "https://codemeta.github.io/terms/buildInstructions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One family of profiles. ``wrroc`` is the version of Workflow Run RO-Crate, which stands for all of it.

    ``terms`` are what a crate may use besides RO-Crate's own words, with their addresses. ``on_descriptor`` says that
    the metadata's own entity declares Workflow RO-Crate, too; ``profile_types`` what a
    profile is.
    """

    wrroc: str
    ro_crate_version: str
    workflow_ro_crate_version: str
    terms: Mapping[str, str]
    on_descriptor: bool
    profile_types: tuple[str, ...]

    @property
    def ro_crate(self) -> str:
        """The address of RO-Crate's version."""
        return f"https://w3id.org/ro/crate/{self.ro_crate_version}"

    @property
    def context(self) -> str:
        """The address of its JSON-LD context."""
        return f"{self.ro_crate}/context"

    @property
    def workflow_ro_crate(self) -> str:
        """The address of Workflow RO-Crate's version."""
        return f"{_WORKFLOW_RO_CRATE}/{self.workflow_ro_crate_version}"

    @property
    def runs(self) -> tuple[str, str, str]:
        """The addresses of Process, Workflow and Provenance Run Crate."""
        process, workflow, provenance = (f"{_RUN}/{name}/{self.wrroc}" for name in _RUN_PROFILES)
        return process, workflow, provenance

    @property
    def names(self) -> Mapping[str, tuple[str, str]]:
        """Name and version of each of its profiles."""
        told = dict(zip(self.runs, ((name, self.wrroc) for name in _RUN_PROFILES.values()), strict=True))
        return {self.workflow_ro_crate: ("Workflow RO-Crate", self.workflow_ro_crate_version), **told}


FIRST: Final = Generation(
    wrroc="0.5",
    ro_crate_version="1.1",
    workflow_ro_crate_version="1.0",
    # RO-Crate 1.3 has it in its own context.
    terms={**EXTRA_TERMS, "buildInstructions": _BUILD_INSTRUCTIONS},
    on_descriptor=True,
    profile_types=("CreativeWork",),
)
SECOND: Final = Generation(
    wrroc="0.6",
    ro_crate_version="1.3",
    workflow_ro_crate_version="1.1",
    terms=EXTRA_TERMS,
    on_descriptor=False,
    profile_types=("CreativeWork", "Profile"),
)
GENERATIONS: Final[Mapping[str, Generation]] = {one.wrroc: one for one in (FIRST, SECOND)}
"""By the version of Workflow Run RO-Crate."""


def generation_of(context: object) -> Generation:
    """The generation of a document with that ``@context``; the first where it isn't the second's."""
    stated = context if isinstance(context, list) else [context]
    return SECOND if SECOND.context in stated else FIRST
