"""``init``: a config and the keys."""

from __future__ import annotations

import click

from staging.errors import UsageError
from wfexs_like.cli.asking import asker_for_new
from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App, shown_path
from wfexs_like.settings import Person, orcid_iri


@click.command("init", cls=VerbCommand)
@click.option("--no-passphrase", is_flag=True, help="Leave the private keys unencrypted.")
@click.option("--name", metavar="NAME", help="Who runs the workflows; written into crates.")
@click.option("--orcid", metavar="ORCID", help="That person's ORCID.")
@click.option("--affiliation", metavar="TEXT", help="Where that person works.")
@click.pass_obj
def command(app: App, *, no_passphrase: bool, name: str | None, orcid: str | None, affiliation: str | None) -> None:
    """Needs no network, and never overwrites a key. Other verbs work without it as long as they need no key.

    Two pairs are made: crypt4gh's, for which things are sealed, and OpenSSH's, which signs crates.

    The passphrase is asked for, or comes from WFEXS_LIKE_PASSPHRASE_FD, _FILE or _COMMAND.
    """
    from wfexs_like.initialise import initialise, refuse_existing
    from wfexs_like.passphrase import find_passphrase

    person = _person(name, orcid, affiliation)
    app.makes_config = True
    settings = app.settings
    refuse_existing(settings, person=person)
    passphrase = None if no_passphrase else find_passphrase(app.environment, asker_for_new(app))
    places = app.options.cache is not None or app.options.workdirs is not None
    made = initialise(settings, passphrase, person=person, places=places)
    if not made.encrypted:
        app.say("the private keys have no passphrase: whoever can read the files can use them")
    app.say(
        "from now on working directories are encrypted where their stage file doesn't say otherwise; what was staged "
        "before, and the cache, stay in clear"
    )
    app.say(
        f"keep a copy of {shown_path(settings.keys)}{' and of the passphrase' if made.encrypted else ''}: "
        "nobody can open what is encrypted or sealed without them"
    )
    app.emit(
        "init",
        {
            "config": shown_path(made.config),
            "keys": {"private": shown_path(made.keys.private), "public": shown_path(made.keys.public)},
            "signing_keys": {"private": shown_path(made.signing.private), "public": shown_path(made.signing.public)},
            "public_key": made.public_key,
            "encrypted": made.encrypted,
            "created": [shown_path(path) for path in made.created],
        },
        lambda: "\n".join(
            [
                *(f"made {shown_path(path)}" for path in made.created),
                'to give to others: the public keys, which "wfexs-like keys export" prints',
            ]
        ),
    )


def _person(name: str | None, orcid: str | None, affiliation: str | None) -> Person | None:
    if name is None:
        if orcid is not None or affiliation is not None:
            raise UsageError("--orcid and --affiliation need --name", hint='as in --name "Ada Lovelace"')
        return None
    if not name.strip():
        raise UsageError("--name is empty", hint="leave it out, or say who runs the workflows")
    try:
        return Person(name=name, orcid=None if orcid is None else orcid_iri(orcid), affiliation=affiliation)
    except ValueError as error:
        raise UsageError(f"--orcid {orcid!r} is not one: {error}", hint="as in 0000-0002-1825-0097") from error
