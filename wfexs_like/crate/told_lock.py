"""The told lock: a plan that anybody may read, where the lock itself names what is nobody else's business.

It is the same plan, but an item whose name leads to a place of one machine, or has a query or a user in it, is named by
where its bytes lie in a crate that holds them. Its digest is therefore another one. It lets others import the crate.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from staging.images.layout import LAYOUT
from staging.images.local import LayoutReference
from staging.plan import Plan, PlanItem, Role
from wfexs_like.crate.discretion import Discretion

TOLD_LOCK: Final = "told.lock.json"
"""Its name in a crate."""


def told_lock(plan: Plan, discretion: Discretion) -> bytes | None:
    """The text of the told lock; ``None`` where more than names would have to be left out."""
    told = replace(plan, items=tuple(_told(one, discretion) for one in plan.items))
    text = told.lock_bytes()
    named = [one for item in told.items for one in named_by(item)]
    return text if discretion.is_tellable(text.decode(), named) else None


def named_by(item: PlanItem) -> list[str]:
    """All that an item is called by. An image is pinned as registries name it, which is no identifier."""
    pinned = () if item.role in (Role.CONTAINER, Role.BLOB) else (item.pinned,)
    return [item.identifier, *pinned, *item.hops]


def _told(item: PlanItem, discretion: Discretion) -> PlanItem:
    if discretion.is_tellable("", named_by(item)):
        return item
    if item.image is not None:
        place = LayoutReference(path=str(LAYOUT), image=item.name, called=item.name)
        return replace(item, identifier=str(place.identifier(item.image.platform)), hops=())
    assert item.path is not None, "an engine's names lead to no place"
    return replace(item, identifier=str(item.path), pinned=str(item.path), hops=())
