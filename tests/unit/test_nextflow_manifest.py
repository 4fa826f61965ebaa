"""What is read of a Nextflow workflow's folder without a JVM."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.nextflow.reading.groovy_text import TokenKind, tokens
from engines.nextflow.reading.manifest import find_script, read_manifest, recognises, stated_version
from staging.errors import DefinitionError

NF_CORE = r"""
/*
 * manifest { nextflowVersion = '1.0' }
 */
params {
    input  = null // manifest.nextflowVersion = '2.0'
    max_memory = '128.GB'
    note = "manifest { nextflowVersion = '3.0' }"
}
includeConfig 'conf/base.config'
profiles {
    other { manifest { nextflowVersion = '4.0' } }
    docker { docker.enabled = true; process.shell = ['/bin/bash', '-euo', 'pipefail'] }
}
process.shell = '''bash
manifest { nextflowVersion = '5.0' }
'''
manifest {
    name            = 'nf-core/demo'
    author          = \"\"\"Jane Doe, John's "Doe" et al.\"\"\"
    homePage        = 'https://github.com/nf-core/demo'
    description     = "Quality of ${params.note}"
    mainScript      = 'main.nf'
    nextflowVersion = '!>=23.04.0'   // why: "topics"
    version         = '1.0.' + '1'
    doi             = ''
    contributors    = [
        [name: 'Jane', affiliation: 'x = y'],
    ]
    license = "MIT"
}
def check_max(obj, type) { return /manifest { nextflowVersion = '6' }/ }
""".replace('\\"', '"')


def _write(root: Path, **texts: str) -> Path:
    for name, text in texts.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_manifest_is_read_past_comments_strings_and_other_scopes(tmp_path: Path) -> None:
    _write(tmp_path, main_DOT_nf="", nextflow_DOT_config=NF_CORE)

    manifest = read_manifest(tmp_path, PurePosixPath("main.nf"))

    assert manifest.nextflow_version == "!>=23.04.0"
    assert (manifest.name, manifest.licence) == ("nf-core/demo", "MIT")
    assert manifest.author == 'Jane Doe, John\'s "Doe" et al.'
    assert manifest.home_page == "https://github.com/nf-core/demo"
    # What only an engine can evaluate is not made up.
    assert manifest.description is None
    assert manifest.version is None
    assert manifest.doi is None


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('manifest.nextflowVersion = ">=22.10"', ">=22.10"),
        ("manifest {\n  nextflowVersion='22.10.7' }", "22.10.7"),
        ("manifest { nextflowVersion = '>=22' ; name = 'x' }", ">=22"),
        ("manifest.nextflowVersion = '1'\nmanifest.nextflowVersion = '2'", "2"),
        ('manifest.nextflowVersion = "$x"', None),
        ("if (x) { manifest.nextflowVersion = '1' }", None),
        ("manifest {", None),
        ("\x00\ufffd\"'''", None),
    ],
)
def test_each_way_to_state_a_version(tmp_path: Path, text: str, version: str | None) -> None:
    _write(tmp_path, main_DOT_nf="", nextflow_DOT_config=text)

    assert stated_version(tmp_path, PurePosixPath("main.nf")) == version


def test_included_configurations_count_in_their_order_and_stay_in_the_folder(tmp_path: Path) -> None:
    root = _write(
        tmp_path / "wf",
        main_DOT_nf="",
        nextflow_DOT_config=(
            "includeConfig 'conf/a.config'\nincludeConfig \"$projectDir/conf/b.config\"\n"
            "includeConfig '../outside.config'\nincludeConfig 'https://x.example/c.config'\n"
            'includeConfig "${params.base}/nfcore_custom.config"\n'
            "profiles { test { includeConfig 'conf/test.config' } }\n"
        ),
        conf__a_DOT_config="includeConfig '../nextflow.config'\nmanifest { name = 'a'; nextflowVersion = '>=22' }",
        conf__b_DOT_config="manifest.nextflowVersion = '>=23'",
        conf__test_DOT_config="manifest.nextflowVersion = '>=99'",
    )
    _write(tmp_path, outside_DOT_config="manifest.nextflowVersion = '>=98'")
    (root / "conf" / "c.config").symlink_to(tmp_path / "outside.config")

    manifest = read_manifest(root, PurePosixPath("main.nf"))

    assert (manifest.name, manifest.nextflow_version) == ("a", ">=23")


def test_no_configuration_states_nothing(tmp_path: Path) -> None:
    script = _write(tmp_path, main_DOT_nf="") / "main.nf"

    assert stated_version(tmp_path, PurePosixPath("main.nf")) is None
    assert stated_version(script, PurePosixPath("main.nf")) is None


def test_the_main_script_is_found_as_nextflow_finds_it(tmp_path: Path) -> None:
    _write(
        tmp_path,
        main_DOT_nf="",
        other_DOT_nf="",
        sub__nextflow_DOT_config="manifest { mainScript = './scripts/go.groovy' }",
        sub__scripts__go_DOT_groovy="",
        plain__main_DOT_nf="",
    )

    assert str(find_script(tmp_path, None)) == "main.nf"
    assert str(find_script(tmp_path, "other.nf")) == "other.nf"
    assert str(find_script(tmp_path, "other%2Enf#ALIGN")) == "other.nf"
    assert str(find_script(tmp_path, "sub/")) == "sub/scripts/go.groovy"
    assert str(find_script(tmp_path, "plain")) == "plain/main.nf"
    assert str(find_script(tmp_path / "other.nf", None)) == "other.nf"
    assert stated_version(tmp_path, PurePosixPath("sub/scripts/go.groovy")) is None


@pytest.mark.parametrize("entry", ["nowhere.nf", "nowhere", "../nowhere.nf", "nowhere/"])
def test_a_script_that_is_not_there_is_named(tmp_path: Path, entry: str) -> None:
    _write(tmp_path, first_DOT_nf="")

    with pytest.raises(DefinitionError, match="nowhere") as caught:
        find_script(tmp_path, entry)

    assert str(tmp_path) not in caught.value.message


def test_a_main_script_that_a_manifest_promises_is_named_when_it_is_missing(tmp_path: Path) -> None:
    _write(tmp_path, nextflow_DOT_config="manifest.mainScript = 'gone.nf'", x_DOT_nf="")

    with pytest.raises(DefinitionError, match=r"'gone\.nf'.*calls the main script") as caught:
        find_script(tmp_path, None)

    assert caught.value.hint == "its scripts are x.nf"
    assert not recognises(tmp_path, None)


def test_a_main_script_outside_the_folder_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, wf__nextflow_DOT_config="manifest.mainScript = '../main.nf'", main_DOT_nf="")

    with pytest.raises(DefinitionError, match="inside its folder"):
        find_script(tmp_path / "wf", None)


def test_nextflow_is_known_by_name(tmp_path: Path) -> None:
    _write(tmp_path, main_DOT_nf="", a_DOT_cwl="", sub__x_DOT_txt="", m__nextflow_DOT_config="manifest.mainScript='g'")
    _write(tmp_path, m__g="")

    assert recognises(tmp_path, None)
    assert recognises(tmp_path, "main.nf")
    assert recognises(tmp_path / "main.nf", None)
    assert recognises(tmp_path, "m")
    assert not recognises(tmp_path, "a.cwl")
    assert not recognises(tmp_path, "sub")
    assert not recognises(tmp_path / "a.cwl", None)
    assert not recognises(tmp_path / "nowhere.nf", None)


@given(st.text(alphabet="\"'$/{}\\\n*=ab .;(#\x00é", max_size=60) | st.text(max_size=60))
def test_any_text_is_read_to_its_end(text: str) -> None:
    # Nothing but white space, line joints and comments is left out.
    found = list(tokens(text))

    position = 0
    for token in found:
        position = text.index(token.text, position) + len(token.text)
        assert token.text
        assert token.depth >= 0
        assert token.kind is not TokenKind.MARK or len(token.text) == 1


@given(st.text(alphabet=st.characters(exclude_characters="'\\\n$", exclude_categories=["Cs"]), max_size=40))
def test_a_plain_string_has_its_own_value(text: str) -> None:
    for quote in ("'", "'''", '"', '"""'):
        if quote[0] == '"' and '"' in text:
            continue
        (token,) = tokens(f"{quote}{text}{quote}") if text or len(quote) == 1 else (next(tokens("''")),)
        assert token.literal == text


@pytest.mark.parametrize("piece", ['"${', '"$', "'", '"', "/*", '${"', "'\\", "$/ ", "=/\\", '"a${b}', "{"])
def test_a_long_hostile_text_is_read_at_once(piece: str) -> None:
    # A reader that tries again at every place takes minutes for these.
    assert sum(1 for _ in tokens(piece * 30_000)) <= 90_000
