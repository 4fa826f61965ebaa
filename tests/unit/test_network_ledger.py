"""The ledger of attempts, and what a journal then tells of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engines.journal import JOURNAL, replay
from engines.network.ledger import MOST, Ledger
from engines.network.packets import RESOLVER, Attempted
from engines.summary import offline

TIME = "2026-11-21T10:00:00.000+00:00"


def tcp(port: int) -> Attempted:
    return Attempted("tcp", 4, "192.0.2.1", port, source_port=50000)


def test_the_same_thing_is_told_once_and_counted() -> None:
    ledger = Ledger(lambda _folders: "align")

    assert ledger.note(tcp(80), ("runs/1/tmp/a",), "curl", TIME) is not None
    assert ledger.note(tcp(80), ("runs/1/tmp/b",), "wget", TIME) is None
    assert ledger.note(tcp(81), ("runs/1/tmp/b",), "wget", TIME) is not None

    (final,) = ledger.final()
    assert (final["number"], final["count"], final["step"], final["program"]) == (1, 2, "align", "curl")
    assert list(ledger.final()) == []


def test_a_step_that_becomes_known_later_is_told_in_the_end() -> None:
    known: dict[str, str] = {}
    ledger = Ledger(lambda folders: next((known[one] for one in folders if one in known), None))

    first = ledger.note(tcp(80), ("runs/1/engine/work/ab/cd",), "curl", TIME)
    known["runs/1/engine/work/ab/cd"] = "ALIGN (1)"

    assert first is not None
    assert first["step"] is None
    assert [one["step"] for one in ledger.final()] == ["ALIGN (1)"]


def test_no_more_is_kept_than_anybody_reads() -> None:
    ledger = Ledger(lambda _folders: None)

    told = [ledger.note(tcp(port), (), None, TIME) for port in range(MOST + 7)]

    assert sum(one is not None for one in told) == MOST
    assert ledger.unlisted == 7
    # What is listed already is counted on.
    assert ledger.note(tcp(3), (), None, TIME) is None
    assert [one["count"] for one in ledger.final()] == [2]


def test_whom_a_name_is_asked_of_is_told_where_somebody_chose_it() -> None:
    ledger = Ledger(lambda _folders: None)

    ours = ledger.note(Attempted("dns", 4, RESOLVER, 53, "example.org", "A"), (), None, TIME)
    theirs = ledger.note(Attempted("dns", 4, "8.8.8.8", 53, "example.org", "A"), (), None, TIME)

    assert ours is not None
    assert theirs is not None
    assert (ours["address"], theirs["address"]) == (None, "8.8.8.8")


def journal(folder: Path, *lines: dict[str, Any]) -> Path:
    first = {
        "event": "run-started",
        "time": TIME,
        "run": 1,
        "uuid": "8f14e45f-ceea-467f-a9b8-000000000001",
        "engine": {"name": "cwltool", "version": "3.1"},
    }
    path = folder / JOURNAL
    path.write_text("".join(json.dumps(one) + "\n" for one in (first, *lines)))
    return path


def attempt(number: int, **more: Any) -> dict[str, Any]:
    line = {"event": "attempt", "time": TIME, "number": number, "protocol": "tcp", "address": "192.0.2.1", "port": 80}
    return {**line, "name": None, "count": 1, "step": None, "program": "curl", **more}


def test_the_last_word_on_an_attempt_counts_and_what_turned_out_to_be_the_same_is_one(tmp_path: Path) -> None:
    path = journal(
        tmp_path,
        {"event": "network-watched", "time": TIME, "of": "engine", "watched": True},
        {"event": "network-watched", "time": TIME, "of": "containers", "watched": False, "reason": "no device"},
        attempt(1),
        attempt(2, step="align"),
        attempt(1, step="align", count=4),
        {"event": "attempts-unlisted", "time": TIME, "count": 9},
    )

    execution = replay(path)

    (found,) = execution.attempts
    assert (found.address, found.port, found.step, found.count) == ("192.0.2.1", 80, "align", 5)
    assert (execution.watched, execution.containers_watched, execution.unwatched_because) == (True, False, "no device")
    told = offline(execution)
    assert (told["unlisted"], told["unwatched_because"]) == (9, "no device")


def test_a_record_of_before_tells_of_no_watch(tmp_path: Path) -> None:
    execution = replay(journal(tmp_path))

    assert (execution.watched, execution.containers_watched, execution.attempts) == (False, None, ())
