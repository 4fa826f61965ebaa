"""The grammar of ``containers``: the images that a stage file lists, and the runtime that they run in."""

from __future__ import annotations

import re

from staging.definition import ImageWish
from staging.grammar import GIVEN, KEY, Cursor, as_choice, as_list, as_text, read_fields
from staging.nodes import ScalarNode, shown
from staging.sources import read_digest

CONTAINER_TYPES = ("none", "docker", "podman", "singularity", "apptainer")
PLATFORM_PATTERN = r"^\s*[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9]+)?\s*$"

_IMAGE = {"image": GIVEN, "source": KEY, "sha256": KEY, "platform": KEY}
_PLATFORM = re.compile(PLATFORM_PATTERN)
_REFERENCE = re.compile(
    r"(?:(?:docker|oci)://|docker:(?!//))?"
    r"(?:(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:.]+\])"
    r"(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
"""Source: OCI Distribution Specification 1.1, "Pulling manifests"; the host as in RFC 3986."""
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
    name = fields.read("image", _read_reference)
    source = fields.read("source", _read_reference)
    digest = fields.read("sha256", read_digest)
    platform = fields.read("platform", _read_platform)
    if name is None:
        return None
    stated = (source or name).partition("@sha256:")[2]
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


def _read_reference(cursor: Cursor) -> str | None:
    """A reference to an image: ``quay.io/biocontainers/samtools:1.17``, with or without host, tag and digest."""
    text = as_text(cursor)
    if text is None:
        return None
    reference = cursor.origin.fill(text).strip()
    if len(reference) > _LONGEST or _REFERENCE.fullmatch(reference) is None:
        cursor.fault(
            f"{shown(reference)} is no reference to an image",
            "written as in quay.io/biocontainers/samtools:1.17 or busybox@sha256:...",
            structural=False,
        )
        return None
    return reference


def _read_platform(cursor: Cursor) -> str | None:
    text = as_text(cursor)
    if text is not None and _PLATFORM.match(text) is None:
        cursor.fault(f"{shown(text)} is no platform", "written as in linux/amd64 or linux/arm/v7")
        return None
    return None if text is None else text.strip()
