"""Long work told to a person: a line an event, sums instead of floods, moving lines only on a terminal."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import threading
import time

import pytest

from wfexs_like.cli import progress as module
from wfexs_like.cli.progress import SHOWN_EVENTS, SHOWN_MESSAGES, Narrator


def lines_of(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def test_each_transfer_gets_one_line_with_its_size() -> None:
    stream = io.StringIO()
    narrator = Narrator(stream)
    narrator.begin("1", "reads.fq", None)
    narrator.advance("1", 500, 1500)
    narrator.advance("1", 1500)
    narrator.end("1", "fetched")
    narrator.begin("2", "genome.fa", 42)
    narrator.end("2", "cache")
    narrator.begin("3", "gone.txt", None)
    narrator.end("3", "failed")
    narrator.close()
    assert lines_of(stream) == [
        "fetched: reads.fq (1.5 kB)",
        "in the cache: genome.fa (42 B)",
        "failed: gone.txt",
    ]


def test_a_name_can_neither_begin_a_line_nor_move_the_cursor() -> None:
    stream = io.StringIO()
    narrator = Narrator(stream, verbose=True)
    narrator.step_started("A (x\nwfexs-like: error: it is not\x1b[2J\r)", identity="1")
    narrator.step_ended("A (x\nwfexs-like: error: it is not\r)", "completed", identity="1", seconds=1.0)
    narrator.begin("1", "a\nb\x08", None)
    narrator.end("1", "fetched")
    narrator.close()

    assert lines_of(stream)[:4] == [
        "step A (x\\nwfexs-like: error: it is not\\r)",
        "task A (x\\nwfexs-like: error: it is not\\r) completed after 1.0 s",
        "fetching a\\nb\\x08",
        "fetched: a\\nb\\x08",
    ]


def test_a_thousand_transfers_from_many_threads_are_summed_up_and_none_is_lost() -> None:
    stream = io.StringIO()
    narrator = Narrator(stream)

    def work(start: int) -> None:
        for number in range(start, 1000, 8):
            narrator.begin(str(number), f"file-{number}", 10)
            narrator.advance(str(number), 10)
            narrator.end(str(number), "fetched")

    threads = [threading.Thread(target=work, args=(start,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    narrator.close()
    lines = lines_of(stream)
    assert len(lines) < SHOWN_EVENTS + 10
    assert lines[-1] == "1000 items: 1000 fetched (10.0 kB)"


def test_a_failure_among_a_thousand_still_has_its_own_line() -> None:
    stream = io.StringIO()
    narrator = Narrator(stream)
    for number in range(500):
        narrator.begin(str(number), f"file-{number}", 1)
        narrator.end(str(number), "failed" if number == 400 else "cache")
    narrator.close()
    assert [line for line in lines_of(stream) if "file-400" in line] == ["failed: file-400 (1 B)"]
    assert lines_of(stream)[-1] == "500 items: 499 in the cache, 1 failed"


def test_messages_are_told_and_a_flood_of_them_is_counted() -> None:
    stream = io.StringIO()
    narrator = Narrator(stream)
    for number in range(SHOWN_MESSAGES + 7):
        narrator.say(f"message {number}")
    narrator.close()
    assert len(lines_of(stream)) == SHOWN_MESSAGES + 1
    assert "and 7 more messages" in lines_of(stream)[-1]


def test_verbose_sums_up_nothing() -> None:
    stream = io.StringIO()
    narrator = Narrator(stream, verbose=True)
    for number in range(100):
        narrator.begin(str(number), f"file-{number}", 1)
        narrator.end(str(number), "fetched")
        narrator.say(f"message {number}")
    narrator.close()
    assert len(lines_of(stream)) == 300


def test_quiet_tells_messages_only() -> None:
    stream = io.StringIO()
    narrator = Narrator(stream, quiet=True)
    narrator.begin("1", "reads.fq", None)
    narrator.end("1", "fetched")
    narrator.step_started("align")
    narrator.step_ended("align", "failed", 3)
    narrator.say("a mirror failed")
    narrator.close()
    assert lines_of(stream) == ["a mirror failed"]


def test_steps_are_told_as_they_end_with_their_exit_code() -> None:
    stream = io.StringIO()
    narrator = Narrator(stream)
    narrator.step_started("index")
    narrator.step_ended("index", "completed", 0)
    narrator.step_ended("optional", "skipped")
    narrator.step_started("align")
    narrator.step_ended("align", "failed", 3)
    narrator.close()
    assert [re.sub("after .* ms", "after a moment", line) for line in lines_of(stream)] == [
        "step index completed after a moment",
        "step optional skipped",
        "step align failed with exit code 3 after a moment",
    ]


def test_a_thousand_tasks_are_summed_up_by_how_they_ended() -> None:
    stream = io.StringIO()
    narrator = Narrator(stream)
    for number in range(1000):
        name, identity = f"COUNT ({number})", f"{number:032x}"
        narrator.step_started(name, identity=identity)
        if number % 4 == 0:
            narrator.step_ended(name, "completed", 0, identity=identity, cached=True)
        elif number % 4 == 1:
            narrator.step_ended(name, "failed", 3, identity=identity, after="retry")
        else:
            narrator.step_ended(name, "failed" if number == 999 else "completed", 0, identity=identity)
    narrator.close()
    lines = lines_of(stream)
    assert len(lines) < SHOWN_EVENTS + 10
    assert [line.partition(" after ")[0] for line in lines if "(999)" in line] == ["task COUNT (999) failed"]
    assert lines[-1] == "1000 tasks: 499 completed, 1 failed, 250 taken from an earlier run, 250 tried again"


def test_members_of_one_name_that_run_at_once_are_not_mixed_up() -> None:
    stream = io.StringIO()
    narrator = Narrator(stream)
    narrator.step_started("COUNT", identity="a")
    time.sleep(0.1)
    narrator.step_started("COUNT", identity="b")
    narrator.step_ended("COUNT", "completed", 0, identity="b")
    narrator.step_ended("COUNT", "completed", 0, identity="a")
    narrator.close()
    short, long = lines_of(stream)
    assert short.endswith(" ms")
    assert float(long.split()[-2]) >= 0.1
    assert long.endswith(" s")


def test_a_long_transfer_shows_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_EVERY", 0.0)
    stream = io.StringIO()
    narrator = Narrator(stream)
    narrator.begin("1", "reads.fq", 4000)
    time.sleep(0.001)
    narrator.advance("1", 1000)
    assert lines_of(stream) == ["fetching reads.fq: 1.0 kB of 4.0 kB"]


def test_names_of_transfers_have_no_power_over_the_terminal() -> None:
    stream = io.StringIO()
    narrator = Narrator(stream)
    narrator.begin("1", "evil\x1b[2Jname", 1)
    narrator.end("1", "fetched")
    narrator.say("server says \x1b]0;title\x07 hi")
    assert "\x1b" not in stream.getvalue()


class Deaf(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_work_goes_on_when_nobody_listens() -> None:
    narrator = Narrator(Deaf())
    narrator.say("anybody?")
    narrator.begin("1", "x", 1)
    narrator.end("1", "fetched")
    narrator.close()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_moving_lines_appear_for_long_work_and_are_taken_away() -> None:
    stream = Terminal()
    narrator = Narrator(stream, live=True)
    narrator.begin("1", "reads.fq", 1000)
    narrator.step_started("align")
    deadline = time.monotonic() + 20
    while "reads.fq" not in stream.getvalue() and time.monotonic() < deadline:
        narrator.advance("1", 500)
        time.sleep(0.05)
    assert "reads.fq" in stream.getvalue()
    assert "align" in stream.getvalue()
    narrator.say("said meanwhile")
    narrator.end("1", "fetched")
    narrator.step_ended("align", "completed", 0)
    narrator.close()
    assert "said meanwhile" in stream.getvalue()
    assert "step align completed" in stream.getvalue()
    # The cursor that was hidden is shown again.
    assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex("\x1b[?25l")


def test_a_terminal_shows_what_runs_and_the_sum_of_what_is_over() -> None:
    stream = Terminal()
    narrator = Narrator(stream, live=True)
    for number in range(SHOWN_EVENTS + 5):
        narrator.step_started(f"COUNT ({number})", identity=str(number))
        narrator.step_ended(f"COUNT ({number})", "completed", 0, identity=str(number))
    narrator.step_started("MERGE", identity="m")
    deadline = time.monotonic() + 20
    while "25 tasks: 25 completed" not in stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "25 tasks: 25 completed" in stream.getvalue()
    assert "MERGE" in stream.getvalue()
    narrator.step_started("LAST", identity="l")
    narrator.step_ended("LAST", "failed", 3, identity="l", after="retry")
    while "26 tasks: 25 completed, 1 tried again" not in stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.05)
    narrator.close()
    assert "26 tasks: 25 completed, 1 tried again" in stream.getvalue()


def test_short_work_on_a_terminal_loads_no_library_and_moves_nothing() -> None:
    code = """
import io, sys
from wfexs_like.cli.progress import Narrator
class Terminal(io.StringIO):
    def isatty(self): return True
stream = Terminal()
narrator = Narrator(stream, live=True)
narrator.begin("1", "x", 1)
narrator.end("1", "fetched")
narrator.step_started("a")
narrator.step_ended("a", "completed", 0)
narrator.close()
assert "rich" not in sys.modules
assert stream.getvalue().startswith("step a completed after "), stream.getvalue()
"""
    subprocess.run([sys.executable, "-c", code], check=True)
