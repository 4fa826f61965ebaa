"""The manual page: roff (man(7)) made from the table of verbs and their options, so that it can't lag behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import click

from wfexs_like import __version__
from wfexs_like.cli.commands import ActionCommand, load, program
from wfexs_like.cli.table import PROGRAM, VERBS

EXIT_CODES: Final[tuple[tuple[str, str], ...]] = (
    ("0", "done"),
    ("1", "something that has no code of its own"),
    ("2", "the command line is wrong"),
    ("3", "a stage file, config or parameter is wrong"),
    ("4", "something could not be fetched"),
    ("5", "a digest does not match"),
    ("6", "a container runtime or image"),
    ("7", "the engine could not be set up"),
    ("8", "the workflow failed"),
    ("9", "a crate is invalid, or runs differ"),
    ("10", "there is no such working directory, run or object"),
    ("11", "somebody else is using it"),
    ("12", "wrong or missing key or passphrase"),
    ("13", "disk full, or a quota is reached"),
    ("14", "refused by policy"),
    ("15", "what should be secret was found outside of its encrypted area"),
    ("128+N", "stopped by signal N"),
)

ENVIRONMENT: Final[tuple[tuple[str, str], ...]] = (
    ("WFEXS_LIKE_CONFIG", "the config file (TOML)"),
    ("WFEXS_LIKE_CACHE", "the content store"),
    ("WFEXS_LIKE_WORKDIRS", "the folder of the working directories"),
    ("WFEXS_LIKE_CREDENTIALS", "the credentials file (YAML)"),
    ("WFEXS_LIKE_REGISTRIES", "the table of registries, as JSON instead of the config file's"),
    ("WFEXS_LIKE_KEYS", "the folder of the key pair"),
    ("WFEXS_LIKE_JOBS", "how many transfers run at once (8)"),
    ("WFEXS_LIKE_CONTAINER", "the container runtime of stage files that name none"),
    ("WFEXS_LIKE_PASSPHRASE_FD, _FILE, _COMMAND", "where the passphrase comes from when nobody is there to ask"),
    ("WFEXS_LIKE_DEBUG", "1: errors come with the place in the program where they arose"),
    ("WFEXS_LIKE_NEXTFLOW_SOURCE", "where Nextflow comes from: release (its project's releases) or maven (by mvn)"),
    ("WFEXS_LIKE_NEXTFLOW_PLUGINS", "the index of Nextflow's plugins, an address or a file, instead of the public one"),
    ("NXF_JAVA_HOME, JAVA_HOME", "the folder of the Java that Nextflow runs on"),
    ("NO_COLOR", "anything: no colours"),
)


def manual_page() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield f'.TH {_word(PROGRAM.upper())} 1 "" "{PROGRAM} {__version__}" "User Commands"'
    yield ".SH NAME"
    yield f"{_text(PROGRAM)} \\- stage, lock, run and prove other people's workflows"
    yield ".SH SYNOPSIS"
    yield f".B {_text(PROGRAM)}"
    yield '.RI [ options ] " verb " [ arguments ]'
    yield ".SH DESCRIPTION"
    yield from _paragraphs(program.help or "")
    yield ".SH OPTIONS"
    yield from _options(program)
    yield ".SH VERBS"
    for verb in VERBS:
        yield from _command(load(verb.name), verb.name)
        yield from _example(verb.example)
    yield ".SH EXIT STATUS"
    yield from _terms(EXIT_CODES)
    yield ".SH ENVIRONMENT"
    yield from _terms(ENVIRONMENT)


def _command(command: click.Command, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    usage = " ".join(piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]")
    yield f'.SS "{_text(f"{name} {usage}".strip())}"'
    summaries = {verb.name: verb.summary for verb in VERBS}
    yield from _paragraphs("\n\n".join(one for one in (summaries.get(name, ""), command.help or "") if one))
    yield from _options(command)
    if isinstance(command, click.Group):
        for child in command.commands.values():
            yield from _command(child, f"{name} {child.name}")
            if isinstance(child, ActionCommand):
                yield from _example(child.example)


def _example(example: str) -> Iterator[str]:
    yield from (".PP", "Example:", ".PP", ".RS", ".nf", _text(example), ".fi", ".RE")


def _options(command: click.Command) -> Iterator[str]:
    context = click.Context(command)
    for option in command.params:
        record = option.get_help_record(context)
        if isinstance(option, click.Option) and record is not None:
            yield from _terms([record])


def _terms(pairs: object) -> Iterator[str]:
    assert isinstance(pairs, tuple | list)
    for term, meaning in pairs:
        yield ".TP"
        yield f"\\fB{_text(term)}\\fR"
        yield _text(meaning)


def _paragraphs(text: str) -> Iterator[str]:
    from inspect import cleandoc

    for paragraph in cleandoc(text).split("\n\n"):
        yield ".PP"
        yield _text(" ".join(paragraph.split()))


def _word(text: str) -> str:
    return f'"{_text(text)}"'


def _text(text: str) -> str:
    """``text`` as it shall be read: nothing in it is taken for a request, and a hyphen stays one that can be copied."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
