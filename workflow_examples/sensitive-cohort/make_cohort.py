#!/usr/bin/env python3
"""Make a synthetic cohort: genotypes of people who never lived, and who of them is ill. The same bytes each time.

Usage: make_cohort.py [FOLDER]
"""

import random
import sys
from pathlib import Path

PEOPLE = 240
VARIANTS = 400
ILL = 0.4
# Of these variants the ill carry more copies than the healthy.
RISKY = {37: 0.28, 212: 0.22, 333: 0.17}


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "data")
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random("a cohort that nobody belongs to")
    names = [f"P{number:04}" for number in range(1, PEOPLE + 1)]
    ill = {name: dice.random() < ILL for name in names}
    phenotypes = ["person\tstatus", *(f"{name}\t{'case' if ill[name] else 'control'}" for name in names)]
    (folder / "phenotypes.tsv").write_text("\n".join(phenotypes) + "\n", encoding="ascii")
    (folder / "cohort.vcf").write_text("\n".join(lines(dice, names, ill)) + "\n", encoding="ascii")


def lines(dice: random.Random, names: list[str], ill: dict[str, bool]) -> list[str]:
    """A VCF 4.3 file, line by line."""
    found = [
        "##fileformat=VCFv4.3",
        "##source=make_cohort.py",
        "##contig=<ID=chr7>",
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        "\t".join(("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *names)),
    ]
    position = 117_000_000
    for number in range(VARIANTS):
        position += dice.randint(50, 900)
        reference, other = dice.sample("ACGT", 2)
        frequency = dice.uniform(0.05, 0.5)
        genotypes = []
        for name in names:
            chance = min(0.95, frequency + (RISKY.get(number, 0.0) if ill[name] else 0.0))
            genotypes.append("|".join(str(int(dice.random() < chance)) for _ in range(2)))
        found.append(
            "\t".join(("chr7", str(position), f"syn{number}", reference, other, ".", "PASS", ".", "GT", *genotypes))
        )
    return found


if __name__ == "__main__":
    main()
