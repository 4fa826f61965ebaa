"""File and Directory objects as a CWL job writes them.

Besides CWL's own keys they may say ``sha256``, ``licences``, ``attributions``, ``disclosable``, ``cacheable`` and
``clonable``. Source: CWL v1.2, sections "File" and "Directory".
"""

from __future__ import annotations

import re
from dataclasses import replace

from staging.definition import DirectoryValue, FileValue, Source
from staging.errors import PolicyError
from staging.fingerprints import Fingerprint, FingerprintError
from staging.grammar import GIVEN, KEY, Cursor, Fields, Key, as_integer, as_list, as_text, read_fields
from staging.identifiers import Identifier
from staging.nodes import MapNode, ScalarNode, shown
from staging.paths import safe_relative
from staging.sources import read_attributions, read_digest, read_licences, read_location, read_path

_COMMON: dict[str, Key] = {
    "class": GIVEN,
    "location": KEY,
    "path": KEY,
    "basename": KEY,
    "dirname": KEY,
    "licences": KEY,
    "attributions": KEY,
    "sha256": KEY,
    "disclosable": KEY,
    "cacheable": KEY,
    "clonable": KEY,
}
_FILE = {
    **_COMMON,
    "contents": KEY,
    "format": KEY,
    "size": KEY,
    "checksum": KEY,
    "secondaryFiles": KEY,
    "nameroot": KEY,
    "nameext": KEY,
}
_DIRECTORY = {**_COMMON, "listing": KEY}

_SHA1 = re.compile(r"[0-9a-f]{40}")

# An engine sets these itself, from the path and the base name: CWL v1.2, "File". What a job says there has no effect.
_DERIVED = ("dirname", "nameroot", "nameext")


def read_job_object(cursor: Cursor) -> FileValue | DirectoryValue | None:
    """The file or folder that an object with ``class`` says."""
    node = cursor.node
    kind = node.entries.get("class") if isinstance(node, MapNode) else None
    if isinstance(kind, ScalarNode) and kind.value == "File":
        return _read_file(cursor)
    if isinstance(kind, ScalarNode) and kind.value == "Directory":
        return _read_directory(cursor)
    cursor.expected("a map with 'class: File' or 'class: Directory'")
    return None


def expand_format(cursor: Cursor, name: str | None) -> str | None:
    """The IRI of a format whose prefix is among the ``$namespaces``."""
    if name is None:
        return None
    prefix, colon, rest = name.partition(":")
    namespace = cursor.origin.namespaces.get(prefix)
    return name if not colon or namespace is None else namespace + rest


def _read_file(cursor: Cursor) -> FileValue | None:
    fields = read_fields(cursor, _FILE)
    assert fields is not None
    fields.exclude(("location", "contents"), ("path", "contents"))
    if not any(key in fields for key in ("location", "path", "contents")):
        cursor.fault("a File needs a location, a path or contents")
    _check_derived(fields)
    contents = _read_contents(fields)
    source = _read_source(fields)
    secondary = _inherit(fields.read("secondaryFiles", _read_objects) or (), fields)
    return FileValue(
        source=source,
        contents=contents,
        basename=fields.read("basename", _read_basename),
        format=expand_format(cursor, fields.text("format")),
        secondary=secondary,
        disclosable=fields.flag("disclosable", default=True),
        cacheable=fields.flag("cacheable", default=True),
        clonable=fields.flag("clonable", default=True),
        where=cursor.where,
    )


def _read_directory(cursor: Cursor) -> DirectoryValue | None:
    """A folder. A ``listing`` says what is in it, so it goes before a location, as it does with cwltool."""
    fields = read_fields(cursor, _DIRECTORY)
    assert fields is not None
    if not any(key in fields for key in ("location", "path", "listing")):
        cursor.fault("a Directory needs a location, a path or a listing")
    _check_derived(fields)
    source = _read_source(fields)
    listing = fields.read("listing", _read_objects)
    basename = fields.read("basename", _read_basename)
    if listing is not None and source is not None:
        if source.sha256 is not None:
            message = "'sha256' is said of what the location holds, but the listing says what is in the folder"
            cursor.fault_at_key("sha256", message, "write it beside the files of the listing", structural=False)
        basename, source = basename or source.mirrors[0].name, None
    return DirectoryValue(
        source=source,
        listing=None if listing is None else _inherit(listing, fields),
        basename=basename,
        disclosable=fields.flag("disclosable", default=True),
        cacheable=fields.flag("cacheable", default=True),
        clonable=fields.flag("clonable", default=True),
        where=cursor.where,
    )


