"""Packages: what a process's ``conda`` directive and its resource directives say, in the words that all engines share.

What a module tells of its programs (``meta.yml`` beside its ``main.nf``) is told of its packages.
Source: Nextflow documentation, "Process directives"; conda's MatchSpec (``channel::name=version=build``) and
``environment.yml``; package-url specification, type ``conda``; nf-core's schema of ``meta.yml``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from staging.others_yaml import read_others_yaml

_MODULE = "main.nf"
_NOTES = "meta.yml"
_TEXTS = {
    "description": "description",
    "homepage": "homepage",
    "documentation": "documentation",
    "tool_dev_url": "repository",
}
_FILES = (".yml", ".yaml", ".txt", ".lock")
_SPEC = re.compile(
    r"(?:(?P<channel>[\w./-]+)::)?(?P<name>[\w.-]+)(?:\s*={1,2}\s*(?P<version>[\w.+!-]+)(?:=\S+)?)?", re.ASCII
)
_MEMORY = re.compile(r"(?P<number>\d+(?:\.\d+)?)[ .]?(?P<unit>[KMGTPE]?B)", re.ASCII | re.IGNORECASE)
_UNITS = {unit: 1024**power for power, unit in enumerate(("B", "KB", "MB", "GB", "TB", "PB", "EB"))}


def software_of(conda: object) -> tuple[Mapping[str, Any], ...]:
    """The packages that the directive lists, in the form of CWL's SoftwareRequirement; none of a file's."""
    if not isinstance(conda, str) or recipe_file(conda) is not None:
        return ()
    return _packages(conda.replace(",", " ").split())


def software_in(environment: Path) -> tuple[Mapping[str, Any], ...]:
    """The packages that an ``environment.yml`` lists; those of other managers (``pip``) are left out."""
    stated = read_others_yaml(environment)
    listed = stated.get("dependencies") if isinstance(stated, Mapping) else None
    return (
        _packages(re.sub(r"\s", "", one) for one in listed if isinstance(one, str)) if isinstance(listed, list) else ()
    )


def with_notes(software: tuple[Mapping[str, Any], ...], script: Path) -> tuple[Mapping[str, Any], ...]:
    """The same packages, with what the module whose ``script`` it is says of them, and those that it alone names."""
    stated = read_others_yaml(script.with_name(_NOTES)) if script.name == _MODULE else None
    listed = stated.get("tools") if isinstance(stated, Mapping) else None
    named = {
        str(name): _notes(notes)
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, Mapping)
        for name, notes in one.items()
        if isinstance(notes, Mapping)
    }
    known = {str(one["package"]) for one in software}
    alone = [{"package": name, "version": [], "specs": []} for name in named if name not in known]
    return tuple(_told(one, named.get(str(one["package"]), {})) for one in (*software, *alone))


def _told(package: Mapping[str, Any], notes: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**package, **notes, "specs": [*package["specs"], *notes.get("specs", ())]}


def _notes(stated: Mapping[str, Any]) -> dict[str, Any]:
    """What a module says of a program."""
    found: dict[str, Any] = {
        key: text.strip()
        for name, key in _TEXTS.items()
        if isinstance(text := stated.get(name), str) and text.strip() and (key == "description" or "://" in text)
    }
    several = (("licence", "licences"), ("doi", "citations"))
    for name, key in several:
        value = stated.get(name)
        texts = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str) and one.strip()]
        if texts:
            found[key] = texts
    identifier = stated.get("identifier")
    if isinstance(identifier, str) and identifier.startswith("biotools:"):
        found["specs"] = [f"https://bio.tools/{identifier.removeprefix('biotools:')}"]
    return found


def _packages(words: Iterable[str]) -> tuple[Mapping[str, Any], ...]:
    found = []
    for word in words:
        match = _SPEC.fullmatch(word)
        if match is None:
            continue
        version = match["version"]
        channel = f"{match['channel']}/" if match["channel"] and "/" not in match["channel"] else ""
        purl = f"pkg:conda/{channel}{match['name']}" + (f"@{version}" if version else "")
        found.append({"package": match["name"], "version": [version] if version else [], "specs": [purl]})
    return tuple(found)


def recipe_file(conda: object) -> str | None:
    """The file that the directive names in place of packages."""
    return conda if isinstance(conda, str) and " " not in conda and conda.lower().endswith(_FILES) else None


def recipe_below(conda: object, folder: Path) -> str | None:
    """The same, relative to the workflow's folder, if it is a file in there."""
    name = recipe_file(conda)
    if name is None:
        return None
    path = Path(name)
    try:
        inside = path.relative_to(folder) if path.is_absolute() else path
    except ValueError:
        return None
    return str(inside) if ".." not in inside.parts and (folder / inside).is_file() else None


def needs_of(process: Mapping[str, Any]) -> dict[str, int]:
    """``cores``, ``memory`` and ``storage`` (bytes) that the process's text or configuration states as they are."""
    found: dict[str, int] = {}
    cores = process.get("cpus")
    if isinstance(cores, int | str) and not isinstance(cores, bool) and str(cores).isdecimal():
        found["cores"] = int(cores)
    for name, directive in (("memory", "memory"), ("storage", "disk")):
        value = process.get(directive)
        match = _MEMORY.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is not None:
            found[name] = int(float(match["number"]) * _UNITS[match["unit"].upper()])
        elif isinstance(value, int) and not isinstance(value, bool):
            found[name] = value
    return found
