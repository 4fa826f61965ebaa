"""Crates of working directories with container images: what they tell of each, and the images that go into them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from engines.base import Tool
from engines.containers.base import StagedImage
from engines.execution import ImageUsed, RuntimeUsed
from staging.errors import DigestError, NotFoundError
from staging.fingerprints import Fingerprint
from staging.plan import ImageFacts, Kind, PlanItem, Role, Trust
from tests.support.crates import Workdir, entities_of, ids, many, metadata_of, usual_workdir
from tests.support.images import Entry, layer, make_image
from wfexs_like.crate.export import CrateKind, export_crate
from wfexs_like.crate.report_types import CrateReport
from wfexs_like.crate.subject import CrateSubject
from wfexs_like.crate.validation import KNOWN

ASKED = "docker://quay.io/biocontainers/samtools:1.17"
LABELS = {
    "org.opencontainers.image.source": "https://github.com/samtools/samtools",
    "org.opencontainers.image.revision": "abc123",
    "org.opencontainers.image.version": "1.17",
}
BASE = layer([Entry("etc"), Entry("etc/base", b"base")])


@pytest.fixture(scope="session")
def cache(alike: Path) -> Path:
    return alike


def add_image(workdir: Workdir, name: str, identifier: str, text: bytes) -> StagedImage:
    """An image of two layers, the lower one in common, as staging leaves it."""
    image = make_image(workdir.content / "containers", BASE, layer([Entry("etc"), Entry("etc/x", text)]), name=name)
    facts = ImageFacts(
        config=image.config, layers=image.layers, platform=image.platform, size=image.size, labels=LABELS
    )
    place = identifier.removeprefix("docker://").rpartition(":")[0]
    known = {item.name for item in workdir.items}
    for digest in (image.digest, image.config, *image.layers):
        manifest = digest == image.digest
        if not manifest and f"sha256:{digest}" in known:
            continue
        pinned = f"{place}@sha256:{digest}"
        workdir.items.append(
            PlanItem(
                role=Role.CONTAINER if manifest else Role.BLOB,
                name=name if manifest else f"sha256:{digest}",
                identifier=identifier if manifest else f"oci-blob://{pinned}",
                pinned=pinned if manifest else f"oci-blob://{pinned}",
                kind=Kind.FILE,
                fingerprint=Fingerprint(digest=digest),
                size=image.blob(digest).stat().st_size,
                trust=Trust.FIRST_USE if manifest else Trust.EXPECTED,
                path=PurePosixPath(f"containers/blobs/sha256/{digest}"),
                licences=("MIT",) if manifest else (),
                image=facts if manifest else None,
            )
        )
    return image


def subject_with_images(root: Path) -> tuple[CrateSubject, tuple[StagedImage, StagedImage]]:
    """A run in docker with two images."""
    workdir = usual_workdir(root, runs=1)
    images = (
        add_image(workdir, "quay.io/biocontainers/samtools:1.17", ASKED, b"one"),
        add_image(workdir, "tools", "docker://registry.example.org:5000/team/tools:2", b"two"),
    )
    workdir.executions[0] = replace(
        workdir.executions[0],
        runtime=RuntimeUsed(name="docker", version="20.10.24", notes={"storage": "overlay2"}),
        images=tuple(ImageUsed(name=one.name, digest=one.digest, id=one.config, started=True) for one in images),
    )
    subject = workdir.subject()
    return replace(subject, plan=replace(subject.plan, container="docker")), images


def export(
    subject: CrateSubject,
    destination: Path,
    *,
    kind: CrateKind = "retrospective",
    include: frozenset[str] = frozenset(),
    cache: Path | None = None,
) -> CrateReport:
    place = cache or destination.parent / "cache"
    return export_crate(subject, destination, kind=kind, include=include, validate=cache is not None, cache=place)


def sound(report: CrateReport) -> None:
    assert report.validation is not None
    assert [(one.check, one.entity) for one in report.validation.issues if one.check != KNOWN] == []
    assert report.validation.required == 0


def test_each_image_is_told_by_registry_name_tag_digest_and_platform(tmp_path: Path, cache: Path) -> None:
    subject, (first, second) = subject_with_images(tmp_path)
    crate = tmp_path / "a.crate"
    sound(export(subject, crate, cache=cache))
    found = entities_of(crate)
    images = {one["sha256"]: one for one in found.values() if one["@type"] == "ContainerImage"}
    assert set(images) == {first.digest, second.digest}
    one = images[first.digest]
    assert (one["registry"], one["name"], one["tag"]) == ("quay.io", "biocontainers/samtools", "1.17")
    assert one["additionalType"] == {"@id": "https://w3id.org/ro/terms/workflow-run#DockerImage"}
    assert one["identifier"] == f"docker://quay.io/biocontainers/samtools@sha256:{first.digest}"
    assert (one["operatingSystem"], one["processorRequirements"]) == ("linux", "amd64")
    assert one["version"] == "1.17"
    assert one["isBasedOn"] == "https://github.com/samtools/samtools"
    assert first.config in one["description"]
    assert "abc123" in one["description"]
    assert ids(one["license"]) == ["https://spdx.org/licenses/MIT"]
    other = images[second.digest]
    assert (other["registry"], other["alternateName"]) == ("registry.example.org:5000", "tools")

    (action,) = [one for one in found.values() if one["@type"] == "CreateAction"]
    assert set(ids(action["containerImage"])) == {one["@id"], other["@id"]}
    main = next(one for one in found.values() if "ComputationalWorkflow" in many(one["@type"]))
    assert {one["@id"], other["@id"]} <= set(ids(main["softwareRequirements"]))
    runtime = next(one for one in found.values() if one["@id"] == "#software/docker/20.10.24")
    assert (runtime["@type"], runtime["version"]) == ("SoftwareApplication", "20.10.24")


def test_a_run_names_the_images_that_it_started_and_the_workflow_all(tmp_path: Path) -> None:
    subject, (first, second) = subject_with_images(tmp_path)
    (run,) = subject.executions
    used = tuple(replace(one, started=one.digest == first.digest) for one in run.images)
    crate = tmp_path / "a.crate"
    export(replace(subject, executions=(replace(run, images=used),)), crate)
    found = entities_of(crate)
    images = {one["sha256"]: one["@id"] for one in found.values() if one["@type"] == "ContainerImage"}
    (action,) = [one for one in found.values() if one["@type"] == "CreateAction"]
    assert ids(action["containerImage"]) == [images[first.digest]]
    main = next(one for one in found.values() if "ComputationalWorkflow" in many(one["@type"]))
    assert {images[first.digest], images[second.digest]} <= set(ids(main["softwareRequirements"]))
    assert "from the container images quay.io/biocontainers/samtools:1.17, by" in (
        crate / "README.md"
    ).read_text().replace("\\", "")


def test_people_read_what_the_steps_ran_in_and_where_it_is_to_be_had(tmp_path: Path) -> None:
    subject, (first, _) = subject_with_images(tmp_path)
    crate = tmp_path / "a.crate"
    export(subject, crate)
    readme, preview = (crate / "README.md").read_text(), (crate / "ro-crate-preview.html").read_text()
    for text in (readme.replace("\\", ""), preview):
        assert "from the container images quay.io/biocontainers/samtools:1.17, tools, by docker 20.10.24" in text
        assert f"docker://quay.io/biocontainers/samtools@sha256:{first.digest}" in text
        assert "The container images are not in this crate" in text
    assert not (crate / "containers").exists()


def test_the_lock_with_images_goes_into_the_crate(tmp_path: Path) -> None:
    subject, (first, _) = subject_with_images(tmp_path)
    public = tuple(
        replace(one, identifier="https://example.org/x", pinned="https://example.org/x")
        if one.identifier.startswith("file:")
        else one
        for one in subject.plan.items
    )
    export(replace(subject, plan=replace(subject.plan, items=public)), tmp_path / "a.crate")
    lock = json.loads((tmp_path / "a.crate" / "stage.lock.json").read_bytes())
    assert first.config in [one["image"]["config"] for one in lock["items"] if "image" in one]


def test_included_images_are_a_layout_that_other_tools_read(tmp_path: Path, cache: Path) -> None:
    subject, images = subject_with_images(tmp_path)
    crate = tmp_path / "a.crate"
    sound(export(subject, crate, include=frozenset({"outputs", "containers"}), cache=cache))
    for image in images:
        read = subprocess.run(
            ["skopeo", "inspect", "--raw", f"oci:{crate}/containers:{image.name}"], capture_output=True, check=True
        )
        assert hashlib.sha256(read.stdout).hexdigest() == image.digest
    found = entities_of(crate)
    folder = found["containers/"]
    assert {found[one]["sha256"] for one in ids(folder["about"])} == {one.digest for one in images}
    parts = ids(folder["hasPart"])
    blobs = {one.removeprefix("containers/blobs/sha256/") for one in parts if "/blobs/" in one}
    assert blobs == {digest for one in images for digest in (one.digest, one.config, *one.layers)}
    for digest in blobs:
        entity = found[f"containers/blobs/sha256/{digest}"]
        assert entity["sha256"] == digest == hashlib.sha256((crate / entity["@id"]).read_bytes()).hexdigest()
    layer_entity = found[f"containers/blobs/sha256/{images[0].layers[0]}"]
    assert layer_entity["encodingFormat"] == "application/vnd.oci.image.layer.v1.tar+gzip"
    assert "oci:containers:NAME" in (crate / "README.md").read_text()


def test_a_prospective_crate_tells_and_holds_images_too(tmp_path: Path, cache: Path) -> None:
    subject, images = subject_with_images(tmp_path)
    crate = tmp_path / "a.crate.zip"
    sound(export(subject, crate, kind="prospective", include=frozenset({"containers"}), cache=cache))
    assert {one["sha256"] for one in entities_of(crate).values() if one["@type"] == "ContainerImage"} == {
        one.digest for one in images
    }


def test_a_zipped_crate_with_images_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    subject, images = subject_with_images(tmp_path)
    include = frozenset({"outputs", "containers"})
    for name in ("a.zip", "b.zip"):
        export(subject, tmp_path / name, include=include)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        index = json.loads(archive.read("containers/index.json"))
        assert [one["digest"] for one in index["manifests"]] == [f"sha256:{one.digest}" for one in images]


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_an_image_that_is_no_longer_what_was_staged_makes_no_crate(tmp_path: Path, damage: str) -> None:
    subject, (first, _) = subject_with_images(tmp_path)
    blob = first.blob(first.layers[1])
    if damage == "changed":
        blob.write_bytes(b"other")
    else:
        blob.unlink()
    with pytest.raises(DigestError if damage == "changed" else NotFoundError):
        export(subject, tmp_path / "a.crate", include=frozenset({"containers"}))
    assert not (tmp_path / "a.crate").exists()


def test_a_process_points_to_the_image_that_it_ran_in(tmp_path: Path) -> None:
    subject, (first, _) = subject_with_images(tmp_path)
    tools = (
        Tool(id="INDEX", kind="process", container="quay.io/biocontainers/samtools:1.17"),
        Tool(id="OTHER", kind="process", container="elsewhere/x:1"),
    )
    subject = replace(subject, interface=replace(subject.interface, tools=tools))
    crate = tmp_path / "a.crate"
    export(subject, crate)
    found = entities_of(crate)
    by_name = {one["name"]: one for one in found.values() if "process/" in one["@id"]}
    assert found[by_name["INDEX"]["softwareRequirements"]["@id"]]["sha256"] == first.digest
    assert "not used" in found[by_name["OTHER"]["softwareRequirements"]["@id"]]["description"]


def test_nothing_of_a_label_is_told_that_could_be_a_key(tmp_path: Path) -> None:
    subject, (first, _) = subject_with_images(tmp_path)
    items = tuple(
        replace(
            item,
            image=replace(
                item.image,
                labels={"org.opencontainers.image.source": "https://me:secret@example.org/x?token=abc"},
            ),
        )
        if item.image is not None
        else item
        for item in subject.plan.items
    )
    crate = tmp_path / "a.crate"
    export(replace(subject, plan=replace(subject.plan, items=items)), crate)
    assert "secret" not in json.dumps(metadata_of(crate))
    assert first.digest in json.dumps(metadata_of(crate))
