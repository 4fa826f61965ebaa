"""The scorecard: how much of what provenance can hold a crate holds, counted over its graph.

Twenty rows of a published taxonomy (Scientific question, Data, SoftWare, WorkFlow, ENVironment, EXecution) and one on
whether it is told how each execution ended: 2 where it is on every relevant entity, 1 where on some, 0 where on none.
Only what the metadata say is counted. A digest is no version of a workflow, and a tool wraps some program.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from wfexs_like.crate.graph import METADATA

Entity = dict[str, Any]
Rows = dict[str, tuple[int, str]]
_NOT_SAID: Final = ("not stated", "about:blank")
_COMMIT: Final = re.compile(r"\b[0-9a-f]{40}\b")


class Crate:
    """A crate's entities, and those that the rows are about."""

    def __init__(self, folder: Path) -> None:
        graph = json.loads((folder / METADATA).read_bytes())["@graph"]
        self.entities: dict[str, Entity] = {one["@id"]: one for one in graph}
        self.root = self.entities["./"]
        self.workflow = self.one(self.root, "mainEntity")
        actions = self.of_type("CreateAction", "ActivateAction")
        self.runs = [one for one in actions if self.one(one, "instrument") is self.workflow]
        self.tool_runs = [one for one in actions if self.one(one, "instrument") is not self.workflow]
        self.organizers = self.of_type("OrganizeAction")
        self.controllers = self.of_type("ControlAction")
        self.tools = _once(self.one(one, "instrument") for one in self.tool_runs)
        self.steps = self.many(self.workflow, "step")
        self.engines = _once(self.one(one, "instrument") for one in self.organizers)
        self.programs = _once(
            needed
            for tool in self.tools
            for needed in self.many(tool, "softwareRequirements")
            if is_a(needed, "SoftwareApplication")
        )
        self.images = self.of_type("ContainerImage")
        self.slots = [one for side in ("input", "output") for one in self.many(self.workflow, side)]
        self.files = [one for run in self.runs for one in self._files(run)]
        self.all_files = _once(one for run in (*self.runs, *self.tool_runs) for one in self._files(run))

    def _files(self, action: Entity) -> list[Entity]:
        """The files that an action took and made, those of collections too; not the log of one that made nothing."""
        found = [*self.many(action, "object"), *self.many(action, "result")]
        parts = [part for one in found if is_a(one, "Collection") for part in self.many(one, "hasPart")]
        return _once(one for one in (*found, *parts) if is_a(one, "File") and not one.get("about"))

    def of_type(self, *kinds: str) -> list[Entity]:
        return [one for one in self.entities.values() if any(is_a(one, kind) for kind in kinds)]

    def many(self, entity: Entity, name: str) -> list[Entity]:
        """The entities that a property refers to."""
        return [
            self.entities[one["@id"]]
            for one in values(entity, name)
            if isinstance(one, dict) and one.get("@id") in self.entities
        ]

    def one(self, entity: Entity, name: str) -> Entity:
        return next(iter(self.many(entity, name)), {})


def is_a(entity: Entity, kind: str) -> bool:
    return kind in values(entity, "@type")


def values(entity: Entity, name: str) -> list[Any]:
    found = entity.get(name)
    return [] if found is None else found if isinstance(found, list) else [found]


def _once(found: Iterable[Entity]) -> list[Entity]:
    return list({one["@id"]: one for one in found if one}.values())


def says(entity: Entity, *names: str) -> bool:
    """Whether the entity says each: something, and not that it isn't stated."""
    return all(
        any(
            one not in _NOT_SAID
            and not str(one if not isinstance(one, dict) else one.get("@id")).endswith("not-stated")
            for one in values(entity, name)
        )
        for name in names
    )


