"""The context of a command: its settings, its session, and where words and results go."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

from staging.errors import UsageError
from wfexs_like.cli.options import GlobalOptions
from wfexs_like.cli.table import PROGRAM

if TYPE_CHECKING:
    from wfexs_like.cli.progress import Narrator
    from wfexs_like.session import Session
    from wfexs_like.settings import Settings
    from wfexs_like.unlocking import Passphrases


class OutputClosedError(Exception):
    """Nobody reads our standard output any more (``wfexs-like list | head -1``)."""


class App:
    """One call of the program.

    Results go to ``stdout``, once; everything else a person reads goes to ``stderr``. A test hands in its own streams
    and its own ``session``.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str] | None = None,
        stdin: IO[str] | None = None,
        stdout: IO[str] | None = None,
        stderr: IO[str] | None = None,
        session: Session | None = None,
    ) -> None:
        self.environment = dict(os.environ if environment is None else environment)
        self.stdin = stdin or sys.stdin
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self.options = GlobalOptions()
        self.emitted = False
        self.makes_config = False
        self._session = session

    @cached_property
    def settings(self) -> Settings:
        """The settings of this call.

        Raises:
            UsageError: the config file that was named is not there.
            DefinitionError: it is wrong.
        """
        from wfexs_like.settings import Settings

        options = self.options
        if options.config and not self.makes_config and not Path(options.config).exists():
            raise UsageError(f"there is no config file {options.config}", hint='"wfexs-like init" makes one')
        return Settings.load(
            self.environment,
            config=options.config,
            cache=options.cache,
            workdirs=options.workdirs,
            container=options.container,
            key=options.key,
        )

    @property
    def session(self) -> Session:
        """The session, made when first asked for."""
        if self._session is None:
            from wfexs_like.session import Session

            self._session = Session(self.settings, progress=self.narrator, passphrases=self.passphrases)
        return self._session

    @cached_property
    def passphrases(self) -> Passphrases:
        """Where the passphrases of keys come from: one for all that this call opens."""
        from wfexs_like.cli.asking import asker
        from wfexs_like.unlocking import Passphrases

        return Passphrases(self.environment, asker(self))

    @cached_property
    def narrator(self) -> Narrator:
        """Who tells a person of long work."""
        from wfexs_like.cli.progress import Narrator

        return Narrator(
            self.stderr,
            live=self.is_live,
            quiet=self.options.quiet,
            verbose=self.options.verbose,
        )

    @property
    def is_live(self) -> bool:
        """Whether moving lines can be shown: a terminal that can, and nobody asked otherwise."""
        wanted = self.options.progress and not self.options.quiet
        return wanted and is_terminal(self.stderr) and self.environment.get("TERM", "") not in ("", "dumb")

    @property
    def may_ask(self) -> bool:
        """Whether there is a person to ask."""
        return not self.options.json and is_terminal(self.stdin) and is_terminal(self.stderr)

    @property
    def colour(self) -> bool:
        """Whether results may be coloured (https://no-color.org)."""
        return (
            is_terminal(self.stdout) and not self.environment.get("NO_COLOR") and self.environment.get("TERM") != "dumb"
        )

    def emit(self, verb: str, result: Mapping[str, object], text: Callable[[], str]) -> None:
        """Print the result of ``verb``: as its JSON object, or as ``text`` for a person.

        Raises:
            OutputClosedError: nobody reads it.
        """
        if self.options.json:
            document = {"schema": f"{PROGRAM}/{verb}/1", **result}
            written = json.dumps(document, indent=2 if is_terminal(self.stdout) else None, default=str)
        else:
            written = text()
        self.close()
        self.write(written)
        self.emitted = True

    def emit_error(self, document: Mapping[str, object]) -> None:
        """Print the error object, unless a result stands there already: there is exactly one."""
        if not self.emitted:
            self.write(json.dumps(document, indent=2 if is_terminal(self.stdout) else None, default=str))
            self.emitted = True

    def complain(self, text: str) -> None:
        """Print an error for a person; ``--quiet`` does not silence it."""
        self.stderr.write(text + "\n")
        self.stderr.flush()

    def write(self, text: str) -> None:
        """Print ``text`` on standard output, ending its last line.

        Raises:
            OutputClosedError: nobody reads it.
        """
        if not text:
            return
        try:
            self.stdout.write(text if text.endswith("\n") else text + "\n")
            self.stdout.flush()
        except BrokenPipeError as error:
            raise OutputClosedError from error

    def say(self, text: str) -> None:
        """A word to the person, on standard error; ``--quiet`` silences it."""
        if not self.options.quiet:
            self.narrator.say(text)

    def close(self) -> None:
        """End moving lines; nothing is told after this."""
        if "narrator" in self.__dict__:
            self.narrator.close()

    def workdir_names(self) -> list[tuple[str, str]]:
        """Ids and nicknames of the working directories, each with a word on the other, for completion."""
        from staging.workdirs import Workdirs

        known = Workdirs(self.settings.workdirs).list()
        return [(one.nickname, one.id) for one in known] + [(one.id, one.nickname) for one in known]


def is_terminal(stream: IO[str]) -> bool:
    """Whether a person sits at the other end."""
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def shown_path(path: Path) -> str:
    """A path as text: bytes that are no characters are escaped, so that it can be printed anywhere."""
    return str(path).encode(errors="backslashreplace").decode()


def must_be_writable(path: Path, *, what: str, force: bool) -> None:
    """See before the work is done that ``what`` (``page``) can be written there; only with ``force`` over a file.

    Raises:
        UsageError: something is there, or something that is no file, or no folder that it can be written in.
    """
    if os.path.lexists(path) and not force:
        raise UsageError(
            f"there is already {shown_path(path)}", hint="name another file, or add --force", where=shown_path(path)
        )
    if path.is_dir():
        raise UsageError(f"{shown_path(path)} is a folder", hint=f"name the file that the {what} goes to")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {shown_path(path.parent)} for the {what}", hint="make it first")
    if path.exists() and not path.is_file():
        # A device or a pipe would be replaced by a file.
        raise UsageError(f"{shown_path(path)} is no file", hint=f"name the file that the {what} goes to")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"nothing can be written in {shown_path(path.parent)}", hint="name a file elsewhere")
