"""``recipients``: who may open an encrypted working directory or something sealed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from staging.errors import UsageError
from wfexs_like.cli.commands import ActionCommand, VerbGroup
from wfexs_like.cli.context import App, shown_path
from wfexs_like.cli.options import settle_sign
from wfexs_like.cli.render import counted, one_line, table
from wfexs_like.cli.signing import signer_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from wfexs_like.access import Access
    from wfexs_like.seal.recipients import Recipient

_KEPT: Final = (
    "who was removed may have kept what they opened, or a copy that they still can open",
    "the content is encrypted with the same keys as before: who kept the password, and gets at its folder, can read it",
)


def _target(function: Callable[..., None]) -> Callable[..., None]:
    return click.argument("target", metavar="TARGET")(function)


_key = click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="PRIVATE",
    help="Open it with this private key (crypt4gh's or SSH ed25519), instead of this installation's.",
)


_even_own = click.option(
    "--even-own", is_flag=True, help="Remove the key that it is opened with, too, where that is named."
)
_sign = click.option(
    "--sign",
    metavar="[KEY]",
    help="Sign the crate anew, with this installation's signing key or the SSH ed25519 private key in the file KEY. "
    "Otherwise it has no signature any more.",
)


class _Signing(ActionCommand):
    """An action with ``--sign [KEY]``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, settle_sign(args))


@click.group("recipients", cls=VerbGroup, no_args_is_help=False)
def command() -> None:
    """TARGET is a working directory that is encrypted, or something sealed: a crate's folder, or a single file.

    It takes the same moment whatever the size: only who may open it is written anew. Exit code 12 when none of your
    keys opens it.
    """


@command.command("list", cls=ActionCommand, example="wfexs-like recipients list last")
@_target
@_key
@click.pass_obj
def list_(app: App, target: str, *, key: Path | None) -> None:
    """Tell who may open TARGET, by the fingerprints of their keys."""
    access = app.session.recipients(target, key=key)
    app.emit("recipients-list", _form(access), lambda: _view(access, colour=app.colour))


@command.command("add", cls=_Signing, example="wfexs-like recipients add last --recipient ada.pub")
@_target
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    metavar="KEY",
    help="A public key or its file: crypt4gh's or SSH ed25519. Repeat for more.",
)
@_key
@_sign
@click.pass_obj
def add(app: App, target: str, *, recipients: tuple[str, ...], key: Path | None, sign: str | None) -> None:
    """Let others open TARGET as well."""
    _must_name(recipients, "a public key")
    access = app.session.share(target, add=recipients, key=key, signer=signer_of(app, sign))
    _tell_signature(app, access)
    app.emit("recipients-add", _form(access), lambda: _view(access, colour=app.colour))


@command.command("remove", cls=_Signing, example="wfexs-like recipients remove last --recipient ada.pub")
@_target
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    metavar="KEY",
    help="A public key, its file or its fingerprint (SHA256:...). Repeat for more.",
)
@_key
@_even_own
@_sign
@click.pass_obj
def remove(
    app: App, target: str, *, recipients: tuple[str, ...], key: Path | None, even_own: bool, sign: str | None
) -> None:
    """Let others open TARGET no more. What they opened before, and copies of it, nobody takes away from them."""
    _must_name(recipients, "a public key or a fingerprint")
    access = app.session.share(target, remove=recipients, key=key, even_own=even_own, signer=signer_of(app, sign))
    _tell_signature(app, access)
    warnings = _warnings(access)
    for line in warnings:
        app.say(line)
    app.emit("recipients-remove", {**_form(access), "warnings": warnings}, lambda: _view(access, colour=app.colour))


def _tell_signature(app: App, access: Access) -> None:
    if access.signature == "removed":
        app.say("the crate is not signed any more; --sign signs it anew")


def _must_name(recipients: tuple[str, ...], what: str) -> None:
    if not recipients:
        raise UsageError("nobody was named", hint=f"name {what} with --recipient")


def _warnings(access: Access) -> list[str]:
    return list(_KEPT if access.kind == "workdir" else _KEPT[:1]) if access.removed else []


def _form(access: Access) -> dict[str, object]:
    return {
        "path": shown_path(access.path),
        "kind": access.kind,
        "recipients": [_one(one, access) for one in access.recipients],
        "broken": [_one(one, access) for one in access.broken],
        "unknown": access.unknown,
        "uneven": list(access.uneven),
        "signature": access.signature,
        "added": [one.fingerprint for one in access.added],
        "removed": [one.fingerprint for one in access.removed],
    }


def _one(recipient: Recipient, access: Access) -> dict[str, object]:
    return {
        "fingerprint": recipient.fingerprint,
        "label": recipient.label,
        "own": recipient.fingerprint in access.own,
    }


def _view(access: Access, *, colour: bool) -> str:
    rows = [
        (one.fingerprint, one_line(one.label) or "-", "you" if one.fingerprint in access.own else "")
        for one in access.recipients
    ]
    lines = [
        table(("FINGERPRINT", "LABEL", ""), rows, colour=colour),
        *(f"{one.fingerprint} ({one_line(one.label)}) is named, but can't open it" for one in access.broken),
    ]
    if access.uneven:
        lines.append(f"others may open {counted(len(access.uneven), 'file')} of it: do again what was interrupted")
    if access.unknown:
        lines.append(f"another tool wrote {counted(access.unknown, 'packet')} for nobody knows whom")
    return "\n".join(lines)
