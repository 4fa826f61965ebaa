"""The script that goes into another process's network namespace, makes the device there, and hands it over.

Usage: ``python -I -S joining.py PID SOCKET_FD``; with 0 it is in one already. The user namespace is
entered too where it is another one: there we have the right to do so (setns(2), user_namespaces(7)).
"""

from __future__ import annotations

import ctypes
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib would be the largest import here


def _package(name: str, path: list[str]) -> None:
    module = type(sys)(name)
    module.__path__ = path
    sys.modules[name] = module


def _enter(pid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    opened = []
    for name in ("user", "net"):
        theirs = f"/proc/{pid}/ns/{name}"
        if os.stat(theirs).st_ino != os.stat(f"/proc/self/ns/{name}").st_ino:  # noqa: PTH116
            opened.append(os.open(theirs, os.O_RDONLY | os.O_CLOEXEC))
    for descriptor in opened:
        if libc.setns(descriptor, 0) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))


def _begin() -> None:
    import _socket

    _package("engines", [])
    _package("engines.child", [HERE])
    from engines.child import device

    def make() -> int:
        if sys.argv[1] != "0":
            try:
                _enter(int(sys.argv[1]))
            except OSError as error:
                raise OSError(error.errno, os.strerror(error.errno or 0), "the containers' network") from error
        return device.make()

    device.send(_socket.socket(fileno=int(sys.argv[2])), make)


if __name__ == "__main__":
    _begin()
