"""What docker and podman have in common: both are commands, load the same archive, know containers by name."""

from __future__ import annotations

import fcntl
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile
from typing import Any, Final

from engines.containers.archive import write_archive
from engines.containers.base import Handed, Order, RuntimeFacts, Say, StagedImage
from staging.errors import ContainerError, DigestError, DiskError, WfexsError, from_os_error
from staging.process import PIPE, STDOUT, Completed, MissingToolError, ProcessError, base_environment, run, start

PATIENCE: Final = 60.0
"""Seconds that a question to a runtime may take; an engine under load takes its time."""

SILENCE: Final = 15.0
"""Seconds after which a runtime that doesn't say who it is counts as dead."""

_FULL: Final = ("no space left on device", "disk quota exceeded")
_NONE_SUCH: Final = ("no such image", "image not known", "failed to find image")
_LONGEST: Final = 300
_LOGGED: Final = re.compile(r'time="[^"]*" level=\w+ msg="((?:[^"\\]|\\.)*)".*')
"""A line as docker's and podman's commands log it (logrus); what it says is the message."""

_ZSTD: Final = b"\x28\xb5\x2f\xfd"


class DockerLike:
    """A runtime with docker's commands. Subclasses say who they are (``about``) and how they start (``argv``)."""

    name = "docker"
    install_hint = ""
    removing: tuple[str, ...] = ()
    wants_layout = False

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._lock = threading.Lock()

    @property
    def environment(self) -> Mapping[str, str]:
        """What its command has to be told by environment."""
        return self._environment

    def about(self) -> RuntimeFacts:
        """As ``ContainerRuntime.about``."""
        raise NotImplementedError

    def image_id(self, image: StagedImage) -> str:
        """What the runtime knows the image by (hex)."""
        return image.config

    def argv(self, order: Order) -> tuple[str, ...]:
        """As ``ContainerRuntime.argv``."""
        raise NotImplementedError

    def handed(self, order: Order) -> Handed:
        """As ``ContainerRuntime.handed``."""
        raise NotImplementedError

    def has(self, image: StagedImage) -> bool:
        """As ``ContainerRuntime.has``.

        Raises:
            ContainerError: it doesn't answer.
        """
        wanted = self.image_id(image)
        done = self._ask("image", "inspect", "--format", "{{.Id}}", f"sha256:{wanted}", check=False)
        if done.code == 0:
            return done.stdout.decode(errors="replace").strip().removeprefix("sha256:") == wanted
        if any(words in done.stderr.decode(errors="replace").lower() for words in _NONE_SUCH):
            return False
        raise self.failure("look for an image", done)

    def load(self, image: StagedImage, say: Say) -> None:
        """As ``ContainerRuntime.load``. Several processes that load the same staged image load it once.

        Raises:
            ContainerError: it could not; the runtime's own words, shortened.
            DigestError: a blob is damaged, or what it has then is another image.
            DiskError: its disk is full.
        """
        waiting = f"loading {image.name} into {self.name}: another run does so already, and is waited for"
        with self._lock, _alone(image, lambda: say(waiting)):
            if self.has(image):
                return
            say(f"loading {image.name} into {self.name} ({image.size / 1e6:.0f} MB)")
            code, said = self._feed(image)
            if code != 0:
                raise self._load_failure(image, code, said)
            if not self.has(image):
                raise DigestError(
                    f"{self.name} made another image of {image.name} than the one that was given to it",
                    hint=f"its words: {_shortened(said)}" if said.strip() else None,
                    where=image.name,
                    expected=f"sha256:{self.image_id(image)}",
                    actual=next((word for word in said.split() if word.startswith("sha256:")), None),
                )

    def stop(self, name: str) -> None:
        """As ``ContainerRuntime.stop``."""
        # By force at once: a first process that ignores signals would only be waited for.
        self._remove([name])

    def sweep(self, label: str, value: str) -> tuple[str, ...]:
        """As ``ContainerRuntime.sweep``.

        Raises:
            ContainerError: it doesn't answer.
        """
        said = self._ask("ps", "--all", "--quiet", "--no-trunc", f"--filter=label={label}={value}")
        found = said.stdout.decode(errors="replace").split()
        if not found:
            return ()
        told = self._ask("inspect", "--type=container", "--format", "{{.Name}}", *found, check=False)
        names = [name.removeprefix("/") for name in told.stdout.decode(errors="replace").split()]
        self._remove(found)
        return tuple(sorted(names))

    def failure(self, doing: str, done: Completed) -> ContainerError:
        """What to raise when a command that asks it something failed."""
        return ContainerError(f"{self.name} could not {doing}: {_shortened(done.stderr.decode(errors='replace'))}")

    def _remove(self, names: Sequence[str]) -> None:
        done = self._ask("rm", "--force", "--volumes", *self.removing, *names, check=False)
        words = done.stderr.decode(errors="replace").lower()
        if done.code != 0 and "no such container" not in words and "already in progress" not in words:
            raise self.failure("remove a container", done)

    def _ask(self, *arguments: str, check: bool = True, patience: float = PATIENCE) -> Completed:
        """Run its command.

        Raises:
            ContainerError: it is not installed, takes too long, or (with ``check``) fails.
        """
        try:
            done = run(
                (self.name, *arguments), env=base_environment(**self._environment), timeout=patience, check=False
            )
        except MissingToolError as error:
            raise ContainerError(f"{self.name} is not installed", hint=self.install_hint) from error
        except ProcessError as error:
            raise ContainerError(
                f"{self.name} does not answer within {patience:g} s", hint=f'try "{self.name} info"'
            ) from error
        if check and done.code != 0:
            raise self.failure(f"do {arguments[0]!r}", done)
        return done

    def _feed(self, image: StagedImage) -> tuple[int, str]:
        """Give it the archive; how its command ended, and what it said."""
        with TemporaryFile() as said:
            with start(
                (self.name, "load", "--quiet"),
                env=base_environment(**self._environment),
                stdin=PIPE,
                stdout=said,
                stderr=STDOUT,
            ) as child:
                assert child.stdin is not None
                try:
                    write_archive(image, child.stdin.write, layout=self.wants_layout)
                except BrokenPipeError:
                    pass  # it gave up before it had all: its own words tell why
                except WfexsError:
                    # A stream that ends early makes no image; its command clears up when it is let end by itself.
                    child.close()
                    child.wait(PATIENCE)
                    raise
                child.close()
                code = child.wait()
            said.seek(0)
            return 1 if code is None else code, said.read().decode(errors="replace")

    def _load_failure(self, image: StagedImage, code: int, said: str) -> ContainerError | DiskError:
        words = _shortened(said) or f"it ended with {code}"
        if any(full in said.lower() for full in _FULL):
            return DiskError(
                f"the disk of {self.name} is full: {image.name} could not be loaded: {words}",
                hint=f"make room where {self.name} keeps its images, and do it again: nothing was lost",
                where=image.name,
            )
        if any(_is_zstd(image, layer) for layer in image.layers):
            return ContainerError(
                f"{self.name} could not load {image.name}, whose layers are compressed with zstd: {words}",
                hint="Docker reads such layers from version 23 on, and podman does",
                where=image.name,
            )
        return ContainerError(f"{self.name} could not load {image.name}: {words}", where=image.name)


