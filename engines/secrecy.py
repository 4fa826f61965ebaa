"""Secrecy: what may let something of a secret run be found in clear elsewhere, and the word that allows it.

A run in an encrypted working directory is refused where that can't be prevented, unless its user allows that one
reason. What was allowed is in the run's record.
"""

from __future__ import annotations

from typing import Final

from staging.errors import PolicyError

OPEN_WALLS: Final = "open-walls"
CONTAINER_RECORDS: Final = "container-records"
WRITABLE_CONTAINERS: Final = "writable-containers"

REASONS: Final = {
    OPEN_WALLS: "tools may write anywhere on this host: it lets nothing be mounted in a namespace of the run's own",
    CONTAINER_RECORDS: (
        "the container runtime writes what it is told down where it keeps containers: command lines, environments,"
        " and the names of what is mounted"
    ),
    WRITABLE_CONTAINERS: "what containers write to their own copies of images lies where the runtime keeps them",
}
"""Why something may be found in clear, by the words for ``run --allow``."""


def refusal(reason: str, detail: str | None = None) -> PolicyError:
    """The error for a run that would let something be found."""
    return PolicyError(
        f"the working directory is encrypted, and {REASONS[reason]}" + (f" ({detail})" if detail else ""),
        hint=f'"--allow {reason}" runs nevertheless, which the run\'s record then says',
        where=reason,
    )
