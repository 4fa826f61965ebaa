"""Statements: what a crate's metadata say of its files, read with limits and without fetching anything.

Source: RO-Crate 1.1, "Data entities" (@id, contentSize); Workflow Run RO-Crate's terms for digests; our own
tree rule for folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from wfexs_like.reading.digests import DIGESTS, hexadecimal
from wfexs_like.reading.metadata import Metadata, is_elsewhere, parse_metadata, paths_of, text, types, values
from wfexs_like.seal.manifests import SUFFIX
from wfexs_like.seal.naming import BODY_DIGEST, LOCK_DIGEST, SIGNATURE, TREE_RULE

_DATA_TYPES: Final = frozenset({"File", "MediaObject", "Dataset"})
_NUMBER_AND_UNIT: Final = re.compile(r"[\d.,]+\s*(?:[kKMGTPE]i?)?[bB](?:ytes?)?")
_SHOWN_RUNS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is said of one file or folder.

    ``paths`` are what its @id may mean, likeliest first. ``digests`` are those it must have, by algorithm. ``size`` is
    in bytes; ``tree`` is a folder's sha256 by the tree rule. ``sealed`` files have digests of what is inside, which
    needs a key to be seen, and ``body``, the sha256 of all behind their header, which doesn't. ``must_be`` is ``False``
    of an entity that only might be a file.
    """

    id: str
    paths: tuple[str, ...]
    folder: bool = False
    digests: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    size: int | None = None
    tree: str | None = None
    sealed: bool = False
    body: str | None = None
    must_be: bool = True
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run that the crate tells of: its identifier, name, start and status as stated."""

    id: str
    name: str | None
    started: str | None
    status: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """All that is said. ``faults`` are what is wrong with the metadata themselves, ``astray`` @ids that lead out.

    ``signed`` is whether the crate says that it is signed, ``signed_by`` the fingerprint of the key that it names.
    """

    files: tuple[Statement, ...] = ()
    faults: tuple[str, ...] = ()
    astray: tuple[str, ...] = ()
    elsewhere: int = 0
    name: str | None = None
    published: str | None = None
    runs: tuple[Run, ...] = ()
    lock_digest: str | None = None
    signed: bool = False
    signed_by: str | None = None


def read_statements(content: bytes) -> Statements:
    """Read the metadata.

    Raises:
        CrateError: they aren't an RO-Crate's. PolicyError: they are too many, or too deep.
    """
    metadata = parse_metadata(content)
    return _all(metadata, metadata.faults)


def _all(metadata: Metadata, faults: tuple[str, ...]) -> Statements:
    entities, root = metadata.entities, metadata.root_id
    files: list[Statement] = []
    astray: list[str] = []
    elsewhere = 0
    for identifier, entity in entities.items():
        if identifier == root or identifier.startswith("#") or identifier.removeprefix("./") == "":
            continue
        if is_elsewhere(identifier):
            elsewhere += bool(types(entity) & _DATA_TYPES)
            continue
        paths = paths_of(identifier)
        if paths:
            files.append(_statement(identifier, paths, entity, entities))
        elif types(entity) & _DATA_TYPES:
            astray.append(identifier)
    described = entities.get(root, {})
    signature = next((entities[one] for one in (SIGNATURE, f"./{SIGNATURE}") if one in entities), None)
    return Statements(
        files=tuple(files),
        faults=faults,
        astray=tuple(astray),
        elsewhere=elsewhere,
        name=text(described.get("name")),
        published=text(described.get("datePublished")),
        runs=tuple(_runs(metadata)),
        lock_digest=next(
            (text(one.get("value")) for one in entities.values() if one.get("propertyID") == LOCK_DIGEST), None
        ),
        signed=signature is not None,
        signed_by=text(signature.get("identifier")) if signature is not None else None,
    )


def _statement(
    identifier: str, paths: tuple[str, ...], entity: Mapping[str, Any], entities: Mapping[str, Mapping[str, Any]]
) -> Statement:
    kinds = types(entity)
    folder = identifier.endswith("/") or ("Dataset" in kinds and not kinds & {"File", "MediaObject"})
    sealed = _is_sealed(identifier, entity)
    digests: dict[str, tuple[str, ...]] = {}
    fault = None
    for algorithm in DIGESTS:
        stated = [hexadecimal(one, algorithm) for one in values(entity.get(algorithm))]
        if None in stated:
            fault = f"has a stated {algorithm} that is none"
        if stated:
            digests[algorithm] = tuple(one for one in stated if one is not None)
    trees = [hexadecimal(one, "sha256") for one in _trees(entity, entities)] if folder else []
    tree = trees[0] if trees else None
    if any(one is None or one != tree for one in trees):
        fault = "has a stated sha256 by the tree rule that is none, or more than one"
    bodies = [hexadecimal(one, "sha256") for one in _bodies(entity, entities)] if sealed else []
    if None in bodies or len(set(bodies)) > 1:
        fault = f"has a stated {BODY_DIGEST} that is none, or more than one"
    size = None
    for one in values(entity.get("contentSize")):
        number = one.strip() if isinstance(one, str) else str(one)
        if re.fullmatch(r"[0-9]{1,19}", number):
            if size not in (None, int(number)):
                fault = "has more than one stated contentSize"
            size = int(number)
        elif not _NUMBER_AND_UNIT.fullmatch(number):
            fault = f"has a stated contentSize that is no number: {number[:60]!r}"
    return Statement(
        id=identifier,
        paths=paths,
        folder=folder,
        digests={} if sealed else digests,
        size=None if sealed or folder else size,
        tree=tree,
        sealed=sealed,
        body=bodies[0] if bodies else None,
        must_be=bool(kinds & _DATA_TYPES or digests or entity.get("encodingFormat")),
        fault=fault,
    )


def _is_sealed(identifier: str, entity: Mapping[str, Any]) -> bool:
    stated = [one.get("@id") if isinstance(one, dict) else one for one in values(entity.get("encodingFormat"))]
    return identifier.endswith(SUFFIX) or any(isinstance(one, str) and "crypt4gh" in one.lower() for one in stated)


def _trees(entity: Mapping[str, Any], entities: Mapping[str, Mapping[str, Any]]) -> Iterator[object]:
    """What is stated as a folder's sha256 by the tree rule."""
    for one in values(entity.get("identifier")):
        said = entities.get(str(one.get("@id")), {}) if isinstance(one, dict) else {}
        if str(said.get("propertyID", "")).startswith(TREE_RULE):
            yield said.get("value")


def _bodies(entity: Mapping[str, Any], entities: Mapping[str, Mapping[str, Any]]) -> Iterator[object]:
    """What is stated as the digest of a sealed file without its header."""
    for one in values(entity.get("additionalProperty")):
        said = entities.get(str(one.get("@id")), {}) if isinstance(one, dict) else {}
        if said.get("propertyID") == BODY_DIGEST:
            yield said.get("value")


def _runs(metadata: Metadata) -> Iterator[Run]:
    """The runs of the workflow where there is one: its steps are no runs of their own."""
    actions = {name: one for name, one in metadata.entities.items() if types(one) & {"CreateAction", "ActivateAction"}}
    main = metadata.root.get("mainEntity")
    whole = {name: one for name, one in actions.items() if main is not None and one.get("instrument") == main}
    for number, (identifier, entity) in enumerate((whole or actions).items()):
        if number < _SHOWN_RUNS:
            status = entity.get("actionStatus")
            status = status.get("@id") if isinstance(status, dict) else status
            yield Run(
                id=identifier.removeprefix("#"),
                name=text(entity.get("name")),
                started=text(entity.get("startTime")),
                status=text(status.rpartition("/")[2]) if isinstance(status, str) else None,
            )
