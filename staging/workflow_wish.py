"""Which workflow is asked for."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from staging.definition import Source
from staging.grammar import (
    Cursor,
    Fields,
    as_written,
    is_whole,
)
from staging.identifiers import Identifier
from staging.nodes import MapNode, ScalarNode, shown
from staging.sources import read_mirrors

_PATHLIKE_SUFFIXES = (".cwl", ".yml", ".yaml", ".json", ".nf", ".zip", ".crate", ".eln")
_GIT_SCHEMES = frozenset({"git", "git+file", "git+http", "git+https", "git+ssh"})
_REPOSITORY_PAGE = re.compile(r"//(?:www\.)?(?:github|gitlab)\.com/[^/?#]+/[^/?#]+/?")
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
    if identifier.scheme in ("http", "https") and _REPOSITORY_PAGE.fullmatch(identifier.body):
        address = f"git+{identifier.scheme}:{identifier.body.rstrip('/')}"
        cursor.fault(
            f"{shown(text)} is a repository's page in the web, not a document",
            f"write {address}@ref for the repository, with a tag, a branch or a commit",
            structural=False,
        )
        return None
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
    if identifier.scheme == "github" and slash and "/" not in path.strip("/") and "@" not in path:
        return replace(identifier, body=f"{host}/{path.strip('/')}/{quote(version, safe='+:~')}")
    cursor.fault(
        "'version' is the version in a repository, and the workflow's address names "
        + ("one already" if identifier.scheme in {*_GIT_SCHEMES, "github"} else "no repository"),
        "leave it out, or give the workflow as git+https://host/repository@version",
        structural=False,
    )
    return identifier
