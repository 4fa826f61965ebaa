"""Prove: one trial run in which there is nothing but what was staged, and no network that anybody could miss.

Its outputs are thrown away, and it is none of the numbered runs. What stays is ``proof.json`` in the working directory.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from engines.base import Listener
from engines.execution import Execution, Status
from engines.journal import JOURNAL, is_live, timestamp
from engines.stopping import clear
from engines.summary import offline
from staging.placing import write_atomically
from staging.plan import Json
from staging.progress import Progress
from staging.store import ContentStore
from staging.workdir import StagedWorkdir
from wfexs_like.flow.run import Host, check_offline, make_ready, make_request
from wfexs_like.results import Proof, Verdict

PROOF: Final = "proof.json"
PROOF_SCHEMA: Final = "wfexs-like/proof/1"

_TRIAL = ".trial-"
_OF_THE_SYSTEM: Final = frozenset(
    (
        *("bin", "boot", "dev", "etc", "gnu", "lib", "lib32", "lib64", "libx32", "lost+found"),
        *("nix", "proc", "run", "sbin", "sys", "usr", "var"),
    )
)
"""The folders in ``/`` that programs live in. All others may hold what should have been staged."""

_ALSO = ("/var/tmp", "/var/lib/docker", "/var/lib/containers")  # noqa: S108 - they are covered, not used


def prove(
    workdir: StagedWorkdir,
    store: ContentStore,
    *,
    cache: Path,
    host: Host | None = None,
    beside: Sequence[Path] = (),
    listener: Listener | None = None,
    progress: Progress,
) -> Proof:
    """Make the trial run, and write down how it went.

    ``beside`` are further folders that nothing may come from. Whatever comes of it, the working directory is as it was,
    but for the proof.

    Raises:
        PolicyError: this host gives a run no network namespace, or lets nothing be mounted.
        DigestError: a staged file or the engine is no longer what the lock says.
    """
    check_offline()
    with workdir.use():
        _sweep(workdir.runs_path)
        ready = make_ready(workdir, store, cache=cache, params={}, progress=progress, host=host)
        folder = workdir.runs_path / f"{_TRIAL}{uuid.uuid4().hex[:12]}"
        folder.mkdir(parents=True)
        try:
            request = make_request(
                ready,
                workdir,
                store,
                number=0,
                folder=folder,
                require_offline=True,
                covered=(*_covered(), store.root, cache, *beside),
            )
            execution = ready.engine.run(request, listener or (lambda _event: None))
        finally:
            clear(folder)
            shutil.rmtree(folder, ignore_errors=True)
        proof = _proof(execution, workdir.content / PROOF)
        write_atomically(proof.path, (json.dumps(proof.form, indent=1, sort_keys=True) + "\n").encode())
        return proof


def _covered() -> tuple[Path, ...]:
    found = [Path("/", entry.name) for entry in os.scandir("/") if entry.is_dir(follow_symlinks=False)]
    return (*(one for one in sorted(found) if one.name not in _OF_THE_SYSTEM), *map(Path, _ALSO))


def _form(execution: Execution) -> dict[str, Json]:
    """``proof.json``."""
    return {
        "schema": PROOF_SCHEMA,
        "time": timestamp(),
        "lock_digest": execution.plan_digest,
        "engine": f"{execution.engine}@{execution.engine_version}",
        "host": execution.host,
        "proven": verdict_of(execution) is Verdict.PROVEN,
        "verdict": verdict_of(execution).value,
        "outcome": execution.status.value,
        "error": execution.error,
        "started": execution.started,
        "ended": execution.ended,
        "offline": offline(execution),
    }


def verdict_of(execution: Execution) -> Verdict:
    """What a trial shows."""
    cut_off = execution.status is Status.COMPLETED and execution.network == "namespace"
    if not cut_off or execution.attempts or execution.attempts_unlisted:
        return Verdict.NOT_PROVEN
    contained = any(one.started for one in execution.images)
    watched = execution.watched and (execution.containers_watched is True or not contained)
    return Verdict.PROVEN if watched else Verdict.ISOLATED


def _proof(execution: Execution, path: Path) -> Proof:
    return Proof(
        path=path,
        verdict=verdict_of(execution),
        outcome=execution.status.value,
        error=execution.error,
        unwatched_because=execution.unwatched_because,
        attempts=execution.attempts,
        tail=execution.tail,
        form=_form(execution),
    )


def _sweep(runs: Path) -> None:
    """Remove what a trial left that was killed."""
    for folder in runs.glob(f"{_TRIAL}*"):
        if (folder / JOURNAL).exists() and not is_live(folder / JOURNAL):
            clear(folder)
            shutil.rmtree(folder, ignore_errors=True)
