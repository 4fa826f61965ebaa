"""Sealed crates that were tampered with, and others that were made to do harm: each is found, and nothing is left."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.sealed import Person, content_of, export, open_it, person, problems, rich_workdir, signer
from wfexs_like.seal.file_lists import ListedFile, write_list
from wfexs_like.seal.headers import new_session_key, open_header, seal_header
from wfexs_like.seal.manifests import SCHEMA, SealedManifest
from wfexs_like.seal.opening import UnsealingReader
from wfexs_like.seal.segments import SEALED_SEGMENT, SealingWriter

HEADER = 6928
MANIFEST = "sealed-manifest.txt.c4gh"


class Scene:
    """A crate sealed for Ada as a folder, a zip and an archive."""

    def __init__(self, root: Path) -> None:
        self.ada = person(root, "ada")
        self.signer = signer(root, "ada")
        self.folder, self.zip, self.archive = root / "crate", root / "crate.zip", root / "crate.c4gh"
        workdir = rich_workdir(root / "workdir")
        for path, form in ((self.folder, "files"), (self.zip, "files"), (self.archive, "archive")):
            level = "minimal" if form == "files" else None
            export(
                workdir,
                path,
                form=form,  # type: ignore[arg-type]
                level=level,  # type: ignore[arg-type]
                recipients=(self.ada.recipient,),
                signed_by=self.signer,
            )
        self.signer_public = root / "ada-signing.pub"
        # The same people, the same names, other content.
        self.older = root / "older"
        workdir.write("runs/1/logs/engine.log", b"another time\n")
        export(workdir, self.older, form="files", level="minimal", recipients=(self.ada.recipient,))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("hostile"))


@pytest.fixture
def crate(scene: Scene, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scene.folder, tmp_path / "crate"))


def big(crate: Path) -> Path:
    """The sealed file of several segments."""
    return max(crate.glob("sealed/*.c4gh"), key=lambda one: one.stat().st_size)


def two(crate: Path) -> tuple[Path, Path]:
    """Two more of its files."""
    others = sorted(one for one in crate.glob("sealed/*.c4gh") if one != big(crate))
    return others[0], others[1]


def segments(content: bytes) -> list[bytes]:
    body = content[HEADER:]
    return [body[start : start + SEALED_SEGMENT] for start in range(0, len(body), SEALED_SEGMENT)]


def rebuilt(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    return lambda content: content[:HEADER] + b"".join(change(segments(content)))


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "cut at a segment's border": rebuilt(lambda one: one[:-1]),
    "cut to its first segment": rebuilt(lambda one: one[:1]),
    "cut within a segment": lambda content: content[:-1000],
    "emptied of segments": rebuilt(lambda one: []),
    "segments in another order": rebuilt(lambda one: [one[1], one[0], *one[2:]]),
    "a segment twice": rebuilt(lambda one: [one[0], one[0], *one[1:]]),
    "the last segment twice": rebuilt(lambda one: [*one, one[-1]]),
    "a segment for another": rebuilt(lambda one: [one[0], one[0], *one[2:]]),
    "a segment left out": rebuilt(lambda one: [one[0], *one[2:]]),
    "a bit of the body": lambda content: flipped(content, HEADER + 100),
    "the last bit": lambda content: flipped(content, len(content) - 1),
    "something behind": lambda content: content + b"x",
    "no header": lambda content: content[HEADER:],
    "half a header": lambda content: content[: HEADER // 2],
    "nothing left": lambda content: b"",
}


@pytest.mark.parametrize("how", CHANGES)
def test_a_changed_file_is_named(scene: Scene, crate: Path, tmp_path: Path, how: str) -> None:
    victim = big(crate)
    victim.write_bytes(CHANGES[how](victim.read_bytes()))
    code, told = open_it(crate, tmp_path / "opened", scene.ada)
    assert code == 5
    assert set(problems(told)) == {f"sealed/{victim.name}"}


@pytest.mark.parametrize("how", CHANGES)
def test_a_changed_archive_is_not_opened(scene: Scene, tmp_path: Path, how: str) -> None:
    archive = tmp_path / "crate.c4gh"
    archive.write_bytes(CHANGES[how](scene.archive.read_bytes()))
    code, told = open_it(archive, tmp_path / "opened", scene.ada)
    if how in ("no header", "nothing left", "half a header"):
        assert code in (5, 9)
    else:
        assert code == 5
        assert problems(told)


def test_a_changed_file_of_an_archive_is_named(scene: Scene, tmp_path: Path) -> None:
    # The middle of the large file, two whole segments of it changed places: every seal holds, and so does the tar.
    archive = tmp_path / "crate.c4gh"
    content = scene.archive.read_bytes()
    assert len(segments(content)) > 4
    archive.write_bytes(rebuilt(lambda one: [one[0], one[2], one[1], *one[3:]])(content))
    code, told = open_it(archive, tmp_path / "opened", scene.ada)
    assert code == 5
    assert any(path.endswith(".bin") for path in problems(told))


def test_missing_added_renamed_and_swapped_files_are_named(scene: Scene, crate: Path, tmp_path: Path) -> None:
    one, other = two(crate)
    tries: dict[str, tuple[Callable[[Path], None], set[str]]] = {
        "missing": (lambda root: (root / "sealed" / one.name).unlink(), {one.name}),
        "added": (lambda root: shutil.copy(root / "sealed" / one.name, root / "sealed/999999.c4gh"), {"999999.c4gh"}),  # type: ignore[dict-item, return-value]
        "added in clear": (lambda root: (root / "sealed/note.txt").write_text("!"), {"note.txt"}),  # type: ignore[dict-item, return-value]
        "renamed": (
            lambda root: (root / "sealed" / one.name).rename(root / "sealed/999999.c4gh"),  # type: ignore[dict-item, return-value]
            {one.name, "999999.c4gh"},
        ),
        "swapped": (
            lambda root: swap(root / "sealed" / one.name, root / "sealed" / other.name),
            {one.name, other.name},
        ),
        "a copy of another": (
            lambda root: shutil.copy(root / "sealed" / one.name, root / "sealed" / other.name),  # type: ignore[dict-item, return-value]
            {other.name},
        ),
        "a link": (lambda root: linked(root / "sealed" / one.name, other.name), {one.name}),
        "a link out": (lambda root: linked(root / "sealed" / one.name, "/etc/passwd"), {one.name}),
        "a pipe": (lambda root: piped(root / "sealed" / one.name), {one.name}),
        "a folder": (lambda root: foldered(root / "sealed" / one.name), {one.name}),
    }
    for how, (change, named) in tries.items():
        copy = Path(shutil.copytree(crate, tmp_path / how))
        change(copy)
        code, told = open_it(copy, tmp_path / "opened", scene.ada)
        assert code == 5, how
        assert {path.removeprefix("sealed/") for path in problems(told)} == named, how


def swap(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def linked(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def foldered(path: Path) -> None:
    path.unlink()
    path.mkdir()


def test_files_of_an_older_crate_of_the_same_people_are_named(scene: Scene, crate: Path, tmp_path: Path) -> None:
    for older in scene.older.glob("sealed/*.c4gh"):
        if older.name == two(crate)[0].name:
            shutil.copy(older, crate / "sealed" / older.name)
    # The same content sealed anew is the same content; the manifest of the other crate has another log.
    shutil.copy(scene.older / MANIFEST, crate / MANIFEST)
    code, told = open_it(crate, tmp_path / "opened", scene.ada, "--signer", str(scene.signer_public))
    assert code == 5
    assert "sealed-manifest.txt.sig" in problems(told)


def test_the_manifest_is_not_to_be_done_without(scene: Scene, crate: Path, tmp_path: Path) -> None:
    content = (crate / MANIFEST).read_bytes()
    (crate / MANIFEST).write_bytes(flipped(content, len(content) - 20))
    assert problems(open_it(crate, tmp_path / "a", scene.ada)[1]).keys() == {MANIFEST}
    (crate / MANIFEST).unlink()
    code, told = open_it(crate, tmp_path / "b", scene.ada)
    assert (code, set(problems(told))) == (5, {MANIFEST})


def test_the_signature_is_not_to_be_done_without(scene: Scene, crate: Path, tmp_path: Path) -> None:
    (crate / "sealed-manifest.txt.sig.c4gh").unlink()
    code, told = open_it(crate, tmp_path / "a", scene.ada, "--signer", str(scene.signer_public))
    assert (code, set(problems(told))) == (5, {"sealed-manifest.txt.sig"})


def test_a_changed_zip_is_found(scene: Scene, tmp_path: Path) -> None:
    def changed(to: Path, change: Callable[[str, bytes], list[tuple[str, bytes]]]) -> Path:
        with zipfile.ZipFile(scene.zip) as source, zipfile.ZipFile(to, "w") as target:
            for name in source.namelist():
                for other, content in change(name, source.read(name)):
                    target.writestr(other, content)
        return to

    victim = "sealed/000003.c4gh"
    cases: dict[str, Callable[[str, bytes], list[tuple[str, bytes]]]] = {
        "missing": lambda name, content: [] if name == victim else [(name, content)],
        "renamed": lambda name, content: [("sealed/9.c4gh" if name == victim else name, content)],
        "cut": lambda name, content: [(name, content[:-1] if name == victim else content)],
        "added": lambda name, content: [(name, content), *([("sealed/9.c4gh", content)] if name == victim else [])],
    }
    for how, change in cases.items():
        code, told = open_it(changed(tmp_path / f"{how}.zip", change), tmp_path / "opened", scene.ada)
        assert code == 5, how
        assert set(problems(told)) <= {victim, "sealed/9.c4gh"}, how


# --- made to do harm: by somebody who knows the recipients' public keys, as everybody does ----------------------------


def sealed(content: bytes, who: Person) -> bytes:
    key, out = new_session_key(), io.BytesIO()
    out.write(seal_header([who.recipient], key))
    with SealingWriter(out, key) as writer:
        writer.write(content)
    return out.getvalue()


def opened(content: bytes, who: Person) -> bytes:
    stream = io.BytesIO(content)
    header = open_header(stream, [who.secret])
    with UnsealingReader(stream, header.session_key) as reader:
        return reader.read()


def manifest_of(*lines: str, listed: tuple[ListedFile, ...] = ()) -> bytes:
    return write_list(listed, headers=(SCHEMA, *lines))


EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    "text",
    [
        f"# {SCHEMA}\n# size 0\n{EMPTY}  ../out.txt\n",
        f"# {SCHEMA}\n# size 0\n{EMPTY}  /tmp/out.txt\n",
        f"# {SCHEMA}\n# size 0\n{EMPTY}  a/../../out.txt\n",
        f"# {SCHEMA}\n# link ../../out here\n",
        f"# {SCHEMA}\n# link /etc here\n# size 0\n{EMPTY}  in/out.txt\n",
        f"# {SCHEMA}\n# link . here\n# size 0\n{EMPTY}  here/out.txt\n",
        f"# {SCHEMA}\n# link sub a\n# link a/../.. b\n",
        f"# {SCHEMA}\n# folder ../out\n",
        f"# {SCHEMA}\n# folder %2e%2e/out\n",
        f"# {SCHEMA}\n# folder in.txt\n# size 0\n{EMPTY}  in.txt\n",
        f"# {SCHEMA}\n# executable ../out\n",
        f"# {SCHEMA}\n# executable other\n# size 0\n{EMPTY}  in.txt\n",
        f"# {SCHEMA}\n# place ../../secret.c4gh in.txt\n# size 0\n{EMPTY}  in.txt\n",
        f"# {SCHEMA}\n# place sealed-manifest.txt.c4gh in.txt\n# size 0\n{EMPTY}  in.txt\n",
        f"# {SCHEMA}\n# size 0\n{EMPTY}  in.txt\n# size 0\n{EMPTY}  in.txt/more\n",
        f"# {SCHEMA}\n{EMPTY}  in.txt\n",
        f"# size 0\n{EMPTY}  in.txt\n",
        "nonsense\n",
        "\x00\xff\n",
    ],
)
def test_a_manifest_that_lies_does_no_harm(scene: Scene, tmp_path: Path, text: str) -> None:
    box = tmp_path / "box"
    box.mkdir()
    crate = box / "crate"
    crate.mkdir()
    (crate / MANIFEST).write_bytes(sealed(text.encode("latin-1"), scene.ada))
    (crate / "in.txt.c4gh").write_bytes(sealed(b"", scene.ada))
    before = content_of(tmp_path)
    code, _ = open_it(crate, box / "opened", scene.ada)
    assert code in (5, 14)
    assert content_of(tmp_path) == before


def test_a_file_that_holds_more_than_is_stated_is_not_written_on_and_on(scene: Scene, tmp_path: Path) -> None:
    crate = tmp_path / "crate"
    crate.mkdir()
    (crate / MANIFEST).write_bytes(sealed(manifest_of(listed=(ListedFile(path="a", digest=EMPTY, size=0),)), scene.ada))
    (crate / "a.c4gh").write_bytes(sealed(bytes(1 << 20), scene.ada))
    code, told = open_it(crate, tmp_path / "opened", scene.ada)
    assert code == 5
    assert "more than the 0 bytes" in problems(told)["a.c4gh"]


def tar_of(*entries: tuple[tarfile.TarInfo, bytes], manifest: bytes | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in entries:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        text = manifest if manifest is not None else SealedManifest(files={}).text()
        info = tarfile.TarInfo("sealed-manifest.txt")
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text))
        end = out.tell() + 1024  # the library pads its archives beyond their end
    return out.getvalue()[:end]


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_an_archive_of_others_that_tells_the_truth_is_opened(scene: Scene, tmp_path: Path) -> None:
    long = "d/" * 60 + "n" * 150 + "ü"
    files = {one: ListedFile(path=one, digest=hashlib.sha256(b"x").hexdigest(), size=1) for one in ("a/b", long)}
    content = tar_of(*((entry(one), b"x") for one in files), manifest=SealedManifest(files=files).text())
    (tmp_path / "crate.c4gh").write_bytes(sealed(content, scene.ada))
    assert open_it(tmp_path / "crate.c4gh", tmp_path / "opened", scene.ada)[0] == 0
    assert (tmp_path / "opened" / long).read_bytes() == b"x"


@pytest.mark.parametrize(
    "entries",
    [
        [(entry("../out.txt"), b"x")],
        [(entry("/tmp/out.txt"), b"x")],
        [(entry("a/../../out.txt"), b"x")],
        [(entry("here", tarfile.SYMTYPE, "/etc"), b""), (entry("here/out.txt"), b"x")],
        [(entry("here", tarfile.SYMTYPE, ".."), b""), (entry("here/out.txt"), b"x")],
        [(entry("passwd", tarfile.LNKTYPE, "/etc/passwd"), b"")],
        [(entry("pipe", tarfile.FIFOTYPE), b"")],
        [(entry("disk", tarfile.BLKTYPE), b"")],
        [(entry("holes", tarfile.GNUTYPE_SPARSE), b"")],
        [(entry("a"), b"x"), (entry("a"), b"y")],
        [(entry("a"), b"x"), (entry("a/b"), b"y")],
        [(entry("unlisted"), b"x")],
        [(entry("unlisted", tarfile.DIRTYPE), b"")],
        [(entry("sealed-manifest.txt"), b"x")],
    ],
)
def test_an_archive_that_lies_does_no_harm(
    scene: Scene, tmp_path: Path, entries: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    box = tmp_path / "box"
    box.mkdir()
    (box / "crate.c4gh").write_bytes(sealed(tar_of(*entries), scene.ada))
    before = content_of(tmp_path)
    code, _ = open_it(box / "crate.c4gh", box / "opened", scene.ada)
    assert code in (5, 14)
    assert content_of(tmp_path) == before


def test_a_header_of_any_size_is_not_read_into_memory(scene: Scene, tmp_path: Path) -> None:
    header = entry("x", tarfile.XHDTYPE)
    header.size = 1 << 40
    content = header.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 16)
    (tmp_path / "crate.c4gh").write_bytes(sealed(content, scene.ada))
    assert open_it(tmp_path / "crate.c4gh", tmp_path / "opened", scene.ada)[0] == 14


def test_what_comes_after_the_end_of_an_archive_is_found(scene: Scene, tmp_path: Path) -> None:
    plain = opened(scene.archive.read_bytes(), scene.ada)
    for changed in (plain + bytes(512), plain + plain, plain[:-512], plain[:-1024]):
        (tmp_path / "crate.c4gh").write_bytes(sealed(changed, scene.ada))
        assert open_it(tmp_path / "crate.c4gh", tmp_path / "opened", scene.ada)[0] == 5
    (tmp_path / "crate.c4gh").write_bytes(sealed(plain, scene.ada))
    assert open_it(tmp_path / "crate.c4gh", tmp_path / "opened", scene.ada)[0] == 0


def test_a_destination_that_exists_is_left_alone(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "empty", "link"):
        before = content_of(tmp_path)
        code, told = open_it(scene.archive, tmp_path / name, scene.ada)
        assert (code, told["error"]["exit_code"]) == (2, 2)
        assert content_of(tmp_path) == before


def test_what_is_no_sealed_crate_is_told_so(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("hello")
    for name, code in (("folder", 9), ("text", 9), ("nothing", 10)):
        assert open_it(tmp_path / name, tmp_path / "opened", scene.ada)[0] == code


def test_a_destination_below_a_link_is_as_good_as_any(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")

    assert open_it(scene.folder, tmp_path / "link" / "opened", scene.ada)[0] == 0
    assert [one.name for one in (tmp_path / "disk").iterdir()] == ["opened"]


# --- ends that nobody foresees ----------------------------------------------------------------------------------------


def killed(tmp_path: Path, program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize(
    "moment", ["wfexs_like.seal.opening_crates._settle", "wfexs_like.seal.opening_crates.write_all"]
)
def test_open_that_is_killed_leaves_nothing_at_the_destination(scene: Scene, tmp_path: Path, moment: str) -> None:
    module, name = moment.rsplit(".", 1)
    killed(
        tmp_path,
        f"import os, {module} as one; from pathlib import Path\n"
        f"one.{name} = lambda *_: os.kill(os.getpid(), 9)\n"
        f"one.open_sealed(Path({str(scene.folder)!r}), Path('opened'), [{scene.ada.secret!r}])",
    )
    assert not os.path.lexists(tmp_path / "opened")
    assert list(tmp_path.glob(".opened.*.part"))
    assert open_it(scene.folder, tmp_path / "elsewhere", scene.ada)[0] == 0
    assert [one.name for one in tmp_path.iterdir()] == ["elsewhere"]


@pytest.mark.parametrize(("form", "level"), [("files", "full"), ("archive", None)])
@pytest.mark.parametrize("moment", ["crate.export._settle", "seal.sealing_crates._own_files"])
def test_an_export_that_is_killed_leaves_nothing_at_the_destination_and_nothing_in_clear(
    scene: Scene, tmp_path: Path, form: str, level: str | None, moment: str
) -> None:
    module, name = f"wfexs_like.{moment}".rsplit(".", 1)
    killed(
        tmp_path,
        f"import os, sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        f"import {module} as one; from pathlib import Path; from tests.support import sealed\n"
        f"work = sealed.rich_workdir(Path('work'))\n"
        f"one.{name} = lambda *_: os.kill(os.getpid(), 9)\n"
        f"ada = sealed.Person('ada', Path({str(scene.ada.private)!r}), Path({str(scene.ada.public)!r}))\n"
        f"sealed.export(work, Path('out'), form={form!r}, level={level!r}, recipients=(ada.recipient,))",
    )
    assert not os.path.lexists(tmp_path / "out")
    left = [one for one in tmp_path.glob(".out.*") for one in (one, *one.rglob("*")) if one.is_file()]
    assert left
    assert not any(b"was here" in one.read_bytes() for one in left)
    export(
        rich_workdir(tmp_path / "again"),
        tmp_path / "new",
        form="files",
        level="full",
        recipients=(scene.ada.recipient,),
    )
    assert not list(tmp_path.glob(".*.part"))


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.root
@pytest.mark.tmpfs
def test_a_full_disk_is_told_and_nothing_is_left(scene: Scene, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "160k"):
        for one in (scene.folder, scene.archive):
            code, told = open_it(one, tmp_path / "small/opened", scene.ada)
            assert (code, told["error"]["exit_code"]) == (13, 13)
            assert json.dumps(told)
