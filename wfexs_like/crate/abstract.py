"""The abstract workflow: what a Nextflow pipeline was seen to do, in CWL that names its parts and runs none of them.

Each step is an ``Operation``; what its parameters are called, and what went from one to the next, is what the runs in
the crate showed. So it can be read, drawn and searched by whatever knows CWL.
Source: CWL v1.2, "Operation"; Workflow RO-Crate 1.0, "Workflow description": a File, SoftwareSourceCode and HowTo that
the main workflow has in ``subjectOf``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from engines.base import WorkflowInterface
from wfexs_like.crate.graph import Entity, Ref
from wfexs_like.crate.prospective import Prospective
from wfexs_like.crate.structure import NESTED, Pair, Place

NAME: Final = "workflow-abstract.cwl"
CWL_VERSION: Final = "v1.2"
_ANYTHING: Final = ["null", "Any"]
_SEVERAL: Final = {"class": "MultipleInputFeatureRequirement"}


def describe_abstract(ground: Prospective, main: Entity, places: Mapping[str, Place], pairs: Iterable[Pair]) -> None:
    """Put the abstract workflow into the crate, unless there is nothing to tell of, or the language is CWL anyway."""
    interface = ground.subject.interface
    if interface.language == "cwl" or not places:
        return
    title = next((str(value) for _, value in main.properties.get("name", {})), "the workflow")
    told = abstract(interface, places, pairs, title=title)
    text = json.dumps(told, indent=1, ensure_ascii=False, sort_keys=False) + "\n"
    name = "the workflow's abstract description in CWL"
    entity = ground.data.made(NAME, text.encode(), name=name, encoding="application/cwl+json")
    entity.types.update(dict.fromkeys(("SoftwareSourceCode", "HowTo")))
    entity.set("about", Ref(main.id)).set("description", told["doc"])
    entity.set("url", Ref(entity.id)).set("version", *(str(one) for _, one in main.properties.get("version", {})))
    entity.set("programmingLanguage", ground.contextual.language("cwl", CWL_VERSION))
    main.set("subjectOf", Ref(entity.id))


def abstract(
    interface: WorkflowInterface, places: Mapping[str, Place], pairs: Iterable[Pair], *, title: str
) -> dict[str, Any]:
    """The document. What runs showed to go back to an earlier step is left out: in CWL nothing goes round."""
    outer = {one.parent for one in places.values()}
    steps = {path: one for path, one in places.items() if path not in outer and not path.endswith(NESTED)}
    names = _names(steps)
    inputs = {one.name: _identifier(one.name) for one in interface.inputs}
    takes: dict[str, dict[str, list[str]]] = {path: {} for path in steps}
    makes: dict[str, dict[str, None]] = {path: {} for path in steps}
    outputs: dict[str, list[str]] = {}
    for (origin, made), (target, taken) in pairs:
        if origin is None:
            source = inputs.get(made)
        elif origin in steps and (target is None or (target in steps and _is_before(steps[origin], steps[target]))):
            source = f"{names[origin]}/{_identifier(made)}"
            makes[origin][_identifier(made)] = None
        else:
            source = None
        if source is not None and target in steps:
            takes[target].setdefault(_identifier(taken), []).append(source)
        elif source is not None and target is None and origin is not None:
            outputs.setdefault(_identifier(taken), []).append(source)
    return {
        "cwlVersion": CWL_VERSION,
        "class": "Workflow",
        "label": title,
        "doc": "Abstract: it tells which steps there are and which files went where, and can't be run.",
        "requirements": [_SEVERAL],
        "inputs": {name: {"type": _ANYTHING} for name in inputs.values()},
        "outputs": {name: {"type": _ANYTHING, **_from("outputSource", one)} for name, one in outputs.items()},
        "steps": {
            names[path]: {
                "label": path,
                "run": {
                    "class": "Operation",
                    "label": place.tool,
                    "inputs": {name: {"type": _ANYTHING} for name in takes[path]},
                    "outputs": {name: {"type": _ANYTHING} for name in makes[path]},
                },
                "in": {name: _from("source", one) for name, one in takes[path].items()},
                "out": list(makes[path]),
            }
            for path, place in sorted(steps.items(), key=lambda one: one[1].position)
        },
    }


def _is_before(one: Place, other: Place) -> bool:
    return one.position < other.position


def _from(key: str, sources: list[str]) -> dict[str, Any]:
    several = list(dict.fromkeys(sources))
    return {key: several[0]} if len(several) == 1 else {key: several, "linkMerge": "merge_flattened"}


def _names(paths: Iterable[str]) -> dict[str, str]:
    """An identifier for each step that no other one has."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for path in paths:
        name, number = _identifier(path), 2
        while name in taken:
            name, number = f"{_identifier(path)}_{number}", number + 1
        taken.add(name)
        found[path] = name
    return found


def _identifier(name: str) -> str:
    """A name that is one in CWL, too, and no part of an address."""
    return re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("_") or "unnamed"
