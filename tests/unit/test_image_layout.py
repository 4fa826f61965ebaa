"""OCI layouts: written the same each time, read back with suspicion."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import pytest

from staging.errors import ContainerError, DigestError
from staging.fingerprints import Fingerprint
from staging.images.facts import read_facts
from staging.images.layout import read_layout, write_layout
from staging.images.manifest import Manifest, read_manifest
from staging.images.platforms import Platform
from staging.plan import Kind, PlanItem, Role, Trust
from tests.support.registries import OCI_INDEX, MadeImage, as_json, descriptor, make_image, make_index, tar_of

AMD64 = Platform.parse("linux/amd64")
IMAGE = make_image(tar_of({"a": b"x"}))
OTHER = make_image(tar_of({"b": b"y"}), docker=True)


def _put(folder: Path, image: MadeImage) -> None:
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    for digest, content in {**image.blobs, image.digest: image.manifest}.items():
        (blobs / digest).write_bytes(content)


def _item(name: str, image: MadeImage) -> PlanItem:
    manifest = read_manifest(image.manifest, name)
    assert isinstance(manifest, Manifest)
    return PlanItem(
        role=Role.CONTAINER,
        name=name,
        identifier=f"docker://{name}",
        pinned=f"x@sha256:{image.digest}",
        kind=Kind.FILE,
        fingerprint=Fingerprint(digest=image.digest),
        size=len(image.manifest),
        trust=Trust.EXPECTED,
        path=PurePosixPath(f"containers/blobs/sha256/{image.digest}"),
        image=read_facts(image.blobs[image.config], manifest, AMD64, name),
    )


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    for image in (IMAGE, OTHER):
        _put(tmp_path, image)
    write_layout(tmp_path, [_item("b:1", IMAGE), _item("a.io:5000/x/y:2", OTHER)])
    return tmp_path


def test_what_was_written_is_read_back(layout: Path) -> None:
    found = {one.name: one for one in read_layout(layout)}

    assert {name: one.digest for name, one in found.items()} == {"b:1": IMAGE.digest, "a.io:5000/x/y:2": OTHER.digest}
    assert found["b:1"].facts == _item("b:1", IMAGE).image


def test_the_order_of_the_images_does_not_matter(layout: Path) -> None:
    before = (layout / "index.json").read_bytes()

    write_layout(layout, [_item("a.io:5000/x/y:2", OTHER), _item("b:1", IMAGE)])

    assert (layout / "index.json").read_bytes() == before
    assert json.loads((layout / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}


def test_a_damaged_manifest_or_config_is_a_digest_error(layout: Path) -> None:
    for digest in (IMAGE.config, IMAGE.digest):
        path = layout / "blobs/sha256" / digest
        content = path.read_bytes()
        path.write_bytes(content + b" ")
        with pytest.raises(DigestError):
            read_layout(layout)
        path.write_bytes(content)


def test_a_missing_or_short_layer_is_told(layout: Path) -> None:
    path = layout / "blobs/sha256" / IMAGE.layers[0]
    path.write_bytes(b"short")
    with pytest.raises(DigestError, match="5 bytes"):
        read_layout(layout)
    path.unlink()
    with pytest.raises(ContainerError, match="lacks its layer"):
        read_layout(layout)


def test_a_blob_that_is_a_link_is_not_followed(layout: Path, tmp_path: Path) -> None:
    path = layout / "blobs/sha256" / IMAGE.layers[0]
    content = path.read_bytes()
    path.unlink()
    (tmp_path / "outside").write_bytes(content)
    path.symlink_to(tmp_path / "outside")

    with pytest.raises(ContainerError, match="lacks its layer"):
        read_layout(layout)


def test_a_layout_with_a_list_of_platforms_gives_the_one_that_fits(tmp_path: Path) -> None:
    arm = make_image(tar_of({"a": b"x"}), platform="linux/arm64")
    for image in (IMAGE, arm):
        _put(tmp_path, image)
    index = make_index({"linux/amd64": IMAGE, "linux/arm64": arm})
    row = descriptor(index, OCI_INDEX)
    (tmp_path / "blobs/sha256" / row["digest"].removeprefix("sha256:")).write_bytes(index)
    (tmp_path / "index.json").write_bytes(as_json({"schemaVersion": 2, "manifests": [row]}))

    (found,) = read_layout(tmp_path, Platform.parse("linux/arm64"))

    assert found.digest == arm.digest and found.name == ""


@pytest.mark.parametrize(
    "index",
    [
        "",
        "[]",
        "{}",
        '{"manifests": [1]}',
        '{"manifests": [{"digest": "sha256:../../etc/passwd", "size": 1, "mediaType": "x"}]}',
        '{"manifests": [{"annotations": 3}]}',
    ],
)
def test_an_index_without_sense_is_an_error(tmp_path: Path, index: str) -> None:
    (tmp_path / "index.json").write_text(index)

    with pytest.raises(ContainerError):
        read_layout(tmp_path)
