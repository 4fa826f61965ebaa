"""What Nextflow says of a broken workflow, told as faults of the workflow's files."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.nextflow.reading.engine_words import invalid, sentence
from staging.errors import DefinitionError

MAIN = PurePosixPath("main.nf")
IN_CONFIG = """Unable to parse config file: '{folder}/nextflow.config'
Compile failed for sources FixedSetSources[name='/groovy/script/Script09A3F243A9275249AB2E56015B7DDED4']. Cause: \
org.codehaus.groovy.control.MultipleCompilationErrorsException: startup failed:
/groovy/script/Script09A3F243A9275249AB2E56015B7DDED4/_nf_config_60c72356: 1: Unexpected input: '{{' @ line 1, column 8.
   params {{ outdir = 'x'
          ^

1 error
"""
IN_MODULE = """Module compilation error
- file : {folder}/./modules/x.nf
- cause: Unexpected input: '{{' @ line 8, column 14.
   workflow FOO {{
                ^

1 error

NOTE: If this is the beginning of a process or workflow, there may be a syntax error in the body, such as a missing or \
extra comma, for which a more specific error message could not be produced.
startup failed:
Script_86ca08f793636367: 8: Unexpected input: '{{' @ line 8, column 14.
   workflow FOO {{
                ^

1 error
"""
IN_LIBRARY = """BUG! exception in phase 'semantic analysis' in source unit 'Script_057f6e82' The lookup for A caused a \
failed compilation. There should not have been any compilation from this call.
startup failed:
{folder}/lib/A.groovy: 2: Unexpected input: '{{' @ line 2, column 10.
     def x( {{
            ^

1 error
"""


def said(words: str, folder: Path, place: object = None) -> DefinitionError:
    return invalid(words.format(folder=folder), folder, MAIN, "24.10.0", place)


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (IN_CONFIG, ("nextflow.config", 1, 8)),
        (IN_MODULE, ("modules/x.nf", 8, 14)),
        (IN_LIBRARY, ("lib/A.groovy", 2, 10)),
    ],
)
def test_a_fault_names_the_file_the_line_and_the_compilers_sentence_once(
    tmp_path: Path, words: str, place: tuple[str, int, int]
) -> None:
    error = said(words, tmp_path)

    (fault,) = error.faults
    assert (fault.file, fault.line, fault.column) == place
    assert fault.message == "Unexpected input: '{'"
    assert error.message.count("Unexpected") == 1
    for inside in ("Script", "Exception", "startup", "_nf_config", str(tmp_path)):
        assert inside not in f"{error.message} {error.hint}"
    assert "24.10.0" in str(error.hint)


def test_an_included_configuration_is_found_by_the_line_that_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "nextflow.config").write_text("includeConfig 'conf/a.config'\n")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/a.config").write_text("params { outdir = 'x'\n")

    assert said(IN_CONFIG, tmp_path).faults[0].file == "conf/a.config"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "Can't find a matching module file for include: ./x",
            "it includes './x', and the workflow has no such script",
        ),
        (
            "Unable to read script: '{folder}/main.nf' -- cause: Can't find a matching module file for include: ./x",
            "it includes './x', and the workflow has no such script",
        ),
        (
            "Cannot find a component with name 'X' in module: {folder}/./x.nf\n\nDid you mean any of these?\n  Y\n",
            "it includes 'X' from x.nf, which has no such process, workflow or function",
        ),
    ],
)
def test_an_include_that_leads_nowhere_is_told_at_its_line(tmp_path: Path, words: str, message: str) -> None:
    (tmp_path / "main.nf").write_text("\n// include { X } from './x'\ninclude { X } from './x'\n")

    (fault,) = said(words, tmp_path).faults

    assert (fault.file, fault.line, fault.message) == ("main.nf", 3, message)


def test_a_missing_configuration_is_told_where_it_is_included(tmp_path: Path) -> None:
    (tmp_path / "nextflow.config").write_text('\nincludeConfig "${projectDir}/conf/none.config"\n')
    words = (
        "Unable to parse config file: '{folder}/nextflow.config'\nConfig file does not exist: {folder}/conf/none.config"
    )

    (fault,) = said(words, tmp_path).faults

    assert (fault.file, fault.line) == ("nextflow.config", 2)
    assert "'conf/none.config'" in fault.message


def test_an_error_while_reading_has_the_line_that_was_being_read(tmp_path: Path) -> None:
    words = (
        "Unable to parse config file: '{folder}/nextflow.config'\nNo signature of method: "
        "groovy.util.ConfigObject.plus() is applicable for argument types: (Integer) values: [1]\n"
        "Possible solutions: plus(java.lang.String), values()"
    )

    (fault,) = said(words, tmp_path, {"file": f"{tmp_path}/nextflow.config", "line": 2}).faults

    assert str(fault) == "nextflow.config:2: a name that is set nowhere is used as a value (plus)"


def test_a_class_that_is_not_there_is_named_though_its_place_is_on_the_next_line(tmp_path: Path) -> None:
    (fault,) = said(
        "startup failed:\nScript_86ca08f7: 3: unable to resolve class Foo\n @ line 3, column 9.", tmp_path
    ).faults

    assert str(fault) == "main.nf:3:9: unable to resolve class Foo"


@given(st.text(max_size=400))
def test_whatever_is_said_there_is_a_fault_with_a_sentence(words: str) -> None:
    error = invalid(words, Path("/nowhere"), MAIN, "24.10.0")

    assert error.faults
    assert all(one.message for one in error.faults)
    assert sentence(words, Path("/nowhere"))
