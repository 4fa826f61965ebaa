"""Images out of archives, as skopeo and docker write them, and as nobody should."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from staging.errors import ContainerError, DigestError, PolicyError, WfexsError
from staging.fingerprints import Fingerprint
from staging.images.archives import unpack_image
from staging.images.layout import read_layout, write_layout
from staging.plan import Kind, PlanItem, Role, Trust
from staging.wanted import StagedItem
from tests.support.registries import OCI_MANIFEST, MadeImage, as_json, descriptor, make_image, sha256, tar_of

TARS = (tar_of({"bin/a": b"a" * 1000}), tar_of({"bin/b": b"b"}))
IMAGE = make_image(*TARS)
NAME = "quay.io/group/tools:1"
REF_NAME = "org.opencontainers.image.ref.name"


def _layout(folder: Path, images: Mapping[str, MadeImage]) -> Path:
    (folder / "blobs/sha256").mkdir(parents=True)
    (folder / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
    rows = []
    for name, image in images.items():
        for digest, content in {**image.blobs, image.digest: image.manifest}.items():
            (folder / "blobs/sha256" / digest).write_bytes(content)
        rows.append(descriptor(image.manifest, OCI_MANIFEST, annotations={REF_NAME: name}))
    (folder / "index.json").write_bytes(as_json({"schemaVersion": 2, "manifests": rows}))
    return folder


def _staged(content: Path, archive: Path) -> StagedItem:
    item = PlanItem(
        role=Role.BLOB,
        name="image.tar",
        identifier="file:image.tar",
        pinned="file:image.tar",
        kind=Kind.FILE,
        fingerprint=Fingerprint.of_file(archive),
        size=archive.stat().st_size,
        trust=Trust.FIRST_USE,
        path=PurePosixPath(archive.relative_to(content)),
    )
    return StagedItem(item=item, source="fetched", trust=Trust.FIRST_USE)


def _unpacked(content: Path, name: str = NAME, platform: str = "linux/amd64") -> tuple[StagedItem, ...]:
    items = unpack_image(_staged(content, content / "image.tar"), name, content=content, platform=platform)
    write_layout(content / "containers", [one.item for one in items])
    return items


@pytest.mark.registry
@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
def test_an_archive_that_skopeo_writes_is_the_image(tmp_path: Path, kind: str) -> None:
    layout = _layout(tmp_path / "layout", {"x": IMAGE})
    content = tmp_path / "content"
    content.mkdir()
    argv = ["skopeo", "copy", f"oci:{layout}:x", f"{kind}:{content}/image.tar:{NAME}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr

    image, *blobs = _unpacked(content)

    assert image.item.role is Role.CONTAINER and image.item.name == NAME
    assert image.item.pinned == f"quay.io/group/tools@sha256:{image.item.fingerprint.digest}"
    assert image.item.image is not None and image.item.image.platform == "linux/amd64"
    diff_ids = json.loads((content / "containers/blobs/sha256" / image.item.image.config).read_bytes())["rootfs"]
    assert diff_ids["diff_ids"] == [f"sha256:{sha256(one)}" for one in TARS]
    for one in (image, *blobs):
        path = content / str(one.item.path)
        assert sha256(path.read_bytes()) == one.item.fingerprint.digest == one.placed[0].sha256
        assert path.stat().st_mode & 0o777 == 0o444
    assert [one.facts for one in read_layout(content / "containers")] == [image.item.image]
    argv = ["skopeo", "copy", f"oci:{content}/containers:{NAME}", f"dir:{tmp_path}/copied"]
    assert subprocess.run(argv, capture_output=True, timeout=60).returncode == 0
    assert sorted(one.name for one in content.iterdir()) == ["containers", "image.tar"]


def _tar(path: Path, files: Mapping[str, bytes | str]) -> None:
    """A tar with those files; a text is a link's target."""
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            if isinstance(data, str):
                member.type, member.linkname = tarfile.SYMTYPE, data
                archive.addfile(member)
            else:
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))


def _saved(
    layers: list[str], files: Mapping[str, bytes | str], tags: list[str] | None = None
) -> dict[str, bytes | str]:
    config = IMAGE.blobs[IMAGE.config]
    row = {"Config": "config.json", "RepoTags": tags, "Layers": layers}
    return {"manifest.json": as_json([row]), "config.json": config, **files}


