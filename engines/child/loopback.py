"""Loopback: the one interface that a network namespace of our own has, and that starts out down."""

from __future__ import annotations

import os
import sys


def bring_up() -> None:
    """Bring up ``lo`` when we are in a network namespace of our own (MPI, Java and servers in tasks need it).

    The device that all else leads to comes with it, where somebody watches (``engines.child.device``).
    """
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
    from engines.child import device

    device.hand_over()
