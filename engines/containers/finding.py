"""Finding: the ``docker`` that an engine finds, laid where its PATH begins."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from engines.child import container_shim

# Of a script's first line, as every Linux reads it.
_SHORT_ENOUGH = 127


def lay_command(place: Path) -> None:
    """Write the ``docker`` that an engine finds.

    It needs the interpreter alone, and that by its real path: where the run finds only what is staged, a virtual
    environment and our own code may be nowhere to be found.
    """
    text = Path(container_shim.__file__).read_text(encoding="utf-8")
    interpreter = os.path.realpath(sys.executable)
    first = f"#!{interpreter} -IS\n"
    if len(first.encode()) > _SHORT_ENOUGH or " " in interpreter:
        script = place.with_name("shim.py")
        script.write_text(text, encoding="utf-8")
        first, text = "#!/bin/sh\n", f'exec {shlex.join((interpreter, "-I", "-S", str(script)))} "$@"\n'
    place.write_text(first + text, encoding="utf-8")
    place.chmod(0o755)
