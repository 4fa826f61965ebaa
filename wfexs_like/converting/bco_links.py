"""What all domains of a BioCompute Object point with: its ``uri`` objects; and how it says that something isn't told.

Source: IEEE 2791-2020, 2791object.json, "definitions".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from wfexs_like.converting.addresses import address, file_name, is_on_the_web, sound
from wfexs_like.reading.account import Item, Slot

NOT_STATED: Final = "not stated"

_SHA1: Final = re.compile(r"[0-9A-Fa-f]{40}")


class Links:
    """Makes ``uri`` objects for the things of one crate; ``warnings`` are what had to be said to be not stated."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.warnings: dict[str, None] = {}

    def missing(self, what: str) -> str:
        """The text that stands where the standard wants one and the crate has none."""
        self.warnings[f"the crate doesn't tell {what}: the object says {NOT_STATED!r}"] = None
        return NOT_STATED

    def left_out(self, what: str) -> None:
        """Remember that the object is without something, which the standard allows."""
        self.warnings[what] = None

    def at(self, identifier: str) -> str:
        """The absolute URI of what the crate calls that."""
        return address(self.base, identifier)

    def to_item(self, item: Item) -> dict[str, Any]:
        """Where a file or folder is: on the web, where the crate lacks it, else inside the crate."""
        elsewhere = item.address if is_on_the_web(item.address) and not item.present else None
        name = file_name(item)
        found = {"filename": sound(name)} if name else {}
        found["uri"] = self.at(elsewhere or item.id)
        sha1 = item.digests.get("sha1", "")
        return found | ({"sha1_checksum": sha1.lower()} if _SHA1.fullmatch(sha1) else {})

    def to(self, identifier: str, elsewhere: str | None = None) -> dict[str, str]:
        """Where a thing that is no data is: its own page, else what the crate calls it."""
        return {"uri": self.at(elsewhere if elsewhere is not None and is_on_the_web(elsewhere) else identifier)}


def files_of(slots: Iterable[Slot]) -> Iterator[Item]:
    """The files and folders in slots, each once: of a collection what it is made of, of a folder the folder."""
    seen: set[str] = set()
    pending = [item for slot in slots for item in slot.items][::-1]
    while pending:
        item = pending.pop()
        if item.id in seen:
            continue
        seen.add(item.id)
        if item.kind == "collection":
            pending.extend(reversed(item.parts))
        elif item.kind != "value":
            yield item


def values_of(slots: Iterable[Slot]) -> Iterator[tuple[str, Any]]:
    """The values in slots, each with its parameter's name."""
    for slot in slots:
        for item in slot.items:
            if item.kind == "value":
                yield slot.name or item.name or item.id, item.value
