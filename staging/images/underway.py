"""Images and blobs underway: what is known of each while it is staged, and grows from step to step."""

from __future__ import annotations

from dataclasses import dataclass, field

from staging.definition import ImageWish, Source
from staging.fingerprints import Fingerprint
from staging.identifiers import Identifier
from staging.images.layout import LAYOUT, blob_path
from staging.images.local import LayoutReference
from staging.images.manifest import Descriptor, Manifest
from staging.images.platforms import Platform
from staging.images.reference import ImageReference
from staging.images.telling import called
from staging.obtained import Obtained
from staging.plan import Kind, PlanItem, Role, Trust
from staging.wanted import StagedItem, Wanted


@dataclass(slots=True, kw_only=True)
class ImageUnderway:
    """One image on its way: ``identifier`` is what is asked for, ``digest`` its manifest's where it is known.

    ``hops`` are the digests of the lists of manifests in a local layout that led to it.
    """

    wish: ImageWish
    reference: ImageReference | LayoutReference
    platform: Platform
    identifier: Identifier
    locked: PlanItem | None = None
    digest: str | None = None
    obtained: Obtained | None = None
    staged: StagedItem | None = None
    manifest: Manifest | None = None
    hops: tuple[str, ...] = ()

    @property
    def is_other(self) -> bool:
        """Whether the lock has it from another place, or for another platform."""
        return self.locked is not None and self.locked.identifier != str(self.identifier)

    @property
    def place(self) -> Identifier:
        """Where its manifest is to be had."""
        assert self.digest is not None, "digests come first"
        if isinstance(self.reference, LayoutReference):
            return self.reference.blob(self.digest)
        return self.reference.at(self.digest).identifier() if self.is_other else self.identifier

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.reference)

    @property
    def wanted(self) -> Wanted:
        """Its manifest, in its place."""
        assert self.digest is not None, "digests come first"
        return Wanted(
            role=Role.CONTAINER,
            name=self.wish.name,
            path=LAYOUT / blob_path(self.digest),
            source=Source(mirrors=(self.place,), sha256=Fingerprint(digest=self.digest), where=self.wish.where),
            asked=self.locked.identifier if self.locked is not None else str(self.identifier),
            kind=Kind.FILE,
            label=called(self.wish.name),
            part=True,
        )

    @property
    def parts(self) -> Manifest:
        """Its manifest, once it is there."""
        assert self.manifest is not None, "manifests come first"
        return self.manifest


@dataclass(slots=True, kw_only=True)
class BlobUnderway:
    """A config or layer that one or more images have: ``asked`` is how the plan names the place of it.

    ``image`` is what the workflow calls the first of them, ``label`` what a person reads of this part of it.
    """

    descriptor: Descriptor
    image: str
    label: str
    identifiers: list[Identifier] = field(default_factory=list)
    asked: str = ""
    trust: Trust = Trust.FIRST_USE
