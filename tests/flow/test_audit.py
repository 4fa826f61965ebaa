"""The audit on the real thing: what was planted outside of an encrypted directory is found, what is inside is not."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from staging.errors import InterruptedByUser, KeyAccessError, UsageError
from staging.progress import Silent
from tests.conftest import Command
from tests.support.vaults import PROGRAM, dissolve_all
from wfexs_like.audit.attestation import Attestation
from wfexs_like.audit.host import Root
from wfexs_like.flow.audit import AuditWish
from wfexs_like.schemas import schema_of
from wfexs_like.session import Session
from wfexs_like.settings import Settings

pytestmark = [pytest.mark.gocryptfs, pytest.mark.fuse, pytest.mark.cwltool]

WORKFLOW = """cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c]
arguments: ['cat "$1"; echo "$0"']
inputs:
  text: {type: string, inputBinding: {position: 1}}
  reads: {type: File, inputBinding: {position: 2}}
outputs:
  said: stdout
stdout: told-by-the-patients.txt
"""


def a_canary(name: str) -> str:
    return f"heron-{name}-{os.urandom(8).hex()}"


@dataclass(frozen=True)
class Planted:
    """An encrypted working directory that ran once, of the installation at ``home``, and what it holds.

    It was staged from below ``sources``.
    """

    home: Path
    wfexs: Command
    sources: Path
    value: str
    content: str

    @property
    def stage_folder(self) -> Path:
        return self.sources / "study"

    @property
    def source(self) -> Path:
        return self.sources / "cohort" / "patients-of-the-heron-study.txt"

    @property
    def root(self) -> Path:
        (root,) = (self.home / "workdirs").glob("*-*")
        return root

    @property
    def id(self) -> str:
        return self.root.name

    def session(self) -> Session:
        return Session(Settings.load(os.environ), progress=Silent())

    def canary_file(self, *texts: str) -> Path:
        path = self.home / "canaries.txt"
        path.write_text("".join(f"{one}\n" for one in texts))
        return path


@pytest.fixture(scope="module")
def planted_once(tmp_path_factory: pytest.TempPathFactory, alike: Path) -> Iterator[Planted]:
    """One that was staged and ran once; each test gets a copy."""
    home = tmp_path_factory.mktemp("installation")
    environment = {
        "HOME": str(home),
        "WFEXS_LIKE_CONFIG": str(home / "config.toml"),
        **{f"WFEXS_LIKE_{name.upper()}": str(home / name) for name in ("cache", "workdirs", "keys")},
    }
    planted = Planted(
        home=home,
        wfexs=Command(PROGRAM, environment=environment, alike=alike),
        sources=tmp_path_factory.mktemp("sources"),
        value=a_canary("value"),
        content=a_canary("content"),
    )
    for folder in (planted.stage_folder, planted.source.parent):
        folder.mkdir()
    planted.source.write_text(f"said: {planted.content}\n")
    (planted.stage_folder / "tell.cwl").write_text(WORKFLOW)
    stage_file = planted.stage_folder / "tell.wfex.stage"
    params = {"text": planted.value, "reads": {"c-l-a-s-s": "File", "url": str(planted.source)}}
    stage_file.write_text(
        json.dumps({"workflow_id": "tell.cwl", "workflow_type": "cwl", "vault": "gocryptfs", "params": params})
    )
    planted.wfexs.ok("keys", "init", "--no-passphrase")
    # What is older than the staging is not looked at, and a busy machine takes its time before that begins.
    for path in (planted.source, stage_file):
        os.utime(path, (time.time() + 60, time.time() + 60))
    planted.wfexs.ok("run", planted.wfexs.ok("stage", stage_file)["id"])
    yield planted
    dissolve_all(home / "workdirs")


@pytest.fixture
def planted(planted_once: Planted, home: Path, wfexs: Command) -> Iterator[Planted]:
    for name in ("keys", "workdirs"):
        shutil.copytree(planted_once.home / name, home / name)
    yield replace(planted_once, home=home, wfexs=wfexs)
    dissolve_all(home / "workdirs")


@pytest.fixture
def few_places(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the home of the test, and sources, are looked at: a test machine's temporary folder may be large."""
    roots = (Root(name="home", path=planted.home), Root(name="sources", path=planted.sources))
    monkeypatch.setattr("wfexs_like.flow.audit.usual_roots", lambda *_: roots)


