"""The grammar of a stage file's top level: WfExS's keys and ours, from nodes to a ``StageDefinition``.

Source: WfExS-backend's stage definition schema. ``staging/schemas/stage.schema.json`` is the same grammar for programs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from staging.definition import ExpectedOutput, Limits, OutputPlace, Param, Source, StageDefinition, Value
from staging.engine_wish import read_engine
from staging.errors import PolicyError
from staging.grammar import (
    GIVEN,
    KEY,
    LEAVE_OUT,
    Cursor,
    Fields,
    Origin,
    as_choice,
    as_flag,
    as_integer,
    as_list,
    as_map,
    as_text,
    as_written,
    is_whole,
    read_fields,
    unbuilt,
)
from staging.image_wishes import read_container, read_images
from staging.limits_reading import LIMITS, read_limits
from staging.nicknames import RULE as NICKNAME_RULE
from staging.nicknames import is_nickname
from staging.nodes import Document, ListNode, MapNode, ScalarNode, shown
from staging.parameters import Parameters, read_environment, read_job, read_parameters
from staging.paths import safe_relative
from staging.seal_wish import read_seal
from staging.values import CLASS
from staging.vault_wish import read_vault
from staging.workflow_wish import read_workflow

ORCID_PATTERN = r"^\s*(?:https?://orcid\.org/)?([0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X])\s*$"

_ORCID = re.compile(ORCID_PATTERN)


_STAGE = {
    "workflow_id": GIVEN,
    "workflow_type": KEY,
    "workflow_config": KEY,
    "trs_endpoint": unbuilt(as_text),
    "version": KEY,
    "prefer_upstream_source": unbuilt(as_flag, "leave it out: what the workflow's address says is what is taken"),
    "nickname": KEY,
    "paranoid_mode": KEY,
    "vault": KEY,
    "engine": KEY,
    "containers": KEY,
    "limits": KEY,
    "seal": KEY,
    "placeholders": KEY,
    "params": KEY,
    "params-from": KEY,
    "profile": KEY,
    "environment": KEY,
    "outputs": KEY,
    "default_actions": unbuilt(as_list, LEAVE_OUT),
    "title": KEY,
    "description": KEY,
    "licence": KEY,
    "authors": KEY,
}
_CONFIG = {
    "secure": KEY,
    "containerType": KEY,
    "writable_containers": KEY,
    "nextflow": KEY,
    "cwl": KEY,
}
_AUTHOR = {"name": GIVEN, "orcid": KEY, "affiliation": KEY}
_OUTPUT = {
    CLASS: GIVEN,
    "cardinality": KEY,
    "preferredName": KEY,
    "glob": KEY,
    "fillFrom": KEY,
    "syntheticOutput": KEY,
}
_ELSEWHERE = dict.fromkeys(_CONFIG, "workflow_config") | dict.fromkeys(LIMITS, "limits")


def read_stage(document: Document, path: Path, origin: Origin) -> StageDefinition | None:
    """The definition that a document holds; faults go to ``origin``, and with any the result is not to be used.

    ``path`` is that of the stage file. A job file that it names is read as well.
    """
    cursor = Cursor(document.root, "", origin)
    fields = read_fields(cursor, _STAGE, required=("workflow_id",), elsewhere=_ELSEWHERE)
    if fields is None:
        return None
    origin = replace(origin, placeholders=fields.read("placeholders", _read_placeholders) or {})
    fields = Fields(cursor, {key: Cursor(one.node, one.where, origin) for key, one in fields.children.items()})
    base = path.absolute().parent
    config = fields.read("workflow_config", lambda one: read_fields(one, _CONFIG))
    job, job_document = read_job(fields, path, base)
    own = fields.read("params", read_parameters) or Parameters()
    params = tuple({**job.params, **own.params}.values())
    wanted = read_workflow(fields, base)
    engine, settings = read_engine(fields, config)
    definition = StageDefinition(
        workflow=wanted or Source(mirrors=()),
        base=base,
        file=document.file,
        text=document.text,
        nickname=fields.read("nickname", _read_nickname),
        engine=engine,
        container=None if config is None else config.read("containerType", read_container),
        images=fields.read("containers", read_images) or (),
        writable_containers=False if config is None else config.flag("writable_containers", default=False),
        vault=read_vault(fields, config),
        seal_for=fields.read("seal", read_seal) or (),
        params=params,
        requirements=job.requirements + own.requirements,
        environment=fields.read("environment", read_environment) or (),
        outputs=fields.read("outputs", lambda one: _read_outputs(one, params)) or (),
        limits=fields.read("limits", read_limits) or Limits(),
        settings=settings,
        licence=fields.text("licence"),
        title=fields.text("title"),
        description=fields.text("description"),
        authors=fields.read("authors", _read_authors) or (),
        job_file=None if job_document is None else job_document.file,
        job_text=None if job_document is None else job_document.text,
    )
    return definition if wanted is not None else None


def _read_placeholders(cursor: Cursor) -> dict[str, str]:
    placeholders = {key: as_written(one) for key, one in as_map(cursor).items()}
    return {key: text for key, text in placeholders.items() if text is not None}


def _read_nickname(cursor: Cursor) -> str | None:
    text = as_text(cursor)
    if text is None:
        return None
    nickname = cursor.origin.fill(text)
    if not is_nickname(nickname):
        cursor.fault(f"{shown(nickname)} can't be a nickname", NICKNAME_RULE, structural=False)
    return nickname


def _read_outputs(cursor: Cursor, params: tuple[Param, ...]) -> tuple[ExpectedOutput, ...]:
    outputs = []
    places = {name: place for one in params for name, place in _places(one.name, one.value)}
    for name, one in as_map(cursor).items():
        fields = read_fields(one, _OUTPUT, required=(CLASS,))
        if fields is None:
            continue
        kind = fields.read(CLASS, lambda child: as_choice(child, ("File", "Directory", "Value")))
        minimum, maximum = fields.read("cardinality", _read_cardinality) or (1, 1)
        glob = fields.text("glob")
        preferred = fields.read("preferredName", _read_preferred_name)
        fill_from = fields.read("fillFrom", lambda child: _read_fill_from(child, places))
        if fill_from is not None and preferred is not None and not places[fill_from].path.name:
            fields.children["preferredName"].fault(
                "the run's folder of outputs itself can't have another name", "leave it out", structural=False
            )
        fields.flag("syntheticOutput", default=True)
        assert isinstance(cursor.node, MapNode)
        line, column = cursor.node.places[name]
        outputs.append(
            ExpectedOutput(
                name=name,
                kind="Directory" if kind == "Directory" else "Value" if kind == "Value" else "File",
                minimum=minimum,
                maximum=maximum,
                preferred_name=preferred,
                glob=None if glob is None else one.origin.fill(glob),
                fill_from=fill_from,
                where=one.where,
                line=line,
                column=column,
            )
        )
    return tuple(outputs)


def _places(name: str, value: Value) -> Iterator[tuple[str, OutputPlace]]:
    """The places for outputs in a parameter's value, each under the dotted name of its parameter."""
    if isinstance(value, OutputPlace):
        yield name, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _places(f"{name}.{key}", one)


