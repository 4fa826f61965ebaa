"""Makers: which program wrote a crate, where it says so."""

from __future__ import annotations

from typing import Final

from wfexs_like.reading.graph import Graph

OURS: Final = "wfexs-like"


def maker_of(graph: Graph) -> str | None:
    """Name and version of the program."""
    for entity, names in (
        (graph.root, ("mentions",)),
        (graph.descriptor, ("creator", "author", "sdPublisher", "generator")),
        (graph.root, ("sdPublisher",)),
    ):
        for identifier, told in graph.follow(entity, *names):
            if graph.kinds(identifier) & {"SoftwareApplication", "SoftwareSourceCode"}:
                name, version = graph.label(identifier, told), graph.text(told, "version", "softwareVersion")
                return f"{name} {version}" if version and not name.endswith(version) else name
    return None
