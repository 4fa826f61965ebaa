"""Support jar: our own Groovy sources, compiled by the engine's own compiler and kept beside its jars.

The name of the jar carries the digest of the sources, so that other sources are compiled anew and nothing is fetched.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from engines.nextflow.setup.records import holds_beside, keep_beside
from staging import process
from staging.errors import EngineError

COMPILER = "org.codehaus.groovy.tools.FileSystemCompiler"

_TIMEOUT = 300.0
_INDEX = "META-INF/extensions.idx"
_EXTENSION = "wfexslike.WitnessFactory"
_EPOCH = (1980, 1, 1, 0, 0, 0)


@functools.cache
def sources() -> tuple[tuple[str, bytes], ...]:
    """The sources that ship with us, name and bytes, sorted by name."""
    folder = files("engines.nextflow").joinpath("groovy")
    if not folder.is_dir():
        return ()
    found = [one for one in folder.iterdir() if one.name.endswith(".groovy")]
    return tuple((one.name, one.read_bytes()) for one in sorted(found, key=lambda one: one.name))


def place(home: Path) -> Path | None:
    """Where the jar of these sources is for the engine at ``home``; ``None`` when there are no sources."""
    if not sources():
        return None
    digest = hashlib.sha256(f"{_INDEX} {_EXTENSION}\n".encode())
    for name, content in sources():
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return home / f"wfexs-like-{digest.hexdigest()[:12]}.jar"


def is_ready(home: Path) -> bool:
    """Whether it is there and still what was compiled here; nothing is read when it wasn't touched."""
    jar = place(home)
    return jar is None or holds_beside(jar)


def build(home: Path, jars: Sequence[Path], java: Path, version: str) -> None:
    """Compile it. Whoever calls holds the engine's lock.

    Raises:
        EngineError: the engine's compiler doesn't take our sources.
        OSError: it can't be written.
    """
    jar = place(home)
    if jar is None:
        return
    with tempfile.TemporaryDirectory(prefix=".compiling-", dir=home) as folder:
        beside = Path(folder)
        classes = _compiled(beside, jars, java, version)
        packed = beside / jar.name
        _pack(classes, packed)
        packed.chmod(0o444)
        packed.replace(jar)
    keep_beside(jar)


def _compiled(beside: Path, jars: Sequence[Path], java: Path, version: str) -> Path:
    code, classes = beside / "sources", beside / "classes"
    code.mkdir()
    classes.mkdir()
    for name, content in sources():
        (code / name).write_bytes(content)
    classpath = ":".join(map(str, jars))
    flags = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", f"-Djava.io.tmpdir={beside}")
    given = tuple(str(code / name) for name, _ in sources())
    argv = (str(java), *flags, "-cp", classpath, COMPILER, "--classpath", classpath, "-d", str(classes), *given)
    try:
        process.run(argv, env=process.base_environment(HOME=str(beside)), cwd=beside, timeout=_TIMEOUT)
    except process.ProcessError as error:
        said = (error.completed.stderr + error.completed.stdout).decode(errors="replace").strip().splitlines()
        first = next((line.strip() for line in said if ".groovy:" in line), error.message)
        raise EngineError(
            f"Nextflow {version} can't be set up: its Groovy doesn't compile what we add to it: {first[:300]}",
            hint="this version of Nextflow is too far from those we know",
            said="\n".join(said[-20:]),
        ) from error
    return classes


def _pack(classes: Path, jar: Path) -> None:
    """A jar of the classes, always the same for the same ones."""
    entries = {str(one.relative_to(classes)): one.read_bytes() for one in classes.rglob("*.class")}
    entries[_INDEX] = f"{_EXTENSION}\n".encode()
    with jar.open("wb") as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            for name, content in sorted(entries.items()):
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
        stream.flush()
        os.fsync(stream.fileno())
