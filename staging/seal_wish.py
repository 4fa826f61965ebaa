"""For whom a stage file has its crates sealed, when somebody asks for a sealed one: ``seal: {recipients: [...]}``."""

from __future__ import annotations

from staging.grammar import KEY, Cursor, as_list, as_text, read_fields

_SEAL = {"recipients": KEY}


def read_seal(cursor: Cursor) -> tuple[str, ...]:
    """Public keys, or the paths of their files, as they are written."""
    fields = read_fields(cursor, _SEAL)
    if fields is None:
        return ()
    stated = fields.read("recipients", lambda one: [as_text(item) for item in as_list(one)]) or []
    return tuple(cursor.origin.fill(one) for one in stated if one is not None)
