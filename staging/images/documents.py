"""Documents: the JSON that an image is told in, read with suspicion, and the error that says which one is damaged."""

from __future__ import annotations

import json

from staging.errors import ContainerError


def read_document(content: bytes, limit: int, what: str, name: str) -> dict[str, object]:
    """The JSON object that ``content`` is. ``what`` it is (``config``) and its image's ``name`` are for messages.

    Raises:
        ContainerError: it has more than ``limit`` bytes, or is no JSON object.
    """
    if len(content) > limit:
        raise senseless(what, name, f"has {len(content)} bytes, more than {limit}")
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise senseless(what, name, "is no JSON") from error
    if not isinstance(record, dict):
        raise senseless(what, name, "is no JSON object")
    return record


def senseless(what: str, name: str, why: str) -> ContainerError:
    """The error for a document of an image that makes no sense: ``why`` goes on from its name."""
    return ContainerError(
        f"the {what} of the image {name} {why}",
        hint="the registry has a damaged image; push it again, or ask those who did",
        where=name,
        image=name,
    )
