"""What is known of a crate's signature once it was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The signature of a crate, or of the manifest of a sealed one.

    ``state`` is ``good`` (it signs the list that is there), ``bad``, or ``none``. ``signer`` is the fingerprint of the
    key that made a good one. ``compared`` is whether that was held against keys that the caller trusts, and ``trusted``
    whether it is one of them.
    """

    state: Literal["good", "bad", "none"] = "none"
    signer: str | None = None
    compared: bool = False
    trusted: bool = False

    @property
    def words(self) -> str:
        """The same for a person."""
        if self.state == "none":
            return "there is no signature"
        if self.state == "bad":
            return "the signature does not hold"
        if self.trusted:
            return f"signed by {self.signer}, as asked"
        if self.compared:
            return f"signed by {self.signer}, who is not among those asked for"
        return f"signed by {self.signer}; whose key that is was not compared with anybody's (--signer)"
