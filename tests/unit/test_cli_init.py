"""``init``: keys that others can use, that nobody else can read, and that are never overwritten."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staging.errors import KeyAccessError, NotFoundError, PolicyError, UsageError
from wfexs_like.cli.context import App
from wfexs_like.cli.main import main
from wfexs_like.initialise import toml_text
from wfexs_like.keys import KeyFiles, encode_pair, read_private, read_public
from wfexs_like.passphrase import find_passphrase
from wfexs_like.settings import Settings

PROGRAM = str(Path(sys.executable).with_name("wfexs-like"))


def init(*argv: str, **more: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **more.pop("environment", {})}
    return subprocess.run(
        [PROGRAM, "init", *argv],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        **more,
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_pair_and_a_config_are_made_with_modes_that_keep_the_secret(home: Path) -> None:
    done = init("--no-passphrase", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    files = KeyFiles.below(home / "keys")
    assert told["keys"] == {"private": str(files.private), "public": str(files.public)}
    assert (mode(files.private), mode(files.public), mode(home / "keys")) == (0o600, 0o644, 0o700)
    assert mode(home / "config.toml") == 0o600
    assert told["encrypted"] is False
    assert told["public_key"] in files.public.read_text()
    assert sorted(path.name for path in (home / "keys").iterdir()) == [
        "wfexs-like-signing",
        "wfexs-like-signing.pub",
        "wfexs-like.pub",
        "wfexs-like.sec",
    ]


def test_a_loose_umask_makes_nothing_loose(home: Path) -> None:
    script = f"umask 000; exec {PROGRAM} init --no-passphrase"
    subprocess.run(["sh", "-c", script], check=True, capture_output=True)
    assert mode(home / "keys" / "wfexs-like.sec") == 0o600


def test_the_pair_belongs_together_and_the_reference_library_reads_it(tmp_path: Path, home: Path) -> None:
    from crypt4gh import sodium
    from crypt4gh.keys import get_private_key, get_public_key

    secret = tmp_path / "secret"
    secret.write_text("correct horse\n")
    done = init(environment={"WFEXS_LIKE_PASSPHRASE_FILE": str(secret)})
    assert done.returncode == 0, done.stderr
    files = KeyFiles.below(home / "keys")
    private = bytes(get_private_key(str(files.private), lambda: "correct horse"))
    public = bytes(get_public_key(str(files.public)))
    assert bytes(sodium.derive_pk(private)) == public
    assert read_private(files.private, "correct horse") == private
    assert read_public(files.public) == public


def test_the_private_key_is_not_in_the_file_in_clear_and_a_wrong_passphrase_is_exit_code_12(tmp_path: Path) -> None:
    private, _ = encode_pair("correct horse")
    path = tmp_path / "k.sec"
    path.write_bytes(private)
    path.chmod(0o600)
    secret = read_private(path, "correct horse")
    import base64

    assert secret not in base64.b64decode(b"".join(private.splitlines()[1:-1]))
    for wrong in ("correct horse ", "", None):
        with pytest.raises(KeyAccessError) as refused:
            read_private(path, wrong)
        assert refused.value.exit_code == 12


def test_a_wrong_passphrase_prints_nothing_of_the_library_s_own(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    private, _ = encode_pair("right")
    path = tmp_path / "k.sec"
    path.write_bytes(private)
    path.chmod(0o600)
    with pytest.raises(KeyAccessError):
        read_private(path, "wrong")
    assert capfd.readouterr() == ("", "")


def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "k.sec"
    path.write_bytes(encode_pair(None)[0])
    path.chmod(0o640)
    with pytest.raises(PolicyError, match="read by others"):
        read_private(path, None)


def test_a_pipe_and_the_other_half_are_no_private_keys(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", mode=0o600)
    with pytest.raises(PolicyError, match="not a file"):
        read_private(tmp_path / "pipe", None)
    (tmp_path / "k.pub").write_bytes(encode_pair(None)[1])
    with pytest.raises(KeyAccessError, match="is a public key"):
        read_private(tmp_path / "k.pub", None)


@pytest.mark.parametrize("text", [b"", b"nonsense", b"-----BEGIN CRYPT4GH PUBLIC KEY-----\nYQ==\n-----END-----\n"])
def test_what_is_no_key_is_told_to_be_none(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(KeyAccessError):
        read_public(path)
    with pytest.raises(KeyAccessError):
        read_private(path, None)
    with pytest.raises(NotFoundError):
        read_public(tmp_path / "none")
    with pytest.raises(NotFoundError):
        read_private(tmp_path / "none", None)


def test_the_library_never_logs_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    import logging

    caplog.set_level(logging.DEBUG)
    encode_pair("correct horse")
    assert not [record for record in caplog.records if record.name.startswith("crypt4gh")]


def test_keys_are_never_overwritten(home: Path) -> None:
    assert init("--no-passphrase").returncode == 0
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    again = init("--no-passphrase", "--json")
    assert again.returncode == 14
    assert "never overwritten" in json.loads(again.stdout)["error"]["hint"]
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    (home / "keys" / "wfexs-like.sec").unlink()
    assert init("--no-passphrase").returncode == 14
    assert {path.name for path in (home / "keys").iterdir()} == {
        "wfexs-like.pub",
        "wfexs-like-signing",
        "wfexs-like-signing.pub",
    }


def test_a_config_that_is_there_stays_as_it_is(home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text("jobs = 3\n")
    assert init("--no-passphrase", "--name", "Ada").returncode == 2
    assert not (home / "keys").exists()
    assert init("--no-passphrase").returncode == 0
    assert (home / "config.toml").read_text() == "jobs = 3\n"


def test_a_key_folder_that_others_can_write_is_refused(home: Path) -> None:
    (home / "keys").mkdir(mode=0o777)
    (home / "keys").chmod(0o777)
    assert init("--no-passphrase").returncode == 14
    assert not list((home / "keys").iterdir())


def test_without_a_terminal_and_a_source_it_says_what_to_set(home: Path) -> None:
    done = init("--json")
    assert done.returncode == 2
    assert "WFEXS_LIKE_PASSPHRASE_FILE" in json.loads(done.stdout)["error"]["hint"]
    assert not (home / "keys").exists()


def test_a_name_of_any_letters_comes_back_from_the_config_as_it_was(home: Path) -> None:
    name = 'Ada "the" \\ Löve\x7f\n🧬'
    done = init("--no-passphrase", "--name", name, "--orcid", "0000-0002-1825-0097", "--affiliation", "[x]")
    assert done.returncode == 0, done.stderr
    person = Settings.load({"HOME": "/h", "WFEXS_LIKE_CONFIG": str(home / "config.toml")}).person
    assert person is not None
    assert (person.name, person.affiliation) == (name, "[x]")
    assert person.orcid == "https://orcid.org/0000-0002-1825-0097"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_toml(text: str) -> None:
    assert tomllib.loads(f"a = {toml_text(text)}") == {"a": text}


def test_bytes_that_are_no_text_are_refused_as_a_name(home: Path) -> None:
    done = subprocess.run(
        [PROGRAM, "init", "--no-passphrase", "--name", b"\xff"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert not (home / "keys" / "wfexs-like.sec").exists()


@pytest.mark.parametrize(
    "argv", [["--orcid", "0000-0002-1825-0097"], ["--name", " "], ["--name", "Ada", "--orcid", "0000"]]
)
def test_half_a_person_is_refused_before_anything_is_made(home: Path, argv: list[str]) -> None:
    assert init("--no-passphrase", *argv).returncode == 2
    assert not (home / "keys").exists()


def test_places_named_at_init_are_kept_in_the_config(tmp_path: Path) -> None:
    config = tmp_path / "etc" / "mine.toml"
    done = subprocess.run(
        [PROGRAM, "--config", config, "--cache", tmp_path / "c", "init", "--no-passphrase"],
        env={**os.environ, "WFEXS_LIKE_KEYS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    settings = Settings.load({"HOME": "/h"}, config=str(config))
    assert settings.cache == tmp_path / "c"
    assert (tmp_path / "etc" / "keys" / "wfexs-like.sec").exists()


def test_an_unwritable_place_leaves_nothing_behind(home: Path) -> None:
    (home / "keys").write_text("a file in the way")
    done = init("--no-passphrase", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["message"].startswith("cannot write the config and keys")
    assert not (home / "config.toml").exists()


class Asked(io.StringIO):
    def isatty(self) -> bool:
        return True


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, *answers: str) -> int:
    given_answers = iter(answers)
    monkeypatch.setattr("getpass.getpass", lambda *_: next(given_answers))
    return main(["init"], App(stdin=Asked(), stdout=io.StringIO(), stderr=Asked()))


def test_at_a_terminal_the_passphrase_is_asked_twice(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert at_a_terminal(monkeypatch, "one", "two") == 2
    assert at_a_terminal(monkeypatch, "") == 12
    assert not (home / "keys").exists()
    assert at_a_terminal(monkeypatch, "one", "one") == 0
    assert read_private(home / "keys" / "wfexs-like.sec", "one")


def test_a_passphrase_comes_from_a_descriptor_a_file_or_a_command(tmp_path: Path) -> None:
    path = tmp_path / "p"
    path.write_text(" two words \r\n")
    assert find_passphrase({"WFEXS_LIKE_PASSPHRASE_FILE": str(path)}, None) == " two words "
    reading, writing = os.pipe()
    os.write(writing, b"piped\n")
    os.close(writing)
    assert find_passphrase({"WFEXS_LIKE_PASSPHRASE_FD": str(reading)}, None) == "piped"
    command = {"WFEXS_LIKE_PASSPHRASE_COMMAND": "printf '%s' 'from a command'", "PATH": os.environ["PATH"]}
    assert find_passphrase(command, None) == "from a command"
    assert find_passphrase({}, lambda: "typed") == "typed"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WFEXS_LIKE_PASSPHRASE_FD": "x"},
        {"WFEXS_LIKE_PASSPHRASE_FD": "987654"},
        {"WFEXS_LIKE_PASSPHRASE_FILE": "/no/such/file"},
        {"WFEXS_LIKE_PASSPHRASE_FILE": "/dev/zero"},
        {"WFEXS_LIKE_PASSPHRASE_COMMAND": "'"},
        {"WFEXS_LIKE_PASSPHRASE_COMMAND": " "},
        {"WFEXS_LIKE_PASSPHRASE_FD": "0", "WFEXS_LIKE_PASSPHRASE_FILE": "/dev/null"},
    ],
)
def test_a_source_that_gives_no_passphrase_is_a_usage_error(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        find_passphrase(environment, None)


def test_an_empty_passphrase_and_a_command_that_fails_are_refused_and_its_words_kept_secret() -> None:
    with pytest.raises(KeyAccessError, match="empty"):
        find_passphrase({"WFEXS_LIKE_PASSPHRASE_FILE": "/dev/null"}, None)
    failing = {"WFEXS_LIKE_PASSPHRASE_COMMAND": "sh -c 'echo secret >&2; exit 3'", "PATH": os.environ["PATH"]}
    with pytest.raises(KeyAccessError) as refused:
        find_passphrase(failing, None)
    assert "secret" not in str(refused.value.as_json()).replace("sh -c", "")
    with pytest.raises(KeyAccessError, match="WFEXS_LIKE_PASSPHRASE_COMMAND is not there: 'no-such-program'"):
        find_passphrase({**failing, "WFEXS_LIKE_PASSPHRASE_COMMAND": "no-such-program x"}, None)


def test_it_needs_no_network() -> None:
    """In an empty network namespace where the host lets us make one, and as it is elsewhere."""
    isolated = ["unshare", "--net"] if os.geteuid() == 0 else []
    done = subprocess.run([*isolated, PROGRAM, "init", "--no-passphrase"], capture_output=True, check=False)
    assert done.returncode == 0
