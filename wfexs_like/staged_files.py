"""The files of a working directory that say what was staged: the lock, what its author wrote, and what it takes."""

from __future__ import annotations

from collections.abc import Sequence

from engines.base import WorkflowInterface
from engines.interface import interface_as_json
from staging.definition import StageDefinition
from staging.placing import write_atomically, write_json
from staging.plan import Plan
from staging.workdir import ABOUT, INTERFACE, JOB_FILE, LOCK, STAGE_FILE, NewWorkdir


def write_staged(
    new: NewWorkdir,
    definition: StageDefinition,
    interface: WorkflowInterface,
    plan: Plan,
    *,
    seal_for: Sequence[dict[str, str]] = (),
) -> None:
    """Write them; ``seal_for`` are the recipients of its crates, as ``wfexs_like.sealing.read_staged`` has them."""
    about: dict[str, object] = {
        "title": definition.title,
        "description": definition.description,
        "licence": definition.licence,
        "authors": [dict(one) for one in definition.authors],
    }
    if seal_for:
        about["seal"] = list(seal_for)
    write_json(new.content / INTERFACE, interface_as_json(interface))
    write_json(new.content / ABOUT, about)
    write_atomically(new.content / STAGE_FILE, definition.text.encode())
    if definition.job_text is not None:
        write_atomically(new.content / JOB_FILE, definition.job_text.encode())
    write_atomically(new.content / LOCK, plan.lock_bytes())
