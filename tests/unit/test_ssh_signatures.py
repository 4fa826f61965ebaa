"""SSH signatures, with OpenSSH itself as the judge of ours and as the maker of others'."""

from __future__ import annotations

import base64
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from staging.errors import KeyAccessError, NotFoundError, PolicyError
from wfexs_like.seal.naming import NAMESPACE
from wfexs_like.seal.signatures import SignatureError, sign_bytes, verify_bytes
from wfexs_like.seal.ssh_keys import PublicKey, Signer, encode_signing_pair, load_signer, parse_public_line
from wfexs_like.seal.trusted import read_trusted


def keygen(*argv: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["ssh-keygen", *map(str, argv)], input=stdin, capture_output=True, check=False)


def openssh_key(path: Path, *, kind: str = "ed25519", passphrase: str = "") -> Path:
    made = keygen("-q", "-t", kind, "-N", passphrase, "-C", "ada@example.org", "-f", path)
    assert made.returncode == 0, made.stderr
    return path


def own_key(path: Path, passphrase: str | None = None) -> Path:
    private, public = encode_signing_pair(passphrase, comment="wfexs-like@here")
    path.write_bytes(private)
    path.chmod(0o600)
    path.with_name(path.name + ".pub").write_bytes(public)
    return path


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return load_signer(openssh_key(tmp_path / "id"), None)


def judged(folder: Path, signer: Signer, content: bytes, signature: bytes, namespace: str = NAMESPACE) -> int:
    (folder / "sig").write_bytes(signature)
    (folder / "allowed").write_text(f"ada {signer.public.line}\n")
    argv = ["-Y", "verify", "-f", folder / "allowed", "-I", "ada", "-n", namespace, "-s", folder / "sig"]
    return keygen(*argv, stdin=content).returncode


def test_openssh_takes_our_signature_and_no_other_bytes(tmp_path: Path, signer: Signer) -> None:
    for content in (b"", b"x", b"a list\n" * 1000):
        signature = sign_bytes(content, signer)
        assert judged(tmp_path, signer, content, signature) == 0
        assert judged(tmp_path, signer, content + b"!", signature) != 0
    assert judged(tmp_path, signer, b"x", sign_bytes(b"x", signer), namespace="file") != 0


@pytest.mark.parametrize("hash_name", ["sha256", "sha512"])
def test_a_signature_of_openssh_is_read(tmp_path: Path, hash_name: str) -> None:
    key = openssh_key(tmp_path / "id")
    made = keygen("-Y", "sign", "-f", key, "-n", NAMESPACE, "-O", f"hashalg={hash_name}", stdin=b"content")
    told = verify_bytes(b"content", made.stdout)
    assert told == parse_public_line((tmp_path / "id.pub").read_text())
    assert told.fingerprint.encode() in keygen("-l", "-f", key).stdout
    with pytest.raises(SignatureError, match="not a signature of these bytes"):
        verify_bytes(b"Content", made.stdout)


def test_a_signature_for_something_else_is_none_of_a_crate(tmp_path: Path) -> None:
    made = keygen("-Y", "sign", "-f", openssh_key(tmp_path / "id"), "-n", "file", stdin=b"content")
    with pytest.raises(SignatureError, match="namespace is 'file'"):
        verify_bytes(b"content", made.stdout)


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_a_key_of_another_kind_is_told_and_not_taken(tmp_path: Path, kind: str) -> None:
    key = openssh_key(tmp_path / "id", kind=kind)
    made = keygen("-Y", "sign", "-f", key, "-n", NAMESPACE, stdin=b"content")
    with pytest.raises(SignatureError, match="can't be checked here"):
        verify_bytes(b"content", made.stdout)
    with pytest.raises(KeyAccessError, match="not an ed25519 key"):
        load_signer(key, None)


def test_openssh_opens_the_keys_that_we_make(tmp_path: Path) -> None:
    for passphrase in (None, "correct horse"):
        key = own_key(tmp_path / f"key-{passphrase}", passphrase)
        told = keygen("-y", "-P", passphrase or "", "-f", key)
        assert told.stdout.split()[:2] == key.with_name(key.name + ".pub").read_bytes().split()[:2]
        assert load_signer(key, passphrase).public.line == key.with_name(key.name + ".pub").read_text().strip()
    assert keygen("-y", "-P", "wrong", "-f", tmp_path / "key-correct horse").returncode != 0


def test_a_locked_key_of_openssh_opens_with_its_passphrase_alone(tmp_path: Path) -> None:
    key = openssh_key(tmp_path / "id", passphrase="correct horse")
    assert load_signer(key, "correct horse").public.comment == "ada@example.org"
    for wrong in ("Correct horse", "", None):
        with pytest.raises(KeyAccessError) as refused:
            load_signer(key, wrong)
        assert refused.value.exit_code == 12


def test_a_loose_key_a_missing_one_and_what_is_none_are_refused(tmp_path: Path) -> None:
    key = openssh_key(tmp_path / "id")
    key.chmod(0o640)
    with pytest.raises(PolicyError, match="can be read by others"):
        load_signer(key, None)
    with pytest.raises(NotFoundError):
        load_signer(tmp_path / "none", None)
    with pytest.raises(PolicyError, match="is not a file"):
        (tmp_path / "folder").mkdir()
        load_signer(tmp_path / "folder", None)
    for text in (b"", b"nonsense", (tmp_path / "id.pub").read_bytes(), key.read_bytes()[:120] + b"\n"):
        (tmp_path / "odd").write_bytes(text)
        (tmp_path / "odd").chmod(0o600)
        with pytest.raises(KeyAccessError, match=r"not an OpenSSH private key|is a public key"):
            load_signer(tmp_path / "odd", None)


