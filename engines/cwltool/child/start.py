"""The child's first steps: where libraries are, who is told what, and what to do when something is not there."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from engines.cwltool.child.events import Events
from engines.cwltool.child.light import Heavy, install


def start(*, request_fd: int, events_fd: int, heavy: bool) -> None:
    """Read the request, say ``ready``, do it, and leave."""
    os.set_inheritable(events_fd, False)
    os.set_inheritable(request_fd, False)
    with open(os.dup(request_fd), "rb") as stream:  # noqa: PTH123 - a descriptor
        stream.seek(0)
        text = stream.read()
    # It holds the word by which we are known: from now on that is in our memory alone.
    os.ftruncate(request_fd, 0)
    request = json.loads(text)
    events = Events(events_fd, request.pop("token"))
    if not heavy:
        events.tell("ready", {"pid": os.getpid(), "network": request.get("network", "none")})
    request["heavy"] = heavy
    _loopback()
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
    os.pwrite(request_fd, request, 0)
    os.set_inheritable(events_fd, True)
    os.set_inheritable(request_fd, True)
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "main.py")  # noqa: PTH100, PTH118, PTH120
    argv = [sys.executable, "-I", "-S", script, str(request_fd), str(events_fd), "heavy"]
    os.execv(sys.executable, argv)  # noqa: S606 - no shell is wanted


def _find_libraries(request: dict[str, Any]) -> None:
    """Put the environment's packages on the path; without ``site`` this costs nothing."""
    sys.path.extend(one for one in request["libraries"] if one not in sys.path)
    if not any(os.path.isdir(os.path.join(one, "cwltool")) for one in sys.path):  # noqa: PTH112, PTH118
        import site

        site.main()


def _loopback() -> None:
    """Bring up ``lo`` when we are in a network namespace of our own (MPI, Java and servers in tasks need it)."""
    if os.environ.pop("WFEXS_LIKE_LOOPBACK", "") != "1":
        return
    import _socket
    import fcntl
    import struct

    # ioctl SIOCSIFFLAGS (linux/sockios.h) with IFF_UP | IFF_RUNNING (linux/if.h) on "lo".
    request = struct.pack("16sH14s", b"lo", 0x1 | 0x40, b"")
    handle = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    try:
        fcntl.ioctl(handle.fileno(), 0x8914, request)
    except OSError as error:
        print(f"loopback could not be brought up: {error}", file=sys.stderr)  # noqa: T201 - the engine's log
    finally:
        handle.close()
