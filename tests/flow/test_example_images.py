"""The images of the examples: made of Debian packages, the same each time, and the examples that run in them."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import Command
from tests.support.container_daemons import Containing
from tests.support.registries import Registry
from tests.support.scores import judge, published

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "container-recipes"
EXAMPLES = ROOT / "workflow_examples"
VARIANTS = "variant-calling:bookworm"
SMALL = {
    "title": "Small",
    "description": "One package and nothing else",
    "suite": "bookworm",
    "options": ["--variant=custom", "--mode=chrootless"],
    "packages": ["netbase"],
    "licences": "GPL-2.0-or-later",
}

pytestmark = pytest.mark.images


@pytest.fixture(scope="module")
def build() -> ModuleType:
    """``build.py`` as a module; what it makes is larger, and made sooner."""
    spec = importlib.util.spec_from_file_location("build_images", RECIPES / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.LEVEL = 1
    return module


@contextmanager
def in_memory() -> Iterator[None]:
    """Put images together in memory, where there is a place for that."""
    with pytest.MonkeyPatch.context() as patch:
        if os.access("/dev/shm", os.W_OK):
            patch.setenv("TMPDIR", "/dev/shm")
            patch.setattr(tempfile, "tempdir", None)
        yield


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, build: ModuleType) -> Any:
    """A layout with the small image in it."""
    layout = build.Layout(tmp_path_factory.mktemp("small"))
    with in_memory():
        build.build(SMALL, "small", layout)
    return layout


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, build: ModuleType) -> Path:
    """The layout that "make images" makes, with one image: it is made once for all workers of a session."""
    if os.geteuid() != 0:
        pytest.skip("root: without it mmdebstrap needs user namespaces and a range of ids")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "example-images"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (folder / "images/index.json").exists():
            said = StringIO()
            with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), in_memory():
                patch.setattr(sys, "argv", ["build.py", "variant-calling", "--into", str(folder / "images")])
                assert build.main() == 0
            assert said.getvalue().startswith(f"{VARIANTS} sha256:")
    return folder / "images"


def example(name: str, folder: Path, images: Path) -> Path:
    """The example's stage file for containers, in a copy beside the images, as it is in the project."""
    (folder / "images").symlink_to(images)
    shutil.copytree(EXAMPLES / name, folder / "workflow_examples" / name)
    return folder / "workflow_examples" / name / f"{name}.containers.wfex.stage"


def digests(run: dict[str, Any]) -> dict[str, str]:
    return {
        name: hashlib.sha256(Path(one["path"]).read_bytes()).hexdigest() for name, one in sorted(run["outputs"].items())
    }


def test_two_builds_of_a_recipe_are_the_same_image(tmp_path: Path, build: ModuleType, small: Any) -> None:
    with in_memory():
        again = build.build(SMALL, "small", build.Layout(tmp_path))

    named = json.loads((small.root / "index.json").read_bytes())["manifests"]
    assert [one["digest"] for one in named] == [again]
    blobs = [sorted(one.name for one in (root / "blobs/sha256").iterdir()) for root in (small.root, tmp_path)]
    assert blobs[0] == blobs[1]
    assert len(blobs[0]) == 3
    assert (small.root / "small.packages.txt").read_text() == (tmp_path / "small.packages.txt").read_text()


@pytest.mark.registry
def test_an_image_is_pushed_to_a_registry_as_it_is(tmp_path: Path, build: ModuleType, small: Any) -> None:
    with Registry(tmp_path / "registry") as registry:
        build.push(small, "small:bookworm", f"{registry.host}/examples", plain_http=True)
        asked = ["skopeo", "inspect", "--tls-verify=false", f"docker://{registry.host}/examples/small:bookworm"]
        there = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)

    here = subprocess.run(["skopeo", "inspect", f"oci:{small.root}:small:bookworm"], capture_output=True, check=True)
    (named,) = json.loads((small.root / "index.json").read_bytes())["manifests"]
    assert there["Digest"] == json.loads(here.stdout)["Digest"] == named["digest"]
    assert there["Labels"]["org.opencontainers.image.title"] == "Small"


@pytest.mark.registry
def test_the_list_of_packages_says_what_an_image_was_made_of(images: Path) -> None:
    read = subprocess.run(["skopeo", "inspect", f"oci:{images}:{VARIANTS}"], capture_output=True, check=True)
    assert json.loads(read.stdout)["Labels"]["org.opencontainers.image.base.name"] == "debian:bookworm"
    packages = (images / "variant-calling.packages.txt").read_text().splitlines()
    assert packages == sorted(packages)
    for package in ("bowtie2", "samtools", "bcftools", "procps"):
        assert any(one.startswith(f"pkg:deb/debian/{package}@") for one in packages)


@pytest.mark.cwltool
@pytest.mark.git
@pytest.mark.podman
@pytest.mark.variants
def test_variant_calling_in_containers_gives_what_it_gives_without(
    tmp_path: Path, images: Path, wfexs: Command, podman_home: Containing
) -> None:
    command = replace(wfexs, environment=podman_home.environment, timeout=300)
    asked = example("variant-calling", tmp_path, images)
    without = command.ok("execute", asked.with_name("variant-calling.wfex.stage"))["run"]
    with published(asked, tmp_path) as stage_file:
        staged = command.ok("stage", stage_file)
    run = command.ok("run", staged["id"])
    judge(command, staged["id"], tmp_path, containers=True)

    (one,) = [one for one in staged["items"] if one["role"] == "container"]
    assert one["identifier"] == f"oci:../../images:{VARIANTS}#linux/amd64"
    assert run["container"]["runtime"].startswith("podman ")
    assert "container" not in without
    assert digests(run) == digests(without)
    rows = [line for line in Path(run["outputs"]["variants"]["path"]).read_text().splitlines() if line[:1] != "#"]
    assert len(rows) == 88


def test_the_dockerfile_beside_the_tools_has_the_packages_of_the_image() -> None:
    recipe = tomllib.loads((RECIPES / "variant-calling.toml").read_text())
    text = (EXAMPLES / "variant-calling/tools/Dockerfile").read_text()
    assert f"install -y --no-install-recommends {' '.join(recipe['packages'])} \\\n" in text
    assert f"FROM docker.io/library/debian:{recipe['suite']}-slim\n" in text


@pytest.mark.parametrize("name", ["word-count", "word-count-nextflow", "variant-calling", "variant-calling-nextflow"])
def test_the_stage_file_for_containers_differs_in_them_alone(name: str) -> None:
    folder = EXAMPLES / name
    image = name.removesuffix("-nextflow") + ":bookworm"
    listed = f'containers:\n  - image: {image}\n    source: "oci:../../images:{image}"\n'
    text = (folder / f"{name}.containers.wfex.stage").read_text()

    body = "nickname:" + text.partition("nickname:")[2]
    plain = (
        body.replace(listed, "")
        .replace(f"{name}-containers", name)
        .replace("secure: false\n", "secure: false\n  containerType: none\n")
    )
    assert listed in body
    assert (folder / f"{name}.wfex.stage").read_text().endswith(plain)
    assert f"{name}.containers.wfex.stage" in (folder / "README.md").read_text()
