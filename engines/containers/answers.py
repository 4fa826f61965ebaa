"""Answers: what an engine asks of ``docker`` besides ``run``, answered without asking a daemon. Pure.

Engines ask whether an image is there, and which containers are; nothing else is known here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from engines.containers.base import StagedImage
from engines.containers.policy import find_image
from staging.errors import PolicyError

ENDING = ("stop", "kill", "rm")
"""The verbs that end containers of the run."""

_VALUED = ("--format", "-t", "--time", "--timeout", "-s", "--signal", "--filter", "-n", "--type")


def names(words: Sequence[str], *, force: bool = False) -> list[str]:
    """The words that are no options; those that take a value take the next one.

    ``force``: of a verb whose ``-f`` is that, and takes none as the ``-f`` that is a format does.
    """
    found: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if (word in _VALUED or (word == "-f" and not force)) and left:
            left.pop(0)
        elif not word.startswith("-"):
            found.append(word)
    return found


def answer(verb: str, words: Sequence[str], images: Mapping[str, StagedImage], version: str) -> tuple[str, int]:
    """What is shown, and the exit code.

    Raises:
        PolicyError: nothing of that kind is done for a run.
    """
    if verb == "image" and words:
        verb, words = {"ls": "images"}.get(words[0], words[0]), words[1:]
    if verb in ("--version", "-v", "version"):
        return f"Docker version {version}, build wfexs-like\n", 0
    if verb in ("ps", "stats", "info", "logs", "wait"):
        return "", 0
    if verb == "images":
        rows = [f"{one.name} <none> sha256:{one.config} 0 {one.size}B" for one in images.values()]
        return "\n".join(["REPOSITORY TAG IMAGE ID CREATED SIZE", *rows, ""]), 0
    if verb == "inspect":
        found = [find_image(name, images) for name in names(words)]
        return json.dumps([_description(one) for one in found if one]) + "\n", 0 if all(found) else 1
    if verb == "pull":
        missing = [name for name in names(words) if find_image(name, images) is None]
        if missing:
            raise PolicyError(
                f"the container image {missing[0]!r} is not staged, and nothing is fetched while a run lasts",
                hint="list it in the stage file under containers, and stage again",
            )
        return "", 0
    raise PolicyError(f"an engine asked for 'docker {verb[:40]}', which is not done for a run")


def _description(image: StagedImage) -> dict[str, object]:
    system, _, architecture = image.platform.partition("/")
    return {
        "Id": f"sha256:{image.config}",
        "RepoTags": [image.name],
        "RepoDigests": [],
        "Os": system,
        "Architecture": architecture.partition("/")[0],
        "Size": image.size,
    }
