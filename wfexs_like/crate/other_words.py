"""Other words: metadata of the second generation of profiles, said in the words of the first.

The shapes of the run profiles are those of the first generation alone. The entities are the same, so that it takes the
context, the profiles' addresses, and Workflow RO-Crate declared by the descriptor, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from wfexs_like.crate.contexts import CONTEXT_FILES
from wfexs_like.crate.generations import FIRST, SECOND
from wfexs_like.crate.graph import METADATA, ROOT

_ADDRESSES = {
    SECOND.ro_crate: FIRST.ro_crate,
    SECOND.workflow_ro_crate: FIRST.workflow_ro_crate,
    **dict(zip(SECOND.runs, FIRST.runs, strict=True)),
}


def in_first_words(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same crate as one of the first generation. What isn't a second one's stays as it is."""
    entities = [_entity(one) if isinstance(one, dict) else one for one in document.get("@graph", [])]
    by_id = {one.get("@id"): one for one in entities if isinstance(one, dict)}
    descriptor = by_id.get(METADATA) or by_id.get(f"./{METADATA}")
    about = descriptor.get("about") if descriptor is not None else None
    root = by_id.get(about.get("@id", ROOT) if isinstance(about, dict) else ROOT, {})
    if descriptor is not None and _declares(root, FIRST.workflow_ro_crate):
        descriptor["conformsTo"] = [*_values(descriptor.get("conformsTo")), {"@id": FIRST.workflow_ro_crate}]
    return {**document, "@context": _context(document.get("@context")), "@graph": entities}


def _context(stated: Any) -> list[Any]:
    """The first's context, the terms that only the second's has, and then whatever the crate itself defines."""
    parts: list[Any] = []
    for one in _values(stated):
        if isinstance(one, str) and one.rstrip("/") == SECOND.context:
            parts += [FIRST.context, _only_second()]
        else:
            parts.append(one)
    return parts


def _only_second() -> dict[str, Any]:
    first, second = (
        json.loads(CONTEXT_FILES[one].read_text(encoding="utf-8"))["@context"]
        for one in (FIRST.context, SECOND.context)
    )
    return {term: meaning for term, meaning in second.items() if term not in first and not term.startswith("@")}


def _entity(entity: dict[str, Any]) -> dict[str, Any]:
    return {name: _moved(value) for name, value in entity.items()}


def _moved(value: Any) -> Any:
    if isinstance(value, str):
        return _ADDRESSES.get(value, value)
    if isinstance(value, list):
        return [_moved(one) for one in value]
    if isinstance(value, dict) and isinstance(value.get("@id"), str):
        return {**value, "@id": _ADDRESSES.get(value["@id"], value["@id"])}
    return value


def _declares(entity: Mapping[str, Any], address: str) -> bool:
    return {"@id": address} in _values(entity.get("conformsTo"))


def _values(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, list) else [value]
