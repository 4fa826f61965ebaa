"""PDF: the times at which it was made, and the identifiers made of them, don't count.

Source: ISO 32000-1, 14.3.3 (CreationDate, ModDate), 14.4 (ID); XMP. What is in compressed objects counts.
"""

from __future__ import annotations

import re
from typing import Final

from wfexs_like.comparing.sources import Source
from wfexs_like.comparing.verdicts import Comparison, different, equivalent

LARGEST: Final = 128 << 20
_STRING: Final = rb"(?:\((?:\\.|[^\\()]){0,200}\)|<[0-9A-Fa-f\s]{0,400}>)"
_MADE: Final = (
    ("CreationDate and ModDate", re.compile(rb"/(?:CreationDate|ModDate)\s{0,4}" + _STRING, re.DOTALL)),
    ("ID", re.compile(rb"/ID\s{0,4}\[\s{0,4}" + _STRING + rb"\s{0,4}" + _STRING + rb"\s{0,4}\]", re.DOTALL)),
    (
        "XMP times and identifiers",
        re.compile(
            rb"<(xmp:(?:CreateDate|ModifyDate|MetadataDate)|xmpMM:(?:DocumentID|InstanceID))>[^<]{0,200}</\1>"
            rb"|(?:xmp:(?:CreateDate|ModifyDate|MetadataDate)|xmpMM:(?:DocumentID|InstanceID))=\"[^\"]{0,200}\""
        ),
    ),
)


def compare_pdf(a: Source, b: Source) -> Comparison:
    """Two PDF documents."""
    ours, theirs = a.whole(LARGEST), b.whole(LARGEST)
    reasons = []
    for name, pattern in _MADE:
        if pattern.findall(ours) and [m[0] for m in pattern.finditer(ours)] != [m[0] for m in pattern.finditer(theirs)]:
            reasons.append(name)
        ours, theirs = pattern.sub(b"", ours), pattern.sub(b"", theirs)
    if ours == theirs:
        return equivalent(*(f"{one} differ" if one != "ID" else "ID differs" for one in reasons))
    return different("what is in it differs")