def _inherit(parts: tuple[FileValue | DirectoryValue, ...], fields: Fields) -> tuple[FileValue | DirectoryValue, ...]:
    """The parts of a file or folder, each as disclosable, cacheable and clonable as the whole at most."""
    off = {key for key in ("disclosable", "cacheable", "clonable") if not fields.flag(key, default=True)}
    return tuple(_without(one, off) for one in parts) if off else parts


def _without(value: FileValue | DirectoryValue, off: set[str]) -> FileValue | DirectoryValue:
    marked = replace(
        value,
        disclosable=value.disclosable and "disclosable" not in off,
        cacheable=value.cacheable and "cacheable" not in off,
        clonable=value.clonable and "clonable" not in off,
    )
    if isinstance(marked, FileValue):
        return replace(marked, secondary=tuple(_without(one, off) for one in marked.secondary))
    if marked.listing is None:
        return marked
    return replace(marked, listing=tuple(_without(one, off) for one in marked.listing))


def _read_objects(cursor: Cursor) -> tuple[FileValue | DirectoryValue, ...]:
    return tuple(one for one in map(read_job_object, as_list(cursor)) if one is not None)


def _read_source(fields: Fields) -> Source | None:
    sha256, size = fields.read("sha256", read_digest), fields.read("size", as_integer)
    sha256, sha1 = _with_checksum(fields, sha256)
    licences, attributions = fields.read("licences", read_licences), fields.read("attributions", read_attributions)
    identifier = _read_place(fields)
    if identifier is None:
        return None
    return Source(
        mirrors=(identifier,),
        sha256=sha256,
        size=size,
        sha1=sha1,
        licences=licences or (),
        attributions=attributions or (),
        where=fields.cursor.where,
    )


def _read_place(fields: Fields) -> Identifier | None:
    location, path = fields.read("location", read_location), fields.read("path", read_path)
    if location is not None and path is not None and location != path:
        fields.cursor.fault_at_key(
            "path", "'location' and 'path' name different things", "keep one of them", structural=False
        )
    return location or path


def _with_checksum(fields: Fields, sha256: Fingerprint | None) -> tuple[Fingerprint | None, str | None]:
    """The sha256, and the SHA-1 that CWL's own ``checksum`` usually is."""
    text = fields.text("checksum")
    if text is None:
        return sha256, None
    checksum = fields.cursor.child("checksum")
    algorithm, dollar, digest = text.partition("$")
    if dollar and algorithm == "sha1" and _SHA1.fullmatch(digest.lower()):
        return sha256, digest.lower()
    if not dollar or algorithm != "sha256":
        checksum.fault(
            f"a checksum by {shown(algorithm) if dollar else 'an unnamed algorithm'} can't be verified",
            "give the file's sha256 in a key 'sha256', or leave the checksum out",
            structural=False,
        )
        return sha256, None
    try:
        stated = Fingerprint.parse(digest)
    except FingerprintError as error:
        checksum.fault(error.message, error.hint, structural=False)
        return sha256, None
    if sha256 is not None and stated != sha256:
        checksum.fault("the checksum differs from the 'sha256' beside it", structural=False)
    return stated, None


def _read_contents(fields: Fields) -> str | None:
    child = fields.get("contents")
    if child is None:
        return None
    node = child.node
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        child.expected("the file's text", "put quotes around it" if isinstance(node, ScalarNode) else None)
        return None
    contents = child.origin.fill(node.value)
    size = fields.get("size")
    if size is not None and isinstance(size.node, ScalarNode) and size.node.value != len(contents.encode()):
        size.fault(f"the contents are {len(contents.encode())} bytes long", structural=False)
    if "sha256" in fields or "checksum" in fields:
        key = "sha256" if "sha256" in fields else "checksum"
        fields.cursor.fault_at_key(key, f"'{key}' is said of what a location points to", structural=False)
    return contents


def _read_basename(cursor: Cursor) -> str | None:
    text = as_text(cursor)
    if text is None:
        return None
    text = cursor.origin.fill(text)
    try:
        name = safe_relative(text)
    except PolicyError as error:
        cursor.fault(error.message, error.hint, structural=False)
        return None
    if len(name.parts) > 1:
        cursor.fault("a basename is a name, without '/'", structural=False)
        return None
    return text


def _check_derived(fields: Fields) -> None:
    for key in _DERIVED:
        child = fields.get(key)
        if child is not None and not (isinstance(child.node, ScalarNode) and isinstance(child.node.value, str)):
            child.expected("a text")
