"""``recipients``: who may open an encrypted working directory or something sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

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

F = TypeVar("F", bound="Callable[..., Any]")
_KEPT: Final = (
    "who was removed may have kept what they opened, or a copy that they still can open",
    "the content is encrypted with the same keys as before: who kept the password, and gets at its folder, can read it",
)


_target = click.argument("target", metavar="TARGET")
_sign = click.option(
    "--sign",
    metavar="[KEY]",
    help="Sign the crate anew, with this installation's signing key or the SSH ed25519 private key in the file KEY. "
    "Otherwise it has no signature any more.",
)


def _named(what: str) -> Callable[[F], F]:
    return click.option("--recipient", "recipients", multiple=True, metavar="KEY", help=f"{what}. Repeat for more.")


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
@click.pass_obj
def list_(app: App, target: str) -> None:
    """Tell who may open TARGET, by the fingerprints of their keys."""
    access = app.session.recipients(target)
    app.emit("recipients-list", _form(access), lambda: _view(access, colour=app.colour))


@command.command("add", cls=_Signing, example="wfexs-like recipients add last --recipient ada.pub")
@_target
@_named("A public key or its file: crypt4gh's or SSH ed25519")
@_sign
@click.pass_obj
def add(app: App, target: str, *, recipients: tuple[str, ...], sign: str | None) -> None:
    """Let others open TARGET as well."""
    _must_name(recipients, "a public key")
    access = app.session.share(target, add=recipients, signer=signer_of(app, sign))
    _tell(app, access, "recipients-add", _form(access))


@command.command("remove", cls=_Signing, example="wfexs-like recipients remove last --recipient ada.pub")
@_target
@_named("A public key, its file or its fingerprint (SHA256:...)")
@click.option("--even-own", is_flag=True, help="Remove the key that it is opened with, too, where that is named.")
@_sign
@click.pass_obj
def remove(app: App, target: str, *, recipients: tuple[str, ...], even_own: bool, sign: str | None) -> None:
    """Let others open TARGET no more. What they opened before, and copies of it, nobody takes away from them."""
    _must_name(recipients, "a public key or a fingerprint")
    access = app.session.share(target, remove=recipients, even_own=even_own, signer=signer_of(app, sign))
    _tell(app, access, "recipients-remove", {**_form(access), "warnings": _warnings(access)})


def _tell(app: App, access: Access, schema: str, form: dict[str, object]) -> None:
    if access.signature == "removed":
        app.say("the crate is not signed any more; --sign signs it anew")
    for line in _warnings(access):
        app.say(line)
    app.emit(schema, form, lambda: _view(access, colour=app.colour))


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
