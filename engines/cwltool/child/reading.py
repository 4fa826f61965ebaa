"""Inspection: what cwltool makes of a workflow's documents, told as the plain data of ``WorkflowInterface``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit
from urllib.request import url2pathname

from cwltool.errors import UnsupportedRequirement, WorkflowException
from cwltool.process import shortname
from cwltool.update import ORIGINAL_CWLVERSION
from schema_salad.exceptions import ValidationException

from engines.child.events import Events
from engines.cwltool.child import fetching
from engines.cwltool.child.annotations import package_of, stated
from engines.cwltool.child.images import image_of
from engines.cwltool.child.loading import load, prepare

Data = dict[str, Any]

# A parameter reference, without its "$" (CWL v1.2, Command Line Tool Description, section 3.4).
_REFERENCE = re.compile(r"""\(\w+(\.\w+|\['([^'\\]|\\.)+'\]|\["([^"\\]|\\.)+"\]|\[\d+\])*\)$""")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def inspect(request: Data, events: Events) -> int:
    """Tell the interface of the workflow, or why it isn't one."""
    prepare(request)
    try:
        process = load(request, validate=True)
        events.tell("interface", {"interface": Reader(request).interface(process)})
    except UnsupportedRequirement as error:
        events.tell("invalid", {"message": str(error), "unsupported": True})
        return 33
    except (ValidationException, WorkflowException, RuntimeError, ValueError, OSError) as error:
        events.tell("invalid", {"message": str(error)})
        return 1
    except Exception as error:
        # cwltool breaks on some documents that are far from being CWL (an empty one, for instance).
        if not request["heavy"]:
            raise
        events.tell("invalid", {"message": f"cwltool can make no sense of it ({type(error).__name__}: {error})"})
        return 1
    return 0


class Reader:
    """Reads one workflow; ``tools`` fill up on the way."""

    def __init__(self, request: Data) -> None:
        self.root: str = request["root"]
        self.entry: str = request["entry"]
        self.process: str | None = request.get("process")
        self.tools: dict[str, Data] = {}
        self.steps: list[Data] = []
        self.connections: list[tuple[str, str]] = []
        self.files: dict[str, None] = {}
        self.notes: dict[str, None] = {}

    def interface(self, process: Any) -> Data:
        """The whole interface of the main process."""
        tool = process.tool
        names = _schema_definitions(process)
        inputs = [self.parameter(one, names) for one in tool["inputs"]]
        outputs = [self.parameter(one, names) for one in tool["outputs"]]
        if tool["class"] == "Workflow":
            self.workflow(process, "")
        else:
            self.tool(process, "")
        return {
            "entry": self.entry,
            "process": self.process,
            "language": "cwl",
            "language_version": process.metadata.get(ORIGINAL_CWLVERSION) or process.metadata.get("cwlVersion", ""),
            "kind": tool["class"],
            "inputs": inputs,
            "outputs": outputs,
            "steps": self.steps,
            "tools": list(self.tools.values()),
            "connections": [list(pair) for pair in self.connections],
            "documents": sorted({*self.documents(), *self.files}),
            "label": tool.get("label"),
            "doc": _text(tool.get("doc")),
            **stated([tool, process.metadata]),
            "needs_javascript": any(_needs_javascript(one) for one in _processes(process)),
            "notes": list(self.notes),
        }

    def documents(self) -> Iterator[str]:
        """What was read, relative to the root."""
        root = os.path.realpath(self.root)
        return (os.path.relpath(path, root) for path in fetching.SEEN if path.startswith(f"{root}/"))

    def parameter(self, slot: Data, names: dict[str, Any]) -> Data:
        """An input or output slot."""
        kind = resolve_type(slot["type"], names)
        has_default = slot.get("default") is not None
        formats = slot.get("format") or []
        return {
            "name": shortname(slot["id"]),
            "type": kind,
            "required": not has_default and not _nullable(kind),
            "default": self.value(slot["default"]) if has_default else None,
            "has_default": has_default,
            "label": slot.get("label"),
            "doc": _text(slot.get("doc")),
            "format": [one for one in ([formats] if isinstance(formats, str) else formats) if "$" not in one],
            "secondary": secondary_patterns(slot.get("secondaryFiles")),
        }

    def value(self, value: Any) -> Any:
        """A default value; its local files become paths relative to the root, and documents of the workflow."""
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if not isinstance(value, dict):
            return value
        record = {str(key): self.value(one) for key, one in value.items()}
        location = record.get("location") or record.get("path")
        if record.get("class") in ("File", "Directory") and isinstance(location, str):
            path = self.relative(location)
            if path is not None:
                record.pop("location", None)
                record["path"] = path
                full = os.path.join(self.root, path)  # noqa: PTH118
                if os.path.isdir(full):  # noqa: PTH112
                    for folder, _, names in os.walk(full):
                        self.files.update(
                            dict.fromkeys(os.path.relpath(os.path.join(folder, one), self.root) for one in names)  # noqa: PTH118
                        )
                else:
                    self.files[path] = None
        return record

    def relative(self, location: str) -> str | None:
        """Where a local file lies below the root, if it does."""
        parts = urlsplit(location)
        path = url2pathname(parts.path) if parts.scheme == "file" else location
        path = os.path.realpath(os.path.join(self.root, path))  # noqa: PTH118
        root = os.path.realpath(self.root)
        return os.path.relpath(path, root) if path.startswith(f"{root}/") else None

    def identity(self, process: Any, step: str) -> str:
        """A process's name: its document relative to the root, with ``#`` and its identifier there."""
        document, fragment = urldefrag(process.tool["id"])
        place = self.relative(document) if document.startswith("file:") else None
        if place is None or _UUID.search(fragment) or (step and not fragment and place == self.entry):
            return f"{self.entry}#{step}/run"
        return f"{place}#{unquote(fragment)}" if fragment else place

    def tool(self, process: Any, step: str) -> str:
        """Note the process that a step runs; its name."""
        name = self.identity(process, step)
        if name in self.tools:
            return name
        tool = process.tool
        names = _schema_definitions(process)
        access, asked = process.get_requirement("NetworkAccess")
        if tool["class"] == "CommandLineTool" and asked and access["networkAccess"]:
            self.notes[f"the tool {name} asks for a network, and there is none while a workflow runs"] = None
        software, _ = process.get_requirement("SoftwareRequirement")
        self.tools[name] = {
            "id": name,
            "kind": tool["class"],
            "label": tool.get("label"),
            "doc": _text(tool.get("doc")),
            "program": _program(tool),
            **image_of(process, self.root),
            "software": [package_of(one) for one in (software or {}).get("packages", [])],
            "needs": _needs(process),
            "inputs": [self.parameter(one, names) for one in tool["inputs"]],
            "outputs": [self.parameter(one, names) for one in tool["outputs"]],
        }
        return name

    def workflow(self, process: Any, prefix: str, place: str = "") -> None:
        """Note the steps of a (sub)workflow, in topological order, each with what lies inside it.

        ``place`` is where it is written when it is written within a step and has no name.
        """
        base = process.tool["id"] if not process.tool["id"].startswith("_:") else place
        base = f"{base}/" if "#" in base else f"{base}#"

        def local(identifier: str) -> str:
            return prefix + unquote(identifier.removeprefix(base))

        for step in _topological(process):
            name = local(step.id)
            tool = step.tool
            kind = step.embedded_tool.tool["class"]
            scatter = tool.get("scatter") or []
            self.steps.append(
                {
                    "name": name,
                    "tool": self.tool(step.embedded_tool, name),
                    "position": len(self.steps),
                    "label": tool.get("label"),
                    "doc": _text(tool.get("doc")),
                    "scatter": [shortname(one) for one in ([scatter] if isinstance(scatter, str) else scatter)],
                    "when": "when" in tool,
                    **image_of(step.embedded_tool, self.root),
                }
            )
            for slot in tool["in"]:
                self.connect(slot.get("source"), local(slot["id"]), local)
            if kind == "Workflow":
                self.workflow(step.embedded_tool, f"{name}/", f"{step.id}/run")
        for slot in process.tool["outputs"]:
            self.connect(slot.get("outputSource"), local(slot["id"]), local)

    def connect(self, sources: Any, target: str, local: Any) -> None:
        """Note what flows into a slot."""
        for source in [sources] if isinstance(sources, str) else sources or []:
            self.connections.append((local(source), target))


def resolve_type(kind: Any, names: dict[str, Any], inside: tuple[str, ...] = ()) -> Any:  # noqa: PLR0911 - a table
    """A CWL type with every name replaced by what it stands for (a name within itself stays ``Any``)."""
    if isinstance(kind, str):
        if kind in names:
            return "Any" if kind in inside else resolve_type(names[kind], names, (*inside, kind))
        return kind.rpartition("#")[2].rpartition(".")[2] if "#" in kind or "." in kind else kind
    if isinstance(kind, list):
        members = [resolve_type(one, names, inside) for one in kind]
        return members[0] if len(members) == 1 else members
    inner = kind["type"]
    if inner == "array":
        return {"type": "array", "items": resolve_type(kind["items"], names, inside)}
    if inner == "enum":
        return {"type": "enum", "symbols": [shortname(one) for one in kind["symbols"]]}
    if inner == "record":
        return {"type": "record", "fields": [_field(one, names, inside) for one in kind.get("fields") or []]}
    return resolve_type(inner, names, inside)


def _field(field: Data, names: dict[str, Any], inside: tuple[str, ...]) -> Data:
    made: Data = {"name": shortname(field["name"]), "type": resolve_type(field["type"], names, inside)}
    secondary = secondary_patterns(field.get("secondaryFiles"))
    if secondary:
        made["secondaryFiles"] = secondary
    for key in ("label", "doc"):
        if field.get(key):
            made[key] = _text(field[key])
    return made


def secondary_patterns(patterns: Any) -> list[str]:
    """Patterns of secondaryFiles as texts; one that may be missing ends in ``?``."""
    found = []
    for one in [patterns] if isinstance(patterns, str | dict) else patterns or []:
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, dict) and isinstance(one.get("pattern"), str):
            optional = one.get("required") is False or isinstance(one.get("required"), str)
            found.append(one["pattern"] + ("?" if optional else ""))
    return found


