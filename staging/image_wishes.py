"""The grammar of ``containers``: the images that a stage file lists, and the runtime that they run in."""

from __future__ import annotations

import re
from collections.abc import Callable

from staging.definition import ImageWish
from staging.errors import DefinitionError
from staging.grammar import GIVEN, KEY, Cursor, as_choice, as_list, as_text, read_fields
from staging.images.local import archive_of, is_layout, reference_to
from staging.images.reference import ImageReference
from staging.nodes import ScalarNode, shown
from staging.sources import read_digest

CONTAINER_TYPES = ("none", "docker", "podman", "singularity", "apptainer", "any")
PLATFORM_PATTERN = r"^\s*[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9]+)?\s*$"

_IMAGE = {"image": GIVEN, "source": KEY, "sha256": KEY, "platform": KEY}
_PLATFORM = re.compile(PLATFORM_PATTERN)
_LONGEST = 1000


def read_container(cursor: Cursor) -> str | None:
    """The container runtime; ``apptainer`` is the name that singularity has today."""
    kind = as_choice(cursor, CONTAINER_TYPES)
    return "apptainer" if kind == "singularity" else kind


def read_images(cursor: Cursor) -> tuple[ImageWish, ...]:
    """The images that ``containers`` lists."""
    wishes: dict[str, ImageWish] = {}
    for one in as_list(cursor):
        wish = _read_image(one)
        if wish is None:
            continue
        if wish.name in wishes:
            one.fault(f"{shown(wish.name)} is listed twice", "keep one of them", structural=False)
        wishes[wish.name] = wish
    return tuple(wishes.values())


def _read_image(cursor: Cursor) -> ImageWish | None:
    node = cursor.node
    if isinstance(node, ScalarNode):
        name = _read_reference(cursor)
        return None if name is None else _wish(cursor, name)
    fields = read_fields(cursor, _IMAGE, required=("image",))
    if fields is None:
        return None
    name = fields.read("image", _read_name if "source" in fields else _read_reference)
    source = fields.read("source", _read_source)
    digest = fields.read("sha256", read_digest)
    platform = fields.read("platform", _read_platform)
    if name is None:
        return None
    stated = "" if is_layout(source) else (source or name).partition("@sha256:")[2]
    if digest is not None and stated and stated != digest.digest:
        fields.children["sha256"].fault(
            f"the reference itself says sha256:{stated}", "keep one of them", structural=False
        )
    return _wish(cursor, name, source, digest.digest if digest else None, platform)


def _wish(
    cursor: Cursor, name: str, source: str | None = None, digest: str | None = None, platform: str | None = None
) -> ImageWish:
    return ImageWish(
        name=name,
        source=source,
        digest=digest,
        platform=platform,
        where=cursor.where,
        line=cursor.node.line,
        column=cursor.node.column,
    )


def _read_source(cursor: Cursor) -> str | None:
    """Where an image is to be had: at a registry, or in a layout or archive of this machine."""
    text = _read_name(cursor)
    return text if text is None else _checked(cursor, text, lambda: archive_of(text) or reference_to(text, text))


def _read_reference(cursor: Cursor) -> str | None:
    """A reference to an image: ``quay.io/biocontainers/samtools:1.17``, with or without host, tag and digest."""
    text = _read_name(cursor)
    return text if text is None else _checked(cursor, text, lambda: ImageReference.parse(text))


def _checked(cursor: Cursor, text: str, read: Callable[[], object]) -> str | None:
    try:
        read()
    except DefinitionError as error:
        cursor.fault(error.message, error.hint, structural=False)
        return None
    return text


def _read_name(cursor: Cursor) -> str | None:
    """What a workflow may call an image; where it is fetched by another reference, it need not be one itself."""
    text = as_text(cursor)
    name = None if text is None else cursor.origin.fill(text).strip()
    if name is not None and (not name or len(name) > _LONGEST or not name.isprintable() or name.startswith("-")):
        cursor.fault(f"{shown(name)} can't be the name of an image", structural=False)
        return None
    return name


def _read_platform(cursor: Cursor) -> str | None:
    text = as_text(cursor)
    if text is not None and _PLATFORM.match(text) is None:
        cursor.fault(f"{shown(text)} is no platform", "written as in linux/amd64 or linux/arm/v7")
        return None
    return None if text is None else text.strip()
