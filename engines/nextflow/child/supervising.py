"""Supervising: one JVM, from its start to its end, with what it says on the way.

The request holds ``command`` (the JVM's argv; ``{events}`` in it becomes the name of the pipe that our witness writes
to), ``environment``, ``cwd``, ``input`` (what its standard input holds) and what ``engines.child.walls`` goes by. Where
there is a PID namespace, this is its first process: it buries what others left, and when it ends all do.
"""

from __future__ import annotations

import json
import math
import os
import select
import sys
from typing import Any

from engines.child import loopback, walls
from engines.child.events import Events
from engines.child.request import take

_LOOK_AFTER = 200  # milliseconds
_LONGEST_LINE = 1 << 26
_DEEPEST = 64


def start(*, request_fd: int, events_fd: int) -> None:
    """Read the request, say ``ready``, run the JVM to its end, and say how that was."""
    _, request, events = take(request_fd, events_fd)
    events.tell("ready", {"pid": os.getpid(), "network": request.get("network", "none")})
    loopback.bring_up()
    held, code = False, 1
    doing = "its walls could not be put up"
    try:
        held = walls.close(request)
        doing = "Java could not be started"
        code = _supervise(request, events)
    except OSError as error:
        events.tell("broken", {"message": f"{doing}: {error}"})
    events.tell("ended", {"exit_code": code, "held": held})
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _supervise(request: dict[str, Any], events: Events) -> int:
    word = os.urandom(16).hex()
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    os.chdir(request["cwd"])
    command = [one.replace("{events}", f"/proc/self/fd/{writing}") for one in request["command"]]
    said = request.get("input")
    source = _as_file(f"{word}\n" if said is None else said)
    environment = {**os.environ, **request["environment"]}
    jvm = os.posix_spawn(command[0], command, environment, file_actions=[(os.POSIX_SPAWN_DUP2, source, 0)])
    os.close(source)
    os.close(writing)
    return _listen(jvm, reading, f"{word} ".encode(), events)


def _as_file(text: str) -> int:
    """A descriptor of a file in memory that holds ``text``, at its start."""
    descriptor = os.memfd_create("input")
    os.write(descriptor, text.encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _listen(jvm: int, reading: int, word: bytes, events: Events) -> int:
    """Pass on what the witness says until the JVM has ended; its exit code, negative for a signal."""
    poller = select.poll()
    poller.register(reading, select.POLLIN)
    pending, code, silent = b"", None, False
    while not silent or code is None:
        ready = poller.poll(_LOOK_AFTER) if not silent else ()
        if ready:
            data = os.read(reading, 1 << 16)
            silent = not data
            *lines, pending = (pending + data).split(b"\n")
            pending = b"" if len(pending) > _LONGEST_LINE else pending
            for line in lines:
                if line.startswith(word):
                    events.tell("told", {"told": _read(line[len(word) :])})
        ended = _bury(jvm, wait=silent)
        code = ended if ended is not None else code
        # Something that the JVM started may hold the pipe open for ever.
        silent = silent or (code is not None and not ready)
    os.close(reading)
    return code


def _read(line: bytes) -> object:
    """What a line says, ``None`` for one that is no JSON that anybody could read on.

    The workflow runs in the same JVM as our witness, and can say anything in its place.
    """
    try:
        told = json.loads(line, parse_constant=str, parse_float=_finite)
        is_flat = line.count(b"[") + line.count(b"{") <= _DEEPEST
        return told if is_flat or _is_shallow(told, _DEEPEST) else None
    except (ValueError, RecursionError):
        return None


def _finite(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _is_shallow(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    return levels > 0 and all(
        _is_shallow(one, levels - 1) for one in (value.values() if isinstance(value, dict) else value)
    )


def _bury(jvm: int, *, wait: bool) -> int | None:
    """Take note of processes that ended; the JVM's exit code if it is among them."""
    while True:
        try:
            pid, status = os.waitpid(-1, 0 if wait else os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid == jvm:
            return os.waitstatus_to_exitcode(status)
