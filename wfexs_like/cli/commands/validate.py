"""``validate``: any crate against its profile."""

from __future__ import annotations

from pathlib import Path

import click

from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App
from wfexs_like.cli.forms import validation_form
from wfexs_like.cli.views import validation_view

INVALID = 9


@click.command("validate", cls=VerbCommand)
@click.argument("crate", type=click.Path(path_type=Path), metavar="CRATE")
@click.option("--profile", metavar="NAME", help="The profile to check against; by default the one the crate names.")
@click.pass_obj
def command(app: App, crate: Path, profile: str | None) -> int:
    """CRATE is a folder or a zip file. Nothing is fetched. Exit code 9 when a required check fails."""
    validation = app.session.validate(crate, profile=profile)
    app.emit("validate", validation_form(validation), lambda: validation_view(validation, colour=app.colour))
    return 0 if validation.passed else INVALID
