"""Where in a stage file something was said, for faults that are found long after it was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from staging.definition import StageDefinition
from staging.documents import parse_document
from staging.errors import DefinitionError, Fault
from staging.nodes import MapNode, Node


def placed(fault: Fault, definition: StageDefinition, paths: Sequence[str]) -> Fault:
    """The fault at the first of the dotted paths that the stage file has; with its name alone if it has none."""
    try:
        root = parse_document(definition.text.encode(), file=definition.file).root
    except DefinitionError:
        return replace(fault, file=definition.file)
    for path in paths:
        place = _place(root, path.split("."))
        if place is not None:
            return replace(fault, file=definition.file, where=path, line=place[0], column=place[1])
    return replace(fault, file=definition.file)


def _place(node: Node, keys: Sequence[str]) -> tuple[int, int] | None:
    """Where the value is that these keys lead to."""
    for key in keys:
        if not isinstance(node, MapNode) or key not in node.entries:
            return None
        node = node.entries[key]
    return node.line, node.column
