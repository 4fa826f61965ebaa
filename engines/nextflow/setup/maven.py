"""Maven: the artifacts of a version of Nextflow, resolved by the ``mvn`` client as for any program on the JVM."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engines.base import EngineFile
from engines.nextflow.setup.sources import MAVEN, Say, UnreachableError, known_versions
from engines.nextflow.setup.versions import NAME
from staging import process
from staging.errors import EngineError, from_os_error
from staging.streams import copy_hashed

TIMEOUT = 1800.0
"""Seconds that mvn may take: a slow network, not a hung one."""

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath"
_GROUP = ("io", "nextflow")
_SETTINGS = ("home", "java_home", "m2_home", "http_proxy", "https_proxy", "all_proxy", "no_proxy", "tmpdir", "user")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_BEFORE = re.compile(r"^Failed to execute goal .*?Could not resolve dependencies for project \S+ ")
_NOT_FOUND = re.compile(r"Could not find artifact ([^:\s]+):([^:\s]+):")
_NETWORK = re.compile(
    r"Unknown host|UnknownHostException|Connection refused|No route to host|Network is unreachable"
    r"|[Cc]onnect(?:ion)? timed out|in offline mode|Name or service not known|Temporary failure in name resolution"
)
_POM = """<project>
 <modelVersion>4.0.0</modelVersion>
 <groupId>wfexs-like</groupId><artifactId>engine</artifactId><version>1</version><packaging>pom</packaging>
 <dependencies>
  <dependency><groupId>io.nextflow</groupId><artifactId>nextflow</artifactId><version>{version}</version></dependency>
 </dependencies>
</project>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MavenSource:
    """Nextflow from a Maven repository. ``environment`` is the user's; ``java`` the home of the Java that mvn runs in.

    mvn gets of the environment what says where it finds its settings and the network: nothing else.
    """

    environment: Mapping[str, str]
    java: Path | None = None
    name: str = field(default=MAVEN, init=False)

    def fetch(self, version: str, into: Path, say: Say) -> tuple[EngineFile, ...]:  # noqa: ARG002 - the protocol's
        """Resolve the version and copy its artifacts, hashing them on the way; see ``Source.fetch``."""
        try:
            listed = self._resolve(version, into)
            return tuple(_copied(listed, into))
        except OSError as error:
            raise from_os_error(error, f"copy the artifacts of Nextflow {version}") from error

    def _resolve(self, version: str, into: Path) -> list[Path]:
        """The artifacts' files in mvn's own repository, in the order of the classpath."""
        pom, answer = into / "pom.xml", into / "classpath.txt"
        try:
            pom.write_text(_POM.format(version=version), encoding="utf-8")
            # -U: that it could not be had the last time, which mvn remembers for a day, says nothing of now.
            argv = ("mvn", "-B", "-q", "-U", f"--file={pom}", _PLUGIN, f"-Dmdep.outputFile={answer}")
            try:
                process.run(argv, env=self._environment(), cwd=into, timeout=TIMEOUT)
            except process.MissingToolError as error:
                raise EngineError(
                    f"Nextflow {version} is to come from Maven, and mvn is not there",
                    hint="install it (Debian, Ubuntu: apt-get install maven)",
                ) from error
            except process.ProcessError as error:
                raise _failed(error, version) from error
            listed = [Path(one) for one in answer.read_text("utf-8").strip().split(":") if one]
        finally:
            pom.unlink(missing_ok=True)
            answer.unlink(missing_ok=True)
        if not listed or listed[0].name != f"{NAME}-{version}.jar":
            raise EngineError(f"mvn's answer about Nextflow {version} can't be understood: {listed[:1]}")
        return listed

    def _environment(self) -> dict[str, str]:
        chosen = {
            name: value
            for name, value in self.environment.items()
            if name.lower() in _SETTINGS or name.startswith("MAVEN_")
        }
        if "PATH" in self.environment:
            chosen["PATH"] = self.environment["PATH"]
        if self.java is not None:
            chosen.setdefault("JAVA_HOME", str(self.java))
        if "HOME" in self.environment and not _has_home():
            # Java knows the account's home only, which for a service account may not be there.
            options = (chosen.get("MAVEN_OPTS"), f"-Duser.home={self.environment['HOME']}")
            chosen["MAVEN_OPTS"] = " ".join(one for one in options if one)
        return process.base_environment(**chosen)


def _has_home() -> bool:
    """Whether the account's own home is there to be written to."""
    try:
        home = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return False
    return os.access(home, os.W_OK)


def _copied(listed: list[Path], into: Path) -> Iterator[EngineFile]:
    # The first one is io/nextflow/nextflow/<version>/nextflow-<version>.jar below the repository's root.
    root = listed[0].parents[len(_GROUP) + 2]
    taken: set[str] = set()
    for path in listed:
        *group, artifact, version, name = path.relative_to(root).parts
        if name in taken:
            name = f"{'.'.join(group)}.{name}"
        taken.add(name)
        with path.open("rb") as stream:
            copied = copy_hashed(stream.fileno(), into / name, name=str(path))
        yield EngineFile(
            name=name,
            identifier=f"pkg:maven/{'.'.join(group)}/{artifact}@{version}",
            sha256=copied.fingerprint.digest,
            size=copied.size,
        )


def _failed(error: process.ProcessError, version: str) -> EngineError:
    said = _COLOUR.sub("", (error.completed.stdout + error.completed.stderr).decode(errors="replace"))
    lines = [line.removeprefix("[ERROR]").strip() for line in said.splitlines() if line.startswith("[ERROR]")]
    first = next((line for line in lines if line), error.message)
    told = "".join(char if char.isprintable() else "?" for char in _BEFORE.sub("", first).partition(" -> [Help")[0])[
        :400
    ]
    missing = _NOT_FOUND.search(said)
    known = ", ".join(known_versions())
    if error.reason == "timeout":
        return EngineError(f"fetching Nextflow {version} took longer than {TIMEOUT:.0f} s", hint=told)
    if _NETWORK.search(said):
        return UnreachableError(
            f"mvn can't reach the repository that has Nextflow {version}: {told}",
            hint="is the network there? mvn takes mirrors and proxies from its settings.xml",
            said=said[-2000:],
        )
    if missing is not None and missing.groups() == (".".join(_GROUP), NAME):
        return EngineError(
            f"there is no Nextflow {version} in the Maven repository", hint=f"known to be there: {known}", said=told
        )
    if missing is not None:
        return EngineError(
            f"Nextflow {version} is not whole in the Maven repository: {':'.join(missing.groups())} is missing",
            hint=f"whole ones: {known}; or fetch it from the project's releases",
            said=told,
        )
    return EngineError(
        f"mvn can't fetch Nextflow {version}: {told}", hint="try mvn by hand to see more", said=said[-2000:]
    )
