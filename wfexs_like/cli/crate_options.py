"""The options of everything that exports a crate, as one object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from staging.errors import UsageError
from wfexs_like.cli.signing import signer_of

if TYPE_CHECKING:
    from wfexs_like.cli.context import App

INCLUDABLE: Final = ("inputs", "outputs", "workflow", "containers", "all")


def split_include(values: Sequence[str]) -> frozenset[str]:
    """The parts named by ``--include a,b --include c``.

    Raises:
        UsageError: a part is not one of ``INCLUDABLE``.
    """
    parts = frozenset(part.strip() for value in values for part in value.split(",") if part.strip())
    unknown = sorted(parts - set(INCLUDABLE))
    if unknown:
        raise UsageError(f"--include knows no {unknown[0]!r}", hint=f"it takes {', '.join(INCLUDABLE)}")
    return parts


WRROC: Final = ("0.5", "0.6")
"""The versions of ``wfexs_like.crate.generations``, which would be loaded for nothing at the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrateOptions:
    """What was said of the crate to make; each field is the option of that name."""

    include: tuple[str, ...] = ()
    licence: str | None = None
    prov: bool = False
    no_validate: bool = False
    sign: str | None = None
    seal: str | None = None
    recipient: tuple[str, ...] = ()
    no_own_key: bool = False
    metadata: str | None = None
    allow_clear: bool = False
    wrroc: str = WRROC[0]
    engine_configuration: bool = False
    rehash: bool = False

    def said(self) -> tuple[str, ...]:
        """The options that say something else than nothing at all would."""
        return tuple(
            f"--{one.name.replace('_', '-')}" for one in fields(self) if getattr(self, one.name) != one.default
        )

    def settled(self, app: App, destination: Path) -> dict[str, Any]:
        """What ``Session.crate`` is to be given, for a crate at ``destination``; keys are read and unlocked now.

        Raises:
            UsageError: options contradict each other, or a part is none.
            NotFoundError, KeyAccessError, PolicyError: a key can't be had, or doesn't do.
        """
        from wfexs_like.sealing import read_wish

        include = split_include(self.include)
        wish = read_wish(self.seal, self.recipient, self.metadata, own=not self.no_own_key, destination=destination)
        return {
            "include": include,
            "licence": self.licence,
            "validate": not self.no_validate,
            "rehash": self.rehash,
            "signer": signer_of(app, self.sign),
            "seal": wish,
            "allow_clear": self.allow_clear,
            "wrroc": self.wrroc,
            "engine_configuration": self.engine_configuration,
            "prov": self.prov,
        }


_DECORATORS: Final = (
    click.option(
        "--include",
        multiple=True,
        metavar="PARTS",
        help=f"Put these into the crate: {', '.join(INCLUDABLE)} (comma-separated). When nothing is said: "
        "the outputs of a retrospective crate, nothing of a prospective one.",
    ),
    click.option("--licence", "--license", metavar="SPDX", help="The licence of the crate."),
    click.option("--prov", is_flag=True, help="Put in as W3C PROV, too, what it tells: provenance/prov.ttl and .json."),
    click.option("--no-validate", is_flag=True, help="Skip the profile validator."),
    click.option(
        "--sign",
        metavar="[KEY]",
        help="Sign it, with this installation's signing key or the SSH ed25519 private key in the file KEY.",
    ),
    click.option(
        "--seal",
        type=click.Choice(("files", "archive")),
        help="Seal it with crypt4gh while it is written: every file by itself, in a crate whose metadata can be "
        "read, or everything as one file.",
    ),
    click.option(
        "--recipient",
        multiple=True,
        metavar="KEY",
        help="With --seal: the owner of this public key (crypt4gh's or SSH ed25519; a file) can open it, and so "
        "can this installation. Repeat for more. When nobody is named: those of the stage file.",
    ),
    click.option("--no-own-key", is_flag=True, help="With --seal: this installation shall not be able to open it."),
    click.option(
        "--metadata",
        type=click.Choice(("full", "minimal", "sealed")),
        help="With --seal files, what can be read of it: all but the files; name, people, dates and workflow; or "
        "that it is sealed. When nothing is said: minimal if the working directory is encrypted, else full.",
    ),
    click.option(
        "--allow-clear",
        is_flag=True,
        help="Export an encrypted working directory without --seal all the same; the crate says so.",
    ),
    click.option(
        "--wrroc",
        type=click.Choice(WRROC),
        default=WRROC[0],
        show_default=True,
        help="The version of Workflow Run RO-Crate: 0.5 is of RO-Crate 1.1, 0.6 of RO-Crate 1.3.",
    ),
    click.option(
        "--engine-configuration",
        is_flag=True,
        help="Name the engine's configuration files among the objects of its action, as the profile says; the "
        "validator's check for these objects, which refuses that, is left out.",
    ),
    click.option("--rehash", is_flag=True, help="Read every byte again, whatever the file system says."),
)


def with_crate_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options, as its argument ``crate_options``."""

    @wraps(function)
    def gathered(*args: Any, **given: Any) -> Any:
        told = {one.name: given.pop(one.name) for one in fields(CrateOptions)}
        return function(*args, crate_options=CrateOptions(**told), **given)

    command = gathered
    for decorator in reversed(_DECORATORS):
        command = decorator(command)
    return command
