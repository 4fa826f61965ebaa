"""What a person reads while images are staged from a real registry: one line each, by names that say something."""

from __future__ import annotations

import io

import pytest

from staging.definition import ImageWish
from staging.errors import ContainerError, DigestError, FetchError
from tests.support.registries import MadeImage, Registry, make_image, tar_of
from tests.support.staged_images import ImageStages, images, locked, registry, stages
from wfexs_like.cli.progress import Narrator
from wfexs_like.cli.render import size

__all__ = ["registry", "stages"]

pytestmark = pytest.mark.registry

BASE = tar_of({"bin/base": b"base" * 1000})


def _push(registry: Registry, tag: str = "1", text: bytes = b"one") -> MadeImage:
    return registry.push("group/tools", tag, make_image(BASE, tar_of({"bin/tool": text})))


def _told(stages: ImageStages, *wishes: ImageWish | str, verbose: bool = False) -> list[str]:
    stream = io.StringIO()
    narrator = Narrator(stream, verbose=verbose)
    stages.heard = narrator  # type: ignore[assignment]
    stages.stage(*wishes)
    narrator.close()
    return stream.getvalue().splitlines()


def test_an_image_is_one_line_and_one_of_trust(registry: Registry, stages: ImageStages) -> None:
    image = _push(registry)
    name = f"{registry.host}/group/tools:1"
    amount = size(len(image.manifest) + sum(map(len, image.blobs.values())))

    first, second = _told(stages, name), _told(stages, name)

    assert first == [
        f"trust on first use: image {name}: nobody stated a digest; it is sha256:{image.digest} from now on",
        f"fetched: image {name} for linux/amd64, sha256:{image.digest[:12]}... ({amount})",
    ]
    assert second == [f"in the cache: image {name} for linux/amd64, sha256:{image.digest[:12]}... ({amount})"]


def test_its_parts_are_told_by_number_while_they_come(registry: Registry, stages: ImageStages) -> None:
    _push(registry)
    name = f"{registry.host}/group/tools:1"

    told = _told(stages, name, verbose=True)

    for part in ("", ": config", ": layer 1 of 2", ": layer 2 of 2"):
        assert f"fetching image {name}{part}" in told
    assert not any("oci-blob" in line or "fetching sha256:" in line for line in told)


def test_a_tag_that_moved_is_named_once(registry: Registry, stages: ImageStages) -> None:
    _push(registry)
    name = f"{registry.host}/group/tools:1"
    stages.stage(name)
    moved = _push(registry, "1", b"moved")

    changed, *_ = _told(stages, name)

    assert changed.startswith(f"image {name}: docker://{name}#linux/amd64 has changed since ")
    assert changed.count("docker://") == 1
    assert changed.endswith(f"it is {moved.digest} now")


def test_an_image_of_which_one_layer_is_fetched_is_fetched(registry: Registry, stages: ImageStages) -> None:
    image = _push(registry)
    name = f"{registry.host}/group/tools:1"
    first = stages.stage(name)
    stages.store.remove(image.layers[1], force=True)

    (again,) = images(stages.stage(name))
    (third,) = images(stages.stage(name, locked=locked(first)))

    assert again.source == "fetched"
    assert third.source == "cache"


def test_a_digest_that_is_not_the_tags_is_a_digest_error_with_both(registry: Registry, stages: ImageStages) -> None:
    image = _push(registry)
    wish = ImageWish(name=f"{registry.host}/group/tools:1", digest="0" * 64, where="containers[0]")

    with pytest.raises(DigestError) as caught:
        stages.stage(wish)

    error = caught.value
    assert (error.exit_code, error.where) == (5, "containers[0]")
    assert (error.fields["expected"], error.fields["actual"]) == ("0" * 64, image.digest)
    assert image.digest in error.message
    assert stages.heard.said == []


def test_without_the_tag_too_the_image_is_not_there(registry: Registry, stages: ImageStages) -> None:
    with pytest.raises(ContainerError):
        stages.stage(ImageWish(name=f"{registry.host}/group/tools:1", digest="0" * 64))


def test_a_damaged_or_missing_blob_names_its_image(registry: Registry, stages: ImageStages) -> None:
    image = _push(registry)
    name = f"{registry.host}/group/tools:1"
    path = registry.blob(image.layers[1])
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    with pytest.raises(DigestError, match=f"^image {name}: layer 2 of 2: "):
        stages.stage(name)
    path.unlink()
    with pytest.raises((FetchError, ContainerError), match=f"^image {name}: layer 2 of 2: ") as caught:
        stages.stage(name)

    assert caught.value.fields["image"] == name
