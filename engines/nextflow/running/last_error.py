"""The error that ended the engine, found among what the engine and the workflow wrote.

The two write to one stream, and older versions put no mark before an error. The engine's own log has it too, in the
words of the exception.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from engines.launcher import end_of, open_log

_MARK = "ERROR ~ "
_NOISE = re.compile(r"^(N E X T F L O W|Launching `|executor >|WARN:|Tip:| *-- Check)")
_ERROR = re.compile(r"^(?:Error executing|Unknown |Invalid |No such |Missing |Caused by:)")
_LOGGED = re.compile(r" ERROR \S+ - (?P<message>.*)$")
_EXCEPTION = re.compile(r"^(?:[\w$]+\.)+[\w$]*(?:Exception|Error): (?P<message>.+)$")
_UNPUBLISHED = re.compile(rb"Failed to publish file: (?P<file>.+?)(?:; to: .+)? \[\w+\] -- See log file")
_UNKNOWN = "@unknown"
_LOG_BYTES = 1 << 17
"""So much of the engine's log is looked at: an exception's traces are long."""


def last_error(words: Sequence[str], logged: Sequence[str], message: str = "") -> str:
    """What went wrong, as the engine said it; ``""`` if nothing was said.

    ``words`` are the last lines on the stream, ``logged`` those of the engine's log, ``message`` is what the engine
    told of the error by itself. What the workflow printed before is not part of it.
    """
    telling = [line for line in words if not _NOISE.match(line)]
    begin = next((index for index, line in enumerate(telling) if line.startswith(_MARK)), None)
    exception = logged_error(logged)
    if begin is None:
        known = [one.splitlines()[0] for one in (exception, message) if one.strip()]
        begin = next((index for one in known for index, line in enumerate(telling) if line == one), None)
    if begin is None:
        begin = next((index for index, line in enumerate(telling) if _ERROR.match(line)), None)
    if begin is not None:
        return "\n".join(line.removeprefix(_MARK) for line in telling[begin:])
    return message or exception or "\n".join(telling)


def logged_error(lines: Sequence[str]) -> str:
    """The message of the last error in the engine's log; ``""`` without any."""
    for index in range(len(lines) - 1, -1, -1):
        found = _LOGGED.search(lines[index])
        if found is None:
            continue
        if found["message"].strip() not in ("", _UNKNOWN):
            return found["message"].strip()
        following = _EXCEPTION.match(lines[index + 1]) if index + 1 < len(lines) else None
        return following["message"].strip() if following else ""
    return ""


def unpublished(log: Path) -> str | None:
    """The first file that the engine gave up publishing; older versions only warn of it.

    What it tried again is not meant: that may have gone well.
    """
    try:
        with open_log(log) as stream:
            found = next((one for one in map(_UNPUBLISHED.search, stream) if one is not None), None)
    except OSError:
        return None
    return None if found is None else found["file"].decode(errors="replace")


def log_lines(log: Path) -> list[str]:
    """The last lines of the engine's log; none when it can't be read."""
    return end_of(log, _LOG_BYTES).splitlines()
