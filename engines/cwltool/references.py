"""References: which other documents and files a CWL document names, so that a workflow can be staged whole.

Source: CWL v1.2, sections "Document preprocessing" and "Process.run"; Schema Salad v1.2 (``$import``, ``$include``,
``$mixin``). Pure: the text comes in, the references go out as they are written.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from engines.base import Reference
from staging.errors import DefinitionError, Fault

_DIRECTIVES = ("$import", "$include", "$mixin")
MAX_DEPTH = 200
MAX_REPEATED = 1_000_000
"""Values that the aliases of a document repeat, all told: cwltool walks through each of them again."""
_WEB = ("http://", "https://")
_EXPRESSION = re.compile(r"\$[({]")
_ARCHIVES = ("dockerLoad", "dockerImport")


def references(document: bytes, name: str) -> tuple[Reference, ...]:
    """Every reference of a CWL document to something outside it, in the order of first use.

    Absolute URIs are given as they are; references within the document (``#step``) are left out. A document that is not
    YAML at all refers to nothing: an included script is one.

    Raises:
        DefinitionError: it nests deeper than 200 levels, or its aliases repeat far too much.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # The C composer recurses on its stack and would take the process down with it; its events don't.
        fault = _too_much(yaml.parse(document, Loader=loader))
        if fault is not None:
            raise DefinitionError((Fault(file=name, where="", message=fault),))
        root = yaml.load(document, Loader=loader)  # noqa: S506 - a safe loader, the fast one where there is one
    except (yaml.YAMLError, ValueError):
        return ()
    found: dict[str, bool] = {}
    for text, optional in _walk(root):
        plain = text.partition("#")[0]
        if plain:
            found[plain] = found.get(plain, True) and optional
    return tuple(Reference(text, optional) for text, optional in found.items())


def _too_much(events: Iterable[Any]) -> str | None:
    """Why nobody should read on in a document of these YAML events; ``None``: it is of an ordinary size."""
    import yaml

    # Of what is open, outermost first, and of what has a name: how many values there are in it.
    opened: list[tuple[str | None, int]] = [(None, 0)]
    named: dict[str, int] = {}
    repeated = 0
    for event in events:
        anchor, size = None, 0
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, 0))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = opened.pop()
            size += 1
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size = event.anchor, 1
        elif isinstance(event, yaml.AliasEvent):
            size = named.get(event.anchor or "", 1)
            repeated += size
        if anchor is not None:
            named[anchor] = size
        opened[-1] = (opened[-1][0], opened[-1][1] + size)
        if len(opened) > MAX_DEPTH + 1:
            return f"the document nests deeper than {MAX_DEPTH} levels"
        if repeated > MAX_REPEATED:
            return "the document repeats itself too often by its aliases"
    return None


def _walk(root: object) -> Iterator[Reference]:
    seen: set[int] = set()
    pending = deque([root])
    while pending:
        node = pending.popleft()
        if not isinstance(node, dict | list) or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, dict):
            yield from _of_map(node)
            pending.extend(node.values())
        else:
            pending.extend(node)


def _of_map(node: dict[object, object]) -> Iterator[Reference]:
    for key in (*_DIRECTIVES, "run"):
        value = node.get(key)
        if isinstance(value, str):
            yield Reference(value)
    ontologies = node.get("$schemas")
    for value in ontologies if isinstance(ontologies, list) else [ontologies]:
        if isinstance(value, str) and not value.startswith(_WEB):
            yield Reference(value, optional=True)
    if node.get("class") in ("File", "Directory"):
        place = node.get("location", node.get("path"))
        # A default on the web is no part of the workflow: as an input it is staged like one that was asked for.
        if isinstance(place, str) and not place.startswith(_WEB) and not _EXPRESSION.search(place):
            yield Reference(place, optional=True)
    yield from _archives(node)


def _archives(node: dict[object, object]) -> Iterator[Reference]:
    """Archives of container images that lie beside a document; an image may as well come from somewhere else."""
    for one in (node.get("DockerRequirement"), node if node.get("class") == "DockerRequirement" else None):
        if not isinstance(one, dict):
            continue
        for place in map(one.get, _ARCHIVES):
            if isinstance(place, str) and not place.startswith(_WEB) and not _EXPRESSION.search(place):
                yield Reference(place, optional=True)
