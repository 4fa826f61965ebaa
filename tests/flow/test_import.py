"""Importing crates: what was staged on one machine runs on another one that never saw where it came from."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Generator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Command
from tests.flow.test_proof_in_containers import TOOL
from tests.flow.test_staged_images import made
from tests.support.container_daemons import Containing
from tests.support.crates import entities_of, ids
from tests.support.images import Entry, tools_image
from tests.support.registries import Registry
from tests.support.repositories import Repository, serve_repositories
from tests.support.web import File, WebServer

WORD_COUNT = ROOT / "workflow_examples" / "word-count"


def elsewhere(wfexs: Command, machine: Path) -> Command:
    """The command on another machine: no cache, no working directories."""
    places = {
        "HOME": str(machine),
        "WFEXS_LIKE_CACHE": str(machine / "cache"),
        "WFEXS_LIKE_CONFIG": str(machine / "config.toml"),
        "WFEXS_LIKE_KEYS": str(machine / "keys"),
        "WFEXS_LIKE_WORKDIRS": str(machine / "workdirs"),
    }
    machine.mkdir()
    return replace(wfexs, environment={**wfexs.environment, **places})


def digests(run: dict[str, Any]) -> dict[str, str]:
    """The sha256 of every output that is a file."""
    return {name: sha256(Path(one["path"]).read_bytes()).hexdigest() for name, one in run["outputs"].items()}


def sources(told: dict[str, Any]) -> dict[str, str]:
    """Where each item's bytes are from."""
    return {one["name"]: one["source"] for one in told["items"] if one["role"] != "engine"}


