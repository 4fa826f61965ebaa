"""The verbs, one module each; a verb's module is imported when the verb is used, and not before."""

from __future__ import annotations

from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

import click

from staging.errors import UsageError
from wfexs_like.cli.context import App
from wfexs_like.cli.options import GlobalOptions, settle_sign
from wfexs_like.cli.table import HEADLINES, NAMES, PLANNED, PROGRAM, VERBS, find

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _show_help(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        app = ctx.ensure_object(App)
        text = ctx.get_help()
        app.options = app.options._replace(json=app.options.json or bool(ctx.params.get("json")))
        app.emit("help", {"command": ctx.command_path, "text": text}, lambda: text)
        ctx.exit()


class Spoken(click.Command):
    """A command whose help goes where all results go."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; an error knows whose arguments were wrong, so that its hint leads to the help of that verb.

        Raises:
            click.UsageError: they are wrong.
        """
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """The help option, with our way of printing."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _show_help
            option.help = "Print this and end."
        return option


class Program(Spoken, click.Group):
    """The whole command line; its help comes from the table of verbs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The verbs, in the order of the table."""
        return list(NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Load one verb."""
        return load(cmd_name) if cmd_name in NAMES else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Load the verb that was typed.

        Raises:
            UsageError: there is none of that name.
        """
        name = args[0]
        if name not in NAMES:
            raise unknown_verb(name)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Verbs and global options, without loading a verb."""
        from click.shell_completion import CompletionItem

        verbs = [CompletionItem(verb.name, help=verb.summary) for verb in VERBS if verb.name.startswith(incomplete)]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """The verbs under their headlines."""
        for headline in HEADLINES:
            with formatter.section(headline):
                formatter.write_dl([(verb.name, verb.summary) for verb in VERBS if verb.headline == headline])


class Verbal(Spoken):
    """A verb's help: its first line and its example are those of the table."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The summary, then what its docstring adds."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(find(self.name or "").summary)
        if self.help:
            super().format_help_text(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """The example."""
        write_example(find(self.name or "").example, formatter)


class VerbCommand(Verbal):
    """A verb without actions of its own."""


class SigningCommand(VerbCommand):
    """A verb with ``--sign [KEY]``, after which anything else may stand as well."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; what follows ``--sign`` is taken for its value only when it is a key.

        Raises:
            click.UsageError: they are wrong.
        """
        return super().parse_args(ctx, settle_sign(args))


class ActionCommand(Spoken):
    """An action of a verb (``cache gc``): its example is given with it."""

    def __init__(self, *args: Any, example: str, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.example = example

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """The example."""
        write_example(self.example, formatter)


class VerbGroup(Verbal, click.Group):
    """A verb with actions of its own (``cache list``)."""


def write_example(example: str, formatter: click.HelpFormatter) -> None:
    """The last lines of a verb's help: how it is used."""
    with formatter.section("Example"):
        # Never wrapped: it is there to be copied.
        formatter.write(f"{'':>{formatter.current_indent}}{example}\n")


def load(name: str) -> click.Command:
    """The command of a verb, from its module."""
    # No module can be called like a word of the language.
    command = import_module(f"{__name__}.{name}{'_' * iskeyword(name)}").command
    assert isinstance(command, click.Command)
    return command


def unknown_verb(name: str) -> UsageError:
    """What to say to somebody who typed a verb that is not there."""
    if name in PLANNED:
        return UsageError(
            f'"{name}" is not built yet', hint=f'it will come; "{PROGRAM} --help" lists what is there today'
        )
    from difflib import get_close_matches

    close = get_close_matches(name, NAMES, n=1)
    return UsageError(
        f"there is no verb {name!r}",
        hint=f'did you mean "{PROGRAM} {close[0]}"?' if close else f'"{PROGRAM} --help" lists the verbs',
    )


def _print_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from wfexs_like import __version__

    app = ctx.ensure_object(App)
    app.options = app.options._replace(json=bool(ctx.params.get("json")))
    app.emit("version", {"version": __version__}, lambda: f"{PROGRAM} {__version__}")
    ctx.exit()


_HELP = """Stage, lock, run and prove: other people's workflows, offline, as Workflow Run RO-Crates.

A WORKDIR is named by id, the beginning of an id, nickname, path, or "last". The global options may stand anywhere
before "--"."""


@click.command(cls=Program, context_settings=CONTEXT, help=_HELP, no_args_is_help=False, invoke_without_command=True)
@click.option("--json", is_flag=True, is_eager=True, help="Print the result as one JSON object, on failure too.")
@click.option("-q", "--quiet", is_flag=True, help="No words but errors.")
@click.option("-v", "--verbose", is_flag=True, help="More words; nothing is summed up.")
@click.option("--no-progress", is_flag=True, help="No moving lines.")
@click.option("--config", metavar="FILE", help="The config file (a TOML file).")
@click.option("--cache", metavar="FOLDER", help="The content store.")
@click.option("--workdirs", metavar="FOLDER", help="Where working directories are.")
@click.option(
    "--container",
    metavar="RUNTIME",
    help="Where the stage file doesn't say: docker, podman, apptainer, any of them, or none.",
)
@click.option(
    "--key",
    metavar="PRIVATE",
    help="Open what is encrypted or sealed with this private key (crypt4gh's or SSH ed25519), not with the "
    "installation's.",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print it.")
@click.pass_context
def program(  # noqa: D103 - its help is above
    ctx: click.Context, /, *, no_progress: bool, json: bool, quiet: bool, verbose: bool, **places: Any
) -> None:
    app = ctx.ensure_object(App)
    app.options = GlobalOptions(json=json, quiet=quiet, verbose=verbose, progress=not no_progress, **places)
    if ctx.invoked_subcommand is None:
        raise UsageError("a verb is missing", hint=f'"{PROGRAM} --help" lists them')
