"""SARIF: verdicts on a crate as code scanners tell them, a run for each profile.

A result names the metadata file as its physical place and the entity as its logical one. What no crate can meet is
suppressed, with the reason. Source: SARIF 2.1.0 (OASIS Standard, 27 March 2020).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from staging.plan import Json
from wfexs_like.crate.graph import METADATA
from wfexs_like.crate.report_types import Check, Validation, ValidationIssue

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_PAGE: Final = "https://github.com/crs4/rocrate-validator"
_SEVERITIES: Final = ("required", "recommended", "optional")


def sarif(crate: Path, verdicts: Iterable[Validation], *, version: str) -> bytes:
    """The document. ``version`` is that of this program."""
    runs = [_run(crate, one, version) for one in verdicts]
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": runs}
    return json.dumps(document, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _run(crate: Path, verdict: Validation, version: str) -> dict[str, Json]:
    rules = {one.identifier: _rule(one) for one in verdict.checks}
    for issue in verdict.issues:
        found = Check(identifier=issue.check, name=issue.check, severity=issue.severity)
        rules.setdefault(issue.check, _rule(found))
    index = {name: number for number, name in enumerate(rules)}
    place = quote(crate.as_posix())
    artifacts: list[Json] = [{"location": {"uri": place}}]
    if crate.is_dir():
        artifacts = [{"location": {"uri": f"{place}/{METADATA}"}}]
    else:
        artifacts.append({"location": {"uri": METADATA}, "parentIndex": 0})
    where: dict[str, Json] = {"uri": _uri(artifacts[-1]), "index": len(artifacts) - 1}
    skipped: list[Json] = [
        {
            "level": "warning",
            "message": {"text": f"{one.identifier} was not checked: {one.skipped}"},
            "associatedRule": {"id": one.identifier, "index": index[one.identifier]},
        }
        for one in verdict.skipped
    ]
    return {
        "tool": {
            "driver": {
                "name": "wfexs-like validate",
                "version": version,
                "informationUri": _PAGE,
                "rules": list(rules.values()),
            }
        },
        "automationDetails": {"id": f"validate/{verdict.profile}/"},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": skipped}],
        "artifacts": artifacts,
        "results": [_result(verdict, one, index, where) for one in verdict.issues],
        "properties": {
            "profile": verdict.profile,
            "level": verdict.level,
            "passed": verdict.passed,
            **({} if verdict.judged is None else {"judgedBy": verdict.judged}),
        },
    }


def _uri(artifact: Json) -> str:
    assert isinstance(artifact, Mapping)
    location = artifact["location"]
    assert isinstance(location, Mapping)
    return str(location["uri"])


def _level(severity: str) -> str:
    return {"required": "error", "recommended": "warning"}.get(severity, "note")


def _rule(check: Check) -> dict[str, Json]:
    return {
        "id": check.identifier,
        "name": check.name,
        "shortDescription": {"text": check.name},
        "defaultConfiguration": {"level": _level(check.severity)},
        "properties": {"severity": check.severity},
    }


def _result(
    verdict: Validation, issue: ValidationIssue, index: Mapping[str, int], where: Mapping[str, Json]
) -> dict[str, Json]:
    location: dict[str, Json] = {"physicalLocation": {"artifactLocation": dict(where)}}
    if issue.entity is not None:
        location["logicalLocations"] = [{"name": issue.entity, "fullyQualifiedName": issue.entity, "kind": "object"}]
    counts = _SEVERITIES.index(issue.severity) <= _SEVERITIES.index(verdict.level)
    result: dict[str, Json] = {
        "ruleId": issue.check,
        "ruleIndex": index[issue.check],
        "kind": "fail",
        # What has to be met is an error, whatever the profile calls it.
        "level": "error" if counts else _level(issue.severity),
        "message": {"text": issue.message or issue.check},
        "locations": [location],
    }
    known = verdict.known.get(issue.check)
    if known is not None:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": known}]
    return result
