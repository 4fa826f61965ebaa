"""Secrets, from the user's own store to a run's."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from engines.nextflow.running.secret_store import users_store, write_secrets
from staging.errors import EngineError


def _store(folder: Path, **values: str) -> Path:
    store = folder / "secrets" / "store.json"
    store.parent.mkdir(parents=True)
    store.write_text(json.dumps([{"name": name, "value": value} for name, value in values.items()]))
    return store


def test_only_the_named_ones_go_to_a_store_that_nobody_else_reads(tmp_path: Path) -> None:
    _store(tmp_path / "h" / ".nextflow", ONE="1", OTHER="2")

    written = write_secrets(["ONE"], tmp_path / "run" / "store.json", {"HOME": str(tmp_path / "h")})

    assert written is not None
    assert json.loads(written.read_text()) == [{"name": "ONE", "value": "1"}]
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_where_none_are_named_no_store_is_read(tmp_path: Path) -> None:
    store = _store(tmp_path / ".nextflow")
    store.write_text("rubbish")

    assert write_secrets([], tmp_path / "store.json", {"HOME": str(tmp_path)}) is None
    assert not (tmp_path / "store.json").exists()


def test_a_missing_one_is_named_and_none_is_shown(tmp_path: Path) -> None:
    _store(tmp_path / ".nextflow", OTHER="canary")

    with pytest.raises(EngineError, match="'ONE'") as caught:
        write_secrets(["OTHER", "ONE"], tmp_path / "store.json", {"HOME": str(tmp_path)})

    assert "nextflow secrets set ONE" in (caught.value.hint or "")
    assert "canary" not in f"{caught.value} {caught.value.hint}"
    assert not (tmp_path / "store.json").exists()


def test_without_any_store_the_first_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="'ONE'"):
        write_secrets(["ONE"], tmp_path / "store.json", {"HOME": str(tmp_path)})


@pytest.mark.parametrize("text", ["", "{", "3", '[{"name": "ONE"}]', '["ONE"]', "null", "\x80"])
def test_a_store_of_rubbish_is_an_error_in_words(tmp_path: Path, text: str) -> None:
    _store(tmp_path / ".nextflow").write_bytes(text.encode("latin-1"))

    with pytest.raises(EngineError, match="can't be read"):
        write_secrets(["ONE"], tmp_path / "store.json", {"HOME": str(tmp_path)})


def test_the_users_store_is_where_nextflow_has_it() -> None:
    home = {"HOME": "/h"}
    assert users_store(home) == Path("/h/.nextflow/secrets/store.json")
    assert users_store({**home, "NXF_HOME": "/n"}) == Path("/n/secrets/store.json")
    assert users_store({**home, "NXF_HOME": "/n", "NXF_SECRETS_FILE": "/s.json"}) == Path("/s.json")
