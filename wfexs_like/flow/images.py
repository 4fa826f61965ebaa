"""Images: which runtime a workflow's steps run in, and which container images that takes. Pure.

What the workflow says comes from its inspection; what the stage file lists stands in for it, or comes on top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from engines.base import WorkflowInterface
from staging.definition import ImageWish, StageDefinition
from staging.errors import ContainerError, DefinitionError, Fault
from staging.images.local import archive_of
from staging.images.reference import ImageReference
from staging.plan import Json

ARCHIVES = ("dockerLoad", "dockerImport")
_NEVER = ("dockerFile", "expression")
_ANY = "any"
_NONE = "none"
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """A step or a tool that wants an image: ``what`` names it in a sentence, the rest is as in ``Step``.

    ``wish`` is what the stage file lists where it names an archive for the image.
    """

    what: str
    container: str | None
    required: bool = False
    recipe: Mapping[str, Json] | None = None
    wish: ImageWish | None = None

    @property
    def way(self) -> str | None:
        """How its image comes to be where no registry has it: the recipe's key."""
        return next(iter(self.recipe or {}), None)

    @property
    def told(self) -> str:
        """What is told of it at the way, in a few words."""
        return str((self.recipe or {}).get(self.way or "", ""))


def same_name(text: str) -> str:
    """One spelling for all that mean the same image; what is no reference is taken as it is."""
    try:
        reference = ImageReference.parse(text)
    except DefinitionError:
        return text
    return str(reference if reference.digest is None else reference.at(reference.digest))


def askers(interface: WorkflowInterface) -> tuple[Asker, ...]:
    """Every step that wants an image, and every tool that does where no step says which."""
    steps = [one for one in interface.steps if one.container is not None or one.container_recipe]
    by_step = {one.tool for one in steps}
    tools = [
        one for one in interface.tools if one.id not in by_step and (one.container is not None or one.container_recipe)
    ]
    wanting = (
        *(
            Asker(
                what=f"the step {one.name}",
                container=one.container,
                required=one.container_required,
                recipe=one.container_recipe,
            )
            for one in steps
        ),
        *(
            Asker(
                what=f"the tool {one.id}",
                container=one.container,
                required=one.container_required,
                recipe=one.container_recipe,
            )
            for one in tools
        ),
    )
    return tuple(each for one in wanting for each in (one, *_others(one)))


def _others(one: Asker) -> list[Asker]:
    """The same once more for each further image that it may choose."""
    also = (one.recipe or {}).get("also")
    return [replace(one, container=str(name), recipe=None) for name in also] if isinstance(also, list) else []


def runtime_of(definition: StageDefinition, wanting: Sequence[Asker], *, asked: str | None) -> str:
    """The container runtime of the plan: the one that is ``asked`` for, or any where one is needed.

    Images that are only hinted at are none that are needed; those that the stage file lists are.

    Raises:
        ContainerError: there is to be none, and a step can't do without its image.
        DefinitionError: a step requires one and doesn't say which.
    """
    for one in wanting:
        if one.required:
            _check_said(one)
    if asked is None:
        return _ANY if definition.images or any(one.required for one in wanting) else _NONE
    required = next((one for one in wanting if one.required), None)
    if asked == _NONE and required is not None:
        said = "the stage file says containerType: none"
        raise ContainerError(
            f"{required.what} requires the container image {_image_of(required)}, and "
            + (said if definition.container is not None else "no container runtime is to be used (container: none)"),
            hint="take that out, or write docker, podman or apptainer",
            where=required.what,
            images=sorted({_image_of(one) for one in wanting if one.required}),
        )
    return asked if wanting or definition.images else _NONE


def words_on_runtime(definition: StageDefinition, wanting: Sequence[Asker], runtime: str) -> tuple[str, ...]:
    """What a person should know about the choice."""
    images = sorted({_image_of(one) for one in wanting})
    if runtime == _NONE and images:
        if definition.container == _NONE:
            return ()  # That is what was asked for.
        shown = ", ".join(images[:_SHOWN]) + (f" and {len(images) - _SHOWN} more" if len(images) > _SHOWN else "")
        hint = " (workflow_config.containerType: docker uses them)"
        return (f"no containers: tools made for {shown} are taken from this machine{hint}",)
    if runtime == _NONE and definition.images:
        return ("the images of the stage file's containers are left out: containerType is none",)
    if runtime == _NONE and definition.container not in (None, _NONE):
        return (f"no tool of the workflow has a container image: {definition.container} has nothing to do",)
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedImages:
    """What is to be staged: images of registries, and archives of images that the workflow names."""

    wishes: tuple[ImageWish, ...] = ()
    archives: tuple[Asker, ...] = ()


