"""Sealed crates: recipients get the plain crate back, byte for byte; others see what is meant to be seen."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

from staging.errors import CrateError, DigestError, KeyAccessError, NotFoundError, PolicyError, UsageError
from staging.scratch import kept_in
from tests.conftest import Command
from tests.support.crates import Workdir, entities_of, ids, many
from tests.support.sealed import CANARY, content_of, export, open_it, person, problems, rich_workdir, signer
from tests.support.vaults import dissolve_all
from wfexs_like.cli.context import App
from wfexs_like.cli.main import main
from wfexs_like.crate.exporters import EXPORTERS, Level
from wfexs_like.crate.graph import METADATA
from wfexs_like.crate.report_types import Validation
from wfexs_like.crate.validation import Judge, validate_crate
from wfexs_like.importing.opening import open_crate
from wfexs_like.schemas import schema_of
from wfexs_like.seal.by_hand import BY_HAND
from wfexs_like.seal.rewrapping import rewrap
from wfexs_like.seal.sharing import is_sealed_crate, recipients_of, share
from wfexs_like.verifying.verify import verify_crate

KINDS: dict[str, tuple[str, str, Level | None]] = {
    "full": ("full", "files", "full"),
    "full.zip": ("full.zip", "files", "full"),
    "minimal": ("minimal", "files", "minimal"),
    "minimal.zip": ("minimal.zip", "files", "minimal"),
    "sealed": ("sealed", "files", "sealed"),
    "archive": ("all.c4gh", "archive", None),
}


class Scene:
    """One working directory, its plain crate, and it sealed in every way for Ada and Ben, but not for Eve."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ada, self.ben, self.eve = (person(root, one) for one in ("ada", "ben", "eve"))
        self.signer = signer(root, "ada")
        self.workdir: Workdir = rich_workdir(root / "workdir")
        self.plain = root / "plain"
        export(self.workdir, self.plain, form=None, signed_by=self.signer)

    @cached_property
    def verdict(self) -> Validation:
        """What the validator says of the plain crate."""
        return validate_crate(self.plain, cache=self.root)

    def sealed(self, kind: str) -> Path:
        name, form, level = KINDS[kind]
        path = self.root / name
        if not path.exists():
            recipients = (self.ada.recipient, self.ben.recipient)
            export(self.workdir, path, form=form, level=level, recipients=recipients, signed_by=self.signer)  # type: ignore[arg-type]
        return path


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("sealed"))


@pytest.fixture
def folder(scene: Scene, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scene.sealed("minimal"), tmp_path / "crate"))


@pytest.mark.parametrize("kind", KINDS)
def test_each_recipient_gets_the_plain_crate_byte_for_byte_and_nobody_else(
    scene: Scene, tmp_path: Path, kind: str
) -> None:
    sealed = scene.sealed(kind)
    assert is_sealed_crate(sealed)
    for who in (scene.ada, scene.ben):
        code, told = open_it(sealed, tmp_path / who.name, who)
        assert code == 0
        assert told["signature"]["signer"] == scene.signer.public.fingerprint
        assert content_of(tmp_path / who.name) == content_of(scene.plain)
        assert (tmp_path / who.name).stat().st_mode & 0o077 == 0
    code, told = open_it(sealed, tmp_path / "eve", scene.eve)
    assert (code, told["error"]["exit_code"]) == (12, 12)


def test_what_was_opened_is_a_signed_crate_again(scene: Scene, tmp_path: Path) -> None:
    open_it(scene.sealed("archive"), tmp_path / "opened", scene.ada)
    report = verify_crate(tmp_path / "opened", trusted=None, lock=None)
    assert report.ok
    assert report.signature.signer == scene.signer.public.fingerprint


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_the_content_is_to_be_seen_in_what_is_shipped(scene: Scene, kind: str) -> None:
    sealed = scene.sealed(kind)
    files = [one for one in sealed.rglob("*") if one.is_file()] if sealed.is_dir() else [sealed]
    shown = b"".join(one.read_bytes() for one in files)
    names = " ".join(str(one) for one in sealed.rglob("*"))
    if kind.endswith(".zip"):
        with zipfile.ZipFile(sealed) as archive:
            shown = b"".join(archive.read(one) for one in archive.namelist())
            names = " ".join(archive.namelist())
    assert b"was here" not in shown
    assert b"#!/bin/sh" not in shown
    if not kind.startswith("full"):
        assert CANARY.encode() not in shown
        assert CANARY not in names
        assert b"phrase" not in shown  # the name of a parameter
        assert b"in.txt" not in shown
    if kind == "sealed":
        assert b"Upper and sort" not in shown


