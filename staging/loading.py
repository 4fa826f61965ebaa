"""Loading: from a stage file to its definition, with every fault of it at once. Nothing is fetched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from staging.definition import StageDefinition
from staging.documents import read_document
from staging.errors import DefinitionError
from staging.grammar import FaultList, Origin
from staging.nodes import Document
from staging.stage_reading import read_stage

_SCHEMA = Path(__file__).with_name("schemas") / "stage.schema.json"


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