# A test machine's temporary folder may be large, and so may its user's home.
FEWER_PLACES = """
import os, pwd, sys
from pathlib import Path
from wfexs_like.audit.host import Root
from wfexs_like.flow import audit
usual = audit.usual_roots
large = {Path("/tmp"), Path(pwd.getpwuid(os.getuid()).pw_dir)}
audit.usual_roots = lambda *words: (
    *(one for one in usual(*words) if one.path not in large), Root(name="sources", path=Path(os.environ["SOURCES"]))
)
from wfexs_like.cli.main import entry
sys.exit(entry())
"""


def leaks(attestation: Attestation) -> set[tuple[str, str, str]]:
    return {(one.place.canary, one.place.kind, one.place.form) for one in attestation.leaks}


def paths_of(attestation: Attestation, judgement: str) -> set[Path]:
    return {one.place.path for one in attestation.hits if one.judgement == judgement}


def test_everything_that_was_planted_is_found_in_its_form_and_told_without_saying_it(
    planted: Planted, tmp_path: Path
) -> None:
    home = planted.home
    (home / "left").mkdir()
    texts = {name: a_canary(name) for name in ("clear", "hex", "gzip", "link", "var", "memory", "environ", "held")}
    texts |= {f"base64-{number}": a_canary(f"base64-{number}") for number in range(3)}
    (home / "left" / "clear").write_text(f"some words {texts['clear']} more")
    (home / "left" / "hex").write_text(texts["hex"].encode().hex())
    (home / "left" / "gzip").write_bytes(gzip.compress(b"words " * 1000 + texts["gzip"].encode()))
    for number in range(3):
        encoded = base64.b64encode(b"." * number + texts[f"base64-{number}"].encode() + b"!")
        (home / "left" / f"base64-{number}").write_bytes(encoded)
    (home / "left" / "link").symlink_to(f"/nowhere/{texts['link']}")
    during = datetime.fromisoformat(planted.wfexs.ok("show", planted.id)["runs"][0]["ended"]).timestamp() - 0.001
    (home / "outside").touch()
    os.utime(home / "outside", (during, during))
    named = a_canary("named")
    (home / "left" / f"of-{named}.txt").touch()
    inside = [planted.value, planted.content]
    listed = planted.canary_file(*texts.values(), named, *inside)
    report = tmp_path / "report.json"
    with (
        tempfile.NamedTemporaryFile(dir="/var/tmp", suffix=".audited") as var,
        tempfile.NamedTemporaryFile(dir="/dev/shm", suffix=".audited") as memory,
        tempfile.TemporaryFile(dir=tmp_path) as held,
    ):
        for stream, name in ((var, "var"), (memory, "memory"), (held, "held")):
            stream.write(texts[name].encode())
            stream.flush()
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=held, env={"SAID": texts["environ"]}
        )
        try:
            done = Command((sys.executable, "-P", "-c", FEWER_PLACES)).run(
                "--json", "audit", planted.id, "--canary-file", listed, "--report", report,
                "--except", planted.stage_folder, SOURCES=str(planted.sources),
            )  # fmt: skip
        finally:
            child.kill()
            child.communicate()

    assert done.returncode == 15, done.stderr
    told = json.loads(done.stdout)
    jsonschema.Draft202012Validator(schema_of("audit")).validate(told)
    assert json.loads(report.read_text()) == told
    assert report.stat().st_mode & 0o777 == 0o600
    number = {name: str(place) for place, name in enumerate([*texts, "named", "value", "content"], 1)}
    found: dict[str, set[tuple[str, str]]] = {}
    for one in told["hits"]:
        if one["judgement"] == "leak":
            found.setdefault(one["canary"], set()).add((one["kind"], one["form"]))
    of_child = {("unnamed", "clear")}
    assert found == {
        **{number[name]: {("content", "clear")} for name in ("clear", "var", "memory")},
        number["hex"]: {("content", "hex")},
        number["gzip"]: {("content", "gzip+clear")},
        **{number[f"base64-{one}"]: {("content", "base64")} for one in range(3)},
        number["link"]: {("link", "clear")},
        number["named"]: {("name", "clear")},
        number["environ"]: {("environment", "clear")},
        number["held"]: of_child,
    }
    judged = {(one["canary"], one["judgement"], one["path"]) for one in told["hits"]}
    assert (number["content"], "source", str(planted.source)) in judged
    assert (number["value"], "excepted", str(planted.stage_folder / "tell.wfex.stage")) in judged
    assert (number["clear"], "asked", str(listed)) in judged
    secrets = [*texts.values(), named, *inside]
    assert not [one for one in secrets if one in done.stdout + done.stderr + report.read_text()]
    assert any(one["path"].endswith(f"/left/of-[canary {number['named']}].txt") for one in told["hits"])
    # Nothing of it is in the vault's own folder.
    assert not [one for one in told["hits"] if one["path"].startswith(str(planted.root))]
    (run,) = told["written"]
    assert run["run"] == 1
    assert {"path": str(home / "outside"), "kind": "file"} in run["paths"]


