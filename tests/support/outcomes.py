"""What the command did inside of the tests' own process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """The exit code, and all that was printed."""

    code: int
    stdout: str
    stderr: str

    @property
    def object(self) -> dict[str, Any]:
        """What stdout is, where it is one JSON object."""
        document = json.loads(self.stdout)
        assert isinstance(document, dict)
        return document
