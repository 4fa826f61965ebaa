"""The documents that users read: every command in them is one that there is, and so is every word of a stage file."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from staging.loading import load_stage_file
from wfexs_like.cli.commands import load, program
from wfexs_like.cli.manual import ENVIRONMENT, EXIT_CODES
from wfexs_like.cli.table import NAMES

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCUMENTS = sorted(
    [README, *(ROOT / "docs").glob("*.md"), *(ROOT / "workflow_examples").rglob("*.md"), ROOT / "SECURITY.md"]
)


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command of ours in a document, without ``wfexs-like`` itself."""
    shown = re.findall(r"^(?:\$ |    )(?:[A-Z_]+=\S+ +)*(wfexs-like (?:.*\\\n)*.*)", text, re.MULTILINE)
    spoken = re.findall(r"`(wfexs-like [^`]+)`", text)
    for line in (*shown, *spoken):
        for one in re.split(r"&&|[|<>]", line.replace("\\\n", " ").replace("\n", " ")):
            words = shlex.split(one, comments=True)
            if words[:1] == ["wfexs-like"]:
                yield words[1:]


def options(command: click.Command) -> set[str]:
    return {one for parameter in command.params for one in parameter.opts} | {"-h", "--help"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_verb_and_option_in_a_document_is_there(document: Path) -> None:
    for words in commands(document.read_text()):
        known, command = options(program), None
        for word in words:
            if word == "--":
                break
            if word.startswith("-"):
                assert word.partition("=")[0] in known, f"{word} in {words}"
            elif command is None:
                assert word in NAMES, f"{word} in {words}"
                command = load(word)
                known |= options(command)
            elif isinstance(command, click.Group):
                assert word in command.commands, f"{word} in {words}"
                command = command.commands[word]
                known |= options(command)


def test_stage_files_in_the_documents_have_no_faults(tmp_path: Path) -> None:
    found = [one for path in DOCUMENTS for one in re.findall(r"```yaml\n(.*?)```", path.read_text(), re.DOTALL)]
    parts = [one for one in found if re.search(r"^(workflow_config|params|containers):", one, re.MULTILINE)]
    assert len(parts) >= 4
    for text in parts:
        path = tmp_path / "shown.wfex.stage"
        path.write_text(text if "workflow_id:" in text else f"workflow_id: main.cwl\n{text}")
        load_stage_file(path)


def test_every_exit_code_and_variable_is_one_of_the_manual_page() -> None:
    table = "\n".join(line for line in README.read_text().splitlines() if re.match(r"\| \d", line))
    assert set(re.findall(r"\| (\d+|128\+N) \|", table)) == {code for code, _ in EXIT_CODES}
    manual = " ".join(name for name, _ in ENVIRONMENT)
    for document in DOCUMENTS:
        for name in re.findall(r"WFEXS_LIKE_[A-Z_]+[A-Z]", document.read_text()):
            passphrase, _, source = name.rpartition("_")
            assert name in manual or (passphrase == "WFEXS_LIKE_PASSPHRASE" and f"_{source}" in manual), name
