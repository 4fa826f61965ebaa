"""Write what a version of Nextflow is made of: engines/nextflow/setup/releases/<version>.json.

    python scripts/nextflow_release.py 24.10.0

The files are those that mvn resolves, in the order of the classpath. Needs mvn on the PATH. A version whose artifacts
are not all in the Maven repository can't be written.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from engines.nextflow.setup.maven import MavenSource  # noqa: E402 - from the folder beside this one
from engines.nextflow.setup.records import fingerprint_of  # noqa: E402
from engines.nextflow.setup.sources import SCHEMA  # noqa: E402
from engines.nextflow.setup.versions import check_version  # noqa: E402


def main() -> None:
    """Resolve, hash and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version")
    version = parser.parse_args().version
    check_version(version)
    with tempfile.TemporaryDirectory() as folder:
        files = MavenSource(environment=os.environ).fetch(version, Path(folder), print)
    record = {"schema": SCHEMA, "version": version, "files": [one._asdict() for one in files]}
    target = ROOT / "engines" / "nextflow" / "setup" / "releases" / f"{version}.json"
    target.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"{version}: {len(files)} files, {sum(one.size for one in files)} bytes, {fingerprint_of(files)}")


if __name__ == "__main__":
    main()
