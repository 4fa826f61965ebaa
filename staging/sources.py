"""Where a content is to be had: ``url`` and its relatives in a stage file, ``location`` and ``path`` in a CWL job."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from staging.definition import Source
from staging.errors import WfexsError
from staging.fetchers.base import FETCHERS
from staging.fingerprints import Fingerprint
from staging.grammar import (
    GIVEN,
    KEY,
    Cursor,
    Fields,
    as_choice,
    as_integer,
    as_list,
    as_text,
    read_fields,
    unbuilt,
)
from staging.identifiers import Identifier
from staging.nodes import ListNode, MapNode, plain, shown

# CRediT, https://credit.niso.org/contributor-roles-defined/
CREDIT_ROLES = (
    "conceptualization",
    "data-curation",
    "formal-analysis",
    "funding-acquisition",
    "investigation",
    "methodology",
    "project-administration",
    "resources",
    "software",
    "supervision",
    "validation",
    "visualization",
    "writing-original-draft",
    "writing-review-editing",
)
SHA256_PATTERN = r"^\s*(?:[sS][hH][aA]256:)?[0-9a-fA-F]{64}\s*$"
_SHA256 = re.compile(SHA256_PATTERN)
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """One place of a content, with what is said of the content there."""

    identifier: Identifier
    sha256: Fingerprint | None = None
    size: int | None = None
    licences: tuple[str, ...] = ()
    attributions: tuple[Mapping[str, object], ...] = ()


def read_identifier(cursor: Cursor, text: str) -> Identifier | None:
    """The identifier that ``text`` is; a relative one is made relative to the stage file's folder."""
    try:
        identifier = Identifier.parse(text)
    except WfexsError as error:
        cursor.fault(error.message, error.hint, structural=False)
        return None
    if identifier.scheme and not _is_fetchable(cursor, identifier.scheme):
        return None
    folder = cursor.origin.folder
    if not identifier.is_relative or not folder:
        return identifier
    moved = Identifier.parse(posixpath.join("/" if folder.startswith("/") else ".", folder, unquote(identifier.body)))
    return replace(moved, fragment=identifier.fragment)


def _is_fetchable(cursor: Cursor, scheme: str) -> bool:
    """Whether a fetcher knows the scheme; a fault where none does, the first of which lists those that are known."""
    known = FETCHERS.names()
    if scheme in known:
        return True
    hint = f"known schemes: {', '.join(known)}"
    told = any(one.hint == hint for one in cursor.origin.faults.found)
    cursor.fault(f"nothing can fetch the scheme {shown(scheme)}", None if told else hint, structural=False)
    return False


def read_location(cursor: Cursor) -> Identifier | None:
    """A CWL ``location``: a URI reference, so ``%20`` in a relative one is a space."""
    text = as_text(cursor)
    if text is None:
        return None
    text = cursor.origin.fill(text)
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", text)
    return read_identifier(cursor, text if scheme else _as_local(unquote(text)))


def read_path(cursor: Cursor) -> Identifier | None:
    """A CWL ``path``: a local path, character by character; only ``something://`` is taken for the URI it must be."""
    text = as_text(cursor)
    if text is None:
        return None
    text = cursor.origin.fill(text)
    return read_identifier(cursor, text if _REMOTE.match(text) else _as_local(text))


def _as_local(text: str) -> str:
    """A path that can't be taken for a scheme."""
    return text if text.startswith("/") else f"./{text}"


def read_urls(cursor: Cursor) -> tuple[list[Source], bool]:
    """The contents that a ``url`` names, each with its mirrors, and whether it is a list of them."""
    if not isinstance(cursor.node, ListNode):
        source = read_mirrors([cursor], cursor.where)
        return ([] if source is None else [source]), False
    sources = []
    for one in as_list(cursor, 1):
        mirrors = as_list(one, 2) if isinstance(one.node, ListNode) else [one]
        source = read_mirrors(mirrors, one.where)
        if source is not None:
            sources.append(source)
    return sources, True


