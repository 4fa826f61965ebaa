"""The licence of an image, as a person reads it."""

from __future__ import annotations

import pytest

from staging.plan import ImageFacts
from wfexs_like.cli.views import items_view
from wfexs_like.results import ItemReport


@pytest.mark.parametrize(
    ("label", "licences", "shown"),
    [
        ("MIT AND Zlib", ("MIT", "Zlib"), "MIT AND Zlib"),
        ("MIT OR Zlib", ("CC0-1.0", "MIT", "Zlib"), "CC0-1.0, MIT OR Zlib"),
        ("free for all", ("MIT", "Zlib"), "MIT, Zlib"),
    ],
)
def test_an_images_licence_is_shown_as_it_states_it(label: str, licences: tuple[str, ...], shown: str) -> None:
    labels = {"org.opencontainers.image.licenses": label}
    image = ImageFacts(config="0" * 64, layers=(), platform="linux/amd64", size=1, labels=labels)
    item = ItemReport(
        role="container",
        name="tools",
        identifier="docker://quay.io/a/tools:1",
        pinned="",
        size=1,
        sha256="0" * 64,
        trust="expected",
        source="cache",
        licences=licences,
        image=image,
    )

    assert f"licence of tools: {shown}" in items_view([item]).splitlines()
