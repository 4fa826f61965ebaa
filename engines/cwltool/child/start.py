"""The child's first steps: where libraries are, who is told what, and what to do when something is not there."""

from __future__ import annotations

import os
import sys
from typing import Any

from engines.child import loopback
from engines.child.events import Events
from engines.child.request import hand_on, take
from engines.cwltool.child.light import Heavy, install


def start(*, request_fd: int, events_fd: int, heavy: bool) -> None:
    """Read the request, say ``ready``, do it, and leave."""
    text, request, events = take(request_fd, events_fd)
    if not heavy:
        events.tell("ready", {"pid": os.getpid(), "network": request.get("network", "none")})
    request["heavy"] = heavy
    loopback.bring_up()
    _find_libraries(request)
    if not heavy and request.get("light", True):
        install()
    try:
        code = _do(request, events)
    except Heavy:
        code = _again(text, request_fd, events_fd)
    except Exception as error:
        # A stand-in may lack what some version of cwltool wants. Once a step has begun nothing is done twice.
        if heavy or events.spoken:
            events.tell("broken", {"message": f"{type(error).__name__}: {error}"})
            raise
        print(f"once more with all libraries, because of {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        code = _again(text, request_fd, events_fd)
    sys.stdout.flush()
    sys.stderr.flush()
    # Nothing that is left matters to anybody: skip the interpreter's own tidying.
    os._exit(code)


def _do(request: dict[str, Any], events: Events) -> int:
    if request["verb"] == "inspect":
        from engines.cwltool.child.reading import inspect

        return inspect(request, events)
    from engines.cwltool.child.running import run

    return run(request, events)


def _again(request: bytes, request_fd: int, events_fd: int) -> int:
    """Begin again with the real libraries; the process stays the same one."""
    hand_on(request, request_fd, events_fd)
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "main.py")  # noqa: PTH100, PTH118, PTH120
    argv = [sys.executable, "-I", "-S", script, str(request_fd), str(events_fd), "heavy"]
    os.execv(sys.executable, argv)  # noqa: S606 - no shell is wanted


def _find_libraries(request: dict[str, Any]) -> None:
    """Put the environment's packages on the path; without ``site`` this costs nothing."""
    sys.path.extend(one for one in request["libraries"] if one not in sys.path)
    if not any(os.path.isdir(os.path.join(one, "cwltool")) for one in sys.path):  # noqa: PTH112, PTH118
        import site

        site.main()
