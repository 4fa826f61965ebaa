"""Secrets: values that a workflow's ``secret`` directive names, from the user's own Nextflow store to a run's.

Source: Nextflow's page on secrets; the store is a JSON list of ``{"name": ..., "value": ...}`` that its owner alone may
read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from staging.errors import EngineError

_ONLY_OWNER = 0o600


def find_secrets(names: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """The values of the secrets called ``names``.

    ``environment`` tells where the user's own store is (``NXF_SECRETS_FILE``, else ``NXF_HOME`` or ``HOME``); it is not
    read when there are no names.

    Raises:
        EngineError: the user's store can't be read, or lacks one of them.
    """
    if not names:
        return {}
    source = users_store(environment)
    known = _read(source)
    missing = [name for name in names if name not in known]
    if missing:
        raise EngineError(
            f"the stage file names the secret {missing[0]!r}, and there is none in the store of Nextflow's secrets",
            hint=f"put it there: nextflow secrets set {missing[0]} (it is kept in {source})",
            where=missing[0],
        )
    return {name: known[name] for name in names}


def write_secrets(secrets: Mapping[str, str], store: Path) -> Path:
    """Write the store of one run, or of one inspection, with those and no others.

    It lies in scratch space, which is cleared when the run ends. An empty one is written too: with none at all, a
    process that needs a secret would get an empty text for it.
    """
    store.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(store, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _ONLY_OWNER)
    with open(descriptor, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor
        json.dump([{"name": name, "value": value} for name, value in secrets.items()], stream)
    return store


def secrets_environment(store: Path) -> dict[str, str]:
    """The variables by which the engine uses a store."""
    return {"NXF_ENABLE_SECRETS": "true", "NXF_SECRETS_FILE": str(store)}


def hidden(name: str) -> str:
    """What stands for a secret's value wherever it may not be."""
    return f"<secret {name}>"


def users_store(environment: Mapping[str, str]) -> Path:
    """Where Nextflow keeps the user's secrets."""
    if environment.get("NXF_SECRETS_FILE"):
        return Path(environment["NXF_SECRETS_FILE"])
    home = environment.get("NXF_HOME")
    base = Path(home) if home else Path(environment.get("HOME", "/nonexistent")) / ".nextflow"
    return base / "secrets" / "store.json"


def _read(path: Path) -> dict[str, str]:
    try:
        records = json.loads(path.read_bytes())
        return {str(one["name"]): str(one["value"]) for one in records}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise EngineError(
            "the store of Nextflow's secrets can't be read",
            hint="make it anew with: nextflow secrets set NAME",
            where=str(path),
        ) from error
