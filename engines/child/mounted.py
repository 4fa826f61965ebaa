"""Looks at what a container was given to see, after it was mounted and before any of it can be used.

A container runtime runs it as a hook (``createContainer`` of the OCI runtime specification): in the container's mount
namespace, while the root is still the host's. So it sees what nobody can exchange any more. It runs as
``python -I -S`` and imports next to nothing; its argument is a folder with ``expected`` (a JSON list of target, device
and inode). There it leaves ``seen``: the first target that is something else, or nothing. Whoever fails starts nothing.
"""

from __future__ import annotations

import json
import os
import sys

EXPECTED, SEEN = "expected", "seen"


def main() -> int:
    """Compare; 0 when every mount is what was decided on."""
    folder = os.open(sys.argv[1], os.O_PATH | os.O_DIRECTORY)
    with open(_opener(folder, EXPECTED), "rb") as stream:
        expected = json.load(stream)
    bundle = json.load(sys.stdin)["bundle"]
    with open(f"{bundle}/config.json", "rb") as stream:  # noqa: PTH123 - nothing is imported for it
        root = json.load(stream)["root"]["path"]
    # Links in the image lead to where they do in the container.
    os.chroot(os.path.join(bundle, root))  # noqa: PTH118
    other = next((target for target, *numbers in expected if _numbers(target) != numbers), "")
    seen = os.open(SEEN, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
    # Without root this is a subordinate user, and who started the container has to read it. The folder is theirs alone.
    os.fchmod(seen, 0o644)
    os.write(seen, os.fsencode(other))
    return 1 if other else 0


def _opener(folder: int, name: str) -> int:
    return os.open(name, os.O_RDONLY, dir_fd=folder)


def _numbers(target: str) -> list[int]:
    try:
        found = os.stat(os.fsencode(target))  # noqa: PTH116 - nothing is imported for it
    except OSError:
        return []
    return [found.st_dev, found.st_ino]


if __name__ == "__main__":
    sys.exit(main())
