"""The rows of the seal: sealing, opening and sharing a file again, beside the reference command ``crypt4gh``.

The two are measured in turns, so that other work on the machine makes both slower. Each of ours is a process of its own
that starts Python, imports what it needs and does what a verb does with one file; it computes digests, which the
reference does not.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench import measure
from bench.measure import Sample
from bench.rows import Row
from staging.removing import remove_path
from wfexs_like.keys import encode_pair

if TYPE_CHECKING:
    from bench.__main__ import Bench

_SIZE = 1 << 30
_SHARE_GOAL = 0.8
_RESHARE_SECONDS = 0.2
_MANY = 2000
_SMALL = 1000
_FILE_SECONDS = 0.002
_MEMORY = 100_000_000
_REFERENCE = Path(sys.executable).parent / "crypt4gh"
_SEAL = """
import sys
from wfexs_like.seal.headers import new_session_key, seal_header
from wfexs_like.seal.recipients import read_recipient
from wfexs_like.seal.segments import seal
key = new_session_key()
with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb", buffering=0) as target:
    target.write(seal_header([read_recipient(one) for one in sys.argv[3:]], key))
    seal(source.fileno(), target.fileno(), key)
"""
_ONE_DIGEST = _SEAL.replace("fileno(), key)", "fileno(), key, body_digest=False)")
_OPEN = """
import sys
from pathlib import Path
from wfexs_like.keys import read_private
from wfexs_like.seal.headers import open_header
from wfexs_like.seal.opening import unseal
with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb", buffering=0) as target:
    header = open_header(source.fileno(), [read_private(Path(sys.argv[3]), None)])
    unseal(source.fileno(), header.length, target.fileno(), header.session_key)
"""
_SHARE = """
import sys
from pathlib import Path
from wfexs_like.keys import read_private
from wfexs_like.seal.recipients import read_recipient
from wfexs_like.seal.rewrapping import rewrap
path, secret, other = Path(sys.argv[1]), read_private(Path(sys.argv[2]), None), read_recipient(sys.argv[3])
rewrap(path, [secret], **{sys.argv[4]: [other]})
"""
_SEAL_MANY = """
import sys
from pathlib import Path
from wfexs_like.crate.payload import FolderWriter
from wfexs_like.seal.recipients import read_recipient
from wfexs_like.seal.sealing_crates import SealedFiles
crate = SealedFiles(FolderWriter(Path(sys.argv[2])), [read_recipient(one) for one in sys.argv[3:]], opaque=False)
for path in sorted(Path(sys.argv[1]).iterdir()):
    with path.open("rb", buffering=0) as source:
        crate.file(f"data/{path.name}", source)
