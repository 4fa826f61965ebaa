"""Hostile tools: what a step can't change, forge or look at while it runs."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import stat
import sys
from pathlib import Path

import pytest

import engines.launcher
from engines.execution import Execution, Status
from engines.isolation import Isolation, choices
from engines.outputs import Outputs
from staging.errors import PolicyError
from tests.support.runs import Bench, bench, installed, tool
from wfexs_like.session import Session
from wfexs_like.settings import Settings

__all__ = ["bench", "installed"]

pytestmark = pytest.mark.cwltool

FILE = "{file: {type: File, inputBinding: {}}}"


@pytest.fixture(params=["root", "user"])
def ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to a mount namespace: as root, and by a user namespace."""
    root = request.param == "root"
    if root and os.geteuid() != 0:
        pytest.skip("needs root")
    found = [one for one in choices(root=root, network=True) if one.mounts]
    chosen: tuple[Isolation, ...] = (found[0],)
    monkeypatch.setattr(engines.launcher, "choices", lambda **_wish: chosen)
    return str(request.param)


@pytest.mark.netns
def test_what_the_kernel_keeps_for_no_process_goes_with_the_run(bench: Bench, ways: str) -> None:
    queue = (
        "import ctypes, os; assert ctypes.CDLL(None).mq_open(b'/left-behind', os.O_CREAT | os.O_RDWR, 0o600, None) >= 0"
    )
    bench.write(main=tool(f'ipcmk -M 64 -Q -S 1 && ipcs | grep -c "^0x" && {sys.executable} -c "{queue}"'))
    tables = [Path("/proc/sysvipc") / name for name in ("shm", "msg", "sem")]
    before = [table.read_text() for table in tables]

    execution = bench.run()

    assert execution.status is Status.COMPLETED, (ways, bench.log())
    assert (bench.content / "runs" / "1" / "outputs" / "out.txt").read_text().splitlines()[-1] == "3"
    # Identifiers and sizes; the rest are times and the number of those that use it.
    assert [_first_fields(one.read_text()) for one in tables] == [_first_fields(one) for one in before]
    with pytest.raises(FileNotFoundError):
        _open_queue(b"/left-behind")


def _first_fields(table: str) -> list[list[str]]:
    return [line.split()[:2] for line in table.splitlines()]


def _open_queue(name: bytes) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.mq_open(name, os.O_RDONLY) < 0:
        raise OSError(ctypes.get_errno(), name)


@pytest.mark.netns
@pytest.mark.parametrize(
    "command",
    [
        'echo worse > "$0"',
        'sort -o "$0" "$0"',
        'umount "$(dirname "$(readlink -f "$0")")/.."; mount -o remount,rw,bind "$(dirname "$0")"; echo worse > "$0"',
        'unshare -rm sh -c \'mount -o remount,rw,bind "$(dirname "$(dirname "$0")")"; echo worse > "$0"\' "$0"',
        'real="$(readlink -f "$0")"; rm -f "$real"; mv "$(dirname "$real")" elsewhere',
    ],
)
def test_a_tool_cannot_change_what_is_staged(bench: Bench, ways: str, command: str) -> None:
    bench.write(main=tool(command, inputs=FILE))
    staged = bench.file("in.txt", "b\na\n")
    Path(staged["path"]).chmod(0o666)

    execution = bench.run(params={"file": staged})

    assert Path(staged["path"]).read_text() == "b\na\n", (ways, bench.log())
    assert execution.status is Status.FAILED


@pytest.mark.netns
def test_a_tool_cannot_write_the_store_its_records_or_other_runs(bench: Bench, ways: str, tmp_path: Path) -> None:
    store = tmp_path / "cache"
    store.mkdir()
    other = bench.content / "runs" / "7"
    other.mkdir(parents=True)
    targets = [
        store, bench.content, bench.content / "workflow", other, bench.content / "runs/1/journal.jsonl",
        Path(engines.launcher.__file__).parent,
    ]  # fmt: skip
    tries = "; ".join(f"[ -d {one} ] && touch {one}/new || echo x >> {one}" for one in targets)
    bench.write(main=tool(f"{tries}; true"))
    execution = bench.engine.run(dataclasses.replace(bench.request(), store=store), lambda _event: None)

    assert execution.status is Status.COMPLETED, (ways, execution.error)
    assert [one for one in targets if (one / "new").exists()] == []
    assert not (bench.content / "runs/1/journal.jsonl").read_text().endswith("x\n")


