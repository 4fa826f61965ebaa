"""Secrets, from the user's own store to a run's."""

from __future__ import annotations

import json
import stat
from pathlib import Path, PurePosixPath

import pytest

from engines.base import Tool, WorkflowInterface
from engines.interface import interface_as_json, interface_from_json
from engines.nextflow.running.masking import Mask
from engines.nextflow.secrets import find_secrets, secrets_environment, users_store, write_secrets
from staging.errors import EngineError


def _store(folder: Path, **values: str) -> Path:
    store = folder / "secrets" / "store.json"
    store.parent.mkdir(parents=True)
    store.write_text(json.dumps([{"name": name, "value": value} for name, value in values.items()]))
    return store


def test_only_the_named_ones_go_to_a_store_that_nobody_else_reads(tmp_path: Path) -> None:
    _store(tmp_path / "h" / ".nextflow", ONE="1", OTHER="2")

    written = write_secrets(find_secrets(["ONE"], {"HOME": str(tmp_path / "h")}), tmp_path / "run" / "store.json")

    assert json.loads(written.read_text()) == [{"name": "ONE", "value": "1"}]
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_where_none_are_named_no_store_is_read_and_an_empty_one_is_used(tmp_path: Path) -> None:
    store = _store(tmp_path / ".nextflow")
    store.write_text("rubbish")

    written = write_secrets(find_secrets([], {"HOME": str(tmp_path)}), tmp_path / "store.json")

    assert json.loads(written.read_text()) == []
    # Without its store the engine would give an empty text to a process that needs a secret.
    assert secrets_environment(written) == {"NXF_ENABLE_SECRETS": "true", "NXF_SECRETS_FILE": str(written)}


def test_a_missing_one_is_named_and_none_is_shown(tmp_path: Path) -> None:
    _store(tmp_path / ".nextflow", OTHER="canary")

    with pytest.raises(EngineError, match="'ONE'") as caught:
        find_secrets(["OTHER", "ONE"], {"HOME": str(tmp_path)})

    assert "nextflow secrets set ONE" in (caught.value.hint or "")
    assert "canary" not in f"{caught.value} {caught.value.hint}"


def test_without_any_store_the_first_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="'ONE'"):
        find_secrets(["ONE"], {"HOME": str(tmp_path)})


@pytest.mark.parametrize("text", ["", "{", "3", '[{"name": "ONE"}]', '["ONE"]', "null", "\x80"])
def test_a_store_of_rubbish_is_an_error_in_words(tmp_path: Path, text: str) -> None:
    _store(tmp_path / ".nextflow").write_bytes(text.encode("latin-1"))

    with pytest.raises(EngineError, match="can't be read"):
        find_secrets(["ONE"], {"HOME": str(tmp_path)})


def test_the_users_store_is_where_nextflow_has_it() -> None:
    home = {"HOME": "/h"}
    assert users_store(home) == Path("/h/.nextflow/secrets/store.json")
    assert users_store({**home, "NXF_HOME": "/n"}) == Path("/n/secrets/store.json")
    assert users_store({**home, "NXF_HOME": "/n", "NXF_SECRETS_FILE": "/s.json"}) == Path("/s.json")


def test_values_are_replaced_in_texts_however_they_are_written() -> None:
    mask = Mask({"TOK": 'a"b<c>$d', "LONGER": 'a"b<c>$d and more'})

    for text in ('a"b<c>$d', 'a\\"b<c>$d', "a&quot;b&lt;c&gt;$d", "a%22b%3Cc%3E%24d", 'a\\"b<c>\\$d'):
        assert mask.text(f"x{text}x") == "x<secret TOK>x"
    assert mask.text('a"b<c>$d and more') == "<secret LONGER>"


def test_a_short_value_is_only_replaced_as_a_whole_word() -> None:
    mask = Mask({"PIN": "abc"})

    assert mask.text("abc, abcd and xabc") == "<secret PIN>, abcd and xabc"


def test_each_long_line_of_a_value_counts() -> None:
    mask = Mask({"KEY": "-----BEGIN-----\nMIIEvQIBADANBg\n=\n"})

    assert mask.text("it read MIIEvQIBADANBg =") == "it read <secret KEY> ="


def test_a_record_stays_one_whatever_the_secret_is() -> None:
    mask = Mask({"A": "run-ended", "B": "name", "C": "1234", "D": "outputs"})
    event = {"event": "run-ended", "name": "name 1234", "size": 1234, "outputs": {"x": {"path": "runs/1234/outputs"}}}

    assert mask.tree(event) == {
        "event": "run-ended",
        "name": "<secret B> <secret C>",
        "size": 1234,
        "outputs": {"x": {"path": "runs/1234/outputs"}},
    }
    assert mask.tree({"pin": 1234}, numbers=True) == {"pin": "<secret C>"}


def test_nothing_is_touched_without_secrets() -> None:
    event = {"event": "x", "tail": ["", " "]}

    assert Mask({}).tree(event) is event
    assert Mask({"EMPTY": ""}).tree(event) is event


def test_kept_logs_are_rewritten_and_what_they_are_linked_to_is_not(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    (logs / "steps").mkdir(parents=True)
    task = tmp_path / "command.out"
    task.write_bytes(b"\xff token=canary\n")
    (logs / "steps" / "a.stdout").hardlink_to(task)
    (logs / "engine.log").write_text("nothing\n")
    outside = tmp_path / "outside"
    outside.write_text("canary")
    (logs / "link").symlink_to(outside)

    Mask({"TOK": "canary"}).folder(logs)

    assert (logs / "steps" / "a.stdout").read_bytes() == b"\xff token=<secret TOK>\n"
    assert task.read_bytes() == b"\xff token=canary\n"
    assert outside.read_text() == "canary"
    assert sorted(one.name for one in logs.iterdir()) == ["engine.log", "link", "steps"]


def test_which_secrets_a_process_needs_is_kept_with_the_interface() -> None:
    interface = WorkflowInterface(
        entry=PurePosixPath("main.nf"),
        process=None,
        language="nextflow",
        language_version="DSL2",
        kind="Workflow",
        inputs=(),
        outputs=(),
        tools=(Tool(id="A", kind="process", secrets=("ONE", "TWO")), Tool(id="B", kind="process", secrets=("ONE",))),
    )

    kept = interface_from_json(interface_as_json(interface))

    assert kept == interface
