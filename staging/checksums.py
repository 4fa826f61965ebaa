"""Checksums that a CWL job states in CWL's own form (``sha1$...``): they attest nothing, but they must be true.

Source: CWL v1.2, File, ``checksum``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from staging.errors import DigestError, from_os_error
from staging.paths import safe_join
from staging.wanted import Wanted


def check_sha1(wanted: Sequence[Wanted], content: Path) -> None:
    """Read every staged file whose source states a SHA-1, and compare.

    Raises:
        DigestError: a file is another one than the job says.
    """
    for one in wanted:
        stated = one.source.sha1 if one.source else None
        if one.source is None or stated is None:
            continue
        try:
            with safe_join(content, one.path).open("rb") as stream:
                actual = hashlib.file_digest(stream, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()
        except OSError as error:
            raise from_os_error(error, f"read {one.path.name}") from error
        if actual != stated:
            raise DigestError(
                f"the sha1 of {one.source.mirrors[0]} is {actual}, the job says {stated}",
                hint="correct the checksum in the job, or leave it out and give a sha256",
                where=one.source.where or None,
                identifier=str(one.source.mirrors[0]),
                expected=stated,
                actual=actual,
            )
