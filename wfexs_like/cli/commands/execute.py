"""``execute``: stage, run and export in one process."""

from __future__ import annotations

import os
from pathlib import Path

import click

from staging.errors import UsageError
from wfexs_like.cli.commands import SigningCommand
from wfexs_like.cli.context import App
from wfexs_like.cli.forms import Form, crate_form, run_form, stage_form
from wfexs_like.cli.options import (
    allow_option,
    crate_options,
    lock_options,
    offline_option,
    param_option,
    proof_option,
    split_include,
    split_params,
    stage_file_argument,
)
from wfexs_like.cli.running import exit_code, perform, proof_exit_code, tell_failure, tell_network
from wfexs_like.cli.running import prove as prove_offline
from wfexs_like.cli.signing import signer_of
from wfexs_like.cli.views import crate_view, encrypted_words, run_view, stage_words


@click.command("execute", cls=SigningCommand)
@stage_file_argument
@lock_options
@param_option
@offline_option
@allow_option
@proof_option
@click.option("--crate", type=click.Path(path_type=Path), metavar="DEST", help="Export a retrospective crate to DEST.")
@crate_options
@click.pass_obj
def command(
    app: App,
    *,
    stage_file: Path,
    locked: Path | None,
    nickname: str | None,
    params: tuple[str, ...],
    crate: Path | None,
    include: tuple[str, ...],
    licence: str | None,
    update: bool,
    no_validate: bool,
    rehash: bool,
    sign: str | None,
    seal: str | None,
    recipients: tuple[str, ...],
    no_own_key: bool,
    metadata: str | None,
    allow_clear: bool,
    wrroc: str,
    engine_configuration: bool,
    prov: bool,
    require_offline: bool,
    allowed: tuple[str, ...],
    prove: bool,
) -> int:
    """A crate is made of a failed run too; exit code 8 says that it failed."""
    from wfexs_like.sealing import read_wish

    overrides, parts = split_params(params), split_include(include)
    asked = include or licence or no_validate or rehash or sign is not None or seal or allow_clear or prov
    if crate is None and asked:
        raise UsageError(
            "--include, --licence, --prov, --no-validate, --rehash, --sign, --seal and --allow-clear need --crate",
            hint="add --crate DEST",
        )
    if crate is not None and os.path.lexists(crate):
        # Better said now than after the run.
        raise UsageError(f"{crate} exists already", hint="choose another name, or remove it first", where=str(crate))
    signer = signer_of(app, sign)
    wish = read_wish(seal, recipients, metadata, own=not no_own_key, destination=crate)
    staged = app.session.stage(stage_file, locked=locked, update=update, nickname=nickname)
    assert staged.id is not None
    assert staged.content is not None
    content = staged.content
    for line in (*stage_words(staged), *encrypted_words(app.session.locate(staged.id))):
        app.say(line)
    if crate is not None:
        # Better refused now than after the run; what is staged stays, and was told.
        app.session.refuse_clear(staged.id, sealed=wish is not None, allowed=allow_clear)
    proof = prove_offline(app, staged.id, stage_file) if prove else None
    if proof_exit_code(proof):
        app.emit("execute", {"stage": stage_form(staged, proof), "run": None, "crate": None}, lambda: staged.id or "")
        return proof_exit_code(proof)
    execution = perform(app, staged.id, overrides, require_offline=require_offline, allowed=allowed)
    tell_network(app, execution)
    tell_failure(app, staged.id, execution)
    result: Form = {
        "stage": stage_form(staged, proof),
        "run": run_form(execution, workdir_id=staged.id, content=content),
        "crate": None,
    }
    text = run_view(execution, content, colour=app.colour)
    if crate is not None:
        exported = app.session.crate(
            staged.id,
            crate,
            kind="retrospective",
            include=parts,
            licence=licence,
            validate=not no_validate,
            rehash=rehash,
            signer=signer,
            seal=wish,
            allow_clear=allow_clear,
            wrroc=wrroc,
            engine_configuration=engine_configuration,
            prov=prov,
        )
        result["crate"] = crate_form(exported)
        text += "\n" + crate_view(exported)
    app.emit("execute", result, lambda: text)
    return exit_code(execution)