def crate_of(wfexs: Command, stage: Path, crate: Path, *more: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Stage, run, export: what is told of the first two."""
    staged = wfexs.ok("stage", stage)
    run = wfexs.ok("run", staged["id"])
    wfexs.ok("crate", staged["id"], crate, "--no-validate", *more)
    return staged, run


def same(wfexs: Command, crate: Path, workdir: str) -> None:
    """The circle is closed: the run of what was imported is the crate's."""
    told = wfexs.ok("compare", crate, workdir)
    assert (told["verdict"], told["differences"], told["circumstances"], told["step"]) == ("same", [], [], None)
    assert told["files"]
    assert {one["verdict"] for one in told["files"]} == {"identical"}


@pytest.mark.cwltool
def test_a_crate_with_all_in_it_runs_on_a_machine_that_has_nothing_and_makes_the_same(
    wfexs: Command, tmp_path: Path
) -> None:
    project = shutil.copytree(WORD_COUNT, tmp_path / "project")
    crates = (tmp_path / "a.crate", tmp_path / "a.crate.zip")
    staged, run = crate_of(wfexs, project / "word-count.wfex.stage", crates[0], "--include", "all")
    wfexs.ok("crate", staged["id"], crates[1], "--no-validate", "--include", "all")
    shutil.rmtree(project)
    assert "imported" not in wfexs.ok("show", staged["id"])

    for crate in crates:
        there = elsewhere(wfexs, tmp_path / f"there for {crate.name}")
        told = there.ok("import", crate, "--nickname", "again", "--strict")

        assert (told["nickname"], told["level"], told["run"]) == ("again", "full", None)
        assert told["lock"]["digest"] == staged["lock"]["digest"]
        assert Path(told["lock"]["path"]).read_bytes() == Path(staged["lock"]["path"]).read_bytes()
        assert set(sources(told).values()) == {"crate"}
        assert {one["trust"] for one in told["items"]} == {"locked"}
        assert sorted(path.name for path in Path(told["path"]).iterdir()) == [".lock", "work", "workdir.json"]
        assert there.ok("show", "again")["imported"]["crate"] == crate.name
        assert f"the crate {crate.name} (urn:uuid:" in there.run("show", "again").stdout
        about = json.loads((Path(told["path"]) / "work" / "about.json").read_bytes())
        assert about["title"] == "Words of a poem"

    # The circle: what was imported runs as it did, a crate of it is valid, and can be imported in turn.
    assert digests(there.ok("run", "again")) == digests(run)
    same(there, crate, "again")
    further = elsewhere(there, tmp_path / "further")
    there.ok("crate", "again", tmp_path / "b.crate", "--include", "all")
    assert further.ok("import", tmp_path / "b.crate")["lock"]["digest"] == staged["lock"]["digest"]
    entities = entities_of(tmp_path / "b.crate")
    (origin,) = ids(entities["./"]["isBasedOn"])
    assert entities[origin]["name"] == crate.name
    assert origin == there.ok("show", "again")["imported"]["identifier"]


@pytest.mark.cwltool
def test_what_the_crate_was_made_without_is_named_and_nothing_is_left(wfexs: Command, tmp_path: Path) -> None:
    crate = tmp_path / "a.crate"
    wfexs.ok("stage", WORD_COUNT / "word-count.wfex.stage")
    wfexs.ok("crate", "last", crate, "--no-validate", "--prospective")
    there = elsewhere(wfexs, tmp_path / "there")

    answer = there("import", crate)

    assert answer.code == 4
    assert "the input 'text' is not in the crate" in answer.object["error"]["message"]
    assert answer.object["error"]["hint"].endswith("made with --include inputs")
    assert [path.name for path in (tmp_path / "there" / "workdirs").iterdir() if path.name != ".locks"] == []

    # Who has the very bytes already needs them from nobody.
    assert sources(wfexs.ok("import", crate))["text"] == "cache"


@pytest.fixture
def web() -> Generator[WebServer, None, None]:
    with WebServer() as running:
        yield running


REMOTE = """workflow_id: {url}/main.cwl
workflow_config: {{secure: false, containerType: none}}
params:
  data: {{c-l-a-s-s: File, url: "{url}/data.txt"}}
  word: {word}
"""
GREET = """cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c]
arguments: ['echo "$1 $2"; cat "$0"']
inputs:
  data: {type: File, inputBinding: {position: 1}}
  word: {type: string, inputBinding: {position: 2}}
  times: {type: "int[]", default: [1, 2], inputBinding: {position: 3, itemSeparator: ","}}
outputs: {out: stdout}
stdout: out.txt
"""


SERVED = {"/main.cwl": GREET.encode(), "/data.txt": b"data\n"}


@dataclass(frozen=True)
class Remote:
    """What was staged from a server and run with its parameters and with others; its crates: whole, and without data.

    What the server has is what the test before left there.
    """

    web: WebServer
    staged: dict[str, Any]
    runs: tuple[dict[str, Any], dict[str, Any]]
    whole: Path
    bare: Path

    def serve(self, **others: bytes) -> None:
        """Have it serve what was staged, but for those files."""
        changed = {f"/{name}": content for name, content in others.items()}
        self.web.files.update({path: File(content) for path, content in {**SERVED, **changed}.items()})


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory, alike: Path) -> Generator[Remote, None, None]:
    folder = tmp_path_factory.mktemp("remote")
    program = str(Path(sys.executable).with_name("wfexs-like"))
    maker = elsewhere(Command((program,), alike=alike), folder / "maker")
    with WebServer() as web:
        web.files.update({path: File(content) for path, content in SERVED.items()})
        stage = folder / "it.wfex.stage"
        stage.write_text(REMOTE.format(url=web.url(""), word="hello"))
        whole, bare = folder / "whole.crate", folder / "bare.crate"
        staged = maker.ok("stage", stage)
        first = maker.ok("run", "last")
        second = maker.ok("run", "last", "--param", "word=42", "--param", "times=[3, 3]")
        for crate, more in ((whole, ("--include", "all")), (bare, ())):
            maker.ok("crate", "last", crate, "--no-validate", *more)
        yield Remote(web=web, staged=staged, runs=(first, second), whole=whole, bare=bare)


@pytest.mark.cwltool
def test_by_its_metadata_everything_is_fetched_again_and_has_to_be_what_it_was(
    wfexs: Command, tmp_path: Path, remote: Remote
) -> None:
    remote.serve()
    there = elsewhere(wfexs, tmp_path / "there")

    told = there.ok("import", remote.whole, "--level", "metadata")
    assert set(sources(told).values()) == {"fetched"}
    assert digests(there.ok("run", told["id"])) == digests(remote.runs[0])

    remote.serve(**{"data.txt": b"another\n"})
    answer = elsewhere(wfexs, tmp_path / "later")("import", remote.whole, "--level", "metadata")
    assert answer.code == 5
    assert remote.web.url("/data.txt") in answer.object["error"]["message"]
    assert set(sources(elsewhere(wfexs, tmp_path / "full").ok("import", remote.whole)).values()) == {"crate"}


