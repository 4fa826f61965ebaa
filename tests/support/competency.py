"""The eleven competency questions of Workflow Run RO-Crate, as SPARQL that is asked of a crate's metadata.

What each demands is what the queries of the profiles' authors demand (``docs/sparql`` of workflow-run-crate); both
generations of profiles are asked, which name four terms by different addresses.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rdflib import Graph

from wfexs_like.crate.contexts import CONTEXT_FILES
from wfexs_like.crate.generations import SECOND, generation_of
from wfexs_like.crate.graph import METADATA

_PREFIXES: Final = """
PREFIX s: <http://schema.org/>
PREFIX dct: <http://purl.org/dc/terms/>
PREFIX run: <https://w3id.org/ro/terms/workflow-run#>
PREFIX codemeta: <https://codemeta.github.io/terms/>
"""
_FIRST_TERMS: Final = """
PREFIX bs: <https://bioschemas.org/>
PREFIX bsp: <https://bioschemas.org/ComputationalWorkflow#>
"""
# rdflib forgets the first of two prefixes that stand for the same.
_SECOND_TERMS: Final = """
PREFIX bs: <https://bioschemas.org/terms/>
"""
# The main workflow of a crate that says it is a Workflow RO-Crate (by the root or by the metadata's own entity), and
# its executions. Types are filters: as patterns they would be joined first, each with all others.
_RUN_OF_THE_WORKFLOW: Final = """
    ?root s:mainEntity ?workflow ; s:mentions ?execution .
    ?execution s:instrument ?workflow .
    FILTER EXISTS { ?root a s:Dataset } FILTER EXISTS { ?execution a s:CreateAction }
    FILTER EXISTS { ?workflow a bs:ComputationalWorkflow ; dct:conformsTo ?shape .
        FILTER STRSTARTS(STR(?shape), "https://bioschemas.org/profiles/ComputationalWorkflow/") }
    FILTER EXISTS { ?descriptor s:about ?root ; dct:conformsTo ?base .
        FILTER STRSTARTS(STR(?base), "https://w3id.org/ro/crate/") }
    FILTER EXISTS { ?descriptor s:about ?root ; dct:conformsTo|(s:about/dct:conformsTo) ?hub .
        FILTER STRSTARTS(STR(?hub), "https://w3id.org/workflowhub/workflow-ro-crate/") }
"""

QUESTIONS: Final[Mapping[str, str]] = {
    "1 which container images": f"""SELECT ?name ?tag ?digest ?kind WHERE {{ {_RUN_OF_THE_WORKFLOW}
        ?execution run:containerImage ?image .
        ?image a run:ContainerImage ; s:additionalType ?kind ; s:name ?name ; run:sha256 ?digest .
        OPTIONAL {{ ?image run:tag ?tag }} }}""",
    "2 how many resources": """SELECT ?action ?quantity ?unit ?value WHERE {
        ?action a s:CreateAction ; run:resourceUsage ?usage .
        ?usage a s:PropertyValue ; s:propertyID ?quantity ; s:value ?value .
        OPTIONAL { ?usage s:unitCode ?unit } }""",
    "3 which configuration files": """SELECT ?file WHERE {
        ?action a s:OrganizeAction ; s:object ?file .
        FILTER NOT EXISTS { ?file a s:ControlAction } }""",
    "4 which environment files": """SELECT ?step ?file ?format ?profile WHERE {
        ?workflow a s:HowTo, bs:ComputationalWorkflow ; s:step ?step .
        ?step a s:HowToStep ; codemeta:buildInstructions ?file .
        ?file a s:MediaObject .
        OPTIONAL { ?file s:encodingFormat ?format } OPTIONAL { ?file dct:conformsTo ?profile } }""",
    "5 how long a component took": """SELECT ?tool ?start ?end WHERE {
        ?action a s:CreateAction ; s:instrument ?tool ; s:startTime ?start ; s:endTime ?end .
        ?tool a s:SoftwareApplication }""",
    "6 how long the workflow took": """SELECT ?start ?end WHERE {
        ?action a s:CreateAction ; s:instrument ?workflow ; s:startTime ?start ; s:endTime ?end .
        ?workflow a bs:ComputationalWorkflow }""",
    "7 whether it was successful": """SELECT ?action ?status WHERE {
        ?action a s:CreateAction ; s:actionStatus ?status }""",
    "8 which inputs and outputs": """SELECT ?input ?output WHERE {
        ?workflow a bs:ComputationalWorkflow .
        ?action a s:CreateAction ; s:instrument ?workflow ; s:object ?input ; s:result ?output }""",
    "9 which version of a component": """SELECT ?name ?version WHERE {
        ?program a s:SoftwareApplication ; s:name ?name ; s:softwareVersion|s:version ?version }""",
    "10 which script wraps a component": """SELECT ?tool ?program ?version WHERE {
        ?action a s:CreateAction ; s:instrument ?tool .
        ?tool a s:SoftwareApplication ; s:softwareRequirements ?program ; s:mainEntity ?wrapped .
        ?program s:version ?version }""",
    "11 how parameters were used in tools": f"""SELECT ?name ?tool ?slot ?value WHERE {{ {_RUN_OF_THE_WORKFLOW}
        ?workflow bsp:input ?parameter ; s:step ?step .
        ?execution s:object ?given .
        ?given s:exampleOfWork ?parameter ; s:name|s:value ?value .
        ?parameter s:name ?name ; s:additionalType ?kind .
        ?link run:sourceParameter ?parameter ; run:targetParameter ?target .
        ?target s:name ?slot .
        ?program bsp:input ?target ; s:name ?tool .
        ?step s:workExample ?program .
        FILTER(?kind IN ("File", "Integer", "Text", "Boolean", "Float"))
        FILTER EXISTS {{ ?parameter a bs:FormalParameter }} FILTER EXISTS {{ ?target a bs:FormalParameter }}
        FILTER EXISTS {{ ?link a run:ParameterConnection }} FILTER EXISTS {{ ?step a s:HowToStep }}
        FILTER EXISTS {{ ?program a s:SoftwareApplication }} }}""",
}
"""What is asked, by number and a few words."""


def statements(crate: Path) -> Graph:
    """The metadata of a crate as RDF; contexts that are built in stand in for their addresses."""
    document: dict[str, Any] = json.loads((crate / METADATA).read_bytes())
    stated = document["@context"]
    parts = stated if isinstance(stated, list) else [stated]
    document["@context"] = [
        json.loads(CONTEXT_FILES[one].read_bytes())["@context"] if isinstance(one, str) else one for one in parts
    ]
    graph = Graph()
    with warnings.catch_warnings():
        # rdflib's own reader uses what it has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        graph.parse(data=json.dumps(document), format="json-ld", publicID="https://example.org/crate/")
    return graph


def answers(crate: Path) -> dict[str, list[tuple[str, ...]]]:
    """The rows that each question is answered with."""
    second = generation_of(json.loads((crate / METADATA).read_bytes())["@context"]) is SECOND
    graph = statements(crate)
    found = {}
    for name, query in QUESTIONS.items():
        asked = _PREFIXES + (_SECOND_TERMS + query.replace("bsp:", "bs:") if second else _FIRST_TERMS + query)
        found[name] = [tuple(str(value) for value in row) for row in graph.query(asked)]
    return found
