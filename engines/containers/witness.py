"""A witness: a runtime that knows OCI hooks has a program of ours look at a container's mounts before it begins.

What was decided on is held open here (``engines.containers.sources``); the witness compares it with what was mounted,
where nobody can exchange it any more. Source: oci-hooks(5), podman(1) ``--hooks-dir``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from engines.child import mounted

_HOOK = "witness.json"


class Witness:
    """The witness of one container, which works in the new ``folder``, out of the reach of whatever runs.

    ``expected`` are a target in the container, and the device and inode of what is to be there, for each mount.

    Raises:
        OSError: the folder can't be written.
    """

    def __init__(self, folder: Path, expected: Iterable[tuple[str, int, int]]) -> None:
        self._seen = folder / mounted.SEEN
        self.hooks = folder / "hooks"
        """What the runtime is told of (``Order.hooks``)."""
        self.hooks.mkdir(parents=True)
        (folder / mounted.EXPECTED).write_text(json.dumps([*expected]), encoding="utf-8")
        argv = [sys.executable, "-I", "-S", mounted.__file__, str(folder)]
        hook = {
            "version": "1.0.0",
            "hook": {"path": argv[0], "args": argv},
            "when": {"always": True},
            "stages": ["createContainer"],
        }
        (self.hooks / _HOOK).write_text(json.dumps(hook), encoding="utf-8")

    def told(self) -> str | None:
        """The target where something else was mounted; empty if there is none, ``None`` if nobody looked."""
        try:
            return self._seen.read_text(encoding="utf-8", errors="surrogateescape")
        except FileNotFoundError:
            return None
