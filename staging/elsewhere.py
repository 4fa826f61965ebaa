"""Elsewhere: where anybody may have the bytes of an item from, not only the machine that it was staged on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from staging.fetchers.base import FETCHERS
from staging.identifiers import Identifier, IdentifierError
from staging.plan import PlanItem

OF_ONE_MACHINE: Final = frozenset({"file", "git+file", "oci", ""})
"""What lies on one machine is nowhere else, and what comes from elsewhere must not name files of ours."""


def addresses_of(item: PlanItem) -> Iterator[Identifier]:
    """Its addresses that hold anywhere: first what always means the same, then what was asked."""
    pinned = f"docker://{item.pinned}" if item.image is not None else item.pinned
    known = FETCHERS.names()
    seen = set()
    for text in (pinned, item.identifier):
        try:
            found = Identifier.parse(text)
        except IdentifierError:
            continue
        if found.scheme in known and found.scheme not in OF_ONE_MACHINE and str(found) not in seen:
            seen.add(str(found))
            yield found
