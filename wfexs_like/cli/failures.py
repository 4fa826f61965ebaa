"""Failures: from any exception to an exit code, one JSON object, and a sentence with a hint. Never a traceback."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path
from signal import SIGINT
from typing import NamedTuple

import click

from staging.errors import DefinitionError, Fault, InterruptedByUser, UsageError, WfexsError, from_os_error
from wfexs_like.cli.render import plain
from wfexs_like.cli.table import PROGRAM

SHOWN_FAULTS = 50


class Failure(NamedTuple):
    """How a call ends that did not do what was asked."""

    exit_code: int
    document: Mapping[str, object]
    text: str


def explain(error: BaseException) -> Failure:
    """What to tell of ``error``."""
    known = as_known(error)
    document = {"schema": f"{PROGRAM}/error/1", "error": known.as_json()}
    return Failure(known.exit_code, document, _text(known))


def as_known(error: BaseException) -> WfexsError:
    """``error`` in our own vocabulary."""
    if isinstance(error, WfexsError):
        return error
    if isinstance(error, KeyboardInterrupt | click.exceptions.Abort):
        return InterruptedByUser(SIGINT)
    if isinstance(error, click.ClickException):
        return _usage(error)
    if isinstance(error, OSError):
        return from_os_error(error, "go on")
    if isinstance(error, MemoryError):
        return WfexsError("there is not enough memory for this", hint="close other programs, or use a larger machine")
    return _unexpected(error)


def _usage(error: click.ClickException) -> UsageError:
    message = error.format_message().strip().rstrip(".")
    message = message[:1].lower() + message[1:]
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else PROGRAM
    return UsageError(message, hint=f'"{command} --help" tells how it is used')


def _unexpected(error: BaseException) -> WfexsError:
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else None
    detail = str(error).strip().splitlines()
    said = f": {detail[0][:300]}" if detail else ""
    return WfexsError(
        f"sorry, this should not have happened: {type(error).__name__}{said}",
        hint="please report it; WFEXS_LIKE_DEBUG=1 shows where it comes from",
        where=place,
        exception=type(error).__name__,
    )


def _says_all(error: DefinitionError, fault: Fault) -> bool:
    """Whether an error tells all that its fault does, but for a hint: the sentence, and its place in a text."""
    message = error.message
    placed = fault.line is None or f":{fault.line}" in message or f"line {fault.line}" in message
    return (
        fault.message in message
        and placed
        and (not error.hint or not fault.hint or fault.hint in f"{message} {error.hint}")
    )


def _text(error: WfexsError) -> str:
    place = (
        f" ({error.where})" if error.where and type(error) is WfexsError and error.where not in error.message else ""
    )
    hint = error.hint
    lines = [f"{PROGRAM}: error: {plain(error.message)}{plain(place)}"]
    if isinstance(error, DefinitionError):
        # A fault that is all there is was told already.
        faults = [one for one in error.faults if len(error.faults) > 1 or not _says_all(error, one)]
        lines += [f"  {plain(str(fault))}" for fault in faults[:SHOWN_FAULTS]]
        if len(faults) > SHOWN_FAULTS:
            lines.append(f"  and {len(faults) - SHOWN_FAULTS} more")
        if not faults and not hint and error.faults and (error.faults[0].hint or "") not in error.message:
            hint = error.faults[0].hint
    if hint:
        lines.append(f"{PROGRAM}: hint: {plain(hint)}")
    return "\n".join(lines)
