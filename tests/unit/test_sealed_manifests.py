"""The sealed manifest: what is written is what is read, and nothing else is taken for one."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staging.errors import CrateError, PolicyError
from wfexs_like.seal.file_lists import ListedFile
from wfexs_like.seal.manifests import SCHEMA, SealedManifest

_NAMES = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/\\"), min_size=1, max_size=12
).filter(lambda name: name not in (".", "..", "sealed-manifest.txt", "sealed-manifest.txt.sig"))
_DIGEST = hashlib.sha256(b"").hexdigest()


@given(
    names=st.dictionaries(_NAMES, st.integers(0, 1 << 60), max_size=5),
    folders=st.frozensets(_NAMES, max_size=3),
    data=st.data(),
)
def test_what_is_written_is_read_again(names: dict[str, int], folders: frozenset[str], data: st.DataObject) -> None:
    paths = [f"in/{name}" for name in names]
    some = st.frozensets(st.sampled_from(paths)) if paths else st.just(frozenset())
    opaque = sorted(data.draw(some))
    manifest = SealedManifest(
        files={
            path: ListedFile(path=path, digest=_DIGEST, size=size)
            for path, size in zip(paths, names.values(), strict=True)
        },
        folders=frozenset(f"empty/{one}" for one in folders),
        links={f"links/{one}": f"../in/{one}" for one in names},
        executables=data.draw(some),
        places={path: f"sealed/{number:06d}.c4gh" for number, path in enumerate(opaque)},
    )
    read = SealedManifest.parse(manifest.text())
    assert read == manifest
    assert read.text() == manifest.text()
    assert len({read.place(path) for path in read.files}) == len(read.files)


def test_coreutils_read_it(tmp_path: Path) -> None:
    (tmp_path / "a b").write_bytes(b"")
    manifest = SealedManifest(
        files={"a b": ListedFile(path="a b", digest=_DIGEST, size=0)},
        links={"here": "a b"},
        folders=frozenset({"empty"}),
        executables=frozenset({"a b"}),
        places={"a b": "sealed/000001.c4gh"},
    )
    (tmp_path / "sealed-manifest.txt").write_bytes(manifest.text())
    argv = ["sha256sum", "--check", "--strict", "sealed-manifest.txt"]
    done = subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout == "a b: OK\n"


@pytest.mark.parametrize(
    "lines",
    [
        "# place a.c4gh other\n",
        "# place x/../../a.c4gh a\n",
        "# place sealed-manifest.txt.c4gh a\n",
        "# place one.c4gh a\n# place two.c4gh a\n",
        "# executable other\n",
        "# folder a\n",
        "# folder a/b\n",
        "# folder %ff\n",
        "# link b a/c\n",
    ],
)
def test_what_contradicts_itself_is_refused(lines: str) -> None:
    text = f"# {SCHEMA}\n{lines}# size 0\n{_DIGEST}  a\n"
    with pytest.raises((CrateError, PolicyError)):
        SealedManifest.parse(text.encode())


def test_two_files_cannot_have_one_place() -> None:
    text = f"# {SCHEMA}\n# place a.c4gh b\n# size 0\n{_DIGEST}  a\n# size 0\n{_DIGEST}  b\n"
    with pytest.raises(CrateError, match="one sealed file for several"):
        SealedManifest.parse(text.encode())
