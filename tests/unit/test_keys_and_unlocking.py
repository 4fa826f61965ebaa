"""``keys``, and keys that are opened: what is made, told and refused, and who is asked for a passphrase, and when."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest

from staging.errors import KeyAccessError, NotFoundError, PolicyError
from wfexs_like.cli.context import App
from wfexs_like.cli.main import main
from wfexs_like.cli.options import settle_sign
from wfexs_like.keys import KeyFiles, encode_pair, read_private
from wfexs_like.schemas import schema_of
from wfexs_like.seal.ssh_keys import SigningKeyFiles
from wfexs_like.settings import Settings
from wfexs_like.unlocking import Passphrases, needs_passphrase, unlock, unlock_signer, unlock_with


class Told(NamedTuple):
    code: int
    object: dict[str, Any]


def keys(*argv: str, **environment: str) -> Told:
    out = io.StringIO()
    app = App(environment={**os.environ, **environment}, stdout=out, stderr=io.StringIO(), stdin=io.StringIO())
    code = main(["keys", *argv, "--json"], app)
    told = json.loads(out.getvalue())
    if code == 0:
        jsonschema.Draft202012Validator(schema_of(f"keys-{argv[0]}")).validate(told)
    return Told(code, told)


def settings() -> Settings:
    return Settings.load(os.environ)


@pytest.fixture
def secret(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "secret").write_text("correct horse\n")
    return {"WFEXS_LIKE_PASSPHRASE_FILE": str(tmp_path / "secret")}


def test_both_pairs_are_made_and_can_be_mailed(home: Path) -> None:
    made = keys("init", "--no-passphrase")
    assert made.code == 0
    assert len(made.object["created"]) == 4
    assert not (home / "config.toml").exists()
    sealing, signing = made.object["keys"]
    for one in (sealing, signing):
        assert Path(one["private"]).stat().st_mode & 0o777 == 0o600
        assert (one["passphrase"], one["loose"], one["problem"]) == (False, False, None)
    told = subprocess.run(["ssh-keygen", "-l", "-f", signing["public"]], capture_output=True, text=True, check=True)
    assert signing["fingerprint"] in told.stdout
    exported = {one["use"]: one["public_key"] for one in keys("export").object["keys"]}
    assert exported == {"sealing": Path(sealing["public"]).read_text(), "signing": Path(signing["public"]).read_text()}
    assert [one["use"] for one in keys("export", "--use", "signing").object["keys"]] == ["signing"]


def test_what_is_missing_is_added_and_what_is_there_stays(home: Path) -> None:
    assert main(["init", "--no-passphrase"], App(stdout=io.StringIO(), stderr=io.StringIO())) == 0
    signing = SigningKeyFiles.below(home / "keys")
    for path in (signing.private, signing.public):
        path.unlink()
    before = {path: path.read_bytes() for path in (home / "keys").iterdir()}
    made = keys("init", "--no-passphrase")
    assert made.object["created"] == [str(signing.private), str(signing.public)]
    assert {path: path.read_bytes() for path in before} == before
    assert keys("init", "--no-passphrase").object["created"] == []


def test_half_a_pair_is_never_made_whole(home: Path) -> None:
    keys("init", "--no-passphrase")
    KeyFiles.below(home / "keys").public.unlink()
    refused = keys("init", "--no-passphrase")
    assert refused.code == 14
    assert str(KeyFiles.below(home / "keys").public) in refused.object["error"]["message"]


def test_the_list_tells_of_passphrases_loose_keys_and_missing_ones(home: Path, secret: dict[str, str]) -> None:
    assert [one["problem"] is not None for one in keys("list").object["keys"]] == [True, True]
    assert keys("export").code == 10
    keys("init", **secret)
    assert [one["passphrase"] for one in keys("list").object["keys"]] == [True, True]
    KeyFiles.below(home / "keys").private.chmod(0o604)
    sealing, signing = keys("list").object["keys"]
    assert (sealing["loose"], signing["loose"]) == (True, False)
    assert "chmod 600" in sealing["problem"]


def test_one_passphrase_opens_both_and_a_descriptor_is_read_once(home: Path, secret: dict[str, str]) -> None:
    keys("init", **secret)
    reading, writing = os.pipe()
    os.write(writing, b"correct horse\n")
    os.close(writing)
    passphrases = Passphrases({"WFEXS_LIKE_PASSPHRASE_FD": str(reading)}, None)
    opened = unlock_with(settings(), passphrases)
    assert opened == read_private(KeyFiles.below(home / "keys").private, "correct horse")
    signer = unlock_signer(settings(), passphrases)
    assert signer.public.line == SigningKeyFiles.below(home / "keys").public.read_text().strip()


def test_nobody_is_asked_for_the_passphrase_of_a_key_that_has_none(home: Path) -> None:
    keys("init", "--no-passphrase")
    environment = {"WFEXS_LIKE_PASSPHRASE_FILE": "/nonexistent"}
    assert len(unlock(settings(), environment, None)) == 32
    assert unlock_signer(settings(), Passphrases(environment, None))


def test_a_missing_passphrase_and_a_wrong_one_are_exit_code_12(home: Path, secret: dict[str, str]) -> None:
    keys("init", **secret)
    Path(secret["WFEXS_LIKE_PASSPHRASE_FILE"]).write_text("wrong")
    for environment in ({}, secret):
        with pytest.raises(KeyAccessError) as refused:
            unlock(settings(), environment, None)
        assert refused.value.exit_code == 12
        assert refused.value.hint
        with pytest.raises(KeyAccessError):
            unlock_signer(settings(), Passphrases(environment, None))


def test_a_person_is_asked_again_only_for_a_key_of_another_passphrase(tmp_path: Path, home: Path) -> None:
    for name, passphrase in (("a", "one"), ("b", "one"), ("c", "two")):
        (tmp_path / name).write_bytes(encode_pair(passphrase)[0])
        (tmp_path / name).chmod(0o600)
    asked: list[str] = []
    answers = iter(["one", "two"])

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return next(answers)

    passphrases = Passphrases({}, ask)
    for name in "abc":
        unlock_with(settings(), passphrases, key=tmp_path / name)
    assert [prompt.split("/")[-1] for prompt in asked] == ["a: ", "c: "]


def test_a_loose_or_missing_key_is_refused_before_anybody_is_asked(home: Path, secret: dict[str, str]) -> None:
    def ask(_prompt: str) -> str:
        raise AssertionError("asked")

    with pytest.raises(NotFoundError, match="no private key"):
        unlock(settings(), {}, ask)
    keys("init", **secret)
    for path in (KeyFiles.below(home / "keys").private, SigningKeyFiles.below(home / "keys").private):
        path.chmod(0o644)
    with pytest.raises(PolicyError):
        unlock(settings(), {}, ask)
    with pytest.raises(PolicyError):
        unlock_signer(settings(), Passphrases({}, ask))


def test_a_public_key_in_the_place_of_a_private_one_is_called_that_and_not_loose(home: Path) -> None:
    keys("init", "--no-passphrase")
    for path in (KeyFiles.below(home / "keys").public, SigningKeyFiles.below(home / "keys").public):
        with pytest.raises(KeyAccessError, match="is a public key, and a private one is asked for"):
            unlock_with(settings(), Passphrases({}, None), key=path)


def test_what_closes_a_loose_key_can_be_pasted_whatever_its_folder_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "Adas Schlüssel"
    folder.mkdir()
    private = folder / "my key"
    private.write_bytes(encode_pair(None)[0])
    private.chmod(0o644)
    with pytest.raises(PolicyError) as refused:
        unlock_with(settings(), Passphrases({}, None), key=private)
    assert subprocess.run(["sh", "-c", refused.value.hint or "false"], check=False).returncode == 0
    assert len(unlock_with(settings(), Passphrases({}, None), key=private)) == 32


def test_an_ssh_key_tells_whether_it_is_locked(tmp_path: Path) -> None:
    for passphrase in ("", "correct horse"):
        path = tmp_path / f"id{len(passphrase)}"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", path], check=True)
        assert needs_passphrase(path) is bool(passphrase)
        assert len(unlock(settings(), {}, lambda _prompt, text=passphrase: text, key=path)) == 32


def test_what_follows_sign_is_its_value_only_when_it_is_a_key(tmp_path: Path) -> None:
    private, other = tmp_path / "id", tmp_path / "other"
    private.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    other.write_text("nickname: demo\n")
    (tmp_path / "folder").mkdir()
    assert settle_sign(["last", "--sign", str(private), "out"]) == ["last", f"--sign={private}", "out"]
    for word in (str(other), str(tmp_path / "folder"), "out.zip", "last", "--json", "a\0b"):
        assert settle_sign(["--sign", word]) == ["--sign=", word]
    assert settle_sign(["last", "out", "--sign"]) == ["last", "out", "--sign="]
    assert settle_sign(["--", "--sign", str(private)]) == ["--", "--sign", str(private)]
    assert settle_sign(["--sign=key"]) == ["--sign=key"]
