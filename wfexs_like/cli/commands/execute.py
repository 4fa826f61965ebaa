"""``execute``: stage, run and export in one process."""

from __future__ import annotations

import os
from pathlib import Path

import click

from staging.errors import UsageError
from wfexs_like.cli.commands import SigningCommand
from wfexs_like.cli.context import App
from wfexs_like.cli.crate_options import CrateOptions, with_crate_options
from wfexs_like.cli.forms import Form, crate_form, run_form, stage_form
from wfexs_like.cli.options import (
    allow_option,
    lock_options,
    offline_option,
    param_option,
    proof_option,
    split_params,
    stage_file_argument,
)
from wfexs_like.cli.running import exit_code, perform, proof_exit_code, tell_failure, tell_network
from wfexs_like.cli.running import prove as prove_offline
from wfexs_like.cli.views import crate_view, encrypted_words, run_view, stage_words


@click.command("execute", cls=SigningCommand)
@stage_file_argument
@lock_options
@param_option
@offline_option
@allow_option
@proof_option
@click.option("--crate", type=click.Path(path_type=Path), metavar="DEST", help="Export a retrospective crate to DEST.")
@with_crate_options
@click.pass_obj
def command(
    app: App,
    *,
    stage_file: Path,
    locked: Path | None,
    nickname: str | None,
    params: tuple[str, ...],
    crate: Path | None,
    crate_options: CrateOptions,
    update: bool,
    require_offline: bool,
    allowed: tuple[str, ...],
    prove: bool,
) -> int:
    """A crate is made of a failed run too; exit code 8 says that it failed."""
    overrides, said = split_params(params), crate_options.said()
    if crate is None and said:
        raise UsageError(f"{', '.join(said)} {'needs' if len(said) == 1 else 'need'} --crate", hint="add --crate DEST")
    if crate is not None and os.path.lexists(crate):
        # Better said now than after the run.
        raise UsageError(f"{crate} exists already", hint="choose another name, or remove it first", where=str(crate))
    # Keys too are better missed now than after the run.
    wishes = {} if crate is None else crate_options.settled(app, crate)
    staged = app.session.stage(stage_file, locked=locked, update=update, nickname=nickname)
    assert staged.id is not None
    assert staged.content is not None
    content = staged.content
    for line in (*stage_words(staged), *encrypted_words(app.session.locate(staged.id))):
        app.say(line)
    if crate is not None:
        # Better refused now than after the run; what is staged stays, and was told.
        app.session.refuse_clear(staged.id, sealed=wishes["seal"] is not None, allowed=wishes["allow_clear"])
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
        exported = app.session.crate(staged.id, crate, kind="retrospective", **wishes)
        result["crate"] = crate_form(exported)
        text += "\n" + crate_view(exported)
    app.emit("execute", result, lambda: text)
    return exit_code(execution)
