"""How the child that starts Nextflow is called, and the environment that it gives the JVM."""

from __future__ import annotations

import sys
from pathlib import Path

SCRIPT = Path(__file__).parent / "child" / "main.py"


def child_argv() -> tuple[str, ...]:
    """The child's command line: our own interpreter. ``-I -S``: nothing of the user's Python set-up reaches it."""
    return (sys.executable, "-I", "-S", "-X", "utf8", str(SCRIPT))


def offline_environment(*, nxf_home: Path, tmp: Path, java_home: Path, plugins: Path) -> dict[str, str]:
    """The variables that keep Nextflow from the network and from anybody's home.

    Source: Nextflow's reference of environment variables.
    """
    return {
        "JAVA_HOME": str(java_home),
        "LC_ALL": "C.UTF-8",
        "NXF_ANSI_LOG": "false",
        "NXF_ANSI_SUMMARY": "false",
        "NXF_ASSETS": str(nxf_home / "assets"),
        "NXF_DISABLE_CHECK_LATEST": "true",
        "NXF_HOME": str(nxf_home),
        "NXF_OFFLINE": "true",
        "NXF_PLUGINS_DEFAULT": "false",
        "NXF_PLUGINS_DIR": str(plugins if plugins.is_dir() else nxf_home / "plugins"),
        "NXF_TEMP": str(tmp),
    }