@pytest.mark.parametrize(("kind", "profile"), [("full", "workflow-run-crate-0.5"), ("minimal", None), ("sealed", None)])
def test_what_can_be_read_conforms_with_nothing_recommended_missing_that_could_be_there(
    scene: Scene, kind: str, profile: str | None
) -> None:
    verdict = validate_crate(scene.sealed(kind), profile=profile, cache=scene.root)
    assert verdict.passed
    assert verdict.profile == (profile or "ro-crate-1.1")
    untold = {"ro-crate-1.1_22.2", "ro-crate-1.1_22.3"} if kind == "sealed" else set()  # author, publisher
    assert {one.check for one in verdict.issues} <= {one.check for one in scene.verdict.issues} | untold
    assert verify_crate(scene.sealed(kind), trusted=None, lock=None).ok


@pytest.mark.parametrize("kind", ["full", "minimal", "sealed"])
def test_the_metadata_say_how_each_file_is_sealed_and_for_whom(scene: Scene, kind: str) -> None:
    crate = scene.sealed(kind)
    entities = entities_of(crate)
    sealed = {str(one.relative_to(crate)) for one in crate.rglob("*.c4gh")}
    described = [one for one in entities.values() if str(one["@id"]).endswith(".c4gh")]
    assert len(described) == len(sealed)
    prints = {scene.ada.fingerprint, scene.ben.fingerprint}
    for one in [*described, entities["./"]]:
        permits = [entities[name] for name in ids(one["hasDigitalDocumentPermission"])]
        assert {permit["identifier"] for permit in permits} == prints
    for one in described:
        specification = entities[next(item["@id"] for item in many(one["encodingFormat"]) if isinstance(item, dict))]
        assert "crypt4gh" in specification["name"]
        stated = {entities[name]["name"] for name in ids(one["additionalProperty"])}
        assert "sha256 of the sealed data blocks" in stated
        assert ("encodesCreativeWork" in one) is (kind == "full")
        if kind == "full":
            plain = entities[one["encodesCreativeWork"]["@id"]]
            path = plain["@id"].removeprefix("#plain/")
            if (scene.plain / unquote(path)).is_file():
                content = (scene.plain / unquote(path)).read_bytes()
                assert (plain["contentSize"], plain["sha256"]) == (
                    str(len(content)),
                    hashlib.sha256(content).hexdigest(),
                )
            else:
                assert path == "sealed-manifest.txt" or path.endswith(".sig")
        assert ("contentSize" in one) is (kind == "full" and one["name"] != "the sealed manifest")
    names = set(ids(entities["./"]["hasPart"]))
    assert {one["@id"] for one in described} <= names | {one["@id"] for one in described if "tree" in one["@id"]}


@pytest.mark.parametrize("verb", ["validate", "verify"])
def test_a_sealed_archive_is_said_to_be_one_and_how_it_is_looked_into(scene: Scene, wfexs: Command, verb: str) -> None:
    refused = wfexs(verb, scene.sealed("archive"))
    assert refused.code == 2
    assert "is sealed" in refused.object["error"]["message"]
    assert "wfexs-like open" in refused.object["error"]["hint"]


def test_minimal_metadata_keep_the_name_the_people_the_dates_the_workflow_and_the_software(scene: Scene) -> None:
    plain, minimal = entities_of(scene.plain), entities_of(scene.sealed("minimal"))
    for name in ("name", "license", "datePublished", "author"):
        assert minimal["./"][name] == plain["./"][name]
    run = next(one for one in minimal.values() if one["@type"] == "CreateAction")
    assert run.keys() <= {"@id", "@type", "name", "startTime", "endTime", "actionStatus", "agent", "instrument"}
    assert minimal["#workflow"]["name"] == plain["workflow/wf.cwl"]["name"]
    assert any(one["@type"] == "SoftwareApplication" for one in minimal.values())
    assert not any("FormalParameter" in many(one["@type"]) for one in minimal.values())


