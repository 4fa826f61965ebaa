"""Credentials for registries: found where docker, podman and we keep them, each bound to its host.

In this order: our own credentials file (``WFEXS_LIKE_CREDENTIALS``, whose security contexts are keyed by
``docker://host[/repository]`` or by the host alone), ``REGISTRY_AUTH_FILE``, podman's ``auth.json``, docker's
``config.json`` with its helpers. Our own file is refused when others may read it; of docker's and podman's that is
told, as they themselves take them so.
Source: docker-docs "docker login"; containers-auth.json(5); docker-credential-helpers; WfExS security contexts.
"""

from __future__ import annotations

import base64
import json
import re
import stat
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from staging.errors import ContainerError, DefinitionError, Fault, PolicyError, WfexsError
from staging.images.reference import DEFAULT_HOST
from staging.process import ProcessError, run

VARIABLE: Final = "WFEXS_LIKE_CREDENTIALS"
_DOCKER_HUB_KEYS: Final = (
    "https://index.docker.io/v1/",
    "https://index.docker.io/v2/",
    "index.docker.io",
    "registry-1.docker.io",
)
_HELPER: Final = re.compile(r"[A-Za-z0-9._-]+")
_HELPER_TIME: Final = 30.0
_IDENTITY: Final = "<token>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A user name and password, or a bearer token, for one registry; ``origin`` says where it is kept.

    ``warning`` is what a person should know of that place.
    """

    origin: str
    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    warning: str | None = None

    @property
    def basic(self) -> str | None:
        """The value of an ``Authorization`` header with user name and password; ``None`` for a token."""
        if self.token:
            return None
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


_asking = threading.Lock()
_answers: dict[tuple[str, ...], Credential | None] = {}
"""What helpers answered, by command, host, path and file."""


def find_credential(host: str, repository: str, environment: Mapping[str, str]) -> Credential | None:
    """The credential for a repository of a registry, ``None`` where nobody stated one.

    Raises:
        DefinitionError: a file can't be understood.
        PolicyError: others may read our own file.
        ContainerError: a credential helper failed.
    """
    own = environment.get(VARIABLE)
    if own:
        found = _from_contexts(Path(own), host, repository)
        if found is not None:
            return found
    for path, must_be in _files(environment):
        record = _read_json(path, must_be=must_be)
        found = _from_docker(record, path, host, repository, environment)
        if found is not None:
            return found
    return None


def _files(environment: Mapping[str, str]) -> Iterator[tuple[Path, bool]]:
    """The files of docker and podman, and whether each was named outright (and so has to be there)."""
    home = environment.get("HOME")
    stated = environment.get("REGISTRY_AUTH_FILE")
    if stated:
        yield Path(stated), True
    runtime = environment.get("XDG_RUNTIME_DIR")
    if runtime:
        yield Path(runtime) / "containers/auth.json", False
    config = environment.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    if config:
        yield Path(config) / "containers/auth.json", False
    folder = environment.get("DOCKER_CONFIG") or (f"{home}/.docker" if home else "")
    if folder:
        yield Path(folder) / "config.json", False


# -- docker's and podman's files ---------------------------------------------------------------------------------------


def _read_json(path: Path, *, must_be: bool) -> Mapping[str, object]:
    try:
        record = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        if not must_be:
            return {}
        raise _fault(path, "", "is not there") from error
    except OSError as error:
        raise _fault(path, "", f"can't be read: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, RecursionError) as error:
        raise _fault(path, "", "is no JSON") from error
    if not isinstance(record, dict):
        raise _fault(path, "", "is no JSON object")
    return record


def _names(host: str, repository: str) -> tuple[str, ...]:
    """The keys under which a file may hold it, the most exact first."""
    parts = repository.split("/")
    exact = [f"{host}/{'/'.join(parts[:count])}" for count in range(len(parts), 0, -1)]
    hub = _DOCKER_HUB_KEYS if host == DEFAULT_HOST else ()
    return (*exact, host, f"https://{host}", f"https://{host}/", f"https://{host}/v1/", f"https://{host}/v2/", *hub)


def _from_docker(
    record: Mapping[str, object], path: Path, host: str, repository: str, environment: Mapping[str, str]
) -> Credential | None:
    names = _names(host, repository)
    helpers, auths = (one if isinstance(one, dict) else {} for one in (record.get("credHelpers"), record.get("auths")))
    for name in names:
        if name in helpers:
            return _from_helper(helpers[name], name, path, environment)
    for name in names:
        entry = auths.get(name)
        if isinstance(entry, dict) and any(entry.get(key) for key in ("auth", "username", "identitytoken")):
            return replace(_from_entry(entry, name, path), warning=_open_to_others(path))
    store = record.get("credsStore")
    if store:
        key = _DOCKER_HUB_KEYS[0] if host == DEFAULT_HOST else host
        return _from_helper(store, key, path, environment)
    return None


def _from_entry(entry: Mapping[str, object], name: str, path: Path) -> Credential:
    if entry.get("identitytoken"):
        raise _unusable(path, name)
    username, password = entry.get("username"), entry.get("password")
    auth = entry.get("auth")
    if isinstance(auth, str) and auth:
        try:
            username, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
        except ValueError as error:
            raise _fault(path, f"auths.{name}.auth", "is no base64 of user:password") from error
        if not colon:
            raise _fault(path, f"auths.{name}.auth", "is no base64 of user:password")
    if not isinstance(username, str) or not isinstance(password, str):
        raise _fault(path, f"auths.{name}", "has no user name and password")
    return Credential(origin=str(path), username=username, password=password.strip("\x00"))


def _from_helper(helper: object, name: str, path: Path, environment: Mapping[str, str]) -> Credential | None:
    if not isinstance(helper, str) or not _HELPER.fullmatch(helper):
        raise _fault(path, "credHelpers", "names a helper that can't be one")
    command = f"docker-credential-{helper}"
    # Asked once: a helper may ask a person, or a server far away.
    key = (command, name, environment.get("PATH", ""), str(path))
    with _asking:
        if key not in _answers:
            _answers[key] = _ask_helper(command, name, path, environment)
        return _answers[key]


def _ask_helper(command: str, name: str, path: Path, environment: Mapping[str, str]) -> Credential | None:
    try:
        done = run((command, "get"), env=environment, input=name.encode(), timeout=_HELPER_TIME, check=False)
    except (ProcessError, WfexsError) as error:
        raise ContainerError(
            f"the credential helper {command}, which {path} names for {name}, failed: {error.message}",
            hint=error.hint or f"repair it, or take it out of {path}",
            where=str(path),
        ) from error
    if done.code != 0:
        words = done.stdout.decode(errors="replace").strip() or done.last_words
        if "not found" in words.lower():
            return None
        shown = "".join(char if char.isprintable() else " " for char in words)[:200]
        raise ContainerError(
            f"the credential helper {command} failed for {name}: {shown or f'exit code {done.code}'}",
            hint=f"log in again, or take the helper out of {path}",
            where=str(path),
        )
    try:
        record = json.loads(done.stdout)
        username, password = record["Username"], record["Secret"]
    except (ValueError, KeyError, TypeError) as error:
        # What it said may be the secret itself: it is not repeated.
        raise ContainerError(f"the credential helper {command} gave no credentials for {name}") from error
    if username == _IDENTITY:
        raise _unusable(path, name)
    return Credential(origin=command, username=str(username), password=str(password))


# -- our own file ------------------------------------------------------------------------------------------------------


def _from_contexts(path: Path, host: str, repository: str) -> Credential | None:
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _fault(path, "", f"can't be read: {(error.strerror or str(error)).lower()}") from error
    import yaml

    try:
        record = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # The parser's own words quote the text, and so a secret.
        raise _fault(path, "", "is no YAML") from error
    if record is None:
        return None
    if not isinstance(record, dict):
        raise _fault(path, "", "should be a map of security contexts")
    for name in _names(host, repository):
        for key in (f"docker://{name}", f"docker://{name}/", name):
            if key in record:
                _refuse_readable(path)
                return _from_context(record[key], key, path)
    return None


def _from_context(context: object, key: str, path: Path) -> Credential:
    if not isinstance(context, dict):
        raise _fault(path, key, "should be a map")
    username, password, token = (context.get(one) for one in ("username", "password", "token"))
    pair = isinstance(username, str) and isinstance(password, str)
    if pair == isinstance(token, str):
        raise _fault(path, key, "should have either username and password, or token")
    if isinstance(username, str) and isinstance(password, str):
        return Credential(origin=str(path), username=username, password=password)
    return Credential(origin=str(path), token=str(token))


def _open_to_others(path: Path) -> str | None:
    """What to say of a file with secrets in it that others may read, or write."""
    mode = stat.S_IMODE(path.stat().st_mode)
    return f"{path} has credentials in it and is open to others (mode {mode:o})" if mode & 0o077 else None


def _refuse_readable(path: Path) -> None:
    told = _open_to_others(path)
    if told is not None:
        raise PolicyError(told, hint=f"chmod 600 {path}", where=str(path))


def _unusable(path: Path, name: str) -> ContainerError:
    return ContainerError(
        f"{path} has an identity token for {name}, which is no user name and password",
        hint=f"put a user name and password for docker://{name} into the credentials file ({VARIABLE})",
        where=str(path),
    )


def _fault(path: Path, where: str, message: str) -> DefinitionError:
    fault = Fault(file=str(path), where=where, message=message)
    return DefinitionError((fault,), message=str(fault))
