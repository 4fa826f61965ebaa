"""A small plugin of Nextflow, compiled by the engine's own compiler, and a registry of plugins that has it.

``nf-tiny`` gives the function ``shout(text)``; ``nf-broken`` can't be started.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engines.base import InstalledEngine
from engines.nextflow.reading.plugin_index import SETTING
from engines.nextflow.setup.launching import classpath
from tests.support.web import File, WebServer

COMPILER = "org.codehaus.groovy.tools.FileSystemCompiler"
REQUIRES = ">=22.04.0"
SOURCE = """
package tiny

import nextflow.Session
import nextflow.plugin.BasePlugin
import nextflow.plugin.extension.Function
import nextflow.plugin.extension.PluginExtensionPoint
import org.pf4j.PluginWrapper

class TinyPlugin extends BasePlugin {
    TinyPlugin(PluginWrapper wrapper) { super(wrapper) }
}

class BrokenPlugin extends BasePlugin {
    BrokenPlugin(PluginWrapper wrapper) { super(wrapper) }

    @Override
    void start() { throw new IllegalStateException('there is no licence for it') }
}

class TinyExtension extends PluginExtensionPoint {
    @Override
    protected void init(Session session) { }

    @Function
    String shout(String text) { text.toUpperCase() + '!' }
}
"""


def compile_plugin(engine: InstalledEngine, folder: Path) -> Mapping[str, bytes]:
    """The classes, by their names in a plugin's archive. ``folder`` is new."""
    classes = folder / "classes"
    classes.mkdir(parents=True)
    source = folder / "Tiny.groovy"
    source.write_text(SOURCE)
    jars = classpath(engine)
    subprocess.run(
        [engine.program, "-XX:TieredStopAtLevel=1", "-cp", jars, COMPILER, "-cp", jars, "-d", classes, source],
        check=True,
        capture_output=True,
    )
    return {f"classes/{one.relative_to(classes)}": one.read_bytes() for one in sorted(classes.rglob("*.class"))}


def plugin_archive(
    classes: Mapping[str, bytes],
    *,
    name: str = "nf-tiny",
    version: str = "1.2.0",
    plugin_class: str = "tiny.TinyPlugin",
) -> bytes:
    """The zip of a plugin as the registry has it."""
    manifest = {
        "Manifest-Version": "1.0",
        "Plugin-Id": name,
        "Plugin-Version": version,
        "Plugin-Class": plugin_class,
        "Plugin-Provider": "the tests",
        "Plugin-Requires": REQUIRES,
    }
    files = {
        "classes/META-INF/MANIFEST.MF": "".join(f"{key}: {value}\n" for key, value in manifest.items()).encode(),
        "classes/META-INF/extensions.idx": b"tiny.TinyExtension\n",
        **classes,
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
        archive.writestr("lib/", b"")
    return packed.getvalue()


@dataclass
class PluginRegistry:
    """An index of plugins and their archives on a web server. ``environment`` leads the command there."""

    web: WebServer
    classes: Mapping[str, bytes]
    releases: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {SETTING: self.web.url("/plugins.json")}

    def path(self, name: str, version: str) -> str:
        return f"/archives/{name}-{version}.zip"

    def publish(
        self,
        name: str = "nf-tiny",
        version: str = "1.2.0",
        *,
        plugin_class: str = "tiny.TinyPlugin",
        served: bytes | None = None,
    ) -> bytes:
        """Publish a plugin; its archive. ``served`` is what the server gives instead of what the index tells of."""
        archive = plugin_archive(self.classes, name=name, version=version, plugin_class=plugin_class)
        path = self.path(name, version)
        self.web.files[path] = File(archive if served is None else served)
        release = {
            "version": version,
            "url": self.web.url(path),
            "date": "2024-09-10T10:02:36.410+02:00",
            "sha512sum": hashlib.sha512(archive).hexdigest(),
            "requires": REQUIRES,
        }
        self.releases.setdefault(name, []).append(release)
        index = [{"id": one, "releases": releases} for one, releases in self.releases.items()]
        self.web.files["/plugins.json"] = File(json.dumps(index).encode(), etag=f'"{name}-{version}"')
        return archive
