"""Parameters and environment variables: maps of names to values, from the stage file or from a CWL job beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from staging.definition import OutputPlace, Param, Value
from staging.documents import read_document
from staging.errors import DefinitionError, WfexsError
from staging.grammar import (
    GIVEN,
    KEY,
    LEAVE_OUT,
    NO_WAY_AROUND,
    Cursor,
    Fields,
    Origin,
    as_list,
    as_map,
    as_text,
    as_written,
    read_fields,
)
from staging.identifiers import Identifier
from staging.nodes import Document, MapNode, ScalarNode, plain, shown
from staging.values import CLASS, HIDE_IN_FILE, read_value

_ENVIRONMENT_NAME = re.compile(r"^[^=\x00]+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What ``params`` or a job file holds."""

    params: dict[str, Param] = field(default_factory=dict)
    requirements: tuple[Mapping[str, object], ...] = ()


_NOT_PARAMETERS = {
    "cwl:tool": "name the workflow in workflow_id",
    "cwltool:overrides": NO_WAY_AROUND,
    "$schemas": LEAVE_OUT,
}
_CWL_VERSION = re.compile(r"(v1\.|draft-)")
_LITERAL = {CLASS: GIVEN, "value": GIVEN, "disclosable": KEY}


def read_parameters(cursor: Cursor) -> Parameters:
    """The parameters of ``params`` or of a whole job file."""
    entries = as_map(cursor)
    namespaces = entries.pop("$namespaces", None)
    if namespaces is not None and not namespaces.is_null:
        known = {key: as_text(one) or "" for key, one in as_map(namespaces).items()}
        origin = replace(cursor.origin, namespaces=known)
        entries = {key: Cursor(one.node, one.where, origin) for key, one in entries.items()}
    requirements = entries.pop("cwl:requirements", None)
    version = entries.get("cwlVersion")
    if version is not None and isinstance(version.node, ScalarNode) and _CWL_VERSION.match(version.node.text):
        # A job may say for which CWL it was written (cwltool's do); the workflow's own word is what counts.
        del entries["cwlVersion"]
    for key, hint in _NOT_PARAMETERS.items():
        refused = entries.pop(key, None)
        if refused is not None:
            refused.refuse(key, hint)
    return Parameters(
        params={key: _param(cursor, key, one, read_value(one, (key,))) for key, one in entries.items()},
        requirements=() if requirements is None or requirements.is_null else _read_requirements(requirements),
    )


def _param(cursor: Cursor, key: str, place: Cursor, value: Value) -> Param:
    assert isinstance(cursor.node, MapNode)
    line, column = cursor.node.places[key]
    return Param(
        name=key,
        value=value,
        file=cursor.origin.file,
        where=place.where,
        line=line,
        column=column,
    )


def _read_requirements(cursor: Cursor) -> tuple[Mapping[str, object], ...]:
    requirements: list[Mapping[str, object]] = []
    for one in as_list(cursor):
        entries = as_map(one)
        if "class" in entries:
            as_text(entries["class"])
        elif isinstance(one.node, MapNode):
            one.fault("the key 'class' is missing")
        value = plain(one.node)
        if isinstance(value, dict):
            requirements.append(value)
    return tuple(requirements)


def read_job(fields: Fields, path: Path, base: Path) -> tuple[Parameters, Document | None]:
    """The job that ``params-from`` names; its relative references are read from its own folder."""
    text = fields.text("params-from")
    if text is None:
        return Parameters(), None
    cursor = fields.cursor.child("params-from")
    try:
        asked = Identifier.parse(text)
    except WfexsError as error:
        cursor.fault(error.message, error.hint, structural=False)
        return Parameters(), None
    is_beside, target = asked.is_relative, asked.against(base).local_path
    if target is None:
        cursor.fault("'params-from' takes a local file", "fetch it first", structural=False)
        return Parameters(), None
    faults = cursor.origin.faults
    try:
        document = read_document(target, file=str(path.parent / text) if is_beside else str(target))
    except DefinitionError as error:
        for fault in error.faults:
            if fault.line is None:
                cursor.fault(f"{fault.file} {fault.message}", fault.hint, structural=False)
            else:
                faults.add(fault, structural=False)
        return Parameters(), None
    for fault in document.faults:
        faults.add(fault, structural=False)
    folder = os.path.relpath(target.parent, base)
    origin = Origin(file=document.file, faults=faults, folder="" if folder == "." else folder)
    return read_parameters(Cursor(document.root, "", origin)), document


def read_environment(cursor: Cursor) -> tuple[Param, ...]:
    """Environment variables: each a text (a number is taken as written), or files and folders."""
    params = []
    for name, one in as_map(cursor).items():
        if _ENVIRONMENT_NAME.match(name) is None:
            cursor.fault_at_key(name, f"{shown(name)} can't be the name of an environment variable")
        params.append(_param(cursor, name, one, _read_variable(one, name)))
    return tuple(params)


def _read_variable(cursor: Cursor, name: str) -> Value:
    node = cursor.node
    if not isinstance(node, MapNode):
        return _read_variable_text(cursor)
    kind = node.entries.get(CLASS, node.entries.get("class"))
    word = kind.value if isinstance(kind, ScalarNode) else None
    if CLASS in node.entries and word == "Value":
        fields = read_fields(cursor, _LITERAL, required=("value",))
        assert fields is not None
        if not fields.flag("disclosable", default=True):
            cursor.child("disclosable").refuse("disclosable: false of a plain value", HIDE_IN_FILE)
        return fields.read("value", _read_variable_text)
    if CLASS in node.entries or word in ("File", "Directory"):
        value = read_value(cursor, (name,))
        if isinstance(value, OutputPlace):
            cursor.child("autoFill").refuse("autoFill of an environment variable", NO_WAY_AROUND)
        return value
    cursor.expected("a text, a number, a File or a Directory")
    return None


def _read_variable_text(cursor: Cursor) -> str | None:
    node = cursor.node
    text = node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else as_written(cursor)
    return None if text is None else cursor.origin.fill(text)