def _shortened(text: str) -> str:
    """The last line that says something, without what comes before the error, control characters replaced."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = "".join(char if char.isprintable() else "?" for char in lines[-1]) if lines else ""
    logged = _LOGGED.fullmatch(line)
    if logged is not None:
        line = logged.group(1).replace('\\"', '"')
    for prefix in ("docker: ", "Error response from daemon: ", "Error: "):
        line = line.removeprefix(prefix)
    return line[:_LONGEST]


def _is_zstd(image: StagedImage, layer: str) -> bool:
    try:
        with image.blob(layer).open("rb") as blob:
            return blob.read(len(_ZSTD)) == _ZSTD
    except OSError:
        return False


def parsed(done: Completed, what: str) -> dict[str, Any]:
    """The JSON object that a command printed.

    Raises:
        ContainerError: it is none.
    """
    try:
        value = json.loads(done.stdout)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ContainerError(f"{what} did not say who it is: {_shortened(done.stdout.decode(errors='replace'))!r}")
    return value


@contextmanager
def _alone(image: StagedImage, waiting: Callable[[], None]) -> Iterator[None]:
    """While it lasts, no other process that has this staged image loads it: its config's file is the lock.

    ``waiting`` is called where another has it right now.
    """
    try:
        config = image.blob(image.config).open("rb")
    except OSError as error:
        raise from_os_error(error, f"read the image {image.name}") from error
    with config:
        # On a file system without locks it may be loaded twice, which is slower and harmless.
        with suppress(OSError):
            try:
                fcntl.flock(config, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(config, fcntl.LOCK_EX)
        yield
