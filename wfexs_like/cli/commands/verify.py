"""``verify``: whether a crate is as it was made, and who signed it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App, shown_path
from wfexs_like.cli.render import counted, one_line, size

if TYPE_CHECKING:
    from wfexs_like.verifying.report import VerifyReport

DAMAGED = 5
SHOWN_PROBLEMS = 200
SHOWN_RUNS = 20


@click.command("verify", cls=VerbCommand)
@click.argument("crate", type=click.Path(path_type=Path), metavar="CRATE")
@click.option(
    "--signer",
    metavar="KEY",
    help="Who must have signed it: an SSH public key or its file, an allowed_signers file, or a fingerprint "
    "(SHA256:...).",
)
@click.option(
    "--lock", type=click.Path(path_type=Path), metavar="LOCK", help="The lock that its runs must have been made by."
)
@click.pass_obj
def command(app: App, *, crate: Path, signer: str | None, lock: Path | None) -> int:
    """CRATE is a folder or a zip file, anybody's. Nothing is fetched.

    Every file is read, and held against the digests and sizes that the metadata state, and against the signed list
    where there is one.

    Without --signer it only says by which key the crate is signed: whose that is, you must know from elsewhere. A crate
    may be whole and still an old one: its date, runs and lock are told, and --lock compares.

    Exit code 5 when something was changed, is missing, was added, or isn't signed as asked.
    """
    from staging.lock_files import read_lock
    from wfexs_like.seal.trusted import read_trusted
    from wfexs_like.verifying.verify import verify_crate

    trusted = None if signer is None else read_trusted(signer)
    report = verify_crate(crate, trusted=trusted, lock=None if lock is None else read_lock(lock))
    app.emit("verify", _form(report), lambda: _view(report))
    return 0 if report.ok else DAMAGED


def _form(report: VerifyReport) -> dict[str, object]:
    signature = report.signature
    return {
        "ok": report.ok,
        "path": shown_path(report.path),
        "problems": [{"path": one.path, "problem": one.problem} for one in report.problems],
        "checked": {
            "files": report.files,
            "size": report.size,
            "digests": report.digests,
            "undescribed": report.undescribed,
            "sealed": report.sealed,
            "elsewhere": report.elsewhere,
        },
        "signature": {
            "state": signature.state,
            "signer": signature.signer,
            "compared": signature.compared,
            "trusted": signature.trusted,
        },
        "crate": {
            "name": report.name,
            "published": report.published,
            "lock": {"digest": report.lock_digest},
            "runs": [
                {"uuid": one.id, "name": one.name, "started": one.started, "status": one.status} for one in report.runs
            ],
        },
    }


def _view(report: VerifyReport) -> str:
    lines = [f"{one.path}: {one.problem}" for one in report.problems[:SHOWN_PROBLEMS]]
    if len(report.problems) > SHOWN_PROBLEMS:
        lines.append(f"and {len(report.problems) - SHOWN_PROBLEMS} more")
    lines.append(
        f"read {counted(report.files, 'file')} ({size(report.size)}), compared {counted(report.digests, 'digest')}"
    )
    if report.undescribed:
        lines.append(f"no digest is stated of {counted(report.undescribed, 'file')}")
    if report.sealed:
        lines.append(f"sealed: {counted(report.sealed, 'file')}, whose content only their readers can verify")
    lines += [report.signature.words, *_age(report)]
    if not report.ok:
        verdict = f": {counted(len(report.problems), 'problem')}"
    elif report.signature.state == "good":
        verdict = " is as it was signed"
    else:
        verdict = " is what its metadata say, which anybody can write anew: it is not signed"
    lines.append(shown_path(report.path) + verdict)
    return "\n".join(one_line(line) for line in lines)


def _age(report: VerifyReport) -> list[str]:
    """What tells this crate from an older one."""
    lines = [f"made {report.published}"] if report.published else []
    lines += [
        f"{one.name or 'a run'}: started {one.started or 'at a time not told'} ({one.id})"
        for one in sorted(report.runs, key=lambda one: one.started or "")[:SHOWN_RUNS]
    ]
    if len(report.runs) > SHOWN_RUNS:
        lines.append(f"and {counted(len(report.runs) - SHOWN_RUNS, 'run')} more")
    if report.lock_digest:
        lines.append(f"lock: {report.lock_digest}")
    return lines
