"""Values of parameters: plain ones, WfExS's ``c-l-a-s-s`` objects, and those of a CWL job.

A map that is none of these is a record (or nested parameters, which look the same). Sources: WfExS-backend's stage
definition schema; CWL v1.2, sections "File", "Directory" and "Executing CWL documents as scripts".
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Literal

from staging.definition import DirectoryValue, FileValue, OutputPlace, Source, Value
from staging.errors import PolicyError
from staging.grammar import (
    GIVEN,
    KEY,
    LEAVE_OUT,
    Cursor,
    Fields,
    Key,
    as_choice,
    as_text,
    guess_key,
    read_fields,
    unbuilt,
)
from staging.job_values import expand_format, read_job_object
from staging.nodes import ListNode, MapNode, ScalarNode, shown
from staging.paths import safe_relative
from staging.sources import read_urls, with_stated

CLASS = "c-l-a-s-s"
CLASSES = ("File", "Directory", "Value", "ContentWithURIs")

HIDE_IN_FILE = "put the value into a file, and say it of that"

_FLAGS = {"disclosable": KEY, "cacheable": KEY, "clonable": KEY}
_FETCHED = {
    CLASS: GIVEN,
    "url": GIVEN,
    "sha256": KEY,
    "size": KEY,
    "preferred-name": KEY,
    "relative-dir": KEY,
    "security-context": unbuilt(as_text),
    "globExplode": unbuilt(as_text),
    "autoFill": KEY,
    "autoPrefix": KEY,
    **_FLAGS,
}
_FILE: dict[str, Key] = {**_FETCHED, "value": GIVEN, "secondary-urls": GIVEN, "format": KEY}
_DIRECTORY: dict[str, Key] = _FETCHED
_VALUE = {CLASS: GIVEN, "value": GIVEN, "disclosable": KEY}

_MISSPELT_CLASS = re.compile(r"[cC](?:[-_]?[lasLAS]){0,2}[-_][lasLAS](?:[-_]?[lasLAS]){0,2}[-_][sS]|c_l_a_s_s")


def read_value(cursor: Cursor, names: tuple[str, ...]) -> Value:
    """The value at a place; ``names`` are the keys that lead to it from the parameters, outermost first."""
    node = cursor.node
    if isinstance(node, ScalarNode):
        return cursor.origin.fill(node.value) if isinstance(node.value, str) else node.value
    if isinstance(node, ListNode):
        return tuple(read_value(one, names) for one in cursor.items())
    if CLASS in node.entries:
        return _read_object(cursor, names)
    kind = node.entries.get("class")
    if isinstance(kind, ScalarNode) and kind.value in ("File", "Directory"):
        return read_job_object(cursor)
    _doubt_misspelt_class(cursor, node)
    return {key: read_value(one, (*names, key)) for key, one in cursor.entries()}


def _read_object(cursor: Cursor, names: tuple[str, ...]) -> Value:
    kind = as_choice(cursor.child(CLASS), CLASSES)
    if kind == "File":
        return _read_file(cursor, names)
    if kind == "Directory":
        return _read_directory(cursor, names)
    if kind == "Value":
        return _read_literal(cursor)
    if kind == "ContentWithURIs":
        cursor.child(CLASS).refuse(f"{CLASS}: ContentWithURIs", "list the files as a parameter of their own")
    return None


def _read_file(cursor: Cursor, names: tuple[str, ...]) -> Value:
    fields = read_fields(cursor, _FILE)
    assert fields is not None
    _check_together(fields)
    fields.exclude(("url", "value"))
    if fields.is_on("autoFill"):
        fields.exclude(("value", "autoFill"), ("secondary-urls", "autoFill"))
        return _read_output_place(fields, names, "File")
    relative_dir, basename = _read_names(fields, names)
    template = FileValue(
        basename=basename,
        relative_dir=relative_dir,
        format=expand_format(cursor, fields.text("format")),
        disclosable=fields.flag("disclosable", default=True),
        cacheable=fields.flag("cacheable", default=True),
        clonable=fields.flag("clonable", default=True),
        where=cursor.where,
    )
    if "url" in fields:
        sources, many = _read_sources(fields)
        files = [replace(template, source=source) for source in sources]
    else:
        contents, many = _read_contents(fields.get("value"))
        files = [replace(template, contents=one) for one in contents]
    secondary = fields.get("secondary-urls")
    if secondary is not None and files:
        files = _with_secondary(secondary, files, template)
    return tuple(files) if many else next(iter(files), None)


def _read_directory(cursor: Cursor, names: tuple[str, ...]) -> Value:
    fields = read_fields(cursor, _DIRECTORY)
    assert fields is not None
    _check_together(fields)
    if fields.is_on("autoFill"):
        return _read_output_place(fields, names, "Directory")
    relative_dir, basename = _read_names(fields, names)
    if "url" not in fields and relative_dir is not None:
        fields.cursor.fault_at_key(
            "relative-dir" if "relative-dir" in fields else "preferred-name",
            "a folder without a 'url' has no place of its own that could lie in another folder",
            "give it a plain 'preferred-name'",
            structural=False,
        )
    template = DirectoryValue(
        basename=basename,
        relative_dir=relative_dir,
        disclosable=fields.flag("disclosable", default=True),
        cacheable=fields.flag("cacheable", default=True),
        clonable=fields.flag("clonable", default=True),
        where=cursor.where,
    )
    if "url" not in fields:
        return replace(template, listing=())
    sources, many = _read_sources(fields)
    folders = [replace(template, source=source) for source in sources]
    return tuple(folders) if many else next(iter(folders), None)


def _check_together(fields: Fields) -> None:
    if fields.is_on("autoFill"):
        fields.exclude(("url", "autoFill"))
    fields.flag("autoFill", default=False)
    fields.flag("autoPrefix", default=True)
    for key in ("sha256", "size"):
        if key in fields and "url" not in fields:
            fields.cursor.fault_at_key(key, f"'{key}' is said of what a 'url' points to, and there is none")


def _read_output_place(fields: Fields, names: tuple[str, ...], kind: Literal["File", "Directory"]) -> Value:
    """The place that an ``autoFill`` parameter gets: named after it, unless it is said otherwise.

    Without ``autoPrefix`` (its default is what WfExS's program does, not what its schema says) a folder is the folder
    of outputs itself.
    """
    for key in ("disclosable", "cacheable", "clonable"):
        if not fields.flag(key, default=True):
            fields.cursor.child(key).refuse(f"{key}: false of a place for outputs", LEAVE_OUT)
    if "format" in fields and fields.text("format") is not None:
        fields.cursor.child("format").refuse("format of a place for outputs", LEAVE_OUT)
    folder, basename = _read_names(fields, names)
    if kind == "Directory" and not fields.flag("autoPrefix", default=True):
        if folder is not None or basename is not None:
            key = "preferred-name" if basename is not None else "relative-dir"
            message = f"'{key}' can't be, as without 'autoPrefix' the place is the folder of outputs itself"
            fields.cursor.fault_at_key(key, message, "keep one of them", structural=False)
        return OutputPlace(kind=kind, path=PurePosixPath(), where=fields.cursor.where)
    own = names if folder is None and basename is None else (folder or "", basename or names[-1])
    try:
        path = safe_relative("/".join(part for part in own if part))
    except PolicyError as error:
        hint = "give it a 'preferred-name'"
        fields.cursor.fault(f"the parameter's name can't name its place: {error.message}", hint, structural=False)
        return None
    return OutputPlace(kind=kind, path=path, where=fields.cursor.where)


def _read_literal(cursor: Cursor) -> Value:
    fields = read_fields(cursor, _VALUE, required=("value",))
    assert fields is not None
    if not fields.flag("disclosable", default=True):
        cursor.child("disclosable").refuse("disclosable: false of a plain value", HIDE_IN_FILE)
    value = fields.get("value")
    return None if value is None else _read_scalars(value)


def _read_scalars(cursor: Cursor) -> Value:
    node = cursor.node
    if isinstance(node, MapNode):
        cursor.expected("a scalar or a list of scalars", f"leave '{CLASS}' out: a map is a record as it is")
        return None
    if isinstance(node, ListNode):
        return tuple(_read_scalars(one) for one in cursor.items())
    return cursor.origin.fill(node.value) if isinstance(node.value, str) else node.value


def _read_sources(fields: Fields) -> tuple[list[Source], bool]:
    url = fields.get("url")
    assert url is not None
    sources, many = read_urls(url)
    return with_stated(sources, fields), many


def _read_contents(cursor: Cursor | None) -> tuple[list[str], bool]:
    """The texts of inline files: one empty file when nothing is said."""
    if cursor is None:
        return [""], False
    if not isinstance(cursor.node, ListNode):
        return [_read_content(cursor)], False
    return [_read_content(one) for one in cursor.items()], True


def _read_content(cursor: Cursor) -> str:
    node = cursor.node
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return cursor.origin.fill(node.value)
    cursor.expected("the file's text", "put quotes around it" if isinstance(node, ScalarNode) else None)
    return ""


def _read_names(fields: Fields, names: tuple[str, ...]) -> tuple[str | None, str | None]:
    """The folder and the base name that ``relative-dir`` and ``preferred-name`` ask for."""
    folder = _read_name(fields, "relative-dir", "/".join(names[:-1]))
    preferred = _read_name(fields, "preferred-name", names[-1] if names else "")
    if preferred is None:
        return folder, None
    head, _, basename = preferred.rpartition("/")
    return "/".join(part for part in (folder, head) if part) or None, basename


def _read_name(fields: Fields, key: str, natural: str) -> str | None:
    """A relative path; ``true`` asks for the ``natural`` one."""
    child = fields.get(key)
    if child is None:
        return None
    if isinstance(child.node, ScalarNode) and isinstance(child.node.value, bool):
        return natural.strip("/") or None if child.node.value else None
    text = as_text(child)
    if text is None:
        return None
    text = child.origin.fill(text)
    try:
        return str(safe_relative(text.rstrip("/") if key == "relative-dir" else text))
    except PolicyError as error:
        child.fault(error.message, error.hint, structural=False)
        return None


def _with_secondary(cursor: Cursor, files: list[FileValue], template: FileValue) -> list[FileValue]:
    """Give each secondary file to its primary: with several, to the one whose name it carries on."""
    given: list[list[FileValue]] = [[] for _ in files]
    sources, _ = read_urls(cursor)
    whole, stems = _by_name(files)
    for source in sources:
        name = source.mirrors[0].name
        owners = [0] if len(files) == 1 else _owners(name, whole) or _owners(name, stems)
        if len(owners) == 1:
            secondary = replace(template, source=source, basename=None, relative_dir=None, format=None)
            given[owners[0]].append(replace(secondary, where=source.where))
        else:
            cursor.fault(
                f"can't tell which of the {len(files)} files {shown(name)} belongs to",
                "name it after its file, or write the files as 'class: File' with 'secondaryFiles'",
                structural=False,
            )
    return [replace(one, secondary=tuple(more)) for one, more in zip(files, given, strict=True)]


def _by_name(files: list[FileValue]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Which files have a name, and which have it without their last extension."""
    whole: dict[str, list[int]] = {}
    stems: dict[str, list[int]] = {}
    for index, one in enumerate(files):
        name = one.source.mirrors[0].name if one.source else ""
        whole.setdefault(name, []).append(index)
        stems.setdefault(posixpath.splitext(name)[0], []).append(index)
    return whole, stems


def _owners(name: str, known: dict[str, list[int]]) -> list[int]:
    """The files that the longest beginning of ``name``, cut before a dot, is the name of."""
    while "." in name:
        name = name.rpartition(".")[0]
        if name in known:
            return known[name]
    return []


def _doubt_misspelt_class(cursor: Cursor, node: MapNode) -> None:
    """A record may have any keys, but one that looks like ``c-l-a-s-s`` was hardly meant as a field."""
    kind = node.entries.get("class")
    if isinstance(kind, ScalarNode) and isinstance(kind.value, str):
        guess = guess_key(kind.value, ("File", "Directory"), cutoff=0.8)
        if guess is not None:
            message = f"{shown(kind.value)} is no class, did you mean '{guess}'?"
            cursor.child("class").fault(message, structural=False)
        return
    for key in node.entries:
        if _MISSPELT_CLASS.fullmatch(key):
            cursor.fault_at_key(key, f"unknown key {shown(key)}, did you mean '{CLASS}'?", structural=False)
