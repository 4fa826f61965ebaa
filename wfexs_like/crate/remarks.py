"""Remarks: what a reader of the crate has to know of what is not in it."""

from __future__ import annotations

from staging.plan import Kind, Role
from staging.workdir import LOCK
from wfexs_like.crate.discretion import is_told_in_part
from wfexs_like.crate.prospective import Prospective
from wfexs_like.crate.story import Story
from wfexs_like.crate.told_lock import TOLD_LOCK


def remarks(ground: Prospective, story: Story) -> list[str]:
    """One paragraph for each thing that was left out, or told in part."""
    found = []
    if story.lock is None:
        found.append(
            f"The lock ({LOCK}) is not in this crate: it names local places, addresses with a query or a user, or what "
            "must not be disclosed. Ask for it; it has the digest of the plan above."
        )
        if ground.payload.holds(TOLD_LOCK):
            found.append(
                f"{TOLD_LOCK} is the same plan, but what has a local name is named there by its place in a crate; "
                '"wfexs-like import" goes by it.'
            )
    if any(is_told_in_part(item.pinned) for item in ground.plan.items):
        found.append(
            "Some addresses are told without their query, which may have been a key: by themselves they may not be "
            "enough to fetch from. Check what you get by its sha256."
        )
    folders = any(item.kind is Kind.DIRECTORY for item in ground.plan.of_role(Role.WORKFLOW))
    if story.command is not None and folders and "workflow" not in ground.include:
        found.append(
            "Of the workflow, its scripts, modules and configuration are in this crate. What else came with it "
            "(programs in bin, templates, data) is in a crate that is made with --include workflow."
        )
    if ground.images.items and "containers" in ground.include:
        found.append(
            "containers is an OCI image layout with the images that the steps ran in, each under the name that the "
            "workflow has for it: skopeo copies them from there, as oci:containers:NAME."
        )
    elif ground.images.items:
        found.append(
            "The container images are not in this crate. By the addresses above, which name them by digest, their "
            "registries have them; a crate that is made with --include containers holds them."
        )
    if ground.data.withheld:
        found.append(
            f"Not disclosed, because whoever staged it said so: {', '.join(sorted(ground.data.withheld))}. "
            "Logs are left out for the same reason, and so is every output in which any of it was found again."
        )
    if ground.data.not_copied:
        found.append(
            "Not in this crate, because whoever staged it said that what is in them must not be copied: "
            f"{', '.join(sorted(ground.data.not_copied))}."
        )
    return found
