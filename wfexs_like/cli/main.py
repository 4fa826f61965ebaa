"""The program: parse, do, and turn every failure into an exit code. The only module that exits.

``entry`` is the console script, ``main`` a call of it with streams of one's choice; ``invoke`` is the part that raises.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, NoReturn

from wfexs_like.cli.table import PROGRAM

if TYPE_CHECKING:
    from types import FrameType

    from wfexs_like.cli.context import App

_SIGPIPE_EXIT = 128 + signal.SIGPIPE
COMPLETE_VARIABLE = "_WFEXS_LIKE_COMPLETE"


def entry() -> NoReturn:
    """The console script."""
    argv = sys.argv[1:]
    if argv == ["--version"]:
        # What every script asks first is answered before anything is loaded.
        from wfexs_like import __version__

        _leave(_print(f"{PROGRAM} {__version__}"))
    try:
        code = _main_on_descriptors(argv)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    _leave(code)


def main(argv: Sequence[str], app: App | None = None) -> int:
    """Do what ``argv`` says; returns the exit code. Nothing is raised."""
    from wfexs_like.cli.context import App, OutputClosedError
    from wfexs_like.cli.failures import explain
    from wfexs_like.cli.options import wants_json

    app = app or App()
    try:
        try:
            return invoke(argv, app)
        except OutputClosedError:
            return _SIGPIPE_EXIT
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one place where everything ends
            failure = explain(error)
            app.close()
            if app.environment.get("WFEXS_LIKE_DEBUG") == "1":
                import traceback

                traceback.print_exception(error, file=app.stderr)
            if wants_json(argv):
                app.emit_error(failure.document)
            app.complain(failure.text)
            return failure.exit_code
    except (OutputClosedError, OSError):
        return _SIGPIPE_EXIT
    finally:
        app.close()


def invoke(argv: Sequence[str], app: App) -> int:
    """Do what ``argv`` says; returns the exit code.

    Raises:
        WfexsError, click.ClickException, OSError: see ``failures``.
    """
    import click

    from wfexs_like.cli.aliases import translate
    from wfexs_like.cli.commands import program
    from wfexs_like.cli.options import hoist

    instruction = app.environment.get(COMPLETE_VARIABLE)
    if instruction:
        from contextlib import redirect_stdout

        from click.shell_completion import shell_complete

        with redirect_stdout(app.stdout):
            return shell_complete(program, {"obj": app}, PROGRAM, COMPLETE_VARIABLE, instruction)
    try:
        outcome = program.main(args=translate(hoist(argv), app), prog_name=PROGRAM, standalone_mode=False, obj=app)
    except click.exceptions.Exit as asked:
        return asked.exit_code
    return outcome if isinstance(outcome, int) else 0


def _main_on_descriptors(argv: Sequence[str]) -> int:
    """``main`` with our results on the real standard output, and whatever else is printed there sent to stderr."""
    from staging.errors import InterruptedByUser
    from wfexs_like.cli.context import App

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        raise InterruptedByUser(number)

    for name in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(name) is signal.SIG_DFL:
            signal.signal(name, stop)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - lives as long as we do
    try:
        results: IO[str] = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding, errors="backslashreplace")
        os.dup2(2, 1)
    except (OSError, AttributeError):  # standard output is closed
        results = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - lives as long as we do
    code = main(argv, App(stdout=results))
    try:
        results.close()
    except OSError:
        # What was not written was told of, or nobody reads it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), results.fileno()) if not results.closed else None
    return code


def _print(text: str) -> int:
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        return _SIGPIPE_EXIT
    except (OSError, AttributeError):
        return 1
    return 0


def _leave(code: int) -> NoReturn:
    """End the process with ``code``; streams that nobody reads any more are not worth a complaint."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        os._exit(code)
    sys.exit(code)
