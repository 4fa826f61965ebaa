"""Options: the global ones, that may stand anywhere before ``--``, and the arguments that several verbs share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar

import click

from staging.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

GLOBAL_FLAGS: Final = ("--json", "--quiet", "-q", "--verbose", "-v", "--no-progress")
GLOBAL_VALUES: Final = ("--config", "--cache", "--workdirs", "--container", "--key")

_RUN_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)

F = TypeVar("F", bound=Callable[..., Any])


class GlobalOptions(NamedTuple):
    """What was said before or after the verb and concerns all of them. Places are ``None`` when not given."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    progress: bool = True
    config: str | None = None
    cache: str | None = None
    workdirs: str | None = None
    container: str | None = None
    key: str | None = None


def hoist(argv: Sequence[str]) -> list[str]:
    """``argv`` with the global options moved to its front; from ``--`` on nothing is touched.

    Raises:
        UsageError: one of them lacks its value.
    """
    front: list[str] = []
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word in GLOBAL_FLAGS or word.startswith(tuple(f"{name}=" for name in GLOBAL_VALUES)):
            front.append(word)
        elif word in GLOBAL_VALUES:
            value = next(words, None)
            if value is None or value.startswith("--"):
                raise UsageError(f"{word} needs a value", hint=f"as in {word}=PLACE, before or after the verb")
            front += [word, value]
        else:
            rest.append(word)
    return front + rest


def wants_json(argv: Sequence[str]) -> bool:
    """Whether ``--json`` stands before ``--``: known before anything is parsed, for the errors of parsing."""
    words = list(argv)
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def split_params(pairs: Sequence[str]) -> dict[str, str]:
    """``NAME=VALUE`` words as texts by name; what a text means is for the workflow's interface to say.

    Raises:
        UsageError: a word has no ``=`` or no name, or a name stands twice.
    """
    params: dict[str, str] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"--param {pair!r} is not of the form NAME=VALUE", hint="as in --param threads=4")
        if name in params:
            raise UsageError(f"--param {name} is given twice", hint="for an array: --param 'name=[1, 2]'")
        params[name] = text
    return params


class WorkdirName(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.5 on
    """A working directory as a person names it; the session finds out which one is meant."""

    name = "workdir"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """Ids and nicknames that begin with what was typed, and ``last``; nothing when they can't be read."""
        from click.shell_completion import CompletionItem

        from staging.errors import WfexsError
        from wfexs_like.cli.context import App

        app = ctx.find_object(App)
        try:
            names = [] if app is None else app.workdir_names()
        except (WfexsError, OSError):
            names = []
        return [
            CompletionItem(name, help=help_text)
            for name, help_text in [*names, ("last", "the newest one")]
            if name.startswith(incomplete)
        ]


def workdir_argument(function: F) -> F:
    """The argument ``WORKDIR``."""
    return click.argument("workdir", type=WorkdirName(), metavar="WORKDIR")(function)


class FailedRun(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.5 on
    """The number of a run, or ``last``: the last one that failed or was killed."""

    name = "run"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | Literal["last"]:
        """What was typed, as a number."""
        if value == "last":
            return "last"
        text = str(value)
        if not _RUN_NUMBER.fullmatch(text):
            self.fail(f'{text!r} is not the number of a run, nor "last"', param, ctx)
        return int(text)


def resume_option(function: F) -> F:
    """The option ``--resume RUN``."""
    return click.option(
        "--resume",
        type=FailedRun(),
        metavar="RUN",
        help="Continue RUN, which failed or was killed: what it had done is not done again. A number, "
        'or "last": the last such run. For engines that can (Nextflow).',
    )(function)


def offline_option(function: F) -> F:
    """The option ``--require-offline``."""
    return click.option(
        "--require-offline",
        is_flag=True,
        help="Refuse to run where this host can't cut the run off from the network (exit code 14).",
    )(function)


ALLOWABLE: Final = ("container-records", "open-walls", "writable-containers")
"""The reasons of ``engines.secrecy``, which would be loaded for nothing at the start."""


def allow_option(function: F) -> F:
    """The option ``--allow``."""
    return click.option(
        "--allow",
        "allowed",
        multiple=True,
        type=click.Choice(ALLOWABLE),
        metavar="REASON",
        help=f"Run an encrypted working directory although this is not prevented here ({', '.join(ALLOWABLE)});"
        " repeatable.",
    )(function)


def proof_option(function: F) -> F:
    """The option ``--prove-offline``."""
    return click.option(
        "--prove-offline",
        "prove",
        is_flag=True,
        help="Then run once with nothing but the staged files to be found and no network; what it makes is thrown "
        "away. Exit code 8 when it fails, 14 when it tries to reach somebody or nobody could see whether it does; what "
        "is staged stays either way.",
    )(function)


def stage_file_argument(function: F) -> F:
    """The argument ``STAGE``: a stage file."""
    return click.argument("stage_file", type=click.Path(path_type=Path), metavar="STAGE")(function)


def recipient_option(function: F) -> F:
    """The option ``--recipient KEY`` of what makes an encrypted working directory, any number of times."""
    return click.option(
        "--recipient",
        "recipients",
        multiple=True,
        metavar="KEY",
        help="Let the owner of this public key (crypt4gh's or SSH ed25519; a file) open the encrypted working "
        "directory, too. Repeat for more.",
    )(function)


def param_option(function: F) -> F:
    """The option ``--param NAME=VALUE``, any number of times."""
    return click.option(
        "--param",
        "params",
        multiple=True,
        metavar="NAME=VALUE",
        help="Run with another value for this parameter; an array or record as JSON. Repeat for more.",
    )(function)


def lock_options(function: F) -> F:
    """The options of everything that stages."""
    nickname = click.option("--nickname", metavar="NAME", help="A name for the working directory, for you to use.")
    update = click.option("--update", is_flag=True, help="With --locked: pin anew, show what changed, rewrite LOCK.")
    locked = click.option(
        "--locked",
        type=click.Path(path_type=Path),
        metavar="LOCK",
        help="Refuse anything that is not in this lock file.",
    )
    return locked(update(nickname(function)))


OWN_KEY: Final = ""
"""The value of ``--sign`` when no key is named: this installation's signs."""
_KEY_STARTS: Final = (b"-----BEGIN", b"ssh-")


def settle_sign(args: Sequence[str]) -> list[str]:
    """``args`` with the value of each ``--sign`` joined to it: the word after it is one only if it is a key's file."""
    settled: list[str] = []
    words = iter(range(len(args)))
    for place in words:
        word = args[place]
        if word == "--":
            return settled + list(args[place:])
        if word == "--sign":
            following = args[place + 1] if place + 1 < len(args) else ""
            if following and _looks_like_a_key(Path(following)):
                next(words)
            else:
                following = OWN_KEY
            word = f"--sign={following}"
        settled.append(word)
    return settled


def _looks_like_a_key(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            return stream.read(10).startswith(_KEY_STARTS)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
