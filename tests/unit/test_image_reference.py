"""Names of images: what docker would make of them, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staging.errors import DefinitionError
from staging.identifiers import Identifier, IdentifierError
from staging.images.reference import ImageReference

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("biocontainers/samtools:1", "docker.io/biocontainers/samtools:1"),
        ("index.docker.io/busybox", "docker.io/library/busybox:latest"),
        ("docker.io/library/busybox", "docker.io/library/busybox:latest"),
        ("quay.io/tools:1", "quay.io/tools:1"),
        ("quay.io/a/b/c/d:1", "quay.io/a/b/c/d:1"),
        ("localhost/tools", "localhost/tools:latest"),
        ("localhost:5000/tools", "localhost:5000/tools:latest"),
        ("127.0.0.1:5000/a/b:x", "127.0.0.1:5000/a/b:x"),
        ("[::1]:5000/a:x", "[::1]:5000/a:x"),
        ("registry:5000/a", "registry:5000/a:latest"),
        ("Registry/a", "registry/a:latest"),
        ("QUAY.io/a/b:X", "quay.io/a/b:X"),
        (f"a/b@sha256:{HEX}", f"docker.io/a/b@sha256:{HEX}"),
        (f"h.x:1/a/b/c:tag@sha256:{HEX}", f"h.x:1/a/b/c:tag@sha256:{HEX}"),
        ("docker://quay.io/a:1", "quay.io/a:1"),
        ("a__b/c---d.e_f:_x", "docker.io/a__b/c---d.e_f:_x"),
    ],
)
def test_a_reference_means_what_docker_makes_of_it(text: str, canonical: str) -> None:
    assert str(ImageReference.parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("quay.io/Tools:1", "lower case: tools"),
        ("Tools", "lower case"),
        (HEX, "id"),
        ("a:", "tag"),
        ("a:-x", "tag"),
        ("a:" + "x" * 129, "tag"),
        ("a@sha256:12", "64"),
        (f"a@sha256:{HEX.upper()}", "lower case"),
        (f"a@sha512:{HEX}", "sha256"),
        (f"a@{HEX}@x", "sha256"),
        ("quay.io/", "component"),
        ("quay.io//a", "component"),
        ("a/../b", "component"),
        ("a b", "component"),
        ("quay.io/-a", "component"),
        ("-x.io/a", "host"),
        ("host:port/a", "host"),
        ("quay.io/" + "a" * 260, "255"),
        ("user:secret@quay.io/a", ""),
        ("a\nb", "component"),
        ("https://quay.io/a", ""),
        ("a;rm -rf /", "component"),
    ],
)
def test_what_is_no_reference_is_refused_with_a_hint(text: str, words: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        ImageReference.parse(text)

    assert words in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.hint
    assert "\n" not in caught.value.message


component = st.from_regex(r"[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}", fullmatch=True)
hosts = st.one_of(
    st.just("docker.io"),
    st.just("localhost"),
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?\.[a-z]{2,5}(:[0-9]{1,5})?", fullmatch=True),
    st.from_regex(r"[a-z0-9]{1,8}:[0-9]{1,5}", fullmatch=True),
)
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
digests = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)


@st.composite
def references(draw: st.DrawFn) -> ImageReference:
    host = draw(hosts)
    parts = draw(st.lists(component, min_size=2 if host == "docker.io" else 1, max_size=4))
    tag, digest = draw(st.none() | tags), draw(st.none() | digests)
    if tag is None and digest is None:
        tag = "latest"
    return ImageReference(host=host, repository="/".join(parts), tag=tag, digest=digest)


@given(references(), st.sampled_from([None, "linux/amd64", "linux/arm/v7"]))
def test_a_reference_comes_back_from_its_text_and_its_identifier(reference: ImageReference, platform: str) -> None:
    assert ImageReference.parse(str(reference)) == reference
    identifier = Identifier.parse(str(reference.identifier(platform)))
    assert identifier == reference.identifier(platform)
    assert ImageReference.of_identifier(identifier) == (reference, platform)


@given(st.text(max_size=80))
def test_any_text_is_a_reference_or_a_sentence(text: str) -> None:
    try:
        reference = ImageReference.parse(text)
    except DefinitionError as error:
        assert error.message
    else:
        assert ImageReference.parse(str(reference)) == reference
        assert "//" not in str(reference) and ".." not in reference.repository


@pytest.mark.parametrize(
    "text",
    [
        "docker:busybox",
        "docker:tools:1@sha256:" + HEX,
        "docker:///a",
        f"docker://tools@sha256:{HEX}",
    ],
)
def test_an_identifier_needs_its_registry(text: str) -> None:
    with pytest.raises(IdentifierError, match="no host"):
        Identifier.parse(text)


@pytest.mark.parametrize("text", ["docker://busybox/x", "docker://quay.io", "docker://quay.io/a?b=c"])
def test_an_identifier_that_names_no_image_is_refused(text: str) -> None:
    with pytest.raises(IdentifierError):
        ImageReference.of_identifier(Identifier.parse(text))


def test_a_secret_in_an_identifier_is_refused_and_a_digest_is_none() -> None:
    with pytest.raises(IdentifierError, match="user name or password") as caught:
        Identifier.parse("docker://me:secret@quay.io/a:1")
    assert "secret" not in caught.value.message

    assert str(Identifier.parse(f"docker://quay.io/a:1@sha256:{HEX}")) == f"docker://quay.io/a:1@sha256:{HEX}"
    assert str(ImageReference.parse("quay.io/a").blob(HEX)) == f"oci-blob://quay.io/a@sha256:{HEX}"
