"""Staging images in tests as a stage does: a store, a working directory for each stage, a machine of amd64."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from staging.definition import EngineSettings, ImageWish, Limits
from staging.images.staging import stage_images
from staging.plan import Plan, Role, WorkflowEntry
from staging.stager import Stager
from staging.store import ContentStore
from staging.wanted import StagedItem, Wanted
from tests.support.heard import Heard
from tests.support.registries import Registry


@dataclass
class ImageStages:
    """Stages below ``folder``, all with one store. ``environment`` is the user's."""

    folder: Path
    store: ContentStore
    environment: dict[str, str] = field(default_factory=dict)
    heard: Heard = field(default_factory=Heard)
    number: int = 0

    def stage(
        self, *wishes: ImageWish | str, locked: Plan | None = None, platform: str = "linux/amd64"
    ) -> tuple[StagedItem, ...]:
        """Stage into a new working directory, whose content is ``content`` from then on."""
        self.number += 1
        self.content.mkdir(parents=True)
        home = {"HOME": str(self.folder / "home")}
        stager = Stager(self.store, self.heard, {"PATH": "/usr/bin:/bin", **home, **self.environment})

        def fetch(wanted: Sequence[Wanted]) -> tuple[StagedItem, ...]:
            return stager.fetch_all(
                wanted, self.content, self.folder, locked=locked, workdir_id=f"workdir{self.number}"
            )

        return stage_images(
            [ImageWish(name=one) if isinstance(one, str) else one for one in wishes],
            fetch,
            stager=stager,
            content=self.content,
            base=self.folder,
            platform=platform,
            locked=locked,
        )

    @property
    def content(self) -> Path:
        return self.folder / f"workdir{self.number}" / "content"

    @property
    def layout(self) -> Path:
        return self.content / "containers"


def images(items: Sequence[StagedItem]) -> list[StagedItem]:
    """The images among them."""
    return [one for one in items if one.item.role is Role.CONTAINER]


def blobs(items: Sequence[StagedItem]) -> Mapping[str, StagedItem]:
    """The blobs among them, by digest."""
    return {one.item.name.removeprefix("sha256:"): one for one in items if one.item.role is Role.BLOB}


def locked(items: Sequence[StagedItem]) -> Plan:
    """A lock of those items, as it is read back from a file."""
    plan = Plan(
        workflow=WorkflowEntry(path=items[0].item.path, process=None, language="cwl", language_version="v1.2"),  # type: ignore[arg-type]
        engine="cwltool",
        engine_version="1",
        container="docker",
        items=tuple(one.item for one in items),
        parameters={},
        environment={},
        requirements=(),
        outputs=(),
        limits=Limits(),
        settings=EngineSettings(),
    )
    return Plan.parse(plan.lock_bytes(), file="stage.lock.json")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A registry with nothing in it yet."""
    with Registry(tmp_path / "registry") as running:
        yield running


@pytest.fixture
def stages(tmp_path: Path) -> Iterator[ImageStages]:
    """Stages with a store that is empty yet."""
    with ContentStore(tmp_path / "store") as store:
        yield ImageStages(tmp_path, store)
