"""What an image says of containers that are made of it (OCI Image Specification, image configuration, ``config``)."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping

from engines.containers.base import Order, StagedImage
from staging.errors import ContainerError


def config_of(image: StagedImage) -> Mapping[str, object]:
    """The part of its config that is about containers.

    Raises:
        ContainerError: the image is damaged.
    """
    try:
        told = json.loads(image.blob(image.config).read_bytes())
    except (OSError, ValueError) as error:
        raise ContainerError(f"the config of the image {image.name} can't be read", where=image.name) from error
    config = told.get("config") if isinstance(told, dict) else None
    return config if isinstance(config, dict) else {}


def volumes_of(order: Order) -> tuple[str, ...]:
    """The folders in the container that its image wants to be volumes, but for those where something is mounted.

    Raises:
        ContainerError: the image is damaged.
    """
    wanted = config_of(order.image).get("Volumes")
    taken = {*(one.target for one in order.mounts), *order.temporary}
    places = {posixpath.normpath(one) for one in wanted} if isinstance(wanted, dict) else set()
    return tuple(sorted(places - taken))
