"""What a crate says names neither this machine nor its users."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from wfexs_like.crate.discretion import Discretion, public_identifier, web_address

CONTENT = Path("/data/canary/workdirs/0a1b/work")


@pytest.fixture
def discretion(monkeypatch: pytest.MonkeyPatch) -> Discretion:
    monkeypatch.setenv("HOME", "/home/canary")
    monkeypatch.setattr(socket, "gethostname", lambda: "node17.example.net")
    return Discretion(CONTENT)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("cannot read /data/canary/workdirs/0a1b/work/inputs/x.txt", "cannot read inputs/x.txt"),
        ("file:///data/canary/workdirs/0a1b/work/inputs/a%20b", "inputs/a%20b"),
        ("cd /data/canary/workdirs/0a1b/work && ls", "cd . && ls"),
        ("/usr/local/bin/samtools: not found", "…/samtools: not found"),
        ("--tool=/opt/venv/bin/python", "--tool=…/python"),
        ("cc -I/usr/include/foo -L/usr/lib", "cc -I…/foo -L…/lib"),
        ("PATH=/usr/bin:/home/canary/bin", "PATH=…/bin:~/bin"),
        ("see https://example.org/a/b/c and /tmp/x/y", "see https://example.org/a/b/c and …/y"),
        ("runs/1/outputs/a.txt and ./a/b", "runs/1/outputs/a.txt and ./a/b"),
        ("on node17.example.net (node17)", "on [host] ([host])"),
        ("a / b, 1/2, </b></i>, s/x/y/", "a / b, 1/2, </b></i>, s/x/y/"),
        ("'/tmp/outdir/x.txt'", "'…/x.txt'"),
        ("file:///tmp/outdir/x.txt", "…/x.txt"),
        ("cat /dev/null /dev/nullx 2>/dev/stderr", "cat /dev/null …/nullx 2>/dev/stderr"),
    ],
)
def test_paths_become_relative_or_are_cut_down(discretion: Discretion, told: str, shown: str) -> None:
    assert discretion.text(told) == shown


def test_a_users_own_value_keeps_all_but_the_names_of_this_machine(discretion: Discretion) -> None:
    assert discretion.value("/usr/share/dict/words") == "/usr/share/dict/words"
    assert discretion.value("/home/canary/x") == "~/x"
    assert discretion.value("/home/canarybird/x") == "/home/canarybird/x"
    assert discretion.value("nothing special") == "nothing special"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("http://ada:pw@h/x and ftp://ada@h/y", "http://h/x and ftp://h/y"),
        ("get https://h/x?X-Amz-Signature=abc&a=1 now", "get https://h/x?… now"),
        ("get https://h/x?a=0123456789abcdef0123456789abcdef", "get https://h/x?…"),
        ("https://h/x?page=2&sort=name#part", "https://h/x?page=2&sort=name#part"),
        ("file:///mnt/ada/x.txt", "…/x.txt"),
        ("git+file:///mnt/ada/repo", "…/repo"),
        ("file:/mnt/ada/", "…/ada"),
        ("see file://node17.example.net/share/x", "see …/x"),
        ("/data/canary/workdirs/0a1b/workdir.json", "…/workdir.json"),
        ("a keyboard: and/or // 1/2 s/x/y/", "a keyboard: and/or // 1/2 s/x/y/"),
    ],
)
def test_credentials_and_file_uris_are_in_no_text(discretion: Discretion, told: str, shown: str) -> None:
    assert discretion.value(told) == shown
    assert discretion.text(told) == shown


def test_a_folder_whose_name_begins_alike_is_not_taken_for_the_working_directory(discretion: Discretion) -> None:
    assert discretion.value("/data/canary/workdirs/0a1b2/work/x") == "/data/canary/workdirs/0a1b2/work/x"
    assert discretion.value("/data/canary/workdirs/0a1b/work2/x") == "…/work2/x"


@pytest.mark.parametrize(
    ("identifier", "shown", "address"),
    [
        ("https://example.org/x?y=1", "https://example.org/x", "https://example.org/x"),
        ("https://example.org/x?download=1", "https://example.org/x?download=1", "https://example.org/x?download=1"),
        ("https://example.org/x?download=1&X-Amz-Signature=abc", "https://example.org/x", "https://example.org/x"),
        ("https://example.org/x#access_token=abc", "https://example.org/x", "https://example.org/x"),
        ("https://example.org/token=abc/x", None, None),
        ("s3://bucket/x?versionId=3", "s3://bucket/x?versionId=3", None),
        (
            "git+https://e.org/r.git?token=s@abc#subdirectory=x",
            "git+https://e.org/r.git#subdirectory=x",
            "https://e.org/r.git",
        ),
        ("https://ada:secret@example.org/x", None, None),
        ("file:///home/canary/x", None, None),
        ("data:,secret", None, None),
        ("inputs/x.txt", None, None),
        ("git+file:///home/canary/repo@abc", None, None),
        (
            "git+https://example.org/r.git@abc#subdirectory=x",
            "git+https://example.org/r.git@abc#subdirectory=x",
            "https://example.org/r.git",
        ),
        ("git+ssh://git@example.org/r.git@abc", "git+ssh://git@example.org/r.git@abc", None),
        ("git+ssh://ada@example.org/r.git@abc", None, None),
        (
            "github:ada/repo@v1#subdirectory=wf.cwl",
            "github:ada/repo@v1#subdirectory=wf.cwl",
            "https://github.com/ada/repo",
        ),
        ("doi:10.5281/zenodo.1", "doi:10.5281/zenodo.1", "https://doi.org/10.5281/zenodo.1"),
    ],
)
def test_only_identifiers_that_anybody_may_know_are_shown(
    identifier: str, shown: str | None, address: str | None
) -> None:
    assert public_identifier(identifier) == shown
    assert web_address(shown) == address
