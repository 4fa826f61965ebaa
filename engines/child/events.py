"""Events: what the child tells its parent, one JSON object a line, after a word that only the two know."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping


def now() -> str:
    """The time in ISO 8601, UTC, with milliseconds."""
    seconds = time.time()
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds * 1000) % 1000:03d}+00:00"


class Events:
    """The writing end; lines from several threads don't mix. ``spoken``: more than ``ready`` was said.

    ``token`` goes before each line: what comes without it was written by somebody else.
    """

    def __init__(self, descriptor: int, token: str) -> None:
        self._descriptor = descriptor
        self._token = token.encode()
        self._lock = threading.Lock()
        self.spoken = False

    def tell(self, event: str, content: Mapping[str, object]) -> None:
        """Write one event."""
        text = json.dumps({"event": event, **content}, separators=(",", ":"), default=str).encode()
        # Whatever somebody else wrote before ends here.
        line = b"\n" + self._token + b" " + text + b"\n"
        with self._lock:
            self.spoken = self.spoken or event != "ready"
            view = memoryview(line)
            while view:
                view = view[os.write(self._descriptor, view) :]
