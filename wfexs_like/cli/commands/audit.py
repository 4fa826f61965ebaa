"""``audit``: whether anything of a working directory lies outside of its vault."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from staging.errors import LeakError, NotFoundError, UsageError, from_os_error
from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App, must_be_writable, shown_path
from wfexs_like.cli.options import workdir_argument
from wfexs_like.cli.render import counted, plain, size

if TYPE_CHECKING:
    from wfexs_like.audit.attestation import Attestation, Judged

SHOWN: Final = 50
_LIMIT: Final = 1 << 20
_STDIN: Final = "-"


@click.command("audit", cls=VerbCommand)
@workdir_argument
@click.option(
    "--canary",
    "typed",
    multiple=True,
    metavar="TEXT",
    help="A text to look for, of 8 bytes at least. Other users see it in the process list while this runs, and your "
    "shell remembers it: --canary-file is better.",
)
@click.option(
    "--canary-file",
    "files",
    multiple=True,
    metavar="FILE",
    help='A file with one text to look for on each line; "-" is standard input.',
)
@click.option(
    "--own",
    is_flag=True,
    help="Look for names of staged files and outputs and for texts among the parameters, of 8 bytes at least. What is "
    "called like many other things is found in many other places.",
)
@click.option("--everything", is_flag=True, help="Look at all local file systems.")
@click.option(
    "--except",
    "excepted",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A file or folder where they may be, such as where your inputs came from.",
)
@click.option("--report", type=click.Path(path_type=Path), metavar="FILE", help="Write the attestation (JSON) here.")
@click.pass_obj
def command(
    app: App,
    *,
    workdir: str,
    typed: tuple[str, ...],
    files: tuple[str, ...],
    own: bool,
    everything: bool,
    excepted: tuple[Path, ...],
    report: Path | None,
) -> None:
    """Nothing is planted: name texts that are in your data.

    They are looked for in what changed since staging began: temporary folders, caches, your home, docker's and podman's
    data, logs, core dumps, and of all processes the arguments, the environment and deleted files; in clear,
    hexadecimal, base64, UTF-16, percent-encoded, and in gzip and zip files. What can't be looked at is told.

    It also tells what else changed outside of the vault while runs went on, whoever changed it.

    The texts are told nowhere, only their numbers. Exit code 15 when one is found where it should not be.
    """
    from wfexs_like.flow.audit import AuditWish

    if report is not None:
        _must_be_new(report)
    asked = tuple(_place(name) for name in files)
    texts = (*typed, *(text for name in files for text in _texts(app, name)))
    wish = AuditWish(
        canaries=texts,
        typed=bool(typed),
        asked=tuple(path for path in asked if path is not None),
        own=own,
        everything=everything,
        excepted=excepted,
    )
    attestation = app.session.audit(workdir, wish)
    document = attestation.as_json()
    if report is not None:
        from staging.placing import write_atomically
        from wfexs_like.audit.attestation import SCHEMA

        written = {"schema": SCHEMA, **document}
        write_atomically(report, (json.dumps(written, indent=1) + "\n").encode(), mode=0o600)
    app.emit("audit", document, lambda: _view(attestation))
    if not attestation.clean:
        raise _leak(attestation)


def _leak(attestation: Attestation) -> LeakError:
    leaks = attestation.leaks
    number = len(leaks) + attestation.findings.more
    return LeakError(
        f"what should be secret is in {counted(number, 'place')} outside of the vault",
        hint="remove it there, and find out who wrote it; places that are right can be named with --except",
        places=[attestation.told(one.place.path) for one in leaks[:SHOWN]],
    )


def _must_be_new(report: Path) -> None:
    """Raise a UsageError unless the report can be written in the end: an old one would be taken for the new."""
    if os.path.lexists(report):
        raise UsageError(f"there is already {shown_path(report)}", hint="name another file for the report")
    must_be_writable(report, what="report", force=True)


def _place(name: str) -> Path | None:
    """The file that canaries come from; ``None`` when standard input is no file."""
    if name != _STDIN:
        return Path(name)
    try:
        path = Path("/proc/self/fd/0").readlink()
    except OSError:
        return None
    return path if path.is_file() else None


def _texts(app: App, name: str) -> list[str]:
    """The lines of a file that are not empty."""
    try:
        if name == _STDIN:
            text = app.stdin.read(_LIMIT + 1)
        else:
            with Path(name).open("rb") as stream:
                text = os.fsdecode(stream.read(_LIMIT + 1))
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {name} with canaries") from error
    except UnicodeDecodeError as error:
        raise UsageError("the canaries on standard input are no text", hint="name their file instead") from error
    except OSError as error:
        raise from_os_error(error, "read the canaries") from error
    if len(text) > _LIMIT:
        raise UsageError(f"there are too many canaries in {name}", hint="some dozens are enough")
    return [line for line in (one.removesuffix("\r") for one in text.split("\n")) if line]


def _view(attestation: Attestation) -> str:
    findings = attestation.findings
    shown = sorted(attestation.hits, key=lambda one: one.judgement != "leak")
    lines = [_line(attestation, one) for one in shown[:SHOWN]]
    if len(attestation.hits) + findings.more > SHOWN:
        lines.append(f"and {len(attestation.hits) + findings.more - SHOWN} more (--json tells them)")
    for window in attestation.windows:
        number = len(findings.written[window.run]) + findings.unlisted.get(window.run, 0)
        if number:
            lines.append(f"while run {window.run} went on, {counted(number, 'path')} changed, by whomever")
    if not attestation.opened:
        lines.append("it was not opened: its sources, and when it ran, are not known")
    lines += [
        f"not looked at: {one.count} in {attestation.told(one.root.path)}, {one.reason}" for one in findings.unread
    ]
    looked, not_looked = attestation.processes
    if not_looked:
        lines.append(f"not looked at: environment and files of {_plural(not_looked, 'process', 'processes')} of others")
    read = sum(one.files for one in findings.tallies)
    amount = sum(one.size for one in findings.tallies)
    lines.append(
        f"looked at {counted(read, 'file')} ({size(amount)}) changed since {attestation.since} in "
        f"{counted(len(findings.tallies), 'place')}, and at {_plural(looked, 'process', 'processes')}"
    )
    number = len(attestation.canaries) + sum((attestation.own or {}).get(one, 0) for one in ("names", "values"))
    whole = "the canary was not" if number == 1 else f"none of {number} canaries was"
    lines.append(f"{whole} found outside of the vault" if attestation.clean else "there are leaks")
    return "\n".join(plain(line) for line in lines)


def _line(attestation: Attestation, one: Judged) -> str:
    place = one.place
    whose = f", process {attestation.told(Path(place.process))}" if place.process else ""
    where = f" at {place.offset}" if place.kind in ("content", "unnamed") else ""
    return (
        f"{one.judgement}: canary {place.canary} in {attestation.told(place.path)} "
        f"({place.kind}{where}, {place.form}{whose})"
    )


def _plural(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"
