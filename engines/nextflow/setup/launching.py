"""Launching: the command line that starts an installed Nextflow, quickly.

What the project's own launcher passes to Java is passed here too (``--add-opens``, the first compiler only). On top:
the serial collector, which starts no threads; no statistics file in the machine's ``/tmp``; and an archive of classes
(``class_data``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engines.base import InstalledEngine
from engines.nextflow.setup import class_data, support_jar
from staging.errors import EngineError

MAIN = "nextflow.cli.Launcher"
JARS = "jars"

_MODULES_SINCE = 9
OPENED = (
    "java.lang",
    "java.io",
    "java.nio",
    "java.net",
    "java.util",
    "java.util.regex",
    "java.util.concurrent.locks",
    "java.util.concurrent.atomic",
    "sun.nio.ch",
    "sun.nio.fs",
    "sun.net.www.protocol.http",
    "sun.net.www.protocol.https",
    "sun.net.www.protocol.ftp",
    "sun.net.www.protocol.file",
    "jdk.internal.misc",
    "jdk.internal.vm",
)
"""The packages of ``java.base`` that Nextflow's own launcher opens to it."""

_QUICK = ("-XX:+TieredCompilation", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData")


def java_command(
    engine: InstalledEngine,
    *,
    tmp: Path,
    main: str = MAIN,
    properties: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """The words that start ``main`` with the engine's classes; its own arguments come after them.

    ``tmp`` is Java's folder for temporary files.
    """
    home = home_of(engine)
    version, major = java_of(engine)
    archive = class_data.usable(home, engine.program, version, major)
    sharing = (
        ()
        if archive is None
        else ("-Xshare:auto", f"-XX:SharedArchiveFile={archive}", "-Xlog:disable", "-Xlog:all=error:stderr")
    )
    return command(engine, tmp=tmp, main=main, flags=sharing, properties=properties)


def command(
    engine: InstalledEngine,
    *,
    tmp: Path,
    flags: tuple[str, ...],
    main: str = MAIN,
    properties: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """The same with other flags in place of the archive's."""
    _, major = java_of(engine)
    opened = tuple(f"--add-opens=java.base/{one}=ALL-UNNAMED" for one in OPENED) if major >= _MODULES_SINCE else ()
    given = {"java.io.tmpdir": str(tmp), "java.awt.headless": "true", "file.encoding": "UTF-8", **(properties or {})}
    defined = tuple(f"-D{name}={value}" for name, value in given.items())
    return (str(engine.program), *opened, *_QUICK, *flags, *defined, "-cp", classpath(engine), main)


def classpath(engine: InstalledEngine) -> str:
    """The engine's jars in their order, and then our own.

    Raises:
        EngineError: the engine lies in a folder that Java can't have in a classpath.
    """
    home = home_of(engine)
    jars = [home / JARS / one.name for one in engine.files]
    own = support_jar.place(home)
    words = [str(one) for one in (*jars, *(() if own is None else (own,)))]
    if any(":" in one for one in words):
        raise EngineError(
            f"Java can't run Nextflow from {home}: there is a colon in that path",
            hint="put the cache somewhere else (WFEXS_LIKE_CACHE)",
            where=str(home),
        )
    return ":".join(words)


def home_of(engine: InstalledEngine) -> Path:
    """Where the engine lies."""
    assert engine.home is not None, "an installed Nextflow has a home"
    return engine.home


def java_of(engine: InstalledEngine) -> tuple[str, int]:
    """Version and feature version of the engine's Java, from what it says of its platform."""
    version = engine.platform.get("java", "").partition(" ")[0]
    numbers = version.removeprefix("1.").replace("-", ".").replace("+", ".").partition(".")[0]
    return version, int(numbers) if numbers.isdigit() else 0
