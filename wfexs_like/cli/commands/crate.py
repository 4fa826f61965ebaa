"""``crate``: export an RO-Crate."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from staging.errors import UsageError
from wfexs_like.cli.commands import SigningCommand
from wfexs_like.cli.context import App
from wfexs_like.cli.crate_options import CrateOptions, with_crate_options
from wfexs_like.cli.forms import crate_form
from wfexs_like.cli.options import workdir_argument
from wfexs_like.cli.views import crate_view


@click.command("crate", cls=SigningCommand)
@workdir_argument
@click.argument("destination", type=click.Path(path_type=Path), metavar="DEST")
@click.option("--prospective", is_flag=True, help="What was staged: the workflow and its parameters.")
@click.option("--retrospective", is_flag=True, help="What ran (the default): all runs, or the one of --run.")
@click.option("--run", type=click.IntRange(min=1), metavar="N", help="Tell of this run only.")
@with_crate_options
@click.pass_obj
def command(
    app: App,
    *,
    workdir: str,
    destination: Path,
    run: int | None,
    prospective: bool,
    retrospective: bool,
    crate_options: CrateOptions,
) -> None:
    """DEST is a folder, or a file when it ends in .zip. Every staged byte is verified on the way.

    With --seal only the owners of the recipients' keys can open it ("wfexs-like open"), and nothing else of it is ever
    written: wfexs-like crate last sealed.zip --seal files --recipient ada.pub

    Exit code 14 when the working directory is encrypted, and neither --seal nor --allow-clear is there.
    """
    if prospective and retrospective:
        raise UsageError("--prospective and --retrospective exclude each other", hint="export twice for both")
    if prospective and run is not None:
        raise UsageError("--prospective tells of no run, so --run makes no sense with it", hint="leave one of them out")
    kind: Literal["prospective", "retrospective"] = "prospective" if prospective else "retrospective"
    report = app.session.crate(workdir, destination, kind=kind, run=run, **crate_options.settled(app, destination))
    app.emit("crate", crate_form(report), lambda: crate_view(report))
