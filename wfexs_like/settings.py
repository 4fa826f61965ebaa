"""Settings: flag > environment > config file > XDG defaults, frozen once read."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from staging.errors import DefinitionError, Fault

APP = "wfexs-like"
_FILE_KEYS = {"cache": str, "workdirs": str, "credentials": str, "keys": str, "jobs": int, "person": dict}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who runs the workflows, for the crates: only what the user states, nothing taken from the host."""

    name: str
    orcid: str | None = None
    affiliation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where things live, and a few numbers. ``jobs`` is how many transfers run at once."""

    config: Path
    cache: Path
    workdirs: Path
    credentials: Path
    keys: Path
    jobs: int = 8
    person: Person | None = None
    environment: Mapping[str, str]

    @classmethod
    def load(cls, environment: Mapping[str, str], **flags: str | None) -> Settings:
        """Read the settings. ``flags`` are command-line values by the field's name (``None``: not given).

        Raises:
            DefinitionError: the config file is not TOML, or has an unknown key or a value of the wrong type.
        """
        home = Path(environment.get("HOME") or os.path.expanduser("~"))  # noqa: PTH111 - HOME may be unset
        config = Path(
            flags.get("config")
            or environment.get("WFEXS_LIKE_CONFIG")
            or _xdg(environment, home, "XDG_CONFIG_HOME", ".config") / "config.toml"
        )
        stated = _read_config(config)
        defaults = {
            "cache": _xdg(environment, home, "XDG_CACHE_HOME", ".cache"),
            "workdirs": _xdg(environment, home, "XDG_DATA_HOME", ".local/share") / "workdirs",
            "credentials": config.parent / "credentials.yaml",
            "keys": config.parent / "keys",
        }

        def place(name: str) -> Path:
            chosen = flags.get(name) or environment.get(f"WFEXS_LIKE_{name.upper()}")
            if chosen:
                return Path(chosen).absolute()
            from_file = stated.get(name)
            return (config.parent / str(from_file)).absolute() if from_file else defaults[name]

        jobs = flags.get("jobs") or environment.get("WFEXS_LIKE_JOBS") or stated.get("jobs", 8)
        return cls(
            config=config,
            cache=place("cache"),
            workdirs=place("workdirs"),
            credentials=place("credentials"),
            keys=place("keys"),
            jobs=_jobs(jobs),
            person=_person(stated.get("person"), config),
            environment=dict(environment),
        )


def _xdg(environment: Mapping[str, str], home: Path, variable: str, default: str) -> Path:
    stated = environment.get(variable, "")
    # The XDG specification: a relative value is to be ignored.
    return (Path(stated) if stated.startswith("/") else home / default) / APP


def _read_config(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as stream:
            stated = tomllib.load(stream)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError((Fault(file=str(path), where="", message=f"not TOML: {error}"),)) from error
    faults = [
        Fault(file=str(path), where=key, message="unknown key", hint=f"known keys: {', '.join(sorted(_FILE_KEYS))}")
        if key not in _FILE_KEYS
        else Fault(file=str(path), where=key, message=f"should be a {_FILE_KEYS[key].__name__}")
        for key, value in stated.items()
        if not isinstance(value, _FILE_KEYS.get(key, ()))
    ]
    if faults:
        raise DefinitionError(tuple(faults))
    return stated


def _jobs(value: object) -> int:
    text = str(value)
    if not text.isdecimal() or not 1 <= int(text) <= 64:  # noqa: PLR2004 - a sane number of connections
        raise DefinitionError((Fault(file="settings", where="jobs", message="should be a number from 1 to 64"),))
    return int(text)


def _person(value: object, config: Path) -> Person | None:
    if not isinstance(value, dict):
        return None
    unknown = set(value) - {"name", "orcid", "affiliation"}
    if unknown or not isinstance(value.get("name"), str):
        message = f"unknown keys: {', '.join(sorted(unknown))}" if unknown else "name is missing"
        raise DefinitionError((Fault(file=str(config), where="person", message=message),))
    return Person(**{key: str(one) for key, one in value.items()})