def test_the_private_key_is_not_shown(signer: Signer) -> None:
    assert "private" not in repr(signer)


KEY = Ed25519PrivateKey.generate()
BLOB = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + KEY.public_key().public_bytes_raw()
SIGNED = sign_bytes(b"content", Signer(private=KEY, public=PublicKey(blob=BLOB)))


@given(st.data())
def test_no_byte_of_a_signature_can_be_changed(data: st.DataObject) -> None:
    blob = bytearray(base64.b64decode(b"".join(SIGNED.splitlines()[1:-1])))
    place = data.draw(st.integers(0, len(blob) - 1))
    blob[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SignatureError):
        verify_bytes(b"content", armoured(bytes(blob)))


def armoured(blob: bytes) -> bytes:
    return b"-----BEGIN SSH SIGNATURE-----\n" + base64.b64encode(blob) + b"\n-----END SSH SIGNATURE-----\n"


@given(st.binary(max_size=400) | st.binary(max_size=400).map(lambda blob: armoured(b"SSHSIG\0\0\0\1" + blob)))
def test_no_bytes_are_taken_for_a_signature_or_end_in_another_error(signature: bytes) -> None:
    with pytest.raises(SignatureError):
        verify_bytes(b"content", signature)


def test_who_is_trusted_is_a_fingerprint_a_key_or_a_list(tmp_path: Path, signer: Signer) -> None:
    other = load_signer(openssh_key(tmp_path / "other"), None).public
    line = signer.public.line
    for text in (line, f"# people\n\n{line}\n", f"ada@x,*@y {line}\n", f'ada namespaces="git,wfexs-*" {line}\n'):
        (tmp_path / "keys").write_text(text)
        trusted = read_trusted(str(tmp_path / "keys"))
        assert (trusted.knows(signer.public), trusted.knows(other)) == (True, False)
    for stated in (line, signer.public.fingerprint):
        assert read_trusted(stated).knows(signer.public)
    (tmp_path / "keys").write_text(f"bob {other.line}\nada {line}\n")
    assert read_trusted(str(tmp_path / "keys")).knows(signer.public)


def test_what_keys_export_prints_names_a_signer_although_it_has_both_keys(tmp_path: Path) -> None:
    sealing = "-----BEGIN CRYPT4GH PUBLIC KEY-----\ngiIM+MQRqR0CNA1SdrNml7IzcFOQMJNoBzyi0A5n3jA=\n"
    _, public = encode_signing_pair(None, comment="ada")
    (tmp_path / "ada.pub").write_text(f"{sealing}-----END CRYPT4GH PUBLIC KEY-----\n{public.decode()}")
    trusted = read_trusted(str(tmp_path / "ada.pub"))
    assert trusted.knows(parse_public_line(public.decode().strip()))
    (tmp_path / "sealing.pub").write_text(f"{sealing}-----END CRYPT4GH PUBLIC KEY-----\n")
    with pytest.raises(KeyAccessError):
        read_trusted(str(tmp_path / "sealing.pub"))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ('namespaces="git"', "namespaces"),
        ("cert-authority", "authority"),
        ('valid-after="20300101Z"', "not come"),
        ('valid-before="20200101"', "over"),
        ('namespaces="wfexs-like-crate",valid-before="202001011200Z"', "over"),
        ('namespaces="!wfexs-like-crate,*"', "namespaces"),
        ('namespaces="*,!wfexs-*"', "namespaces"),
        ('namespaces="[a-z]fexs-like-crate"', "namespaces"),
        ('namespaces="git",namespaces="wfexs-like-crate"', "twice"),
        ('valid-before="20200101",valid-before="20990101"', "twice"),
        ('namespaces="wfexs-like-crate",', "comma"),
    ],
)
def test_an_allowed_signer_who_may_not_sign_crates_now_is_not_trusted(
    tmp_path: Path, signer: Signer, options: str, reason: str
) -> None:
    (tmp_path / "allowed").write_text(f"ada {options} {signer.public.line}\n")
    with pytest.raises(KeyAccessError, match=reason):
        read_trusted(str(tmp_path / "allowed"), now=datetime(2026, 1, 1, tzinfo=UTC))
    assert judged_by(tmp_path, signer) != 0


def judged_by(folder: Path, signer: Signer) -> int:
    """What OpenSSH says of the same list of allowed signers."""
    (folder / "sig").write_bytes(sign_bytes(b"x", signer))
    argv = ["-Y", "verify", "-f", folder / "allowed", "-I", "ada", "-n", NAMESPACE, "-s", folder / "sig"]
    return keygen(*argv, "-O", "verify-time=20260101", stdin=b"x").returncode


def test_a_mark_of_other_lists_is_no_name(signer: Signer, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"@revoked {signer.public.line}\n")
    with pytest.raises(KeyAccessError, match="@revoked"):
        read_trusted(str(tmp_path / "keys"))


@pytest.mark.parametrize("text", ["nonsense", "ada", "ssh-ed25519 AAAA", "ada frob=1 ssh-ed25519 AAAA", "", "# none"])
def test_what_names_nobody_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(KeyAccessError):
        read_trusted(str(tmp_path / "keys"))
    with pytest.raises(NotFoundError):
        read_trusted(str(tmp_path / "none"))


def test_a_private_key_for_the_signer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyAccessError, match="private key"):
        read_trusted(str(openssh_key(tmp_path / "id")))