def images_of(definition: StageDefinition, wanting: Sequence[Asker]) -> WantedImages:
    """The images to be staged, each once, under the names that the workflow says.

    Raises:
        ContainerError: an image is known only when the step runs, is made by a recipe, or two steps mean different
            images by one name, and the stage file doesn't list it.
        DefinitionError: a step doesn't say which image it wants.
    """
    listed = {same_name(one.name): one for one in definition.images}
    wishes: dict[str, ImageWish] = {}
    archives: dict[str, Asker] = {}
    for one in wanting:
        _check_said(one)
        name = None if one.container is None or one.way == "unknown" else same_name(one.container)
        known = None if name is None else listed.get(name)
        if one.container is None or name is None or (known is None and one.way in _NEVER):
            _check_listed(one, definition)
        elif known is None and one.way in ARCHIVES:
            _check_archive(archives.setdefault(name, one), one)
        else:
            source = one.told if one.way == "dockerPull" else None
            plain = ImageWish(name=one.container, source=source, where=one.what)
            wish = plain if known is None else replace(known, name=one.container)
            _check_same(wishes.setdefault(name, wish), wish, one)
    for name in archives.keys() & wishes.keys():
        raise _different(wishes[name].where, archives[name])
    for name, said in listed.items():
        wishes.setdefault(name, said)
    for name, one_wish in list(wishes.items()):
        if archive_of(one_wish.source) is not None:
            archives[name] = Asker(
                what=one_wish.where, container=one_wish.name, recipe={"dockerLoad": one_wish.source}, wish=one_wish
            )
            del wishes[name]
    return WantedImages(wishes=tuple(wishes.values()), archives=tuple(archives.values()))


def _check_same(before: ImageWish, wish: ImageWish, one: Asker) -> None:
    if (before.source, before.digest) != (wish.source, wish.digest):
        raise _different(before.where, one)


def _check_archive(before: Asker, one: Asker) -> None:
    if before.recipe != one.recipe:
        raise _different(before.what, one)


def _different(before: str, one: Asker) -> ContainerError:
    return ContainerError(
        f"{before} and {one.what} mean different images by the name {one.container}",
        hint=f"say which one is meant: containers: [{{image: {one.container}, source: ...}}]",
        where=one.what,
    )


def names_of(interface: WorkflowInterface, staged: Sequence[str]) -> dict[str, str]:
    """The item's name for each name that the workflow says: they may be spelt otherwise."""
    known = {same_name(one): one for one in staged}
    said = [one.container for one in askers(interface) if one.container is not None]
    return {**{one: one for one in staged}, **{one: known[same_name(one)] for one in said if same_name(one) in known}}


def _check_said(one: Asker) -> None:
    """Refuse a wish for a container that says no image, neither in its name nor how to come by one.

    Raises:
        DefinitionError: it is one.
    """
    if one.way == "missing":
        message = f"{one.what} wants a container and does not say which image: its DockerRequirement names none"
        hint = "name it (dockerPull: quay.io/...:1.0), or take the DockerRequirement out"
        fault = Fault(file="the workflow", where=one.what, message=message, hint=hint)
        raise DefinitionError((fault,), message=message, hint=hint)


def _check_listed(one: Asker, definition: StageDefinition) -> None:
    """What has no name beforehand may be any of the images that the stage file lists; the run holds to that."""
    if one.way == "unknown" and definition.images:
        return
    if one.way == "unknown":
        raise ContainerError(
            f"{one.what} finds out only when it runs which container image it wants: {one.told[:200]}",
            hint="list every image that may come of it in the stage file: containers: [quay.io/...:1.0, ...]",
            where=one.what,
        )
    if one.way == "expression":
        raise ContainerError(
            f"{one.what} names its container image by an expression, {one.told[:200]}, which nobody evaluates",
            hint="name the image itself in the workflow (dockerPull)",
            where=one.what,
        )
    named = f"list it: containers: [{{image: {one.container}, source: HOST/NAME:TAG}}]"
    raise ContainerError(
        f"{one.what} wants a container image that is to be built from a recipe (dockerFile), and nothing is built here",
        hint="build it, push it to a registry, and "
        + (named if one.container else "name it by dockerPull in the workflow: without dockerImageId it has no name"),
        where=one.what,
    )


def _image_of(one: Asker) -> str:
    return one.container or f"of its {one.way or 'requirement'}"
