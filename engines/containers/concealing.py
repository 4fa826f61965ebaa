"""Concealing: a container is made whose runtime learns nothing of what it is for.

Docker and podman write down what a container is told (command, environment, mounts) where they keep containers, and
parts of it stay in their databases. So the runtime is told of a shell that reads a script, and both the command and
the environment are in that script, which lies in the run's own folder. Mounts are of folders whose names say nothing;
where something has a name of its own, a link of that name leads into such a folder, as engines make them where there
are no containers. The image needs ``/bin/sh`` for it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from engines.containers.base import Mount, Order
from engines.containers.image_config import config_of
from engines.containers.policy import OWN, STAGED
from engines.secrecy import CONTAINER_RECORDS, refusal
from staging.errors import ContainerError

_PLACE: Final = "/.wfexs-like"
_SCRIPT: Final = "begin"
_SHELL: Final = "/bin/sh"
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PLAIN: Final = re.compile(
    r"inputs|workflow|environment|runs|engine|work|tmp|var-tmp|outputs|home|containers|\.?door|\d{1,9}"
    r"|[0-9a-f]{2}|[0-9a-f]{30,40}|[to][a-z0-9_]{8}|stage-[0-9a-f-]{36}|collect-file|file-\d+",
    re.ASCII,
)
"""What we and engines call folders, whatever they are for."""

_PLAIN_TARGET: Final = re.compile(r"/tmp|/var/tmp|/[A-Za-z]{6}|/var/lib/cwl/stg[0-9a-f-]{36}", re.ASCII)  # noqa: S108


def conceal(order: Order, *, content: Path, folder: Path, scratch: Path) -> Order:
    """The same container, told so that nobody learns what it is for.

    ``content`` and ``folder`` are the working directory's and the run's; ``scratch`` is a new folder of ours, in there.

    Raises:
        PolicyError: it can't be concealed.
        ContainerError: its image is damaged.
        OSError: the script can't be written.
    """
    target = PurePosixPath(order.workdir) if order.workdir is not None else None
    if target is not None and not _is_plain_target(target, content):
        raise refusal(CONTAINER_RECORDS, f"a container's working directory is {str(target)!r}")
    if any(not _PLAIN_TARGET.fullmatch(one) for one in order.temporary):
        raise refusal(CONTAINER_RECORDS, "a container asks for temporary folders of its own")
    mounts = _Mounts(order.mounts, content, folder)
    place = scratch / "0"
    place.mkdir(parents=True)
    (place / _SCRIPT).write_bytes(_script(order).encode(errors="surrogateescape"))
    made = [Mount(source=place, target=f"{_PLACE}-0")]
    for number, (where, links) in enumerate(sorted(mounts.links.items()), start=1):
        farm = scratch / str(number)
        farm.mkdir()
        for name, to in links.items():
            (farm / name).symlink_to(to)
        made.append(Mount(source=farm, target=where))
    return replace(
        order,
        entrypoint=_SHELL,
        command=(f"{_PLACE}-0/{_SCRIPT}",),
        environment={},
        mounts=tuple(sorted((*mounts.kept, *made), key=lambda one: one.target.split("/"))),
    )


class _Mounts:
    """What is mounted in place of what was asked for. ``links``: by folder in the container, where names lead."""

    def __init__(self, asked: Sequence[Mount], content: Path, folder: Path) -> None:
        self._content = content
        self._seen = (*(content / one for one in STAGED), *(folder / one for one in OWN))
        self.kept = [one for one in asked if self._is_kept(one)]
        self.links: dict[str, dict[str, str]] = {}
        self._folders: dict[Path, str] = {}
        for one in asked:
            if one not in self.kept:
                self._link(one)

    def _is_kept(self, one: Mount) -> bool:
        return (
            self._plain_part(one.source) == one.source
            and one.source.is_dir()
            and _is_plain_target(PurePosixPath(one.target), self._content)
        )

    def _link(self, one: Mount) -> None:
        target = PurePosixPath(one.target)
        base = self._plain_part(one.source.parent if not one.source.is_dir() else one.source)
        parent = str(target.parent)
        apart = not any(parent == other.target or parent.startswith(f"{other.target}/") for other in self.kept)
        visible = any(base == seen or seen in base.parents for seen in self._seen)
        if one.writable or not visible or not apart or not _is_plain_target(target.parent, self._content):
            raise refusal(CONTAINER_RECORDS, f"something is mounted at {one.target!r}")
        if base not in self._folders:
            self._folders[base] = f"{_PLACE}-{len(self._folders) + 1}"
            self.kept.append(Mount(source=base, target=self._folders[base]))
        rest = one.source.relative_to(base)
        self.links.setdefault(parent, {})[target.name] = str(PurePosixPath(self._folders[base], rest))

    def _plain_part(self, path: Path) -> Path:
        """The deepest folder on the way to ``path`` whose name, and those before it, say nothing."""
        found = self._content
        if self._content not in path.parents:
            return found
        for part in path.relative_to(self._content).parts:
            if not _PLAIN.fullmatch(part):
                break
            found /= part
        return found


def _is_plain_target(target: PurePosixPath, content: Path) -> bool:
    if _PLAIN_TARGET.fullmatch(str(target)):
        return True
    try:
        parts = target.relative_to(content).parts
    except ValueError:
        return False
    return all(_PLAIN.fullmatch(one) for one in parts)


def _script(order: Order) -> str:
    """What the shell reads: the environment, and then the command in its own place."""
    lines = []
    for name, value in order.environment.items():
        if not _VARIABLE.fullmatch(name):
            raise refusal(CONTAINER_RECORDS, f"no shell knows a variable of the name {name!r}")
        lines.append(f"export {name}={shlex.quote(value)}")
    words = _command(order)
    if not words:
        raise ContainerError(f"the image {order.image.name} says nothing of what to start, and neither does the step")
    return "\n".join((*lines, f"exec {shlex.join(words)}", ""))


def _command(order: Order) -> tuple[str, ...]:
    """What would be started: the image's entry point, if no other is asked for, with the command or the image's."""
    if order.entrypoint is not None:
        return (*((order.entrypoint,) if order.entrypoint else ()), *order.command)
    told = config_of(order.image)
    return (*_words(told.get("Entrypoint")), *(order.command or _words(told.get("Cmd"))))


def _words(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
