"""Credentials for registries: where they are found, whom they belong to, and who else may see them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from staging.errors import ContainerError, DefinitionError, PolicyError
from staging.images.credentials import find_credential

Environment = dict[str, str]


def _auth(user: str = "me", password: str = "open:sesame") -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Any], Path]:
    def write(name: str, record: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(record if isinstance(record, str) else json.dumps(record))
        path.chmod(0o600)
        return path

    return write


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return {"HOME": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}


Write = Callable[[str, Any], Path]


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        (".docker/config.json", {}),
        ("elsewhere/config.json", {"DOCKER_CONFIG": "elsewhere"}),
        (".config/containers/auth.json", {}),
        ("run/containers/auth.json", {"XDG_RUNTIME_DIR": "run"}),
        ("my-auth.json", {"REGISTRY_AUTH_FILE": "my-auth.json"}),
    ],
)
def test_every_usual_place_is_looked_at(
    tmp_path: Path, write: Write, environment: Environment, name: str, variables: Environment
) -> None:
    path = write(name, {"auths": {"quay.io": {"auth": _auth()}}})
    environment |= {key: str(tmp_path / value) for key, value in variables.items()}

    found = find_credential("quay.io", "a/b", environment)

    assert found is not None
    assert (found.username, found.password, found.origin) == ("me", "open:sesame", str(path))
    assert "sesame" not in repr(found)
    assert find_credential("quay.io.evil.example", "a/b", environment) is None
    assert find_credential("evil.example", "quay.io/b", environment) is None


@pytest.mark.parametrize(
    ("key", "image", "fits"),
    [
        ("https://index.docker.io/v1/", "docker.io/library/a", True),
        ("docker.io", "docker.io/library/a", True),
        ("https://quay.io", "quay.io/a", True),
        ("quay.io/group", "quay.io/group/a", True),
        ("quay.io/group/a", "quay.io/group/a", True),
        ("quay.io/group", "quay.io/groups/a", False),
        ("quay.io:443", "quay.io/a", False),
        ("quay.io", "quay.io:5000/a", False),
    ],
)
def test_a_key_stands_for_its_host_and_what_is_below(
    write: Write, environment: Environment, key: str, image: str, fits: bool
) -> None:
    write(".docker/config.json", {"auths": {key: {"auth": _auth()}}})
    host, _, repository = image.partition("/")

    assert (find_credential(host, repository, environment) is not None) is fits


def test_the_most_exact_key_wins(write: Write, environment: Environment) -> None:
    write(".docker/config.json", {"auths": {"q.io": {"auth": _auth("all")}, "q.io/a": {"auth": _auth("one")}}})

    found = [find_credential("q.io", name, environment) for name in ("a/b", "c")]

    assert [one.username for one in found if one is not None] == ["one", "all"]


def test_our_own_file_comes_first(write: Write, environment: Environment) -> None:
    write(".docker/config.json", {"auths": {"q.io": {"auth": _auth("docker")}}})
    path = write(
        "own.yaml", yaml.safe_dump({"docker://q.io": {"username": "own", "password": "x"}, "lab": {"token": "y"}})
    )
    environment["WFEXS_LIKE_CREDENTIALS"] = str(path)

    own, docker = find_credential("q.io", "a", environment), find_credential("r.io", "a", environment)

    assert own is not None and own.username == "own"
    assert docker is None


def test_a_token_of_ours_is_a_bearer_token(write: Write, environment: Environment) -> None:
    environment["WFEXS_LIKE_CREDENTIALS"] = str(write("own.yaml", "q.io: {token: abc}\n"))

    found = find_credential("q.io", "a", environment)

    assert found is not None and found.token == "abc" and found.basic is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_our_own_file_that_others_may_read_is_refused(write: Write, environment: Environment, mode: int) -> None:
    path = write("own.yaml", "q.io: {token: abc}\n")
    environment["WFEXS_LIKE_CREDENTIALS"] = str(path)
    path.chmod(mode)

    with pytest.raises(PolicyError, match="open to others"):
        find_credential("q.io", "a", environment)
    assert find_credential("r.io", "a", environment) is None, "there is no secret of that host in it"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o604])
def test_of_dockers_file_it_is_told_that_others_may_read_it(write: Write, environment: Environment, mode: int) -> None:
    path = write(".docker/config.json", {"auths": {"q.io": {"auth": _auth()}}})
    path.chmod(mode)

    found = find_credential("q.io", "a", environment)

    assert found is not None and found.basic is not None
    assert (found.warning is None) if mode == 0o600 else (f"mode {mode:o}" in str(found.warning))


def test_a_helper_is_asked_once(tmp_path: Path, write: Write, environment: Environment) -> None:
    write(".docker/config.json", {"credsStore": "tests"})
    _helper(tmp_path, f'echo asked >>{tmp_path}/asked; printf \'{{"Username": "u", "Secret": "s"}}\'')

    for repository in ("a", "b", "a"):
        assert find_credential("quay.io", repository, environment) is not None

    assert (tmp_path / "asked").read_text() == "asked\n"


@pytest.mark.parametrize(
    "record",
    [
        "{",
        "[]",
        {"auths": {"q.io": {"auth": "!!"}}},
        {"auths": {"q.io": {"auth": base64.b64encode(b"nocolon").decode()}}},
        {"auths": {"q.io": {"username": "me"}}},
        {"credHelpers": {"q.io": "../../bin/sh"}},
        {"credsStore": 1},
    ],
)
def test_what_makes_no_sense_is_told_with_its_file(write: Write, environment: Environment, record: Any) -> None:
    path = write(".docker/config.json", record)

    with pytest.raises(DefinitionError) as caught:
        find_credential("q.io", "a", environment)

    assert str(path) in caught.value.message


@pytest.mark.parametrize(
    "text", ["q.io: [", "- a\n", "q.io: 1\n", "q.io: {username: me}\n", "q.io: {username: a, password: b, token: c}"]
)
def test_a_credentials_file_without_sense_is_told_without_its_secrets(
    write: Write, environment: Environment, text: str
) -> None:
    environment["WFEXS_LIKE_CREDENTIALS"] = str(write("own.yaml", text + "# hunter2"))

    with pytest.raises(DefinitionError) as caught:
        find_credential("q.io", "a", environment)

    assert "hunter2" not in caught.value.message


def _helper(tmp_path: Path, script: str) -> None:
    path = tmp_path / "docker-credential-tests"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_the_store_is_asked_for_its_host(tmp_path: Path, write: Write, environment: Environment) -> None:
    write(".docker/config.json", {"credsStore": "tests"})
    _helper(tmp_path, 'read host; printf \'{"Username": "%s", "Secret": "s"}\' "$host"')

    for host, asked in (("quay.io", "quay.io"), ("docker.io", "https://index.docker.io/v1/")):
        found = find_credential(host, "a", environment)
        assert found is not None and found.username == asked


def test_a_store_without_that_host_has_none(tmp_path: Path, write: Write, environment: Environment) -> None:
    write(".docker/config.json", {"credsStore": "tests"})
    _helper(tmp_path, "echo credentials not found in native keychain; exit 1")

    assert find_credential("quay.io", "a", environment) is None


@pytest.mark.parametrize(
    "script", ["exit 3", "echo secret-but-no-json", 'echo \'{"Username": "<token>", "Secret": "s"}\'']
)
def test_a_helper_that_fails_is_named_and_its_words_kept_back(
    tmp_path: Path, write: Write, environment: Environment, script: str
) -> None:
    write(".docker/config.json", {"credHelpers": {"quay.io": "tests"}})
    _helper(tmp_path, script)

    with pytest.raises(ContainerError) as caught:
        find_credential("quay.io", "a", environment)

    assert "secret-but-no-json" not in caught.value.message


def test_a_helper_that_is_not_there_is_named(write: Write, environment: Environment) -> None:
    write(".docker/config.json", {"credHelpers": {"quay.io": "absent"}})

    with pytest.raises(ContainerError, match="docker-credential-absent"):
        find_credential("quay.io", "a", environment)
    assert find_credential("other.io", "a", environment) is None
