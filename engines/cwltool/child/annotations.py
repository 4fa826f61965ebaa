"""Annotations: what a CWL document says in schema.org's words, of the workflow and of the programs that it needs.

Source: CWL v1.2, "Extensions and metadata"; schema.org, ``SoftwareSourceCode`` and ``SoftwareApplication``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Data = dict[str, Any]

_PREFIXES = ("https://schema.org/", "http://schema.org/", "s:")
_SCHEMA_ORG = re.compile(r"^https?://schema\.org/")


def stated(holders: Iterable[Any]) -> Data:
    """What ``holders`` say of the workflow, the first that says it: in the words of ``WorkflowInterface``."""
    several = list(holders)

    def first(read: Callable[[Any], Any]) -> Any:
        return next(filter(None, map(read, several)), None)

    return {
        "licence": first(_licence),
        "authors": first(_authors) or [],
        "version": first(lambda one: _word(one, "version") or _word(one, "softwareVersion")),
        "keywords": first(_keywords) or [],
        "repository": first(lambda one: _word(one, "codeRepository")),
    }


def package_of(said: Mapping[str, Any]) -> Data:
    """A package of a SoftwareRequirement, in the words of ``Tool.software``."""
    told: Data = {key: plain(said[key]) for key in ("package", "version", "specs") if key in said}
    for key, name in (("homepage", "url"), ("repository", "codeRepository"), ("download", "downloadUrl")):
        if (text := _word(said, name)) is not None:
            told[key] = text
    for key, name in (("licences", "license"), ("citations", "citation")):
        if texts := _words(said, name):
            told[key] = texts
    return told


def plain(value: Any) -> Any:
    """The value as JSON has it."""
    return json.loads(json.dumps(value, default=str))


def _annotation(holder: Any, name: str) -> Any:
    for prefix in _PREFIXES:
        if prefix + name in holder:
            return holder[prefix + name]
    return None


def _words(holder: Any, name: str) -> list[str]:
    """An annotation's texts; something that is described by several words is known by its identifier or address."""
    value = _annotation(holder, name)
    found = []
    for one in value if isinstance(value, list) else [value]:
        word = one
        if isinstance(one, dict):
            word = one.get("id") or one.get("@id") or _annotation(one, "url") or _annotation(one, "name")
        if isinstance(word, str | int | float) and not isinstance(word, bool) and str(word).strip():
            found.append(str(word))
    return found


def _word(holder: Any, name: str) -> str | None:
    return next(iter(_words(holder, name)), None)


def _licence(holder: Any) -> str | None:
    return _word(holder, "license")


def _keywords(holder: Any) -> list[str]:
    """As a list, or as one text with commas."""
    return [one.strip() for text in _words(holder, "keywords") for one in text.split(",") if one.strip()]


def _authors(holder: Any) -> list[Data]:
    found = _annotation(holder, "author") or _annotation(holder, "creator") or []
    people = [found] if isinstance(found, str | dict) else found
    return [{"name": one} if isinstance(one, str) else _person(one) for one in people]


def _person(person: Data) -> Data:
    return {_SCHEMA_ORG.sub("", str(key)).removeprefix("s:"): plain(value) for key, value in person.items()}
