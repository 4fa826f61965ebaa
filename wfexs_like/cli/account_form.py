"""The JSON form of an account: what scripts read of a crate. Items stand once, by @id, and are named by it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from wfexs_like.reading.account import (
    Account,
    Agent,
    Execution,
    Image,
    Item,
    Parameter,
    Quantity,
    Run,
    Slot,
    Software,
    Workflow,
)


def account_form(account: Account) -> dict[str, Any]:
    """All of it."""
    items: dict[str, Item] = {}
    workflow = _workflow(account.workflow, items) if account.workflow is not None else None
    runs = [_run(one, items) for one in account.runs]
    data = _ids(account.data, items)
    return {
        "name": account.name,
        "description": account.description,
        "published": account.published,
        "licence": account.licence,
        "maker": account.maker,
        "people": [_agent(one) for one in account.people],
        "profiles": list(account.profiles),
        "workflow": workflow,
        "runs": runs,
        "images": [_image(one) for one in account.images],
        "data": data,
        "items": {identifier: _item(one) for identifier, one in items.items()},
        "missing": list(account.missing),
        "remarks": list(account.remarks),
    }


def _ids(found: Iterable[Item], items: dict[str, Item]) -> list[str]:
    """Their @ids; they and all their parts are kept to be told once."""
    ids = []
    pending: list[Item] = []
    for one in found:
        ids.append(one.id)
        pending.append(one)
    while pending:
        one = pending.pop()
        # One whose parts were cut short where it was met first may have them elsewhere.
        known = items.get(one.id)
        if known is None or len(known.parts) < len(one.parts):
            items[one.id] = one
            pending += one.parts
    return ids


def _item(one: Item) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "name": one.name,
        "path": one.path,
        "present": one.present,
        "address": one.address,
        "value": one.value,
        "digests": dict(one.digests),
        "size": one.size,
        "media_type": one.media_type,
        "sealed": one.sealed,
        "slots": list(one.slots),
        "parts": [part.id for part in one.parts],
    }


def _workflow(one: Workflow, items: dict[str, Item]) -> dict[str, Any]:
    return {
        "software": _software(one.software),
        "document": _ids((one.document,), items)[0] if one.document is not None else None,
        "language": one.language,
        "language_version": one.language_version,
        "source": one.source,
        "steps": [
            {
                "id": step.id,
                "name": step.name,
                "position": step.position,
                "tool": _software(step.tool) if step.tool is not None else None,
            }
            for step in one.steps
        ],
        "connections": [{"source": link.source, "target": link.target} for link in one.connections],
        "diagram": _ids((one.diagram,), items)[0] if one.diagram is not None else None,
    }


def _software(one: Software) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "version": one.version,
        "address": one.address,
        "licence": one.licence,
        "inputs": [_parameter(parameter) for parameter in one.inputs],
        "outputs": [_parameter(parameter) for parameter in one.outputs],
        "programs": [_short(program) for program in one.programs],
    }


def _short(one: Software) -> dict[str, Any]:
    return {"id": one.id, "name": one.name, "version": one.version, "address": one.address}


def _parameter(one: Parameter) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "kind": one.kind,
        "description": one.description,
        "default": one.default,
        "required": one.required,
        "many": one.many,
    }


def _run(one: Run, items: dict[str, Item]) -> dict[str, Any]:
    return {
        "number": one.number,
        **_execution(one.execution, items),
        "engine": _short(one.engine) if one.engine is not None else None,
        "host": [_quantity(fact) for fact in one.host],
        "steps": [
            {"step": step.step, "position": step.position, **_execution(step.execution, items)} for step in one.steps
        ],
    }


def _execution(one: Execution, items: dict[str, Item]) -> dict[str, Any]:
    instrument = one.instrument
    return {
        "id": one.id,
        "name": one.name,
        "status": one.status,
        "instrument": _short(instrument) if instrument is not None else None,
        "programs": [_short(program) for program in instrument.programs] if instrument is not None else [],
        "started": _time(one.started),
        "ended": _time(one.ended),
        "seconds": one.seconds,
        "error": one.error,
        "command": one.command,
        "exit_code": one.exit_code,
        "agents": [_agent(agent) for agent in one.agents],
        "inputs": [_slot(slot, items) for slot in one.inputs],
        "outputs": [_slot(slot, items) for slot in one.outputs],
        "images": [_image(image) for image in one.images],
        "resources": [_quantity(quantity) for quantity in one.resources],
        "environment": dict(one.environment),
        "logs": _ids(one.logs, items),
    }


def _slot(one: Slot, items: dict[str, Item]) -> dict[str, Any]:
    return {
        "name": one.name,
        "parameter": one.parameter.id if one.parameter is not None else None,
        "items": _ids(one.items, items),
    }


def _image(one: Image) -> dict[str, Any]:
    return {"id": one.id, "name": one.name, "sha256": one.sha256, "kind": one.kind}


def _agent(one: Agent) -> dict[str, Any]:
    return {"id": one.id, "name": one.name, "affiliation": one.affiliation}


def _quantity(one: Quantity) -> dict[str, Any]:
    return {"name": one.name, "value": one.value, "unit": one.unit, "property_id": one.property_id}


def _time(one: datetime | None) -> str | None:
    return None if one is None else one.isoformat()
