"""``convert``: a crate in the words of another standard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App, must_be_writable, shown_path
from wfexs_like.cli.render import one_line

if TYPE_CHECKING:
    from wfexs_like.converting.converting import Standard

SHOWN_WARNINGS = 20


@click.command("convert", cls=VerbCommand)
@click.argument("crate", type=click.Path(path_type=Path), metavar="CRATE")
@click.option(
    "--to",
    "standard",
    required=True,
    type=click.Choice(["prov", "bco"]),
    help="W3C PROV, or a BioCompute Object (IEEE 2791-2020).",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["turtle", "json"]),
    help="PROV as PROV-O in Turtle (the default) or as PROV-JSON.",
)
@click.option("--run", type=click.IntRange(min=1), metavar="N", help="Tell of this run only.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it there, whole or not at all, and not on standard output.",
)
@click.option("--force", is_flag=True, help="Write FILE also where there is one already.")
@click.pass_obj
def command(
    app: App, *, crate: Path, standard: Standard, form: str | None, run: int | None, output: Path | None, force: bool
) -> None:
    """CRATE is a folder or a zip file, anybody's. Nothing is fetched, and what it doesn't tell is not made up.

    PROV tells of all runs; a BioCompute Object of one, the last if --run doesn't say which.
    """
    from datetime import UTC, datetime

    from wfexs_like.converting.converting import convert
    from wfexs_like.reading.recount import read_account

    if output is not None:
        must_be_writable(output, what="document", force=force)
    account = read_account(crate)
    converted = convert(account, standard, form=form, run=run, moment=datetime.now(UTC))
    text = "".join(converted.pieces)
    for one in converted.warnings[:SHOWN_WARNINGS]:
        app.say(f"wfexs-like: warning: {one_line(one)}")
    if len(converted.warnings) > SHOWN_WARNINGS:
        app.say(f"wfexs-like: warning: and {len(converted.warnings) - SHOWN_WARNINGS} more, which --json lists")
    result: dict[str, object] = {
        "to": standard,
        "format": converted.format,
        "path": None if output is None else shown_path(output),
        "warnings": list(converted.warnings),
    }
    if output is None:
        app.emit("convert", {**result, "document": text}, lambda: text)
        return
    from staging.placing import write_atomically

    write_atomically(output, text.encode())
    app.emit("convert", result, lambda: f"wrote {shown_path(output)}")
