"""Settings: flag > environment > config file > XDG defaults, frozen once read."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from staging.errors import DefinitionError, Fault, UsageError

APP = "wfexs-like"
_PERSON_KEYS = ("name", "orcid", "affiliation")
_ORCID = re.compile(r"(?:https?://orcid\.org/)?([0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X])/?")
_FILE_KEYS = {
    "cache": str,
    "workdirs": str,
    "credentials": str,
    "keys": str,
    "jobs": int,
    "container": str,
    "person": dict,
    "registries": dict,
}
_KINDS = {str: "text", int: "whole number", dict: "table"}
CONTAINERS = ("none", "docker", "podman", "apptainer", "singularity", "any")
"""What ``container`` may say; ``any`` is the first of the runtimes that the host of a run has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who runs the workflows, for the crates: only what the user states, nothing taken from the host.

    ``orcid`` is an IRI.
    """

    name: str
    orcid: str | None = None
    affiliation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where things live, and a few numbers.

    ``key`` is a private key that opens instead of the one in ``keys``.
    ``jobs`` is how many transfers run at once. ``container`` is the container runtime of stage files that say none
    (``None``: containers are used where a tool requires one, and then any runtime will do); ``insists`` is whether the
    command line said so, and not only a default. ``registries`` says how to reach registries of images, by host;
    ``staging.images.registries`` reads it.
    """

    config: Path
    cache: Path
    workdirs: Path
    credentials: Path
    keys: Path
    key: Path | None = None
    jobs: int = 8
    container: str | None = None
    insists: bool = False
    person: Person | None = None
    registries: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, str]

    @classmethod
    def load(cls, environment: Mapping[str, str], **flags: str | None) -> Settings:
        """Read the settings. ``flags`` are command-line values by the field's name (``None``: not given).

        Raises:
            DefinitionError: the config file is not TOML, or has an unknown key or a value of the wrong type.
            UsageError: a folder's name is not UTF-8.
        """
        home = Path(environment.get("HOME") or os.path.expanduser("~"))  # noqa: PTH111 - HOME may be unset
        config = Path(
            flags.get("config")
            or environment.get("WFEXS_LIKE_CONFIG")
            or _xdg(environment, home, "XDG_CONFIG_HOME", ".config") / "config.toml"
        ).absolute()
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
            return config.parent / _expanded(str(from_file), home) if from_file else defaults[name]

        key = flags.get("key")
        jobs = flags.get("jobs") or environment.get("WFEXS_LIKE_JOBS") or stated.get("jobs", 8)
        return cls(
            config=config,
            cache=_told_as_text(place("cache")),
            workdirs=_told_as_text(place("workdirs")),
            credentials=place("credentials"),
            keys=place("keys"),
            key=Path(key).absolute() if key else None,
            jobs=_jobs(jobs, "settings" if flags.get("jobs") or environment.get("WFEXS_LIKE_JOBS") else str(config)),
            container=_container(
                flags.get("container") or environment.get("WFEXS_LIKE_CONTAINER") or stated.get("container"),
                "settings" if flags.get("container") or environment.get("WFEXS_LIKE_CONTAINER") else str(config),
            ),
            insists=bool(flags.get("container")),
            person=_person(stated.get("person"), config),
            registries=_registries(stated.get("registries"), config, home),
            environment=dict(environment),
        )

    @property
    def for_fetchers(self) -> dict[str, str]:
        """The environment that fetchers get: the user's own, and what the settings say of credentials and registries.

        A variable of the user's wins over the config file.

        Raises:
            DefinitionError: the config file's table of registries makes no sense.
        """
        stated = {"WFEXS_LIKE_CREDENTIALS": str(self.credentials)}
        if self.registries and not self.environment.get("WFEXS_LIKE_REGISTRIES"):
            stated["WFEXS_LIKE_REGISTRIES"] = json.dumps(self.registries)
            _check_registries(stated, self.config)
        return {**self.environment, **stated}


