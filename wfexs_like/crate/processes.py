"""Processes: the tools that a workflow's own text defines, and the container images that it names for them.

A process is no file of its own, so it is a ``SoftwareApplication`` that the main workflow has as a part. It has the
workflow's version and address. Source: Process Run Crate 0.5, "Application" and "ContainerImage".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from engines.base import Tool
from wfexs_like.crate.discretion import Discretion, public_identifier
from wfexs_like.crate.graph import Entity, Graph, Ref, fragment
from wfexs_like.crate.needs import state
from wfexs_like.crate.vocabulary import DOCKER_IMAGE, SIF_IMAGE

PROCESS = "process"
_DEFAULT_REGISTRY = "docker.io"
_NO_REGISTRY = "none: a local file"
# As the OCI distribution specification has it; the first part is a host when it has a dot or a port.
_REFERENCE = re.compile(
    r"(?:docker://)?(?:(?P<registry>[\w-]+(?:\.[\w.-]+)(?::\d+)?|[\w-]+:\d+|localhost)/)?"
    r"(?P<name>[\w.-]+(?:/[\w.-]+)*)(?::(?P<tag>[\w.-]+))?(?:@sha256:(?P<sha256>[0-9a-f]{64}))?",
    re.ASCII,
)
_FILE = re.compile(r"(?:file:/+|/|\.{1,2}/|~)\S*|\S+\.(?:sif|img|simg)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageName:
    """A container image as a reference names it. ``kind`` is the profile's word for its format."""

    kind: str
    registry: str
    name: str
    tag: str | None = None
    sha256: str | None = None


def image_name(reference: str) -> ImageName | None:
    """What a reference to an image says, ``None`` if it is no reference (an expression, say)."""
    text = reference.strip()
    if text.startswith(("http://", "https://", "oras://", "library://", "shub://")):
        return _remote_file(text)
    if _FILE.fullmatch(text):
        return ImageName(kind=SIF_IMAGE, registry=_NO_REGISTRY, name=text.rpartition("/")[2] or "unnamed")
    match = _REFERENCE.fullmatch(text)
    if match is None:
        return None
    return ImageName(
        kind=DOCKER_IMAGE,
        registry=match["registry"] or _DEFAULT_REGISTRY,
        name=match["name"],
        tag=match["tag"],
        sha256=match["sha256"],
    )


def _remote_file(address: str) -> ImageName | None:
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if "@" in parts.netloc or public_identifier(f"https://{parts.netloc}{parts.path}") is None:
        return None
    path, _, tag = parts.path.strip("/").partition(":")
    if re.search(r"[\s${}]", path + tag) or not path:
        return None
    return ImageName(kind=SIF_IMAGE, registry=parts.netloc, name=path, tag=tag or None)


class Processes:
    """Describes processes in ``graph``."""

    def __init__(self, graph: Graph, discretion: Discretion) -> None:
        self.graph = graph
        self.discretion = discretion

    def describe(self, main: Entity, tool: Tool, *, image: Ref | None = None) -> None:
        """A process of the workflow; ``image`` is the one that it runs in here."""
        entity = self.graph.add(f"{main.id}#process/{quote(tool.id, safe='~')}", "SoftwareApplication", name=tool.id)
        entity.set("version", *(str(value) for _, value in main.properties.get("version", {})))
        entity.set("url", Ref(main.id))
        about = self.discretion.text(tool.doc or tool.label or "")
        entity.set("description", about or f"The process {tool.id} of the workflow.")
        state(entity, tool.needs)
        main.add("hasPart", Ref(entity.id))
        if tool.container is None:
            return
        if image is not None:
            entity.add("softwareRequirements", image)
            return
        named = image_name(tool.container)
        if named is None:
            text = self.discretion.text(tool.container)
            entity.set("description", f"{about or f'The process {tool.id} of the workflow.'} Its image: {text}")
            return
        entity.add("softwareRequirements", self._unused(named))

    def _unused(self, image: ImageName) -> Ref:
        version = f":{image.tag}" if image.tag else ""
        version += f"@sha256:{image.sha256}" if image.sha256 else ""
        entity = self.graph.add(
            fragment("container", image.registry, f"{image.name}{version}"), "ContainerImage", name=image.name
        )
        entity.set("additionalType", Ref(image.kind)).set("registry", image.registry)
        entity.add("tag", image.tag).add("sha256", image.sha256)
        entity.set("description", "The workflow names this image. It was not used: tools were those of the host.")
        return Ref(entity.id)
