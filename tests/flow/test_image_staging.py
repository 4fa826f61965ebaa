"""Images staged from a real registry: what is fetched, what is locked, and what skopeo says of it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from staging.definition import ImageWish
from staging.errors import ContainerError, DefinitionError, DigestError, FetchError
from staging.fingerprints import Fingerprint
from staging.images import credentials
from staging.images.layout import read_layout
from staging.plan import Role, Trust
from staging.store import ContentStore
from tests.support.registries import PASSWORD, USER, MadeImage, Registry, make_image, sha256, tar_of
from tests.support.staged_images import ImageStages, blobs, images, locked, registry, stages

__all__ = ["registry", "stages"]

pytestmark = pytest.mark.registry

BASE = tar_of({"bin/base": b"base" * 1000})
TOOLS = "group/sub/tools"


def _tools(registry: Registry, tag: str = "1", text: bytes = b"one") -> MadeImage:
    labels = {"org.opencontainers.image.licenses": "MIT OR Apache-2.0"}
    return registry.push(TOOLS, tag, make_image(BASE, tar_of({"bin/tool": text}), labels=labels))


def _skopeo(*arguments: str | Path) -> str:
    done = subprocess.run(["skopeo", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_image_is_an_item_with_its_blobs_and_skopeo_reads_it(
    registry: Registry, stages: ImageStages, tmp_path: Path
) -> None:
    image = _tools(registry)
    name = f"{registry.host}/{TOOLS}:1"

    items = stages.stage(name)

    (staged,) = images(items)
    assert staged.item.name == name
    assert staged.item.identifier == f"docker://{name}#linux/amd64"
    assert staged.item.pinned == f"{registry.host}/{TOOLS}@sha256:{image.digest}"
    assert staged.item.fingerprint == Fingerprint(digest=image.digest)
    assert str(staged.item.path) == f"containers/blobs/sha256/{image.digest}"
    assert staged.item.licences == ("MIT", "Apache-2.0")
    assert staged.trust is Trust.FIRST_USE and staged.source == "fetched"
    facts = staged.item.image
    assert facts is not None
    assert (facts.config, facts.layers, facts.platform) == (image.config, image.layers, "linux/amd64")
    assert facts.size == len(image.manifest) + sum(map(len, image.blobs.values()))
    assert set(blobs(items)) == set(image.blobs)
    for digest, content in image.blobs.items():
        assert (stages.layout / "blobs/sha256" / digest).read_bytes() == content
    assert [one.name for one in read_layout(stages.layout)] == [name]

    said = json.loads(_skopeo("inspect", f"oci:{stages.layout}:{name}"))
    assert said["Digest"] == f"sha256:{image.digest}"
    _skopeo("copy", f"oci:{stages.layout}:{name}", f"dir:{tmp_path}/copied")
    assert (tmp_path / "copied" / "manifest.json").read_bytes() == image.manifest
    for digest, content in image.blobs.items():
        assert (tmp_path / "copied" / digest).read_bytes() == content


def test_the_same_images_give_the_same_bytes(registry: Registry, stages: ImageStages) -> None:
    _tools(registry)
    names = [f"{registry.host}/{TOOLS}:1", f"{registry.host}/{TOOLS}"]
    _tools(registry, "latest", b"other")

    one = stages.stage(*names)
    index = (stages.layout / "index.json").read_bytes()
    two = stages.stage(*reversed(names))

    assert (stages.layout / "index.json").read_bytes() == index
    assert sorted(str(a.item.as_json()) for a in one) == sorted(str(a.item.as_json()) for a in two)


def test_what_two_images_share_is_fetched_once(registry: Registry, stages: ImageStages) -> None:
    first, second = _tools(registry, "1", b"one"), _tools(registry, "2", b"two")

    items = stages.stage(f"{registry.host}/{TOOLS}:1", f"{registry.host}/{TOOLS}:2")

    assert len(items) == len(images(items)) + len(blobs(items)) == 2 + len({**first.blobs, **second.blobs})
    assert all(one.source == "fetched" for one in items)


def test_one_image_under_two_names_lies_there_once(registry: Registry, stages: ImageStages) -> None:
    image = _tools(registry)
    wish = ImageWish(name="tools", source=f"{registry.host}/{TOOLS}:1")

    items = stages.stage(wish, f"{registry.host}/{TOOLS}:1")

    assert {one.item.fingerprint.digest for one in images(items)} == {image.digest}
    assert _skopeo("inspect", "--raw", f"oci:{stages.layout}:tools").encode() == image.manifest


def test_the_platform_is_chosen_and_the_index_is_a_hop(registry: Registry, stages: ImageStages) -> None:
    there = {
        "linux/amd64": make_image(BASE),
        "linux/arm64/v8": make_image(BASE, platform="linux/arm64/v8"),
    }
    index = registry.push_index(TOOLS, "1", there)
    name = f"{registry.host}/{TOOLS}:1"

    for platform, key in (("linux/amd64", "linux/amd64"), ("linux/arm64", "linux/arm64/v8")):
        (staged,) = images(stages.stage(name, platform=platform))
        assert staged.item.fingerprint.digest == there[key].digest
        assert staged.item.image is not None and staged.item.image.platform == platform
        assert staged.item.hops == (f"docker://{registry.host}/{TOOLS}@sha256:{index}",)

    (staged,) = images(stages.stage(ImageWish(name=name, platform="linux/arm64"), platform="linux/amd64"))
    assert staged.item.fingerprint.digest == there["linux/arm64/v8"].digest
    with pytest.raises(ContainerError, match=r"not made for linux/s390x; it is there for linux/amd64, linux/arm64"):
        stages.stage(name, platform="linux/s390x")


@pytest.mark.parametrize("of_index", [False, True])
def test_a_stated_digest_is_expected_and_asks_nobody_the_second_time(
    registry: Registry, stages: ImageStages, of_index: bool
) -> None:
    image = make_image(BASE)
    index = registry.push_index(TOOLS, "1", {"linux/amd64": image})
    wish = ImageWish(name="tools", source=f"{registry.host}/{TOOLS}:gone", digest=index if of_index else image.digest)

    (first, *parts) = stages.stage(wish)
    registry.stop()
    (second, *_) = stages.stage(wish)

    assert first.item.fingerprint.digest == second.item.fingerprint.digest == image.digest
    assert {one.trust for one in (first, *parts)} == {Trust.EXPECTED}
    assert first.item == second.item
    assert second.source == "cache"


def test_a_lock_holds_against_a_moved_tag_and_a_dead_registry(registry: Registry, stages: ImageStages) -> None:
    image = _tools(registry)
    name = f"{registry.host}/{TOOLS}:1"
    items = stages.stage(name)
    lock = locked(items)
    _tools(registry, "1", b"moved")

    again = stages.stage(name, locked=lock)
    registry.stop()
    offline = stages.stage(name, locked=lock)

    for staged in (again, offline):
        assert [one.item for one in staged] == [one.item for one in items]
        assert {one.trust for one in staged} == {Trust.LOCKED}
        assert (stages.layout / "blobs/sha256" / image.digest).exists()
    assert _skopeo("inspect", "--raw", f"oci:{stages.layout}:{name}").encode() == image.manifest
    with pytest.raises(DigestError, match="not in the lock"):
        stages.stage(f"{registry.host}/{TOOLS}:2", locked=lock)


def test_a_lock_fetches_what_the_store_lost_by_digest(registry: Registry, stages: ImageStages, tmp_path: Path) -> None:
    image = _tools(registry)
    name = f"{registry.host}/{TOOLS}:1"
    lock = locked(stages.stage(name))
    with ContentStore(tmp_path / "other store") as store:
        other = ImageStages(tmp_path / "other", store)

        items = other.stage(name, locked=lock)

        assert images(items)[0].item.fingerprint.digest == image.digest
        _tools(registry, "1", b"moved")
    with ContentStore(tmp_path / "third store") as store, pytest.raises(DigestError):
        ImageStages(tmp_path / "third", store).stage(name, locked=lock)


def test_a_lock_keeps_its_platform_on_another_machine(registry: Registry, stages: ImageStages) -> None:
    registry.push_index(
        TOOLS, "1", {"linux/amd64": make_image(BASE), "linux/arm64": make_image(BASE, platform="linux/arm64")}
    )
    name = f"{registry.host}/{TOOLS}:1"
    items = stages.stage(name)

    again = stages.stage(name, locked=locked(items), platform="linux/arm64")

    assert [one.item for one in again] == [one.item for one in items]
    with pytest.raises(DigestError, match="the lock has"):
        stages.stage(ImageWish(name=name, platform="linux/arm64"), locked=locked(items))


def test_without_a_lock_a_dead_registry_leaves_the_copy_and_says_so(
    registry: Registry, stages: ImageStages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("staging.retries.PATIENCE", 0.5)
    image = _tools(registry)
    name = f"{registry.host}/{TOOLS}:1"
    stages.stage(name)
    registry.stop()

    (staged, *_) = stages.stage(name)

    assert staged.item.fingerprint.digest == image.digest
    assert any("using the copy" in one for one in stages.heard.said)


def test_a_moved_tag_is_told(registry: Registry, stages: ImageStages) -> None:
    _tools(registry)
    stages.stage(f"{registry.host}/{TOOLS}:1")
    moved = _tools(registry, "1", b"moved")

    (staged, *_) = stages.stage(f"{registry.host}/{TOOLS}:1")

    assert staged.item.fingerprint.digest == moved.digest
    assert any("has changed since" in one for one in stages.heard.said)


def test_staging_again_takes_next_to_no_time(registry: Registry, stages: ImageStages) -> None:
    layers = [tar_of({f"bin/{number}": os.urandom(100_000)}) for number in range(8)]
    registry.push(TOOLS, "1", make_image(*layers))
    stages.stage(f"{registry.host}/{TOOLS}:1")

    started = time.process_time()
    items = stages.stage(f"{registry.host}/{TOOLS}:1")
    took = time.process_time() - started

    assert {one.source for one in items} == {"cache"}
    assert took < 1.0, "a tenth of it is usual"


# -- what is not to be had ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "words"),
    [("nothing/here:1", "no image nothing/here"), (f"{TOOLS}:9", "no image group/sub/tools with the tag '9'")],
)
def test_a_missing_image_or_tag_is_named(registry: Registry, stages: ImageStages, reference: str, words: str) -> None:
    _tools(registry)

    with pytest.raises(ContainerError) as caught:
        stages.stage(f"{registry.host}/{reference}")

    assert words in caught.value.message and registry.host in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 6


def test_a_digest_that_is_not_there_is_named(registry: Registry, stages: ImageStages) -> None:
    _tools(registry)

    with pytest.raises(ContainerError, match=f"with the digest sha256:{'0' * 64}"):
        stages.stage(ImageWish(name=f"{registry.host}/{TOOLS}:gone", digest="0" * 64))


def test_the_digest_of_another_platform_names_both(registry: Registry, stages: ImageStages) -> None:
    image = registry.push(TOOLS, "1", make_image(BASE, platform="linux/arm64"))

    with pytest.raises(ContainerError, match=r"made for linux/arm64, not for linux/amd64"):
        stages.stage(f"{registry.host}/{TOOLS}@sha256:{image.digest}")

    layers = [stages.layout / "blobs/sha256" / one for one in image.layers]
    assert not any(one.exists() for one in layers), "no layer is fetched for nothing"


def test_a_reference_with_two_digests_or_two_meanings_is_refused(registry: Registry, stages: ImageStages) -> None:
    with pytest.raises(DefinitionError, match="another digest"):
        stages.stage(ImageWish(name=f"a.io/b@sha256:{'0' * 64}", digest="1" * 64))
    with pytest.raises(DefinitionError, match="two different"):
        stages.stage(ImageWish(name="a.io/b"), ImageWish(name="a.io/b", source="c.io/d"))
    with pytest.raises(DefinitionError, match="capital letters"):
        stages.stage("a.io/Big")


def test_a_registry_that_is_down_is_the_networks_trouble(
    registry: Registry, stages: ImageStages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("staging.retries.PATIENCE", 0.5)
    registry.stop()

    with pytest.raises(FetchError, match="connection refused") as caught:
        stages.stage(f"{registry.host}/{TOOLS}:1")

    assert caught.value.exit_code == 4


@pytest.mark.parametrize("what", ["config", "layer"])
def test_a_blob_that_the_registry_has_damaged_is_a_digest_error(
    registry: Registry, stages: ImageStages, what: str
) -> None:
    image = _tools(registry)
    digest = image.config if what == "config" else image.layers[1]
    path = registry.blob(digest)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    with pytest.raises(DigestError) as caught:
        stages.stage(f"{registry.host}/{TOOLS}@sha256:{image.digest}")

    assert caught.value.exit_code == 5
    assert digest in caught.value.message
    assert not stages.store.has_file(Fingerprint(digest=sha256(content[:-1] + bytes([content[-1] ^ 1]))))


# -- passwords and certificates ----------------------------------------------------------------------------------------


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Registry]:
    with Registry(tmp_path / "registry", password=True) as registry:
        _tools(registry)
        yield registry


def _docker_config(stages: ImageStages, host: str, password: str = PASSWORD, mode: int = 0o600) -> Path:
    path = stages.folder / "docker" / "config.json"
    path.parent.mkdir()
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    path.chmod(mode)
    stages.environment["DOCKER_CONFIG"] = str(path.parent)
    return path


def test_dockers_own_credentials_open_a_registry(guarded: Registry, stages: ImageStages) -> None:
    _docker_config(stages, guarded.host)

    assert images(stages.stage(f"{guarded.host}/{TOOLS}:1"))


def test_our_credentials_file_opens_the_registry_of_its_host(guarded: Registry, stages: ImageStages) -> None:
    path = stages.folder / "credentials.yaml"
    stages.environment["WFEXS_LIKE_CREDENTIALS"] = str(path)
    path.write_text(f'"docker://{guarded.host}": {{username: {USER}, password: "{PASSWORD}"}}\n')
    path.chmod(0o600)
    assert images(stages.stage(f"{guarded.host}/{TOOLS}:1"))

    path.write_text(f'"docker://elsewhere.example": {{username: {USER}, password: "{PASSWORD}"}}\n')
    stages.store.workspace.sweep()
    with pytest.raises(ContainerError, match="without credentials"):
        stages.stage(f"{guarded.host}/{TOOLS}:none")


def test_a_credential_helper_is_asked(guarded: Registry, stages: ImageStages) -> None:
    folder = stages.folder / "bin"
    folder.mkdir()
    helper = folder / "docker-credential-tests"
    answer = json.dumps({"ServerURL": guarded.host, "Username": USER, "Secret": PASSWORD})
    helper.write_text(f'#!/bin/sh\n[ "$1" = get ] && [ "$(cat)" = {guarded.host} ] && echo \'{answer}\'\n')
    helper.chmod(0o755)
    config = stages.folder / "config.json"
    config.write_text(json.dumps({"credHelpers": {guarded.host: "tests"}}))
    stages.environment |= {"REGISTRY_AUTH_FILE": str(config), "PATH": f"{folder}:/usr/bin:/bin"}

    assert images(stages.stage(f"{guarded.host}/{TOOLS}:1"))

    credentials._answers.clear()  # as in another process
    helper.write_text("#!/bin/sh\necho the vault is sealed; exit 1\n")
    with pytest.raises(ContainerError, match="the vault is sealed"):
        stages.stage(f"{guarded.host}/{TOOLS}:2")


def test_a_wrong_password_is_said_and_not_shown(guarded: Registry, stages: ImageStages) -> None:
    path = _docker_config(stages, guarded.host, "very wrong")

    with pytest.raises(ContainerError) as caught:
        stages.stage(f"{guarded.host}/{TOOLS}:1")

    assert caught.value.exit_code == 6
    assert str(path) in caught.value.message
    told = json.dumps(caught.value.as_json()) + "".join(stages.heard.said)
    assert "very wrong" not in told and base64.b64encode(f"{USER}:very wrong".encode()).decode() not in told


def test_no_password_is_a_hint_to_log_in(guarded: Registry, stages: ImageStages) -> None:
    with pytest.raises(ContainerError, match="without credentials") as caught:
        stages.stage(f"{guarded.host}/{TOOLS}:1")

    assert f"docker login {guarded.host}" in str(caught.value.hint)


def test_dockers_credentials_that_others_may_read_are_told_once_and_used(
    guarded: Registry, stages: ImageStages
) -> None:
    path = _docker_config(stages, guarded.host, mode=0o644)

    stages.stage(f"{guarded.host}/{TOOLS}:1")

    (told,) = [one for one in stages.heard.said if "open to others" in one]
    assert f"chmod 600 {path}" in told


def test_without_a_tag_it_is_said_which_is_meant(registry: Registry, stages: ImageStages) -> None:
    _tools(registry)
    with pytest.raises(ContainerError, match="'latest', which is meant where none is stated"):
        stages.stage(f"{registry.host}/{TOOLS}")


@pytest.fixture
def safe(tmp_path: Path) -> Iterator[Registry]:
    with Registry(tmp_path / "registry", tls=True) as registry:
        _tools(registry)
        yield registry


def test_a_certificate_of_ones_own_has_to_be_known(safe: Registry, stages: ImageStages) -> None:
    name = f"{safe.host}/{TOOLS}:1"
    with pytest.raises(FetchError, match="not one that this machine trusts") as caught:
        stages.stage(name)
    assert caught.value.exit_code == 4 and "ca = " in str(caught.value.hint)

    stages.environment["WFEXS_LIKE_REGISTRIES"] = json.dumps({safe.host: {"ca": str(safe.ca)}})
    assert images(stages.stage(name))


def test_a_certificate_is_found_where_podman_looks_for_it(safe: Registry, stages: ImageStages) -> None:
    folder = stages.folder / "home/.config/containers/certs.d" / safe.host
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(safe.ca.read_bytes())

    assert images(stages.stage(f"{safe.host}/{TOOLS}:1"))


def test_an_insecure_registry_is_believed_when_that_is_configured(safe: Registry, stages: ImageStages) -> None:
    stages.environment["WFEXS_LIKE_REGISTRIES"] = json.dumps({safe.host: {"insecure": True}})

    assert images(stages.stage(f"{safe.host}/{TOOLS}:1"))


def test_mirrors_come_first_and_the_lock_does_not_tell(registry: Registry, stages: ImageStages) -> None:
    image = registry.push("prefix/library/tools", "1", make_image(BASE))
    stages.environment["WFEXS_LIKE_REGISTRIES"] = json.dumps(
        {"docker.io": {"mirrors": ["127.0.0.1:1", f"{registry.host}/prefix"]}}
    )

    items = stages.stage("tools:1")

    assert len([one for one in stages.heard.said if "127.0.0.1:1" in one]) <= 3, "a dead mirror is not asked for ever"
    (staged,) = images(items)
    assert staged.item.pinned == f"docker.io/library/tools@sha256:{image.digest}"
    assert registry.host not in "".join(str(one.item.as_json()) for one in items)


def test_a_broken_configuration_is_a_fault_of_it(stages: ImageStages) -> None:
    for stated in ("{", "[]", '{"a": {"inseucre": true}}', '{"a": {"ca": "/none"}}', '{"a": {"insecure": 1}}'):
        stages.environment["WFEXS_LIKE_REGISTRIES"] = stated
        with pytest.raises(DefinitionError, match="registries"):
            stages.stage("127.0.0.1:1/tools")


def test_the_roles_are_container_and_blob(registry: Registry, stages: ImageStages) -> None:
    _tools(registry)

    assert {one.item.role for one in stages.stage(f"{registry.host}/{TOOLS}:1")} == {Role.CONTAINER, Role.BLOB}


def test_a_lock_takes_the_same_image_from_another_place_and_no_other_one(
    registry: Registry, stages: ImageStages
) -> None:
    image = _tools(registry)
    name = f"{registry.host}/{TOOLS}:1"
    items = stages.stage(name)
    registry.push("mirror/tools", "latest", image)
    moved = ImageWish(name=name, source=f"{registry.host}/mirror/tools")

    again = stages.stage(moved, locked=locked(items))

    assert [one.item for one in again] == [one.item for one in items]
    registry.push("mirror/tools", "latest", make_image(BASE, tar_of({"bin/b": b"other"})))
    with pytest.raises(DigestError, match="the lock has"):
        stages.stage(moved, locked=locked(items))
