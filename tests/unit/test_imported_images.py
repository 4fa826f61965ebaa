"""Images out of file systems: one id for the same tar, however it is compressed, and what is no file system."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import subprocess
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from staging.errors import ContainerError, DigestError, PolicyError
from staging.fingerprints import Fingerprint
from staging.images import imported
from staging.images.imported import import_image
from staging.images.layout import read_layout, write_layout
from staging.plan import Kind, PlanItem, Role, Trust
from staging.wanted import StagedItem
from tests.support.registries import sha256, tar_of

TAR = tar_of({"bin/sh": b"#!" + b"x" * 3000, "etc/which": b"one\n"})
# sha256 of the config: a change of it changes the id of every image that was imported before.
IMAGE_ID = "89b3a99be927cfc7a0d3b6a9254712d874060444043b2dbfd6477b38428e359a"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout


FORMS = {
    "plain": lambda data: data,
    "gzip": lambda data: gzip.compress(data, 6, mtime=1),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}


def taken(
    content: Path, data: bytes, platform: str = "linux/amd64", digest: str | None = None
) -> tuple[StagedItem, ...]:
    """The items of an image out of those bytes, in a layout with its index; ``digest`` is what they are taken for."""
    content.mkdir(exist_ok=True)
    archive = content / "root.tar"
    archive.write_bytes(data)
    item = PlanItem(
        role=Role.WORKFLOW,
        name="root.tar",
        identifier="file:root.tar",
        pinned="file:root.tar",
        kind=Kind.FILE,
        fingerprint=Fingerprint(digest=digest or sha256(data)),
        size=len(data),
        trust=Trust.FIRST_USE,
        path=PurePosixPath("root.tar"),
    )
    staged = StagedItem(item=item, source="fetched", trust=Trust.FIRST_USE)
    items = import_image(staged, "mine:1", content=content, platform=platform)
    write_layout(content / "containers", [one.item for one in items])
    return items


@pytest.mark.parametrize("form", FORMS)
def test_the_image_id_is_that_of_the_file_system_however_it_is_compressed(tmp_path: Path, form: str) -> None:
    data = FORMS[form](TAR)
    image, *blobs = taken(tmp_path, data)

    facts = image.item.image
    assert facts is not None
    assert facts.config == IMAGE_ID
    kept = form in ("plain", "gzip")
    assert facts.layers == (sha256(data if kept else TAR),), "the layer is the tarball, or the plain tar"
    blobs_folder = tmp_path / "containers/blobs/sha256"
    manifest = json.loads((blobs_folder / image.item.fingerprint.digest).read_bytes())
    assert [one["mediaType"] for one in manifest["layers"]] == [OCI_LAYER + ("+gzip" if form == "gzip" else "")]
    config = json.loads((blobs_folder / facts.config).read_bytes())
    assert config["created"] == "1970-01-01T00:00:00Z"
    assert config["config"] == {}, "docker import says no PATH either"
    assert config["rootfs"]["diff_ids"] == [f"sha256:{sha256(TAR)}"]
    assert (image.item.role, image.item.name) == (Role.CONTAINER, "mine:1")
    assert {one.item.role for one in blobs} == {Role.BLOB}
    for one in (image, *blobs):
        path = tmp_path / str(one.item.path)
        assert sha256(path.read_bytes()) == one.item.fingerprint.digest
        assert path.stat().st_mode & 0o777 == 0o444
    assert [one.facts for one in read_layout(tmp_path / "containers")] == [facts]
    assert (tmp_path / "root.tar").read_bytes() == data, "the archive stays"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["containers", "root.tar"]


def test_the_same_tarball_is_the_same_image_everywhere_and_another_for_another_platform(tmp_path: Path) -> None:
    found = [
        [(one.item.name, one.item.fingerprint, one.item.image) for one in taken(tmp_path / place, FORMS["gzip"](TAR))]
        for place in ("here", "there")
    ]
    assert found[0] == found[1]
    arm = taken(tmp_path / "arm", TAR, "linux/arm/v7")[0].item.image
    assert arm is not None
    assert arm.platform == "linux/arm/v7"
    assert arm.config != IMAGE_ID


def test_a_hostile_tar_is_hashed_and_nothing_of_it_is_written(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("../../escaped", "/escaped", "device"):
            member = tarfile.TarInfo(name)
            member.type = tarfile.CHRTYPE if name == "device" else tarfile.REGTYPE
            archive.addfile(member)
    content = tmp_path / "a" / "b"
    content.parent.mkdir()
    assert taken(content, buffer.getvalue())[0].item.image is not None
    assert not list(tmp_path.rglob("escaped")) and not list(tmp_path.rglob("device"))
    assert not Path("/escaped").exists()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fault", ["no tar", "nothing", "empty tar", "broken off"])
def test_what_is_no_whole_file_system_is_refused_and_leaves_nothing(tmp_path: Path, form: str, fault: str) -> None:
    data = {"no tar": b"hello" * 300, "nothing": b"", "empty tar": bytes(10240), "broken off": TAR}[fault]
    data = FORMS[form](data)
    if fault == "broken off":
        data = data[: len(data) // 2] if form != "plain" else data[:300]
    words = "breaks off" if fault == "broken off" and form != "plain" else "holds no file system"
    with pytest.raises(ContainerError, match=words):
        taken(tmp_path, data)
    assert [one.name for one in tmp_path.iterdir()] == ["root.tar"]


def test_without_the_program_zstd_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = zstd(TAR)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ContainerError, match="there is no program zstd") as refused:
        taken(tmp_path, data)
    assert "gzip" in str(refused.value.hint)


@pytest.mark.parametrize("form", ["gzip", "xz", "zstd"])
def test_what_would_not_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setattr(imported, "_LARGEST", 1 << 20)
    with pytest.raises(PolicyError, match="has more than"):
        taken(tmp_path, FORMS[form](TAR + bytes(8 << 20)))
    assert [one.name for one in tmp_path.iterdir()] == ["root.tar"]


def test_an_archive_that_changed_since_it_was_staged_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(DigestError, match="changed after it was staged"):
        taken(tmp_path, TAR, digest="0" * 64)
    assert [one.name for one in tmp_path.iterdir()] == ["root.tar"]
