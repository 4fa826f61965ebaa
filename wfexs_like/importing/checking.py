"""Checking a crate's lock: it comes from somebody else, and says where things go and what is fetched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from staging.crowded import is_crowded
from staging.errors import CrateError, DigestError, PolicyError
from staging.fingerprints import Fingerprint
from staging.lock_files import LARGEST_LOCK, read_lock
from staging.paths import safe_relative
from staging.plan import Json, Kind, Plan, PlanItem, Role
from staging.resolving import with_paths
from staging.workdir import LOCK
from wfexs_like.crate.told_lock import TOLD_LOCK
from wfexs_like.importing.opening import OpenCrate, path_of
from wfexs_like.reading.metadata import types

_DEEPEST: Final = 100
"""Maps and lists of a value within each other: far more than anybody writes, far fewer than Python's stack has."""
_PLACES: Final[Mapping[Role, tuple[str, ...]]] = {
    Role.WORKFLOW: ("workflow", "workflow-crate"),
    Role.PLUGIN: ("engine/plugin-archives", "engine/plugins"),
    Role.INPUT: ("inputs",),
    Role.ENVIRONMENT: ("environment",),
    Role.CONTAINER: ("containers/blobs/sha256",),
    Role.BLOB: ("containers/blobs/sha256", "container-archives"),
}
"""Where staging puts the items of each role, below the content."""
_BLOBS: Final = PurePosixPath("containers/blobs/sha256")
_IS_ITSELF: Final = frozenset({"workflow"})
"""Folders that may be an item themselves; of the others an item lies below them."""


def read_plan(crate: OpenCrate, locked: Path | None, *, strict: bool) -> Plan:
    """The plan that the crate was made of: the lock in it, or what is told of that, or ``locked``, given apart.

    Raises:
        NotFoundError: there is no file ``locked``.
        CrateError: the crate has no lock.
        DefinitionError: it is none.
        DigestError: it is not the one that the crate's metadata tells of.
        PolicyError: it would put something where it doesn't belong, or is larger than any lock.
    """
    if locked is not None:
        plan = read_lock(locked)
        _check_digest(crate, plan, str(locked))
    else:
        name, text = _lock_of(crate)
        _check_attested(crate, name, text, strict=strict)
        plan = Plan.parse(text, file=name)
        if name == LOCK:
            _check_digest(crate, plan, name)
    check_plan(plan)
    return plan


def has_lock(crate: OpenCrate) -> bool:
    """Whether the crate says what it was made of as crates of ours do."""
    return any(crate.path(name) is not None for name in (LOCK, TOLD_LOCK))


def _lock_of(crate: OpenCrate) -> tuple[str, bytes]:
    for name in (LOCK, TOLD_LOCK):
        text = crate.read(name, LARGEST_LOCK)
        if text is not None and is_crowded(text):
            raise PolicyError(f"{name} in the crate has too many values", where=name)
        if text is not None:
            return name, text
    raise CrateError(
        f"the crate has no lock ({LOCK}): what it was made of can't be known",
        hint="a crate has none where the lock says what must not be disclosed, or where it was made by another "
        "program; its maker can give you the lock: import it with --locked LOCK",
        where=LOCK,
    )


def _check_attested(crate: OpenCrate, name: str, text: bytes, *, strict: bool) -> None:
    stated = crate.entities.get(name, {}).get("sha256")
    actual = Fingerprint.of_bytes(text).digest
    if stated is None and strict:
        raise CrateError("the crate's metadata says no sha256 of the lock", where=name, hint="import without --strict")
    if stated is not None and stated != actual:
        raise wrong_bytes(name, str(stated), actual)


def _check_digest(crate: OpenCrate, plan: Plan, name: str) -> None:
    """Compare the plan with what the metadata says that everything was made by."""
    said = crate.entities.get("#lock-digest", {}).get("value")
    if said not in (None, str(plan.digest)):
        raise DigestError(
            f"the digest of {name} is {plan.digest}, the crate's metadata says {said}",
            hint="that is not the lock that the crate was made by",
            where=name,
            path=name,
            expected=str(said),
            actual=str(plan.digest),
        )


def check_plan(plan: Plan) -> None:
    """Refuse a plan that staging can't have made, in what matters for where its items come to lie.

    Raises:
        PolicyError: an item would lie where things of another kind do, or over another one; ``where`` names it.
        CrateError: it is at odds with itself.
    """
    engines = plan.of_role(Role.ENGINE)
    if not engines:
        raise CrateError("the lock has no engine", where=LOCK)
    taken: dict[PurePosixPath, PlanItem] = {}
    named: set[tuple[Role, str]] = set()
    for item in plan.items:
        if (item.role, item.name) in named:
            raise CrateError(f"the lock has the {item.role} {item.name!r} more than once", where=item.name)
        named.add((item.role, item.name))
        if item.role is Role.ENGINE:
            if item.path is not None:
                raise PolicyError("the lock has an engine that lies in the working directory", where=item.name)
            continue
        _check_place(item)
        assert item.path is not None, "seen by _check_place"
        other = taken.setdefault(item.path, item)
        if other.fingerprint != item.fingerprint or other.kind is not item.kind:
            raise PolicyError(f"the lock has two things for the path {str(item.path)!r}", where=str(item.path))
    for path in taken:
        over = next((one for one in path.parents if one in taken), None)
        if over is not None:
            raise PolicyError(f"the lock has {str(path)!r} within another item, {str(over)!r}", where=str(path))
    if not any(one == plan.workflow.path or one in plan.workflow.path.parents for one in _workflow(plan)):
        raise CrateError(
            f"the lock's workflow {str(plan.workflow.path)!r} is none of its items", where=str(plan.workflow.path)
        )
    _check_numbers(plan)
    _check_values(plan)


