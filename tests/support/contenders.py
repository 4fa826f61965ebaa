"""Many processes stage the same things at the same time: a program.

Arguments: a folder, how many stagers, and how many collectors that collect the store's garbage all the while. Each
download adds a line to ``downloads``. Prints a JSON list of what each stager ended with.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest

from staging.fetchers.base import FetchContext, Fetched, Pin
from staging.fingerprints import Fingerprint
from staging.identifiers import Identifier
from staging.obtained import Request
from staging.obtaining import Obtainer
from staging.plan import Kind
from tests.support.killing import start_child
from tests.support.stages import Bench, plan_of, use_fetchers, wanted


class Slow:
    """A source that counts, and doesn't answer before all stagers have begun."""

    def __init__(self, root: Path, stagers: int) -> None:
        self.root = root
        self.stagers = stagers

    def pin(self, identifier: Identifier, context: FetchContext) -> Pin:
        return Pin(identifier=identifier)

    def survey(self, pin: Pin, context: FetchContext) -> Pin:
        return pin

    def fetch(self, pin: Pin, into: Path, context: FetchContext, known: Mapping[str, str]) -> Fetched:
        with (self.root / "downloads").open("a") as stream:
            stream.write(f"{pin.identifier}\n")
        while len(list(self.root.glob("begun-*"))) < self.stagers:
            time.sleep(0.02)
        content = str(pin.identifier).encode() * 1000
        into.write_bytes(content)
        return Fetched(kind=Kind.FILE, fingerprint=Fingerprint.of_bytes(content), size=len(content))


def stage(root: Path, number: int) -> None:
    bench = Bench(root)
    remember = Obtainer.remember

    def begin(obtainer: Obtainer, requests: Sequence[Request]) -> None:
        remember(obtainer, requests)
        (root / f"begun-{number}").touch()

    Obtainer.remember = begin  # type: ignore[method-assign]
    inputs = [wanted(f"r{one}", f"slow:{one}") for one in range(4)] + [wanted(f"f{one}") for one in range(20)]
    workdir, items = bench.stage(*inputs)
    with bench.store() as store:
        workdir.verify(plan_of(items), store, rehash=True)
    sources = [one.source for one in items[:4]]
    (root / f"told-{number}").write_text(json.dumps({"lock": plan_of(items).digest.digest, "sources": sources}))


def collect(root: Path) -> None:
    while not (root / "over").exists():
        with Bench(root).store() as store:
            store.gc()
        time.sleep(0.01)


def main() -> None:
    root, stagers, collectors = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    bench = Bench(root)
    for number in range(20):
        bench.file(f"f{number}", str(number) * 100)
    with pytest.MonkeyPatch.context() as patch:
        use_fetchers(patch, {"slow": Slow(root, stagers)})
        collecting = [start_child(partial(collect, root)) for _ in range(collectors)]
        staging = [start_child(partial(stage, root, number)) for number in range(stagers)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in staging]
        (root / "over").touch()
        codes += [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in collecting]
    told = [json.loads((root / f"told-{number}").read_text()) for number in range(stagers) if codes[number] == 0]
    print(json.dumps({"codes": codes, "told": told}))


if __name__ == "__main__":
    main()
