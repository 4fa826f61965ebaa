"""Recounting: an account of any maker's crate, out of its metadata and, where they are at hand, its files.

Nothing is fetched and no payload file is opened.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from staging.crate_source import METADATA
from staging.errors import CrateError
from wfexs_like.reading.account import Account, Agent, Image, Run
from wfexs_like.reading.contents import WHICH_CRATE, Contents, open_crate
from wfexs_like.reading.executions import Executions
from wfexs_like.reading.graph import Graph
from wfexs_like.reading.items import Items
from wfexs_like.reading.makers import OURS, maker_of
from wfexs_like.reading.metadata import LARGEST_METADATA, Metadata, is_elsewhere, parse_metadata
from wfexs_like.reading.missing import missing
from wfexs_like.reading.runs import Runs
from wfexs_like.reading.software import Surroundings
from wfexs_like.reading.workflows import Workflows

OLD_METADATA: Final = "ro-crate-metadata.jsonld"
"""What RO-Crate 1.0 calls the metadata."""
IN_A_BAG: Final = "it is a bag: the crate is the folder data in it, name that"
_SHOWN_FAULTS: Final = 20
_SHOWN_IMAGES: Final = 3
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
        hint = IN_A_BAG if f"data/{METADATA}" in contents.openers else WHICH_CRATE
        raise CrateError(f"{path} is no RO-Crate: it has no {METADATA}", hint=hint, where=str(path))
    content = contents.read(contents.resolve(name) or name, LARGEST_METADATA)
    try:
        metadata = parse_metadata(content)
    except CrateError as error:
        raise CrateError(f"{path}: {error.message}", hint=error.hint, where=error.where) from error
    return recount(metadata, contents)


def recount(metadata: Metadata, contents: Contents | None) -> Account:
    """The account that metadata give; without ``contents`` no file is said to be there, and none to be missing."""
    graph = Graph(metadata)
    for fault in metadata.faults[:_SHOWN_FAULTS]:
        graph.remarks.add(f"the metadata: {fault}")
    root = graph.root
    maker = maker_of(graph)
    ours = maker is not None and maker.startswith(OURS)
    items, surroundings = Items(graph, contents), Surroundings(graph, ours=ours)
    workflows = Workflows(graph, items, surroundings)
    executions = Executions(graph, items, surroundings)
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
        images=_images(graph, surroundings.all_images(), runs) if ours else surroundings.all_images(),
        data=items.data(),
    )
    return replace(account, missing=missing(account, graph, contents), remarks=graph.remarks.all())


def _people(graph: Graph, surroundings: Surroundings, main: str | None) -> tuple[Agent, ...]:
    """Who made the crate, and the workflow. Who is described twice, without an address of their own, is one."""
    entities = (graph.root, graph[main]) if main is not None else (graph.root,)
    told = [one for entity in entities for one in surroundings.agents(entity, *_ROLES)]
    identified = {one.name for one in told if _has_address(one)}
    first: dict[str, Agent] = {}
    for one in told:
        if _has_address(one):
            first.setdefault(one.id, one)
        elif one.name not in identified:
            first.setdefault(one.name, one)
    return tuple(first.values())


def _has_address(one: Agent) -> bool:
    return is_elsewhere(one.id) and not one.id.startswith("_:")


def _images(graph: Graph, images: tuple[Image, ...], runs: tuple[Run, ...]) -> tuple[Image, ...]:
    """Of a crate of ours: those that something ran in, or that are ready where nothing has run yet."""
    if not runs:
        return images
    ran = [one for run in runs for one in (run.execution, *(step.execution for step in run.steps))]
    used = {image.id for one in ran for image in one.images}
    idle = [one.name for one in images if one.id not in used]
    if idle:
        told = ", ".join(idle[:_SHOWN_IMAGES]) + (", …" if len(idle) > _SHOWN_IMAGES else "")
        graph.remarks.add(f"no step ran in a container of what the workflow names: {told}")
    return tuple(one for one in images if one.id in used)
