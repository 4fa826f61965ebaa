"""Images that a stage file takes out of a local OCI layout: how they are named, found and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staging.errors import ContainerError, DefinitionError, DigestError, PolicyError, WfexsError
from staging.identifiers import Identifier
from staging.images.local import LayoutReference, reference_to
from staging.images.platforms import Platform
from staging.images.reference import ImageReference
from tests.support.registries import OCI_INDEX, OCI_MANIFEST, MadeImage, as_json, descriptor, make_image, tar_of

AMD64, ARM64 = Platform.parse("linux/amd64"), Platform.parse("linux/arm64")
ONE = make_image(tar_of({"a": b"one"}))
TWO = make_image(tar_of({"a": b"two"}))
ARM = make_image(tar_of({"a": b"arm"}), platform="linux/arm64")
NAME = "org.opencontainers.image.ref.name"


def platform(text: str) -> dict[str, str]:
    system, _, architecture = text.partition("/")
    return {"os": system, "architecture": architecture}


def row(image: MadeImage, name: str | None, **more: Any) -> dict[str, Any]:
    notes = {} if name is None else {"annotations": {NAME: name}}
    return descriptor(image.manifest, OCI_MANIFEST, **notes, **more)


def layout(folder: Path, rows: Sequence[Mapping[str, Any]], *more: bytes) -> Path:
    """A layout with all three images' blobs, and that index."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    for image in (ONE, TWO, ARM):
        for digest, content in {**image.blobs, image.digest: image.manifest}.items():
            (blobs / digest).write_bytes(content)
    for content in more:
        (blobs / descriptor(content, "")["digest"].removeprefix("sha256:")).write_bytes(content)
    (folder / "index.json").write_bytes(as_json({"schemaVersion": 2, "manifests": rows}))
    return folder


def find(base: Path, text: str, wanted: Platform = AMD64, digest: str | None = None) -> str:
    reference = reference_to("tools:1", text, digest)
    assert isinstance(reference, LayoutReference)
    return reference.find(base, wanted).digest


@pytest.mark.parametrize(
    ("text", "path", "image", "told"),
    [
        ("oci:../images:tools:1", "../images", "tools:1", "oci:../images:tools:1"),
        ("oci:images", "images", None, "oci:images"),
        ("oci:./a//b/../images/", "./a//b/../images/", None, "oci:a/images"),
        (
            "oci:/srv/images:quay.io:5000/x/y@z",
            "/srv/images",
            "quay.io:5000/x/y@z",
            "oci:/srv/images:quay.io:5000/x/y@z",
        ),
        ("oci:my images:a #1", "my images", "a #1", "oci:my%20images:a%20%231"),
    ],
)
def test_a_layout_is_named_as_skopeo_names_it(text: str, path: str, image: str | None, told: str) -> None:
    reference = reference_to("tools:1", text)

    assert isinstance(reference, LayoutReference)
    assert (reference.path, reference.image) == (path, image)
    assert str(reference.identifier()) == told
    assert reference.name == "docker.io/library/tools"


@pytest.mark.parametrize("text", ["oci:", "oci::name", "oci:/", "oci://host/name:1"])
def test_what_names_no_folder_is_no_layout(text: str) -> None:
    with pytest.raises(DefinitionError, match="names no OCI layout"):
        reference_to("tools:1", text)


@given(path=st.text(min_size=1, max_size=30), image=st.text(max_size=30))
def test_the_identifier_of_whatever_is_written_is_read_again_as_the_same(path: str, image: str) -> None:
    try:
        identifier = reference_to("tools:1", f"oci:{path}:{image}").identifier("linux/amd64")
    except (WfexsError, UnicodeEncodeError):
        return
    assert Identifier.parse(str(identifier)) == identifier


def test_everything_else_is_a_reference_to_a_registry() -> None:
    assert reference_to("tools:1", None) == ImageReference.parse("tools:1")
    assert reference_to("tools:1", "quay.io/x/y:2", "a" * 64) == ImageReference.parse(
        f"quay.io/x/y:2@sha256:{'a' * 64}"
    )
    with pytest.raises(DefinitionError, match="another digest"):
        reference_to("tools:1", f"quay.io/x/y@sha256:{'b' * 64}", "a" * 64)


