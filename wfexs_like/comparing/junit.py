"""JUnit: a comparison as the XML that continuous integration reads, a test case for each output and each question."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from wfexs_like.comparing.report import CompareReport, Difference
from wfexs_like.junit import as_bytes, plain

_OUTPUT = "output "


def junit(report: CompareReport) -> bytes:
    """The document. What can't be told is a failure, as it is for the verdict."""
    name = plain(f"compare {report.a.label} with {report.b.label}")
    document = ET.Element("testsuites", name=name)
    suite = ET.SubElement(document, "testsuite", name=name)
    asked = [one for one in report.differences if not one.what.startswith(_OUTPUT)]
    for one in asked:
        _fail(ET.SubElement(suite, "testcase", classname="run", name=plain(one.what)), one.what, one)
    if not asked:
        ET.SubElement(suite, "testcase", classname="run", name="workflow, inputs and status")
    for file in report.files:
        case = ET.SubElement(suite, "testcase", classname="output", name=plain(file.name))
        found = file.comparison
        if not found.same:
            where = f" ({found.where})" if found.where else ""
            _fail(case, found.reason + where, Difference(what=file.name, a=found.a, b=found.b))
        elif found.reason:
            ET.SubElement(case, "system-out").text = plain(f"{found.verdict}: {found.reason}")
    failures = len(suite.findall("testcase/failure"))
    for key, value in (("tests", len(suite)), ("failures", failures), ("errors", 0), ("skipped", 0)):
        suite.set(key, str(value))
    return as_bytes(document)


def _fail(case: ET.Element, message: str, one: Difference) -> None:
    failure = ET.SubElement(case, "failure", type="different", message=plain(message))
    if one.a is not None or one.b is not None:
        failure.text = plain(f"A: {one.a}\nB: {one.b}")