@pytest.mark.usefixtures("few_places")
def test_nothing_is_found_where_nothing_leaked(planted: Planted) -> None:
    wish = AuditWish(canaries=(planted.value, planted.content), excepted=(planted.stage_folder,))

    attestation = planted.session().audit(planted.id, wish)

    assert attestation.clean, attestation.leaks
    assert attestation.opened
    assert paths_of(attestation, "source") == {planted.source}
    assert not (planted.root / "work" / "stage.lock.json").exists()


@pytest.mark.usefixtures("few_places")
def test_what_is_written_below_the_bare_mount_point_is_outside_of_the_vault(planted: Planted) -> None:
    from wfexs_like.vault.mounts import protect, unprotect

    unprotect(planted.root / "work")
    (planted.root / "work" / "stray").write_text(planted.value)
    protect(planted.root / "work")

    attestation = planted.session().audit(
        planted.id, AuditWish(canaries=(planted.value,), excepted=(planted.stage_folder,))
    )

    assert paths_of(attestation, "leak") == {planted.root / "work" / "stray"}
    assert not attestation.opened


@pytest.mark.usefixtures("few_places")
def test_names_and_values_of_the_directory_are_looked_for_when_asked(planted: Planted) -> None:
    (planted.home / "note").write_text(f"{planted.value} told-by-the-patients.txt")

    attestation = planted.session().audit(
        planted.id, AuditWish(own=True, excepted=(planted.stage_folder, planted.source.parent))
    )

    assert {name.split()[0] for name, _, _ in leaks(attestation)} == {"value", "name"}
    assert paths_of(attestation, "leak") == {planted.home / "note"}
    # Digests of what can be guessed would tell it.
    assert attestation.as_json()["canaries"] == []
    assert attestation.own is not None and attestation.own["values"] >= 1
    assert planted.value not in json.dumps(attestation.as_json())


@pytest.mark.usefixtures("few_places")
def test_without_its_key_it_is_searched_for_all_the_same_and_that_is_told(planted: Planted) -> None:
    (planted.home / "note").write_text(planted.value)
    for key in (planted.home / "keys").iterdir():
        key.rename(planted.home / f"away-{key.name}")

    attestation = planted.session().audit(planted.id, AuditWish(canaries=(planted.value,)))

    assert planted.home / "note" in paths_of(attestation, "leak")
    assert attestation.as_json()["written"] is None
    with pytest.raises(KeyAccessError):
        planted.session().audit(planted.id, AuditWish(own=True))


