"""How the child that speaks to cwltool is called: its command line, and what every request to it holds."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from engines.base import InstalledEngine

SCRIPT = Path(__file__).parent / "child" / "main.py"


def child_argv(engine: InstalledEngine) -> tuple[str, ...]:
    """The child's command line. ``-I -S``: nothing of the user's Python set-up reaches it."""
    return (str(engine.program), "-I", "-S", "-X", "utf8", str(SCRIPT))


def libraries(engine: InstalledEngine) -> list[str]:
    """The folders with the packages of the engine's interpreter."""
    if Path(engine.program) == Path(sys.executable):
        return [path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages")]  # noqa: PTH119
    return [str(path) for path in sorted(Path(engine.program).parent.parent.glob("lib/python3.*/site-packages"))]


def common_request(engine: InstalledEngine) -> dict[str, object]:
    """What the child needs for any errand. ``key`` names the exact engine, for what it keeps between runs."""
    return {
        "libraries": libraries(engine),
        "schemas": str(engine.home) if engine.home is not None else None,
        "key": f"{engine.name} {engine.version} {engine.fingerprint} {engine.program}",
    }
