"""Settings: flag before environment before config file before XDG default, and every fault of a config named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from staging.errors import DefinitionError, UsageError
from wfexs_like.settings import Settings, orcid_iri


def load(tmp_path: Path, text: str | None = None, environment: dict[str, str] | None = None, **flags: str) -> Settings:
    variables = {"HOME": str(tmp_path / "home"), **(environment or {})}
    if text is not None:
        config = tmp_path / "config.toml"
        config.write_text(text)
        variables["WFEXS_LIKE_CONFIG"] = str(config)
    return Settings.load(variables, **flags)


def faults_of(tmp_path: Path, text: str) -> list[tuple[str, str]]:
    with pytest.raises(DefinitionError) as refused:
        load(tmp_path, text)
    return [(fault.where, fault.message) for fault in refused.value.faults]


def test_without_anything_said_the_xdg_defaults_below_home_hold(tmp_path: Path) -> None:
    settings = load(tmp_path)
    home = tmp_path / "home"
    assert settings.config == home / ".config/wfexs-like/config.toml"
    assert settings.cache == home / ".cache/wfexs-like"
    assert settings.workdirs == home / ".local/share/wfexs-like/workdirs"
    assert settings.keys == home / ".config/wfexs-like/keys"
    assert settings.credentials == home / ".config/wfexs-like/credentials.yaml"
    assert settings.jobs == 8
    assert settings.person is None


def test_xdg_variables_move_the_defaults_and_relative_ones_are_ignored(tmp_path: Path) -> None:
    settings = load(
        tmp_path, environment={"XDG_CACHE_HOME": "/c", "XDG_DATA_HOME": "relative", "XDG_CONFIG_HOME": "/k"}
    )
    assert settings.cache == Path("/c/wfexs-like")
    assert settings.workdirs == tmp_path / "home/.local/share/wfexs-like/workdirs"
    assert settings.keys == Path("/k/wfexs-like/keys")


def test_a_flag_wins_over_a_variable_and_that_over_the_file_and_that_over_the_default(tmp_path: Path) -> None:
    text = 'cache = "/file"\njobs = 3\n'
    assert load(tmp_path, text).cache == Path("/file")
    assert load(tmp_path, text, {"WFEXS_LIKE_CACHE": "/variable"}).cache == Path("/variable")
    assert load(tmp_path, text, {"WFEXS_LIKE_CACHE": "/variable"}, cache="/flag").cache == Path("/flag")
    assert load(tmp_path, text).jobs == 3
    assert load(tmp_path, text, {"WFEXS_LIKE_JOBS": "5"}).jobs == 5


@pytest.mark.parametrize("name", ["cache", "workdirs"])
def test_a_folder_whose_name_is_no_text_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="not UTF-8"):
        load(tmp_path, environment={f"WFEXS_LIKE_{name.upper()}": "/data/\udcff"})


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    assert load(tmp_path, 'cache = "/file"\n', {"WFEXS_LIKE_CACHE": ""}).cache == Path("/file")


def test_places_in_the_file_are_read_from_beside_it_and_flags_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(tmp_path, 'cache = "store"\nworkdirs = "~/runs"\nkeys = "~"\n', credentials="c.yaml")
    assert settings.cache == tmp_path / "store"
    assert settings.workdirs == tmp_path / "home/runs"
    assert settings.keys == tmp_path / "home"
    assert settings.credentials == tmp_path / "c.yaml"
    assert Settings.load({"HOME": "/h"}, config="x/config.toml").keys == tmp_path / "x/keys"


def test_a_config_that_is_not_there_is_no_fault(tmp_path: Path) -> None:
    assert load(tmp_path, environment={"WFEXS_LIKE_CONFIG": "/no/such/config.toml"}).cache.name == "wfexs-like"


def test_a_person_has_a_name_and_an_orcid_that_fits(tmp_path: Path) -> None:
    text = '[person]\nname = "Ada"\norcid = "0000-0002-1825-0097"\naffiliation = "Analytical Engines"\n'
    person = load(tmp_path, text).person
    assert person is not None
    assert (person.name, person.affiliation) == ("Ada", "Analytical Engines")
    assert person.orcid == "https://orcid.org/0000-0002-1825-0097"


@pytest.mark.parametrize(
    ("text", "wheres"),
    [
        ("cashe = 'x'", ["cashe"]),
        ("cache = 5", ["cache"]),
        ("jobs = true", ["jobs"]),
        ("jobs = 'four'", ["jobs"]),
        ("jobs = 0", ["jobs"]),
        ("jobs = 65", ["jobs"]),
        ("person = 'Ada'", ["person"]),
        ("[person]", ["person.name"]),
        ("[person]\nname = ' '", ["person.name"]),
        ("[person]\nname = 5\nage = 3", ["person.name", "person.age"]),
        ("[person]\nname = 'Ada'\norcid = '0000-0002-1825-0098'", ["person.orcid"]),
        ("cashe = 'x'\ncache = 5", ["cashe", "cache"]),
        ("not toml at all", [""]),
    ],
)
def test_every_fault_of_a_config_is_told_with_its_place(tmp_path: Path, text: str, wheres: list[str]) -> None:
    assert [where for where, _ in faults_of(tmp_path, text)] == wheres


def test_a_number_of_jobs_in_the_environment_is_checked_too(tmp_path: Path) -> None:
    for wrong in ("many", "0", "-1", "1e3"):
        with pytest.raises(DefinitionError):
            load(tmp_path, environment={"WFEXS_LIKE_JOBS": wrong})


def test_a_folder_in_the_config_s_place_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError):
        Settings.load({"HOME": str(tmp_path), "WFEXS_LIKE_CONFIG": str(tmp_path)})


@pytest.mark.parametrize(
    ("text", "iri"),
    [
        ("0000-0002-1825-0097", "https://orcid.org/0000-0002-1825-0097"),
        ("http://orcid.org/0000-0002-1694-233X", "https://orcid.org/0000-0002-1694-233X"),
        (" https://orcid.org/0000-0001-5109-3700/ ", "https://orcid.org/0000-0001-5109-3700"),
    ],
)
def test_an_orcid_is_taken_bare_or_as_an_iri(text: str, iri: str) -> None:
    assert orcid_iri(text) == iri


@pytest.mark.parametrize("text", ["", "0000-0002-1825-0079", "0000-0002-1694-233x", "ada", "0000000218250097"])
def test_what_is_no_orcid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"should look like|last digit"):
        orcid_iri(text)


def test_settings_cannot_be_changed_afterwards(tmp_path: Path) -> None:
    settings: Any = load(tmp_path)
    with pytest.raises(AttributeError):
        settings.cache = Path("/elsewhere")


def test_the_container_runtime_is_said_by_flag_variable_or_file(tmp_path: Path) -> None:
    text = 'container = "docker"\n'
    assert load(tmp_path).container is None
    assert load(tmp_path, text).container == "docker"
    assert load(tmp_path, text, {"WFEXS_LIKE_CONTAINER": "podman"}).container == "podman"
    assert load(tmp_path, text, {"WFEXS_LIKE_CONTAINER": "podman"}, container="singularity").container == "apptainer"
    ((where, message),) = faults_of(tmp_path, 'container = "rkt"\n')
    assert where == "container"
    assert "not one of none, docker" in message


def test_fetchers_hear_of_registries_and_credentials(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    (tmp_path / "ca.pem").touch()
    config.write_text(
        '[registries."localhost:5000"]\ninsecure = true\n'
        '[registries."docker.io"]\nmirrors = ["a.example/b"]\nca = "ca.pem"\n'
    )
    told = Settings.load({"WFEXS_LIKE_CONFIG": str(config), "HOME": str(tmp_path), "X": "y"}).for_fetchers

    assert json.loads(told["WFEXS_LIKE_REGISTRIES"]) == {
        "localhost:5000": {"insecure": True},
        "docker.io": {"mirrors": ["a.example/b"], "ca": str(tmp_path / "ca.pem")},
    }
    assert told["WFEXS_LIKE_CREDENTIALS"] == str(tmp_path / "credentials.yaml")
    assert told["X"] == "y"

    own = {"WFEXS_LIKE_CONFIG": str(config), "HOME": str(tmp_path), "WFEXS_LIKE_REGISTRIES": "{}"}
    assert Settings.load(own).for_fetchers["WFEXS_LIKE_REGISTRIES"] == "{}", "the environment wins"


def test_a_fault_of_a_registry_names_the_config_file(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[registries."a.example"]\nca = "gone.pem"\n[registries.b]\ninsecure = true\n')

    with pytest.raises(DefinitionError) as caught:
        Settings.load({"HOME": str(tmp_path)}, config=str(config)).for_fetchers  # noqa: B018 - a property that looks

    (fault,) = caught.value.faults
    assert (fault.file, fault.where) == (str(config), "registries.a.example.ca")
    assert str(tmp_path / "gone.pem") in fault.message
    assert str(config) in caught.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("registries = 1", "should be a table"),
        ("jobs = 0", "should be a number"),
        ('container = "rkt"', "is not one of"),
    ],
)
def test_a_fault_of_the_config_file_names_it_in_plain_words(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text + "\n")

    with pytest.raises(DefinitionError) as caught:
        Settings.load({"HOME": str(tmp_path)}, config=str(config))

    (fault,) = caught.value.faults
    assert fault.file == str(config)
    assert said in fault.message
