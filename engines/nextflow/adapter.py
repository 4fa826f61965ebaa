"""The Nextflow engine: workflows in its language, run by the engine itself in one JVM a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from engines.base import (
    Beside,
    Bound,
    EngineVersion,
    InstalledEngine,
    Listener,
    Plugin,
    Reference,
    RunRequest,
    Wish,
    WorkflowInterface,
)
from engines.execution import Execution
from staging.definition import EngineSettings, Param
from staging.plan import Json


class NextflowEngine:
    """An engine adapter; see ``engines.base.Engine``."""

    name = "nextflow"
    suffixes = (".nf",)
    takes_settings = True
    resumes = True

    def recognises(self, root: Path, entry: str | None) -> bool:
        """Whether it is a Nextflow script, or a folder that has one where Nextflow looks."""
        from engines.nextflow.reading.manifest import recognises

        return recognises(root, entry)

    def choose(self, root: Path, entry: str | None, asked: str | None) -> str | None:
        """The version asked for, or one that the manifest's ``nextflowVersion`` allows."""
        from engines.nextflow.reading.manifest import find_script, stated_version
        from engines.nextflow.setup.installation import known_versions
        from engines.nextflow.setup.versions import choose

        return choose(asked, stated_version(root, find_script(root, entry)), known_versions())

    def install(
        self, version: str | None, cache: Path, say: Callable[[str], None], expected: str | None = None
    ) -> InstalledEngine:
        """The engine of that version with a Java that it runs on."""
        from engines.nextflow.setup.installation import install

        return install(version, cache, say, os.environ, expected)

    def versions(self, cache: Path) -> tuple[EngineVersion, ...]:
        """Those whose digests we know, and those in the cache."""
        from engines.nextflow.setup.listing import versions

        return versions(cache, os.environ)

    def references(self, document: bytes, name: str) -> tuple[Reference, ...]:
        """Every reference of a script or configuration to something outside it."""
        from engines.nextflow.reading.references import references

        return references(document, name)

    def plugins(self, names: tuple[str, ...], engine: InstalledEngine) -> tuple[Plugin, ...]:
        """By the index of Nextflow's plugin registry."""
        from engines.nextflow.reading.plugin_index import core_versions, resolve
        from engines.nextflow.setup.launching import JARS, home_of

        jars = [home_of(engine) / JARS / one.name for one in engine.files]
        return resolve(names, engine.version, os.environ, core_versions(jars))

    def inspect(
        self,
        root: Path,
        entry: str | None,
        engine: InstalledEngine,
        wish: Wish | None = None,
        plugins: Path | None = None,
    ) -> WorkflowInterface:
        """Read the workflow."""
        from engines.nextflow.reading.inspect import inspect

        return inspect(root, entry, engine, wish or Wish(), plugins)

    def bind(
        self,
        interface: WorkflowInterface,
        params: tuple[Param, ...],
        beside: Beside | None = None,
        settings: EngineSettings | None = None,
    ) -> Bound:
        """Fit parameters to the interface."""
        from engines.nextflow.reading.bind import bind

        return bind(interface, params, beside, settings)

    def bind_override(self, interface: WorkflowInterface, name: str, value: Json) -> Json:
        """The value of ``run --param``."""
        from engines.nextflow.reading.bind import bind_override

        return bind_override(interface, name, value)

    def run(self, request: RunRequest, listener: Listener) -> Execution:
        """Execute once."""
        from engines.nextflow.running.runner import run

        return run(request, listener)