def _nullable(kind: Any) -> bool:
    return kind == "null" or (isinstance(kind, list) and "null" in kind)


def _schema_definitions(process: Any) -> dict[str, Any]:
    requirement, _ = process.get_requirement("SchemaDefRequirement")
    return {one["name"]: one for one in (requirement or {}).get("types", []) if "name" in one}


def _topological(process: Any) -> list[Any]:
    """A workflow's steps, each after those it takes from; otherwise as in the document."""
    waiting = list(process.steps)
    made_by = {out: step.id for step in waiting for out in map(_identifier, step.tool["out"])}
    needs: dict[str, set[str]] = {}
    for step in waiting:
        sources = [slot.get("source") or [] for slot in step.tool["in"]]
        flat = {one for source in sources for one in ([source] if isinstance(source, str) else source)}
        needs[step.id] = {made_by[one] for one in flat if one in made_by} - {step.id}
    ordered: list[Any] = []
    done: set[str] = set()
    while waiting:
        ready = next((step for step in waiting if needs[step.id] <= done), waiting[0])
        waiting.remove(ready)
        ordered.append(ready)
        done.add(ready.id)
    return ordered


def _needs(process: Any) -> dict[str, float]:
    """The least that a tool asks for, where it is no expression. Source: CWL v1.2, ResourceRequirement (in MiB)."""
    requirement, _ = process.get_requirement("ResourceRequirement")
    asked = {name: one for name, one in (requirement or {}).items() if isinstance(one, int | float)}
    storage = [asked[name] for name in ("tmpdirMin", "outdirMin") if name in asked]
    found = {"cores": asked.get("coresMin"), "memory": asked.get("ramMin"), "storage": sum(storage) or None}
    return {name: one if name == "cores" else int(one * 2**20) for name, one in found.items() if one is not None}


