"""Which engine the workflow is to run with, and what is asked of it.

Source: WfExS-backend's stage definition schema; ``ignoreUnknown`` and ``secrets`` are ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from staging.definition import EngineSettings, EngineWish
from staging.grammar import (
    KEY,
    LEAVE_OUT,
    Cursor,
    Fields,
    as_choice,
    as_integer,
    as_list,
    as_text,
    as_written,
    read_fields,
    unbuilt,
)
from staging.limits_reading import LARGEST_CORES, LARGEST_COUNT, as_time
from staging.nodes import ListNode, MapNode, shown

ENGINE_PATTERN = r"^\s*[A-Za-z][A-Za-z0-9_.+-]*(?:@[^\s@]+)?\s*$"
VARIABLE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
WORKFLOW_TYPES = ("cwl", "CWL", "nextflow", "NFL")

_CWL = {"version": KEY}
_NEXTFLOW = {
    "version": KEY,
    "profile": KEY,
    "maxCPUs": KEY,
    "maxProcesses": KEY,
    "maxCPUsPerProcess": KEY,
    "maxTaskDuration": KEY,
    "maxRetries": KEY,
    "serializeListAsString": KEY,
    "dockerImage": unbuilt(as_text, LEAVE_OUT),
    "ignoreUnknown": KEY,
    "secrets": KEY,
}
_ENGINE_KEYS = {"name": KEY, "version": KEY}
_ENGINE = re.compile(ENGINE_PATTERN)
_SECRET = re.compile(VARIABLE_PATTERN)
_PROFILE = re.compile(r"[^\s,\x00-\x1f\x7f-][^\s,\x00-\x1f\x7f]*")
_NEXTFLOW_VERSION = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}(?:-[A-Za-z][A-Za-z0-9]{0,31})?")
_ENGINES = {"cwl": "cwltool", "CWL": "cwltool", "nextflow": "nextflow", "NFL": "nextflow"}


def _check_number(cursor: Cursor | None, name: str | None, version: str | None) -> None:
    """Refuse what can't be a version of Nextflow, where it is written. A range is not one."""
    if cursor is None or name != "nextflow" or version is None or _NEXTFLOW_VERSION.fullmatch(version):
        return
    cursor.fault(
        f"{shown(version)} is no version of Nextflow",
        "write all of it, such as 24.10.0 or 23.05.0-edge; or leave it out: then the workflow decides",
        structural=False,
    )


def read_engine(fields: Fields, config: Fields | None) -> tuple[EngineWish, EngineSettings]:
    """The engine that ``workflow_type``, ``engine`` and ``workflow_config`` together ask for, and its settings."""
    sections = {} if config is None else _read_sections(config)
    wish = _named(fields)
    versions = {name: cursor for name, one in sections.items() if (cursor := one.get("version")) is not None}
    asked = {name: text for name, one in versions.items() if (text := _read_version(one)) is not None}
    _check_number(fields.get("engine"), wish.name, wish.version)
    _check_number(versions.get("nextflow"), "nextflow", asked.get("nextflow"))
    return _with_version(wish, versions, asked), _read_settings(fields, sections.get("nextflow"))


def _read_sections(config: Fields) -> dict[str, Fields]:
    """The parts of ``workflow_config`` that are an engine's own, by the engine's name."""
    cwl = config.read("cwl", lambda one: read_fields(one, _CWL))
    nextflow = config.read("nextflow", lambda one: read_fields(one, _NEXTFLOW))
    return {name: one for name, one in (("cwltool", cwl), ("nextflow", nextflow)) if one is not None}


def _named(fields: Fields) -> EngineWish:
    """What ``engine`` asks for, where ``workflow_type`` may name the engine."""
    language = fields.read("workflow_type", lambda one: as_choice(one, WORKFLOW_TYPES))
    wish = fields.read("engine", _read_engine_wish) or EngineWish()
    if language is None:
        return wish
    usual = _ENGINES[language]
    if wish.name is not None and wish.name != usual and wish.name in _ENGINES.values():
        message = f"{wish.name} doesn't run workflows of the type {language}"
        fields.children["workflow_type"].fault(message, "keep one of 'workflow_type' and 'engine'", structural=False)
    return replace(wish, name=wish.name or usual)


