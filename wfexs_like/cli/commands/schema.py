"""``schema``: the JSON Schema of a document."""

from __future__ import annotations

import json

import click

from staging.errors import NotFoundError
from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App
from wfexs_like.schemas import names, schema_of


@click.command("schema", cls=VerbCommand)
@click.argument("name", required=False)
@click.pass_obj
def command(app: App, name: str | None) -> None:
    """Without NAME, the names are listed."""
    if name is None:
        app.emit("schema", {"names": list(names())}, lambda: "\n".join(names()))
        return
    try:
        document = schema_of(name)
    except KeyError:
        raise NotFoundError(f"there is no schema {name!r}", hint=f"there are {', '.join(names())}") from None
    app.emit("schema", {"name": name, "document": document}, lambda: json.dumps(document, indent=2, sort_keys=True))