def _identifier(slot: Any) -> str:
    return slot if isinstance(slot, str) else slot["id"]


def _program(tool: Data) -> str | None:
    base = tool.get("baseCommand")
    words = [base] if isinstance(base, str) else list(base or [])
    words += [one for one in tool.get("arguments") or [] if isinstance(one, str)]
    return next((one for one in words if isinstance(one, str) and "$" not in one), None) if words else None


def _text(doc: Any) -> str | None:
    if doc is None:
        return None
    return "\n".join(str(one) for one in doc) if isinstance(doc, list) else str(doc)


def _processes(process: Any) -> Iterator[Any]:
    yield process
    for step in getattr(process, "steps", []):
        yield step
        yield from _processes(step.embedded_tool)


def _needs_javascript(process: Any) -> bool:
    requirement, _ = process.get_requirement("InlineJavascriptRequirement")
    if requirement is None:
        return False
    own = {key: value for key, value in process.tool.items() if key not in ("steps", "run", "doc", "label")}
    return bool(requirement.get("expressionLib")) or any(map(_is_javascript, _texts(own)))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            if key not in ("doc", "label", "_tool_entry"):
                yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _is_javascript(text: str) -> bool:
    """Whether a text has an expression that a plain parameter reference is not."""
    if "${" in text:
        return True
    start = text.find("$(")
    while start >= 0:
        depth, end = 0, start + 1
        for end in range(start + 1, len(text)):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            if depth == 0:
                break
        if not _REFERENCE.match(text[start + 1 : end + 1]):
            return True
        start = text.find("$(", end)
    return False
