"""What ``validate`` writes for continuous integration is what its readers read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from tests.conftest import Command
from tests.support.crates import usual_workdir
from wfexs_like.crate.export import export_crate
from wfexs_like.crate.graph import METADATA
from wfexs_like.crate.junit import junit
from wfexs_like.crate.report_types import Check, Validation, ValidationIssue
from wfexs_like.crate.sarif import sarif

VERDICT = Validation(
    profile="some-profile",
    passed=False,
    required=1,
    recommended=2,
    issues=(
        ValidationIssue(severity="required", check="p_1", entity="./", message="no <licence> & \x00 \ud800 more"),
        ValidationIssue(severity="recommended", check="p_2", entity=None, message="no author"),
        ValidationIssue(severity="recommended", check="p_3", entity="#a", message="no address"),
    ),
    known={"p_3": "nobody has one"},
    checks=(
        *(Check(identifier=f"p_{one}", name=f"check {one}", severity="required") for one in (1, 4)),
        Check(identifier="p_5", name="check 5", severity="optional", skipped="it was too late"),
    ),
)
# As much of the SARIF 2.1.0 schema as what is written uses; names that the standard doesn't know are refused.
TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
PLACE = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"uri": {"type": "string", "format": "uri-reference"}, "index": {"type": "integer", "minimum": 0}},
}
RULE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "name": {"type": "string"},
        "shortDescription": TEXT,
        "defaultConfiguration": {"properties": {"level": {"enum": ["none", "note", "warning", "error"]}}},
        "properties": {"type": "object"},
    },
}
RESULT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["message"],
    "properties": {
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": 0},
        "kind": {"enum": ["notApplicable", "pass", "fail", "review", "open", "informational"]},
        "level": {"enum": ["none", "note", "warning", "error"]},
        "message": TEXT,
        "locations": {
            "items": {
                "additionalProperties": False,
                "properties": {
                    "physicalLocation": {"additionalProperties": False, "properties": {"artifactLocation": PLACE}},
                    "logicalLocations": {
                        "items": {
                            "additionalProperties": False,
                            "properties": {one: {"type": "string"} for one in ("name", "fullyQualifiedName", "kind")},
                        }
                    },
                },
            }
        },
        "suppressions": {
            "items": {
                "additionalProperties": False,
                "required": ["kind"],
                "properties": {
                    "kind": {"enum": ["inSource", "external"]},
                    "status": {"enum": ["accepted", "underReview", "rejected"]},
                    "justification": {"type": "string"},
                },
            }
        },
    },
}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["tool"],
                "properties": {
                    "tool": {
                        "required": ["driver"],
                        "properties": {"driver": {"properties": {"rules": {"items": RULE}}}},
                    },
                    "automationDetails": {"additionalProperties": False, "properties": {"id": {"type": "string"}}},
                    "invocations": {"items": {"required": ["executionSuccessful"]}},
                    "artifacts": {"items": {"properties": {"location": PLACE, "parentIndex": {"type": "integer"}}}},
                    "results": {"items": RESULT},
                    "properties": {"type": "object"},
                },
            }
        },
    },
}


def test_junit_counts_what_has_to_be_met_as_failures_and_tells_the_rest() -> None:
    suite = ET.fromstring(junit("a & b", [VERDICT]))[0]
    assert suite.attrib == {"name": "some-profile", "tests": "5", "failures": "1", "skipped": "2", "errors": "0"}
    cases = {one.get("name", "").split()[0]: one for one in suite.findall("testcase")}
    failure = cases["p_1"].find("failure")
    assert failure is not None
    assert failure.get("message") == "no <licence> & \ufffd \ufffd more"
    assert failure.text == "./: no <licence> & \ufffd \ufffd more"
    assert [one.tag for one in cases["p_2"]] == ["system-out"]
    assert [(one.tag, one.get("message")) for one in cases["p_3"]] == [
        ("skipped", "known and unavoidable: nobody has one")
    ]
    assert list(cases["p_4"]) == []
    assert [(one.tag, one.get("message")) for one in cases["p_5"]] == [("skipped", "it was too late")]


def test_with_a_level_a_recommended_check_is_a_failure_too() -> None:
    held = replace(VERDICT, level="recommended")
    assert ET.fromstring(junit("a", [held])).get("failures") == "2"
    (run,) = json.loads(sarif(Path("a.zip"), [held], version="1"))["runs"]
    assert [one["level"] for one in run["results"]] == ["error", "error", "error"]


@pytest.mark.parametrize("folder", [True, False])
def test_sarif_names_the_metadata_and_the_entity_of_each_finding(tmp_path: Path, folder: bool) -> None:
    crate = tmp_path / "a crate"
    if folder:
        crate.mkdir()
    document = json.loads(sarif(crate, [VERDICT], version="1"))
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    (run,) = document["runs"]
    first = run["results"][0]
    place = first["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place["uri"].endswith(f"a%20crate/{METADATA}" if folder else METADATA)
    assert run["artifacts"][place["index"]]["location"]["uri"] == place["uri"]
    assert first["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "./"
    assert [one["level"] for one in run["results"]] == ["error", "warning", "warning"]
    assert [one["ruleId"] for one in run["results"]] == [
        run["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] for one in run["results"]
    ]
    assert "logicalLocations" not in run["results"][1]["locations"][0]
    assert run["results"][2]["suppressions"][0]["justification"] == "nobody has one"
    (skipped,) = run["invocations"][0]["toolExecutionNotifications"]
    assert "p_5" in skipped["message"]["text"]


def test_the_second_generation_is_written_judged_and_told(wfexs: Command, tmp_path: Path, alike: Path) -> None:
    from wfexs_like.crate.generations import SECOND

    crate = tmp_path / "crate"
    report = export_crate(
        usual_workdir(tmp_path, runs=1).subject(),
        crate,
        kind="retrospective",
        cache=alike,
        generation=SECOND,
    )
    assert report.validation is not None
    assert (report.validation.required, report.validation.passed) == (0, True)
    metadata = json.loads((crate / METADATA).read_text())
    entities = {one["@id"]: one for one in metadata["@graph"]}
    assert metadata["@context"][0] == "https://w3id.org/ro/crate/1.3/context"
    assert entities[METADATA]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.3"}
    assert {one["@id"].rpartition("/")[2] for one in entities["./"]["conformsTo"]} == {"0.6", "1.1"}
    assert not any("softwareVersion" in one for one in entities.values())
    # What only the shapes of the run profiles see is seen in the copy, what only RO-Crate 1.3's see in the crate.
    run = next(one for one in entities.values() if one["@type"] == "CreateAction")
    run["instrument"] = {"@id": "#nobody"}
    for one in entities.values():
        if "Profile" in one["@type"]:
            one["@type"] = "CreativeWork"
    (crate / METADATA).write_text(json.dumps(metadata))
    (tmp_path / "j.xml").write_text("one of before")
    told = wfexs("validate", crate, "--json", "--junit", tmp_path / "j.xml", "--sarif", tmp_path / "s.json")
    assert told.code == 9
    (verdict,) = told.object["verdicts"]
    assert verdict["profile"] == "workflow-run-crate-0.6"
    assert "ro-crate-1.3 as it is written" in verdict["judged"]
    failed = {one["check"].partition("_")[0] for one in verdict["issues"] if one["severity"] == "required"}
    assert {"ro-crate-1.2", "workflow-run-crate-0.5"} <= failed
    assert not any(one["check"].startswith("ro-crate-1.1") for one in verdict["issues"])
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads((tmp_path / "s.json").read_text()))
    assert int(ET.parse(tmp_path / "j.xml").getroot().get("failures", "0")) == verdict["required"]
