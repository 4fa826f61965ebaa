"""The script that the child process starts with: it sets up imports, reads its request and does one thing.

Usage: ``python -I -S main.py REQUEST_FD EVENTS_FD [heavy]``. The request is JSON, read from its start; events are JSON
lines. ``heavy`` is the second try, with every library that cwltool imports (see ``light``).
"""

from __future__ import annotations

import gc
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib would be the largest import here


def _package(name: str, path: list[str]) -> None:
    """Make a package of ours known under its usual name, without any of its other modules being importable."""
    module = type(sys)(name)
    module.__path__ = path
    sys.modules[name] = module


def _begin() -> None:
    gc.disable()
    _package("engines", [])
    _package("engines.child", [os.path.join(os.path.dirname(os.path.dirname(HERE)), "child")])  # noqa: PTH118, PTH120
    _package("engines.cwltool", [])
    _package("engines.cwltool.child", [HERE])
    from engines.cwltool.child.start import start

    start(request_fd=int(sys.argv[1]), events_fd=int(sys.argv[2]), heavy=sys.argv[3:] == ["heavy"])


if __name__ == "__main__":
    _begin()