def read_mirrors(cursors: Sequence[Cursor], where: str) -> Source | None:
    """One content that can be had at each of the places."""
    located = [one for one in (_read_located(cursor) for cursor in cursors) if one is not None]
    if not located or len(located) < len(cursors):
        return None
    for cursor, one in zip(cursors, located, strict=True):
        first = located[0]
        if (one.sha256 and first.sha256 and one.sha256 != first.sha256) or (
            one.size is not None and first.size is not None and one.size != first.size
        ):
            cursor.fault("mirrors hold the same content, but this one's sha256 or size differs", structural=False)
    return Source(
        mirrors=tuple(one.identifier for one in located),
        sha256=next((one.sha256 for one in located if one.sha256), None),
        size=next((one.size for one in located if one.size is not None), None),
        licences=tuple(dict.fromkeys(licence for one in located for licence in one.licences)),
        attributions=tuple(attribution for one in located for attribution in one.attributions),
        where=where,
    )


def read_digest(cursor: Cursor) -> Fingerprint | None:
    """A ``sha256``."""
    text = as_text(cursor)
    if text is None:
        return None
    if _SHA256.match(text) is None:
        cursor.fault("not a sha256: 64 hexadecimal digits are expected")
        return None
    return Fingerprint.parse(text)


def read_licences(cursor: Cursor) -> tuple[str, ...]:
    """A list of licences: URIs or SPDX names."""
    return tuple(text for text in map(as_text, as_list(cursor)) if text is not None)


def read_attributions(cursor: Cursor) -> tuple[Mapping[str, object], ...]:
    """Who is to be named for a content, and for which CRediT roles."""
    attributions: list[Mapping[str, object]] = []
    for one in as_list(cursor):
        fields = read_fields(one, _ATTRIBUTION, required=("name", "pid", "roles"))
        if fields is None:
            continue
        fields.text("name")
        fields.text("pid")
        fields.read("roles", _read_roles)
        value = plain(one.node)
        assert isinstance(value, dict)
        attributions.append(value)
    return tuple(attributions)


def with_stated(sources: list[Source], fields: Fields) -> list[Source]:
    """The sources with the ``sha256`` and ``size`` that stand beside their ``url``, which is to be one then."""
    sha256, size = fields.read("sha256", read_digest), fields.read("size", as_integer)
    if len(sources) == 1:
        known = sources[0]
        for key, stated, before in (("sha256", sha256, known.sha256), ("size", size, known.size)):
            if stated is not None and before is not None and stated != before:
                message = f"this {key} differs from the one given with the uri"
                fields.cursor.fault_at_key(key, message, structural=False)
        return [replace(known, sha256=sha256 or known.sha256, size=known.size if size is None else size)]
    for key in ("sha256", "size"):
        if key in fields and sources:
            message = f"'{key}' beside a url of {len(sources)} files doesn't say which of them is meant"
            fields.cursor.fault_at_key(key, message, "write it beside each uri", structural=False)
    return sources


def _read_located(cursor: Cursor) -> Located | None:
    if not isinstance(cursor.node, MapNode):
        text = as_text(cursor)
        identifier = None if text is None else read_identifier(cursor, cursor.origin.fill(text))
        return None if identifier is None else Located(identifier=identifier)
    fields = read_fields(cursor, _URI, required=("uri",))
    assert fields is not None
    text = fields.text("uri")
    identifier = None if text is None else read_identifier(cursor.child("uri"), cursor.origin.fill(text))
    sha256, size = fields.read("sha256", read_digest), fields.read("size", as_integer)
    licences, attributions = fields.read("licences", read_licences), fields.read("attributions", read_attributions)
    if identifier is None:
        return None
    return Located(
        identifier=identifier,
        sha256=sha256,
        size=size,
        licences=licences or (),
        attributions=attributions or (),
    )


def _read_roles(cursor: Cursor) -> None:
    for role in as_list(cursor, 1):
        as_choice(role, CREDIT_ROLES)


def _read_members(cursor: Cursor) -> None:
    for one in as_list(cursor, 1):
        fields = read_fields(one, _MEMBER, required=("name",))
        if fields is not None:
            for key in _MEMBER:
                fields.text(key)


_ATTRIBUTION = {"name": GIVEN, "pid": GIVEN, "roles": GIVEN}
_MEMBER = {"name": GIVEN, "as": KEY, "place_at": KEY}
_URI = {
    "uri": GIVEN,
    "sha256": KEY,
    "size": KEY,
    "licences": KEY,
    "attributions": KEY,
    "member": unbuilt(_read_members),
    "security-context": unbuilt(as_text),
}
