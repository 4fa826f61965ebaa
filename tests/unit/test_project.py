"""The project's own ground: package lists, the Makefile's helpers, the checks that guard the rest."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LISTS = sorted((ROOT / "requirements").glob("*.txt"))


def run(*argv: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, argv)], capture_output=True, text=True, env={**os.environ, **environment}, check=False, timeout=60
    )


def pins(path: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, pin in re.findall(r"^([a-z0-9.-]+)==([^ ]+)", path.read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(pin)
    return found


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_every_package_of_a_list_is_pinned_with_hashes_and_no_index_is_named(path: Path) -> None:
    text = path.read_text()
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))

    assert len(entries) > 20
    for entry in entries:
        assert re.match(r"[a-z0-9.-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry
    assert "://" not in text
    assert "index-url" not in text


def test_the_lists_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime, dev = pins(ROOT / "requirements/runtime.txt"), pins(ROOT / "requirements/dev.txt")

    def names(wishes: list[str]) -> set[str]:
        return {re.split(r"[<>=]", wish)[0].lower() for wish in wishes}

    assert names(project["project"]["dependencies"]) <= runtime.keys()
    assert names(project["build-system"]["requires"]) <= runtime.keys()
    assert names(project["project"]["optional-dependencies"]["dev"]) <= dev.keys()
    assert all(dev.get(name) == versions for name, versions in runtime.items())


def test_the_version_is_said_in_one_way_everywhere() -> None:
    import wfexs_like

    text = (ROOT / "CITATION.cff").read_text()

    assert version("wfexs-like") == wfexs_like.__version__
    assert f"\nversion: {wfexs_like.__version__}\n" in text


def test_make_without_a_target_lists_the_targets() -> None:
    done = run("make", "-C", ROOT, "--no-print-directory")

    assert done.returncode == 0
    listed = re.findall(r"^  ([a-z-]+) +\S", done.stdout, re.MULTILINE)
    assert listed[:5] == ["help", "install", "demo", "test", "check"]
    assert {"bench", "build", "clean"} <= set(listed)


def test_what_is_tested_in_ci_is_what_the_readme_says() -> None:
    assert "make test" in (ROOT / ".ci/run").read_text()
    assert os.access(ROOT / ".ci/run", os.X_OK)
    readme = (ROOT / "README.md").read_text()
    assert "make demo" in readme
    assert "make test" in readme


# --- scripts/find-python ----------------------------------------------------------------------------------------------


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def tools(folder: Path, *names: str) -> Path:
    """A folder for PATH that holds the named tools of this machine and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("bash", "sh", "env", "dirname", "sort", "true", *names):
        (folder / name).symlink_to(str(shutil.which(name)))
    return folder


def test_a_python_that_is_new_enough_is_found() -> None:
    done = run(ROOT / "scripts/find-python", PYTHON=sys.executable)

    assert done.returncode == 0
    assert Path(done.stdout.strip()).resolve() == Path(sys.executable).resolve()


def test_a_python_that_is_too_old_is_named_with_its_version(tmp_path: Path) -> None:
    path = tools(tmp_path / "bin")
    old = script(path / "python3", 'case "$2" in *version_info*3*) exit 1;; *) echo 3.9;; esac')

    done = run(ROOT / "scripts/find-python", PATH=str(path), PYTHON="")

    assert done.returncode == 1
    assert f"{old} is Python 3.9" in done.stderr
    assert "hint: " in done.stderr
    assert done.stdout == ""


def test_a_python_without_venv_is_named(tmp_path: Path) -> None:
    path = tools(tmp_path / "bin")
    script(path / "python3.11", 'case "$2" in *venv*) exit 1;; *) echo 3.11;; esac')

    done = run(ROOT / "scripts/find-python", PATH=str(path), PYTHON="")

    assert done.returncode == 1
    assert "(Python 3.11) has no venv module" in done.stderr
    assert "python3-venv" in done.stderr


# --- scripts/system-packages ------------------------------------------------------------------------------------------

PACKAGES = ROOT / "scripts/system-packages"
# What the tests need: commands, and the packages that bring them.
NEEDED = dict(
    reversed(line.split()[1:3]) for line in PACKAGES.read_text().splitlines() if re.match(r"test\s+\S+\s+\S+$", line)
)


def test_nothing_is_done_when_all_commands_are_there(tmp_path: Path) -> None:
    path = tools(tmp_path / "bin")
    for name in NEEDED:
        script(path / name, "exit 0")
    script(path / "apt-get", f"touch {tmp_path}/called")

    done = run(PACKAGES, "test", PATH=str(path))

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / "called").exists()


