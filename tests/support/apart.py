"""A run in a process of its own, for tests that stop or kill whoever runs it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engines.base import RunRequest

_PROGRAM = """
import pickle, sys
from engines.base import ENGINES
with open(sys.argv[2], "rb") as stream:
    request = pickle.load(stream)
print(ENGINES.load(sys.argv[1])().run(request, lambda event: None).status, flush=True)
"""


@contextmanager
def apart(engine: str, request: RunRequest, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that runs the request and prints its status. It doesn't outlive the ``with`` block."""
    (folder / "request.pickle").write_bytes(pickle.dumps(request))
    argv = [sys.executable, "-c", _PROGRAM, engine, str(folder / "request.pickle")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as parent:
        try:
            yield parent
        finally:
            parent.kill()
