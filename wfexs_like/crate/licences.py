"""Licences: SPDX identifiers, known by the list that is shipped (``spdx.txt``), and addresses."""

from __future__ import annotations

import difflib
import re
from functools import cache
from pathlib import Path

from staging.errors import UsageError

_LIST = Path(__file__).with_name("spdx.txt")
_ADDRESS = re.compile(r"https?://\S+")
_OPERATOR = re.compile(r"\s+(?:AND|OR)\s+")


@cache
def _known() -> dict[str, str]:
    """Each identifier as it is spelt, by its small letters."""
    lines = _LIST.read_text(encoding="utf-8").splitlines()
    return {line.lower(): line for line in lines if line and not line.startswith("#")}


def spdx_identifier(text: str) -> str | None:
    """The SPDX identifier that a text is, as the list spells it; ``None`` for any other text."""
    return _known().get(text.strip().lower())


def licence_url(text: str) -> str | None:
    """The address of a licence given as an address or as an SPDX identifier, ``None`` for any other text."""
    text = text.strip()
    if _ADDRESS.fullmatch(text):
        return text
    known = spdx_identifier(text)
    return f"https://spdx.org/licenses/{known}" if known is not None else None


def check_licence(text: str) -> str:
    """A licence that a person asks for: an address, an SPDX identifier, or several joined by ``AND`` or ``OR``.

    Raises:
        UsageError: it is none of these.
    """
    text = text.strip()
    if _ADDRESS.fullmatch(text):
        return text
    for word in _OPERATOR.split(text):
        if spdx_identifier(word) is None and not re.fullmatch(r"LicenseRef-[A-Za-z0-9.-]+", word):
            close = difflib.get_close_matches(word.lower(), _known(), n=3, cutoff=0.7)
            meant = ", ".join(_known()[one] for one in close)
            hint = (
                f"did you mean {meant}?" if meant else "take an identifier of https://spdx.org/licenses or an address"
            )
            raise UsageError(f"there is no licence {word!r}", hint=hint, where="--licence")
    return spdx_identifier(text) or text