@pytest.mark.netns
def test_a_tool_cannot_speak_for_the_engine(bench: Bench, ways: str) -> None:
    word = '{"event":"ended","exit_code":0,"outputs":{},"moved":{},"refused":[],"failure":null,"error":null}'
    bench.write(main=tool(f"for one in /proc/[0-9]*/fd/*; do echo '{word}' > $one; done 2>/dev/null; exit 3"))

    execution = bench.run()

    assert execution.status is Status.FAILED, ways
    assert "exit code 3" in (execution.error or "")


def _somebody_elses(folder: Path) -> dict[str, str]:
    """A folder that none of our runs may touch; ``_listing`` says the same as long as none has."""
    (folder / "sub").mkdir(parents=True)
    (folder / "steps").mkdir()
    for name in ("in.txt", "sub/in.txt", "steps/one.stdout"):
        (folder / name).write_text("theirs")
    (folder / "link").symlink_to("in.txt")
    (folder / "sub" / "link").symlink_to("/")
    return _listing(folder)


def _listing(folder: Path) -> dict[str, str]:
    return {
        str(one.relative_to(folder)): str(one.readlink()) if one.is_symlink() else one.read_text()
        for one in sorted(folder.rglob("*"))
        if one.is_symlink() or one.is_file()
    }


@pytest.mark.parametrize("name", ["outputs", "logs", "logs/steps", "tmp", "engine"])
def test_what_a_tool_puts_in_place_of_a_folder_of_its_run_is_left_alone(
    bench: Bench, tmp_path: Path, name: str
) -> None:
    theirs = tmp_path / "theirs"
    before = _somebody_elses(theirs)
    run = bench.content / "runs" / "1"
    bench.write(main=tool(f"echo made; mv {run}/{name} {run}/away; ln -s {theirs} {run}/{name}"))

    execution = bench.run()

    assert execution.status is Status.FAILED
    assert execution.error == f"a task put something else in place of the run's folder '{name}'"
    assert execution.outputs == {}
    assert json.loads((run / "journal.jsonl").read_text().splitlines()[-1])["error_kind"] == PolicyError.kind
    # The engine's own process, which is no more than the tools are, may have put a file of its own there.
    assert before.items() <= _listing(theirs).items()
    assert (run / "away").is_dir()


