"""Which workflow is asked for, and which engine and container runtime it is to run with."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from staging.definition import EngineWish, Source
from staging.grammar import (
    KEY,
    Cursor,
    Fields,
    as_choice,
    as_flag,
    as_integer,
    as_list,
    as_text,
    as_written,
    is_whole,
    read_fields,
)
from staging.identifiers import Identifier
from staging.nodes import ListNode, MapNode, ScalarNode, shown
from staging.sources import read_mirrors

ENGINE_PATTERN = r"^\s*[A-Za-z][A-Za-z0-9_.+-]*(?:@[^\s@]+)?\s*$"
WORKFLOW_TYPES = ("cwl", "CWL", "nextflow", "NFL")
CONTAINER_TYPES = ("none", "docker", "podman", "singularity", "apptainer")

_CWL = {"version": KEY}
_ENGINE_KEYS = {"name": KEY, "version": KEY}
_ENGINE = re.compile(ENGINE_PATTERN)
_PATHLIKE_SUFFIXES = (".cwl", ".yml", ".yaml", ".json", ".nf", ".zip", ".crate", ".eln")
_GIT_SCHEMES = frozenset({"git", "git+file", "git+http", "git+https", "git+ssh"})
_TRS_HINT = "give the workflow's own address instead, such as git+https://host/repository@version"


def read_workflow(fields: Fields, base: Path) -> Source | None:
    """The workflow's source. A relative path means a file below ``base``; nothing is fetched."""
    version = fields.read("version", as_written)
    cursor = fields.get("workflow_id")
    if cursor is None:
        return None
    node = cursor.node
    if isinstance(node, ScalarNode) and is_whole(node.value):
        if "trs_endpoint" not in fields:
            cursor.refuse(f"workflow_id: {node.text}, an id in a tool registry (TRS),", _TRS_HINT)
        return None
    if not isinstance(node, MapNode | ScalarNode) or (isinstance(node, ScalarNode) and not isinstance(node.value, str)):
        cursor.expected("the workflow's address")
        return None
    source = read_mirrors([cursor], cursor.where)
    if source is None or "trs_endpoint" in fields:
        return None
    if isinstance(node, MapNode):
        cursor = cursor.child("uri")
        node = cursor.node
    assert isinstance(node, ScalarNode)
    identifier = _as_workflow(cursor, cursor.origin.fill(node.text), source.mirrors[0], base)
    if identifier is not None and version is not None:
        identifier = _with_version(fields.children["version"], identifier, version)
    return None if identifier is None else replace(source, mirrors=(identifier,))


def _as_workflow(cursor: Cursor, text: str, identifier: Identifier, base: Path) -> Identifier | None:
    """The workflow's identifier, where a local path may have a fragment: ``main.cwl#step``."""
    text = text.strip()
    if not identifier.is_relative and (identifier.scheme != "file" or text.lower().startswith("file:")):
        return identifier
    path, hash_sign, fragment = text.partition("#")
    if hash_sign and path and not os.path.lexists(base / text):
        identifier = replace(Identifier.parse(path), fragment=fragment)
    else:
        path = text
    looks_local = "/" in path or path.startswith(".") or path.lower().endswith(_PATHLIKE_SUFFIXES)
    if (looks_local and not path.startswith("#")) or os.path.lexists(base / path):
        return identifier
    cursor.fault(
        f"{shown(text)} is no file beside the stage file, and ids in a tool registry (TRS) are understood but not "
        "built yet",
        _TRS_HINT,
        structural=False,
    )
    return None


def _with_version(cursor: Cursor, identifier: Identifier, version: str) -> Identifier:
    """The identifier of a repository with the version put in, if it names none itself."""
    host, slash, path = identifier.body.removeprefix("//").partition("/")
    if identifier.scheme in _GIT_SCHEMES and "@" not in path:
        return replace(identifier, body=f"{identifier.body}@{quote(version, safe='/+:~')}")
    if identifier.scheme == "github" and slash and "/" not in path.strip("/"):
        return replace(identifier, body=f"{host}/{path.strip('/')}/{quote(version, safe='+:~')}")
    cursor.fault(
        "'version' is the version in a repository, and the workflow's address names "
        + ("one already" if identifier.scheme in {*_GIT_SCHEMES, "github"} else "no repository"),
        "leave it out, or give the workflow as git+https://host/repository@version",
        structural=False,
    )
    return identifier


def read_engine(fields: Fields, config: Fields | None) -> EngineWish:
    """The engine that ``workflow_type``, ``engine`` and ``workflow_config`` together ask for."""
    language = fields.read("workflow_type", lambda one: as_choice(one, WORKFLOW_TYPES))
    if language in ("nextflow", "NFL"):
        fields.children["workflow_type"].refuse(f"workflow_type: {language}", "only CWL workflows run as yet")
    wish = fields.read("engine", _read_engine_wish) or EngineWish()
    if language in ("cwl", "CWL") and wish.name is None:
        wish = replace(wish, name="cwltool")
    cwl = None if config is None else config.read("cwl", lambda one: read_fields(one, _CWL))
    version = None if cwl is None else cwl.read("version", as_written)
    if cwl is None or version is None:
        return wish
    cursor = cwl.children["version"]
    if ":" in version or "@" in version:
        cursor.refuse("an engine version from a repository", "give the number of a release")
    if wish.name not in (None, "cwltool") or wish.version not in (None, version):
        asked = "@".join(part for part in (wish.name, wish.version) if part)
        message = f"workflow_config asks for cwltool {version}, but 'engine' for {asked}"
        cursor.fault(message, "keep one of them", structural=False)
    return EngineWish(name="cwltool", version=version)


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
        cursor.refuse(f"engine: {name}", "only CWL workflows run as yet")
    return EngineWish(name=name, version=version)


def read_container(cursor: Cursor) -> str | None:
    """The container runtime."""
    kind = as_choice(cursor, CONTAINER_TYPES)
    if kind not in (None, "none"):
        cursor.refuse(f"containerType: {kind}", "write 'none' to run the tools of this machine")
    return kind


def read_profile(cursor: Cursor) -> None:
    """The shape of Nextflow's ``profile``."""
    if isinstance(cursor.node, ListNode):
        for one in as_list(cursor, 1):
            as_text(one)
    else:
        as_text(cursor)


def read_nextflow(cursor: Cursor) -> None:
    """The shape of Nextflow's settings."""
    fields = read_fields(cursor, dict.fromkeys(_NEXTFLOW, KEY))
    for key, child in fields.children.items() if fields else ():
        _NEXTFLOW[key](child)


_NEXTFLOW: dict[str, Callable[[Cursor], object]] = {
    "version": as_written,
    "profile": read_profile,
    "maxCPUs": as_integer,
    "maxProcesses": as_integer,
    "maxCPUsPerProcess": as_integer,
    "maxTaskDuration": as_text,
    "maxRetries": as_integer,
    "serializeListAsString": as_flag,
    "dockerImage": as_text,
}
