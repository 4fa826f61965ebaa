"""Where the images of a registry are to be had, and who is believed there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from staging.errors import DefinitionError
from staging.images.registries import Registries, is_loopback


def _registries(home: Path, **stated: object) -> Registries:
    return Registries({"HOME": str(home), "WFEXS_LIKE_REGISTRIES": json.dumps(stated)})


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.8.9.1", True),
        ("[::1]:5000", True),
        ("quay.io", False),
        ("localhost.evil.example:5000", False),
        ("127.0.0.1.evil.example", False),
        ("10.0.0.1:5000", False),
        ("[fe80::1]:5000", False),
    ],
)
def test_only_this_machine_may_be_spoken_to_plainly(tmp_path: Path, host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
    (endpoint,) = _registries(tmp_path).endpoints(host)
    assert endpoint.plain is expected
    assert not endpoint.trust.unverified


def test_dockers_hub_is_asked_at_its_own_address(tmp_path: Path) -> None:
    (endpoint,) = _registries(tmp_path).endpoints("docker.io")

    assert endpoint.address == "registry-1.docker.io" and endpoint.host == "docker.io"


def test_mirrors_come_in_their_order_with_their_own_settings(tmp_path: Path) -> None:
    stated = {
        "docker.io": {"mirrors": ["one.example:5000/hub/", "two.example"]},
        "one.example:5000": {"insecure": True},
    }

    one, two, hub = _registries(tmp_path, **stated).endpoints("docker.io")

    assert (one.host, one.repository("library/a"), one.plain, one.trust.unverified) == (
        "one.example:5000",
        "hub/library/a",
        True,
        True,
    )
    assert (two.host, two.repository("library/a"), two.plain) == ("two.example", "library/a", False)
    assert hub.host == "docker.io" and not hub.plain


def test_certificates_are_found_by_host(tmp_path: Path) -> None:
    folder = tmp_path / ".docker/certs.d/quay.io:5000"
    folder.mkdir(parents=True)
    for name in ("ca.crt", "client.cert", "client.key", "lonely.cert"):
        (folder / name).touch()

    (endpoint,) = _registries(tmp_path).endpoints("quay.io:5000")
    (other,) = _registries(tmp_path).endpoints("quay.io")

    assert endpoint.trust.ca == str(folder / "ca.crt")
    assert (endpoint.trust.certificate, endpoint.trust.key) == (str(folder / "client.cert"), str(folder / "client.key"))
    assert other.trust.ca is None


@pytest.mark.parametrize(
    "stated",
    [
        {"a.io": 1},
        {"a.io": {"mirror": []}},
        {"a.io": {"mirrors": "b.io"}},
        {"a.io": {"mirrors": [""]}},
        {"a.io": {"insecure": "yes"}},
        {"a.io": {"ca": "/none"}},
        {"a.io": {"ca": 1}},
    ],
)
def test_what_makes_no_sense_is_named(tmp_path: Path, stated: dict[str, object]) -> None:
    with pytest.raises(DefinitionError, match=r"registries\.a\.io"):
        _registries(tmp_path, **stated)
