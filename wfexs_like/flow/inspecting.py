"""Inspecting: what an engine says of a workflow that lies in its place, asked once and kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engines.base import Engine, InstalledEngine, Wish, WorkflowInterface
from engines.gathering import check_contained
from engines.interface import interface_as_json, interface_from_json
from staging.definition import DirectoryValue, EngineSettings, FileValue, OutputPlace, Value
from staging.errors import DefinitionError
from staging.fingerprints import Fingerprint
from staging.places import placed
from staging.placing import write_json
from staging.plan import Json, canonical, settings_as_json
from staging.wanted import StagedItem
from wfexs_like.flow.work import StageWork

# Raised whenever the meaning of a kept inspection changes, so that an old one is not believed.
INSPECTION_VERSION = 8
_PROFILE = "profile"
_PROFILE_PLACES = (_PROFILE, "workflow_config.nextflow.profile")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What an engine is asked of a workflow that lies in its place."""

    work: StageWork
    engine: Engine
    installed: InstalledEngine
    items: tuple[StagedItem, ...]
    root: Path
    entry: str | None

    @property
    def settings(self) -> EngineSettings:
        """What the stage file asks of the engine; nothing for one that takes no settings."""
        return self.work.definition.settings if self.engine.takes_settings else EngineSettings()

    def make(self) -> tuple[WorkflowInterface, tuple[StagedItem, ...]]:
        """The workflow's interface, and the engine's plugins that it declares, staged.

        The interface is kept by what it depends on: the documents' bytes, the entry, the engine's bytes, and what the
        stage file asks that bears on it.
        """
        interface = self._ask()
        plugins: tuple[StagedItem, ...] = ()
        if interface.plugins:
            from wfexs_like.flow.plugins import PLUGINS, stage_plugins

            plugins = stage_plugins(
                interface.plugins,
                content=self.work.content,
                resolve=lambda asked: self.engine.plugins(asked, self.installed),
                fetch=self.work.fetch,
                locked=self.work.locked,
            )
            interface = self._ask(plugins, self.work.content / PLUGINS)
        return interface, plugins

    def _ask(self, plugins: tuple[StagedItem, ...] = (), folder: Path | None = None) -> WorkflowInterface:
        """The engine's answer, or the one that it gave to the same question before."""
        wish = self._wish()
        kept = self._kept(wish, plugins)
        interface = _read_kept(kept)
        if interface is None:
            interface = self._inspected(wish, folder)
            check_contained(self.root, interface.entry, self.engine.references)
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_json(kept, interface_as_json(interface))
        return interface

    def _wish(self) -> Wish:
        """What bears on the answer: nothing, for an engine whose workflows are what their documents say."""
        if not self.engine.takes_settings:
            return Wish()
        definition, runtime = self.work.definition, self.work.runtime
        return Wish(
            settings=self.settings,
            parameters={one.name: _foretold(one.value) for one in definition.params},
            containers=bool(definition.images) if runtime is None else runtime != "none",
        )

    def _inspected(self, wish: Wish, folder: Path | None) -> WorkflowInterface:
        """The engine's answer. A fault of what the stage file asks is told at its place there."""
        try:
            return self.engine.inspect(self.root, self.entry, self.installed, wish, folder)
        except DefinitionError as error:
            if not any(one.where == _PROFILE and not one.file for one in error.faults):
                raise
            faults = tuple(
                placed(one, self.work.definition, _PROFILE_PLACES) if one.where == _PROFILE and not one.file else one
                for one in error.faults
            )
            raise DefinitionError(faults, hint=error.hint) from error

    def _kept(self, wish: Wish, plugins: tuple[StagedItem, ...]) -> Path:
        facts = {
            "version": INSPECTION_VERSION,
            "documents": [[str(one.item.path), one.item.fingerprint.digest] for one in self.items],
            "entry": self.entry,
            "engine": self.installed.fingerprint,
            "settings": settings_as_json(wish.settings),
            "parameters": wish.parameters,
            "containers": wish.containers,
            "plugins": [[one.item.name, one.item.fingerprint.digest] for one in plugins],
        }
        return self.work.inspections / f"{Fingerprint.of_bytes(canonical(facts)).digest}.json"


def _read_kept(path: Path) -> WorkflowInterface | None:
    """An interface that was kept; ``None`` if there is none, or a damaged one."""
    try:
        return interface_from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError, DefinitionError):
        return None


def _foretold(value: Value) -> Json:
    """A value as it can be told before anything is fetched: for a file or a folder stands a path with its name."""
    if isinstance(value, OutputPlace):
        return str(value.path)
    if isinstance(value, FileValue | DirectoryValue):
        name = value.basename or (value.source.mirrors[0].name if value.source is not None else "contents.txt")
        return f"/not-staged-yet/{name}"
    if isinstance(value, Mapping):
        return {key: _foretold(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_foretold(one) for one in value]
    return value
