"""A workbench for CWL in containers: the real cwltool with the real docker or podman, and images that are loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from engines.base import Listener, RunRequest
from engines.containers.base import Containers
from engines.execution import Execution
from tests.support.container_daemons import Containing
from tests.support.loaded_images import OTHER, TOOLS, Loaded, telling_images
from tests.support.runs import Bench


@dataclass
class ContainerBench:
    """A bench whose runs have a container runtime. ``host`` is the runtime as its user has it."""

    bench: Bench
    host: Containing
    containers: Containers

    @property
    def name(self) -> str:
        """``docker`` or ``podman``."""
        return self.containers.runtime.name

    def write(self, **documents: str) -> None:
        """Write workflow documents."""
        self.bench.write(**documents)

    def request(
        self, params: Mapping[str, Any] | None = None, *, images: tuple[str, ...] = (TOOLS, OTHER), **more: Any
    ) -> RunRequest:
        """All that a run needs; of ``images`` it has those."""
        made = self.bench.request(params=params, **more)
        found = {name: image for name, image in self.containers.images.items() if name in images}
        return replace(
            made,
            plan=replace(made.plan, container=self.name),
            containers=replace(self.containers, images=found),
        )

    def run(
        self, params: Mapping[str, Any] | None = None, *, listener: Listener = lambda _event: None, **more: Any
    ) -> Execution:
        """Inspect and execute."""
        return self.bench.engine.run(self.request(params, **more), listener)

    def text(self, value: Any) -> str:
        """What is in an output file."""
        return self.bench.text(value)

    def log(self) -> str:
        """The engine's log."""
        return self.bench.log()


def in_image(name: str, command: str, *, section: str = "requirements", needs: str = "", **parts: str) -> str:
    """A tool that runs a line of shell in an image; see ``tests.support.runs.tool``. ``needs`` are requirements."""
    from tests.support.runs import tool

    image = f"DockerRequirement: {{dockerPull: '{name}'}}"
    if section == "requirements":
        return tool(command, **parts) + f"requirements: {{{image}{f', {needs}' if needs else ''}}}\n"
    return tool(command, **parts) + f"{section}: {{{image}}}\n"


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Runtimes that have two images."""
    return Loaded(telling_images(tmp_path_factory.mktemp("cwl-images") / "containers", TOOLS, OTHER))


@pytest.fixture
def boxed(bench: Bench, loaded: Loaded) -> Callable[[Containing], ContainerBench]:
    """Makes a workbench for a runtime's host."""

    def make(host: Containing) -> ContainerBench:
        return ContainerBench(bench=bench, host=host, containers=loaded(host))

    return make


@pytest.fixture(
    params=[
        pytest.param("docker_daemon", marks=pytest.mark.docker, id="docker"),
        pytest.param("podman_home", marks=pytest.mark.podman, id="podman"),
    ]
)
def boxes(request: pytest.FixtureRequest, boxed: Callable[[Containing], ContainerBench]) -> ContainerBench:
    """A workbench with docker, and one with podman."""
    return boxed(request.getfixturevalue(request.param))


@pytest.fixture
def docked(request: pytest.FixtureRequest, boxed: Callable[[Containing], ContainerBench]) -> ContainerBench:
    """A workbench with docker, for what does not depend on the runtime. Marked tests only (``docker``)."""
    return boxed(request.getfixturevalue("docker_daemon"))


def owners(folder: Path) -> set[int]:
    """Who owns what is in a folder."""
    return {path.lstat().st_uid for path in folder.rglob("*")}
