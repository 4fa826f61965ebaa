"""What a stage file says of containers: the runtime, and the images that it lists."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staging.definition import ImageWish, StageDefinition
from staging.errors import DefinitionError
from staging.loading import load_stage_file

SHA = "ab" * 32
WORKFLOW = "workflow_id: wf.cwl\n"


def load(folder: Path, text: str) -> StageDefinition:
    path = folder / "a.stage"
    path.write_text(WORKFLOW + text)
    return load_stage_file(path)


def fault(folder: Path, text: str) -> tuple[str, int | None, str]:
    with pytest.raises(DefinitionError) as caught:
        load(folder, text)
    (one,) = caught.value.faults
    return one.where, one.line, one.message


@pytest.mark.parametrize("kind", ["none", "docker", "podman", "apptainer", "any"])
def test_a_runtime_is_taken_as_it_is_called(tmp_path: Path, kind: str) -> None:
    assert load(tmp_path, f"workflow_config: {{containerType: {kind}}}\n").container == kind


def test_singularity_is_apptainer_and_nothing_said_is_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, "workflow_config: {containerType: singularity}\n").container == "apptainer"
    plain = load(tmp_path, "")
    assert (plain.container, plain.images, plain.writable_containers) == (None, (), False)
    assert load(tmp_path, "workflow_config: {writable_containers: true}\n").writable_containers


def test_images_are_listed_by_name_or_with_all_that_is_known_of_them(tmp_path: Path) -> None:
    text = f"""\
placeholders: {{v: "1.17"}}
containers:
  - quay.io/biocontainers/samtools:{{v}}
  - image: tools
    source: registry.example.org:5000/team/tools:2
    sha256: {SHA.upper()}
    platform: linux/arm64
"""
    first, second = load(tmp_path, text).images
    assert first == ImageWish(
        name="quay.io/biocontainers/samtools:1.17", where="containers[0]", line=4, column=first.column
    )
    assert (second.name, second.source) == ("tools", "registry.example.org:5000/team/tools:2")
    assert (second.digest, second.platform, second.where) == (SHA, "linux/arm64", "containers[1]")


def test_a_name_that_is_no_reference_is_taken_where_a_source_stands_beside_it(tmp_path: Path) -> None:
    (one,) = load(tmp_path, "containers: [{image: images/tools.tar, source: tools:1}]\n").images
    assert (one.name, one.source) == ("images/tools.tar", "tools:1")


@pytest.mark.parametrize(
    ("text", "where", "line", "said"),
    [
        ("containers: busybox", "containers", 2, "expected a list"),
        ("containers:\n  - Not An Image", "containers[0]", 3, "'Not An Image' in its name"),
        ("containers:\n  - ../../etc/passwd", "containers[0]", 3, "no host"),
        ("containers:\n  - --privileged", "containers[0]", 3, "can't be the name of an image"),
        ("containers:\n  - busybox@sha256:123", "containers[0]", 3, "that is no sha256"),
        ("containers:\n  - {source: x}", "containers[0]", 3, "the key 'image' is missing"),
        ("containers:\n  - {image: x, tag: y}", "containers[0].tag", 3, "unknown key 'tag'"),
        ("containers:\n  - {image: x, platform: arm64}", "containers[0].platform", 3, "no platform"),
        ("containers:\n  - {image: x, sha256: abc}", "containers[0].sha256", 3, "not a sha256"),
        (f"containers:\n  - {{image: x@sha256:{'0' * 64}, sha256: {SHA}}}", "containers[0].sha256", 3, "itself says"),
        ("containers: [x:1, y, x:1]", "containers[2]", 2, "listed twice"),
        ("workflow_config: {containerType: dokcer}", "workflow_config.containerType", 2, "did you mean docker?"),
        ("workflow_config: {containerType: crun}", "workflow_config.containerType", 2, "is not one of none, docker"),
        ("workflow_config: {writable_containers: 5}", "workflow_config.writable_containers", 2, "true or false"),
        ("workflow_config: {containers: [x]}", "workflow_config.containers", 2, "unknown key 'containers'"),
    ],
)
def test_a_fault_is_told_at_its_place(tmp_path: Path, text: str, where: str, line: int, said: str) -> None:
    found = fault(tmp_path, text + "\n")
    assert found[:2] == (where, line)
    assert said in found[2]


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_no_text_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    import json

    folder = tmp_path_factory.getbasetemp()
    try:
        definition = load(folder, f"containers: {json.dumps([text])}\n")
    except DefinitionError as error:
        assert error.faults
    else:
        assert all(one.name and not one.name.startswith("-") for one in definition.images)
