"""What a crate asks of who imports it: no weaker a protection than its own working directory had."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from staging.areas import ENCRYPTED
from staging.crate_source import METADATA
from staging.errors import KeyAccessError, WfexsError
from wfexs_like.reading.contents import open_crate
from wfexs_like.reading.metadata import LARGEST_METADATA, Entity, parse_metadata
from wfexs_like.seal.naming import IN_CLEAR, VAULT


def asked_of(crate: Path) -> str | None:
    """The kind of encryption that the working directory of a crate had; ``None`` where it had none.

    Nothing is unpacked for that. What is no folder and no zip, or can't be read, asks for nothing here.
    """
    try:
        with open_crate(crate) as contents:
            metadata = parse_metadata(contents.read(METADATA, LARGEST_METADATA))
    except (WfexsError, KeyError):
        return None
    return ENCRYPTED if _asks(metadata.entities) else None


def refuse_in_clear(entities: Mapping[str, Entity]) -> None:
    """Refuse what was not seen before it was unpacked.

    Raises:
        KeyAccessError: the crate's working directory was encrypted.
    """
    if _asks(entities):
        raise KeyAccessError(
            "the crate is of an encrypted working directory, and what is made of it would be in clear",
            hint='"wfexs-like init" makes a key pair; --vault plain asks for no encryption',
        )


def _asks(entities: Mapping[str, Entity]) -> bool:
    return any(one.get("propertyID") in (VAULT, IN_CLEAR) for one in entities.values())
