"""Survey: what staging would fetch, without fetching the inputs; sizes and risks as far as sources tell them."""

from __future__ import annotations

from collections.abc import Iterator

from staging import surveying
from staging.surveying import Surveyed
from staging.wanted import StagedItem
from wfexs_like.flow.image_staging import survey_images
from wfexs_like.flow.stage import engine_items, prepare
from wfexs_like.flow.work import StageWork
from wfexs_like.results import ItemReport, report_item


def survey(work: StageWork) -> Iterator[ItemReport]:
    """The items of the plan-to-be: the workflow and engine as they are, the inputs as their sources describe them.

    Of a container image the manifest tells.
    """
    prepared = prepare(work)
    known: tuple[StagedItem, ...] = (
        *prepared.workflow.items,
        *engine_items(prepared.workflow, work.definition, work.locked),
    )
    for one in known:
        yield report_item(one)
    wanted = (*prepared.inputs.wanted, *prepared.environment.wanted)
    for surveyed in surveying.survey(work.stager, wanted, work.definition.base, locked=work.locked):
        yield _report(surveyed)
    yield from survey_images(work, prepared.images)


def _report(surveyed: Surveyed) -> ItemReport:
    risks = []
    if surveyed.sha256 is None:
        risks.append("no digest stated: trusted on first use")
    if surveyed.mutable and surveyed.sha256 is None:
        risks.append("the identifier may mean something else tomorrow")
    return ItemReport(
        role=surveyed.role.value,
        name=surveyed.name,
        identifier=surveyed.identifier,
        pinned=surveyed.pinned,
        size=surveyed.size,
        sha256=surveyed.sha256,
        trust=surveyed.trust.value,
        source=surveyed.source,
        licences=surveyed.licences,
        risks=tuple(risks),
    )
