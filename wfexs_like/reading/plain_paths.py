"""Plain paths: those of which nobody can think anything bad, told at a glance: a crate may have very many."""

from __future__ import annotations

import re
from typing import Final

_LONGEST: Final = 255
_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+,=@-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.+,=@-]*)*")


def is_plain_path(text: str) -> bool:
    """Whether it is a short relative path of ordinary characters, which means itself also as a crate's ``@id``."""
    return len(text) <= _LONGEST and _PLAIN.fullmatch(text) is not None
