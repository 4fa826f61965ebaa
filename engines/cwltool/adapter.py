"""The cwltool engine: CWL workflows, run by the reference implementation as a library in one child process a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
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


class CwltoolEngine:
    """An engine adapter; see ``engines.base.Engine``."""

    name = "cwltool"
    suffixes = (".cwl",)
    takes_settings = False
    resumes = False

    def recognises(self, root: Path, entry: str | None) -> bool:
        """Whether it is CWL."""
        from engines.cwltool.inspect import recognises

        return recognises(root, entry)

    def choose(self, root: Path, entry: str | None, asked: str | None) -> str | None:  # noqa: ARG002
        """A CWL document names no version of an engine."""
        return asked

    def install(
        self,
        version: str | None,
        cache: Path,
        say: Callable[[str], None],
        expected: str | None = None,  # noqa: ARG002 - a version of cwltool is to be had from one place
    ) -> InstalledEngine:
        """The default version is a dependency of ours; others get an environment of their own."""
        from engines.cwltool.environment import install

        return replace(install(version, cache, say, os.environ), home=cache / "cwl-schemas")

    def versions(self, cache: Path) -> tuple[EngineVersion, ...]:
        """The one that we depend on, those whose packages we know, and those in the cache."""
        from engines.cwltool.environment import versions

        return versions(cache)

    def references(self, document: bytes, name: str) -> tuple[Reference, ...]:
        """Every reference of a CWL document to something outside it."""
        from engines.cwltool.references import references

        return references(document, name)

    def plugins(self, names: tuple[str, ...], engine: InstalledEngine) -> tuple[Plugin, ...]:  # noqa: ARG002
        """There are none."""
        return ()

    def inspect(
        self,
        root: Path,
        entry: str | None,
        engine: InstalledEngine,
        wish: Wish | None = None,  # noqa: ARG002 - what CWL says depends on nothing else
        plugins: Path | None = None,  # noqa: ARG002 - there are none
    ) -> WorkflowInterface:
        """Read the workflow."""
        from engines.cwltool.inspect import inspect

        return inspect(root, entry, engine)

    def bind(
        self,
        interface: WorkflowInterface,
        params: tuple[Param, ...],
        beside: Beside | None = None,
        settings: EngineSettings | None = None,  # noqa: ARG002 - none of them is about CWL
    ) -> Bound:
        """Fit parameters to the interface."""
        from engines.cwltool.bind import bind

        return bind(interface, params, beside)

    def bind_override(self, interface: WorkflowInterface, name: str, value: Json) -> Json:
        """The value of ``run --param``."""
        from engines.cwltool.bind import bind_override

        return bind_override(interface, name, value)

    def run(self, request: RunRequest, listener: Listener) -> Execution:
        """Execute once."""
        from engines.cwltool.runner import run

        return run(request, listener)
