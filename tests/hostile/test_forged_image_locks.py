"""Locks that somebody changed: an image item that names other blobs than its manifest does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from staging.errors import DigestError
from staging.plan import Plan, PlanItem, Role
from tests.support.registries import MadeImage, Registry, make_image, tar_of
from tests.support.staged_images import ImageStages, locked, stages
from wfexs_like.flow.containers import staged_images

__all__ = ["stages"]

pytestmark = pytest.mark.registry

MEANT = make_image(tar_of({"bin/tool": b"meant"}), tar_of({"etc/more": b"meant"}))
OTHER = make_image(tar_of({"bin/tool": b"other"}), tar_of({"etc/more": b"other"}))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry(tmp_path / "registry") as registry:
        registry.push("tools", "1", MEANT)
        registry.push("tools", "2", OTHER)
        yield registry


def _with(plan: Plan, **facts: object) -> Plan:
    """The same lock, but for what it says of its image."""

    def changed(item: PlanItem) -> PlanItem:
        if item.role is not Role.CONTAINER:
            return item
        assert item.image is not None
        return replace(item, image=replace(item.image, **facts))  # type: ignore[arg-type]

    return replace(plan, items=tuple(changed(one) for one in plan.items))


def _forgeries(other: MadeImage) -> list[dict[str, object]]:
    return [
        {"config": other.config},
        {"config": other.config, "layers": other.layers},
        {"layers": MEANT.layers[::-1]},
        {"layers": MEANT.layers[:1]},
    ]


@pytest.mark.parametrize("facts", _forgeries(OTHER))
def test_a_lock_that_names_other_blobs_than_its_manifest_is_neither_staged_nor_run(
    registry: Registry, stages: ImageStages, facts: dict[str, object]
) -> None:
    name = f"{registry.host}/tools:1"
    lock = locked(stages.stage(name))
    assert staged_images(lock, stages.content)[name].config == MEANT.config
    forged = _with(lock, **facts)

    with pytest.raises(DigestError, match="than its manifest"):
        staged_images(forged, stages.content)
    with pytest.raises(DigestError, match="than its manifest"):
        stages.stage(name, locked=forged)


def test_a_manifest_that_was_changed_is_not_run(registry: Registry, stages: ImageStages) -> None:
    name = f"{registry.host}/tools:1"
    lock = _with(locked(stages.stage(name)), config=OTHER.config, layers=OTHER.layers)
    path = stages.layout / "blobs/sha256" / MEANT.digest
    path.unlink()
    path.write_bytes(OTHER.manifest)

    with pytest.raises(DigestError, match="damaged"):
        staged_images(lock, stages.content)
