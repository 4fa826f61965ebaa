"""Whether a stage file asks for an encrypted working directory.

``vault`` names the kind. WfExS's ``workflow_config.secure: true`` and ``paranoid_mode: true`` ask for the usual one;
that the mount can be read by nobody else, which ``paranoid_mode`` adds there, goes without saying here.
"""

from __future__ import annotations

from staging.areas import ENCRYPTED, PLAIN, VAULTS
from staging.grammar import Cursor, Fields, as_choice, as_flag


def read_vault(fields: Fields, config: Fields | None) -> str | None:
    """The kind of vault, ``plain`` for none, or ``None`` where nothing is said."""
    chosen: str | None = None
    for cursor, kind in _wishes(fields, config):
        if kind is None:
            continue
        if chosen is not None and chosen != kind:
            cursor.fault(
                "one key of the stage file asks for an encrypted working directory, and another for one in clear",
                "say it once: vault: gocryptfs, or vault: plain",
                structural=False,
            )
            return None
        chosen = kind
    return chosen


def _wishes(fields: Fields, config: Fields | None) -> list[tuple[Cursor, str | None]]:
    wishes: list[tuple[Cursor, str | None]] = []
    if (vault := fields.get("vault")) is not None:
        wishes.append((vault, as_choice(vault, VAULTS)))
    if config is not None and (secure := config.get("secure")) is not None:
        flag = as_flag(secure)
        wishes.append((secure, None if flag is None else ENCRYPTED if flag else PLAIN))
    if (paranoid := fields.get("paranoid_mode")) is not None:
        # That it is not asked for says nothing of what is.
        wishes.append((paranoid, ENCRYPTED if as_flag(paranoid) else None))
    return wishes
