"""Manifests, indexes, platforms and configs: what is taken, what is chosen, what is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staging.errors import ContainerError, DefinitionError
from staging.images.facts import licences_of, read_facts
from staging.images.manifest import MAX_MANIFEST, Index, Manifest, read_manifest
from staging.images.platforms import Platform
from tests.support.registries import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, MadeImage, make_image, make_index, tar_of

LAYER = tar_of({"a": b"x"})
AMD64 = Platform.parse("linux/amd64")


def _manifest(image: MadeImage) -> Manifest:
    manifest = read_manifest(image.manifest, "tools")
    assert isinstance(manifest, Manifest)
    return manifest


@pytest.mark.parametrize("docker", [False, True])
def test_a_manifest_tells_its_blobs_and_sizes(docker: bool) -> None:
    image = make_image(LAYER, tar_of({"b": b"y"}), docker=docker)

    manifest = _manifest(image)

    assert manifest.config.digest == image.config
    assert tuple(one.digest for one in manifest.layers) == image.layers
    assert manifest.total == len(image.manifest) + sum(map(len, image.blobs.values()))


def _changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    record = json.loads(make_image(LAYER).manifest)
    change(record)
    return json.dumps(record).encode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"schemaVersion": 1, "fsLayers": []}', "schema 1"),
        (b"", "no JSON"),
        (b"[]", "no JSON object"),
        (b"[" * 100_000, "no JSON"),
        (b"{}", "schema"),
        (b" " * (MAX_MANIFEST + 1), f"bytes, more than {MAX_MANIFEST}"),
        (_changed(lambda one: one.update(mediaType="application/x")), "no container image"),
        (_changed(lambda one: one.update(manifests=[])), "in one"),
        (_changed(lambda one: one["config"].update(mediaType="application/vnd.oci.empty.v1+json")), "artifact"),
        (_changed(lambda one: one["config"].update(digest="sha512:00")), "no sha256"),
        (_changed(lambda one: one["config"].update(digest="sha256:../../../etc/passwd")), "no sha256"),
        (_changed(lambda one: one["config"].update(size=-1)), "size"),
        (_changed(lambda one: one["config"].update(size=True)), "size"),
        (_changed(lambda one: one["config"].update(size=1 << 60)), "size"),
        (_changed(lambda one: one["config"].update(size=1 << 30)), "config of 1073741824 bytes"),
        (_changed(lambda one: one.update(layers=None)), "layers"),
        (_changed(lambda one: one.update(layers=one["layers"] * 257)), "layers"),
        (_changed(lambda one: one["layers"][0].update(size=(64 << 30) + 1)), "size"),
        (_changed(lambda one: one["layers"][0].update(urls=["https://x.example"])), "foreign"),
        (_changed(lambda one: one["layers"][0].update(mediaType="application/wasm")), "unpacks"),
        (_changed(lambda one: one["layers"].append({**one["layers"][0], "size": 1})), "two sizes"),
    ],
)
def test_what_is_no_sound_image_is_refused_by_name(content: bytes, words: str) -> None:
    with pytest.raises(ContainerError) as caught:
        read_manifest(content, "quay.io/a:1")

    assert words in caught.value.message
    assert "quay.io/a:1" in caught.value.message
    assert caught.value.exit_code == 6


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {"schemaVersion": st.just(2)},
        optional={
            "mediaType": st.sampled_from([OCI_MANIFEST, OCI_INDEX]) | JSON,
            "config": JSON,
            "layers": JSON,
            "manifests": JSON,
            "annotations": JSON,
        },
    )
)
def test_any_document_is_read_or_refused(record: dict[str, Any]) -> None:
    try:
        read_manifest(json.dumps(record).encode(), "tools")
    except ContainerError as error:
        assert error.message


@pytest.mark.parametrize(
    ("asked", "there", "chosen"),
    [
        ("linux/amd64", ["linux/arm64", "linux/amd64"], "linux/amd64"),
        ("linux/arm64", ["linux/amd64", "linux/arm64/v8"], "linux/arm64"),
        ("linux/arm64/v8", ["linux/arm64"], "linux/arm64"),
        ("linux/arm/v7", ["linux/arm/v5", "linux/arm/v6"], "linux/arm/v6"),
        ("linux/arm", ["linux/arm/v6", "linux/arm/v7"], "linux/arm/v7"),
        ("linux/amd64", ["linux/386"], "linux/386"),
        ("linux/amd64/v3", ["linux/amd64", "linux/amd64/v2"], "linux/amd64/v2"),
        ("linux/x86_64", ["linux/amd64"], "linux/amd64"),
        ("linux/aarch64", ["linux/arm/v7", "linux/arm64"], "linux/arm64"),
        ("linux/s390x", ["linux/s390x"], "linux/s390x"),
    ],
)
def test_the_best_fitting_platform_is_chosen(asked: str, there: list[str], chosen: str) -> None:
    images = {one: make_image(LAYER, platform=one) for one in there}
    index = read_manifest(make_index(images), "tools")
    assert isinstance(index, Index)

    entry = index.choose(Platform.parse(asked), "tools")

    assert str(entry.platform) == chosen
    platform = next(one for one in there if str(Platform.parse(one)) == chosen)
    assert entry.digest == images[platform].digest


@pytest.mark.parametrize(
    ("asked", "there"),
    [("linux/arm/v6", "linux/arm/v7"), ("linux/amd64", "linux/arm64"), ("linux/arm64", "linux/amd64")],
)
def test_no_fitting_platform_is_an_error_that_names_those_there_are(asked: str, there: str) -> None:
    index = read_manifest(make_index({there: make_image(LAYER, platform=there)}), "tools")
    assert isinstance(index, Index)

    with pytest.raises(ContainerError) as caught:
        index.choose(Platform.parse(asked), "tools")

    assert asked in caught.value.message and there in caught.value.message


def test_attestations_are_no_images() -> None:
    record = json.loads(make_index({"linux/amd64": make_image(LAYER)}))
    row = record["manifests"][0]
    record["manifests"] = [
        {**row, "platform": {"os": "unknown", "architecture": "unknown"}},
        {**row, "annotations": {"vnd.docker.reference.type": "attestation-manifest"}},
    ]

    index = read_manifest(json.dumps(record).encode(), "tools")

    assert isinstance(index, Index) and index.entries == ()


@pytest.mark.parametrize("text", ["", "linux", "linux/", "a/b/c/d", "linux/amd64\n", "linux/../x"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    if text == "linux/../x":
        Platform.parse(text)  # odd, but harmless: it fits no image
        return
    with pytest.raises(DefinitionError):
        Platform.parse(text)


def test_facts_are_what_the_config_says() -> None:
    labels = {
        "org.opencontainers.image.source": "https://x.example",
        "secret": "x",
        "org.opencontainers.image.a": "b\n",
    }
    image = make_image(LAYER, labels=labels, annotations={"org.opencontainers.image.base.name": "debian:12", "z": "y"})

    facts = read_facts(image.blobs[image.config], _manifest(image), AMD64, "tools")

    assert facts.config == image.config
    assert facts.layers == image.layers
    assert facts.platform == "linux/amd64"
    assert facts.labels == {
        "org.opencontainers.image.base.name": "debian:12",
        "org.opencontainers.image.source": "https://x.example",
    }


@pytest.mark.parametrize(
    ("stated", "licences"),
    [
        ("MIT", ("MIT",)),
        ("mit", ("MIT",)),
        ("(MIT OR Apache-2.0) AND BSD-3-Clause", ("MIT", "Apache-2.0", "BSD-3-Clause")),
        ("GPL-2.0-only WITH Classpath-exception-2.0", ("GPL-2.0-only WITH Classpath-exception-2.0",)),
        ("free as in beer", ()),
        ("", ()),
        ("MIT OR", ()),
    ],
)
def test_licences_are_told_when_they_are_known(stated: str, licences: tuple[str, ...]) -> None:
    image = make_image(LAYER, labels={"org.opencontainers.image.licenses": stated})

    assert licences_of(read_facts(image.blobs[image.config], _manifest(image), AMD64, "tools")) == licences


def test_an_image_of_another_platform_names_both() -> None:
    image = make_image(LAYER, platform="linux/arm64/v8")

    with pytest.raises(ContainerError, match=r"made for linux/arm64, not for linux/amd64") as caught:
        read_facts(image.blobs[image.config], _manifest(image), AMD64, "tools")

    assert "platform: linux/arm64" in str(caught.value.hint)


def test_layers_and_config_have_to_fit() -> None:
    image = make_image(LAYER, diff_ids=[f"sha256:{'0' * 64}"] * 2)

    with pytest.raises(ContainerError, match="2 layers, its manifest of 1"):
        read_facts(image.blobs[image.config], _manifest(image), AMD64, "tools")


@pytest.mark.parametrize(
    "config", [b"", b"[]", b"{}", b'{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":[1]}}']
)
def test_a_config_without_sense_is_refused(config: bytes) -> None:
    with pytest.raises(ContainerError):
        read_facts(config, _manifest(make_image(LAYER)), AMD64, "tools")


def test_the_kinds_are_those_of_the_specification() -> None:
    """What a registry is asked for is what the reader takes."""
    assert json.loads(make_image(LAYER).manifest)["config"]["mediaType"] == OCI_CONFIG
