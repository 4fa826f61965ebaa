"""Which runtime and which images a workflow takes: what it says itself, and what the stage file says over it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from engines.base import Step, Tool, WorkflowInterface
from staging.definition import ImageWish, Source, StageDefinition
from staging.errors import ContainerError
from wfexs_like.flow.images import askers, images_of, names_of, runtime_of, same_name, words_on_runtime


def definition(*images: ImageWish, container: str | None = None) -> StageDefinition:
    return StageDefinition(
        workflow=Source(mirrors=()), base=Path("/"), file="a.stage", text="", container=container, images=images
    )


def step(name: str, container: str | None, *, required: bool = False, recipe: dict[str, Any] | None = None) -> Step:
    return Step(
        name=name,
        tool=f"{name}.cwl",
        position=0,
        container=container,
        container_required=required,
        container_recipe=recipe,
    )


def interface(*steps: Step, tools: tuple[Tool, ...] = ()) -> WorkflowInterface:
    return WorkflowInterface(
        entry=PurePosixPath("wf.cwl"),
        process=None,
        language="cwl",
        language_version="v1.2",
        kind="Workflow",
        inputs=(),
        outputs=(),
        steps=steps,
        tools=tools,
    )


HINTED = askers(interface(step("sort", "tools:1")))
REQUIRED = askers(interface(step("sort", "tools:1"), step("align", "aligner:2", required=True)))


@pytest.mark.parametrize(
    ("wanting", "asked", "expected"),
    [
        ((), None, "none"),
        (HINTED, None, "none"),
        (REQUIRED, None, "any"),
        (HINTED, "docker", "docker"),
        (REQUIRED, "podman", "podman"),
        ((), "docker", "none"),
        (HINTED, "none", "none"),
        (HINTED, "any", "any"),
    ],
)
def test_the_runtime_is_what_is_asked_for_and_any_where_a_step_needs_one(
    wanting: Any, asked: str | None, expected: str
) -> None:
    assert runtime_of(definition(), wanting, asked=asked) == expected


def test_images_that_the_stage_file_lists_are_used() -> None:
    assert runtime_of(definition(ImageWish(name="x")), HINTED, asked=None) == "any"


def test_an_image_that_is_required_can_not_be_done_without() -> None:
    with pytest.raises(ContainerError, match="the step align requires the container image aligner:2") as refused:
        runtime_of(definition(container="none"), REQUIRED, asked="none")
    assert refused.value.exit_code == 6
    assert "docker, podman or apptainer" in str(refused.value.hint)


def test_that_hints_are_not_followed_is_said_aloud() -> None:
    (words,) = words_on_runtime(definition(), HINTED, "none")
    assert "tools made for tools:1 are taken from this machine" in words
    assert "containerType: docker" in words
    assert words_on_runtime(definition(), HINTED, "docker") == ()


def test_who_asks_for_no_containers_is_told_nothing_of_hints() -> None:
    assert words_on_runtime(definition(container="none"), HINTED, "none") == ()


def test_each_image_is_wanted_once_however_it_is_spelt() -> None:
    wanting = askers(
        interface(
            step("a", "busybox"),
            step("b", "docker.io/library/busybox:latest"),
            step("c", "quay.io/x/y:1"),
            step("d", "index.docker.io/busybox"),
        )
    )
    wished = images_of(definition(), wanting).wishes
    assert [one.name for one in wished] == ["busybox", "quay.io/x/y:1"]
    assert wished[0].where == "the step a"
    said = names_of(interface(step("a", "busybox"), step("b", "docker.io/library/busybox:latest")), ["busybox"])
    assert said == {"busybox": "busybox", "docker.io/library/busybox:latest": "busybox"}


def test_a_step_says_which_image_its_tool_runs_in() -> None:
    tools = (
        Tool(id="sort.cwl", kind="CommandLineTool", container="tools:1"),
        Tool(id="lone.cwl", kind="CommandLineTool", container="lone:1"),
    )
    wanting = askers(interface(step("sort", "other:2"), tools=tools))
    assert [(one.what, one.container) for one in wanting] == [
        ("the step sort", "other:2"),
        ("the tool lone.cwl", "lone:1"),
    ]


def test_the_stage_file_stands_in_for_what_the_workflow_says_and_adds_to_it() -> None:
    listed = ImageWish(name="docker.io/library/tools:1", source="mirror.example.org/tools:1", digest="ab" * 32)
    wished = images_of(definition(listed, ImageWish(name="more:1")), HINTED).wishes
    assert [(one.name, one.source, one.digest) for one in wished] == [
        ("tools:1", "mirror.example.org/tools:1", "ab" * 32),
        ("more:1", None, None),
    ]


def test_a_name_of_its_own_is_pulled_by_another() -> None:
    wanting = askers(interface(step("sort", "my-tools", recipe={"dockerPull": "quay.io/x/y:1"})))
    (one,) = images_of(definition(), wanting).wishes
    assert (one.name, one.source) == ("my-tools", "quay.io/x/y:1")


def test_one_name_for_two_images_is_refused() -> None:
    wanting = askers(
        interface(
            step("a", "tools", recipe={"dockerPull": "quay.io/x/y:1"}),
            step("b", "tools", recipe={"dockerPull": "quay.io/x/y:2"}),
        )
    )
    with pytest.raises(ContainerError, match="the step a and the step b mean different images by the name tools"):
        images_of(definition(), wanting)


@pytest.mark.parametrize(
    ("recipe", "name", "said", "remedy"),
    [
        ({"dockerFile": "FROM x"}, "mine", "built from a recipe", "containers: [{image: mine, source: HOST/NAME:TAG}]"),
        ({"dockerFile": "FROM x"}, None, "built from a recipe", "dockerPull"),
        ({"unknown": "$(inputs.i)"}, None, "only when it runs", "list every image"),
        ({"unknown": "$(inputs.i)"}, "$(inputs.i)", r"only when it runs .* \$\(inputs.i\)", "list every image"),
    ],
)
def test_an_image_that_can_not_be_known_is_an_error_that_names_the_step_and_the_remedy(
    recipe: dict[str, Any], name: str | None, said: str, remedy: str
) -> None:
    wanting = askers(interface(step("sort", name, recipe=recipe)))
    with pytest.raises(ContainerError, match=f"the step sort .*{said}") as refused:
        images_of(definition(), wanting)
    assert remedy in str(refused.value.hint)


def test_an_expression_that_nobody_evaluates_is_an_error_whatever_is_listed() -> None:
    wanting = askers(interface(step("sort", "$(inputs.i)", recipe={"expression": "$(inputs.i)"})))
    with pytest.raises(ContainerError, match=r"the step sort names its .* \$\(inputs.i\), which nobody evaluates"):
        images_of(definition(ImageWish(name="tools:1")), wanting)


def test_what_is_known_only_at_run_time_is_any_of_the_listed_ones() -> None:
    wanting = askers(
        interface(
            step("a", "$(inputs.i)", recipe={"unknown": "$(inputs.i)"}),
            step("b", "mine", recipe={"dockerFile": "FROM x"}),
            step("c", "mine2", recipe={"dockerLoad": "images/tools.tar"}),
        )
    )
    listed = (ImageWish(name="tools:1"), ImageWish(name="mine", source="x/mine:1"))
    found = images_of(definition(*listed), wanting)
    assert [one.name for one in found.wishes] == ["mine", "tools:1"]
    assert [(one.container, one.way, one.told) for one in found.archives] == [
        ("mine2", "dockerLoad", "images/tools.tar")
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"dockerLoad": "a.tar"}, {"dockerLoad": "b.tar"}),
        ({"dockerLoad": "a.tar"}, {"dockerImport": "a.tar"}),
        ({"dockerImport": "a.tar"}, {"dockerPull": "x/mine:1"}),
        ({"dockerPull": "x/mine:1"}, {"dockerImport": "a.tar"}),
    ],
)
def test_one_name_for_two_archives_or_an_archive_and_a_registry_is_an_error(
    first: dict[str, str], second: dict[str, str]
) -> None:
    wanting = askers(interface(step("a", "mine", recipe=first), step("b", "mine", recipe=second)))
    with pytest.raises(ContainerError, match=r"the step . and the step . mean different images by the name mine"):
        images_of(definition(), wanting)
    found = images_of(definition(ImageWish(name="mine", source="y/mine:2")), wanting)
    assert [one.source for one in found.wishes] == ["y/mine:2"]
    assert found.archives == ()


def test_two_steps_may_want_one_archive() -> None:
    recipe = {"dockerImport": "root.tar"}
    wanting = askers(interface(step("a", "mine", recipe=recipe), step("b", "mine", recipe=recipe)))
    assert [one.told for one in images_of(definition(), wanting).archives] == ["root.tar"]


def test_names_mean_the_same_as_in_docker() -> None:
    assert same_name("BusyBox") == "BusyBox"
    assert same_name(f"x:1@sha256:{'0' * 64}") == same_name(f"docker.io/library/x@sha256:{'0' * 64}")
    assert same_name("localhost:5000/x") == "localhost:5000/x:latest"
