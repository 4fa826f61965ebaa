"""What a trial run shows, by what is known of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engines.execution import Attempt, Execution, ImageUsed, Status
from wfexs_like.flow.prove import verdict_of

GOOD = Execution(
    run=0,
    uuid="6f1c",
    status=Status.COMPLETED,
    engine="cwltool",
    engine_version="3.3",
    network="namespace",
    watched=True,
)
STARTED = ImageUsed(name="tools", digest="1" * 64, id="2" * 64, started=True)
TRIED = Attempt(protocol="tcp", address="192.0.2.9", port=443, name=None)


@pytest.mark.parametrize(
    ("execution", "verdict"),
    [
        (GOOD, "proven"),
        (replace(GOOD, images=(STARTED,), containers_watched=True), "proven"),
        (replace(GOOD, images=(replace(STARTED, started=False),), containers_watched=False), "proven"),
        (replace(GOOD, watched=False), "isolated"),
        (replace(GOOD, images=(STARTED,), containers_watched=False), "isolated"),
        (replace(GOOD, images=(STARTED,)), "isolated"),
        (replace(GOOD, watched=False, images=(STARTED,), containers_watched=True), "isolated"),
        (replace(GOOD, attempts=(TRIED,)), "not-proven"),
        (replace(GOOD, watched=False, attempts=(TRIED,)), "not-proven"),
        (replace(GOOD, attempts_unlisted=1), "not-proven"),
        (replace(GOOD, network="none", watched=False), "not-proven"),
        (replace(GOOD, status=Status.FAILED), "not-proven"),
    ],
)
def test_only_a_watched_trial_that_tried_nothing_is_proof(execution: Execution, verdict: str) -> None:
    assert verdict_of(execution).value == verdict
