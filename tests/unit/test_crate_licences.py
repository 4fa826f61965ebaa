"""A licence is one that exists, or an address."""

from __future__ import annotations

import pytest

from staging.errors import UsageError
from wfexs_like.crate.licences import check_licence, licence_url


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("MIT", "MIT"),
        ("apache-2.0", "Apache-2.0"),
        (" CC-BY-4.0 ", "CC-BY-4.0"),
        ("https://example.org/licence", "https://example.org/licence"),
        ("MIT OR Apache-2.0", "MIT OR Apache-2.0"),
        ("LicenseRef-ours", "LicenseRef-ours"),
    ],
)
def test_a_licence_that_exists_is_taken_as_the_list_spells_it(asked: str, meant: str) -> None:
    assert check_licence(asked) == meant


@pytest.mark.parametrize(
    ("asked", "hint"),
    [("bogus", "spdx.org"), ("Apache2.0", "Apache-2.0"), ("GPL-3", "GPL-3.0"), ("MIT OR bogus", "spdx.org"), ("", "")],
)
def test_any_other_is_refused_with_those_that_may_be_meant(asked: str, hint: str) -> None:
    with pytest.raises(UsageError, match="no licence") as caught:
        check_licence(asked)
    assert caught.value.exit_code == 2
    assert hint in str(caught.value.hint)


def test_only_an_identifier_that_exists_becomes_an_address() -> None:
    assert licence_url("mit") == "https://spdx.org/licenses/MIT"
    assert licence_url("https://example.org/l") == "https://example.org/l"
    assert licence_url("bogus") is None
    assert licence_url("MIT OR Apache-2.0") is None
