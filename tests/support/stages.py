"""A stager with all it needs, for tests of the store: real fetchers, a source folder, an ear for what is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from staging import obtaining
from staging.definition import Source
from staging.fetchers.base import FETCHERS
from staging.fingerprints import Fingerprint
from staging.identifiers import Identifier
from staging.placing import write_atomically
from staging.plan import Plan, PlanItem, Role, WorkflowEntry
from staging.stager import StagedItem, Stager, Wanted
from staging.store import ContentStore
from staging.workdir import StagedWorkdir
from staging.workdirs import Workdirs


@dataclass
class Ear:
    """Hears all progress."""

    said: list[str] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)

    def begin(self, key: str, label: str, total: int | None) -> None: ...

    def advance(self, key: str, done: int, total: int | None = None) -> None: ...

    def end(self, key: str, outcome: str) -> None:
        self.ended[key] = outcome

    def say(self, message: str) -> None:
        self.said.append(message)


@dataclass
class Bench:
    """One cache, one folder of working directories, one folder of sources."""

    root: Path
    ear: Ear = field(default_factory=Ear)

    def __post_init__(self) -> None:
        self.sources.mkdir(parents=True, exist_ok=True)

    @property
    def sources(self) -> Path:
        return self.root / "sources"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def workdirs(self) -> Path:
        return self.root / "workdirs"

    @contextmanager
    def store(self) -> Iterator[ContentStore]:
        with ContentStore(self.cache) as store:
            yield store

    def file(self, name: str, content: str = "content\n") -> Path:
        path = self.sources / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def stage(
        self, *wanted: Wanted, locked: Plan | None = None, jobs: int = 8, nickname: str | None = None
    ) -> tuple[StagedWorkdir, tuple[StagedItem, ...]]:
        """Stage, commit, close the store."""
        with self.store() as store, Workdirs(self.workdirs, store).create(nickname) as new:
            stager = Stager(store, self.ear, jobs=jobs)
            items = stager.fetch_all(wanted, new.content, self.sources, locked=locked, workdir_id=new.id)
            write_atomically(new.content / "stage.lock.json", plan_of(items).lock_bytes())
            write_atomically(new.content / "stage.yaml", b"a: stage\n")
            new.record(items)
            return new.commit(), items

    def objects(self) -> list[Path]:
        """All objects of the store."""
        return sorted(path for path in (self.cache / "objects").glob("*/*"))

    def object(self, content: str) -> Path:
        """The object with that content."""
        digest = Fingerprint.of_bytes(content.encode()).digest
        return self.cache / "objects" / digest[:2] / digest


def source(*mirrors: str | Path, sha256: str | None = None, size: int | None = None) -> Source:
    return Source(
        mirrors=tuple(Identifier.parse(str(mirror)) for mirror in mirrors),
        sha256=Fingerprint.parse(sha256) if sha256 else None,
        size=size,
    )


def wanted(name: str, *mirrors: str | Path, sha256: str | None = None, size: int | None = None, **more: Any) -> Wanted:
    """An input that is staged as ``inputs/<name>``, by default from the source of the same name."""
    return Wanted(
        role=Role.INPUT,
        name=name,
        path=PurePosixPath("inputs") / name,
        source=source(*(mirrors or (name,)), sha256=sha256, size=size),
        **more,
    )


def plan_of(items: Sequence[StagedItem]) -> Plan:
    return plan_with([item.item for item in items])


def plan_with(items: Sequence[PlanItem]) -> Plan:
    return Plan(
        workflow=WorkflowEntry(path=PurePosixPath("workflow/main.cwl"), language="cwl", language_version="v1.2"),
        engine="cwltool",
        engine_version="3",
        items=tuple(items),
        parameters={},
        environment={},
    )


def use_fetchers(monkeypatch: pytest.MonkeyPatch, fetchers: Mapping[str, object]) -> None:
    """Have these fetchers (instances, by scheme) beside the real ones."""

    class Registry:
        def names(self) -> tuple[str, ...]:
            return tuple(sorted({*FETCHERS.names(), *fetchers}))

        def load(self, name: str) -> Any:
            return (lambda: fetchers[name]) if name in fetchers else FETCHERS.load(name)

    monkeypatch.setattr(obtaining, "FETCHERS", Registry())


def taken(store: ContentStore, content: bytes) -> Fingerprint:
    """Have ``content`` in the store."""
    fingerprint = Fingerprint.of_bytes(content)
    with store.workspace.temporary() as path:
        path.write_bytes(content)
        store.commit_file(path, fingerprint)
    return fingerprint
