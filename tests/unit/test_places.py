"""A fault that is found late is told at the place in the stage file that it is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from staging.definition import Source, StageDefinition
from staging.errors import Fault
from staging.identifiers import Identifier
from staging.places import placed

PATHS = ("profile", "workflow_config.nextflow.profile")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nprofile: nix\n", "s.yaml:2:10: profile: gone"),
        ("workflow_config:\n  nextflow:\n    profile: nix\n", "s.yaml:3:14: workflow_config.nextflow.profile: gone"),
        ("workflow_config: 1\n", "s.yaml: profile: gone"),
        ("a: [", "s.yaml: profile: gone"),
    ],
)
def test_the_place_is_that_of_the_first_key_that_is_there(text: str, told: str) -> None:
    source = Source(mirrors=(Identifier.parse("main.nf"),))
    definition = StageDefinition(workflow=source, base=Path("/"), file="s.yaml", text=text)

    assert str(placed(Fault(file="", where="profile", message="gone"), definition, PATHS)) == told
