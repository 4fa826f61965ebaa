"""``open``: the plain crate out of a sealed one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from staging.errors import KeyAccessError
from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App, shown_path
from wfexs_like.cli.render import counted, one_line, size

if TYPE_CHECKING:
    from wfexs_like.seal.opening_crates import OpenReport

DAMAGED = 5
LOCKED = 12
SHOWN_PROBLEMS = 200


@click.command("open", cls=VerbCommand)
@click.argument("sealed", type=click.Path(path_type=Path), metavar="SEALED")
@click.argument("destination", type=click.Path(path_type=Path), metavar="DEST")
@click.option(
    "--signer",
    metavar="KEY",
    help="Who must have signed it: an SSH public key or its file, an allowed_signers file, or a fingerprint "
    "(SHA256:...).",
)
@click.pass_obj
def command(app: App, *, sealed: Path, destination: Path, signer: str | None) -> int:
    """SEALED is a folder, a zip file or one sealed file. DEST, the plain crate, is a new folder that only you enter.

    Everything is held against what was sealed before DEST is there: files that were cut, changed, added, removed,
    renamed or swapped are named, and then there is no DEST. Without --signer it only says by which key it was signed.

    Exit code 12 when your key does not open it, 5 when it is damaged or isn't signed as asked.
    """
    from wfexs_like.private_memory import private_memory
    from wfexs_like.seal.opening_crates import open_sealed
    from wfexs_like.seal.trusted import read_trusted
    from wfexs_like.unlocking import unlock_with

    trusted = None if signer is None else read_trusted(signer)
    with private_memory():
        private = unlock_with(app.settings, app.passphrases)
        try:
            report = open_sealed(sealed, destination, [private], trusted=trusted)
        except KeyAccessError as error:
            if app.settings.key is None:
                error.hint = f"{error.hint}; --key names another key of yours, such as an SSH key"
            raise
    app.emit("open", _form(report), lambda: _view(report, sealed))
    if report.ok:
        return 0
    return LOCKED if report.locked else DAMAGED


def _form(report: OpenReport) -> dict[str, object]:
    signature = report.signature
    return {
        "ok": report.ok,
        "path": shown_path(report.path) if report.ok else None,
        "form": report.form,
        "problems": [{"path": path, "problem": problem} for path, problem in report.problems.items()],
        "opened": {"files": report.files if report.ok else 0, "size": report.size if report.ok else 0},
        "signature": {
            "state": signature.state,
            "signer": signature.signer,
            "compared": signature.compared,
            "trusted": signature.trusted,
        },
    }


def _view(report: OpenReport, sealed: Path) -> str:
    lines = [one_line(f"{path} {problem}") for path, problem in list(report.problems.items())[:SHOWN_PROBLEMS]]
    if len(report.problems) > SHOWN_PROBLEMS:
        lines.append(f"and {counted(len(report.problems) - SHOWN_PROBLEMS, 'problem')} more")
    if report.ok:
        lines.append(f"{shown_path(report.path)}: {counted(report.files, 'file')}, {size(report.size)}, as sealed")
    else:
        what = "was not opened" if report.locked else "is not as it was sealed"
        lines.append(f"{shown_path(sealed)} {what}: nothing was written")
    lines.append(report.signature.words)
    return "\n".join(lines)
