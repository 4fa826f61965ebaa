"""Telling: what a crate's metadata says of the whole, and of what one of its runs was given."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final

from engines.base import Engine, WorkflowInterface
from staging.errors import CrateError, NotFoundError, WfexsError
from staging.plan import Json, Plan, canonical
from wfexs_like.crate.graph import fragment, path_id
from wfexs_like.crate.values import has_files
from wfexs_like.importing.opening import OpenCrate
from wfexs_like.reading.metadata import Entity, references, types

_RUN: Final = re.compile(r"Run ([1-9]\d{0,8}) of ")
_NOT_STATED: Final = re.compile(r"#(licence-)?not-stated\b")
_NULL: Final = "null"


def about(crate: OpenCrate) -> dict[str, object]:
    """What a working directory keeps of its stage file's words, as the crate has them; and which crate that was."""
    dataset = crate.dataset
    licence = next((one for one in references(dataset.get("license")) if not _NOT_STATED.match(one)), None)
    return {
        "title": _text(dataset.get("name")),
        "description": _text(dataset.get("description")),
        "licence": _licence(licence),
        "authors": [
            told
            for one in references(dataset.get("author"))
            if not _NOT_STATED.match(one) and (told := _author(one, crate.entities.get(one, {}), crate))
        ],
        "imported": {
            "crate": crate.place.name,
            "identifier": _text(dataset.get("identifier")),
            "metadata": hashlib.sha256(crate.metadata).hexdigest(),
        },
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _licence(stated: str | None) -> str | None:
    if stated is None:
        return None
    from wfexs_like.crate.licences import check_licence

    name = stated.removeprefix("https://spdx.org/licenses/").removesuffix(".html")
    try:
        check_licence(name)
    except WfexsError:
        return None
    return name


def _author(identifier: str, entity: Entity, crate: OpenCrate) -> dict[str, str] | None:
    name = _text(entity.get("name"))
    if name is None:
        return None
    told = {"name": name}
    if identifier.startswith(("https://", "http://")):
        told["@id"] = identifier
    if "Organization" in types(entity):
        told["@type"] = "Organization"
    for one in references(entity.get("affiliation")):
        affiliation = _text(crate.entities.get(one, {}).get("name"))
        if affiliation is not None and not _NOT_STATED.match(one):
            told["affiliation"] = affiliation
    return told


def overrides_of(
    crate: OpenCrate, run: int, plan: Plan, engine: Engine, interface: WorkflowInterface
) -> dict[str, Json]:
    """The parameters that a run was given other values for than the plan has, each with its value.

    Raises:
        NotFoundError: the crate doesn't tell of that run.
        CrateError: a value can't be read from the crate.
    """
    told = find_run(crate, run)[1]
    main = path_id(str(plan.workflow.path))
    found: dict[str, Json] = {}
    for identifier in references(told.get("object")):
        entity = crate.entities.get(identifier, {})
        slots = {one.removeprefix(f"{main}#") for one in references(entity.get("exampleOfWork"))}
        formal = next((one for one in interface.inputs if {one.name, path_id(one.name)} & slots), None)
        if formal is None or "PropertyValue" not in types(entity):
            continue
        planned = plan.parameters.get(formal.name)
        # Files can't be given anew, and a value that is the plan's has the very same name.
        if has_files(planned) or identifier == _identifier(formal.name, planned):
            continue
        value = _value(identifier, entity, formal.name, run)
        if formal.name in plan.parameters or value != formal.default:
            found[formal.name] = engine.bind_override(interface, formal.name, value)
    return found


def find_run(crate: OpenCrate, run: int | str) -> tuple[int, Entity]:
    """The number of a run, and what the crate tells of it; ``run`` is its number, or its action's @id or UUID.

    Raises:
        NotFoundError: nothing.
    """
    runs = _runs(crate)
    if isinstance(run, str):
        ids = (run, f"#{run}", f"urn:uuid:{run}")
        run = next((number for number, one in runs.items() if one.get("@id") in ids), run)
    if not isinstance(run, int) or run not in runs:
        known = ", ".join(map(str, sorted(runs))) or "none"
        raise NotFoundError(f"the crate tells of no run {run}", hint=f"its runs: {known}", where=f"run {run}")
    return run, runs[run]


def _runs(crate: OpenCrate) -> Mapping[int, Entity]:
    """The crate's actions that are whole runs, by their numbers."""
    found: dict[int, Entity] = {}
    for entity in crate.entities.values():
        match = _RUN.match(str(entity.get("name", ""))) if "CreateAction" in types(entity) else None
        if match is not None:
            found.setdefault(int(match[1]), entity)
    return found


def _identifier(name: str, value: Json) -> str:
    """The ``@id`` that a value has in a crate of ours, where nothing of it had to be left out."""
    return fragment("value", name, hashlib.sha256(canonical([name, value])).hexdigest()[:16])


def _value(identifier: str, entity: Entity, name: str, run: int) -> Json:
    """The value that a PropertyValue tells of: the one that its ``@id`` was made of."""
    stated = entity.get("value")
    if identifier == fragment("value", name, "none"):
        return None
    for value in _readings(stated):
        with suppress(ValueError, RecursionError):  # no JSON: NaN, half a character
            if _identifier(name, value) == identifier:
                return value
    raise CrateError(
        f"what run {run} was given for {name!r} can't be read from the crate",
        hint="import without --run, and give it with run --param",
        where=name,
    )


def _readings(stated: object) -> Iterator[Json]:
    """All that a property's value may mean."""
    yield stated  # type: ignore[misc]
    if stated == _NULL:
        yield None
    if isinstance(stated, str):
        with suppress(ValueError, RecursionError):
            yield json.loads(stated)
    else:
        yield [stated]  # type: ignore[list-item]
