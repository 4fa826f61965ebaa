"""Concealing: what a runtime is told says nothing, and what is started is what was asked for."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.containers.base import Dark, Mount, Order, StagedImage
from engines.containers.concealing import _script, conceal
from staging.errors import PolicyError

SECRET = "heron-27"
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@pytest.fixture
def content(tmp_path: Path) -> Path:
    for name in ("inputs", "runs/1/tmp/oabcdefgh", "runs/1/outputs"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def _image(layout: Path, **told: object) -> StagedImage:
    image = StagedImage(name="tools", digest="d", config="c", layers=(), platform="linux/amd64", size=1, layout=layout)
    image.blob("c").parent.mkdir(parents=True, exist_ok=True)
    image.blob("c").write_text(json.dumps({"config": told}))
    return image


def _order(layout: Path, *mounts: Mount, **more: object) -> Order:
    order = Order(
        image=_image(layout),
        name="wfexs-1",
        command=("tool", f"--word={SECRET}"),
        entrypoint=None,
        workdir="/AbCdEf",
        mounts=mounts,
        environment={"HIDDEN": SECRET, "HOME": "/tmp"},
        user=(0, 0),
        cores=1,
        memory=1 << 20,
        network=Dark(),
        labels={},
    )
    return replace(order, **more)  # type: ignore[arg-type]


def _concealed(order: Order, content: Path) -> Order:
    return conceal(order, content=content, folder=content / "runs" / "1", scratch=content / "scratch")


def test_neither_command_nor_environment_nor_names_are_told(content: Path) -> None:
    source = content / "inputs" / "param" / f"{SECRET}.txt"
    source.parent.mkdir()
    source.touch()
    stage = "/var/lib/cwl/stg01234567-0123-0123-0123-0123456789ab"
    order = _order(
        content / "layout",
        Mount(source=content / "runs/1/tmp/oabcdefgh", target="/AbCdEf", writable=True),
        Mount(source=source, target=f"{stage}/{SECRET}.txt"),
    )
    told = _concealed(order, content)
    assert SECRET not in repr(told)
    assert Mount(source=content / "runs/1/tmp/oabcdefgh", target="/AbCdEf", writable=True) in told.mounts
    (farm,) = [one.source for one in told.mounts if one.target == stage]
    leads = str((farm / f"{SECRET}.txt").readlink())
    (seen,) = [one for one in told.mounts if leads.startswith(f"{one.target}/")]
    assert seen == Mount(source=content / "inputs", target=seen.target)
    assert seen.source / leads.removeprefix(f"{seen.target}/") == source


@pytest.mark.parametrize(
    "change",
    [
        {"workdir": f"/{SECRET}"},
        {"temporary": (f"/{SECRET}",)},
        {"environment": {f"{SECRET}.x": "1"}},
        {"mounts": (Mount(source=Path("inputs", SECRET), target="/var/lib/cwl/else/there"),)},
        {"mounts": (Mount(source=Path("inputs", SECRET), target=f"/tmp/{SECRET}", writable=True),)},
    ],
)
def test_what_can_not_be_concealed_is_refused_by_its_reason(content: Path, change: dict[str, object]) -> None:
    (content / "inputs" / SECRET).touch()
    order = _order(content / "layout", **change)
    order = replace(order, mounts=tuple(replace(one, source=content / one.source) for one in order.mounts))
    with pytest.raises(PolicyError, match="writes what it is told") as raised:
        _concealed(order, content)
    assert "--allow container-records" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("entrypoint", "command", "expected"),
    [
        (None, ("a",), ["in", "image", "a"]),
        (None, (), ["in", "image", "by", "default"]),
        ("/bin/x", ("a",), ["/bin/x", "a"]),
        ("", ("a",), ["a"]),
    ],
)
def test_what_is_started_is_what_the_runtime_would_have(
    content: Path, entrypoint: str | None, command: tuple[str, ...], expected: list[str]
) -> None:
    image = _image(content / "other", Entrypoint=["in", "image"], Cmd=["by", "default"])
    order = _order(content / "layout", image=image, entrypoint=entrypoint, command=command)
    assert _script(order).splitlines()[-1].split() == ["exec", *expected]


@given(word=TEXTS, value=TEXTS)
def test_a_shell_starts_it_with_the_very_words_and_values(
    tmp_path_factory: pytest.TempPathFactory, word: str, value: str
) -> None:
    folder = tmp_path_factory.mktemp("script")
    order = _order(folder / "layout", command=("/usr/bin/printf", "%s\\0", word, "$X"), environment={"X": value})
    script = folder / "begin"
    script.write_bytes(_script(order).encode())
    done = subprocess.run(["/bin/sh", str(script)], capture_output=True, check=True, env={})
    assert done.stdout == f"{word}\0$X\0".encode()
    shown = _order(folder / "layout", command=("/usr/bin/env",), environment={"X": value})
    script.write_bytes(_script(shown).encode())
    seen = subprocess.run(["/bin/sh", str(script)], capture_output=True, check=True, env={}).stdout
    assert f"X={value}\n".encode() in seen