def test_an_output_in_a_folder_that_is_a_link_is_not_renamed(bench: Bench, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    before = _somebody_elses(theirs)
    outputs = Outputs(root=bench.content / "outputs", content=bench.content)
    (bench.content / "outputs").mkdir(parents=True)
    (bench.content / "outputs" / "sub").symlink_to(theirs)

    with pytest.raises(PolicyError, match="leads out of the run"):
        outputs.admit({"out": {"class": "File", "path": f"{bench.content}/outputs/sub/in.txt"}})

    assert _listing(theirs) == before


def test_the_summary_of_a_run_is_not_written_through_a_link(bench: Bench, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.txt"
    theirs.write_text("theirs")
    run = bench.content / "runs" / "1"
    bench.write(main=tool(f"for one in .run.json run.json; do ln -s {theirs} {run}/$one; done; echo made"))

    execution = bench.run()

    assert execution.status is Status.COMPLETED, execution.error
    assert theirs.read_text() == "theirs"
    assert not (run / "run.json").is_symlink()


def _in_place(bench: Bench) -> Execution:
    bench.write(
        main=tool(
            "echo more >> in.txt",
            inputs="{file: File}",
            outputs="{out: {type: File, outputBinding: {glob: in.txt}}}",
            more=(
                "requirements:\n  InplaceUpdateRequirement: {inplaceUpdate: true}\n"
                "  InitialWorkDirRequirement: {listing: [{entry: $(inputs.file), writable: true}]}"
            ),
        )
    )
    return bench.run(params={"file": bench.file("in.txt", "text\n")})


def test_a_staged_file_that_is_updated_in_place_is_a_copy(bench: Bench) -> None:
    execution = _in_place(bench)

    assert execution.status is Status.COMPLETED, execution.error
    assert bench.text(execution.outputs["out"]) == "text\nmore\n"
    assert (bench.content / "inputs/in.txt").read_text() == "text\n"
    assert stat.S_ISREG((bench.content / execution.outputs["out"]["path"]).lstat().st_mode)


STAGE = "workflow_id: main.cwl\nworkflow_type: cwl\nparams:\n  file: {c-l-a-s-s: File, url: in.txt}\n"
REWRITE = 'real="$(readlink -f "$0")"; chmod u+w "$real"; printf worse > "$real"; cp -p "$real" "$real.n"; rm "$real.n"'


def test_without_namespaces_a_run_that_changed_its_input_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines.launcher, "choices", lambda **_wish: choices(root=False, network=True)[-1:])
    (tmp_path / "main.cwl").write_text(tool(REWRITE, inputs=FILE))
    (tmp_path / "in.txt").write_text("b\na\n")
    stage_file = tmp_path / "demo.wfex.stage"
    stage_file.write_text(STAGE)
    places = {name: tmp_path / name for name in ("config", "cache", "workdirs", "credentials", "keys")}
    session = Session(Settings(**places, environment={"PATH": os.environ["PATH"]}))
    staged = session.stage(stage_file)
    assert staged.id is not None

    execution = session.run(staged.id)

    assert execution.status is Status.FAILED
    assert (execution.error or "").startswith("what is staged was changed while it ran: ")
    (told,) = session.show(staged.id).runs
    assert (told.status, told.error) == (Status.FAILED, execution.error)


ANY = "cwlVersion: v1.2\nclass: ExpressionTool\nrequirements: {InlineJavascriptRequirement: {}}\ninputs: {}\n"


def _made(value: str, kind: str = "File") -> str:
    return f'{ANY}outputs: {{out: {kind}}}\nexpression: "${{return {{out: {value}}};}}"\n'


@pytest.mark.node
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("{'class': 'File', 'location': 'file://SECRET'}", "File"),
        (
            "{'class': 'Directory', 'basename': 'd', 'listing': [{'class': 'File', 'location': 'file://SECRET'}]}",
            "Directory",
        ),
    ],
)
def test_javascript_cannot_hand_out_a_file_of_the_host(bench: Bench, tmp_path: Path, value: str, kind: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary")
    bench.write(main=_made(value.replace("SECRET", str(secret)), kind))

    execution = bench.run()

    assert execution.status is Status.FAILED
    assert "leads out of the run" in (execution.error or "")
    assert not execution.outputs


def test_a_default_of_a_nested_tool_is_not_a_file_of_the_host(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary")
    default = f"{{class: File, location: 'file://{secret}'}}"
    bench.write(
        main="""
        cwlVersion: v1.2
        class: Workflow
        inputs: {}
        outputs: {out: {type: File, outputSource: one/out}}
        steps: {one: {run: one.cwl, in: {}, out: [out]}}
        """,
        one=tool("cat $0", inputs=f"{{file: {{type: File, default: {default}, inputBinding: {{}}}}}}"),
    )

    execution = bench.run()

    assert execution.status is Status.FAILED
    assert "neither staged nor a product of this run" in (execution.error or "")


def test_a_link_to_a_folder_with_a_link_out_is_refused(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary")
    command = f'mkdir "$TMPDIR/f" d; ln -s {secret} "$TMPDIR/f/x"; ln -s "$TMPDIR/f" d/l'
    bench.write(main=tool(command, outputs="{d: {type: Directory, outputBinding: {glob: d}}}", more=""))

    execution = bench.run()

    assert execution.status is Status.FAILED
    assert "leads out of the run" in (execution.error or "")
    assert not [one for one in (bench.content / "runs").rglob("*") if one.is_file() and "canary" in one.read_text()]


@pytest.mark.parametrize("name", ["a\\nb", "a\\377b"])
def test_a_name_that_no_crate_can_hold_fails_the_run(bench: Bench, name: str) -> None:
    command = f"mkdir d; printf x > \"$(printf 'd/{name}')\""
    bench.write(main=tool(command, outputs="{d: {type: Directory, outputBinding: {glob: d}}}", more=""))

    execution = bench.run()

    assert execution.status is Status.FAILED
    error = execution.error or ""
    assert "the output 'd' holds" in error or "a file whose name is not UTF-8" in error


def test_a_link_that_a_tool_leaves_among_the_logs_is_removed(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary")
    logs = bench.content / "runs/1/logs/steps"
    bench.write(main=tool(f"ln -s {secret} {logs}/a.stderr; ln -s / {logs}/b"))

    execution = bench.run()

    assert execution.status is Status.COMPLETED, execution.error
    assert not [one for one in logs.iterdir() if one.is_symlink()]
    assert [str(one) for one in execution.logs] == ["runs/1/logs/engine.log"]
