"""Tools: what the steps of a workflow run, with the parameters of each.

A tool is a SoftwareApplication: the document that it is in where that is all of it, else a part of one. A sub-workflow
is a ComputationalWorkflow once something of it ran; before, it is only a text. A validator wants each tool in a
workflow's ``hasPart`` to have run, and so one that didn't says by ``isPartOf`` what it belongs to.
Source: Provenance Run Crate 0.5; Process Run Crate 0.5, "Specifying software dependencies".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from urllib.parse import quote

from engines.base import FormalParameter, Tool
from staging.plan import Json
from wfexs_like.crate import needs
from wfexs_like.crate.graph import Entity, Ref, fragment, path_id
from wfexs_like.crate.processes import PROCESS, Processes
from wfexs_like.crate.programs import describe_program
from wfexs_like.crate.prospective import Prospective
from wfexs_like.crate.recipes import Recipes
from wfexs_like.crate.structure import NESTED
from wfexs_like.crate.values import Formal, default_text, formal_parameter
from wfexs_like.crate.vocabulary import BIOSCHEMAS_PARAMETER, BIOSCHEMAS_WORKFLOW

_SIDES = ("input", "output")
_NONE_KNOWN = "No run in this crate is known to have given it a value."


@dataclass(slots=True, kw_only=True)
class ToolEntity:
    """A tool's entity and its parameters, by name; ``ran`` once an action is of it."""

    entity: Entity
    known: Tool | None
    ran: bool = False
    inputs: dict[str, Formal] = field(default_factory=dict)
    outputs: dict[str, Formal] = field(default_factory=dict)

    @property
    def is_workflow(self) -> bool:
        """Whether it has steps of its own."""
        return self.known is not None and self.known.kind == "Workflow"

    def side(self, side: str) -> dict[str, Formal]:
        """The parameters of one side, ``input`` or ``output``."""
        return self.inputs if side == "input" else self.outputs


