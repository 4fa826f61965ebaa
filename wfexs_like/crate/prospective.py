"""The prospective half of a crate: the workflow, its parameters, and the values that were staged for them.

Source: Workflow RO-Crate 1.0 and Bioschemas' ComputationalWorkflow and FormalParameter profiles.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from engines.base import FormalParameter
from staging.errors import PolicyError
from staging.paths import safe_join
from staging.plan import Json, Kind, PlanItem, Role
from wfexs_like.crate.citations import describe_citation
from wfexs_like.crate.contextual import Contextual
from wfexs_like.crate.data import Content, DataEntities, basename_of
from wfexs_like.crate.diagram import describe_diagram
from wfexs_like.crate.discretion import Discretion, public_identifier, web_address
from wfexs_like.crate.graph import ROOT, Entity, Graph, Ref, path_id
from wfexs_like.crate.images import Images
from wfexs_like.crate.kept_back import KeptBack
from wfexs_like.crate.open_outputs import documented_outputs
from wfexs_like.crate.payload import Payload, verify_outside
from wfexs_like.crate.processes import PROCESS, Processes
from wfexs_like.crate.story import Slot, Thing
from wfexs_like.crate.structure import places, stated_pairs
from wfexs_like.crate.subject import CrateSubject
from wfexs_like.crate.values import (
    Formal,
    Values,
    default_text,
    formal_parameter,
    has_files,
    literal_types,
    told_by_program,
    without_places,
)
from wfexs_like.crate.vocabulary import BIOSCHEMAS_PARAMETER, BIOSCHEMAS_WORKFLOW
from wfexs_like.crate.workflows_own import by_dotted_name, gives_away, is_default

_READ_ANYWAY = 64 << 20


class Prospective:
    """Describes what was staged. ``include`` has the kinds of payload that go into the crate."""

    def __init__(
        self,
        subject: CrateSubject,
        graph: Graph,
        payload: Payload,
        discretion: Discretion,
        include: frozenset[str],
        *,
        rehash: bool,
    ) -> None:
        self.subject = subject
        self.plan = subject.plan
        self.graph = graph
        self.payload = payload
        self.discretion = discretion
        self.include = include
        self.rehash = rehash
        self.contextual = Contextual(graph, discretion)
        self.data = DataEntities(graph, payload, self.contextual, accessed=subject.created, rehash=rehash)
        self.images = Images(graph, self.contextual, discretion, self.plan.items)
        self.values = Values(graph, self.data, discretion)
        self.root = graph.add(ROOT, "Dataset")
        self.main_id = path_id(str(self.plan.workflow.path))
        self.inputs: dict[str, Formal] = {}
        self.outputs: dict[str, Formal] = {}
        self.documented_outputs = documented_outputs(subject)
        self.variables: dict[str, Formal] = {}
        self._items = {role: {item.name: item for item in self.plan.of_role(role)} for role in Role}
        staged = (*self.plan.of_role(Role.INPUT), *self.plan.of_role(Role.ENVIRONMENT))
        self._by_path = {str(item.path): item for item in staged if item.path is not None}
        self.kept_back = KeptBack(subject.content, staged)
        self._undisclosed = tuple(item for item in staged if not item.disclosable)
        self.secretive = bool(self._undisclosed)

    # -- the workflow ----------------------------------------------------------------------------------------------

    def workflow(self) -> tuple[Entity, list[Thing]]:
        """The main workflow, with the documents it is made of, all in the crate."""
        plan, interface = self.plan, self.subject.interface
        items = plan.of_role(Role.WORKFLOW)
        if any(not item.disclosable for item in items):
            raise PolicyError("the workflow must not be disclosed, and a crate always holds its workflow")
        name = self._title()
        main = self.data.document(
            str(plan.workflow.path), name=name, expected=self._document_digest(plan.workflow.path)
        )
        main.types.update(dict.fromkeys(("File", "SoftwareSourceCode", "ComputationalWorkflow")))
        if plan.workflow.language == "cwl":
            main.set("encodingFormat", _cwl_media_type(self.subject.content, str(plan.workflow.path)))
        main.add("conformsTo", self.contextual.profile(BIOSCHEMAS_WORKFLOW))
        main.add(
            "programmingLanguage", self.contextual.language(plan.workflow.language, plan.workflow.language_version)
        )
        main.add("description", self.words(interface.doc or self.subject.description))
        main.add("license", self._workflow_licence(items))
        main.add("keywords", self.words(", ".join(interface.keywords)))
        for author in interface.authors:
            main.add("author", self.contextual.author(author))
        self._origin(main, items)
        describe_citation(self, main)
        self._engine(main)
        things = [_thing(main)]
        for path in self._documents():
            document = self.data.document(
                path, name=PurePosixPath(path).name, expected=self._document_digest(PurePosixPath(path))
            )
            if path.endswith(".cwl"):
                document.set("encodingFormat", _cwl_media_type(self.subject.content, path))
            main.add("hasPart", Ref(document.id))
            things.append(_thing(document))
        processes = Processes(self.graph, self.discretion)
        for tool in interface.tools:
            if tool.kind == PROCESS:
                processes.describe(main, tool, image=self.images.named(tool.container))
        main.add("softwareRequirements", *(self.images.describe(one) for one in self.images.items))
        if "workflow" in self.include:
            self._whole_workflow(items)
        else:
            self._verify_folders(items)
        self.root.set("mainEntity", Ref(main.id))
        return main, things

    def _title(self) -> str:
        stated = self.subject.title or self.subject.interface.label
        return self.discretion.text(stated) if stated else self.plan.workflow.path.name

    def words(self, text: str | None) -> str | None:
        """A text for people, with nothing local in it."""
        return self.discretion.text(text) if text else None

    def top(self) -> PurePosixPath:
        """The folder that the interface's document names are relative to, below the content."""
        path, entry = self.plan.workflow.path, self.subject.interface.entry
        depth = len(PurePosixPath(posixpath.normpath(entry)).parts)
        return PurePosixPath(*path.parts[: max(0, len(path.parts) - depth)])

    def _documents(self) -> list[str]:
        """The documents besides the main one, relative to the content."""
        top = self.top()
        names = {posixpath.normpath(str(top / one)) for one in self.subject.interface.documents}
        main = str(self.plan.workflow.path)
        return sorted(one for one in names if one != main and (self.subject.content / one).is_file())

    def _document_digest(self, path: PurePosixPath) -> str | None:
        """The digest that the plan has for a document that is an item of its own."""
        for item in self.plan.of_role(Role.WORKFLOW):
            if item.path == path and item.kind is Kind.FILE:
                return item.fingerprint.digest
        return None

    def _whole_workflow(self, items: tuple[PlanItem, ...]) -> None:
        """All that came with the workflow: the repository's folder as it was fetched, or the one file."""
        for item in items:
            if item.path is None:
                continue
            folder = item.kind is Kind.DIRECTORY
            self.data.describe(
                Content(
                    slot="workflow",
                    basename=item.path.name,
                    folder=folder,
                    path=item.path,
                    sha256=item.fingerprint.digest,
                    size=item.size,
                    item=item if folder else None,
                    include=True,
                )
            )

    def _verify_folders(self, items: tuple[PlanItem, ...]) -> None:
        """A document out of a repository has no digest of its own in the plan: its folder's counts."""
        for item in items:
            if item.kind is Kind.DIRECTORY and item.path is not None and (self.rehash or item.size <= _READ_ANYWAY):
                verify_outside(self.subject.content, item.path, item.fingerprint.digest, folder=True)

    def _workflow_licence(self, items: tuple[PlanItem, ...]) -> Ref | None:
        stated = self.subject.interface.licence or next((one for item in items for one in item.licences), None)
        return self.contextual.licence(stated) if stated else None

    def _origin(self, main: Entity, items: tuple[PlanItem, ...]) -> None:
        """Where the workflow came from, and its version: what it says itself, or the commit, or the bytes' digest."""
        pinned = next((shown for item in items if (shown := public_identifier(item.pinned))), None)
        address = web_address(pinned)
        main.add("identifier", pinned)
        main.add("url", address or Ref(main.id))
        main.add("version", self.words(self.subject.interface.version))
        if pinned is not None and pinned.startswith(("git+", "github:")):
            main.add("codeRepository", address)
            reference = pinned.partition("#")[0].rpartition("@")[2]
            if "/" not in reference and reference and not main.has("version"):
                main.add("version", reference)
        if not main.has("codeRepository"):
            main.add("codeRepository", web_address(public_identifier(self.subject.interface.repository or "")))
        if not main.has("version"):
            main.add("version", f"sha256:{next(iter(main.properties['sha256']))[1]}")

    def _engine(self, main: Entity) -> None:
        items = self.plan.of_role(Role.ENGINE)
        # The first is the engine, others are the files that it is made of.
        identifier = items[0].pinned if items else None
        sha256 = items[0].fingerprint.digest if items else None
        engine = self.contextual.engine(self.plan.engine, self.plan.engine_version, identifier, sha256)
        self.engine = self.graph[engine]
        main.add("softwareRequirements", engine)
        for item in self.plan.of_role(Role.PLUGIN):
            name, _, version = item.name.partition("@")
            plugin = self.contextual.software(
                name, version, item.pinned, item.fingerprint.digest, f"A plugin of {self.plan.engine} that it needs."
            )
            main.add("softwareRequirements", plugin)
        main.add("runtimePlatform", f"{self.plan.engine} {self.plan.engine_version}")

    # -- parameters ------------------------------------------------------------------------------------------------

    def parameters(self, main: Entity) -> None:
        """A FormalParameter for each input and output of the workflow, and for each variable that was set."""
        for formal in self.subject.interface.inputs:
            self.inputs[formal.name] = self._formal(main, "input", formal)
        for formal in self.documented_outputs:
            self.output(main, formal)
        for name in sorted(self.plan.environment):
            entity = self.graph.add(
                f"{self.main_id}#{quote(f'environment/{name}', safe='/~')}", "FormalParameter", name=name
            )
            entity.add("conformsTo", self.contextual.profile(BIOSCHEMAS_PARAMETER))
            entity.add("description", "an environment variable of the run")
            self.variables[name] = formal_parameter(entity, name, "string", secondary=False)
            main.add("environment", Ref(entity.id))

    def output(self, main: Entity, formal: FormalParameter) -> None:
        """A FormalParameter for an output."""
        self.outputs[formal.name] = self._formal(main, "output", formal)

    def _formal(self, main: Entity, side: str, formal: FormalParameter) -> Formal:
        process = self.plan.workflow.process
        local = f"{process}/{formal.name}" if process else formal.name
        entity = self.graph.add(f"{self.main_id}#{quote(local, safe='/~')}", "FormalParameter", name=formal.name)
        if side == "output" and formal.name in self.inputs:
            # Another language than CWL may have an input and an output of one name.
            entity = self.graph.add(
                f"{self.main_id}#output/{quote(local, safe='/~')}", "FormalParameter", name=formal.name
            )
        entity.add("conformsTo", self.contextual.profile(BIOSCHEMAS_PARAMETER))
        entity.add("description", self.words(formal.doc or formal.label))
        for one in formal.format:
            if one.startswith(("http://", "https://")):
                entity.add("encodingFormat", one)
        if side == "input":
            entity.set("valueRequired", formal.required)
            if formal.has_default and not self._gives_away(formal.default):
                entity.add("defaultValue", default_text(formal.default, self.discretion))
        main.add(side, Ref(entity.id))
        described = formal_parameter(entity, formal.name, formal.type, secondary=bool(formal.secondary))
        described.assumed = literal_types(formal.default) if formal.has_default else frozenset()
        return described

    def settle(self) -> None:
        """Finish the parameters, when all values were described; draw the workflow where no run drew it."""
        main = self.graph[self.main_id]
        if not main.has("image"):
            known = places(self.subject.interface, ())
            describe_diagram(self, main, known, stated_pairs(self.subject.interface, known))
        for formal in (*self.inputs.values(), *self.outputs.values(), *self.variables.values()):
            formal.settle()

    # -- values ----------------------------------------------------------------------------------------------------

    def staged_values(self) -> tuple[Slot, ...]:
        """The values in the plan, one slot for each input of the workflow."""
        return self.slots(self.plan.parameters, ran=False)[1]

    def slots(
        self, parameters: Mapping[str, Json], *, ran: bool = True, final: Mapping[str, Json] | None = None
    ) -> tuple[list[Ref], tuple[Slot, ...]]:
        """Describe values of the workflow's inputs: their entities, and how they are told.

        ``final`` are the values that a run had in the end, where the engine tells: those of ``parameters``, and what
        the workflow itself set.
        """
        refs: list[Ref] = []
        slots: list[Slot] = []
        documented = {formal.name: formal for formal in self.subject.interface.inputs}
        last = by_dotted_name(final or {}, {*documented, *parameters})
        for name in [*documented, *sorted({*parameters, *last} - set(documented))]:
            formal = self.inputs.get(name)
            stated = documented.get(name)
            value = without_places(parameters.get(name))
            if value is None and last.get(name) is not None:
                found, slot = self._set_by_workflow(name, last[name], stated, formal)
            elif value is None and stated is not None and stated.has_default and stated.default is not None:
                if self._gives_away(stated.default):
                    found, slot = self.values.undisclosed(name, formal)
                else:
                    found, slot = self._default(name, stated, formal)
            elif value is None and ran:
                found, slot = self.values.absent(name, formal, "no value was given")
            elif value is None:
                found, slot = [], Slot(name=name, kind="", things=(Thing(text="no value was given"),))
            else:
                found, slot = self.values.describe(name, value, formal, self.locate)
            kind = kind_of(stated.type) if stated is not None else ""
            slots.append(
                Slot(name=name, kind=kind, things=slot.things, many=slot.many, description=self._about(stated))
            )
            refs += found
            refs += [inner for one in found for inner in self.values.files_of(one)]
        return list(dict.fromkeys(refs)), tuple(slots)

    def _about(self, formal: FormalParameter | None) -> str | None:
        return self.words(formal.doc or formal.label) if formal is not None else None

    def _gives_away(self, default: Json) -> bool:
        return gives_away(default, (item.path.name for item in self._undisclosed if item.path is not None))

    def _set_by_workflow(
        self, name: str, value: Json, stated: FormalParameter | None, formal: Formal | None
    ) -> tuple[list[Ref], Slot]:
        """A value that nobody gave: the workflow's scripts or configuration set it."""
        own = stated is not None and stated.has_default and is_default(stated.default, value, str(self.top()))
        note = "the workflow's default" if own else "set by the workflow"
        return self.values.describe(name, told_by_program(value, self.discretion), formal, self.locate, note=note)

    def _default(self, name: str, stated: FormalParameter, formal: Formal | None) -> tuple[list[Ref], Slot]:
        """A value that the workflow itself gives; a file's is told by its name."""
        text = default_text(stated.default, self.discretion)
        value: Json = (
            stated.default if not isinstance(stated.default, Mapping) or "class" not in stated.default else text
        )
        if _names_files(value):
            value = text
        return self.values.describe(name, value, formal, self.locate, note="the workflow's default")

    def variable_values(self, values: Mapping[str, Json]) -> tuple[list[Ref], list[Ref], tuple[Slot, ...]]:
        """Describe the environment variables that the stage file asks for: their values, the files in them, in words.

        ``values`` are those of a run. A variable with files in it has the values of the plan, which name their items.
        """
        refs: list[Ref] = []
        files: list[Ref] = []
        slots: list[Slot] = []
        for name, formal in self.variables.items():
            if self._undisclosed_variable(name):
                self.data.withheld.add(name)
                found, slot = self.values.undisclosed(name, formal)
            elif has_files(self.plan.environment.get(name)):
                found, slot = self.values.holding(name, self.plan.environment[name], formal, self._locate_variable)
                files += [inner for one in found for inner in self.values.files_of(one)]
            else:
                value = values.get(name, self.plan.environment.get(name))
                shown = value if isinstance(value, str | int | float | bool) else default_text(value, self.discretion)
                text = str(shown) if shown is not None else ""
                found, slot = self.values.describe(name, text, formal, self.locate)
            refs += found
            slots.append(slot)
        return refs, list(dict.fromkeys(files)), tuple(slots)

    def _undisclosed_variable(self, name: str) -> bool:
        items = (item for item in self._undisclosed if item.role is Role.ENVIRONMENT)
        return any(re.split(r"[.\[]", item.name)[0] == name for item in items)

    def _locate_variable(self, slot: str, value: Mapping[str, Json]) -> Content:
        return self.locate(slot, value, role=Role.ENVIRONMENT)

    def locate(self, slot: str, value: Mapping[str, Json], *, role: Role = Role.INPUT) -> Content:
        """Which file or folder a CWL object among the inputs, or in the environment, means."""
        folder = value.get("class") == "Directory"
        item = self._items[role].get(str(value["item"])) if "item" in value else None
        path = item.path if item is not None else None
        member = value.get("member")
        if item is None:
            path = relative_path(self.subject.content, value)
            item, member = self.item_at(path)
        elif member and path is not None:
            path = path / str(member)
        whole = item is not None and not member
        known = value.get("sha256")
        sha256 = item.fingerprint.digest if item is not None and whole else known if isinstance(known, str) else None
        size = item.size if item is not None and whole else None
        form = value.get("format")
        return Content(
            slot=slot,
            basename=basename_of(value, path),
            folder=folder,
            path=path,
            sha256=sha256,
            size=size,
            item=item,
            format=form if isinstance(form, str) else None,
            hidden=item is not None and not item.disclosable,
            include="inputs" in self.include and (item is None or (item.disclosable and item.clonable)),
        )

    def item_at(self, path: PurePosixPath | None) -> tuple[PlanItem | None, str | None]:
        """The item that a path below the content belongs to, and the part of it that is meant."""
        for folder in (path, *path.parents) if path is not None else ():
            item = self._by_path.get(str(folder))
            if item is not None and path is not None:
                return item, str(path.relative_to(folder)) if folder != path else None
        return None, None