@pytest.mark.cwltool
def test_what_has_an_address_is_fetched_where_the_crate_lacks_it(
    wfexs: Command, tmp_path: Path, remote: Remote
) -> None:
    remote.serve()
    there = elsewhere(wfexs, tmp_path / "there")

    told = there.ok("import", remote.bare)

    assert sources(told) == {"workflow": "crate", "data": "fetched"}
    assert {one["name"]: one["sha256"] for one in told["items"]} == {
        one["name"]: one["sha256"] for one in remote.staged["items"]
    }
    remote.web.files.clear()
    answer = elsewhere(wfexs, tmp_path / "offline")("import", remote.bare)
    assert answer.code == 4
    assert "made without" in answer.object["error"]["message"]


@pytest.mark.cwltool
def test_a_run_of_the_crate_gives_its_parameters(wfexs: Command, tmp_path: Path, remote: Remote) -> None:
    there = elsewhere(wfexs, tmp_path / "there")

    plain = there.ok("import", remote.whole)
    one = there.ok("import", remote.whole, "--run", "1")
    two = there.ok("import", remote.whole, "--run", "2")

    assert one["overrides"] == {}
    assert plain["lock"]["digest"] == one["lock"]["digest"] == remote.staged["lock"]["digest"]
    assert two["overrides"] == {"word": "42", "times": [3, 3]}
    assert two["lock"]["digest"] != remote.staged["lock"]["digest"]
    assert digests(there.ok("run", two["id"])) == digests(remote.runs[1]) != digests(remote.runs[0])
    missing = there("import", remote.whole, "--run", "3")
    assert missing.code == 10
    assert "1, 2" in missing.object["error"]["hint"]


@pytest.mark.cwltool
@pytest.mark.git
def test_a_workflow_out_of_a_repository_comes_whole_from_the_crate_or_whole_from_there(
    wfexs: Command, tmp_path: Path, web: WebServer
) -> None:
    repository = Repository(tmp_path / "git" / "greet")
    repository.write("main.cwl", GREET)
    repository.write("bin/tool", "#!/bin/sh\n").chmod(0o755)
    repository.write("notes/README.md", "notes\n")
    (repository.path / "link").symlink_to("notes/README.md")
    repository.commit()
    serve_repositories(web, tmp_path / "git")
    stage = tmp_path / "it.wfex.stage"
    text = REMOTE.format(url="there", word="hi").replace("there/data.txt", "data:,data%0A")
    address = f"git+{web.url('/git/greet')}@main#subdirectory=main.cwl"
    stage.write_text(text.replace("there/main.cwl", f'"{address}"'))
    whole, parts = tmp_path / "whole.crate", tmp_path / "parts.crate"
    staged, run = crate_of(wfexs, stage, whole, "--include", "all")
    wfexs.ok("crate", staged["id"], parts, "--no-validate", "--include", "inputs")

    assert sources(elsewhere(wfexs, tmp_path / "online").ok("import", parts))["workflow"] == "fetched"
    web.scripts.clear()
    assert elsewhere(wfexs, tmp_path / "offline")("import", parts).code == 4
    there = elsewhere(wfexs, tmp_path / "there")
    told = there.ok("import", whole)
    assert sources(told)["workflow"] == "crate"
    assert digests(there.ok("run", told["id"])) == digests(run)

    (whole / "workflow" / "notes" / "README.md").write_text("changed\n")
    answer = elsewhere(wfexs, tmp_path / "later")("import", whole)
    assert answer.code == 5
    assert "workflow" in answer.object["error"]["message"]


@pytest.mark.cwltool
def test_a_crate_whose_lock_names_local_places_is_imported_by_what_is_told_of_them(
    wfexs: Command, tmp_path: Path
) -> None:
    project = shutil.copytree(WORD_COUNT, tmp_path / "project")
    (tmp_path / "CANARY").mkdir()
    text = shutil.move(project / "text.txt", tmp_path / "CANARY" / "text.txt")
    image = tools_image(tmp_path / "images", name="tools")
    stage = project / "word-count.wfex.stage"
    told = stage.read_text().replace("./text.txt", f"file://{text}").replace("Type: none", "Type: podman")
    stage.write_text(told + "containers: [{image: 'word-count:bookworm', source: 'oci:../images:tools'}]\n")
    staged = wfexs.ok("stage", stage)
    crate = tmp_path / "a.crate"
    wfexs.ok("crate", staged["id"], crate, "--prospective", "--include", "all")
    assert not (crate / "stage.lock.json").exists()
    there = elsewhere(wfexs, tmp_path / "there")
    shutil.rmtree(tmp_path / "CANARY")
    shutil.rmtree(tmp_path / "images")

    imported = there.ok("import", crate, "--strict")

    assert set(sources(imported).values()) == {"crate"}
    assert "CANARY" not in Path(imported["lock"]["path"]).read_text()
    before = {one["name"]: one["sha256"] for one in staged["items"]}
    assert {one["name"]: one["sha256"] for one in imported["items"]} == before
    assert before["word-count:bookworm"] == image.digest
    found = {one["name"]: one["identifier"] for one in imported["items"]}
    assert found["word-count:bookworm"] == "oci:containers:word-count:bookworm#linux/amd64"
    # What is told is nobody's secret: of this one the lock itself is in the crate.
    there.ok("crate", imported["id"], tmp_path / "b.crate", "--no-validate", "--prospective", "--include", "all")
    assert (tmp_path / "b.crate" / "stage.lock.json").read_bytes() == Path(imported["lock"]["path"]).read_bytes()

    # With the lock itself, which its maker has, it is the very plan.
    lock = Path(staged["lock"]["path"])
    assert there.ok("import", crate, "--locked", lock)["lock"]["digest"] == staged["lock"]["digest"]
    assert there("import", crate, "--locked", imported["lock"]["path"]).code == 5


