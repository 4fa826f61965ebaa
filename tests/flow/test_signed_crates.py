"""Signed crates: two commands of everybody's tools check them, and ``verify`` names what was done to one."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import jsonschema
import pytest

from tests.support.crates import empty_workdir, metadata_of, usual_workdir
from wfexs_like.cli.context import App
from wfexs_like.cli.main import main
from wfexs_like.crate.export import export_crate
from wfexs_like.schemas import schema_of
from wfexs_like.seal.naming import COMMANDS, MANIFEST, SIGNATURE
from wfexs_like.seal.signatures import sign_bytes
from wfexs_like.seal.signing import sign_folder
from wfexs_like.seal.ssh_keys import Signer, encode_signing_pair, load_signer

METADATA = "ro-crate-metadata.json"
SORTED = "runs/1/outputs/sorted.txt"


def new_signer(folder: Path, name: str) -> Signer:
    private, public = encode_signing_pair(None, comment=f"{name}@example.org")
    (folder / name).write_bytes(private)
    (folder / name).chmod(0o600)
    (folder / f"{name}.pub").write_bytes(public)
    return load_signer(folder / name, None)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ada", "eve"):
        new_signer(folder, name)
    return folder


@pytest.fixture(scope="module")
def ada(keys: Path) -> Signer:
    return load_signer(keys / "ada", None)


@pytest.fixture(scope="module")
def eve(keys: Path) -> Signer:
    return load_signer(keys / "eve", None)


def export(root: Path, destination: Path, signer: Signer | None) -> Path:
    workdir = usual_workdir(root)
    export_crate(workdir.subject(), destination, kind="retrospective", cache=root, signer=signer, validate=False)
    return destination


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory, ada: Signer) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("crates")
    return {
        "folder": export(root / "1", root / "crate", ada),
        "zip": export(root / "2", root / "crate.zip", ada),
        "plain": export(root / "3", root / "plain", None),
    }


@pytest.fixture
def crate(tmp_path: Path, originals: dict[str, Path]) -> Path:
    return Path(shutil.copytree(originals["folder"], tmp_path / "crate", symlinks=True))


class Told(NamedTuple):
    code: int
    object: dict[str, Any]
    problems: dict[str, str]


def verify(crate: Path, *argv: object) -> Told:
    out = io.StringIO()
    code = main(["verify", str(crate), *map(str, argv), "--json"], App(stdout=out, stderr=io.StringIO()))
    told = json.loads(out.getvalue())
    if "error" in told:
        return Told(code, told, {})
    jsonschema.Draft202012Validator(schema_of("verify")).validate(told)
    problems = {one["path"]: one["problem"] for one in told["problems"]}
    assert len(problems) == len(told["problems"]), "one problem a file"
    assert (code, told["ok"]) == ((5, False) if problems else (0, True))
    return Told(code, told, problems)


def stranger(crate: Path, public: Path) -> bool:
    """The two commands of the crate's README, typed by somebody who has the signer's public key."""
    allowed = crate.parent / "allowed"
    allowed.write_text(f"SIGNER {public.read_text()}")
    return all(
        subprocess.run(
            ["sh", "-c", command.replace("ALLOWED", str(allowed))], cwd=crate, check=False, capture_output=True
        ).returncode
        == 0
        for command in COMMANDS
    )


def test_the_commands_of_the_readme_check_a_folder_and_a_zip(
    tmp_path: Path, originals: dict[str, Path], keys: Path
) -> None:
    with zipfile.ZipFile(originals["zip"]) as archive:
        archive.extractall(tmp_path / "unpacked")
        assert archive.namelist()[-2:] == [MANIFEST, SIGNATURE]
    for crate in (originals["folder"], tmp_path / "unpacked"):
        assert stranger(crate, keys / "ada.pub")
        assert not stranger(crate, keys / "eve.pub")
        readme = (crate / "README.md").read_text()
        assert all(f"\n    {command}\n" in readme for command in COMMANDS)


def test_every_other_file_is_listed(originals: dict[str, Path]) -> None:
    crate = originals["folder"]
    files = {str(one.relative_to(crate)) for one in crate.rglob("*") if one.is_file()}
    listed = {
        line.split("  ", 1)[1] for line in (crate / MANIFEST).read_text().splitlines() if not line.startswith("#")
    }
    assert listed == files - {MANIFEST, SIGNATURE}


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_a_whole_crate_is_told_whole_with_its_signer_runs_and_lock(
    originals: dict[str, Path], keys: Path, ada: Signer, form: str
) -> None:
    told = verify(originals[form]).object
    assert told["signature"] == {
        "state": "good", "signer": ada.public.fingerprint, "compared": False, "trusted": False,
    }  # fmt: skip
    assert [one["name"] for one in told["crate"]["runs"]] == ["Run 1 of Upper and sort", "Run 2 of Upper and sort"]
    for stated in (keys / "ada.pub", ada.public.fingerprint, ada.public.line):
        assert verify(originals[form], "--signer", stated).object["signature"]["trusted"] is True


def test_the_chain_from_lock_to_run_to_crate_is_signed(tmp_path: Path, originals: dict[str, Path], crate: Path) -> None:
    plan = usual_workdir(tmp_path / "same").subject().plan
    assert verify(crate).object["crate"]["lock"]["digest"] == str(plan.digest)
    assert str(plan.digest) in (crate / METADATA).read_text()
    lock = tmp_path / "stage.lock.json"
    lock.write_bytes(plan.lock_bytes())
    assert verify(crate, "--lock", lock).code == 0
    other = usual_workdir(tmp_path / "other")
    other.value("more", 1, "int")
    lock.write_bytes(other.subject().plan.lock_bytes())
    assert list(verify(crate, "--lock", lock).problems) == [METADATA]
    # Whoever says that the runs were of another lock has to break the signature.
    text = (crate / METADATA).read_text()
    (crate / METADATA).write_text(text.replace(str(plan.digest), str(other.subject().plan.digest)))
    assert list(verify(crate).problems) == [METADATA]


def test_an_older_crate_in_place_of_a_newer_can_be_seen(tmp_path: Path, ada: Signer, keys: Path) -> None:
    """Nothing is wrong with it; what it tells of its runs and its lock is what gives it away."""
    old = usual_workdir(tmp_path / "w", runs=1).subject()
    new = usual_workdir(tmp_path / "w2", runs=2).subject()
    runs = []
    for name, subject in (("old", old), ("new", new)):
        export_crate(subject, tmp_path / name, kind="retrospective", cache=tmp_path, signer=ada, validate=False)
        told = verify(tmp_path / name, "--signer", keys / "ada.pub")
        runs.append({one["uuid"] for one in told.object["crate"]["runs"]})
    assert runs[0] < runs[1]


def append(crate: Path, name: str, content: bytes = b"x") -> None:
    (crate / name).write_bytes((crate / name).read_bytes() + content)


def flip(crate: Path, name: str) -> None:
    content = bytearray((crate / name).read_bytes())
    content[len(content) // 2] ^= 1
    (crate / name).write_bytes(content)


def replace_in(crate: Path, name: str, old: str, new: str) -> None:
    text = (crate / name).read_text()
    assert old in text
    (crate / name).write_text(text.replace(old, new))


TAMPERINGS: dict[str, tuple[Callable[[Path], object], set[str]]] = {
    "a byte of an output": (lambda crate: flip(crate, SORTED), {SORTED}),
    "a longer output": (lambda crate: append(crate, SORTED), {SORTED}),
    "a cut output": (lambda crate: (crate / SORTED).write_bytes(b"A"), {SORTED}),
    "an emptied log": (lambda crate: (crate / "runs/1/logs/engine.log").write_bytes(b""), {"runs/1/logs/engine.log"}),
    "the readme": (lambda crate: append(crate, "README.md"), {"README.md"}),
    "the preview": (lambda crate: flip(crate, "ro-crate-preview.html"), {"ro-crate-preview.html"}),
    "a value of the metadata": (lambda crate: replace_in(crate, METADATA, "Run 1 of", "Run 7 of"), {METADATA}),
    "a digest in the metadata": (lambda crate: replace_in(crate, METADATA, '"sha256": "', '"sha256": "0'), {METADATA}),
    "metadata that are no JSON": (lambda crate: (crate / METADATA).write_text("{"), {METADATA}),
    "no metadata": (lambda crate: (crate / METADATA).unlink(), {METADATA}),
    "a missing file": (lambda crate: (crate / SORTED).unlink(), {SORTED}),
    "a missing folder": (lambda crate: shutil.rmtree(crate / "runs/1/outputs"), {SORTED}),
    "an added file": (lambda crate: (crate / "runs/1/outputs/new").write_bytes(b""), {"runs/1/outputs/new"}),
    "an added link": (lambda crate: (crate / "link").symlink_to("README.md"), {"link"}),
    "a renamed file": (lambda crate: (crate / SORTED).rename(crate / "moved"), {SORTED, "moved"}),
    "two files swapped": (
        lambda crate: [
            (crate / SORTED).rename(crate / "x"),
            (crate / "runs/2/outputs/sorted.txt").rename(crate / SORTED),
            (crate / "x").rename(crate / "runs/2/outputs/sorted.txt"),
        ],
        {SORTED, "runs/2/outputs/sorted.txt"},
    ),
    "a file that became a link": (
        lambda crate: [(crate / SORTED).unlink(), (crate / SORTED).symlink_to("../../2/outputs/sorted.txt")],
        {SORTED},
    ),
    "a file that became a folder": (lambda crate: [(crate / SORTED).unlink(), (crate / SORTED).mkdir()], {SORTED}),
    "a file that became a pipe": (lambda crate: [(crate / SORTED).unlink(), os.mkfifo(crate / SORTED)], {SORTED}),
    "a line of the list": (lambda crate: flip(crate, MANIFEST), {MANIFEST}),
    "a line taken from the list": (
        lambda crate: (crate / MANIFEST).write_text("".join((crate / MANIFEST).read_text().splitlines(True)[:-1])),
        {MANIFEST},
    ),
    "no list": (lambda crate: (crate / MANIFEST).unlink(), {MANIFEST}),
    "no signature": (lambda crate: (crate / SIGNATURE).unlink(), {SIGNATURE}),
    "neither": (lambda crate: [(crate / one).unlink() for one in (MANIFEST, SIGNATURE)], {MANIFEST, SIGNATURE}),
    "an empty signature": (lambda crate: (crate / SIGNATURE).write_bytes(b""), {SIGNATURE}),
    "three things at once": (
        lambda crate: [flip(crate, SORTED), (crate / "README.md").unlink(), (crate / "new").mkdir(),
                       (crate / "new/file").write_bytes(b"x")],
        {SORTED, "README.md", "new/file"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERINGS)
def test_each_tampering_is_named_once_and_nothing_else_is(crate: Path, keys: Path, what: str) -> None:
    tamper, expected = TAMPERINGS[what]
    tamper(crate)
    assert set(verify(crate).problems) == expected
    assert set(verify(crate, "--signer", keys / "ada.pub").problems) == expected
    added = what in ("an added file", "an added link")  # sha512sum looks at no file that isn't listed
    waits = what == "a file that became a pipe"  # and there it waits for ever
    assert added or waits or not stranger(crate, keys / "ada.pub")


UNSIGNED = [
    "a byte of an output", "a longer output", "an emptied log", "the readme", "a missing file", "a missing folder",
    "an added file", "an added link", "a renamed file", "two files swapped", "a file that became a folder",
    "a file that became a link",
    "a file that became a pipe", "metadata that are no JSON", "three things at once",
]  # fmt: skip


@pytest.mark.parametrize("what", UNSIGNED)
def test_without_a_signature_the_metadata_find_as_much(tmp_path: Path, originals: dict[str, Path], what: str) -> None:
    crate = Path(shutil.copytree(originals["plain"], tmp_path / "crate"))
    assert verify(crate).object["signature"]["state"] == "none"
    tamper, expected = TAMPERINGS[what]
    tamper(crate)
    assert set(verify(crate).problems) == expected


@pytest.mark.parametrize("what", ["a byte of an output", "a missing file", "an added file", "a line of the list"])
def test_a_zip_is_verified_where_it_is(tmp_path: Path, crate: Path, what: str) -> None:
    tamper, expected = TAMPERINGS[what]
    tamper(crate)
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", crate)
    assert set(verify(Path(packed)).problems) == expected
    wrapped = shutil.make_archive(str(tmp_path / "wrapped"), "zip", crate.parent, crate.name)
    assert set(verify(Path(wrapped)).problems) == expected


def resign(crate: Path, signer: Signer, namespace: str = "wfexs-like-crate") -> None:
    content = (crate / MANIFEST).read_bytes()
    (crate / SIGNATURE).write_bytes(sign_bytes(content, signer, namespace=namespace))


def test_a_crate_signed_again_by_a_stranger_is_told(crate: Path, keys: Path, ada: Signer, eve: Signer) -> None:
    """Changed, listed and signed anew, the crate still says who had signed it; --signer finds it in any case."""
    flip(crate, "ro-crate-preview.html")
    for name in (MANIFEST, SIGNATURE):
        (crate / name).unlink()
    sign_folder(crate, eve)
    told = verify(crate)
    assert list(told.problems) == [SIGNATURE]
    assert eve.public.fingerprint in told.problems[SIGNATURE]
    assert ada.public.fingerprint in told.problems[SIGNATURE]
    replace_in(crate, METADATA, ada.public.fingerprint, eve.public.fingerprint)
    for name in (MANIFEST, SIGNATURE):
        (crate / name).unlink()
    sign_folder(crate, eve)
    assert verify(crate, "--signer", keys / "eve.pub").code == 0
    assert list(verify(crate, "--signer", keys / "ada.pub").problems) == [SIGNATURE]


def test_a_signature_made_for_something_else_does_not_hold(crate: Path, ada: Signer) -> None:
    resign(crate, ada, namespace="file")
    problems = verify(crate).problems
    assert list(problems) == [SIGNATURE]
    assert "namespace" in problems[SIGNATURE]


def test_a_crate_that_was_never_signed_is_a_problem_only_when_a_signer_is_named(
    originals: dict[str, Path], keys: Path
) -> None:
    assert verify(originals["plain"]).code == 0
    assert list(verify(originals["plain"], "--signer", keys / "ada.pub").problems) == [SIGNATURE]


def test_a_folder_that_is_signed_later_is_verified_by_everybody(tmp_path: Path, ada: Signer, keys: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep" / "empty").mkdir(parents=True)
    (folder / "deep" / "ä b#c").write_bytes(b"x")
    (folder / "link").symlink_to("deep/ä b#c")
    sign_folder(folder, ada)
    assert stranger(folder, keys / "ada.pub")
    (folder / METADATA).write_text('{"@graph": []}')
    assert list(verify(folder).problems) == [METADATA]
    (folder / METADATA).unlink()
    (folder / "link").unlink()
    (folder / "link").symlink_to("deep")
    assert set(verify(folder).problems) == {METADATA, "link"}


def test_folders_with_links_and_programs_are_held_to_their_tree(tmp_path: Path, ada: Signer, keys: Path) -> None:
    workdir = empty_workdir(tmp_path)
    content = workdir.content / "inputs" / "data" / "folder"
    (content / "deep").mkdir(parents=True)
    (content / "deep/link").symlink_to("../a.txt")
    workdir.folder_input("data", {"a.txt": b"a\n", "b.sh": b"b\n"}, identifier="https://example.org/data")
    workdir.output("sorted")
    workdir.ran({"sorted": workdir.made(1, "sorted.txt", b"A\n")})
    everything = frozenset({"all"})
    for name, signer in (("plain", None), ("signed", ada), ("signed.zip", ada)):
        export_crate(
            workdir.subject(), tmp_path / name, kind="retrospective", include=everything, cache=tmp_path,
            signer=signer, validate=False,
        )  # fmt: skip
        assert verify(tmp_path / name).problems == {}
    assert stranger(tmp_path / "signed", keys / "ada.pub")
    folder = PurePosixPath("inputs/data/folder")
    for name, path in (("plain", folder), ("signed", folder / "deep/link")):
        (tmp_path / name / folder / "deep/link").unlink()
        (tmp_path / name / folder / "deep/link").symlink_to("../b.sh")
        assert list(verify(tmp_path / name).problems) == [str(path)]
    (tmp_path / "plain" / folder / "a.txt").write_bytes(b"b\n")
    assert list(verify(tmp_path / "plain").problems) == [str(folder / "a.txt")]


def test_the_crate_says_that_it_is_signed_and_conforms(tmp_path: Path, ada: Signer) -> None:
    report = export_crate(
        usual_workdir(tmp_path).subject(), tmp_path / "c.zip", kind="retrospective", cache=tmp_path, signer=ada
    )
    assert report.validation is not None
    assert report.validation.passed
    said = next(one for one in metadata_of(tmp_path / "c.zip")["@graph"] if one["@id"] == SIGNATURE)
    assert said["identifier"] == ada.public.fingerprint
