"""What a crate has to include, so that others can import it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from staging.fingerprints import Fingerprint
from staging.plan import Kind, PlanItem, Role, Trust
from wfexs_like.crate.portable import lacking, to_include

LOCAL = PlanItem(
    role=Role.INPUT,
    name="text",
    identifier="./text.txt",
    pinned="file:///data/text.txt",
    kind=Kind.FILE,
    fingerprint=Fingerprint.of_bytes(b"text"),
    size=4,
    trust=Trust.FIRST_USE,
    path=PurePosixPath("inputs/text/text.txt"),
)
WEB = replace(LOCAL, identifier="https://example.org/text.txt", pinned="https://example.org/text.txt")
DOCUMENT = replace(LOCAL, role=Role.WORKFLOW, path=PurePosixPath("workflow/main.cwl"))
FOLDER = replace(DOCUMENT, kind=Kind.DIRECTORY, path=PurePosixPath("workflow"))
ENGINE = replace(LOCAL, role=Role.ENGINE, path=None)


@pytest.mark.parametrize(
    ("items", "include", "more"),
    [
        pytest.param([LOCAL, FOLDER], set(), ("inputs", "workflow"), id="of this machine"),
        pytest.param([LOCAL, FOLDER], {"outputs", "workflow"}, ("inputs",), id="in part included"),
        pytest.param([LOCAL, FOLDER], {"inputs", "workflow"}, (), id="included"),
        pytest.param([WEB, replace(FOLDER, pinned="git+https://example.org/w@0123")], set(), (), id="of the web"),
        pytest.param([replace(WEB, pinned="file:///mirror/text.txt")], set(), (), id="asked of the web"),
        pytest.param([DOCUMENT, ENGINE], set(), (), id="in every crate"),
        pytest.param([replace(LOCAL, clonable=False), replace(LOCAL, disclosable=False)], set(), (), id="in no crate"),
    ],
)
def test_what_is_of_one_machine_has_to_be_included(
    items: list[PlanItem], include: set[str], more: tuple[str, ...]
) -> None:
    assert lacking(items, include) == more


def test_an_engine_is_in_no_crate_whatever_is_included() -> None:
    assert to_include([ENGINE]) == ()