@pytest.mark.parametrize("kind", ["full", "minimal"])
def test_it_opens_by_hand_as_its_readme_says(scene: Scene, tmp_path: Path, kind: str) -> None:
    crate = Path(shutil.copytree(scene.sealed(kind), tmp_path / "crate"))
    assert BY_HAND in (crate / "README.md").read_text()

    def typed() -> subprocess.CompletedProcess[str]:
        tools = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        environment = {"PATH": tools, "KEY": str(scene.ben.private), "LC_ALL": "C.UTF-8"}
        script = f"set -e\n{BY_HAND}"
        return subprocess.run(
            ["bash", "-c", script], cwd=crate, env=environment, check=False, capture_output=True, text=True
        )

    done = typed()
    assert done.returncode == 0, done.stderr
    files = {name: one for name, one in content_of(scene.plain).items() if one[0] in ("file", "program")}
    for name, (_, content) in files.items():
        assert (tmp_path / "opened" / name).read_bytes() == content
    shutil.rmtree(tmp_path / "opened")
    one, other = sorted(crate.rglob("*.c4gh"))[-3:-1]
    both = one.read_bytes(), other.read_bytes()
    one.write_bytes(both[1])
    other.write_bytes(both[0])
    assert typed().returncode != 0


def test_an_archive_opens_by_hand(scene: Scene, tmp_path: Path) -> None:
    tool = Path(sys.executable).with_name("crypt4gh")
    archive, key = scene.sealed("archive"), scene.ada.private
    typed = f"set -e -o pipefail; {tool} decrypt --sk {key} < {archive} | tar x; sha256sum -c sealed-manifest.txt"
    done = subprocess.run(["bash", "-c", typed], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name, (kind, content) in content_of(scene.plain).items():
        if kind in ("file", "program"):
            assert (tmp_path / name).read_bytes() == content


def test_who_must_have_signed_is_compared(scene: Scene, tmp_path: Path) -> None:
    eve = signer(tmp_path, "eve")
    mine, hers = scene.root / "ada-signing.pub", tmp_path / "eve-signing.pub"
    for kind in ("minimal", "archive"):
        code, told = open_it(scene.sealed(kind), tmp_path / f"good-{kind}", scene.ada, "--signer", str(mine))
        assert (code, told["signature"]["trusted"]) == (0, True)
        code, told = open_it(scene.sealed(kind), tmp_path / f"bad-{kind}", scene.ada, "--signer", str(hers))
        assert code == 5
        assert eve.public.fingerprint in problems(told)["sealed-manifest.txt.sig"]


def test_an_unsigned_crate_is_not_taken_for_a_signed_one(scene: Scene, tmp_path: Path) -> None:
    export(scene.workdir, tmp_path / "crate", form="files", level="full", recipients=(scene.ada.recipient,))
    assert open_it(tmp_path / "crate", tmp_path / "a", scene.ada)[1]["signature"]["state"] == "none"
    code, told = open_it(tmp_path / "crate", tmp_path / "b", scene.ada, "--signer", str(scene.root / "ada-signing.pub"))
    assert code == 5
    assert "not signed" in problems(told)["sealed-manifest.txt.sig"]


def test_a_damaged_input_is_found_while_it_is_sealed_and_nothing_is_left(scene: Scene, tmp_path: Path) -> None:
    workdir = rich_workdir(tmp_path / "workdir")
    next(workdir.content.glob(f"runs/1/outputs/{CANARY}.bin")).write_bytes(b"something else")
    before = set(tmp_path.iterdir())
    for form, level in (("files", "full"), ("archive", None)):
        with pytest.raises(DigestError):
            export(workdir, tmp_path / "out", form=form, level=level, recipients=(scene.ada.recipient,))  # type: ignore[arg-type]
    assert set(tmp_path.iterdir()) == before


def test_the_plain_crate_is_validated_where_it_cannot_be_seen(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wfexs_like.crate import graph

    real = graph.Graph.serialise

    def broken(self: graph.Graph) -> bytes:
        document: Any = json.loads(real(self))
        for one in document["@graph"]:
            one.pop("mainEntity", None)
        return json.dumps(document).encode()

    monkeypatch.setattr(graph.Graph, "serialise", broken)
    for form, level in (("archive", None), ("files", "minimal")):
        with pytest.raises(CrateError, match="would not conform to workflow-run-crate"):
            export(
                scene.workdir,
                tmp_path / "out",
                form=form,  # type: ignore[arg-type]
                level=level,  # type: ignore[arg-type]
                recipients=(scene.ada.recipient,),
                validate=True,
            )
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "validator"])