def _registries(value: object, config: Path, home: Path) -> dict[str, object]:
    """The table of registries; a certificate's path in it is read from the config file's folder."""
    if not isinstance(value, dict):
        return {}
    table: dict[str, object] = {}
    for host, one in value.items():
        known = dict(one) if isinstance(one, dict) else one
        if isinstance(known, dict) and isinstance(known.get("ca"), str):
            known["ca"] = str(config.parent / _expanded(known["ca"], home))
        table[host] = known
    return table


def _check_registries(stated: Mapping[str, str], config: Path) -> None:
    """See that the table of registries makes sense.

    Raises:
        DefinitionError: it doesn't; each fault names the config file.
    """
    from staging.images.registries import Registries

    try:
        Registries(stated)
    except DefinitionError as error:
        raise DefinitionError(tuple(replace(one, file=str(config)) for one in error.faults)) from error


def _told_as_text(place: Path) -> Path:
    """A folder of which the index, plans and crates tell, which are text."""
    try:
        str(place).encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"the name of {place} is not UTF-8", hint="choose a folder of another name, or rename it", where=str(place)
        ) from error
    return place


def _expanded(text: str, home: Path) -> Path:
    """A path from the config file, where no shell has looked at ``~``."""
    return home / text.removeprefix("~").lstrip("/") if text == "~" or text.startswith("~/") else Path(text)


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
    except OSError as error:
        message = f"can't be read: {(error.strerror or str(error)).lower()}"
        raise DefinitionError((Fault(file=str(path), where="", message=message),)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError((Fault(file=str(path), where="", message=f"not TOML: {error}"),)) from error
    faults = [
        Fault(file=str(path), where=key, message="unknown key", hint=f"known keys: {', '.join(sorted(_FILE_KEYS))}")
        if key not in _FILE_KEYS
        else Fault(file=str(path), where=key, message=f"should be a {_KINDS[_FILE_KEYS[key]]}")
        for key, value in stated.items()
        if not isinstance(value, _FILE_KEYS.get(key, ())) or isinstance(value, bool)
    ]
    if faults:
        raise DefinitionError(tuple(faults))
    return stated


def _jobs(value: object, file: str) -> int:
    text = str(value)
    if not text.isdecimal() or not 1 <= int(text) <= 64:  # noqa: PLR2004 - a sane number of connections
        raise DefinitionError((Fault(file=file, where="jobs", message="should be a number from 1 to 64"),))
    return int(text)


def _container(value: object, file: str) -> str | None:
    if value is None or value in CONTAINERS:
        return "apptainer" if value == "singularity" else str(value) if value else None
    message = f"{str(value)[:40]!r} is not one of {', '.join(CONTAINERS)}"
    raise DefinitionError((Fault(file=file, where="container", message=message),))


def _person(value: object, config: Path) -> Person | None:
    if not isinstance(value, dict):
        return None
    faults = [
        Fault(
            file=str(config),
            where=f"person.{key}",
            message="unknown key",
            hint=f"known keys: {', '.join(_PERSON_KEYS)}",
        )
        if key not in _PERSON_KEYS
        else Fault(file=str(config), where=f"person.{key}", message="should be a text that is not empty")
        for key, one in value.items()
        if key not in _PERSON_KEYS or not isinstance(one, str) or not one.strip()
    ]
    if "name" not in value:
        faults.append(Fault(file=str(config), where="person.name", message="is missing"))
    if faults:
        raise DefinitionError(tuple(faults))
    try:
        orcid = orcid_iri(value["orcid"]) if "orcid" in value else None
    except ValueError as error:
        raise DefinitionError((Fault(file=str(config), where="person.orcid", message=str(error)),)) from error
    return Person(name=value["name"], orcid=orcid, affiliation=value.get("affiliation"))


def orcid_iri(text: str) -> str:
    """An ORCID, given bare or as an IRI, as its IRI (ORCID's rules; its last digit is an ISO 7064 mod 11-2 check).

    Raises:
        ValueError: it is not one, or was mistyped.
    """
    match = _ORCID.fullmatch(text.strip())
    if match is None:
        raise ValueError("should look like 0000-0002-1825-0097")
    digits = match[1].replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    if "0123456789X"[(12 - total % 11) % 11] != digits[-1]:
        raise ValueError("its last digit does not fit the others: is it mistyped?")
    return f"https://orcid.org/{match[1]}"
