"""The ``docker`` that an engine finds: it hands the call over at the run's door, and ends as the container does.

It runs as ``python -I -S`` wherever the engine is, so it imports next to nothing. What is said: the descriptors of its
standard streams with a header of twenty digits (the length of what follows), then words, each ended by a NUL: the
door's own word, the folder it is in, the number of its arguments, these, and its environment. After that a byte for
each signal that it gets, which is its number. What is answered: the exit code in decimals and a line feed, or nothing
when the door went away.
"""

from __future__ import annotations

import array
import os
import signal
import socket
import sys

VARIABLE = b"WFEXS_LIKE_DOOR"
PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
_REFUSED = 125
# Of the fields after the program's name; see proc(5), arg_end.
_END_OF_WORDS = 46


def main() -> int:
    """Hand over the call and wait; the exit code."""
    word, _, folder = os.environb.get(VARIABLE, b"").partition(b":")
    here = os.getcwdb()  # noqa: PTH109 - nothing is imported for it
    try:
        # A socket's address is short, and a run's folder may lie deep.
        os.chdir(folder)
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        door.connect("door")
        arguments = [os.fsencode(one) for one in sys.argv[1:]]
        _forget_words()
        variables = [b"%s=%s" % one for one in os.environb.items() if one[0] != VARIABLE]
        words = (word, here, b"%d" % len(arguments), *arguments, *variables)
        said = b"".join(b"%s\0" % one for one in words)
        door.sendmsg([b"%020d" % len(said)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", _streams()))])
        door.sendall(said)
        for number in PASSED_ON:
            signal.signal(number, lambda number, _frame: door.sendall(b"%c" % number))
        return _answer(door)
    except OSError as error:
        return _gone(error.strerror or str(error))


def _forget_words() -> None:
    """Take our arguments off our command line, which every user can read: there may be values of variables in them."""
    hidden = b"\0" * sum(len(os.fsencode(one)) + 1 for one in sys.argv[2:])
    try:
        with open("/proc/self/stat", "rb") as stream:  # noqa: PTH123 - nothing is imported for it
            end = int(stream.read().rpartition(b")")[2].split()[_END_OF_WORDS])
        with open("/proc/self/mem", "r+b", buffering=0) as memory:  # noqa: PTH123
            memory.seek(end - len(hidden))
            memory.write(hidden)
    except (OSError, ValueError, IndexError):
        pass  # where the kernel doesn't let us, they are seen until the container ends


def _streams() -> list[int]:
    """Standard input, output and error; nothing in place of one that is closed."""
    found = []
    for number in range(3):
        try:
            os.fstat(number)
            found.append(number)
        except OSError:
            found.append(os.open(os.devnull, os.O_RDWR))
    return found


def _answer(door: socket.socket) -> int:
    """The exit code, when there is one."""
    answer = b""
    while not answer.endswith(b"\n"):
        data = door.recv(64)
        if not data:
            return _gone("the run is over")
        answer += data
    return int(answer)


def _gone(why: str) -> int:
    os.write(2, os.fsencode(f"wfexs-like: there is nobody to ask for a container: {why}\n"))
    return _REFUSED


if __name__ == "__main__":
    sys.exit(main())
