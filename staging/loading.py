"""Loading: from a stage file to its definition, with every fault of it at once. Nothing is fetched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from staging.definition import DirectoryValue, FileValue, Param, StageDefinition, Value
from staging.documents import parse_document, read_document
from staging.errors import DefinitionError, Fault
from staging.grammar import Cursor, FaultList, Origin
from staging.nodes import Document, shown
from staging.plain_scalars import AmbiguousScalarError, read_plain_scalar
from staging.stage_reading import read_stage
from staging.values import read_value

_SCHEMA = Path(__file__).with_name("schemas") / "stage.schema.json"
_COMMAND_LINE = "command line"


def load_stage_file(path: Path) -> StageDefinition:
    """What the stage file at ``path`` asks for, with the job that its ``params-from`` names.

    Raises:
        DefinitionError: it can't be read, or is wrong; with all its faults, in the order of the text.
    """
    return define(read_document(path), path)


def define(document: Document, path: Path) -> StageDefinition:
    """What a document that was read asks for; ``path`` is where it lies.

    Raises:
        DefinitionError: it is wrong.
    """
    faults = FaultList(list(document.faults))
    definition = read_stage(document, path, Origin(file=document.file, faults=faults))
    if faults.found or definition is None:
        # Those of the stage file come before those of its job.
        raise DefinitionError(tuple(sorted(faults.found, key=lambda one: one.file != document.file)))
    return definition


def stage_schema() -> dict[str, Any]:
    """The JSON Schema of the stage file, draft 2020-12."""
    schema: dict[str, Any] = json.loads(_SCHEMA.read_bytes())
    return schema


def parse_override(name: str, text: str) -> Param:
    """A parameter as the command line gives it: ``name=text``.

    What starts with a bracket, a brace or a quote is read as JSON or YAML. All else is one value, by the rule for words
    without quotes in a stage file; so ``a: b`` and ``*.txt`` are texts, and nothing at all is the empty text.

    Raises:
        DefinitionError: the name is none, the text can't be read or is ambiguous, or a file is asked for.
    """
    where = f"--param {name}" if len(name) < 100 else "--param"  # noqa: PLR2004 - for a message
    if not name or any(not part for part in name.split(".")) or "\0" in name + text:
        _refuse(where, f"{shown(name)} is not a parameter's name", "write --param name=value")
    if any("\ud800" <= character <= "\udfff" for character in text):
        _refuse(where, "the value is not UTF-8", None)
    value = _read_structure(where, text) if text.lstrip().startswith(("[", "{", '"', "'")) else _read_word(where, text)
    if _holds_file(value):
        _refuse(where, "a file can't be given when a workflow runs", "stage again with that file in the stage file")
    return Param(name=name, value=value, file=_COMMAND_LINE, where=where)


def _read_structure(where: str, text: str) -> Value:
    try:
        # The name says that escapes are read as JSON has them.
        document = parse_document(text.encode(), file=f"{_COMMAND_LINE}.json")
    except DefinitionError as error:
        raise _renamed(where, error.faults) from error
    faults = FaultList(list(document.faults))
    value = read_value(Cursor(document.root, "", Origin(file=_COMMAND_LINE, faults=faults)), ("value",))
    if faults.found:
        raise _renamed(where, tuple(faults.found))
    return value


def _renamed(where: str, faults: tuple[Fault, ...]) -> DefinitionError:
    return DefinitionError(
        tuple(Fault(file=_COMMAND_LINE, where=where, message=one.message, hint=one.hint) for one in faults),
        message=f"{where}: {faults[0].message}",
        hint=faults[0].hint,
    )


def _read_word(where: str, text: str) -> Value:
    word = text.strip()
    if not word:
        return text
    try:
        value = read_plain_scalar(word)
    except AmbiguousScalarError as error:
        _refuse(where, error.message, error.hint)
    return text if isinstance(value, str) else value


def _holds_file(value: Value) -> bool:
    if isinstance(value, FileValue | DirectoryValue):
        return True
    if isinstance(value, tuple):
        return any(map(_holds_file, value))
    return isinstance(value, dict) and any(map(_holds_file, value.values()))


def _refuse(where: str, message: str, hint: str | None) -> NoReturn:
    fault = Fault(file=_COMMAND_LINE, where=where, message=message, hint=hint)
    raise DefinitionError((fault,), message=f"{where}: {message}", hint=hint)
