"""Files held against each other: what a format lets differ is equivalent, and nothing else is."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfexs_like.comparing.files import Manner, compare_files
from wfexs_like.comparing.sources import Budget, Source
from wfexs_like.comparing.verdicts import Comparison

VCF = """##fileformat=VCFv4.2
##fileDate=20240101
##source=caller 1.0
##bcftools_viewCommand=view -o /tmp/a x.bcf
##reference=file:///tmp/a/ref.fa
##contig=<ID=chr1,length=1000>
##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
"""
VARIANTS = [f"chr1\t{place}\t.\tA\tG\t50\tPASS\tDP={place}\n" for place in (10, 20, 30)]
SAM = "@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:chr1\tLN:1000\n@PG\tID:bwa\tCL:bwa mem -t 4 /tmp/a\n"
READS = [f"r{n}\t0\tchr1\t{n}\t60\t4M\t*\t0\t0\tACGT\tIIII\n" for n in (1, 2, 3)]


def source(content: bytes, name: str) -> Source:
    return Source(name=name, opener=partial(io.BytesIO, content), size=len(content))


def compared(a: bytes | str, b: bytes | str, name: str = "x", *, strict: bool = False) -> Comparison:
    """Compare two files of one name, both ways round."""
    one, other = (source(text.encode() if isinstance(text, str) else text, name) for text in (a, b))
    manner = Manner(strict=strict)
    found, turned = compare_files(one, other, manner), compare_files(other, one, manner)
    assert (found.verdict, found.where, found.a, found.b) == (turned.verdict, turned.where, turned.b, turned.a)
    assert compare_files(one, one, manner).verdict == "identical"
    return found


def bgzip(content: bytes, block: int) -> bytes:
    """Blocked gzip, as bgzip writes it, with blocks of any size and an empty one at the end."""
    out = b""
    for start in (*range(0, len(content), block), None):
        text = b"" if start is None else content[start : start + block]
        engine = zlib.compressobj(6, zlib.DEFLATED, -15)
        body = engine.compress(text) + engine.flush()
        head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + struct.pack("<H", len(body) + 25)
        out += head + body + struct.pack("<II", zlib.crc32(text), len(text))
    return out


def bam(header: str, reads: Sequence[tuple[str, int]]) -> bytes:
    text = header.encode()
    out = (
        b"BAM\1" + struct.pack("<I", len(text)) + text + struct.pack("<II", 1, 5) + b"chr1\0" + struct.pack("<I", 1000)
    )
    for name, place in reads:
        body = (
            struct.pack("<iiBBHHHIiii", 0, place, len(name) + 1, 60, 4681, 0, 0, 0, -1, -1, 0) + name.encode() + b"\0"
        )
        out += struct.pack("<I", len(body)) + body
    return out


def bcf(header: str, records: Sequence[int]) -> bytes:
    text = header.encode() + b"\0"
    out = b"BCF\2\2" + struct.pack("<I", len(text)) + text
    for place in records:
        shared = struct.pack("<iiifII", 0, place, 1, 50.0, 0, 0)
        out += struct.pack("<II", len(shared), 0) + shared
    return out


def png(pixels: bytes, *, filtered: bool, level: int, texts: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """A grey image, four pixels wide, with each of the filters or none."""
    lines, before = b"", bytes(4)
    for number in range(0, len(pixels), 4):
        line = pixels[number : number + 4]
        kind = (number // 4) % 5 if filtered else 0
        out = bytearray()
        for at in range(4):
            left, up, corner = (line[at - 1] if at else 0), before[at], (before[at - 1] if at else 0)
            guess = left + up - corner
            near = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
            out.append((line[at] - (0, left, up, (left + up) // 2, near)[kind]) % 256)
        lines += bytes([kind]) + bytes(out)
        before = line

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", 4, len(pixels) // 4, 8, 0, 0, 0, 0)
    extra = b"".join(chunk(kind, content) for kind, content in texts)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + extra
        + chunk(b"IDAT", zlib.compress(lines, level))
        + chunk(b"IEND", b"")
    )


def zipped(members: Sequence[tuple[str, bytes]], *, year: int = 2024, stored: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0)), content, archive.compression)
    return out.getvalue()


def tarred(members: Sequence[tuple[str, bytes]], *, time: int = 1) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), time
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def pdf(date: str, identifier: str, text: str = "hello") -> str:
    about = f"<< /Title (a) /CreationDate (D:{date}) /ModDate(D:{date}) >>"
    return f"%PDF-1.4\n{about}\n{text}\ntrailer << /ID [<{identifier}> <{identifier}>] >>\n%%EOF"


LINES = st.lists(
    st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=20), max_size=8
)


@given(st.binary(max_size=400), st.sampled_from([0, 9]), st.integers(1, 50))
def test_what_is_packed_anew_is_equivalent(content: bytes, level: int, block: int) -> None:
    first = gzip.compress(content, 6, mtime=1)
    assert compared(first, gzip.compress(content, level, mtime=2), "x.bin.gz").verdict == "equivalent"
    assert compared(first, bgzip(content, block), "x.bin.gz").verdict == "equivalent"
    assert compared(bz2.compress(content, 1), bz2.compress(content, 9), "x.bin.bz2").same
    changed = content[:-1] + bytes([content[-1] ^ 1]) if content else b"x"
    assert compared(first, gzip.compress(changed + b"\1", mtime=1), "x.bin.gz").verdict == "different"


@given(st.permutations(VARIANTS), st.sampled_from(["20240101", "20250202"]))
def test_variants_in_any_order_are_equivalent_and_a_changed_one_is_not(order: list[str], date: str) -> None:
    text = VCF + "".join(VARIANTS)
    other = VCF.replace("20240101", date).replace("/tmp/a", "/tmp/b") + "".join(order)
    assert compared(text, other, "x.vcf").verdict == "equivalent"
    assert compared(text, other.replace("DP=20", "DP=21"), "x.vcf").verdict == "different"
    assert compared(text, other + VARIANTS[0], "x.vcf").verdict == "different"
    packed = compared(bgzip(text.encode(), 40), bgzip(other.encode(), 50), "x.vcf.gz")
    assert packed.same


def test_the_reason_tells_header_from_order() -> None:
    text = VCF + "".join(VARIANTS)
    dated = compared(text, text.replace("20240101", "20250101").replace("caller 1.0", "caller 2"), "x.vcf")
    assert dated.reason == "the header's fileDate and source differ"
    turned = compared(text, VCF + "".join(reversed(VARIANTS)), "x.vcf")
    assert turned.reason == "the same records are in another order"
    changed = compared(text, VCF + "".join(reversed(VARIANTS)).replace("DP=20", "DP=21"), "x.vcf")
    assert changed.where == "record 2"
    assert changed.a is not None and "DP=20" in changed.a
    assert changed.b is not None and "DP=21" in changed.b


@pytest.mark.parametrize(
    "line", ["##fileformat=VCFv4.2", "##contig=<ID=chr1,length=1000>", "##reference=file:///tmp/a/ref.fa"]
)
def test_what_a_header_means_counts(line: str) -> None:
    text = VCF + "".join(VARIANTS)
    assert compared(text, text.replace(line, line[:-2] + "X" + line[-1]), "x.vcf").verdict == "different"


@given(st.permutations(READS))
def test_alignments_in_any_order_are_equivalent(order: list[str]) -> None:
    text = SAM + "".join(READS)
    other = SAM.replace("/tmp/a", "/tmp/b").replace("coordinate", "unsorted") + "".join(order)
    assert compared(text, other, "x.sam").verdict == "equivalent"
    assert compared(text, other.replace("ACGT", "ACGA", 1), "x.sam").verdict == "different"
    assert compared(text, other.replace("LN:1000", "LN:1001"), "x.sam").verdict == "different"


@given(st.permutations([("a", 1), ("b", 2), ("b", 3)]), st.integers(20, 90))
def test_binary_alignments_and_variants(order: list[tuple[str, int]], block: int) -> None:
    first = bgzip(bam(SAM, [("a", 1), ("b", 2), ("b", 3)]), 60)
    other = bam(SAM.replace("/tmp/a", "/tmp/b"), order)
    assert compared(first, bgzip(other, block), "x.bam").verdict == "equivalent"
    changed = compared(first, bgzip(bam(SAM, [("a", 1), ("b", 2), ("b", 4)]), block), "x.bam")
    assert (changed.verdict, changed.where, changed.b) == ("different", "record 3", "b at 0:5")
    assert compared(first, bgzip(other + b"\1\0", block), "x.bam").verdict == "different"
    calls = bgzip(bcf(VCF, [1, 2, 3]), block)
    assert compared(calls, bgzip(bcf(VCF, [1, 2, 3]) + b"\1\0", 70), "x.bcf").verdict == "different"
    assert compared(calls, bgzip(bcf(VCF.replace("20240101", "2"), [place for _, place in order]), 70), "x.bcf").same
    assert compared(calls, bgzip(bcf(VCF, [1, 2, 4]), 70), "x.bcf").verdict == "different"


@given(st.permutations([("a", "ACGT\nAC\n"), ("b", "GG\n"), ("c", "")]))
def test_sequences_in_any_order_are_equivalent(order: list[tuple[str, str]]) -> None:
    text, other = (">a\nACGT\nAC\n>b\nGG\n>c\n", "".join(f">{name}\n{letters}" for name, letters in order))
    assert compared(text, other, "x.fasta").same
    assert compared(text, other.replace("GG", "GC"), "x.fa").verdict == "different"
    reads, turned = ("".join(f"@{name}\nACGT\n+\nIIII\n" for name in names) for names in ("abc", [n for n, _ in order]))
    assert compared(reads, turned, "x.fastq").same
    assert compared(reads, turned.replace("IIII", "IIIH", 1), "x.fq").verdict == "different"


@given(LINES)
def test_line_ends_are_all_that_may_differ_in_text(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    assert compared(text, text.replace("\n", "\r\n"), "x.txt").same
    assert compared(text, text + "x\n", "x.txt").verdict == "different"
    assert compared(text + "0.5\n", text + "0.50\n", "x.txt").verdict == "different"
    assert compared(text, text.replace("\n", "\r\n"), "x.txt", strict=True).verdict == (
        "different" if lines else "identical"
    )


def test_the_first_line_that_differs_is_named() -> None:
    found = compared("a\nb\nc\n", "a\nx\nc\n")
    assert (found.verdict, found.where, found.a, found.b) == ("different", "line 2", "b\n", "x\n")
    assert "another order" in compared("a\nb\n", "b\na\n").reason
    far = compared("a" * 1000 + "b", "a" * 1000 + "c")
    assert (far.a, far.b) == ("…" + "a" * 20 + "b", "…" + "a" * 20 + "c")
    assert compared(b"a\0b\r\n", b"a\0b\n").verdict == "different"


@given(st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=5), st.sampled_from([(",", "x.csv"), ("\t", "x.tsv")]))
def test_numbers_in_tables_and_documents_are_compared_within_the_tolerance(
    numbers: list[float], kind: tuple[str, str]
) -> None:
    def table(factor: float) -> str:
        return f"name{kind[0]}value\n" + "".join(f"a{kind[0]}{number * factor!r}\n" for number in numbers)

    assert compared(table(1), table(1 + 1e-9), kind[1]).same
    assert compared(table(1), table(1 + 1e-3), kind[1]).verdict == "different"
    assert compared(table(1), table(1).replace("a", "b", 1), kind[1]).verdict == "different"
    documents = [json.dumps({"a": [number * factor for number in numbers], "b": "x"}) for factor in (1, 1 + 1e-9, 1.01)]
    assert compared(documents[0], documents[1], "x.json").same
    assert compared(documents[0], documents[2], "x.json").verdict == "different"


@pytest.mark.parametrize(
    ("name", "a", "b", "verdict"),
    [
        ("x.csv", "a,1000000\n", "a,1000001\n", "different"),
        ("x.csv", "a,1\n", "a,1.0\n", "equivalent"),
        ("x.csv", '"a",1\n', "a,1\r\n", "equivalent"),
        ("x.csv", "a,1\nb,2\n", "b,2\na,1\n", "different"),
        ("x.csv", "a,1\n", "a,1,\n", "different"),
        ("x.csv", 'a,"1\n', "a,2\n", "different"),
        ("x.json", '{"a": 1, "b": 2}', '{"b":2,"a":1}', "equivalent"),
        ("x.json", '{"a": 1000000}', '{"a": 1000001}', "different"),
        ("x.json", '{"a": true}', '{"a": 1}', "different"),
        ("x.json", '{"a": null}', '{"b": null}', "different"),
        ("x.json", '{"a": 1, "a": 2}', '{"a": 2}', "different"),
        ("x.json", "[" * 100_000, "[" * 100_001, "different"),
        ("x.json", '{"a": NaN}', '{"a":NaN}', "equivalent"),
        ("x.html", "<p>2024-01-01 10:00:00</p>", "<p>2025-02-03T11:12:13.5Z</p>", "equivalent"),
        ("x.html", "<p>Mon 1 Jan 2024</p>\n", "<p>Tue 2 Jan 2024</p>\n", "equivalent"),
        ("x.html", "<p>2024</p>", "<p>2025</p>", "different"),
        ("x.txt", "2024-01-01 10:00:00", "2025-01-01 10:00:00", "different"),
        ("x.pdf", pdf("20240101000000Z", "00aa"), pdf("20250101000000Z", "11bb"), "equivalent"),
        ("x.pdf", pdf("20240101000000Z", "00aa"), pdf("20250101000000Z", "11bb", "hullo"), "different"),
        ("x.cram", "CRAM\3\1a", "CRAM\3\1b", "different"),
        ("x.vcf", VCF, "nothing", "different"),
        ("x", "a", "", "different"),
    ],
    ids=str,
)  # fmt: skip
def test_one_by_one(name: str, a: str, b: str, verdict: str) -> None:
    assert compared(a, b, name).verdict == verdict


@given(st.binary(min_size=4, max_size=80).map(lambda content: content[: len(content) // 4 * 4]), st.integers(0, 9))
def test_pixels_count_and_how_they_are_packed_does_not(pixels: bytes, level: int) -> None:
    first = png(pixels, filtered=False, level=9, texts=[(b"tIME", b"1234567")])
    assert compared(first, png(pixels, filtered=True, level=level, texts=[(b"tEXt", b"a\0b")]), "x.png").same
    changed = bytes([pixels[0] ^ 1]) + pixels[1:]
    assert compared(first, png(changed, filtered=True, level=level), "x.png").verdict == "different"
    assert (
        compared(first, png(pixels, filtered=False, level=9, texts=[(b"gAMA", b"1234")]), "x.png").verdict
        == "different"
    )


@pytest.mark.parametrize(
    "pack", [zipped, tarred, lambda members: gzip.compress(tarred(members))], ids=["zip", "tar", "tar.gz"]
)
def test_members_of_archives_are_compared_as_files_are(pack: Callable[[Sequence[tuple[str, bytes]]], bytes]) -> None:
    members = [("a.txt", b"a\n"), ("b/c.csv", b"x,0.5\n")]
    first = pack(members)
    assert compared(first, pack(members[::-1]), "x").verdict == "equivalent"
    assert compared(first, pack([members[0], ("b/c.csv", b"x,0.50\n")]), "x").verdict == "equivalent"
    changed = compared(first, pack([members[0], ("b/c.csv", b"x,0.6\n")]), "x")
    assert (changed.verdict, changed.where) == ("different", "member b/c.csv, row 1, column 2")
    assert compared(first, pack(members[:1]), "x").where == "member b/c.csv"
    assert compared(first, first[: min(600, len(first) - 30)], "x").verdict == "different"


def test_times_and_packing_of_archives_do_not_count() -> None:
    members = [("a.txt", b"a\n" * 50)]
    assert compared(zipped(members), zipped(members, year=2025, stored=True)).verdict == "equivalent"
    assert compared(tarred(members), tarred(members, time=2)).verdict == "equivalent"
    assert compared(tarred(members), tarred(members)[:-512]).verdict == "equivalent"
    assert compared(tarred(members), tarred(members)[:-1] + b"x").verdict == "different"
    assert compared(zipped(members), b"x" + zipped(members)).verdict == "different"


def test_a_bomb_is_not_unpacked_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = [gzip.compress(bytes(1 << 20), mtime=time) for time in (1, 2)]
    bombs = [source(gzip.compress(layer * 30, mtime=1), "x.gz") for layer in layers]
    assert compare_files(bombs[0], bombs[1], Manner()).verdict == "equivalent"
    with monkeypatch.context() as patch:
        patch.setattr("wfexs_like.comparing.files.Budget", lambda size: Budget(size, least=1 << 19))
        found = compare_files(*(source(layer, "x.gz") for layer in layers), Manner())
    assert found.verdict == "unknown"
    assert "far more than it is" in found.reason
    deep = [b"x", b"y"]
    for _ in range(10):
        deep = [gzip.compress(one, mtime=0) for one in deep]
    assert compared(deep[0], deep[1]).verdict == "unknown"


MAGICS = [b"\x1f\x8b\x08", b"BZh9", b"%PDF-", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"##fileformat=VCF", b"{", b""]
NAMES = ["a.fq", "a.fa", "a.csv", "a.json", "a.sam", "a.html", "a"]


@given(st.sampled_from(MAGICS), st.binary(max_size=60), st.binary(max_size=60), st.sampled_from(NAMES))
def test_any_bytes_are_compared_without_failing(start: bytes, a: bytes, b: bytes, name: str) -> None:
    found = compared(start + a, start + b, name)
    assert (found.verdict == "identical") == (a == b)
    for kind in (b"BAM\1", b"BCF\2"):
        compared(gzip.compress(kind + a), gzip.compress(kind + b), "x.bam")
