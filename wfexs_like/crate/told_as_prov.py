"""PROV in the crate: what its metadata tell, said as W3C PROV beside them.

It is made of the very graph that is written, so it tells nothing that the metadata don't; where they are sealed, it is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from wfexs_like.crate.graph import ROOT, Ref
from wfexs_like.crate.prospective import Prospective

PROV_FILES: Final = (
    ("provenance/prov.ttl", "turtle", "text/turtle", "PROV-O in Turtle"),
    ("provenance/prov.json", "json", "application/json", "PROV-JSON"),
)


def add_prov(ground: Prospective, *, wished: bool) -> None:
    """Put it in where it is wished; all that it shall tell of must be in the graph by now."""
    if not wished:
        return
    from wfexs_like.converting.converting import convert
    from wfexs_like.reading.metadata import parse_metadata
    from wfexs_like.reading.recount import recount

    account = recount(parse_metadata(ground.graph.serialise()), None)
    for path, form, encoding, name in PROV_FILES:
        text = "".join(convert(account, "prov", form=form, moment=datetime.now(UTC)).pieces)
        entity = ground.data.made(path, text.encode(), name=f"what this crate tells, as {name}", encoding=encoding)
        entity.set("description", "The same as in the metadata of this crate, in the words of W3C PROV.")
        # What is about a run itself is a log of it.
        entity.set("about", Ref(ROOT))
