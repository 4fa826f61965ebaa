"""Reaping: a run that is killed (``kill -9``) leaves no container behind, although a daemon keeps them going.

What is killed together with its reaper is left for the next sweep of its working directory.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from engines.containers import reaper
from engines.containers.base import ContainerRuntime
from engines.containers.choosing import choose
from engines.containers.policy import LABEL
from staging.errors import ContainerError, WfexsError
from staging.process import DEVNULL, PIPE, base_environment, start

# A container whose command was killed while it asked for one may come to be some seconds after that.
_PAUSES: Final = (0.0, 0.5, 1.0, 2.0, 4.0)
_GRACE: Final = 2.0


class Reaper:
    """Ends the containers of the run ``uuid`` when this process ends without a word."""

    def __init__(self, runtime: ContainerRuntime, uuid: str) -> None:
        argv = (sys.executable, "-I", "-S", "-B", reaper.__file__, runtime.name, uuid)
        environment = base_environment(**runtime.environment)
        # Not below the run's folder, which it would keep busy.
        self._child = start(argv, env=environment, cwd=Path("/"), stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL)

    def dismiss(self) -> None:
        """The run has seen to its containers itself."""
        assert self._child.stdin is not None
        with suppress(BrokenPipeError):
            self._child.stdin.write(b".")
            self._child.stdin.close()
        self._child.wait(_GRACE)
        self._child.close()


def main(name: str, uuid: str) -> int:
    """End the containers of a run whose process is gone; 0 when the runtime answered to the last."""
    fault: WfexsError | None = None
    for pause in _PAUSES:
        time.sleep(pause)
        try:
            choose(name, os.environ)[0].sweep(LABEL, uuid)
            fault = None
        except ContainerError as error:
            fault = error
    return 0 if fault is None else fault.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
