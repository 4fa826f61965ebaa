"""The rows of the vault: staging, running and a big input in an encrypted working directory, beside a plain one.

What gocryptfs itself takes is measured by copying the same bytes into an empty one with ``cp`` and ``sync``.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench import measure
from bench.rows import Row

if TYPE_CHECKING:
    from bench.__main__ import Bench

_EXAMPLE = Path(__file__).resolve().parent.parent / "workflow_examples" / "word-count"
_MORE_SECONDS = 0.3
_SHARE = 1.1
_RESHARE_SECONDS = 0.2
_ONE_FILE = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: "true"
inputs: {data: File}
outputs: {}
"""


def measure_vault(bench: Bench) -> None:
    """All rows of the vault."""
    folder = bench.folder / "vault"
    shutil.copytree(_EXAMPLE, folder)
    plain = folder / "word-count.wfex.stage"
    encrypted = folder / "encrypted.wfex.stage"
    encrypted.write_text(plain.read_text().replace("secure: false", "secure: true"))
    # The other rows have no key: with one, what they stage would be encrypted too.
    bench.environment["WFEXS_LIKE_KEYS"] = str(folder / "keys")
    bench.wfexs("keys", "init", "--no-passphrase")
    try:
        _small(bench, plain, encrypted)
        _big(bench, folder)
    finally:
        # Where it was open it can't be removed as other folders can.
        for one in bench.answer("list")["workdirs"]:
            bench.wfexs("rm", one["id"], "--force")
        del bench.environment["WFEXS_LIKE_KEYS"]


def _small(bench: Bench, plain: Path, encrypted: Path) -> None:
    workdirs = [bench.answer("stage", one)["path"] for one in (plain, encrypted)]
    for workdir in workdirs:
        bench.wfexs("run", workdir)
    known = bench.median("stage", plain).seconds
    notes = {
        "stage": f"the same, not encrypted, its workflow read anew; {known:.2f} when it is known",
        "run": "the same, not encrypted",
    }
    for work, words in (("stage", (plain, encrypted)), ("run", workdirs)):
        without, having = _in_turns(bench, work, *words)
        bench.add(
            Row(
                work=f"{work}, two steps, encrypted",
                ours=having,
                limit=without,
                limit_note=notes[work],
                goal=without + _MORE_SECONDS,
                rule=f"{_MORE_SECONDS} s more",
            )
        )
    shared = bench.median("recipients", "list", workdirs[1])
    bench.add(Row(work="recipients of an encrypted one", ours=shared.seconds, goal=_RESHARE_SECONDS))


def _in_turns(bench: Bench, verb: str, plain: Path | str, encrypted: Path | str) -> tuple[float, float]:
    """The medians, measured in turns, so that other work on the machine makes both slower."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(bench.times):
        for one, of in zip((plain, encrypted), times, strict=True):
            # What is known of a workflow is kept in clear for plain ones, and for encrypted ones in each of them.
            bench.fresh("cache/inspections")
            of.append(bench.wfexs(verb, one).seconds)
    return statistics.median(times[0]), statistics.median(times[1])


def _big(bench: Bench, folder: Path) -> None:
    data = folder / "data"
    measure.make_file(data, bench.size)
    (folder / "one.cwl").write_text(_ONE_FILE)
    stage = folder / "big.wfex.stage"
    stage.write_text(
        "workflow_id: one.cwl\nworkflow_config: {secure: true}\nparams: {data: {c-l-a-s-s: File, url: ./data}}\n"
    )
    ours, bare = [], []
    for _ in range(min(3, bench.times)):
        with _gocryptfs(folder / "bare") as mounted:
            began = time.monotonic()
            subprocess.run(["cp", data, mounted / "data"], check=True)
            subprocess.run(["sync", "-f", mounted], check=True)
            bare.append(time.monotonic() - began)
        sample = bench.wfexs("stage", stage)
        ours.append(sample)
        bench.wfexs("rm", "last", "--yes")
    middle = statistics.median(bare)
    chosen = sorted(ours, key=lambda one: one.seconds)[len(ours) // 2]
    bench.add(
        Row(
            work=f"stage, an input of {bench.size / (1 << 30):g} GiB, encrypted",
            ours=chosen.seconds,
            limit=middle,
            limit_note="cp into a gocryptfs, and sync",
            goal=_SHARE * middle,
            rule=f"{_SHARE} x cp",
            memory=chosen.memory,
        )
    )


@contextmanager
def _gocryptfs(folder: Path) -> Iterator[Path]:
    """An empty one, mounted; nothing of it stays."""
    cipher, mounted, password = folder / "cipher", folder / "mounted", folder / "password"
    for path in (cipher, mounted):
        path.mkdir(parents=True)
    password.write_text("bench\n")
    quiet = ["gocryptfs", "-q", "-nosyslog", "-passfile", password]
    subprocess.run([*quiet, "-init", "-scryptn", "10", cipher], check=True)
    subprocess.run([*quiet, cipher, mounted], check=True)
    try:
        yield mounted
    finally:
        subprocess.run(["fusermount3", "-u", mounted], check=True)
        shutil.rmtree(folder)