def relative_path(content: Path, value: Mapping[str, Json]) -> PurePosixPath | None:
    """The place of a CWL File or Directory below the content, ``None`` if it lies elsewhere."""
    stated = value.get("path") or value.get("location")
    if not isinstance(stated, str) or not stated:
        return None
    path = PurePosixPath(stated.removeprefix("file://"))
    if path.is_absolute():
        if not path.is_relative_to(str(content)):
            return None
        path = path.relative_to(str(content))
    return path if ".." not in path.parts and path.parts else None


def kind_of(cwl_type: Json) -> str:
    """A CWL type as people write it: ``File[]``, ``int?``, ``enum``."""
    if isinstance(cwl_type, Mapping):
        if cwl_type.get("type") == "array":
            inner = kind_of(cwl_type.get("items"))
            return f"({inner})[]" if " " in inner else f"{inner}[]"
        return kind_of(cwl_type.get("type"))
    if isinstance(cwl_type, list | tuple):
        some = [kind_of(one) for one in cwl_type if one != "null"]
        text = " or ".join(dict.fromkeys(some))
        return text if len(some) == len(cwl_type) else f"{text}?" if len(some) == 1 else f"{text} or nothing"
    return str(cwl_type)


def _thing(entity: Entity) -> Thing:
    known = entity.as_json()
    return Thing(
        text=entity.id.rpartition("/")[2] if not known.get("name") else str(known["name"]),
        href=entity.id,
        sha256=str(known["sha256"]),
        size=int(str(known["contentSize"])),
    )


def _names_files(value: Json) -> bool:
    if isinstance(value, Mapping):
        return "class" in value or any(_names_files(one) for one in value.values())
    return isinstance(value, list | tuple) and any(_names_files(one) for one in value)


def _cwl_media_type(content: Path, path: str) -> str:
    """CWL is YAML or JSON; the first byte that is not white space tells."""
    with safe_join(content, path).open("rb") as stream:
        return "application/cwl+json" if stream.read(4096).lstrip()[:1] == b"{" else "application/cwl+yaml"