def _read_engine_wish(cursor: Cursor) -> EngineWish | None:
    if isinstance(cursor.node, MapNode):
        fields = read_fields(cursor, _ENGINE_KEYS)
        assert fields is not None
        name, version = fields.text("name"), fields.read("version", as_written)
    else:
        text = as_text(cursor)
        if text is None:
            return None
        if _ENGINE.match(text) is None:
            cursor.fault(f"{shown(text)} is no engine: write its name, or name@version")
            return None
        name, _, number = text.strip().partition("@")
        version = number or None
    if name is not None and name.lower() in ("nextflow", "nfl"):
        name = "nextflow"
    return EngineWish(name=name, version=version)


def _read_version(cursor: Cursor) -> str | None:
    version = as_written(cursor)
    if version is not None and (":" in version or "@" in version):
        cursor.refuse("an engine version from a repository", "give the number of a release")
        return None
    return version


def _with_version(wish: EngineWish, places: Mapping[str, Cursor], asked: Mapping[str, str]) -> EngineWish:
    """The wish with the version that ``workflow_config`` has for its engine; where only one is there, it names it."""
    if not asked:
        return wish
    if wish.name is None and len(asked) > 1:
        last = list(places.values())[-1]
        said = " and ".join(f"{name} {version}" for name, version in asked.items())
        last.fault(
            f"workflow_config asks for {said}", "write 'engine: nextflow' or 'engine: cwltool'", structural=False
        )
        return wish
    name = next((one for one in asked if one == wish.name), next(iter(asked)))
    version = asked[name]
    if wish.name not in (None, name) or wish.version not in (None, version):
        other = "@".join(part for part in (wish.name, wish.version) if part)
        message = f"workflow_config asks for {name} {version}, but 'engine' for {other}"
        if wish.name is not None and wish.name != name and wish.version is None:
            message = f"workflow_config asks for {name} {version}, but the stage file for {other}"
        places[name].fault(message, "keep one of them", structural=False)
    return EngineWish(name=name, version=version)


def _read_settings(fields: Fields, nextflow: Fields | None) -> EngineSettings:
    outer = fields.read("profile", _read_profiles)
    if nextflow is None:
        return EngineSettings(profiles=outer or ())
    inner = nextflow.read("profile", _read_profiles)
    if outer and inner and outer != inner:
        message = f"the profiles here are {','.join(inner)}, but those of the stage file's 'profile' {','.join(outer)}"
        nextflow.children["profile"].fault(message, "keep one of them", structural=False)

    def count(key: str, minimum: int, maximum: int = LARGEST_COUNT) -> int | None:
        assert nextflow is not None
        return nextflow.read(key, lambda one: as_integer(one, minimum, maximum))

    return EngineSettings(
        profiles=outer or inner or (),
        max_cpus=count("maxCPUs", 1, LARGEST_CORES),
        max_processes=count("maxProcesses", 1),
        max_cpus_per_process=count("maxCPUsPerProcess", 1, LARGEST_CORES),
        max_task_duration=nextflow.read("maxTaskDuration", as_time),
        max_retries=count("maxRetries", 0),
        lists_as_text=nextflow.flag("serializeListAsString", default=False),
        ignore_unknown=nextflow.flag("ignoreUnknown", default=False),
        secrets=nextflow.read("secrets", _read_secrets) or (),
    )


def _read_profiles(cursor: Cursor) -> tuple[str, ...]:
    """Names of profiles: a text with commas, or a list."""
    parts = as_list(cursor, 1) if isinstance(cursor.node, ListNode) else [cursor]
    profiles: dict[str, None] = {}
    for part in parts:
        text = as_text(part)
        for name in () if text is None else cursor.origin.fill(text).split(","):
            profiles[name.strip()] = None
            if _PROFILE.fullmatch(name.strip()) is None:
                hint = "write them as one text with commas, or as a list"
                part.fault(f"{shown(name)} can't be the name of a profile", hint, structural=False)
    return tuple(profiles)


def _read_secrets(cursor: Cursor) -> tuple[str, ...]:
    secrets: dict[str, None] = {}
    for one in as_list(cursor):
        text = as_text(one)
        if text is not None and _SECRET.match(text) is None:
            # Somebody may have written the secret itself: it is not repeated.
            one.fault("a secret's name has only letters, digits and '_'", "its value stays in Nextflow's own store")
        elif text is not None:
            secrets[text.strip()] = None
    return tuple(secrets)
