"""The request: what a child is asked to do, read once, from a descriptor that holds nothing afterwards."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from engines.child.events import Events


class Asked(NamedTuple):
    """What a child was asked, and the voice it answers with.

    ``text`` is the request as it was written, for a child that begins again as another program (``hand_on``). It holds
    the token; ``request`` does not.
    """

    text: bytes
    request: dict[str, Any]
    events: Events


def take(request_fd: int, events_fd: int) -> Asked:
    """Read the request and empty it; neither descriptor reaches a program that the child starts."""
    os.set_inheritable(events_fd, False)
    os.set_inheritable(request_fd, False)
    with open(os.dup(request_fd), "rb") as stream:  # noqa: PTH123 - a descriptor
        stream.seek(0)
        text = stream.read()
    # It holds the word by which we are known: from now on that is in our memory alone.
    os.ftruncate(request_fd, 0)
    request = json.loads(text)
    return Asked(text, request, Events(events_fd, request.pop("token")))


def hand_on(text: bytes, request_fd: int, events_fd: int) -> None:
    """Put a request back that was taken, for the program that this process becomes next."""
    os.pwrite(request_fd, text, 0)
    os.set_inheritable(events_fd, True)
    os.set_inheritable(request_fd, True)
