"""JUnit: verdicts on a crate as the XML that continuous integration reads, a suite for each profile.

A check that has to be met fails its test case; what is only told stands in its output, and one that no crate can meet
is skipped with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from xml.etree import ElementTree as ET

from wfexs_like.crate.report_types import Check, Validation, ValidationIssue
from wfexs_like.junit import as_bytes, plain

_SEVERITIES: Final = ("required", "recommended", "optional")


def junit(crate: str, verdicts: Iterable[Validation]) -> bytes:
    """The document. ``crate`` is what the crate is called."""
    document = ET.Element("testsuites", name=plain(f"validate {crate}"))
    for one in verdicts:
        document.append(_suite(crate, one))
    return as_bytes(document)


def _suite(crate: str, verdict: Validation) -> ET.Element:
    suite = ET.Element("testsuite", name=verdict.profile)
    said: dict[str, list[ValidationIssue]] = {}
    for issue in verdict.issues:
        said.setdefault(issue.check, []).append(issue)
    made = {one.identifier: one for one in verdict.checks}
    for name, issues in said.items():
        made.setdefault(name, Check(identifier=name, name=name, severity=issues[0].severity))
    for check in made.values():
        suite.append(_case(verdict, check, said.get(check.identifier, []), _SEVERITIES.index(verdict.level)))
    suite.set("tests", str(len(made)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    suite.set("errors", "0")
    properties = ET.Element("properties")
    for key, value in _properties(crate, verdict).items():
        ET.SubElement(properties, "property", name=key, value=plain(value))
    suite.insert(0, properties)
    return suite


def _properties(crate: str, verdict: Validation) -> Mapping[str, str]:
    told = {"crate": crate, "level": verdict.level}
    return told if verdict.judged is None else {**told, "judged by": verdict.judged}


def _case(verdict: Validation, check: Check, issues: list[ValidationIssue], counted: int) -> ET.Element:
    case = ET.Element("testcase", classname=verdict.profile, name=plain(f"{check.identifier} {check.name}"))
    text = "\n".join(f"{one.entity}: {one.message}" if one.entity else one.message for one in issues)
    known = verdict.known.get(check.identifier)
    if check.skipped is not None:
        ET.SubElement(case, "skipped", message=plain(check.skipped))
    elif issues and known is not None:
        ET.SubElement(case, "skipped", message=plain(f"known and unavoidable: {known}"))
    elif issues and _SEVERITIES.index(issues[0].severity) <= counted:
        failure = ET.SubElement(case, "failure", type=issues[0].severity, message=plain(issues[0].message))
        failure.text = plain(text)
    elif issues:
        ET.SubElement(case, "system-out").text = plain(f"{issues[0].severity}:\n{text}")
    return case
