"""The reaper of a run's containers: it waits for the end of whoever started it, and acts only if that was too early.

Started as ``python -I -S reaper.py NAME UUID`` with a pipe for standard input, of which only the run's process has the
other end. A word on it says that the run has seen to its containers itself. Without one that process was killed: a
daemon keeps its containers going, and ``engines.containers.reaping`` ends them.
"""

# It imports the least, and becomes one program.
# ruff: noqa: S606
from __future__ import annotations

import os
import signal
import sys

_IGNORED = (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM)


def main(arguments: list[str]) -> int:
    """Wait; the exit code where there is nothing to do."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    if not os.read(0, 1):
        os.execv(sys.executable, (sys.executable, "-I", "-B", "-m", "engines.containers.reaping", *arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
