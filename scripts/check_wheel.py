"""Build the wheel, offline, and check what is in it: three packages, their data files, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("engines", "staging", "wfexs_like")


def build(into: Path) -> Path:
    """The wheel, built from a copy of the sources: an earlier ``build/`` would leak removed modules into it."""
    source = into / "source"
    skip = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=skip)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [*pip, "wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(into), str(source)],
        check=True,
    )
    (wheel,) = into.glob("*.whl")
    return wheel


def faults(names: set[str]) -> list[str]:
    """What is wrong with a wheel that holds ``names``."""
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    found = [f"top-level name {top!r} does not belong in the wheel" for top in sorted(tops - set(PACKAGES))]
    found += [f"package {top} is missing" for top in sorted(set(PACKAGES) - tops)]
    expected = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found += [f"{name} is not in the wheel: see package-data in pyproject.toml" for name in sorted(expected - names)]
    return found


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        wheel = build(Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            found = faults(set(archive.namelist()))
    for fault in found:
        print(fault, file=sys.stderr)
    print(f"wheel: {wheel.name} holds {', '.join(PACKAGES)}" if not found else f"wheel: {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