def _read_fill_from(cursor: Cursor, places: Mapping[str, OutputPlace]) -> str | None:
    name = as_text(cursor)
    if name is None or name in places:
        return name
    hint = f"give it one: params: {{{name}: {{{CLASS}: Directory, autoFill: true}}}}"
    if places:
        hint = f"those that have one are {', '.join(places)}"
    cursor.fault(f"no parameter {shown(name)} has a place for outputs", hint, structural=False)
    return None


def _read_preferred_name(cursor: Cursor) -> str | None:
    text = as_text(cursor)
    name = None if text is None else cursor.origin.fill(text)
    try:
        if name is not None and len(safe_relative(name).parts) > 1:
            cursor.fault(f"{shown(name)} is a path, and a name is wanted", "leave the folders out", structural=False)
    except PolicyError as error:
        cursor.fault(error.message, error.hint, structural=False)
    return name


_CARDINALITIES = {"1": (1, 1), "?": (0, 1), "*": (0, None), "+": (1, None)}


def _read_cardinality(cursor: Cursor) -> tuple[int, int | None] | None:
    node = cursor.node
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and node.value in _CARDINALITIES:
        return _CARDINALITIES[node.value]
    if isinstance(node, ScalarNode) and is_whole(node.value):
        count = as_integer(cursor)
        return None if count is None else (count, count)
    if not isinstance(node, ListNode) or len(node.items) != 2:  # noqa: PLR2004 - a pair
        cursor.expected("1, ?, *, +, a number, or [least, most]")
        return None
    least, most = cursor.items()
    minimum = as_integer(least)
    maximum = None if most.is_null else as_integer(most, 1)
    if minimum is not None and maximum is not None and minimum > maximum:
        cursor.fault(f"at least {minimum} and at most {maximum} can't be", structural=False)
    return None if minimum is None else (minimum, maximum)


def _read_authors(cursor: Cursor) -> tuple[Mapping[str, object], ...]:
    authors = []
    for one in as_list(cursor):
        fields = read_fields(one, _AUTHOR, required=("name",))
        if fields is None:
            continue
        orcid = fields.read("orcid", _read_orcid)
        said = {"name": fields.text("name"), "orcid": orcid, "affiliation": fields.text("affiliation")}
        authors.append({key: text for key, text in said.items() if text is not None})
    return tuple(authors)


def _read_orcid(cursor: Cursor) -> str | None:
    text = as_text(cursor)
    if text is None:
        return None
    match = _ORCID.match(text)
    if match is None:
        cursor.fault(f"{shown(text)} is no ORCID", "it looks like 0000-0002-1825-0097")
        return None
    number = match.group(1)
    if not _orcid_adds_up(number):
        cursor.fault(f"{number} is no ORCID: its last character doesn't fit the others", structural=False)
    return f"https://orcid.org/{number}"


def _orcid_adds_up(number: str) -> bool:
    """ISO 7064 MOD 11-2, https://support.orcid.org/hc/en-us/articles/360006897674."""
    total = 0
    for digit in number.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11] == number[-1]