class Tools:
    """Describes tools in the graph of ``ground``, each when it is first asked for."""

    def __init__(self, ground: Prospective, main: Entity) -> None:
        self.ground = ground
        self.graph = ground.graph
        self.main = main
        self.entities: dict[str, ToolEntity] = {}
        tools = ground.subject.interface.tools
        self._known = {name: tool for tool in tools for name in (*tool.aliases, tool.id)}
        self._recipes = Recipes(ground)
        self._top = ground.top()

    def of(self, tool_id: str) -> ToolEntity:
        """The tool that the workflow, or its run, calls so."""
        found = self.entities.get(tool_id)
        if found is None:
            known = self._known.get(tool_id)
            if tool_id.endswith(NESTED):
                known = Tool(id=tool_id, kind="Workflow")
            nextflow = self.ground.plan.workflow.language == "nextflow" or (known is not None and known.kind == PROCESS)
            if tool_id.endswith(NESTED):
                entity = self._nested(tool_id.rstrip(NESTED))
            else:
                entity = self._process(tool_id, known) if nextflow else self._document(tool_id, known)
            found = self.entities[tool_id] = ToolEntity(entity=entity, known=known)
            for package in known.software if known is not None else ():
                self._software(entity, package, alone=known is not None and len(known.software) == 1)
            if known is not None:
                needs.state(entity, known.needs)
                if known.program and not known.software:
                    self._software(entity, {"package": PurePosixPath(known.program).name}, alone=True)
        return found

    def run(self, tool_id: str) -> ToolEntity:
        """The same, of which there is an action."""
        tool = self.of(tool_id)
        if not tool.ran:
            tool.ran = True
            if tool.is_workflow:
                self._workflow(tool.entity)
        return tool

    def recipe(self, tool: ToolEntity, tool_id: str) -> Ref | None:
        """The file that says how a tool's environment is made, if there is one."""
        return self._recipes.of(tool_id, tool.known)

    def formal(self, tool: ToolEntity, side: str, name: str, value: Json = None) -> Formal:
        """The parameter that a tool has by that name; one that nobody declared is what it was seen to be."""
        formals = tool.side(side)
        found = formals.get(name)
        if found is None:
            declared = () if tool.known is None else tool.known.inputs if side == "input" else tool.known.outputs
            stated = next((one for one in declared if one.name == name), None)
            found = formals[name] = self._formal(tool, side, name, stated)
        if isinstance(value, list | tuple):
            found.entity.set("multipleValues", True)
        return found

    def declared(self, tool: ToolEntity, side: str, name: str) -> Formal | None:
        """The same, ``None`` where the tool is not known to have it."""
        if name in tool.side(side):
            return tool.side(side)[name]
        stated = () if tool.known is None else tool.known.inputs if side == "input" else tool.known.outputs
        return self.formal(tool, side, name) if any(one.name == name for one in stated) else None

    def settle(self) -> None:
        """Finish every parameter; one that nothing filled is given an example that says so."""
        for tool in self.entities.values():
            for side in _SIDES:
                self._complete(tool, side)
                for formal in tool.side(side).values():
                    if not formal.entity.has("workExample"):
                        self.ground.values.stand_in(formal, _NONE_KNOWN, shared=True)
                    formal.settle()

    def _complete(self, tool: ToolEntity, side: str) -> None:
        """Parameters that were declared and not met; not where the runs had other names for them (Nextflow's)."""
        if tool.known is None or tool.known.kind == PROCESS:
            return
        for stated in tool.known.inputs if side == "input" else tool.known.outputs:
            self.formal(tool, side, stated.name)

    # -- entities --------------------------------------------------------------------------------------------------

    def _nested(self, name: str) -> Entity:
        """A workflow that is called by another one of the same scripts (Nextflow)."""
        entity = self.graph.add(f"{self.main.id}#workflow/{quote(name, safe='~')}", "SoftwareSourceCode", name=name)
        entity.set("version", *(str(value) for _, value in self.main.properties.get("version", {})))
        entity.set("url", Ref(self.main.id)).set("description", f"The workflow {name}, which the main one calls.")
        return entity

    def _process(self, tool_id: str, known: Tool | None) -> Entity:
        """A Nextflow process; under another name, as ``include`` gives it one, it is a tool of its own."""
        entity_id = f"{self.main.id}#process/{quote(tool_id, safe='~')}"
        if entity_id not in self.graph:
            # Under another name it is no part of the workflow before it ran; what it needs is as its own text says.
            told = replace(known, id=tool_id) if known is not None else Tool(id=tool_id, kind=PROCESS)
            image = self.ground.images.named(told.container)
            Processes(self.graph, self.ground.discretion).describe(self.main, told, image=image)
        return self.graph[entity_id]

    def _document(self, tool_id: str, known: Tool | None) -> Entity:
        """A CWL process: a document of the crate, or a part of one."""
        document, _, part = tool_id.partition("#")
        whole = path_id(str(self._top / PurePosixPath(document)))
        workflow = known is not None and known.kind == "Workflow"
        kind = "SoftwareSourceCode" if workflow else "SoftwareApplication"
        name = part or PurePosixPath(document).name
        if whole not in self.graph:
            entity = self.graph.add(fragment("tool", tool_id), kind, name=name)
        elif part:
            entity = self.graph.add(f"{whole}#{quote(part, safe='/~')}", kind, name=name)
        elif whole == self.main.id:
            # The whole workflow is this one tool.
            entity = self.graph.add(inside(whole, "tool"), kind, name=name)
        else:
            entity = self.graph.add(whole, kind)
        if not entity.has("url"):
            entity.set("url", Ref(whole if whole in self.graph else self.main.id))
        digest = entity.properties.get("sha256") or self.main.properties.get("sha256", {})
        version = next((f"sha256:{one}" for _, one in digest), "not stated")
        entity.set("version", version)
        words = [self.ground.words(one) for one in (known.label, known.doc) if one] if known is not None else []
        entity.add("description", ": ".join(one for one in words if one) or None)
        if known is not None:
            entity.add("softwareRequirements", self.ground.images.named(known.container))
        return entity

    def _workflow(self, entity: Entity) -> None:
        entity.types.update(dict.fromkeys(("SoftwareSourceCode", "ComputationalWorkflow")))
        contextual, plan = self.ground.contextual, self.ground.plan
        entity.add("conformsTo", contextual.profile(BIOSCHEMAS_WORKFLOW))
        entity.add("programmingLanguage", contextual.language(plan.workflow.language, plan.workflow.language_version))

    def _software(self, entity: Entity, package: Mapping[str, Json], *, alone: bool) -> None:
        """A program that the tool says it needs (CWL's SoftwareRequirement); the only one is what it wraps."""
        needed = describe_program(self.ground, package)
        entity.add("softwareRequirements", needed)
        if alone:
            entity.set("mainEntity", needed)

    def _formal(self, tool: ToolEntity, side: str, name: str, stated: FormalParameter | None) -> Formal:
        entity_id = inside(tool.entity.id, quote(name, safe="/~"))
        if entity_id in self.graph:
            entity_id = inside(tool.entity.id, f"{side}/{quote(name, safe='/~')}")
        entity = self.graph.add(entity_id, "FormalParameter", name=name)
        entity.add("conformsTo", self.ground.contextual.profile(BIOSCHEMAS_PARAMETER))
        tool.entity.add(side, Ref(entity.id))
        if stated is None:
            return formal_parameter(entity, name, "Any", secondary=False)
        entity.add("description", self.ground.words(stated.doc or stated.label))
        for one in stated.format:
            if one.startswith(("http://", "https://")):
                entity.add("encodingFormat", one)
        if side == "input":
            entity.set("valueRequired", stated.required)
            if stated.has_default and not self.ground.secretive:
                entity.add("defaultValue", default_text(stated.default, self.ground.discretion))
        return formal_parameter(entity, name, stated.type, secondary=bool(stated.secondary))


def inside(entity_id: str, name: str) -> str:
    """The @id of a part of something that may be a part itself."""
    return f"{entity_id}{'/' if '#' in entity_id else '#'}{name}"
