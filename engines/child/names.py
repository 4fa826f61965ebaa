"""Names: whom programs ask for the addresses of others, in a network namespace that leads nowhere.

The machine's own resolver would often be one on loopback, where nobody is in the namespace: names asked for would not
be seen. Ours is beyond the device that is watched (``engines.child.device``).
"""

from __future__ import annotations

import os

RESOLVER = "169.254.77.2"
_FILE = "/etc/resolv.conf"
_TEXT = f"nameserver {RESOLVER}\noptions timeout:2 attempts:1\n"
# Where the machine's own name has a domain, every name would be asked for once more with that appended.
_AS_IT_IS = "search .\n"


def place(folder: str) -> tuple[str, str] | None:
    """What to mount where, ``None`` when nothing is to be mounted. The file is made in ``folder``.

    The machine's file may be a link to where nothing is in this mount namespace: then that is made, and it is ours.
    """
    real = os.path.realpath(_FILE)
    try:
        if not os.path.lexists(_FILE):
            return None
        if not os.path.exists(real):  # noqa: PTH110 - pathlib would be a large import here
            os.makedirs(os.path.dirname(real), exist_ok=True)  # noqa: PTH103, PTH120
            _write(real)
            return None
        ours = os.path.join(folder, ".resolv.conf")  # noqa: PTH118
        _write(ours)
    except OSError:
        # Then it is the machine's: what is asked of an address is seen all the same.
        return None
    return ours, real


def _write(path: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
    try:
        text = _TEXT + (_AS_IT_IS if "." in os.uname().nodename else "")
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