def test_an_ordinary_user_is_told_what_to_type(tmp_path: Path) -> None:
    path = tools(tmp_path / "bin")
    script(path / "id", "echo 1000")
    for name in NEEDED.keys() - {"git"}:
        script(path / name, "exit 0")
    script(path / "sudo", "exit 1")
    script(path / "apt-get", f"touch {tmp_path}/called")

    done = run(PACKAGES, "test", PATH=str(path))

    assert done.returncode == 1
    assert done.stderr == (
        "error: these system packages are missing: git\nhint: sudo apt-get update && sudo apt-get install git\n"
    )
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize("user", ["root", "sudo"])
def test_what_is_missing_is_installed_after_an_update(tmp_path: Path, user: str) -> None:
    path = tools(tmp_path / "bin", "ln")
    script(path / "id", "echo 0" if user == "root" else "echo 1000")
    script(path / "sudo", f'echo sudo >>{tmp_path}/log; shift; exec "$@"')
    for name in NEEDED.keys() - {"git", "unshare"}:
        script(path / name, "exit 0")
    script(
        path / "apt-get",
        f'echo "$DEBIAN_FRONTEND $*" >>{tmp_path}/log\n'
        f'case "$*" in *" install "*) ln -s sh {path}/git; ln -s sh {path}/unshare;; esac',
    )

    done = run(PACKAGES, "test", PATH=str(path))

    log = (tmp_path / "log").read_text().splitlines()
    calls = [line for line in log if "noninteractive" in line]
    assert done.returncode == 0, done.stderr
    assert ("sudo" in log) == (user == "sudo")
    assert [call.endswith(" update") for call in calls] == [True, False]
    assert calls[1].endswith(" git util-linux")
    assert "nodejs" not in calls[1]


def test_an_install_that_did_not_bring_the_command_is_an_error(tmp_path: Path) -> None:
    path = tools(tmp_path / "bin")
    script(path / "id", "echo 0")
    script(path / "apt-get", "exit 0")

    done = run(PACKAGES, "test", PATH=str(path))

    assert done.returncode == 1
    assert f"is not there: {' '.join(sorted(set(NEEDED.values())))}" in done.stderr


def test_an_unknown_group_is_refused() -> None:
    done = run(PACKAGES, "everything")

    assert done.returncode == 2
    assert "unknown group" in done.stderr


# --- scripts/check_links.py -------------------------------------------------------------------------------------------


def links(root: Path) -> list[str]:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import check_links
    finally:
        sys.path.pop(0)
    return [fault.removeprefix(f"{root}/") for path in sorted(root.glob("*.md")) for fault in check_links.broken(path)]


def test_links_to_files_and_headings_are_followed(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# A title, with `code`!\n\n## Twice\n\n## Twice\n")
    (tmp_path / "page.md").write_text(
        "[a](other.md) [b](other.md#a-title-with-code) [c](other.md#twice-1) [d](#here) [e](https://example.org/x)\n"
        "# Here\n"
        "`[not](a-link.md)`\n"
        "```\n[nor](this.md)\n```\n"
    )

    assert links(tmp_path) == []


def test_a_link_that_leads_nowhere_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# One\n")
    (tmp_path / "page.md").write_text("fine\n[a](gone.md) and [b](other.md#two)\n[c]: lost.txt\n")

    assert links(tmp_path) == [
        "page.md:2: there is no gone.md",
        "page.md:2: other.md has no heading for #two",
        "page.md:3: there is no lost.txt",
    ]


# --- tests/conftest.py ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ci", "outcome"), [("", "4 skipped"), ("true", "1 failed, 1 skipped, 2 errors")])
def test_a_missing_part_skips_here_and_fails_in_ci(tmp_path: Path, ci: str, outcome: str) -> None:
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests/conftest.py", tmp_path / "tests")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tests/test_parts.py").write_text(
        "import pytest\n"
        "@pytest.mark.oracle\ndef test_needs_a_judge(): pass\n"
        "@pytest.mark.oracle\n@pytest.mark.root\ndef test_needs_more_than_the_judge(): pass\n"
        "def test_gives_up(): pytest.skip('no reason')\n"
        "@pytest.mark.root\ndef test_may_be_refused(): pytest.skip('not allowed')\n"
    )

    done = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path / "tests", CI=ci)

    assert outcome in done.stdout, done.stdout
