"""Packages: what a process's ``conda`` directive and its resource directives say, in the words that all engines share.

Source: Nextflow documentation, "Process directives"; conda's MatchSpec (``channel::name=version=build``);
package-url specification, type ``conda``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    found = []
    for word in conda.replace(",", " ").split():
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
