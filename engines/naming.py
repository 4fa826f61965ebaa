"""Naming: outputs get the names that the stage file prefers (``preferredName``), secondary files along with them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from staging.definition import ExpectedOutput
from staging.errors import PolicyError


def give_names(values: Mapping[str, Any], expected: Sequence[ExpectedOutput]) -> tuple[dict[str, Any], dict[str, str]]:
    """Rename the files and folders that have a preferred name; the new values, and where each path went.

    A secondary file keeps what it has beyond its primary's name (``x.bam.bai``), or beyond its stem (``x.bai``). Of a
    list only a single item can have the name.

    Raises:
        PolicyError: another output has the name already, or several items would have it.
    """
    moved: dict[str, str] = {}
    for one in expected:
        value = values.get(one.name)
        if isinstance(value, list) and len(value) == 1:
            (value,) = value
        if one.preferred_name is None or value is None:
            continue
        if isinstance(value, list):
            raise PolicyError(
                f"the output {one.name!r} has {len(value)} items, and all would be named {one.preferred_name!r}",
                where=one.name,
            )
        if isinstance(value, dict) and value.get("class") in ("File", "Directory") and value.get("path"):
            _rename(value, one.preferred_name, moved)
    return {name: _told(value, moved) for name, value in values.items()}, moved


def _rename(value: Mapping[str, Any], name: str, moved: dict[str, str]) -> None:
    path = Path(value["path"])
    _move(path, path.with_name(name), moved)
    for one in value.get("secondaryFiles") or ():
        beside = Path(one["path"]) if isinstance(one, dict) and one.get("path") else None
        renamed = _beside(beside.name, path.name, name) if beside is not None else None
        if beside is not None and renamed is not None:
            _move(beside, beside.with_name(renamed), moved)


def _beside(secondary: str, primary: str, name: str) -> str | None:
    """The secondary file's name once its primary is called ``name``; ``None`` when it has a name of its own."""
    stem, new_stem = Path(primary).stem, Path(name).stem
    if secondary.startswith(primary):
        return name + secondary[len(primary) :]
    return new_stem + secondary[len(stem) :] if secondary.startswith(f"{stem}.") else None


def _move(old: Path, new: Path, moved: dict[str, str]) -> None:
    if old == new or str(old) in moved:
        return
    if os.path.lexists(new):
        raise PolicyError(f"two outputs would be named {new.name!r}", where=new.name)
    old.rename(new)
    moved[str(old)] = str(new)


def _told(value: Any, moved: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_told(one, moved) for one in value]
    if not isinstance(value, dict):
        return value
    told = {key: _told(one, moved) for key, one in value.items()}
    new = moved.get(str(value.get("path"))) if value.get("class") in ("File", "Directory") else None
    return told if new is None else {**told, "path": new, "basename": Path(new).name}