@pytest.mark.nextflow
def test_a_nextflow_workflow_is_imported_and_runs_as_it_did(wfexs: Command, tmp_path: Path, nextflow: Path) -> None:
    crate = tmp_path / "a.crate.zip"
    example = ROOT / "workflow_examples" / "word-count-nextflow" / "word-count-nextflow.wfex.stage"
    staged, run = crate_of(wfexs, example, crate, "--include", "all")
    there = elsewhere(wfexs, tmp_path / "there")
    (tmp_path / "there" / "cache" / "engines").mkdir(parents=True)
    (tmp_path / "there" / "cache" / "engines" / "nextflow").symlink_to(nextflow)

    told = there.ok("import", crate, "--run", "1")

    assert told["lock"]["digest"] == staged["lock"]["digest"]
    assert told["overrides"] == {}
    assert set(sources(told).values()) == {"crate"}
    assert digests(there.ok("run", told["id"])) == digests(run)
    same(there, crate, told["id"])


IN_IMAGE = """workflow_id: main.cwl
workflow_config: {{secure: false, containerType: {runtime}}}
params:
  data: {{c-l-a-s-s: File, url: data.txt}}
"""


@pytest.mark.cwltool
@pytest.mark.registry
@pytest.mark.parametrize(
    "fixture",
    [
        pytest.param("docker_daemon", marks=pytest.mark.docker, id="docker"),
        pytest.param("podman_home", marks=pytest.mark.podman, id="podman"),
    ],
)
def test_a_crate_with_images_runs_where_the_registry_was_never_seen(
    wfexs: Command, hurried: Command, tmp_path: Path, request: pytest.FixtureRequest, fixture: str
) -> None:
    host: Containing = request.getfixturevalue(fixture)
    entry = Entry("etc/which", f"in the image for {host.command}\n".encode(), mode=0o644)
    layout = tools_image(tmp_path / "layout", name="tools", more=[entry])
    crate, bare = tmp_path / "a.crate", tmp_path / "bare.crate"
    user = replace(wfexs, environment=host.environment)
    with Registry(tmp_path / "registry") as registry:
        registry.push("team/tools", "1", made(layout))
        project = tmp_path / "project"
        project.mkdir()
        image = f"{registry.host}/team/tools:1"
        (project / "main.cwl").write_text(TOOL.format(command="cat /etc/which $0", image=image))
        (project / "data.txt").write_text("staged\n")
        stage = project / "it.wfex.stage"
        stage.write_text(IN_IMAGE.format(runtime=host.command))
        staged, run = crate_of(user, stage, crate, "--include", "all")
        user.ok("crate", staged["id"], bare, "--include", "inputs", "--no-validate")
    assert Path(run["outputs"]["out"]["path"]).read_text() == f"in the image for {host.command}\nstaged\n"
    shutil.rmtree(project)
    host.run("rmi", "--force", layout.config)
    assert not any(layout.config in one for one in host.images())

    there = elsewhere(user, tmp_path / "there")
    told = there.ok("import", crate)
    assert told["lock"]["digest"] == staged["lock"]["digest"]
    assert sources(told) == {"workflow": "crate", "data": "crate", image: "crate"}
    assert digests(there.ok("run", told["id"])) == digests(run)
    answer = elsewhere(hurried, tmp_path / "later")("import", bare)
    assert answer.code == 4
    assert registry.host in answer.object["error"]["message"]
    assert socket.gethostname() not in json.dumps(told)
