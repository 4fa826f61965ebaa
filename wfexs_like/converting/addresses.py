"""Addresses: an absolute URI for everything that a crate names, wherever the crate lies.

What a crate names relative to itself is an address below ``arcp://uuid,…/``, which says "inside of that archive" and
promises no server. All of them are plain ASCII, whatever a hostile name holds.
Source: RFC 3986; "The Archive and Package (arcp) URI scheme" (draft-soilandreyes-arcp-03); CWLProv 0.6.0 for
``urn:hash``.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from wfexs_like.reading.account import Account, Item, Run

CONTENT: Final = "urn:hash::sha256:"
"""What the address of bytes begins with, wherever they lie; their sha256 in hexadecimal follows."""

_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?=.)", re.DOTALL)
_STRAY_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SHA256: Final = re.compile(r"[0-9A-Fa-f]{64}")
_HARMLESS: Final = re.compile(r"[A-Za-z0-9!$&'()*+,;=:@/?._~-]*")
_SAFE: Final = "!$&'()*+,;=:@/?-._~%"


def sound(text: str) -> str:
    """``text`` as it can be written into a document: halves of characters, which are none, are replaced."""
    return text.encode("utf-8", "replace").decode() if _is_broken(text) else text


def _is_broken(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= one <= "\udfff" for one in text)


def base_of(account: Account) -> str:
    """What addresses within the crate begin with: the same for the same runs of the same workflow, wherever it lies."""
    document = account.workflow.document if account.workflow is not None else None
    told = [
        account.name,
        account.published,
        None if document is None else _mark(document),
        [[run.execution.id, str(run.execution.started), *map(_mark, _data_of(run))] for run in account.runs],
    ]
    digest = sha256(json.dumps(told, default=str).encode()).hexdigest()
    return f"arcp://uuid,{uuid.uuid5(uuid.NAMESPACE_URL, f'wfexs-like:crate:{digest}')}/"


def _data_of(run: Run) -> Iterator[Item]:
    for slot in (*run.execution.inputs, *run.execution.outputs):
        yield from slot.items


def _mark(item: Item) -> list[object]:
    return [item.id, sorted(item.digests.items())]


def address(base: str, identifier: str) -> str:
    """The absolute URI of what a crate calls ``identifier``: its own where it is one, else one below ``base``."""
    if _ABSOLUTE.match(identifier) and not identifier.startswith("_:"):
        return _encoded(identifier)
    inner = identifier.removeprefix("./")
    if inner.startswith("_:"):
        inner = f"#{inner}"
    slashes = len(inner) - len(inner.lstrip("/"))
    return base + "%2F" * slashes + _encoded(inner[slashes:])


def content_address(item: Item) -> str | None:
    """The address of an item's bytes, where their sha256 is told."""
    told = item.digests.get("sha256")
    return CONTENT + told.lower() if told is not None and _SHA256.fullmatch(told) else None


def file_name(item: Item) -> str:
    """The name of its file: in the crate where it is there, since what it is called may be a title."""
    return item.path.rstrip("/").rpartition("/")[2] if item.path else item.name


def is_on_the_web(text: str | None) -> bool:
    """Whether that is an address that anybody may ask."""
    return text is not None and text.startswith(("https://", "http://", "ftp://"))


def _encoded(text: str) -> str:
    document, hash_sign, fragment = text.partition("#")
    return _quoted(document) + hash_sign + _quoted(fragment)


def _quoted(text: str) -> str:
    if _HARMLESS.fullmatch(text):
        return text
    return quote(_STRAY_PERCENT.sub("%25", text), safe=_SAFE, errors="replace")
