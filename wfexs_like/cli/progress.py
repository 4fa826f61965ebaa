"""Progress: long work told to a person. Moving lines on a terminal, else one plain line an event, never a flood."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from wfexs_like.cli.render import counted, duration, one_line, plain, size

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

SHOWN_EVENTS: Final = 20
"""So many transfers (and so many steps) get a line of their own; the rest are counted."""

SHOWN_MESSAGES: Final = 50
SHOWN_BARS: Final = 8
SUMMARY_EVERY: Final = 2.0
HEARTBEAT_EVERY: Final = 15.0
PATIENCE: Final = 0.3
"""Seconds before moving lines appear: quick work stays quiet, and pays for no library."""

_OUTCOMES: Final = {"fetched": "fetched", "cache": "in the cache", "failed": "failed"}
_GOT_OVER: Final = {"retry": "tried again", "ignore": "ignored"}
_DOING: Final = {"look": "looking at"}
"""What is being done, by what stands before the colon of a key; else something is fetched."""
_REUSED: Final = "taken from an earlier run"


@dataclass(slots=True)
class _Work:
    """One piece of work that is going on; ``bar`` is its line when it has one. Sizes are in bytes."""

    label: str
    total: int | None
    kind: str
    started: float
    heard: float
    done: int = 0
    bar: TaskID | None = None


class Narrator:
    """Hears of transfers (``staging.progress.Progress``) and of steps, from any thread, and tells them on ``stream``.

    With ``quiet`` only messages are told. ``live`` is for a terminal.
    """

    def __init__(self, stream: IO[str], *, live: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        self._stream = stream
        self._live = live
        self._quiet = quiet
        self._verbose = verbose
        self._lock = threading.RLock()
        self._works: dict[str, _Work] = {}
        self._ended: Counter[tuple[str, str]] = Counter()
        self._lines: Counter[str] = Counter()
        self._untold = False
        self._told_at = 0.0
        self._moved = 0
        self._messages = 0
        self._bars: Bars | None = None
        self._sum: TaskID | None = None
        self._timer: threading.Timer | None = None
        self._closed = False

    # What staging tells

    def begin(self, key: str, label: str, total: int | None) -> None:
        """Work ``key`` starts; ``total`` is in bytes, ``None`` while unknown."""
        self._begin(key, label, total, "item")

    def advance(self, key: str, done: int, total: int | None = None) -> None:
        """``done`` bytes of it are done."""
        with self._lock:
            work = self._works.get(key)
            if work is None:
                return
            work.done, work.total = done, work.total if total is None else total
            if self._bars is not None:
                self._show(work)
            elif not self._live and not self._quiet and time.monotonic() - work.heard > HEARTBEAT_EVERY:
                work.heard = time.monotonic()
                amount = size(done) if work.total is None else f"{size(done)} of {size(work.total)}"
                self._write(f"{_DOING.get(key.partition(':')[0], 'fetching')} {work.label}: {amount}")

    def end(self, key: str, outcome: str) -> None:
        """It ended: ``fetched``, ``cache``, ``failed``, or ``absent`` or ``part``, which are not worth a line."""
        with self._lock:
            work = self._works.pop(key, None)
            if work is None:
                return
            moved = work.total if work.done == 0 and work.total is not None else work.done
            amount = f" ({size(moved)})" if moved or work.total is not None else ""
            self._moved += moved if outcome == "fetched" else 0
            self._finish(work, outcome, f"{_OUTCOMES.get(outcome, outcome)}: {work.label}{amount}")

    def say(self, message: str) -> None:
        """One line for a person."""
        with self._lock:
            self._messages += 1
            if self._messages <= SHOWN_MESSAGES or self._verbose:
                self._write(message)

    # What an engine tells

    def step_started(self, name: str, *, identity: str | None = None) -> None:
        """A step of the workflow starts; an attempt that has an ``identity`` of its own is called a task."""
        self._begin(f"step:{identity or name}", name, None, "task" if identity else "step")

    def step_ended(
        self,
        name: str,
        status: str,
        exit_code: int | None = None,
        *,
        identity: str | None = None,
        attempt: int = 1,
        cached: bool = False,
        after: str | None = None,
        seconds: float | None = None,
    ) -> None:
        """It ended: ``completed``, ``failed``, ``killed``, ``skipped``.

        ``attempt``, ``cached`` and ``after`` are as in ``StepRun``; ``seconds`` is how long it took, where told.
        """
        with self._lock:
            now = time.monotonic()
            kind = "task" if identity else "step"
            work = self._works.pop(f"step:{identity or name}", None) or _Work(one_line(name), None, kind, now, now)
            who = f"{kind} {one_line(name)}" + (f" (attempt {attempt})" if attempt > 1 else "")
            if cached:
                self._finish(work, _REUSED, f"{who} {_REUSED}")
                return
            spent = now - work.started if seconds is None else seconds
            took = "" if status == "skipped" else f" after {duration(spent)}"
            code = f" with exit code {exit_code}" if exit_code and status == "failed" else ""
            over = _GOT_OVER.get(after or "") if status == "failed" else None
            self._finish(work, over or status, f"{who} {status}{code}{took}" + (f", {over}" if over else ""))

    def close(self) -> None:
        """Nothing more comes: take the moving lines away and tell what was only counted."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            timer, self._timer = self._timer, None
            if timer is not None:
                timer.cancel()
            if self._bars is not None:
                self._bars.stop()
                self._bars = None
            self._summary()
            if self._messages > SHOWN_MESSAGES and not self._verbose:
                self._write(f"and {self._messages - SHOWN_MESSAGES} more messages (--verbose shows them all)")

    # How

    def _begin(self, key: str, label: str, total: int | None, kind: str) -> None:
        now = time.monotonic()
        with self._lock:
            work = _Work(one_line(label), total, kind, now, now)
            self._works[key] = work
            if self._quiet or self._closed:
                return
            if self._bars is not None:
                self._show(work)
            elif self._live and self._timer is None:
                self._timer = threading.Timer(PATIENCE, self._appear)
                self._timer.daemon = True
                self._timer.start()
            elif self._verbose and not self._live:
                self._write(f"{'fetching' if kind == 'item' else 'step'} {work.label}")

    def _finish(self, work: _Work, outcome: str, line: str) -> None:
        if self._bars is not None and work.bar is not None:
            self._bars.remove_task(work.bar)
            work.bar = None
            waiting = next((one for one in self._works.values() if one.bar is None), None)
            if waiting is not None:
                self._show(waiting)
        if outcome in ("absent", "part"):
            return
        self._ended[work.kind, outcome] += 1
        self._lines[work.kind] += 1
        self._show_counts(work.kind)
        if self._quiet:
            return
        if self._lines[work.kind] <= SHOWN_EVENTS or self._verbose or outcome in ("failed", "killed"):
            # On a terminal a transfer's bar was enough; a step's end is worth a line that stays.
            if not self._live or work.kind != "item":
                self._write(line)
            return
        self._untold = True
        if not self._live and time.monotonic() - self._told_at > SUMMARY_EVERY:
            self._summary()

    def _summary(self) -> None:
        if not self._untold or self._quiet:
            return
        self._untold = False
        self._told_at = time.monotonic()
        for kind in ("item", "step", "task"):
            if self._lines[kind] > SHOWN_EVENTS:
                moved = f" ({size(self._moved)})" if kind == "item" and self._moved else ""
                self._write(f"{counted(self._lines[kind], kind)}: {self._counts(kind)}{moved}")

    def _counts(self, kind: str) -> str:
        ended = sorted((outcome, number) for (one, outcome), number in self._ended.items() if one == kind)
        return ", ".join(f"{number} {_OUTCOMES.get(outcome, outcome)}" for outcome, number in ended)

    def _show_counts(self, kind: str) -> None:
        """The sum of what ended, on a moving line of its own; what runs stands on the lines beside it."""
        bars = self._bars
        if bars is None or kind == "item" or not self._lines[kind]:
            return
        words = f"{counted(self._lines[kind], kind)}: {self._counts(kind)}"
        if self._sum is None:
            self._sum = bars.add_task(words, total=None, kind=kind)
        bars.update(self._sum, description=words)

    def _write(self, line: str) -> None:
        text = plain(line)
        try:
            if self._bars is not None:
                self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)
            else:
                self._stream.write(text + "\n")
                self._stream.flush()
        except (BrokenPipeError, ValueError):
            # Nobody hears us; the work matters more than the words about it.
            self._quiet = True

    def _appear(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
        from rich.progress import TransferSpeedColumn as Speed

        # A step has no bytes: its columns of numbers stay empty.
        class Bytes(DownloadColumn):
            def render(self, task):  # type: ignore[no-untyped-def]
                return super().render(task) if task.fields["kind"] == "item" else ""

        with self._lock:
            if self._closed or not self._works:
                self._timer = None
                return
            self._bars = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                Bytes(),
                Speed(),
                TimeRemainingColumn(compact=True),
                console=Console(file=self._stream, force_terminal=True),
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._bars.start()
            for kind in ("step", "task"):
                self._show_counts(kind)
            for work in self._works.values():
                self._show(work)

    def _show(self, work: _Work) -> None:
        bars = self._bars
        if bars is None:
            return
        if work.bar is None:
            if sum(one.bar is not None for one in self._works.values()) >= SHOWN_BARS:
                return
            work.bar = bars.add_task(work.label, total=work.total, completed=work.done, kind=work.kind)
        bars.update(work.bar, completed=work.done, total=work.total)
