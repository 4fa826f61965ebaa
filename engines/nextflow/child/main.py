"""The script that the child process starts with: walls first, then the JVM, whose words it passes on.

Usage: ``python -I -S main.py REQUEST_FD EVENTS_FD``. The request is JSON, read from its start; events are JSON lines.
"""

from __future__ import annotations

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib would be the largest import here


def _package(name: str, path: list[str]) -> None:
    """Make our package known under its usual name, without any of its other modules being importable."""
    module = type(sys)(name)
    module.__path__ = path
    sys.modules[name] = module


def _begin() -> None:
    engines = os.path.dirname(os.path.dirname(HERE))  # noqa: PTH120
    _package("engines", [])
    _package("engines.child", [os.path.join(engines, "child")])  # noqa: PTH118
    _package("engines.nextflow", [])
    _package("engines.nextflow.child", [HERE])
    from engines.nextflow.child.supervising import start

    start(request_fd=int(sys.argv[1]), events_fd=int(sys.argv[2]))


if __name__ == "__main__":
    _begin()
