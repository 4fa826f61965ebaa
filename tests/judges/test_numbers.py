"""Nothing is counted that isn't told. Crates of the examples are judged where they are made (``support.scores``)."""

from __future__ import annotations

from pathlib import Path

from tests.support.competency import answers
from tests.support.scorecard import Crate, points, score


def test_a_crate_that_tells_nothing_has_no_points(tmp_path: Path) -> None:
    (tmp_path / "ro-crate-metadata.json").write_text(
        '{"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": [{"@id": "./", "@type": "Dataset"}]}'
    )
    assert points(score(Crate(tmp_path))) == 0
    assert not any(answers(tmp_path).values())
