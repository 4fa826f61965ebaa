"""A BioCompute Object of one run of an account.

What a crate doesn't tell is left out where that may be, and is otherwise "not stated" in so many words; ``warnings``
say where.
Source: IEEE 2791-2020 and its JSON schemas.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from wfexs_like.converting.addresses import CONTENT, base_of, content_address, sound
from wfexs_like.converting.bco_domains import (
    description_domain,
    error_domain,
    execution_domain,
    io_domain,
    parametric_domain,
)
from wfexs_like.converting.bco_links import Links, files_of
from wfexs_like.converting.telling import NOBODY
from wfexs_like.reading.account import Account, Agent, Item, Run

SPECIFICATION: Final = "https://w3id.org/ieee/ieee-2791-schema/2791object.json"
FIRST_VERSION: Final = "1.0.0"
"""Of the object, which is new, and not of the workflow."""

_ORCID: Final = ("https://orcid.org/", "http://orcid.org/")
_OUTSIDE_ETAG: Final = ("object_id", "spec_version", "etag")

_DIGESTS_SCHEMA: Final = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "required": ["extension_schema", "digests"],
    "properties": {
        "digests": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["uri", "sha256"],
                "properties": {
                    "uri": {"type": "string"},
                    "sha256": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
                    "size": {"type": "integer"},
                },
            },
        }
    },
}
DIGESTS_EXTENSION: Final = "data:application/schema+json," + quote(json.dumps(_DIGESTS_SCHEMA, separators=(",", ":")))
"""The schema of the sha256s, for which the standard has no place. The address resolves to the schema, offline too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bco:
    """An object, and what had to be left open in it, one sentence each."""

    document: dict[str, Any]
    warnings: tuple[str, ...]


def biocompute_object(account: Account, run: Run | None, moment: datetime) -> Bco:
    """The object of ``run`` of an account; of its workflow alone when that is ``None``. ``moment`` is now, aware."""
    links = Links(base_of(account))
    now = moment.astimezone(UTC).isoformat(timespec="seconds")
    document: dict[str, Any] = {
        "provenance_domain": {
            "name": sound(account.name) if account.name else links.missing("its name"),
            "version": FIRST_VERSION,
            "created": now,
            "modified": now,
            "contributors": list(_contributors(account, run)),
            "license": sound(account.licence) if account.licence else links.missing("its licence"),
        },
        "usability_domain": [sound(account.description)] if account.description else [],
        "description_domain": description_domain(account, run, links),
        "execution_domain": execution_domain(account, run, links),
        "parametric_domain": parametric_domain(run),
        "io_domain": io_domain(run, links),
        "error_domain": error_domain(run),
    }
    if not account.description:
        links.left_out("the crate doesn't tell what it is for: the usability domain is empty")
    if run is None:
        links.left_out("the crate tells of no run: the object has no data, and steps as they are planned")
    digests = _digests(account, run, links)
    if digests:
        document["extension_domain"] = [{"extension_schema": DIGESTS_EXTENSION, "digests": digests}]
    etag = etag_of(document)
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"wfexs-like:bco:{etag}")
    head = {"object_id": f"urn:uuid:{identity}", "spec_version": SPECIFICATION, "etag": etag}
    return Bco(document=head | document, warnings=tuple(links.warnings))


def etag_of(document: dict[str, Any]) -> str:
    """The sha256 of an object: of its JSON in one line, in its own order, without what the etag isn't of."""
    counted = {key: value for key, value in document.items() if key not in _OUTSIDE_ETAG}
    return sha256(json.dumps(counted).encode()).hexdigest()


def bco_json(bco: Bco) -> Iterator[str]:
    """The object as JSON, in pieces."""
    yield from json.JSONEncoder(indent=2).iterencode(bco.document)
    yield "\n"


def _contributors(account: Account, run: Run | None) -> Iterator[dict[str, Any]]:
    """Authors of the crate, those who ran the workflow, and the program that wrote it all down."""
    found: dict[str, tuple[Agent, dict[str, None]]] = {}
    told: Iterable[tuple[Agent, str]] = [(one, "authoredBy") for one in account.people]
    told = [*told, *((one, "createdBy") for one in (run.execution.agents if run is not None else ()))]
    for agent, contribution in told:
        if agent.id != NOBODY:
            found.setdefault(agent.id, (agent, {}))[1][contribution] = None
    for agent, contributions in found.values():
        said: dict[str, Any] = {"contribution": list(contributions), "name": sound(agent.name)}
        if agent.affiliation:
            said["affiliation"] = sound(agent.affiliation)
        if agent.id.startswith(_ORCID):
            said["orcid"] = quote(agent.id.replace("http:", "https:", 1), safe="/:")
        yield said
    if account.maker:
        yield {"contribution": ["createdWith"], "name": sound(account.maker)}


def _digests(account: Account, run: Run | None, links: Links) -> list[dict[str, Any]]:
    items: dict[str, Item] = {}
    if account.workflow is not None and account.workflow.document is not None:
        items[account.workflow.document.id] = account.workflow.document
    for execution in () if run is None else (run.execution, *(one.execution for one in run.steps)):
        for one in (*files_of(execution.inputs), *files_of(execution.outputs)):
            items.setdefault(one.id, one)
    found = []
    for one in items.values():
        content = content_address(one)
        if content is not None:
            said: dict[str, Any] = {"uri": links.to_item(one)["uri"], "sha256": content.removeprefix(CONTENT)}
            found.append(said if one.size is None else {**said, "size": one.size})
    return found