crate.content("ro-crate-metadata.json", b'{"@graph": []}')
crate.finish(None)
crate.close()
"""
_OPEN_MANY = """
import sys
from pathlib import Path
from wfexs_like.keys import read_private
from wfexs_like.seal.opening_crates import open_sealed
assert open_sealed(Path(sys.argv[1]), Path(sys.argv[2]), [read_private(Path(sys.argv[3]), None)]).ok
"""
_SHARE_MANY = """
import sys
from pathlib import Path
from wfexs_like.keys import read_private
from wfexs_like.seal.recipients import read_recipient
from wfexs_like.seal.sharing import share
share(Path(sys.argv[1]), [read_private(Path(sys.argv[2]), None)], **{sys.argv[4]: [read_recipient(sys.argv[3])]})
"""


def measure_seal(bench: Bench) -> None:
    """All rows of the seal."""
    folder = bench.folder / "seal"
    folder.mkdir()
    privates, publics = _keys(folder)
    plain, ours, theirs, opened = (folder / name for name in ("plain", "ours.c4gh", "theirs.c4gh", "opened"))
    measure.make_file(plain, _SIZE)
    for program, count, note in ((_SEAL, 1, ""), (_SEAL, 5, ""), (_ONE_DIGEST, 5, ", no digest of the body")):
        chosen = publics[:count]
        words = [word for public in chosen for word in ("--recipient_pk", public)]
        _row(
            bench,
            f"seal 1 GiB for {count}{note}",
            [sys.executable, "-c", program, plain, ours, *chosen],
            _through([_REFERENCE, "encrypt", *words], plain, theirs),
            fresh=(ours, theirs),
        )
    _row(
        bench,
        "open 1 GiB",
        [sys.executable, "-c", _OPEN, ours, opened, privates[-1]],
        _through([_REFERENCE, "decrypt", "--sk", privates[-1]], ours, opened),
        fresh=(opened,),
    )
    _share_again(bench, [sys.executable, "-c", _SHARE, ours, privates[0], publics[1]])
    for path in (plain, ours, theirs, opened):
        path.unlink(missing_ok=True)
    _many_files(bench, folder, privates[0], publics)


def _many_files(bench: Bench, folder: Path, private: Path, publics: Sequence[Path]) -> None:
    """A crate of small files, whose time is that of the files, not of their bytes."""
    plain, sealed, opened = (folder / name for name in ("many", "many-sealed", "many-opened"))
    plain.mkdir()
    for number in range(_MANY):
        (plain / str(number)).write_bytes(os.urandom(_SMALL))
    works: dict[str, list[Sample]] = {name: [] for name in ("seal", "open", "share again")}
    for _ in range(bench.times):
        for path in (sealed, opened):
            remove_path(path)
        works["seal"].append(_once(bench, [sys.executable, "-c", _SEAL_MANY, plain, sealed, publics[0]]))
        works["open"].append(_once(bench, [sys.executable, "-c", _OPEN_MANY, sealed, opened, private]))
        share = [sys.executable, "-c", _SHARE_MANY, sealed, private, publics[1]]
        works["share again"] += [_once(bench, [*share, verb]) for verb in ("add", "remove")]
    for name, samples in works.items():
        bench.add(
            Row(
                work=f"{name}: {_MANY} files of 1 kB",
                ours=statistics.median(one.seconds for one in samples),
                least=min(one.seconds for one in samples),
                processor=statistics.median(one.processor for one in samples),
                goal=_MANY * _FILE_SECONDS,
                rule="2 ms a file",
                memory=max(one.memory for one in samples),
                memory_goal=_MEMORY,
            )
        )
    for path in (plain, sealed, opened):
        remove_path(path)


def _share_again(bench: Bench, argv: Sequence[str | Path]) -> None:
    samples = []
    for _ in range(bench.times):
        samples += [_once(bench, [*argv, verb]) for verb in ("remove", "add")]
    bench.add(
        Row(
            work="share 1 GiB again",
            ours=statistics.median(one.seconds for one in samples),
            least=min(one.seconds for one in samples),
            goal=_RESHARE_SECONDS,
            memory=max(one.memory for one in samples),
        )
    )


def _row(
    bench: Bench, work: str, ours: Sequence[str | Path], theirs: Sequence[str | Path], *, fresh: Sequence[Path]
) -> None:
    samples: tuple[list[Sample], list[Sample]] = ([], [])
    for _ in range(bench.times):
        for argv, taken in zip((ours, theirs), samples, strict=True):
            for path in fresh:
                if path in argv:
                    path.unlink(missing_ok=True)
            taken.append(_once(bench, argv))
    mine, bare = ([one.seconds for one in taken] for taken in samples)
    bench.add(
        Row(
            work=work,
            ours=statistics.median(mine),
            least=min(mine),
            processor=statistics.median(one.processor for one in samples[0]),
            bare=statistics.median(bare),
            least_bare=min(bare),
            processor_bare=statistics.median(one.processor for one in samples[1]),
            bare_note="the reference",
            goal=statistics.median(bare) * _SHARE_GOAL,
            rule=f"{_SHARE_GOAL} x the reference",
            memory=max(one.memory for one in samples[0]),
            memory_goal=_MEMORY,
        )
    )


def _once(bench: Bench, argv: Sequence[str | Path]) -> Sample:
    sample = measure.command(argv, cwd=Path.cwd(), environment=bench.environment)
    assert sample is not None
    return sample


def _through(argv: Sequence[str | Path], source: Path, target: Path) -> list[str | Path]:
    """The command with the files as its standard input and output."""
    return ["sh", "-c", 'i=$1; o=$2; shift 2; exec "$@" <"$i" >"$o"', "sh", source, target, *argv]


def _keys(folder: Path) -> tuple[list[Path], list[Path]]:
    privates, publics = [], []
    for number in range(5):
        private, public = folder / f"{number}.sec", folder / f"{number}.pub"
        for path, content in zip((private, public), encode_pair(None), strict=True):
            path.write_bytes(content)
            path.chmod(0o600)
        privates.append(private)
        publics.append(public)
    return privates, publics
