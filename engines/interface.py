"""The workflow's interface as JSON, both ways, so that it can be kept beside the workflow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from engines.base import FormalParameter, Step, Tool, WorkflowInterface
from staging.errors import DefinitionError, Fault

INTERFACE_SCHEMA = "wfexs-like/interface/1"


def interface_as_json(interface: WorkflowInterface) -> dict[str, Any]:
    """A JSON object from which ``interface_from_json`` makes an equal value."""
    return {
        "schema": INTERFACE_SCHEMA,
        "entry": str(interface.entry),
        "process": interface.process,
        "language": interface.language,
        "language_version": interface.language_version,
        "kind": interface.kind,
        "inputs": [_parameter_as_json(one) for one in interface.inputs],
        "outputs": [_parameter_as_json(one) for one in interface.outputs],
        "steps": [_step_as_json(one) for one in interface.steps],
        "tools": [_tool_as_json(one) for one in interface.tools],
        "connections": [list(pair) for pair in interface.connections],
        "documents": list(interface.documents),
        "label": interface.label,
        "doc": interface.doc,
        "licence": interface.licence,
        "version": interface.version,
        "authors": [dict(one) for one in interface.authors],
        "keywords": list(interface.keywords),
        "repository": interface.repository,
        "needs_javascript": interface.needs_javascript,
        "plugins": list(interface.plugins),
        "constraints": interface.constraints,
        "notes": list(interface.notes),
        "open_outputs": interface.open_outputs,
    }


def interface_from_json(record: Mapping[str, Any]) -> WorkflowInterface:
    """Read an interface back; keys that are not known are ignored, so that older software reads newer records.

    Raises:
        DefinitionError: it is not an interface.
    """
    try:
        return WorkflowInterface(
            entry=PurePosixPath(record["entry"]),
            process=record["process"],
            language=record["language"],
            language_version=record["language_version"],
            kind=record["kind"],
            inputs=tuple(_parameter(one) for one in record["inputs"]),
            outputs=tuple(_parameter(one) for one in record["outputs"]),
            steps=tuple(_step(one) for one in record["steps"]),
            tools=tuple(_tool(one) for one in record["tools"]),
            connections=tuple((str(source), str(target)) for source, target in record["connections"]),
            documents=tuple(record["documents"]),
            label=record.get("label"),
            doc=record.get("doc"),
            licence=record.get("licence"),
            version=record.get("version"),
            authors=tuple(record.get("authors") or ()),
            keywords=tuple(str(one) for one in record.get("keywords") or ()),
            repository=record.get("repository"),
            needs_javascript=bool(record.get("needs_javascript")),
            plugins=tuple(str(one) for one in record.get("plugins") or ()),
            constraints=record.get("constraints"),
            notes=tuple(str(one) for one in record.get("notes") or ()),
            open_outputs=bool(record.get("open_outputs")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"missing key {error}" if isinstance(error, KeyError) else str(error)
        raise DefinitionError(
            (Fault(file="interface.json", where="", message=f"not a workflow interface: {reason}"),),
            message=f"the record of the workflow's interface can't be read: {reason}",
            hint="stage again to make a new one",
        ) from error


def _parameter_as_json(one: FormalParameter) -> dict[str, Any]:
    return {
        "name": one.name,
        "type": one.type,
        "required": one.required,
        "default": one.default,
        "has_default": one.has_default,
        "label": one.label,
        "doc": one.doc,
        "format": list(one.format),
        "secondary": list(one.secondary),
    }


def _parameter(record: Mapping[str, Any]) -> FormalParameter:
    return FormalParameter(
        name=record["name"],
        type=record["type"],
        required=record["required"],
        default=record.get("default"),
        has_default=bool(record.get("has_default")),
        label=record.get("label"),
        doc=record.get("doc"),
        format=tuple(record.get("format") or ()),
        secondary=tuple(record.get("secondary") or ()),
    )


def _step_as_json(one: Step) -> dict[str, Any]:
    return {
        "name": one.name,
        "tool": one.tool,
        "position": one.position,
        "label": one.label,
        "doc": one.doc,
        "scatter": list(one.scatter),
        "when": one.when,
        "container": one.container,
        "container_required": one.container_required,
        "container_recipe": one.container_recipe,
    }


def _step(record: Mapping[str, Any]) -> Step:
    return Step(
        name=record["name"],
        tool=record["tool"],
        position=record["position"],
        label=record.get("label"),
        doc=record.get("doc"),
        scatter=tuple(record.get("scatter") or ()),
        when=bool(record.get("when")),
        container=record.get("container"),
        container_required=bool(record.get("container_required")),
        container_recipe=record.get("container_recipe"),
    )


def _tool_as_json(one: Tool) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "label": one.label,
        "doc": one.doc,
        "program": one.program,
        "container": one.container,
        "container_required": one.container_required,
        "container_recipe": one.container_recipe,
        "software": [dict(package) for package in one.software],
        "secrets": list(one.secrets),
        "needs": dict(one.needs),
        "aliases": list(one.aliases),
        "recipe_file": one.recipe_file,
        "inputs": [_parameter_as_json(slot) for slot in one.inputs],
        "outputs": [_parameter_as_json(slot) for slot in one.outputs],
    }


def _tool(record: Mapping[str, Any]) -> Tool:
    return Tool(
        id=record["id"],
        kind=record["kind"],
        label=record.get("label"),
        doc=record.get("doc"),
        program=record.get("program"),
        container=record.get("container"),
        container_required=bool(record.get("container_required")),
        container_recipe=record.get("container_recipe"),
        software=tuple(record.get("software") or ()),
        secrets=tuple(str(one) for one in record.get("secrets") or ()),
        needs={str(name): one for name, one in (record.get("needs") or {}).items() if isinstance(one, int | float)},
        aliases=tuple(str(one) for one in record.get("aliases") or ()),
        recipe_file=record.get("recipe_file"),
        inputs=tuple(_parameter(slot) for slot in record.get("inputs") or ()),
        outputs=tuple(_parameter(slot) for slot in record.get("outputs") or ()),
    )