def test_a_name_that_would_become_too_long_gets_another(scene: Scene, tmp_path: Path) -> None:
    workdir = rich_workdir(tmp_path / "workdir")
    long = "n" * 253
    workdir.output("long")
    workdir.ran({"long": workdir.made(2, long, b"long\n")})
    export(workdir, tmp_path / "crate", form="files", level="full", recipients=(scene.ada.recipient,))
    open_it(tmp_path / "crate", tmp_path / "opened", scene.ada)
    assert (tmp_path / "opened/runs/2/outputs" / long).read_bytes() == b"long\n"


def test_the_exporter_is_a_plugin() -> None:
    assert EXPORTERS.names() == ("crypt4gh",)
    assert "sealed" in EXPORTERS.load("crypt4gh")().writes


# --- sharing ----------------------------------------------------------------------------------------------------------


def body(path: Path) -> bytes:
    """A sealed file without its header, of packets that all have 108 bytes."""
    content = path.read_bytes()
    return content[16 + 108 * int.from_bytes(content[12:16], "little") :]


def told_in(crate: Path) -> set[str]:
    return {one["identifier"] for one in entities_of(crate).values() if one["@type"] == "DigitalDocumentPermission"}


def test_recipients_are_told_of_every_form(scene: Scene) -> None:
    for kind in KINDS:
        found = recipients_of(scene.sealed(kind), [scene.ben.secret])
        assert {one.fingerprint for one in found.recipients} == {scene.ada.fingerprint, scene.ben.fingerprint}
        assert found.own == (scene.ben.fingerprint,)
        assert found.uneven == ()
        with pytest.raises(KeyAccessError):
            recipients_of(scene.sealed(kind), [scene.eve.secret])


def test_a_folder_is_shared_with_another_and_no_longer_with_one(scene: Scene, folder: Path, tmp_path: Path) -> None:
    bodies = {one: body(one) for one in folder.rglob("*.c4gh")}
    done = share(folder, [scene.ada.secret], add=[scene.eve.recipient], remove=[scene.ben.fingerprint])
    assert done.signature == "removed"
    assert done.files == len(bodies)
    assert bodies == {one: body(one) for one in folder.rglob("*.c4gh")}
    assert told_in(folder) == {scene.ada.fingerprint, scene.eve.fingerprint}
    assert verify_crate(folder, trusted=None, lock=None).ok
    code, told = open_it(folder, tmp_path / "eve", scene.eve, "--signer", str(scene.root / "ada-signing.pub"))
    assert (code, told["signature"]["trusted"]) == (0, True)
    assert content_of(tmp_path / "eve") == content_of(scene.plain)
    assert open_it(folder, tmp_path / "ben", scene.ben)[0] == 12
    again = share(folder, [scene.eve.secret], add=[scene.eve.recipient])
    assert (again.files, again.added, again.signature) == (0, (), "none")


def test_more_people_than_a_small_header_has_room_for(scene: Scene, tmp_path: Path) -> None:
    crate = Path(shutil.copytree(scene.sealed("full"), tmp_path / "crate"))
    before = {one: one.stat().st_size for one in crate.rglob("*.c4gh")}
    many_more = [person(tmp_path, f"p{number}") for number in range(8)]
    share(crate, [scene.ada.secret], add=[one.recipient for one in many_more])
    assert any(one.stat().st_size != size for one, size in before.items())
    entities = entities_of(crate)
    for one in before:
        stated = [value for name, value in entities.items() if unquote(name) == str(one.relative_to(crate))]
        told = [int(value["contentSize"]) for value in stated if "contentSize" in value]
        assert told == ([] if one.name == "sealed-manifest.txt.c4gh" else [one.stat().st_size])
    assert verify_crate(crate, trusted=None, lock=None).ok
    assert open_it(crate, tmp_path / "last", many_more[-1])[0] == 0


