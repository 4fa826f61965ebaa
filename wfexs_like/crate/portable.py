"""Portable: whether others can import a crate, and what it would have to include for that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Final

from staging.elsewhere import addresses_of
from staging.plan import Kind, PlanItem, Role

_BY_ROLE: Final[Mapping[Role, str]] = {
    Role.WORKFLOW: "workflow",
    Role.INPUT: "inputs",
    Role.ENVIRONMENT: "inputs",
    Role.CONTAINER: "containers",
    Role.BLOB: "containers",
}


def to_include(items: Iterable[PlanItem]) -> tuple[str, ...]:
    """What a crate has to be exported with (``--include``) to hold these."""
    return tuple(sorted({_BY_ROLE[one.role] for one in items if one.role in _BY_ROLE}))


def lacking(items: Iterable[PlanItem], include: Set[str]) -> tuple[str, ...]:
    """What more to include, so that nobody needs the machine that ``items`` were staged on."""
    wanted = to_include(one for one in items if _is_optional(one) and next(addresses_of(one), None) is None)
    return tuple(one for one in wanted if one not in include)


def _is_optional(item: PlanItem) -> bool:
    """Whether it depends on ``--include``: documents are in every crate, and what must not be given away in none."""
    if item.role is Role.WORKFLOW and item.kind is Kind.FILE:
        return item.path is not None and item.path.parts[0] != "workflow"
    return item.disclosable and item.clonable
