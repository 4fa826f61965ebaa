"""Images that processes name: what a reference to one says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfexs_like.crate.processes import image_name
from wfexs_like.crate.vocabulary import DOCKER_IMAGE, SIF_IMAGE

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    ("reference", "registry", "name", "tag", "sha256"),
    [
        ("ubuntu", "docker.io", "ubuntu", None, None),
        ("ubuntu:22.04", "docker.io", "ubuntu", "22.04", None),
        ("biocontainers/samtools:1.19", "docker.io", "biocontainers/samtools", "1.19", None),
        ("quay.io/biocontainers/bwa:0.7.17--h5bf99c6_8", "quay.io", "biocontainers/bwa", "0.7.17--h5bf99c6_8", None),
        ("docker://quay.io/a/b:1", "quay.io", "a/b", "1", None),
        ("localhost:5000/a", "localhost:5000", "a", None, None),
        (f"ghcr.io/a/b:1@sha256:{DIGEST}", "ghcr.io", "a/b", "1", DIGEST),
        (f"a/b@sha256:{DIGEST}", "docker.io", "a/b", None, DIGEST),
    ],
)
def test_a_reference_to_an_image_of_layers_is_read(
    reference: str, registry: str, name: str, tag: str | None, sha256: str | None
) -> None:
    image = image_name(reference)

    assert image is not None
    assert (image.kind, image.registry, image.name, image.tag, image.sha256) == (
        DOCKER_IMAGE,
        registry,
        name,
        tag,
        sha256,
    )


@pytest.mark.parametrize(
    ("reference", "registry", "name", "tag"),
    [
        ("https://depot.example.org/singularity/bwa:0.7.17", "depot.example.org", "singularity/bwa", "0.7.17"),
        ("library://sylabs/default/alpine", "sylabs", "default/alpine", None),
        ("/home/canary/images/bwa.sif", "none: a local file", "bwa.sif", None),
        ("bwa.img", "none: a local file", "bwa.img", None),
    ],
)
def test_an_image_that_is_one_file_tells_no_local_folder(
    reference: str, registry: str, name: str, tag: str | None
) -> None:
    image = image_name(reference)

    assert image is not None
    assert (image.kind, image.registry, image.name, image.tag) == (SIF_IMAGE, registry, name, tag)


@pytest.mark.parametrize(
    "text",
    [
        "${params.registry}/bwa:1",
        "{ workflow.containerEngine == 'docker' ? 'a' : 'b' }",
        "https://me:secret@example.org/a",
        "https://example.org/token=abc/a",
        "",
    ],
)
def test_what_is_no_plain_reference_is_not_taken_for_one(text: str) -> None:
    assert image_name(text) is None


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    image = image_name(text)

    assert image is None or (image.name and "\n" not in image.name and "$" not in image.name)
