"""Recounting: an account of any maker's crate, out of its metadata and, where they are at hand, its files.

Nothing is fetched and no payload file is opened.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from staging.crate_source import METADATA
from staging.errors import CrateError
from wfexs_like.reading.account import Account, Agent
from wfexs_like.reading.contents import Contents, open_crate
from wfexs_like.reading.executions import Executions
from wfexs_like.reading.graph import Graph
from wfexs_like.reading.items import Items
from wfexs_like.reading.makers import OURS, maker_of
from wfexs_like.reading.metadata import LARGEST_METADATA, Metadata, parse_metadata
from wfexs_like.reading.missing import missing
from wfexs_like.reading.runs import Runs
from wfexs_like.reading.software import Surroundings
from wfexs_like.reading.workflows import Workflows

OLD_METADATA: Final = "ro-crate-metadata.jsonld"
"""What RO-Crate 1.0 calls the metadata."""
_SHOWN_FAULTS: Final = 20
_ROLES: Final = ("author", "creator", "contributor", "publisher")


def read_account(path: Path) -> Account:
    """The account of a crate: a folder or a zip.

    Raises:
        NotFoundError: there is nothing.
        CrateError: it is no crate, or sealed as a whole.
        ArchiveError: the zip is damaged. PolicyError: it could do harm, or is too large or too deep.
    """
    with open_crate(path) as contents:
        return recount_contents(path, contents)


def recount_contents(path: Path, contents: Contents) -> Account:
    """The same, of a crate that is open already, and that lies at ``path``.

    Raises:
        CrateError: it is no crate.
        PolicyError: its metadata are too large or too deep.
    """
    name = next((one for one in (METADATA, OLD_METADATA) if contents.resolve(one) in contents.openers), None)
    if name is None:
        raise CrateError(
            f"{path} is no RO-Crate: it has no {METADATA}", hint="name the crate's folder or zip", where=str(path)
        )
    return recount(parse_metadata(contents.read(contents.resolve(name) or name, LARGEST_METADATA)), contents)


def recount(metadata: Metadata, contents: Contents | None) -> Account:
    """The account that metadata give; without ``contents`` no file is said to be there, and none to be missing."""
    graph = Graph(metadata)
    for fault in metadata.faults[:_SHOWN_FAULTS]:
        graph.remarks.add(f"the metadata: {fault}")
    root = graph.root
    items, surroundings = Items(graph, contents), Surroundings(graph)
    maker = maker_of(graph)
    workflows = Workflows(graph, items, surroundings)
    executions = Executions(graph, items, surroundings)
    ours = maker is not None and maker.startswith(OURS)
    runs = Runs(graph, workflows, executions, surroundings, ours=ours).runs()
    profiles = [one for entity in (root, graph.descriptor) for one, _ in graph.follow(entity, "conformsTo")]
    account = Account(
        name=graph.text(root, "name"),
        description=graph.text(root, "description"),
        published=graph.text(root, "datePublished"),
        licence=surroundings.licence(root),
        maker=maker,
        people=_people(graph, surroundings, workflows.main),
        profiles=tuple(dict.fromkeys(profiles)),
        workflow=workflows.workflow(),
        runs=runs,
        images=surroundings.all_images(),
        data=items.data(),
    )
    return replace(account, missing=missing(account, graph, contents), remarks=graph.remarks.all())


def _people(graph: Graph, surroundings: Surroundings, main: str | None) -> tuple[Agent, ...]:
    """Who made the crate, and the workflow."""
    entities = (graph.root, graph[main]) if main is not None else (graph.root,)
    found = {one.id: one for entity in entities for one in surroundings.agents(entity, *_ROLES)}
    return tuple(found.values())
