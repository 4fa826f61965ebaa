"""The subject of a crate: a working directory as the export needs to know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engines.base import WorkflowInterface
from engines.execution import Execution
from staging.areas import PLAIN
from staging.plan import Plan
from wfexs_like.settings import Person


@dataclass(frozen=True, slots=True, kw_only=True)
class CrateSubject:
    """What a crate is about.

    ``content`` is the working directory's content (``.../<id>/work``). ``licence`` is an SPDX identifier or an address.
    ``authors`` are those of the stage file (``name``, ``orcid``, ``affiliation``, each optional). ``person`` is who ran
    it. ``created`` is when it was staged (ISO 8601, UTC). ``vault`` is how the working directory is encrypted
    (``staging.areas``).
    ``configured``: the engine's configuration files are to be among the objects of its action (``engine_files``).
    ``imported`` is the crate that the working directory was made of (see ``WorkdirReport``), where it was.
    """

    content: Path
    plan: Plan
    interface: WorkflowInterface
    executions: tuple[Execution, ...]
    title: str | None
    description: str | None
    licence: str | None
    authors: tuple[Mapping[str, object], ...]
    person: Person | None
    created: str
    software_version: str
    workdir_id: str
    vault: str = PLAIN
    imported: Mapping[str, str] = field(default_factory=dict)
    configured: bool = False
