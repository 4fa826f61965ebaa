"""Plugins that a Nextflow workflow declares: staged with their digests, found by the engine without any network."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from engines.nextflow.setup.installation import install
from tests.conftest import Command
from tests.support.nextflow_plugins import PluginRegistry, compile_plugin, plugin_archive
from tests.support.web import File, WebServer

pytestmark = [pytest.mark.nextflow, pytest.mark.usefixtures("nextflow")]

MAIN = """
nextflow.enable.dsl = 2
params.text = null
params.outdir = 'results'

include { shout } from 'plugin/nf-tiny'

process SAY {
    publishDir params.outdir, mode: 'copy'

    input:
    val word
    path text

    output:
    path 'said.txt'

    script:
    \"\"\"
    echo '${shout(word)}' | cat - ${text} > said.txt
    \"\"\"
}

workflow {
    SAY('hello', file(params.text))
}
"""


@pytest.fixture(scope="session")
def plugin_classes(nextflow_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """Compiled by the oldest version, as a plugin for many versions is."""
    environment = {**os.environ, "WFEXS_LIKE_NEXTFLOW_SOURCE": "maven"}
    engine = install("22.10.7", nextflow_cache, print, environment)
    return compile_plugin(engine, tmp_path_factory.mktemp("plugin") / "tiny")


@pytest.fixture
def registry(plugin_classes: Mapping[str, bytes]) -> Iterator[PluginRegistry]:
    with WebServer() as web:
        web.files["/text.txt"] = File(b"from the web\n")
        yield PluginRegistry(web, plugin_classes)


def stage_file(folder: Path, registry: PluginRegistry, declared: str, version: str = "24.10.0") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "main.nf").write_text(MAIN)
    (folder / "nextflow.config").write_text(f"plugins {{\n  id '{declared}'\n}}\n")
    path = folder / "say.stage"
    path.write_text(
        "nickname: say\n"
        "workflow_id: .\n"
        f"engine: nextflow@{version}\n"
        "params:\n"
        "  text:\n"
        "    c-l-a-s-s: File\n"
        f"    url: {registry.web.url('/text.txt')}\n"
    )
    return path


def content_of(staged: Mapping[str, Any]) -> Path:
    return Path(staged["lock"]["path"]).parent


def asked_for(registry: PluginRegistry) -> list[str]:
    return [one.path for one in registry.web.requests]


@pytest.mark.parametrize(("version", "declared"), [("22.10.7", "nf-tiny@1.2.0"), ("24.10.0", "nf-tiny")])
def test_a_plugin_is_staged_and_the_run_finds_it_with_nobody_to_ask_as_long_as_nobody_changed_it(
    version: str, declared: str, wfexs: Command, registry: PluginRegistry, tmp_path: Path
) -> None:
    archive = registry.publish()
    url = registry.web.url(registry.path("nf-tiny", "1.2.0"))

    staged = wfexs.ok("stage", stage_file(tmp_path / "say", registry, declared, version), **registry.environment)
    registry.web.files.clear()

    content = content_of(staged)
    items = {one["name"]: one for one in json.loads((content / "stage.lock.json").read_text())["items"]}
    packed, unpacked = items["nf-tiny@1.2.0"], items["nf-tiny@1.2.0/unpacked"]
    assert (packed["role"], packed["identifier"], packed["sha256"]) == ("plugin", url, sha256(archive).hexdigest())
    assert (unpacked["role"], unpacked["kind"]) == ("plugin", "directory")
    manifest = content / unpacked["path"] / "classes/META-INF/MANIFEST.MF"
    manifest.chmod(0o644)
    sound = manifest.read_bytes()
    manifest.write_bytes(sound.replace(b"TinyPlugin", b"BrokenPlugin"))

    refused = wfexs("run", staged["id"])

    assert refused.code == 5
    assert "nf-tiny@1.2.0/unpacked" in refused.object["error"]["message"]
    assert "MANIFEST.MF" in refused.object["error"]["message"]
    manifest.write_bytes(sound)

    run = wfexs.ok("run", staged["id"])

    (said,) = (content / "runs").rglob("results/said.txt")
    assert said.read_text() == "HELLO!\nfrom the web\n"
    assert run["status"] == "completed"


def test_a_plugin_that_is_not_to_be_had_fails_the_stage_before_inputs_are_fetched(
    wfexs: Command, registry: PluginRegistry, tmp_path: Path
) -> None:
    registry.publish()

    answer = wfexs("stage", stage_file(tmp_path / "say", registry, "nf-tinny@1.2.0"), **registry.environment)

    assert answer.code == 4
    assert "nf-tinny@1.2.0" in answer.object["error"]["message"]
    assert "'nf-tiny'" in answer.object["error"]["hint"]
    assert "/text.txt" not in asked_for(registry)


def test_an_archive_that_is_gone_fails_the_stage_too(wfexs: Command, registry: PluginRegistry, tmp_path: Path) -> None:
    registry.publish()
    del registry.web.files[registry.path("nf-tiny", "1.2.0")]

    answer = wfexs("stage", stage_file(tmp_path / "say", registry, "nf-tiny@1.2.0"), **registry.environment)

    assert answer.code == 4
    assert "nf-tiny-1.2.0.zip" in answer.object["error"]["message"]
    assert "/text.txt" not in asked_for(registry)


def test_an_archive_that_is_not_what_the_index_tells_of_is_refused(
    wfexs: Command, registry: PluginRegistry, tmp_path: Path
) -> None:
    other = plugin_archive({**registry.classes, "classes/more.txt": b"more"})
    registry.publish(served=other)

    answer = wfexs("stage", stage_file(tmp_path / "say", registry, "nf-tiny@1.2.0"), **registry.environment)

    assert answer.code == 5
    assert "nf-tiny@1.2.0" in answer.object["error"]["message"]
    assert "/text.txt" not in asked_for(registry)


def test_a_plugin_that_does_not_start_fails_the_stage_in_its_own_words(
    wfexs: Command, registry: PluginRegistry, tmp_path: Path
) -> None:
    registry.publish("nf-broken", plugin_class="tiny.BrokenPlugin")

    answer = wfexs("stage", stage_file(tmp_path / "say", registry, "nf-broken@1.2.0"), **registry.environment)

    assert answer.code == 3
    told = json.dumps(answer.object["error"])
    assert "nf-broken@1.2.0 does not start" in told
    assert "there is no licence for it" in told


def test_a_lock_tells_which_plugin_so_that_no_newer_one_is_taken_and_no_index_asked(
    wfexs: Command, registry: PluginRegistry, tmp_path: Path
) -> None:
    registry.publish()
    path = stage_file(tmp_path / "say", registry, "nf-tiny")
    lock = content_of(wfexs.ok("stage", path, **registry.environment)) / "stage.lock.json"
    registry.publish(version="1.3.0")
    registry.web.requests.clear()

    again = wfexs.ok("stage", path, "--locked", lock, **registry.environment)

    assert (content_of(again) / "stage.lock.json").read_bytes() == lock.read_bytes()
    assert "/plugins.json" not in asked_for(registry)
