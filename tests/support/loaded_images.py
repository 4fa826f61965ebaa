"""Images that can be told apart, and runtimes that have them loaded: what runs of any engine in containers need."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engines.containers.base import CONTAINERS, ContainerRuntime, Containers, StagedImage
from tests.support.container_daemons import Containing
from tests.support.images import Entry, tools_image

TOOLS, OTHER, BARE = "example.org/tools:1", "example.org/other:2", "example.org/bare:3"
"""In ``/etc/which`` is the name's last word. ``BARE`` lacks bash."""


def telling_images(layout: Path, *names: str) -> Mapping[str, StagedImage]:
    """Those images, in one layout."""
    return {
        name: tools_image(
            layout, name=name, more=[Entry("etc/which", f"{_word(name)}\n".encode(), mode=0o644)], bash=name != BARE
        )
        for name in names
    }


def _word(name: str) -> str:
    return name.rpartition("/")[2].partition(":")[0]


class Loaded:
    """Makes what a run gets of a runtime that has ``images``, which each runtime loads but once."""

    def __init__(self, images: Mapping[str, StagedImage]) -> None:
        self.images = images
        self._ready: dict[str, ContainerRuntime] = {}

    def __call__(self, host: Containing) -> Containers:
        runtime = self._ready.get(host.command)
        if runtime is None:
            runtime = CONTAINERS.load(host.command)(host.environment)
            for image in self.images.values():
                if not runtime.has(image):
                    runtime.load(image, lambda _line: None)
            self._ready[host.command] = runtime
        return Containers(runtime=runtime, facts=runtime.about(), images=self.images)
