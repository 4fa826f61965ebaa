"""The demo: real variant calling from its stage file to two runs and a validated crate.

Everything is made below ``demo-output/``, here or in the folder given as the only argument; what an earlier demo left
there goes.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = (Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else ROOT) / "demo-output"
STAGE_FILE = ROOT / "workflow_examples/variant-calling/variant-calling.wfex.stage"
COMMAND = Path(sys.executable).with_name("wfexs-like")


def remove(folder: Path) -> None:
    """Remove an earlier demo, read-only folders included."""

    def unlock(function: Callable[..., Any], path: str, _: object) -> None:
        Path(path).parent.chmod(stat.S_IRWXU)
        if not Path(path).is_symlink():
            Path(path).chmod(stat.S_IRWXU)
        function(path)

    if folder.exists():
        shutil.rmtree(folder, onerror=unlock)


def here(path: str | Path) -> str:
    """``path`` as one would type it."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def wfexs(*arguments: str | Path) -> tuple[dict[str, Any], float]:
    """Run the command, showing it; returns its JSON object and the seconds it took."""
    words = [str(one) for one in arguments]
    print(f"\n$ {here(COMMAND)} {' '.join(here(word) if word.startswith('/') else word for word in words)}", flush=True)
    started = time.monotonic()
    done = subprocess.run([str(COMMAND), "--json", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{done.stderr}\nthe demo stops here: exit code {done.returncode}", file=sys.stderr)
        sys.exit(done.returncode)
    return json.loads(done.stdout), time.monotonic() - started


def variants(vcf: Path) -> list[list[str]]:
    """The rows of a VCF."""
    return [line.split("\t") for line in vcf.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def report_stage(staged: dict[str, Any], seconds: float) -> None:
    items = staged["items"]
    documents = [item for item in items if item["role"] == "workflow"]
    print(f"  {len(items)} items fetched and verified in {seconds:.1f} s:")
    print(f"    workflow   {len(documents)} documents; nobody stated a digest, so the lock does from now on")
    for item in items:
        if item["role"] != "workflow":
            size = f"{item['size'] / 1e3:,.0f} kB"
            print(f"    {item['role']:<9}  {item['name']:<10} {size:>9}  sha256 {item['sha256'][:16]}... as expected")
    print(f"  the lock: {here(staged['lock']['path'])}")


def report_run(run: dict[str, Any], seconds: float) -> None:
    steps = run["steps"]
    print(f"  run {run['run']} {run['status']}: {len(steps)} steps in {seconds:.1f} s")
    print(f"    {', '.join(step['name'] for step in steps)}")


def report_crate(crate: dict[str, Any], seconds: float) -> None:
    validation = crate["validation"]
    profiles = ["/".join(profile.split("/")[-2:]) for profile in crate["profiles"]]
    print(f"  conforms to {', '.join(profiles)}; in {seconds:.1f} s")
    print(
        f"  validated against {validation['profile']}: {validation['required']} REQUIRED checks failed, and of the "
        f"RECOMMENDED ones {validation['recommended']}"
    )
    if validation["recommended"] == 1:
        print("  (tools that lie in the crate cannot have an absolute URI, which the profile would like)")


def main() -> None:
    os.environ |= {"WFEXS_LIKE_CACHE": str(OUTPUT / "cache"), "WFEXS_LIKE_WORKDIRS": str(OUTPUT / "workdirs")}
    remove(OUTPUT)
    OUTPUT.mkdir(parents=True)
    print("The demo calls variants in reads of phage lambda: bowtie2, samtools and bcftools, put together in CWL.")
    print(f"Its content store and working directory are below {here(OUTPUT)}; usually they are in your home folder.")

    staged, seconds = wfexs("stage", STAGE_FILE)
    report_stage(staged, seconds)
    workdir = Path(staged["path"])
    runs = []
    for _ in range(2):
        run, seconds = wfexs("run", workdir)
        report_run(run, seconds)
        runs.append(run)
    crate, seconds = wfexs("crate", workdir, OUTPUT / "crate", "--retrospective", "--include", "all")
    report_crate(crate, seconds)

    files = [run["outputs"]["variants"] for run in runs]
    vcf = OUTPUT / Path(files[-1]["path"]).name
    shutil.copyfile(files[-1]["path"], vcf)
    same = files[0]["sha256"] == files[1]["sha256"]
    rows = variants(vcf)
    indels = sum("INDEL" in row[7] for row in rows)
    print(f"\n{len(rows)} variants ({len(rows) - indels} SNPs, {indels} indels); ", end="")
    print("both runs gave the same VCF, byte for byte" if same else "the two runs gave different VCFs")
    print(f"  VCF      {here(vcf)}")
    print(f"  crate    {here(crate['path'])}")
    print(f"  preview  {here(Path(crate['path']) / 'ro-crate-preview.html')}")
    print("\nTo go on:")
    print(f"  {here(COMMAND)} show {here(workdir)}")
    print(f"  {here(COMMAND)} run {here(workdir)} --param ploidy=2")
    print(f"  {here(COMMAND)} validate {here(crate['path'])}")
    print(f"  {here(COMMAND)} --help")
    if not same:
        sys.exit(1)


if __name__ == "__main__":
    main()
