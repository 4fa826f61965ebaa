"""What ``convert`` makes of a real crate, as its judges see it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rdflib import Graph

from tests.support.biocompute import faults
from tests.support.prov_documents import read_prov_json, violations
from wfexs_like.converting.converting import convert
from wfexs_like.reading.recount import read_account

_WHAT_MADE_WHAT = """
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX wfprov: <http://purl.org/wf4ever/wfprov#>
PREFIX cwlprov: <https://w3id.org/cwl/prov#>
SELECT ?step ?in ?out WHERE {
    ?run a wfprov:WorkflowRun .
    ?a wfprov:wasPartOfWorkflowRun ?run ; <urn:wfexs-like:terms:step> ?step ; prov:used/cwlprov:basename ?in .
    ?made prov:wasGeneratedBy ?a ; cwlprov:basename ?out .
}"""


def converted(crate: Path) -> tuple[set[tuple[str, ...]], dict[str, Any]]:
    """Of each step what it made of which file, by PROV-O, and the BioCompute Object: both forms hold by their rules."""
    account, now = read_account(crate), datetime.now(UTC)
    turtle = "".join(convert(account, "prov", moment=now).pieces)
    made = {tuple(map(str, row)) for row in Graph().parse(data=turtle, format="turtle").query(_WHAT_MADE_WHAT)}
    assert violations(read_prov_json("".join(convert(account, "prov", form="json", moment=now).pieces))) == []
    bco = json.loads("".join(convert(account, "bco", moment=now).pieces))
    assert faults(bco) == []
    return made, bco
