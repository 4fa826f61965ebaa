"""Makers: which program wrote a crate, where it says so."""

from __future__ import annotations

from typing import Final

from wfexs_like.reading.graph import Graph

OURS: Final = "wfexs-like"

_PAGES: Final = (
    "/wfexs-backend",
    "/sapporo-service",
    "/runcrate",
    "/nf-prov",
    "/streamflow",
    "/compss",
    "/autosubmit",
    "/snakemake-report-plugin-rocrate",
)
"""How the addresses end of programs that write crates and say no more of it than that they took part."""


def maker_of(graph: Graph) -> str | None:
    """Name and version of the program."""
    for entity, names in (
        (graph.root, ("mentions",)),
        (graph.descriptor, ("creator", "author", "sdPublisher", "generator")),
        (graph.root, ("sdPublisher",)),
    ):
        for identifier, _ in graph.follow(entity, *names):
            if graph.kinds(identifier) & {"SoftwareApplication", "SoftwareSourceCode"}:
                return _told(graph, identifier)
    for identifier, kinds in graph.types.items():
        if "SoftwareApplication" in kinds and identifier.lower().rstrip("/").endswith(_PAGES):
            return _told(graph, identifier)
    return None


def _told(graph: Graph, identifier: str) -> str:
    told = graph[identifier]
    name, version = graph.label(identifier, told), graph.text(told, "version", "softwareVersion")
    return f"{name} {version}" if version and not name.endswith(version) else name
