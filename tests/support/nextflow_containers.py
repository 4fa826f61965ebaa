"""A workbench for runs of the real Nextflow whose tasks run in real containers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from engines.base import InstalledEngine, Listener, RunRequest
from engines.containers.base import Containers
from engines.execution import Execution
from tests.support.container_daemons import Containing
from tests.support.loaded_images import BARE, OTHER, TOOLS, Loaded, telling_images
from tests.support.nextflow_runs import DEFAULT, NextflowBench, journal


@dataclass
class ContainerBench:
    """A bench whose runs have a container runtime. ``host`` is the runtime as its user has it."""

    bench: NextflowBench
    host: Containing
    containers: Containers

    @property
    def name(self) -> str:
        """``docker`` or ``podman``."""
        return self.containers.runtime.name

    def request(self, params: Mapping[str, Any] | None = None, **more: Any) -> RunRequest:
        """All that a run needs, with every image."""
        made = self.bench.request(params, **more)
        return replace(made, plan=replace(made.plan, container=self.name), containers=self.containers)

    def run(
        self, params: Mapping[str, Any] | None = None, *, listener: Listener = lambda _event: None, **more: Any
    ) -> Execution:
        """Execute."""
        return self.bench.engine.run(self.request(params, **more), listener)

    def started(self, run: int = 1) -> list[dict[str, Any]]:
        """What the journal tells of containers that were started."""
        return [one for one in journal(self.bench.folder(run)) if one["event"] == "container-started"]


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Runtimes that have three images."""
    return Loaded(telling_images(tmp_path_factory.mktemp("task-images") / "containers", TOOLS, OTHER, BARE))


@pytest.fixture
def boxed(tmp_path: Path, nextflows: Callable[[str], InstalledEngine], loaded: Loaded) -> Callable[..., ContainerBench]:
    """Makes a workbench for a runtime's host and a version of Nextflow."""

    def make(host: Containing, version: str = DEFAULT) -> ContainerBench:
        content = tmp_path / "work"
        content.mkdir()
        bench = NextflowBench(content=content, installed=nextflows(version))
        return ContainerBench(bench=bench, host=host, containers=loaded(host))

    return make


@pytest.fixture
def docked(request: pytest.FixtureRequest, boxed: Callable[..., ContainerBench]) -> ContainerBench:
    """A workbench with docker."""
    return boxed(request.getfixturevalue("docker_daemon"))


@pytest.fixture(
    params=[
        pytest.param("docker_daemon", marks=pytest.mark.docker, id="docker"),
        pytest.param("podman_home", marks=pytest.mark.podman, id="podman"),
    ]
)
def boxes(request: pytest.FixtureRequest, boxed: Callable[..., ContainerBench]) -> ContainerBench:
    """A workbench with docker, and one with podman."""
    return boxed(request.getfixturevalue(request.param))