def _check_place(item: PlanItem) -> None:
    if item.path is None:
        raise CrateError(f"the lock says no path for the {item.role} {item.name!r}", where=item.name)
    path = safe_relative(str(item.path))
    folders = [PurePosixPath(one) for one in _PLACES[item.role]]
    allowed = any(one in path.parents or (path == one and str(one) in _IS_ITSELF) for one in folders)
    if allowed and _BLOBS in path.parents:
        allowed = path == _BLOBS / item.fingerprint.digest and item.kind is Kind.FILE
    if not allowed:
        raise PolicyError(
            f"the lock has the {item.role} {item.name!r} at {str(path)!r}, where no {item.role} lies",
            where=str(path),
            hint="this lock was not made by staging: don't trust the crate",
        )


def _workflow(plan: Plan) -> tuple[PurePosixPath, ...]:
    return tuple(item.path for item in plan.of_role(Role.WORKFLOW) if item.path is not None)


def _check_numbers(plan: Plan) -> None:
    """What a run counts with are numbers.

    Raises:
        CrateError: something else is there.
    """
    counted = [plan.limits.cores, plan.limits.memory, plan.limits.time]
    counted += [number for one in plan.outputs for number in (one.minimum, one.maximum)]
    if not all(one is None or (type(one) is int and one >= 0) for one in counted):
        raise CrateError("the lock has something else where numbers should be", where=LOCK)


def _check_values(plan: Plan) -> None:
    """Files among the values are items of the plan, and nothing else.

    Raises:
        PolicyError: a value names a file of the machine, or is nested too deeply.
        CrateError: it names an item that there is none of.
    """
    for values, role in ((plan.parameters, Role.INPUT), (plan.environment, Role.ENVIRONMENT)):
        places = {item.name: item.path for item in plan.of_role(role) if item.path is not None}
        for name, value in values.items():
            for entry in _files(value, name):
                _check_file(entry, name, places)
        with_paths(values, places, Path("/content"), outputs=Path("/content/outputs"))


def _check_file(entry: Mapping[str, Json], name: str, places: Mapping[str, PurePosixPath]) -> None:
    if "path" in entry or "location" in entry:
        raise PolicyError(f"the lock's value of {name!r} names a file that is not staged", where=name)
    item = entry.get("item")
    if "item" in entry and not (isinstance(item, str) and item in places):
        raise CrateError(f"the lock's value of {name!r} is {item!r}, which is none of its items", where=name)
    basename = entry.get("basename")
    # Engines put a file where its basename says.
    if basename is not None and not (isinstance(basename, str) and len(safe_relative(basename).parts) == 1):
        raise PolicyError(f"the lock's value of {name!r} has the basename {basename!r}", where=name)


def _files(value: Json, name: str, depth: int = 0) -> Iterator[Mapping[str, Json]]:
    if depth > _DEEPEST:
        raise PolicyError(f"the lock's value of {name!r} is nested too deeply", where=name)
    if isinstance(value, Mapping):
        if value.get("class") in ("File", "Directory"):
            yield value
        for one in value.values():
            yield from _files(one, name, depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for one in value:
            yield from _files(one, name, depth + 1)


def check_payload(crate: OpenCrate) -> None:
    """Compare every file that the metadata tells of with what it says: for those who want all of it verified.

    Raises:
        DigestError: a file is another one.
        CrateError: one isn't there, or nothing is said of its bytes.
        PolicyError: a path leads out of the crate.
    """
    for identifier, entity in crate.entities.items():
        path = path_of(identifier) if "File" in types(entity) else None
        if path is None:
            continue
        place = crate.path(path)
        stated = entity.get("sha256")
        if place is None or not place.is_file():
            raise CrateError(f"the crate has no file {path!r}, which its metadata tells of", where=path)
        if not isinstance(stated, str):
            raise CrateError(f"nobody states a sha256 of {path!r}, so it can't be verified", where=path)
        actual = Fingerprint.of_file(place).digest
        if actual != stated:
            raise wrong_bytes(path, stated, actual)


def wrong_bytes(path: str, expected: str, actual: str) -> DigestError:
    """What is said of a file of the crate that isn't what it should be."""
    return DigestError(
        f"sha256 of {path} in the crate is {actual}, it should be {expected}",
        hint="the crate was changed or damaged after it was made: ask for it again",
        where=path,
        path=path,
        expected=f"sha256:{expected}",
        actual=f"sha256:{actual}",
    )