def test_what_an_older_docker_saves_has_links_and_the_same_image_id(tmp_path: Path) -> None:
    files = _saved(["1/layer.tar", "2/layer.tar"], {"0/layer.tar": TARS[0], "1/layer.tar": "../0/layer.tar"})
    _tar(tmp_path / "image.tar", {**files, "2/layer.tar": TARS[1]})

    one, *_ = _unpacked(tmp_path)

    assert one.item.image is not None and one.item.image.config == IMAGE.config
    assert one.item.image.layers == tuple(map(sha256, TARS))


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"readme": b"hello"}, ContainerError),
        ({"manifest.json": b"["}, ContainerError),
        ({"manifest.json": b"{}"}, ContainerError),
        ({"manifest.json": as_json([{"Config": 1, "Layers": []}])}, ContainerError),
        (_saved(["../../../../etc/passwd", "b"], {"b": TARS[1]}), WfexsError),
        (_saved(["a", "b"], {"a": "/etc/passwd", "b": TARS[1]}), PolicyError),
        (_saved(["a", "b"], {"a": "../../x", "b": TARS[1]}), PolicyError),
        (_saved(["a", "b"], {"a": TARS[1], "b": TARS[1]}), DigestError),
        (_saved(["a"], {"a": TARS[0]}), ContainerError),
        (_saved(["a", "none"], {"a": TARS[0]}), ContainerError),
        (_saved(["a", "b"], {"a": TARS[0], "b": TARS[1], "../x": b""}), PolicyError),
        ({"index.json": b"{}", "oci-layout": b""}, ContainerError),
    ],
)
def test_a_hostile_archive_is_refused_and_leaves_nothing(
    tmp_path: Path, files: Mapping[str, bytes | str], kind: type[WfexsError]
) -> None:
    _tar(tmp_path / "image.tar", files)

    with pytest.raises(kind):
        _unpacked(tmp_path)

    assert [one.name for one in tmp_path.iterdir()] == ["image.tar"]


def test_a_layout_with_a_wrong_layer_is_a_digest_error(tmp_path: Path) -> None:
    layout = _layout(tmp_path / "layout", {"x": IMAGE})
    path = layout / "blobs/sha256" / IMAGE.layers[0]
    path.write_bytes(b"X" + path.read_bytes()[1:])
    content = tmp_path / "content"
    content.mkdir()
    with tarfile.open(content / "image.tar", "w") as archive:
        archive.add(layout, "")

    with pytest.raises(DigestError):
        _unpacked(content)


def test_one_of_several_is_chosen_by_its_name(tmp_path: Path) -> None:
    other = make_image(TARS[1])
    layout = _layout(tmp_path / "layout", {"docker.io/library/a:1": IMAGE, "b:1": other})
    content = tmp_path / "content"
    content.mkdir()
    with tarfile.open(content / "image.tar", "w") as archive:
        archive.add(layout, "")

    assert unpack_image(_staged(content, content / "image.tar"), "a:1", content=content, platform="linux/amd64")[
        0
    ].item.fingerprint == Fingerprint(digest=IMAGE.digest)
    with pytest.raises(ContainerError, match="none is called c:1"):
        _unpacked(content, "c:1")


def test_no_archive_or_another_platform_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(b"no archive at all")
    with pytest.raises(ContainerError, match="can't be unpacked"):
        _unpacked(tmp_path)

    _tar(tmp_path / "image.tar", _saved(["a", "b"], {"a": TARS[0], "b": TARS[1]}))
    with pytest.raises(ContainerError, match="not for linux/arm64"):
        _unpacked(tmp_path, platform="linux/arm64")


@pytest.mark.parametrize("which", ["config", "layer", "manifest"])
def test_a_blob_that_lies_there_already_is_looked_at(tmp_path: Path, which: str) -> None:
    content = _archived(tmp_path)
    digest = {"config": IMAGE.config, "layer": IMAGE.layers[0], "manifest": IMAGE.digest}[which]
    there = content / "containers/blobs/sha256" / digest
    there.parent.mkdir(parents=True)
    there.write_bytes(b"something else")

    with pytest.raises(DigestError, match="lies in the working directory already"):
        _unpacked(content)


@pytest.mark.parametrize("leads_to", ["a file of somebody", "nothing"])
def test_a_link_that_lies_in_a_blobs_place_is_not_taken(tmp_path: Path, leads_to: str) -> None:
    content = _archived(tmp_path)
    target = tmp_path / "layout/blobs/sha256" / IMAGE.config if leads_to != "nothing" else tmp_path / "nothing"
    there = content / "containers/blobs/sha256" / IMAGE.config
    there.parent.mkdir(parents=True)
    there.symlink_to(target)

    with pytest.raises(WfexsError):
        _unpacked(content)
    assert not (tmp_path / "nothing").exists()


def _archived(folder: Path) -> Path:
    """A content folder with the layout of ``folder`` as an archive; made where it isn't there."""
    layout = folder / "layout"
    if not layout.exists():
        _layout(layout, {NAME: IMAGE})
    content = folder / "content"
    content.mkdir()
    with tarfile.open(content / "image.tar", "w") as archive:
        for path in sorted(layout.rglob("*")):
            archive.add(path, str(path.relative_to(layout)), recursive=False)
    return content
