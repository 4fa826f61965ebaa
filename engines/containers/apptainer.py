"""Apptainer (also SingularityCE): no daemon; an image is converted once to a file (SIF), kept by its manifest digest.

Not exercised by real runs in this project's tests, which is said in the notes of ``about``: what a command line is made
of follows the documentation. Source: the user guides of Apptainer 1.2 and SingularityCE 3.11 ("exec", "run", "build",
"Bind Paths and Mounts", "Environment and Metadata", "Support of Docker and OCI").
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from engines.containers.archive import descriptor, write_archive
from engines.containers.base import Handed, Mount, Order, RuntimeFacts, Say, StagedImage
from engines.containers.orders import mount_option, picked
from staging.errors import ContainerError, DiskError, from_os_error
from staging.locks import LockFile
from staging.process import MissingToolError, ProcessError, base_environment, find_tool, run

PROGRAMS: Final = ("apptainer", "singularity")
OLDEST: Final[Mapping[str, tuple[int, int]]] = {"apptainer": (1, 2), "singularity": (3, 11)}
"""The first versions with every option that is used here."""

_TAKEN: Final = ("PATH", "HOME", "USER", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
_VERSION: Final = re.compile(r"(\d+)\.(\d+)[\w.+-]*")
_FULL: Final = ("no space left on device", "disk quota exceeded")
_OWN_TEMPORARY: Final = frozenset({"/tmp", "/var/tmp"})  # noqa: S108 - names in a container
_PATIENCE: Final = 30.0


class Apptainer:
    """The apptainer, or singularity, of this machine."""

    name = "apptainer"

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = picked(environment, _TAKEN)
        self._program = next((one for one in PROGRAMS if find_tool(one, environment)), PROGRAMS[0])
        self._folder = images_folder(environment)

    @property
    def environment(self) -> Mapping[str, str]:
        """What its command has to be told by environment: nothing of its own that a user may have set."""
        return self._environment

    def about(self) -> RuntimeFacts:
        """As ``ContainerRuntime.about``."""
        try:
            said = run((self._program, "--version"), env=base_environment(**self._environment), timeout=_PATIENCE)
        except MissingToolError as error:
            raise ContainerError("apptainer is not installed", hint="see apptainer.org for its packages") from error
        except ProcessError as error:
            raise ContainerError(f"apptainer does not work here: {error.message}", hint="reinstall it") from error
        words = said.stdout.decode(errors="replace")
        found = _VERSION.search(words)
        if found is None:
            raise ContainerError(f"{self._program} did not say its version: {words[:100]!r}", hint="reinstall it")
        # SingularityCE counts on from singularity; 2.x and before apptainer's own 1.0 are all of that line.
        line = "apptainer" if "apptainer" in words else "singularity"
        if (int(found[1]), int(found[2])) < OLDEST[line]:
            oldest = ".".join(map(str, OLDEST[line]))
            raise ContainerError(
                f"{line} {found[0]} is too old: {oldest} is the first that does what is needed",
                hint="install a newer one",
            )
        return RuntimeFacts(
            version=found[0],
            notes={
                "program": self._program,
                "images": str(self._folder),
                "cpu limit": "not put on containers of apptainer: they run without",
                "memory limit": "not put on containers of apptainer: they run without",
                "tried": "not by this project's own tests, which have no apptainer",
            },
        )

    def has(self, image: StagedImage) -> bool:
        """As ``ContainerRuntime.has``."""
        return self._file(image).is_file()

    def load(self, image: StagedImage, say: Say) -> None:
        """Convert the image to its file, once for all processes; it is there whole or not at all.

        Raises:
            ContainerError: it can't be converted; apptainer's own words.
            DigestError: a blob is damaged.
            DiskError: the disk is full.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with LockFile(self._folder / ".lock").hold(image.digest):
                if self.has(image):
                    return
                # Its blobs are hashed on the way to nowhere.
                write_archive(image, len)
                say(f"converting {image.name} for {self.name} ({image.size / 1e6:.0f} MB)")
                with TemporaryDirectory(prefix=".making-", dir=self._folder) as scratch:
                    self._convert(image, Path(scratch))
        except OSError as error:
            raise from_os_error(error, f"keep the image {image.name} for apptainer") from error

    def argv(self, order: Order) -> tuple[str, ...]:
        """As ``ContainerRuntime.argv``."""
        return apptainer_argv(order, self._file(order.image), program=self._program)

    def handed(self, order: Order) -> Handed:
        """As ``ContainerRuntime.handed``: by names with a prefix, which nothing but itself reads."""
        return Handed(named={f"{self._program.upper()}ENV_{key}": value for key, value in order.environment.items()})

    def stop(self, name: str) -> None:
        """Nothing to do: a container of apptainer is a process of ours, and ends with it."""

    def sweep(self, label: str, value: str) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's
        """Nothing to do, as for ``stop``."""
        return ()

    def _file(self, image: StagedImage) -> Path:
        return self._folder / f"{image.digest}.sif"

    def _convert(self, image: StagedImage, scratch: Path) -> None:
        layout, made, temporary = scratch / "layout", scratch / "made.sif", scratch / "tmp"
        _link_layout(image, layout)
        temporary.mkdir()
        places = {
            f"{prefix}_{what}": str(temporary)
            for prefix in ("APPTAINER", "SINGULARITY")
            for what in ("TMPDIR", "CACHEDIR")
        }
        try:
            run(
                # Relative: a colon in the path would end it.
                (self._program, "build", "--disable-cache", made.name, f"oci:{layout.name}"),
                env=base_environment(**self._environment, **places),
                cwd=scratch,
            )
        except MissingToolError as error:
            raise ContainerError("apptainer is not installed", hint="see apptainer.org for its packages") from error
        except ProcessError as error:
            said = error.completed.stderr.decode(errors="replace").lower()
            if any(words in said for words in _FULL):
                raise DiskError(
                    f"the disk is full: {image.name} could not be converted for apptainer",
                    hint="free some space (wfexs-like cache gc, wfexs-like rm) and do it again: nothing was lost",
                    where=str(self._folder),
                ) from error
            raise ContainerError(
                f"apptainer could not convert {image.name}: {error.completed.last_words}", where=image.name
            ) from error
        if not made.is_file():
            raise ContainerError(f"apptainer made nothing of {image.name}", where=image.name)
        made.replace(self._file(image))


