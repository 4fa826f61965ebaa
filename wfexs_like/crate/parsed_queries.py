"""SPARQL queries that are parsed once: in a process by memory, between processes by a JSON file.

The shapes of the profiles ask some sixteen queries; parsing them takes a third of a small crate's validation. What is
kept is the parser's result, a tree of plain values and rdflib terms, keyed by the query's text.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

FORMAT = "wfexs-like/parsed-queries/1"
_MOST = 500
_PLACE = "urn:x-prefix:"
_PREFIX = re.compile(r"\s*PREFIX\s+([\w.-]*):\s*<([^<>]*)>", re.IGNORECASE)


class ParsedQueries:
    """Parse results in ``folder``; one file for each version of rdflib and pyparsing. Without it, only in memory."""

    def __init__(self, folder: Path) -> None:
        versions = f"{FORMAT} rdflib {version('rdflib')} pyparsing {version('pyparsing')}"
        self._file = folder / f"parsed-queries-{hashlib.sha256(versions.encode()).hexdigest()[:16]}.json"
        self._known: dict[str, Any] = self._read()
        self._new = False

    def install(self) -> None:
        """Have rdflib ask here first."""
        from rdflib.plugins.sparql import processor

        parse = processor.parseQuery

        def remembered(text: Any) -> Any:
            return self._parse(text, parse)

        processor.parseQuery = remembered

    def save(self) -> None:
        """Keep what is new, under its name at once or not at all. A cache that can't be written is no mishap."""
        if not self._new or len(self._known) > _MOST:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=self._file.parent)
        except OSError:
            return
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                json.dump({"schema": FORMAT, "queries": self._known}, stream, separators=(",", ":"))
            Path(name).replace(self._file)
        except OSError:
            Path(name).unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self._file.read_bytes())
            queries = content["queries"] if content["schema"] == FORMAT else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return queries if isinstance(queries, dict) else {}

    def _parse(self, text: Any, parse: Callable[[Any], Any]) -> Any:
        if not isinstance(text, str):
            return parse(text)
        # The prefixes come in any order, and one may stand for the crate's own place, which is another each time.
        places, body = {}, text
        while match := _PREFIX.match(body):
            places[match[1]] = match[2]
            body = body[match.end() :]
        common = "".join(f"PREFIX {name}: <{_PLACE}{name}>\n" for name in sorted(places)) + body
        key = hashlib.sha256(common.encode()).hexdigest()
        if key not in self._known:
            try:
                self._known[key] = _encode(parse(common))
            except TypeError:
                return parse(text)
            self._new = True
        try:
            return _decode(self._known[key], places)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            return parse(text)


def _encode(value: Any) -> Any:
    """The value as JSON: scalars as they are, all else as ``[kind, ...]``.

    Raises:
        TypeError: it has something in it that is not known here.
    """
    from pyparsing import ParseResults
    from rdflib.plugins.sparql import operators
    from rdflib.plugins.sparql.parserutils import CompValue, Expr
    from rdflib.term import BNode, Literal, URIRef, Variable

    kind = type(value)
    if value is None or kind in (str, bool, int, float):
        return value
    if kind in (URIRef, BNode, Variable):
        return [kind.__name__, str(value)]
    if kind is Literal:
        return ["Literal", str(value), value.language, None if value.datatype is None else str(value.datatype)]
    if kind is CompValue:
        return ["CompValue", value.name, {key: _encode(one) for key, one in value.items()}]
    if kind is Expr:
        function = value._evalfn  # noqa: SLF001 - what makes an expression one; there is no other way to it
        name = None if function is None else function.__func__.__name__
        if name is not None and getattr(operators, name, None) is not function.__func__:
            raise TypeError(f"an expression by {name} can't be kept")
        return ["Expr", value.name, name, {key: _encode(one) for key, one in value.items()}]
    if kind is list or (kind is ParseResults and not value.as_dict()):
        return [kind.__name__, *(_encode(one) for one in value)]
    raise TypeError(f"{kind.__name__} can't be kept")


def _decode(value: Any, places: Mapping[str, str]) -> Any:
    """The value that ``_encode`` was given, made anew: who uses it may change it."""
    if not isinstance(value, list):
        return value
    from pyparsing import ParseResults
    from rdflib.plugins.sparql import operators
    from rdflib.plugins.sparql.parserutils import CompValue, Expr
    from rdflib.term import BNode, Literal, URIRef, Variable

    kind = value[0]
    if kind in ("list", "ParseResults"):
        members = [_decode(one, places) for one in value[1:]]
        return members if kind == "list" else ParseResults(members)
    if kind == "Literal":
        return Literal(value[1], lang=value[2], datatype=None if value[3] is None else URIRef(value[3]))
    if kind == "CompValue":
        return CompValue(value[1], **{key: _decode(one, places) for key, one in value[2].items()})
    if kind == "Expr":
        inner = {key: _decode(one, places) for key, one in value[3].items()}
        return Expr(value[1], None if value[2] is None else getattr(operators, value[2]), **inner)
    name = value[1].removeprefix(_PLACE) if kind == "URIRef" else ""
    return {"URIRef": URIRef, "BNode": BNode, "Variable": Variable}[kind](places.get(name, value[1]))
