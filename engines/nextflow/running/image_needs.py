"""What Nextflow needs in every image, told from the words of a task that failed for want of it.

Its wrapper runs in the container too: bash starts it, and ps measures. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_NOT_STARTED = (125, 126, 127)
"""What docker and podman end with when the command could not be started; 125 is docker's for all that it can't do."""

_NO_BASH = re.compile(
    r"(?:exec: \"/bin/bash\": (?:stat /bin/bash: )?no such file"
    r"|executable file [`'\"]?/bin/bash[`'\"]? not found"
    r"|/bin/bash: (?:no such file|not found)"
    r"|stat /bin/bash: no such file)",
    re.IGNORECASE,
)
_NO_PS = "Command 'ps' required by nextflow to collect task metrics cannot be found"


def lacking(exit_code: int, words: Sequence[str]) -> str | None:
    """The program that an image lacks, by how a task in it ended and what it wrote last; ``None``: neither."""
    if any(_NO_PS in line for line in words):
        return "ps"
    if exit_code in _NOT_STARTED and any(_NO_BASH.search(line) for line in words):
        return "bash"
    return None
