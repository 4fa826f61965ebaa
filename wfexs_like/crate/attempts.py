"""Attempts: what a run tried to reach and did not, in words for a crate."""

from __future__ import annotations

from engines.execution import Attempt, Execution
from wfexs_like.crate.discretion import Discretion

SHOWN = 50
"""So many are told one by one."""


def tried(execution: Execution, discretion: Discretion) -> tuple[str, ...]:
    """Each thing that the run tried to reach, once."""
    return tuple(dict.fromkeys(discretion.log(_words(one)) for one in execution.attempts))


def in_short(execution: Execution) -> str:
    """What became of attempts to use a network, in a clause; empty where nobody watched."""
    if execution.network != "namespace" or not execution.watched:
        return ""
    count = len(execution.attempts) + execution.attempts_unlisted
    if count == 0:
        return "without a network, which nothing tried to use"
    return f"without a network: {count} attempt{'' if count == 1 else 's'} to use one failed"


def not_seen(execution: Execution, discretion: Discretion) -> str:
    """What of that was not watched, as a sentence; empty where all was."""
    if execution.network != "namespace":
        return ""
    because = f": {discretion.log(execution.unwatched_because)}" if execution.unwatched_because else ""
    if not execution.watched:
        return f"Attempts to use a network were not recorded{because}." if because else ""
    if execution.containers_watched is False:
        return f"Attempts to use a network in containers were not recorded{because}."
    return ""


def _words(attempt: Attempt) -> str:
    if attempt.name is not None:
        what = f"the name {attempt.name}"
        what += f" (asked of {attempt.address})" if attempt.address else ""
    else:
        host = f"[{attempt.address}]" if attempt.address and ":" in attempt.address else attempt.address or "somebody"
        what = host if attempt.port is None else f"{host}:{attempt.port}"
        what = f"{attempt.protocol} {what}"
    by = f" by {attempt.program}" if attempt.program else ""
    step = f" in the step {attempt.step}" if attempt.step else ""
    times = f", {attempt.count} times" if attempt.count > 1 else ""
    return f"{what}{by}{step}{times}"
