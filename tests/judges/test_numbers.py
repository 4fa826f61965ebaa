"""What the crates of the examples tell: the questions that they answer, and their points on the scorecard.

What is lacking is named row by row, so that whatever is told some day shows here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT, Command
from tests.support.competency import QUESTIONS, answers
from tests.support.scorecard import Crate, points, score

EXAMPLES = ROOT / "workflow_examples"
PERSON = '[person]\nname = "Ada"\norcid = "0000-0002-1825-0097"\naffiliation = "Analytical Engines"\n'
IMAGES = "1 which container images"
RECIPES = "4 which environment files"
CONFIGURATION = "3 which configuration files"

pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("variant-calling", marks=[pytest.mark.cwltool, pytest.mark.variants]),
        pytest.param("variant-calling-nextflow", marks=[pytest.mark.nextflow, pytest.mark.variants]),
    ],
)
def test_what_the_variant_calling_tells_without_containers(wfexs: Command, tmp_path: Path, name: str) -> None:
    (tmp_path / "config.toml").write_text(PERSON)
    staged = wfexs.ok("stage", EXAMPLES / name / f"{name}.wfex.stage")["id"]
    wfexs.ok("run", staged)
    mine = ("--config", tmp_path / "config.toml", "--retrospective")
    wfexs.ok("crate", staged, tmp_path / "crate", "--engine-configuration", "--no-validate", *mine)
    wfexs.ok("crate", staged, tmp_path / "plain", "--no-validate", *mine)
    wfexs.ok("crate", staged, tmp_path / "second", "--wrroc", "0.6", "--engine-configuration", "--no-validate", *mine)

    # No container was used, so that no image can be told.
    for crate in ("crate", "second"):
        found = answers(tmp_path / crate)
        assert {one for one in QUESTIONS if not found[one]} <= {IMAGES, RECIPES}
    # Without the switch the validator's shape is met, and the files are about the engine's action.
    assert not answers(tmp_path / "plain")[CONFIGURATION]

    rows = score(Crate(tmp_path / "crate"))
    lacking = {row: why for row, (points, why) in rows.items() if points < 2}
    assert len(rows) == 21
    assert rows["ENV3 container image"][0] == 0
    assert points(rows) >= 33, lacking
    assert {row.split()[0] for row in lacking} <= {"SC2", "SW2", "SW3", "WF1", "ENV1", "ENV3", "EX2"}, lacking


def test_a_crate_that_tells_nothing_has_no_points(tmp_path: Path) -> None:
    (tmp_path / "ro-crate-metadata.json").write_text(
        '{"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": [{"@id": "./", "@type": "Dataset"}]}'
    )
    assert points(score(Crate(tmp_path))) == 0
    assert not any(answers(tmp_path).values())