def apptainer_argv(order: Order, image: Path, *, program: str = "apptainer") -> tuple[str, ...]:
    """The command line. Without an entrypoint of the order's it is ``run``, which knows the image's own.

    Raises:
        ContainerError: the order has what apptainer's command line can't say.
    """
    start = "run" if order.entrypoint is None else "exec"
    command = (*((order.entrypoint,) if order.entrypoint else ()), *order.command)
    if start == "exec" and not command:
        raise ContainerError("there is no command for the container", where=order.image.name)
    return (
        *(program, "--quiet", start, "--containall", "--cleanenv", "--no-home", "--no-init", "--no-umask", "--no-eval"),
        *("--no-privs", "--net", "--network", "none"),
        *(() if order.read_only else ("--writable-tmpfs",)),
        *_scratch(order),
        *(word for mount in order.mounts for word in ("--mount", _mount(mount))),
        *(() if order.workdir is None else ("--pwd", order.workdir)),
        *(() if order.gpus is None else ("--nv",)),
        str(image),
        *command,
    )


def images_folder(environment: Mapping[str, str]) -> Path:
    """Where converted images are kept: below our cache folder, as the environment names it."""
    home = environment.get("HOME") or "/nonexistent"
    usual = Path(environment.get("XDG_CACHE_HOME") or f"{home}/.cache") / "wfexs-like"
    return Path(environment.get("WFEXS_LIKE_CACHE") or usual) / "containers" / "apptainer"


def _scratch(order: Order) -> Iterator[str]:
    """Empty folders in memory; those that every contained container has are not asked for again."""
    for path in order.temporary:
        if path not in _OWN_TEMPORARY:
            yield from ("--scratch", path)


def _mount(mount: Mount) -> str:
    # Its words are those of docker but for one.
    option = mount_option(mount)
    return option if mount.writable else option.removesuffix("readonly") + "ro"


def _link_layout(image: StagedImage, layout: Path) -> None:
    """A layout with this image alone, whose blobs are those that are staged."""
    layout.mkdir()
    (layout / "blobs").symlink_to((image.layout / "blobs").resolve())
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}', encoding="utf-8")
    index = {"schemaVersion": 2, "manifests": [descriptor(image)]}
    (layout / "index.json").write_text(json.dumps(index), encoding="utf-8")
