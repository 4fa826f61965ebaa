"""Exporters: plugins that write a crate in another form than a plain folder or ZIP file, such as a sealed one."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from staging.plugins import Registry
from wfexs_like.crate.payload import Writer

if TYPE_CHECKING:
    from wfexs_like.seal.recipients import Recipient
    from wfexs_like.seal.ssh_keys import Signer

Form: TypeAlias = Literal["files", "archive"]
Level: TypeAlias = Literal["full", "minimal", "sealed"]
FORMS: Final[tuple[Form, ...]] = ("files", "archive")
LEVELS: Final[tuple[Level, ...]] = ("full", "minimal", "sealed")
CRYPT4GH: Final = "crypt4gh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """How a crate is sealed: file by file or as one, for whom, and how much its readable metadata tell.

    ``level`` is ``None`` for an archive, which has nothing that can be read. ``exporter`` names the plugin.
    """

    form: Form
    recipients: tuple[Recipient, ...]
    level: Level | None
    exporter: str = CRYPT4GH


class Export(Protocol):
    """One crate being written."""

    @property
    def writer(self) -> Writer:
        """What takes the plain crate's files."""

    def finish(self) -> None:
        """All of the plain crate was written: add what the form needs besides."""

    def skeleton(self, folder: Path) -> None:
        """The plain crate's metadata in ``folder``, and an empty file in the place of each other: to be validated."""

    def outside(self, profile: str) -> str | None:
        """The validator's profile for what can be read of the result, where the plain crate's is ``profile``."""

    def inside(self) -> bool:
        """Whether the plain crate has to be validated too: what can be read does not tell all of it."""


class Exporter(Protocol):
    """One way to write crates. ``writes`` says what comes out, in a few words."""

    name: str
    writes: str

    def export(self, part: Path, sealing: Sealing, signer: Signer | None) -> AbstractContextManager[Export]:
        """Begin to write a crate to ``part``; at the end of the block all of it is on its way to the disk."""


EXPORTERS: Registry[Exporter] = Registry("wfexs_like.exporters", what="exporter")

__all__ = ["CRYPT4GH", "EXPORTERS", "FORMS", "LEVELS", "Export", "Exporter", "Form", "Level", "Sealing"]
