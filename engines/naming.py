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

    What lies in a folder that gets another name goes along with it. A secondary file keeps what it has beyond its
    primary's name (``x.bam.bai``), or beyond its stem (``x.bai``). Of a list only a single item can have the name.

    Raises:
        PolicyError: another output has the name already, several items would have it, or one would have two names.
    """
    moves: list[tuple[str, str]] = []
    originals: dict[str, None] = {}
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
            _rename(value, one.preferred_name, moves, originals)
    told = {name: _told(value, moves) for name, value in values.items()}
    return told, {old: _now(old, moves) for old in originals}


def _rename(value: Mapping[str, Any], name: str, moves: list[tuple[str, str]], originals: dict[str, None]) -> None:
    path = Path(value["path"])
    if str(path) in originals and Path(_now(str(path), moves)).name != name:
        raise PolicyError(f"two outputs are {path.name!r}, and want different names for it", where=name)
    _move(path, name, moves, originals)
    for one in value.get("secondaryFiles") or ():
        beside = Path(one["path"]) if isinstance(one, dict) and one.get("path") else None
        renamed = _beside(beside.name, path.name, name) if beside is not None else None
        if beside is not None and renamed is not None:
            _move(beside, renamed, moves, originals)


def _beside(secondary: str, primary: str, name: str) -> str | None:
    """The secondary file's name once its primary is called ``name``; ``None`` when it has a name of its own."""
    stem, new_stem = Path(primary).stem, Path(name).stem
    if secondary.startswith(primary):
        return name + secondary[len(primary) :]
    return new_stem + secondary[len(stem) :] if secondary.startswith(f"{stem}.") else None


def _move(original: Path, name: str, moves: list[tuple[str, str]], originals: dict[str, None]) -> None:
    old = Path(_now(str(original), moves))
    new = old.with_name(name)
    if old == new or str(original) in originals:
        return
    if os.path.lexists(new):
        raise PolicyError(f"two outputs would be named {new.name!r}", where=new.name)
    old.rename(new)
    moves.append((str(old), str(new)))
    originals[str(original)] = None


def _now(path: str, moves: Sequence[tuple[str, str]]) -> str:
    """Where a path has gone after all the moves, by itself or with a folder around it."""
    for old, new in moves:
        if path == old or path.startswith(f"{old}/"):
            path = new + path[len(old) :]
    return path


def _told(value: Any, moves: Sequence[tuple[str, str]]) -> Any:
    if isinstance(value, list):
        return [_told(one, moves) for one in value]
    if not isinstance(value, dict):
        return value
    told = {key: _told(one, moves) for key, one in value.items()}
    path = value.get("path") if value.get("class") in ("File", "Directory") else None
    new = None if path is None else _now(str(path), moves)
    return told if new in (None, path) else {**told, "path": new, "basename": Path(str(new)).name}
