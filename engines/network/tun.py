"""The device, tried: whether what a run tries to reach could be watched here."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress

from engines.child import joining
from engines.isolation import Isolation
from staging.errors import WfexsError
from staging.process import base_environment, run

_PATIENCE = 10.0
_NOT_TRIED = "no network namespace can be made here"


def why_not(isolation: Isolation) -> str | None:
    """Why attempts can't be watched in a namespace that is made like that; ``None`` when they can (some 50 ms)."""
    if not isolation.network:
        return _NOT_TRIED
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with ours:
        with theirs, suppress(WfexsError):
            argv = (*isolation.prefix, sys.executable, "-I", "-S", joining.__file__, "0", str(theirs.fileno()))
            run(argv, env=base_environment(), timeout=_PATIENCE, check=False, pass_fds=(theirs.fileno(),))
        message, descriptors, _, _ = socket.recv_fds(ours, 4096, 2)
    for one in descriptors:
        os.close(one)
    return None if descriptors else message.decode(errors="replace") or "the device could not be made"