def test_an_image_is_found_by_its_name_or_because_it_is_alone(tmp_path: Path) -> None:
    layout(tmp_path / "several", [row(ONE, "one"), row(TWO, "two:2")])
    layout(tmp_path / "single", [row(TWO, None)])

    assert find(tmp_path, "oci:several:two:2") == TWO.digest
    assert find(tmp_path, "oci:single") == TWO.digest
    with pytest.raises(ContainerError, match="no image called two") as caught:
        find(tmp_path, "oci:several:two")
    assert caught.value.hint is not None and "one, two:2" in caught.value.hint
    with pytest.raises(ContainerError, match="several images"):
        find(tmp_path, "oci:several")


def test_the_platform_chooses_among_images_of_one_name(tmp_path: Path) -> None:
    rows = [row(ONE, "x", platform=platform("linux/amd64")), row(ARM, "x", platform=platform("linux/arm64"))]
    layout(tmp_path / "flat", rows)
    index = as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows})
    layout(tmp_path / "nested", [descriptor(index, OCI_INDEX, annotations={NAME: "x"})], index)

    for name in ("flat", "nested"):
        assert find(tmp_path, f"oci:{name}:x", AMD64) == ONE.digest
        assert find(tmp_path, f"oci:{name}:x", ARM64) == ARM.digest
        with pytest.raises(ContainerError, match="not made for linux/s390x"):
            find(tmp_path, f"oci:{name}:x", Platform.parse("linux/s390x"))
    listed = descriptor(index, OCI_INDEX)["digest"].removeprefix("sha256:")
    assert find(tmp_path, "oci:nested:x", digest=listed) == ONE.digest


def test_another_image_than_the_stated_one_is_refused(tmp_path: Path) -> None:
    layout(tmp_path / "images", [row(ONE, "x")])

    assert find(tmp_path, "oci:images:x", digest=ONE.digest) == ONE.digest
    with pytest.raises(DigestError, match="the stage file says"):
        find(tmp_path, "oci:images:x", digest=TWO.digest)


@pytest.mark.parametrize("damage", ["changed manifest", "changed config", "short layer", "gone layer", "index", "none"])
def test_a_damaged_layout_is_refused(tmp_path: Path, damage: str) -> None:
    blobs = layout(tmp_path / "images", [row(ONE, "x")]) / "blobs/sha256"
    expected: type[WfexsError] = DigestError
    match damage:
        case "changed manifest":
            (blobs / ONE.digest).write_bytes(TWO.manifest)
        case "changed config":
            (blobs / ONE.config).write_bytes(b"{}")
        case "short layer":
            (blobs / ONE.layers[0]).write_bytes(b"x")
        case "gone layer":
            (blobs / ONE.layers[0]).unlink()
            expected = ContainerError
        case "index":
            (tmp_path / "images/index.json").write_text('{"manifests": [1]}')
            expected = ContainerError
        case _:
            (tmp_path / "images").rename(tmp_path / "elsewhere")
            expected = ContainerError
    with pytest.raises(expected):
        find(tmp_path, "oci:images:x")


@pytest.mark.parametrize("link", ["blob", "folder", "index"])
def test_no_link_leads_out_of_a_layout(tmp_path: Path, link: str) -> None:
    layout(tmp_path / "other", [row(ONE, "x")])
    images = layout(tmp_path / "images", [row(ONE, "x")])
    place = {
        "blob": images / "blobs/sha256" / ONE.layers[0],
        "folder": images / "blobs",
        "index": images / "index.json",
    }[link]
    place.rename(tmp_path / "moved")
    place.symlink_to(tmp_path / "moved")

    with pytest.raises(PolicyError if link == "folder" else ContainerError):
        find(tmp_path, "oci:images:x")


@pytest.mark.parametrize("digest", ["sha256:../../../../etc/passwd", "sha256:" + "../" * 21 + "x", "md5:0", 7])
def test_a_digest_that_is_a_path_is_none(tmp_path: Path, digest: object) -> None:
    images = layout(tmp_path / "images", [])
    rows = [{**row(ONE, "x"), "digest": digest}]
    (images / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": rows}))

    with pytest.raises(ContainerError):
        find(tmp_path, "oci:images:x")
