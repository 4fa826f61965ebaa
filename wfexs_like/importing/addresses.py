"""Addresses in crates of others: what may be fetched for one, and how what came out of one is named.

A crate is data that anybody may have made: it names no file of its reader's, nor has anything fetched from the network
that its reader is in, unless whoever made it knew what is there.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from staging.elsewhere import OF_ONE_MACHINE
from staging.errors import PolicyError
from staging.fetchers.base import FETCHERS
from staging.fetchers.hosts import is_inside
from staging.identifiers import Identifier, IdentifierError
from staging.plan import PlanItem

_UNPACKED: Final = "unpacked"
"""The fragment that names what is in an archive; a path in there follows a slash."""


def address_anywhere(text: str, *, stated: bool) -> Identifier | None:
    """The identifier of what can be had from anywhere; ``None`` when it is of one machine, or none that we can fetch.

    ``stated``: whether a digest is stated of what is there.

    Raises:
        PolicyError: its host is in the reader's own network, and nobody states what has to come from there.
    """
    try:
        found = Identifier.parse(text)
    except IdentifierError:
        return None
    if found.scheme not in FETCHERS.names() or found.scheme in OF_ONE_MACHINE:
        return None
    host = urlsplit(str(found)).hostname
    if not stated and host is not None and is_inside(host):
        raise PolicyError(
            f"the crate would have {found} fetched, from within your own network, and states no sha256 of it",
            hint="fetch it yourself, and write a stage file, if you know what that is",
            where=str(found),
        )
    return found


def path_inside(identifier: Identifier, place: Path) -> str | None:
    """The path in the crate at ``place`` of what an item of its import was named; ``None``: it is not in there.

    The crate itself is ``.``.
    A crate is a folder, or an archive by whose name, wherever it lies now, what is in it is known.
    """
    local = identifier.local_path
    if local is None:
        return None
    head, _, inner = identifier.fragment.partition("/")
    if head == _UNPACKED:
        return (unquote(inner) or ".") if local.name == place.name else None
    whole = place.absolute()
    return str(local.relative_to(whole)) if local.is_relative_to(whole) and ".." not in local.parts else None


def named_by_archive(item: PlanItem, archive: Path, root: Path) -> PlanItem:
    """The item, named by the archive that it was in and not by the folder ``root`` that this was unpacked into."""

    def named(text: str) -> str:
        inner = path_inside(Identifier.parse(text), root) if text.startswith("file:") else None
        if inner is None:
            return text
        fragment = _UNPACKED if inner == "." else f"{_UNPACKED}/{quote(inner)}"
        return str(replace(Identifier.of_path(archive), fragment=fragment))

    return replace(item, identifier=named(item.identifier), pinned=named(item.pinned))
