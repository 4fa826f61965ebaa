"""Write the pinned package list of a cwltool version: engines/cwltool/releases/<version>.txt.

    python scripts/cwltool_release.py 3.1.20240708091337 [--days 45]

The packages are those of the version's own time (its date is in its name; ``--days`` after it), so that they fit it,
and setuptools is there for versions that use its pkg_resources. One list serves every processor and Python 3.11 to
3.13. Needs uv on the PATH (``pip install uv==0.13.9``).
"""

from __future__ import annotations

import argparse
import datetime
import re
import subprocess
from pathlib import Path

RELEASES = Path(__file__).resolve().parent.parent / "engines" / "cwltool" / "releases"
PINNED = re.compile(r"^[a-z0-9][a-z0-9.-]*==\S+")


def main() -> None:
    """Resolve, and write the list without comments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version")
    parser.add_argument("--days", type=int, default=45, help="how long after the version's date packages are taken")
    chosen = parser.parse_args()
    stamp = re.fullmatch(r"[0-9]+\.[0-9]+\.(20[0-9]{6})[0-9]{6}", chosen.version)
    if stamp is None:
        parser.error("the version has no date in it")
    until = datetime.datetime.strptime(stamp.group(1), "%Y%m%d").replace(tzinfo=datetime.UTC)
    until += datetime.timedelta(days=chosen.days)
    argv = ("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes")
    argv += ("--only-binary", ":all:", "--no-emit-index-url", "--no-annotate", "--no-header")
    argv += ("--exclude-newer", until.strftime("%Y-%m-%dT00:00:00Z"), "-")
    wanted = f"cwltool=={chosen.version}\nsetuptools<81\n"
    text = subprocess.run(argv, input=wanted, text=True, check=True, capture_output=True).stdout
    (RELEASES / f"{chosen.version}.txt").write_text(text, encoding="utf-8")
    print(f"{chosen.version}: {sum(1 for line in text.splitlines() if PINNED.match(line))} packages")


if __name__ == "__main__":
    main()