def score(crate: Crate) -> Rows:
    """Points by row, with what is lacking."""
    rows: Rows = {}

    def row(name: str, *demands: tuple[str, Iterable[Entity], Callable[[Entity], bool]]) -> None:
        told = fulfilled = 0
        lacking = []
        for what, entities, holds in demands:
            found = list(entities)
            good = [one for one in found if holds(one)]
            told += max(1, len(found))
            fulfilled += len(good)
            if not found or len(good) < len(found):
                worst = next((one.get("@id", "not there") for one in found if one not in good), "nothing to tell it of")
                lacking.append(f"{what}: {len(good)} of {len(found)} ({worst})")
        rows[name] = (2 if not lacking else 1 if fulfilled else 0, "; ".join(lacking))

    def having(*names: str) -> Callable[[Entity], bool]:
        return lambda one: says(one, *names)

    def edam(one: Entity) -> bool:
        named = [text for text in values(one, "encodingFormat") if isinstance(text, str)]
        return bool(named) and any("edamontology.org" in kind["@id"] for kind in crate.many(one, "encodingFormat"))

    def identified(slot: Entity) -> bool:
        """By an address: as text, which those who run a crate again want, or as what it refers to."""
        formats = [one.get("@id") if isinstance(one, dict) else one for one in values(slot, "encodingFormat")]
        return any(str(one).startswith(("http://", "https://")) for one in formats)

    def reachable(one: Entity) -> bool:
        inside = not one["@id"].startswith("#") and ":" not in one["@id"]
        return inside or says(one, "contentUrl") or says(one, "url") or says(one, "identifier")

    def licensed(one: Entity) -> bool:
        """By itself; what lies in the crate is under the crate's licence."""
        stated = [*values(one, "license"), *(values(crate.root, "license") if not one["@id"].startswith("#") else [])]
        return any(not str(each.get("@id")).endswith("not-stated") for each in stated if isinstance(each, dict))

    def affiliated(action: Entity) -> bool:
        person = crate.one(action, "agent")
        return is_a(person, "Person") and "orcid.org" in person["@id"] and says(person, "name", "affiliation")

    def wraps(tool: Entity) -> bool:
        return any(is_a(one, "SoftwareApplication") for one in crate.many(tool, "softwareRequirements"))

    def committed(workflow: Entity) -> bool:
        where = [str(one) for name in ("version", "identifier") for one in values(workflow, name)]
        return says(workflow, "codeRepository") and any(_COMMIT.search(one) for one in where)

    def surrounded(action: Entity) -> bool:
        variables = crate.many(action, "environment")
        return bool(variables) and all(says(one, "name", "value") for one in variables)

    def built(step: Entity) -> bool:
        recipes = crate.many(step, "buildInstructions")
        return bool(recipes) and all(is_a(one, "File") and says(one, "sha256", "encodingFormat") for one in recipes)

    def exact(action: Entity) -> bool:
        times = [action.get(name) for name in ("startTime", "endTime")]
        return all(isinstance(one, str) and one.endswith("+00:00") for one in times)

    def resources(action: Entity) -> bool:
        used = crate.many(action, "resourceUsage")
        told = " ".join(str(one.get("name")) for one in used)
        return all(word in told for word in ("wall", "processor", "memory", "read", "written")) and all(
            says(one, "propertyID", "unitCode", "value") for one in used
        )

    main = [crate.workflow]
    data_slots = [one for one in crate.slots if set(values(one, "additionalType")) & {"File", "Collection"}]
    links = crate.of_type("ParameterConnection")
    every_action = [*crate.runs, *crate.controllers, *crate.tool_runs, *crate.organizers]
    made = _once(one for run in crate.runs for one in crate.many(run, "result") if is_a(one, "File"))
    away = [one for one in crate.files if one["@id"].startswith("#")]

    row(
        "SC1 workflow design",
        ("steps", main, lambda one: is_a(one, "HowTo") and says(one, "step")),
        ("positions", crate.steps, lambda one: "position" in one and says(one, "workExample")),
        ("connections", links, having("sourceParameter", "targetParameter")),
        ("diagram", main, having("image")),
    )
    row(
        "SC2 entity annotations",
        ("authors and keywords", main, having("name", "description", "author", "keywords")),
        ("parameters", crate.slots, having("name", "description")),
        ("formats of parameters", data_slots, identified),
        ("formats of files", crate.files, edam),
        ("names of files", crate.files, having("name", "description")),
    )
    row(
        "SC3 execution annotations",
        ("actions", [*crate.runs, *crate.tool_runs], having("name", "description")),
        ("root", [crate.root], having("description", "author")),
        (
            "logs",
            crate.runs,
            lambda run: any({"@id": run["@id"]} in values(one, "about") for one in crate.of_type("File")),
        ),
    )
    row("D1 data identification", ("digests", crate.all_files, having("name", "sha256")))
    row(
        "D2 file characteristics",
        ("size and format", crate.all_files, having("contentSize", "encodingFormat")),
        ("formats by identifier", crate.files, edam),
        ("when it was made", made, having("dateModified")),
    )
    row(
        "D3 data access",
        ("where it is", crate.files, reachable),
        ("licence", crate.files, licensed),
        ("conditions and date", away, having("conditionsOfAccess", "sdDatePublished")),
    )
    row(
        "D4 parameter mapping",
        ("workflow's slots", crate.slots, lambda one: says(one, "workExample")),
        ("files' slots", crate.files, lambda one: says(one, "exampleOfWork") or _in_collection(crate, one)),
        ("connections", links, having("sourceParameter", "targetParameter")),
    )
    row(
        "SW1 software identification",
        ("tools", crate.tools, having("name", "version")),
        ("a program of each tool", crate.tools, wraps),
        ("programs", crate.programs, having("name", "version", "identifier")),
    )
    row(
        "SW2 software documentation",
        ("tools", crate.tools, having("url", "description")),
        ("programs", crate.programs, having("url", "citation")),
    )
    row(
        "SW3 software access",
        ("requirements", crate.tools, having("softwareRequirements")),
        (
            "programs",
            crate.programs,
            lambda one: says(one, "license") and (says(one, "codeRepository") or says(one, "downloadUrl")),
        ),
    )
    row(
        "WF1 workflow software",
        ("language", main, lambda one: says(crate.one(one, "programmingLanguage"), "name", "version")),
        ("source and commit", main, committed),
    )
    row(
        "WF2 workflow parameters",
        ("types", crate.slots, lambda one: says(one, "additionalType") and "multipleValues" in one),
        (
            "inputs",
            crate.many(crate.workflow, "input"),
            lambda one: "defaultValue" in one or one.get("valueRequired") is True,
        ),
    )
    row(
        "WF3 workflow requirements",
        ("tools", crate.tools, having("memoryRequirements", "storageRequirements", "processorRequirements")),
    )
    row(
        "ENV1 software environment",
        ("engine", crate.engines, having("runtimePlatform", "operatingSystem", "softwareRequirements")),
        ("tool runs", crate.tool_runs, surrounded),
        ("recipes", crate.steps, built),
    )
    row(
        "ENV2 hardware",
        (
            "host",
            crate.organizers,
            lambda one: (
                all(says(fact, "propertyID", "value") for fact in crate.many(one, "additionalProperty"))
                and len(crate.many(one, "additionalProperty")) >= 4
            ),
        ),
        ("cores of tools", crate.tools, having("processorRequirements")),
    )
    row(
        "ENV3 container image",
        ("runs", [*crate.runs, *crate.tool_runs], lambda one: bool(crate.many(one, "containerImage"))),
        ("images", crate.images, having("registry", "name", "sha256", "additionalType")),
    )
    row("EX1 timestamps", ("actions", [*crate.runs, *crate.controllers, *crate.tool_runs], exact))
    row("EX2 consumed resources", ("tool runs", crate.tool_runs, resources))
    row(
        "EX3 engine",
        ("engine", crate.engines, having("name", "version", "url")),
        (
            "configuration",
            crate.organizers,
            lambda one: any({"@id": one["@id"]} in values(file, "about") for file in crate.of_type("File")),
        ),
    )
    row("EX4 human agent", ("actions", [*crate.runs, *crate.tool_runs, *crate.organizers], affiliated))
    row(
        "+ status",
        ("actions", every_action, lambda one: says(one, "actionStatus")),
        ("errors", [*every_action], lambda one: "Failed" not in one.get("actionStatus", "") or says(one, "error")),
    )
    return rows


def _in_collection(crate: Crate, file: Entity) -> bool:
    return any({"@id": file["@id"]} in values(one, "hasPart") for one in crate.of_type("Collection"))


def points(rows: Rows) -> int:
    """The sum: 42 at most, and 40 where no container was used."""
    return sum(score for score, _ in rows.values())
