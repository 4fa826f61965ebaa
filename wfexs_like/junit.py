"""JUnit: what all reports have in common that are written as the XML that continuous integration reads.

Source: the schema of Jenkins' xUnit plugin (``junit-10.xsd``).
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET

_UNTELLABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def plain(text: str) -> str:
    """The text without characters that XML can't hold."""
    return _UNTELLABLE.sub("\ufffd", text)


def as_bytes(document: ET.Element) -> bytes:
    """The document, a ``testsuites``, whose numbers are the sums of those of its suites."""
    for name in ("tests", "failures", "skipped", "errors"):
        document.set(name, str(sum(int(suite.get(name, "0")) for suite in document)))
    ET.indent(document)
    content: bytes = ET.tostring(document, encoding="utf-8", xml_declaration=True)
    return content
