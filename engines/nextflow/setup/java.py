"""Java: which of this machine's Javas runs a version of Nextflow.

What a Java is stands in the file ``release`` of its home, which costs a millisecond to read; only where there is none
is it started and asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engines.nextflow.setup.versions import java_range
from staging import process
from staging.errors import EngineError, WfexsError

_SETTINGS = ("NXF_JAVA_HOME", "JAVA_HOME")
USUAL = Path("/usr/lib/jvm")
_TIMEOUT = 30.0
_LINE = re.compile(r'^\s*(JAVA_VERSION|IMPLEMENTOR|java\.version|java\.vendor)\s*=\s*"?([^"\n]*?)"?\s*$', re.MULTILINE)
_MAJOR = re.compile(r"(?:1\.)?([0-9]{1,4})")
_PACKAGED = (8, 11, 17, 21, 25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Java:
    """A Java: ``path`` is its program (links followed), ``major`` its feature version (8, 11, 17, ...)."""

    path: Path
    version: str
    vendor: str
    major: int

    @property
    def label(self) -> str:
        """``17.0.15 (Debian)``."""
        return f"{self.version} ({self.vendor})" if self.vendor else self.version


def find_java(version: str, environment: Mapping[str, str], usual: Path = USUAL) -> Java:
    """The first Java that suits that version of Nextflow: ``NXF_JAVA_HOME``, ``JAVA_HOME``, PATH, then ``usual``.

    Raises:
        EngineError: there is none; what was found and what to install is in the error.
    """
    oldest, newest = java_range(version)
    found: list[Java] = []
    for java in javas(environment, usual):
        if oldest <= java.major <= newest:
            return java
        found.append(java)
    fitting = [one for one in _PACKAGED if oldest <= one <= newest]
    # The newest of those that Debian's stable releases have had the longest.
    package = 17 if 17 in fitting else max(fitting, default=oldest)  # noqa: PLR2004 - a version
    wrong = "; ".join(_wrong_settings(environment))
    listed = ", ".join(f"{one.label} at {one.path}" for one in found) or "none"
    raise EngineError(
        f"Nextflow {version} needs Java {oldest} to {newest}, found: {listed}",
        hint=(f"{wrong}; or " if wrong else "")
        + f"install one (Debian, Ubuntu: apt-get install openjdk-{package}-jre-headless)"
        " or set JAVA_HOME to the folder of one",
        needed=[oldest, newest],
        found=[str(one.path) for one in found],
    )


def javas(environment: Mapping[str, str], usual: Path = USUAL) -> Iterator[Java]:
    """Every Java of this machine that can be found, in the order in which they are tried; each once."""
    seen: set[Path] = set()
    for candidate in _candidates(environment, usual):
        try:
            path = candidate.resolve()
            if path in seen or not path.is_file():
                continue
        except (OSError, RuntimeError):
            continue
        seen.add(path)
        java = _look(path)
        if java is not None:
            yield java


def _candidates(environment: Mapping[str, str], usual: Path) -> Iterator[Path]:
    for name in _SETTINGS:
        if environment.get(name):
            yield Path(environment[name]) / "bin" / "java"
    on_path = process.find_tool("java", environment)
    if on_path is not None:
        yield on_path
    try:
        homes = sorted(usual.iterdir())
    except OSError:
        return
    for home in homes:
        yield home / "bin" / "java"


def _wrong_settings(environment: Mapping[str, str]) -> Iterator[str]:
    for name in _SETTINGS:
        if environment.get(name) and not (Path(environment[name]) / "bin" / "java").is_file():
            yield f"{name} is {environment[name]}, and there is no bin/java in it"


def _look(path: Path) -> Java | None:
    """What the Java at ``path`` is; ``None`` when it doesn't say, or isn't one."""
    home = path.parent.parent
    # A Java 8 runtime may lie in the folder "jre" of its home.
    for folder in (home, home.parent) if home.name == "jre" else (home,):
        try:
            text = (folder / "release").read_text("utf-8", errors="replace")
        except OSError:
            continue
        if (java := _read(path, text)) is not None:
            return java
    return _asked(path)


def _asked(path: Path) -> Java | None:
    argv = (str(path), "-XshowSettings:properties", "-version")
    try:
        done = process.run(argv, env=process.base_environment(), timeout=_TIMEOUT)
    except WfexsError:
        return None
    return _read(path, (done.stderr + done.stdout).decode(errors="replace"))


def _read(path: Path, text: str) -> Java | None:
    said = dict(_LINE.findall(text))
    version = said.get("JAVA_VERSION") or said.get("java.version") or ""
    number = _MAJOR.match(version)
    if number is None:
        return None
    vendor = said.get("IMPLEMENTOR") or said.get("java.vendor") or ""
    return Java(path=path, version=version, vendor=vendor, major=int(number.group(1)))