def test_sharing_signs_anew_where_that_is_wished(scene: Scene, folder: Path, tmp_path: Path) -> None:
    ben = signer(tmp_path, "ben")
    done = share(folder, [scene.ada.secret], add=[scene.eve.recipient], signer=ben)
    assert done.signature == "renewed"
    report = verify_crate(folder, trusted=None, lock=None)
    assert report.ok
    assert report.signature.signer == ben.public.fingerprint


def test_an_interrupted_change_is_seen_and_finished_by_the_next(
    scene: Scene, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from wfexs_like.seal import sharing

    real, count = sharing.rewrap, 0

    def interrupted(*args: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        if count > 4:
            raise KeyboardInterrupt
        return real(*args, **named)

    monkeypatch.setattr(sharing, "rewrap", interrupted)
    with pytest.raises(KeyboardInterrupt):
        share(folder, [scene.ada.secret], add=[scene.eve.recipient], remove=[scene.ben.fingerprint])
    monkeypatch.undo()
    assert len(recipients_of(folder, [scene.ada.secret]).uneven) == 4
    assert open_it(folder, tmp_path / "eve", scene.eve)[0] == 12
    share(folder, [scene.ada.secret], add=[scene.eve.recipient], remove=[scene.ben.fingerprint])
    assert recipients_of(folder, [scene.ada.secret]).uneven == ()
    assert told_in(folder) == {scene.ada.fingerprint, scene.eve.fingerprint}
    assert open_it(folder, tmp_path / "opened", scene.eve)[0] == 0


def test_where_no_key_fits_some_files_nobody_says_that_they_were_changed(
    scene: Scene, folder: Path, tmp_path: Path
) -> None:
    one = next(path for path in sorted(folder.rglob("*.c4gh")) if path.parent != folder)
    rewrap(one, [scene.ada.secret], remove=[scene.ben.recipient])
    assert open_it(folder, tmp_path / "opened", scene.ben)[0] == 12
    out = io.StringIO()
    words = ["open", str(folder), str(tmp_path / "opened"), "--key", str(scene.ben.private)]
    assert main(words, App(stdout=out, stderr=io.StringIO())) == 12
    assert "was not opened: nothing was written" in out.getvalue()
    assert "not as it was sealed" not in out.getvalue()


def test_what_a_killed_change_of_recipients_left_goes_with_the_next(scene: Scene, folder: Path, tmp_path: Path) -> None:
    inside = next(path.parent for path in sorted(folder.rglob("*.c4gh")) if path.parent != folder)
    left = (
        folder / ".recipients.abc_1234.part",
        inside / ".recipients.abcd1234.part",
        folder / ".ro-crate-metadata.json.4711.0123abcd",
    )
    for one in left:
        one.write_bytes(b"half")
    assert open_it(folder, tmp_path / "refused", scene.ada)[0] == 5
    with left[0].open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # as whoever writes it does
        share(folder, [scene.ada.secret], add=[scene.eve.recipient])
        assert [one.exists() for one in left] == [True, False, False]
    share(folder, [scene.ada.secret], add=[scene.eve.recipient])
    assert not left[0].exists()
    assert open_it(folder, tmp_path / "opened", scene.eve)[0] == 0


def test_an_archive_is_shared_in_place_and_a_zip_is_not(scene: Scene, tmp_path: Path) -> None:
    archive = Path(shutil.copy(scene.sealed("archive"), tmp_path / "all.c4gh"))
    share(archive, [scene.ada.secret], add=[scene.eve.recipient], remove=[scene.ada.fingerprint], even_own=True)
    assert open_it(archive, tmp_path / "eve", scene.eve)[0] == 0
    assert open_it(archive, tmp_path / "ada", scene.ada)[0] == 12
    with pytest.raises(UsageError, match="zip"):
        share(scene.sealed("minimal.zip"), [scene.ada.secret], add=[scene.eve.recipient])


def test_nobody_locks_out_themselves_or_everybody_by_accident(scene: Scene, folder: Path) -> None:
    before = content_of(folder)
    with pytest.raises(PolicyError, match="own key") as caught:
        share(folder, [scene.ada.secret], remove=[scene.ada.fingerprint])
    assert "--even-own" in (caught.value.hint or "")
    with pytest.raises(PolicyError, match="nobody could open"):
        share(folder, [scene.ada.secret], remove=[scene.ada.fingerprint, scene.ben.fingerprint], even_own=True)
    with pytest.raises(NotFoundError, match="no recipient"):
        share(folder, [scene.ada.secret], remove=[scene.eve.fingerprint])
    with pytest.raises(KeyAccessError):
        share(folder, [scene.eve.secret], add=[scene.eve.recipient])
    assert content_of(folder) == before


# --- the command line -------------------------------------------------------------------------------------------------


STAGED = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [cat]
inputs: {word: {type: string}}
outputs: {out: stdout}
stdout: out.txt
"""


@pytest.fixture
def staged(home: Path, wfexs: Command) -> Iterator[Path]:
    """An encrypted working directory with a canary for a value, whose stage file names Ada as a recipient."""
    for one in ("ada", "ben"):
        person(home, one)
    wfexs.ok("keys", "init", "--no-passphrase")
    (home / "main.cwl").write_text(STAGED)
    (home / "demo.wfex.stage").write_text(
        f"workflow_id: main.cwl\nvault: gocryptfs\nparams: {{word: {CANARY}}}\nseal: {{recipients: [ada.pub]}}\n"
    )
    wfexs.ok("stage", home / "demo.wfex.stage")
    (home / "ada.pub").unlink()  # it was read when it was staged
    yield home
    dissolve_all(home / "workdirs")


@pytest.mark.gocryptfs
@pytest.mark.fuse
@pytest.mark.cwltool
def test_an_encrypted_working_directory_leaves_it_sealed_or_with_a_word_in_the_crate_and_is_refused_before_it_runs(
    staged: Path, wfexs: Command
) -> None:
    refused = wfexs("crate", "last", staged / "out", "--prospective")
    assert refused.code == 14
    assert not (staged / "out").exists()
    told = wfexs.ok("crate", "last", staged / "clear", "--prospective", "--allow-clear", "--no-validate")
    jsonschema.Draft202012Validator(schema_of("crate")).validate(told)
    assert (told["sealed"], told["clear"]) == (False, True)
    assert any(one.get("name") == "exported in clear" for one in entities_of(staged / "clear").values())
    assert "--allow-clear" in (staged / "clear/README.md").read_text()

    told = wfexs.ok("crate", "last", staged / "sealed", "--prospective", "--seal", "files")
    jsonschema.Draft202012Validator(schema_of("crate")).validate(told)
    assert (told["sealed"], told["clear"], told["seal"]["metadata"]) == (True, False, "minimal")
    whom = told["seal"]["recipients"]
    assert (len(whom), whom[0]["label"]) == (2, "ada")  # and this installation
    assert not any(CANARY.encode() in one.read_bytes() for one in (staged / "sealed").rglob("*") if one.is_file())
    for key in ((), ("--key", staged / "ada.sec")):
        wfexs.ok("open", staged / "sealed", staged / f"opened{len(key)}", *key)
    assert CANARY in (staged / "opened0/ro-crate-metadata.json").read_text()
    assert wfexs("open", staged / "sealed", staged / "ben", "--key", staged / "ben.sec").code == 12

    told = wfexs.ok(
        "crate", "last", staged / "all.c4gh", "--prospective", "--seal", "archive", "--no-own-key",
        "--recipient", staged / "ben.pub", "--no-validate",
    )  # fmt: skip
    assert [one["label"] for one in told["seal"]["recipients"]] == ["ben"]
    refused = wfexs("open", staged / "all.c4gh", staged / "mine")
    assert (refused.code, "--key" in refused.object["error"]["hint"]) == (12, True)
    wfexs.ok("open", staged / "all.c4gh", staged / "mine", "--key", staged / "ben.sec")

    (staged / "ada.pub").write_bytes((staged / "ben.pub").read_bytes())
    assert wfexs("execute", staged / "demo.wfex.stage", "--crate", staged / "out").code == 14
    assert wfexs.ok("show", "last")["runs"] == []


@pytest.mark.gocryptfs
@pytest.mark.fuse
@pytest.mark.cwltool
def test_a_crate_of_an_encrypted_working_directory_becomes_one_again_or_plain_by_a_word_alone(
    staged: Path, wfexs: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    clear, elsewhere, keys = staged / "clear.zip", staged / "elsewhere", staged / "keys"
    wfexs.ok("crate", "last", clear, "--prospective", "--allow-clear", "--no-validate")
    with zipfile.ZipFile(clear) as archive, tarfile.open(staged / "clear.tgz", "w:gz") as other:
        archive.extractall(staged / "folder")
        other.add(staged / "folder", ".")
    made = wfexs.ok("import", clear, "--nickname", "again")
    assert wfexs.ok("show", made["id"])["vault"] == "gocryptfs"

    keys.rename(staged / "moved")
    assert wfexs("show", made["id"]).code == 12
    own = staged / "moved/wfexs-like.sec"
    assert wfexs.ok("show", made["id"], "--key", own)["lock"]["digest"] == made["lock"]["digest"]
    assert wfexs("show", made["id"], "--key", staged / "ben.sec").code == 12
    assert wfexs("--key", staged / "none.sec", "show", made["id"]).code == 10
    monkeypatch.setenv("WFEXS_LIKE_WORKDIRS", str(elsewhere))
    for crate in (clear, staged / "folder", staged / "clear.tgz"):
        assert wfexs("import", crate).code == 12
        assert not elsewhere.exists() or not any(elsewhere.glob("*-*"))
    plain = wfexs("import", clear, "--vault", "plain")
    assert "the crate is of an encrypted working directory" in plain.stderr
    assert wfexs.ok("show", plain.object["id"])["vault"] == "plain"


@pytest.mark.parametrize(
    "options",
    [
        ["--recipient", "ada.pub"],
        ["--metadata", "full"],
        ["--no-own-key"],
        ["--seal", "archive", "--metadata", "full"],
        ["--seal", "archive"],
        ["--seal", "both"],
    ],
)
def test_options_that_make_no_sense_together_are_told(home: Path, wfexs: Command, options: list[str]) -> None:
    destination = "out.zip" if options == ["--seal", "archive"] else "out"
    assert wfexs("crate", "last", home / destination, *options).code == 2


def test_the_plain_metadata_are_validated_inside_the_encrypted_area(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []

    def validate(_self: Judge, crate: Path) -> Validation:
        assert (crate / METADATA).is_file()
        seen.append(crate)
        return Validation(profile="any", passed=True, required=0, recommended=0, issues=())

    monkeypatch.setattr(Judge, "validate", validate)
    (tmp_path / "out").mkdir()
    with kept_in(tmp_path / "inside"):
        for level in ("minimal", "sealed", None):
            export(
                scene.workdir,
                tmp_path / "out" / str(level),
                form="archive" if level is None else "files",
                level=level,  # type: ignore[arg-type]
                recipients=(scene.ada.recipient,),
                validate=True,
            )
    inner = [one for one in seen if tmp_path / "out" not in one.parents]
    assert len(inner) == 3
    assert all(one.parent == tmp_path / "inside" for one in inner)
    assert list((tmp_path / "inside").iterdir()) == []


@pytest.mark.parametrize("kind", ["minimal", "minimal.zip", "archive"])
def test_who_would_import_a_sealed_crate_is_told_to_open_it_first(scene: Scene, tmp_path: Path, kind: str) -> None:
    mailed = tmp_path / "mailed"
    sealed = scene.sealed(kind)
    if sealed.is_dir():
        shutil.copytree(sealed, mailed)
    else:
        shutil.copy(sealed, mailed)
    with pytest.raises(UsageError, match="is sealed") as refused:
        open_crate(mailed, tmp_path / "into")
    assert "wfexs-like open" in (refused.value.hint or "")
