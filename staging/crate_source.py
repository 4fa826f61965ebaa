"""RO-Crates as workflow sources: where in a crate the workflow is. Source: RO-Crate 1.1, Workflow RO-Crate 1.0."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from staging.archives import unpack
from staging.errors import CrateError, PolicyError, from_os_error
from staging.fingerprints import Tree, TreeEntry
from staging.paths import safe_join

METADATA: Final = "ro-crate-metadata.json"
LARGEST_METADATA: Final = 64 << 20
"""Bytes; a crate with a hundred thousand files has about 30 MB of metadata."""


def is_crate(folder: Path) -> bool:
    """Whether the folder holds a crate's metadata."""
    return (folder / METADATA).is_file()


def is_crate_archive(name: str) -> bool:
    """Whether a file of this name may be a zipped crate."""
    return name.lower().endswith((".zip", ".eln"))


def find_main_workflow(folder: Path) -> str | None:
    """The path of a crate's main workflow, relative to the folder and decoded.

    ``None`` when the folder is no crate, or the crate names none.

    Raises:
        CrateError: its metadata can't be read, or the workflow it names is not in it.
        PolicyError: the path leads out of the crate.
    """
    if not is_crate(folder):
        return None
    entities = _entities(folder / METADATA)
    root = _root(entities)
    main = _id_of(root.get("mainEntity")) if root is not None else None
    if main is None:
        return None
    path = unquote(main.removeprefix("./"))
    if "://" in path or path.startswith(("#", "file:", "_:")):
        raise CrateError(
            f"the crate's main workflow is not in the crate: {main!r}",
            hint="name the workflow's own address in the stage file",
            where=f"{METADATA}: mainEntity",
        )
    try:
        found = safe_join(folder, path)
    except PolicyError as error:
        raise PolicyError(f"the crate's main workflow {main!r} lies outside the crate", where=main) from error
    if not found.exists():
        document, _, _ = path.partition("#")
        if not document or document == path or not safe_join(folder, document).is_file():
            raise CrateError(f"the crate has no file {path!r}, its main workflow", where=f"{METADATA}: mainEntity")
        path = document
    return path


def unpack_crate(archive: Path, into: Path, *, cancelled: threading.Event | None = None) -> Tree:
    """Unpack a zipped crate into the new folder ``into``. A single folder around everything is taken away.

    Raises:
        CrateError: it holds no crate.
        ArchiveError: it is no archive, or damaged.
        PolicyError: an entry could do harm; see ``staging.archives``.
    """
    tree = unpack(archive, into, cancelled=cancelled)
    if is_crate(into):
        return tree
    try:
        return _unwrapped(tree, into)
    except BaseException as error:
        shutil.rmtree(into, ignore_errors=True)
        if isinstance(error, OSError):
            raise from_os_error(error, f"unpack {archive.name}") from error
        raise


def _unwrapped(tree: Tree, into: Path) -> Tree:
    tops = {entry.path.partition("/")[0] for entry in tree.entries}
    top = tops.pop() if len(tops) == 1 else None
    if top is None or not is_crate(into / top):
        raise CrateError(f"the archive holds no RO-Crate: there is no {METADATA} in it", where=METADATA)
    outer = into.with_name(f"{into.name}.wrapped")
    into.rename(outer)
    (outer / top).rename(into)
    outer.rmdir()
    return Tree.of(
        [
            TreeEntry(kind=one.kind, path=one.path.removeprefix(f"{top}/"), digest=one.digest, size=one.size)
            for one in tree.entries
        ]
    )


def _entities(path: Path) -> Mapping[str, Mapping[str, object]]:
    try:
        if path.stat().st_size > LARGEST_METADATA:
            raise PolicyError(f"the crate's metadata is larger than {LARGEST_METADATA >> 20} MiB", where=METADATA)
        document = json.loads(path.read_bytes())
        graph = document["@graph"]
        return {one["@id"]: one for one in graph if isinstance(one.get("@id"), str)}
    except OSError as error:
        raise from_os_error(error, "read the crate's metadata") from error
    except RecursionError as error:
        raise PolicyError("the crate's metadata is nested too deeply", where=METADATA) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CrateError(f"the crate's metadata can't be understood: {error!r}"[:300], where=METADATA) from error


def _root(entities: Mapping[str, Mapping[str, object]]) -> Mapping[str, object] | None:
    """The root data entity: what the metadata's own entity is about."""
    for name in (METADATA, f"./{METADATA}"):
        about = _id_of(entities.get(name, {}).get("about"))
        if about is not None and about in entities:
            return entities[about]
    return entities.get("./")


def _id_of(value: object) -> str | None:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    found = value.get("@id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and found else None
