"""Step logs: how the files are called that a step's streams are kept in, below ``logs/steps`` of its run."""

from __future__ import annotations

import re
from urllib.parse import quote

_LONGEST = 80
_IDENTITY = 8
_NOT_PLAIN = re.compile(r"[^\w.-]+", re.ASCII)


def log_stem(name: str, identity: str = "") -> str:
    """The file name without ``.stdout`` or ``.stderr``. ``name`` and ``identity`` are a ``StepRun``'s name and id.

    Where only the name tells steps apart, all of it is in there. Where each attempt has an identity of its own, that
    one's first digits tell them apart, and of the name there is what a person knows it by.
    """
    if identity in ("", name):
        return quote(name, safe="")
    return f"{_NOT_PLAIN.sub('_', identity)[:_IDENTITY]}-{_NOT_PLAIN.sub('_', name)[:_LONGEST].strip('_')}"