@pytest.mark.usefixtures("few_places")
def test_an_open_vault_is_not_looked_into(planted: Planted) -> None:
    session = planted.session()
    session.mount(planted.id)
    try:
        assert (planted.root / "work" / "stage.lock.json").exists()
        attestation = session.audit(planted.id, AuditWish(canaries=(planted.value,), excepted=(planted.stage_folder,)))
    finally:
        session.unmount(planted.id)
    assert attestation.clean, attestation.leaks


@pytest.mark.usefixtures("few_places")
def test_what_changed_since_staging_began_is_looked_at_though_the_directory_is_dated_later(planted: Planted) -> None:
    (planted.home / "note").write_text(planted.value)
    stated = json.loads((planted.root / "workdir.json").read_text())
    stated["created"] = "2999-01-01T00:00:00.000000+00:00"
    (planted.root / "workdir.json").write_text(json.dumps(stated))

    attestation = planted.session().audit(planted.id, AuditWish(canaries=(planted.value,)))

    assert planted.home / "note" in paths_of(attestation, "leak")
    made = (planted.root / "vault" / "data" / "gocryptfs.conf").stat().st_mtime
    assert made - 4 < datetime.fromisoformat(attestation.since).timestamp() < made


@pytest.mark.usefixtures("few_places")
def test_a_canary_of_the_command_line_is_no_leak_in_those_who_started_us(planted: Planted) -> None:
    code = f"""
import os, sys
from wfexs_like.flow import audit
judge = audit._Judge(audit.AuditWish(canaries=("{planted.value}",), typed=True), ())
from wfexs_like.audit.places import Place
from pathlib import Path
place = Place(path=Path(f"/proc/{{os.getppid()}}/cmdline"), kind="arguments", offset=0, form="clear", canary="1")
print(judge.of(place))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "asked"


def has_open(process: int, path: Path) -> bool:
    """Whether a process reads a file at this moment."""
    found = []
    for one in Path(f"/proc/{process}/fd").glob("*"):
        with contextlib.suppress(FileNotFoundError):
            found.append(one.readlink())
    return path in found


def test_one_that_is_killed_or_interrupted_leaves_no_report(planted: Planted, tmp_path: Path) -> None:
    large = planted.home / "large"
    with large.open("wb") as stream:
        for _ in range(512):
            stream.write(b"\0" * (1 << 20))
    listed = planted.canary_file(planted.value)
    for number, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130), (signal.SIGTERM, 143)):
        folder = tmp_path / number.name
        folder.mkdir()
        argv = [*planted.wfexs.argv, "audit", planted.id, "--canary-file", listed, "--report", folder / "report.json"]
        going = subprocess.Popen(list(map(str, argv)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while not has_open(going.pid, large):
            assert going.poll() is None
            time.sleep(0.001)
        going.send_signal(number)
        _, words = going.communicate(timeout=30)
        assert going.returncode == code, words
        assert "Traceback" not in words
        assert list(folder.iterdir()) == []


def test_a_report_that_is_there_is_not_overwritten_and_nothing_to_look_for_is_a_slip(
    planted: Planted, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    report.write_text("an old one")
    listed = planted.canary_file(planted.value)

    def refusal(*words: str | Path, **more: Any) -> dict[str, Any]:
        done = planted.wfexs.run("--json", "audit", planted.id, *words, **more)
        assert done.returncode == 2
        error = json.loads(done.stdout)["error"]
        assert isinstance(error, dict)
        return error

    assert "already" in refusal("--canary-file", listed, "--report", report)["message"]
    assert report.read_text() == "an old one"
    assert "nothing to look for" in refusal()["message"]
    (tmp_path / "short").write_text("short\n")
    told = refusal("--canary-file", tmp_path / "short")
    assert "too short" in told["message"]
    with pytest.raises(UsageError):
        AuditWish()
    assert issubclass(InterruptedByUser, Exception)
