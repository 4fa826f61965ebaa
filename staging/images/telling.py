"""What a person reads of images on their way: one line each when all of it is there, and whose part failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from staging.errors import DigestError, FetchError, WfexsError
from staging.plan import PlanItem
from staging.progress import Progress

_SHOWN_DIGITS: Final = 12


def called(name: str) -> str:
    """What messages call an image that the workflow calls ``name``."""
    return f"image {name}"


def tell_image(progress: Progress, item: PlanItem, source: str) -> None:
    """Tell that an image is there; ``source`` is ``fetched`` when anything of it was, else ``cache``."""
    facts = item.image
    if facts is None:
        return
    key = f"image:{item.name}"
    digits = item.fingerprint.digest[:_SHOWN_DIGITS]
    progress.begin(key, f"{called(item.name)} for {facts.platform}, sha256:{digits}...", facts.size)
    progress.end(key, source)


@contextmanager
def blobs_named(labels: Mapping[str, str], names: Mapping[str, str]) -> Iterator[None]:
    """For whoever fetches blobs: a fault of one names what it is a part of.

    ``labels`` are what people call them, ``names`` the images that they are of, both by digest.

    Raises:
        FetchError, DigestError: in place of those that name a digest alone.
    """
    try:
        yield
    except (FetchError, DigestError) as error:
        told = f"{error.message} {error.where} {error.fields.get('identifier')}"
        digest = next((one for one in labels if one in told), None)
        if digest is None:
            raise
        fields = {**error.fields, "image": names[digest]}
        message = f"{labels[digest]}: {error.message}"
        named: WfexsError
        if isinstance(error, FetchError):
            named = FetchError(message, hint=error.hint, where=error.where, transient=error.transient, **fields)
        else:
            named = DigestError(message, hint=error.hint, where=error.where, **fields)
        raise named from error
