"""``keys``: the pairs of this installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wfexs_like.cli.commands import ActionCommand, VerbGroup
from wfexs_like.cli.context import App, shown_path
from wfexs_like.cli.render import plain, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wfexs_like.key_report import KeyReport


@click.group("keys", cls=VerbGroup, no_args_is_help=False)
def command() -> None:
    """There are two pairs: a crypt4gh pair, for which data are sealed, and an SSH pair, which signs crates.

    A private key never leaves this machine; the public ones are for everybody. A passphrase is asked for, or comes from
    WFEXS_LIKE_PASSPHRASE_FD, _FILE or _COMMAND.
    """


@command.command("init", cls=ActionCommand, example="wfexs-like keys init")
@click.option("--no-passphrase", is_flag=True, help="Leave the private keys unencrypted.")
@click.pass_obj
def init(app: App, *, no_passphrase: bool) -> None:
    """Make the pairs that are missing. What is there is never overwritten.

    New private keys are for their owner alone (mode 0600), and have one passphrase.
    """
    from wfexs_like.cli.asking import asker_for_new
    from wfexs_like.initialise import add_missing_keys, missing_pairs
    from wfexs_like.key_report import USES, list_keys, public_text
    from wfexs_like.passphrase import find_passphrase

    settings = app.settings
    created: tuple[str, ...] = ()
    if missing_pairs(settings):
        passphrase = None if no_passphrase else find_passphrase(app.environment, asker_for_new(app))
        made = add_missing_keys(settings, passphrase)
        created = tuple(shown_path(path) for path in made.created)
        if not made.encrypted:
            app.say("the private keys have no passphrase: whoever can read the files can use them")
    reports = list_keys(settings)
    texts = [public_text(settings, use) for use in USES]
    app.emit(
        "keys-init",
        {"created": list(created), "keys": [_form(one) for one in reports]},
        lambda: "\n".join(
            [
                *(f"made {one}" for one in created or ("nothing: both pairs are there",)),
                *(plain(f"{one.use}: {one.fingerprint}") for one in reports),
                "to give to others:",
                *(plain(line) for text in texts for line in text.splitlines()),
            ]
        ),
    )


@command.command("list", cls=ActionCommand, example="wfexs-like keys list")
@click.pass_obj
def list_(app: App) -> None:
    """List both pairs.

    Their fingerprints and files, whether a passphrase is needed, and what is wrong with them.
    """
    from wfexs_like.key_report import list_keys

    reports = list_keys(app.settings)
    app.emit("keys-list", {"keys": [_form(one) for one in reports]}, lambda: _view(reports, colour=app.colour))


@command.command("export", cls=ActionCommand, example="wfexs-like keys export --use sealing > ada.pub")
@click.option(
    "--use",
    type=click.Choice(["sealing", "signing"]),
    help="The one that others seal for, or the one that they check signatures by; both when nothing is said.",
)
@click.pass_obj
def export(app: App, *, use: str | None) -> None:
    """Print the public keys, to give to others.

    They are files that others' tools read: crypt4gh's and OpenSSH's.
    """
    from wfexs_like.key_report import USES, list_keys, public_text

    texts = {one: public_text(app.settings, one) for one in USES if use in (None, one)}
    prints = {one.use: one.fingerprint for one in list_keys(app.settings)}
    app.emit(
        "keys-export",
        {"keys": [{"use": one, "fingerprint": prints[one], "public_key": text} for one, text in texts.items()]},
        lambda: "\n".join(plain(line) for text in texts.values() for line in text.splitlines()),
    )


def _form(report: KeyReport) -> dict[str, object]:
    return {
        "use": report.use,
        "kind": report.kind,
        "fingerprint": report.fingerprint,
        "private": shown_path(report.private),
        "public": shown_path(report.public),
        "passphrase": report.passphrase,
        "loose": report.loose,
        "problem": report.problem,
    }


def _view(reports: Sequence[KeyReport], *, colour: bool) -> str:
    """A line a pair, then what is wrong."""
    rows = [
        (
            one.use,
            one.kind,
            one.fingerprint or "-",
            "-" if one.passphrase is None else "yes" if one.passphrase else "no",
            shown_path(one.private),
        )
        for one in reports
    ]
    header = ("USE", "KIND", "FINGERPRINT", "PASSPHRASE", "PRIVATE KEY")
    return "\n".join(
        [table(header, rows, colour=colour), *(plain(f"{one.use}: {one.problem}") for one in reports if one.problem)]
    )
