"""An error is told once: what its message says already is not said again as a fault."""

from __future__ import annotations

import pytest

from staging.errors import DefinitionError, Fault
from wfexs_like.cli.failures import _text

PLACED = Fault(file="main.nf", where="", message="it is broken", line=3, hint="mend it")
UNPLACED = Fault(file="s.yaml", where="", message="can't be opened")


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (DefinitionError((UNPLACED,), message="s.yaml: can't be opened"), 1),
        (DefinitionError((PLACED,), message=str(PLACED)), 1),
        (DefinitionError((PLACED,), message="main.nf:3: it is broken", hint="mend it"), 2),
        (DefinitionError((PLACED,), message="it is broken"), 2),
        (DefinitionError((PLACED,)), 2),
        (DefinitionError((PLACED, UNPLACED)), 3),
    ],
)
def test_a_fault_that_the_message_tells_whole_is_not_repeated(error: DefinitionError, lines: int) -> None:
    text = _text(error)

    assert len(text.splitlines()) == lines
    assert all(one.message in text for one in error.faults)


def test_a_fault_without_a_path_into_its_document_has_none_in_json() -> None:
    error = DefinitionError((UNPLACED,))

    assert error.as_json()["where"] is None
    assert UNPLACED.as_json()["where"] is None


def test_the_hint_of_the_only_fault_is_told_once_and_as_a_hint() -> None:
    fault = Fault(file="--param", where="nope", message="there is no input 'nope'", hint="its inputs are text")
    told = _text(DefinitionError((fault,), message="--param does not fit: there is no input 'nope'"))
    assert told.splitlines()[1:] == ["wfexs-like: hint: its inputs are text"]
