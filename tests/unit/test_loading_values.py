"""Values of parameters, in WfExS's way and in that of a CWL job."""

from __future__ import annotations

from pathlib import Path

import pytest

from staging.definition import DirectoryValue, FileValue, StageDefinition, Value
from staging.errors import DefinitionError, Fault
from staging.loading import load_stage_file

SHA = "ab" * 32
OTHER = "cd" * 32


def load(tmp_path: Path, text: str) -> StageDefinition:
    path = tmp_path / "a.stage"
    path.write_text("workflow_id: https://example.org/main.cwl\n" + text)
    return load_stage_file(path)


def value(tmp_path: Path, text: str, more: str = "") -> Value:
    """The value of the one parameter that is written as ``text``."""
    return load(tmp_path, f"{more}\nparams:\n  p: {text}\n").params[0].value


def file(tmp_path: Path, text: str, more: str = "") -> FileValue:
    found = value(tmp_path, text, more)
    assert isinstance(found, FileValue)
    return found


def fault(tmp_path: Path, text: str, more: str = "") -> Fault:
    with pytest.raises(DefinitionError) as caught:
        value(tmp_path, text, more)
    (one,) = caught.value.faults
    return one


def mirrors(found: Value) -> list[str]:
    assert isinstance(found, FileValue | DirectoryValue)
    assert found.source is not None
    return [str(one) for one in found.source.mirrors]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", 5),
        ("null", None),
        ("[]", ()),
        ("[1, a, null, [true, [2.5]]]", (1, "a", None, (True, (2.5,)))),
        ("{a: 1, b: {c: [x]}}", {"a": 1, "b": {"c": ("x",)}}),
        ("[{a: 1}, {a: 2}]", ({"a": 1}, {"a": 2})),
        ("{class: other, x: 1}", {"class": "other", "x": 1}),
        ("{c-l-a-s-s: Value, value: 4}", 4),
        ("{c-l-a-s-s: Value, value: true}", True),
        ("{c-l-a-s-s: Value, value: [a, [1]]}", ("a", (1,))),
        ("{c-l-a-s-s: Value, value: null}", None),
        ("{}", {}),
    ],
)
def test_plain_values_of_every_shape(tmp_path: Path, text: str, expected: object) -> None:
    assert value(tmp_path, text) == expected


def test_a_parameter_knows_its_place(tmp_path: Path) -> None:
    (param,) = load(tmp_path, "params:\n  p: 1\n").params
    assert (param.file, param.where, param.line, param.column) == (str(tmp_path / "a.stage"), "params.p", 3, 3)


def test_a_url_is_a_file_with_what_is_said_of_it(tmp_path: Path) -> None:
    found = file(
        tmp_path,
        f"{{c-l-a-s-s: File, sha256: {SHA}, size: 7, format: 'edam:format_1', disclosable: false, cacheable: false,"
        " clonable: false, url: {uri: 'https://example.org/a.gz', licences: [CC0-1.0],"
        " attributions: [{name: N, pid: 'https://orcid.org/x', roles: [software]}]}}",
    )
    assert mirrors(found) == ["https://example.org/a.gz"]
    assert found.source is not None
    assert found.source.sha256 is not None
    assert (found.source.sha256.digest, found.source.size) == (SHA, 7)
    assert found.source.licences == ("CC0-1.0",)
    assert found.source.attributions == ({"name": "N", "pid": "https://orcid.org/x", "roles": ["software"]},)
    assert (found.disclosable, found.cacheable, found.clonable) == (False, False, False)
    assert (found.format, found.basename, found.relative_dir) == ("edam:format_1", None, None)


def test_an_outer_list_is_several_files_even_when_it_has_one(tmp_path: Path) -> None:
    one = value(tmp_path, "{c-l-a-s-s: File, url: [a]}")
    assert isinstance(one, tuple)
    assert [mirrors(each) for each in one] == [["a"]]
    many = value(tmp_path, "{c-l-a-s-s: File, url: [a, {uri: b}, [c, {uri: 'https://example.org/c'}]]}")
    assert isinstance(many, tuple)
    assert [mirrors(each) for each in many] == [["a"], ["b"], ["c", "https://example.org/c"]]
    folders = value(tmp_path, "{c-l-a-s-s: Directory, url: [a, b]}")
    assert isinstance(folders, tuple)
    assert all(isinstance(each, DirectoryValue) for each in folders)


def test_mirrors_share_what_is_said_of_any(tmp_path: Path) -> None:
    text = f"{{c-l-a-s-s: File, url: [[{{uri: a, licences: [X]}}, {{uri: b, sha256: {SHA}, licences: [Y, X]}}]]}}"
    found = value(tmp_path, text)
    assert isinstance(found, tuple)
    first = found[0]
    assert isinstance(first, FileValue)
    assert first.source is not None
    assert first.source.sha256 is not None
    assert first.source.licences == ("X", "Y")


def test_inline_text_is_a_file_and_nothing_is_an_empty_one(tmp_path: Path) -> None:
    assert file(tmp_path, "{c-l-a-s-s: File, value: 'id,x'}").contents == "id,x"
    assert file(tmp_path, "{c-l-a-s-s: File, value: ''}").contents == ""
    assert file(tmp_path, "{c-l-a-s-s: File}").contents == ""
    many = value(tmp_path, "{c-l-a-s-s: File, value: [a]}")
    assert isinstance(many, tuple)
    empty = value(tmp_path, "{c-l-a-s-s: Directory}")
    assert isinstance(empty, DirectoryValue)
    assert empty.listing == ()


@pytest.mark.parametrize(
    ("text", "relative_dir", "basename"),
    [
        ("preferred-name: x.txt", None, "x.txt"),
        ("preferred-name: d/e/x.txt", "d/e", "x.txt"),
        ("preferred-name: true", None, "inner"),
        ("preferred-name: false", None, None),
        ("relative-dir: d/", "d", None),
        ("relative-dir: true", "p/mid", None),
        ("relative-dir: true, preferred-name: true", "p/mid", "inner"),
        ("relative-dir: d, preferred-name: e/x", "d/e", "x"),
    ],
)
def test_names_are_asked_for(tmp_path: Path, text: str, relative_dir: str | None, basename: str | None) -> None:
    found = value(tmp_path, f"{{mid: {{inner: {{c-l-a-s-s: File, url: a, {text}}}}}}}")
    inner = found["mid"]["inner"]  # type: ignore[index, call-overload]
    assert (inner.relative_dir, inner.basename) == (relative_dir, basename)


def test_secondary_files_go_to_the_file_they_are_named_after(tmp_path: Path) -> None:
    single = file(tmp_path, "{c-l-a-s-s: File, url: a.bam, secondary-urls: [x.bai, /abs/y], preferred-name: z}")
    assert [mirrors(one) for one in single.secondary] == [["x.bai"], ["file:///abs/y"]]
    assert [one.basename for one in single.secondary] == [None, None]
    many = value(
        tmp_path,
        "{c-l-a-s-s: File, url: [d/a.bam, d/a.b.bam, c.bam], secondary-urls: [a.b.bam.bai, a.bam.bai, c.bai]}",
    )
    assert isinstance(many, tuple)
    assert [[mirrors(one) for one in each.secondary] for each in many if isinstance(each, FileValue)] == [
        [["a.bam.bai"]],
        [["a.b.bam.bai"]],
        [["c.bai"]],
    ]
    one = fault(tmp_path, "{c-l-a-s-s: File, url: [a.bam, b.bam], secondary-urls: [z.bai]}")
    assert "can't tell which of the 2 files 'z.bai' belongs to" in one.message


def test_placeholders_are_names_and_nothing_else(tmp_path: Path) -> None:
    more = "placeholders: {rel: 1.10, n: x}"
    for text, filled in [
        ("a-{rel}-{n}", "a-1.10-x"),
        ("{unknown} {n.__class__} {n[0]} {n!r} {} {0}", "{unknown} {n.__class__} {n[0]} {n!r} {} {0}"),
        ("{{n}} {{other}}", "{n} {{other}}"),
        ('{"json": 1}', '{"json": 1}'),
    ]:
        assert value(tmp_path, f"['{text}', {{deep: '{text}'}}]", more) == (filled, {"deep": filled})
    found = file(tmp_path, "{c-l-a-s-s: File, url: 'https://e.org/{rel}', preferred-name: '{n}.txt'}", more)
    assert (mirrors(found), found.basename) == (["https://e.org/1.10"], "x.txt")
    assert file(tmp_path, "{c-l-a-s-s: File, value: '{n}'}", more).contents == "x"
    assert load(tmp_path, f"{more}\nenvironment: {{A: '{{n}}'}}").environment[0].value == "x"


def test_a_file_as_in_a_cwl_job(tmp_path: Path) -> None:
    found = file(
        tmp_path,
        f"{{class: File, location: a%20b.txt, basename: c.txt, format: 'edam:format_2330', size: 3, sha256: {SHA},"
        " nameroot: c, nameext: .txt, dirname: /somewhere, licences: [MIT], disclosable: false,"
        " secondaryFiles: [{class: File, path: 'a%20b.idx', basename: c.idx},"
        " {class: Directory, basename: d, listing: [{class: File, contents: hi, basename: e}]}]}",
    )
    assert found.source is not None
    assert found.source.mirrors[0].against(tmp_path).local_path == tmp_path / "a b.txt"
    assert (found.basename, found.format, found.source.size) == ("c.txt", "edam:format_2330", 3)
    assert not found.disclosable
    index, folder = found.secondary
    assert isinstance(index, FileValue)
    assert index.source is not None
    # A path is taken character by character, a location as a URI reference.
    assert index.source.mirrors[0].against(tmp_path).local_path == tmp_path / "a%20b.idx"
    assert isinstance(folder, DirectoryValue)
    assert folder.listing is not None
    assert isinstance(folder.listing[0], FileValue)
    assert folder.listing[0].contents == "hi"


def test_what_cwltool_prints_of_its_outputs_can_be_a_job_again(tmp_path: Path) -> None:
    found = file(
        tmp_path,
        f"{{class: File, location: 'file:///d/x%20y.txt', path: /d/x y.txt, basename: x y.txt, size: 2,"
        f" checksum: 'sha256${SHA}', nameroot: x y, nameext: .txt}}",
    )
    assert mirrors(found) == ["file:///d/x%20y.txt"]
    assert found.source is not None
    assert found.source.sha256 is not None
    folder = value(tmp_path, "{class: Directory, location: 'file:///d', listing: [{class: File, path: /d/a}]}")
    assert isinstance(folder, DirectoryValue)
    assert folder.source is None
    assert folder.basename == "d"
    assert folder.listing is not None


def test_the_namespaces_of_a_job_expand_its_formats(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "params:\n  $namespaces: {edam: 'http://edamontology.org/'}\n"
        "  p: {class: File, path: x, format: 'edam:format_1'}\n  q: {class: File, path: x, format: 'other:1'}\n",
    )
    assert [one.name for one in found.params] == ["p", "q"]
    assert [one.value.format for one in found.params if isinstance(one.value, FileValue)] == [
        "http://edamontology.org/format_1",
        "other:1",
    ]


def test_records_with_files_in_lists_in_lists(tmp_path: Path) -> None:
    found = value(tmp_path, "[{name: a, files: [[{class: File, path: x}], []]}, {c-l-a-s-s: File, url: y}]")
    assert isinstance(found, tuple)
    assert mirrors(found[0]["files"][0][0]) == ["x"]  # type: ignore[index, call-overload]
    assert mirrors(found[1]) == ["y"]


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("{c-l-a-s-s: File, url: a, value: b}", "p.value", "'url' and 'value' can't go together"),
        (f"{{c-l-a-s-s: File, value: b, sha256: {SHA}}}", "p.sha256", "there is none"),
        ("{c-l-a-s-s: File, url: [a, b], size: 3}", "p.size", "doesn't say which of them"),
        ("{c-l-a-s-s: File, url: }", "p.url", "found nothing"),
        ("{c-l-a-s-s: File, url: []}", "p.url", "a list of at least 1"),
        ("{c-l-a-s-s: File, url: [[a]]}", "p.url[0]", "a list of at least 2"),
        ("{c-l-a-s-s: File, url: {ur: a, uri: b}}", "p.url.ur", "did you mean 'uri'?"),
        ("{c-l-a-s-s: File, url: 'http://u:secret@e.org/x'}", "p.url", "password"),
        ("{c-l-a-s-s: File, url: 'http://e.org/a b'}", "p.url", "white space"),
        ("{c-l-a-s-s: File, url: a, sha256: abc}", "p.sha256", "64 hexadecimal digits"),
        ("{c-l-a-s-s: File, url: a, preferred-name: ../x}", "p.preferred-name", "stays inside its folder"),
        ("{c-l-a-s-s: File, url: a, relative-dir: /x}", "p.relative-dir", "stays inside its folder"),
        ("{c-l-a-s-s: File, url: {uri: a, size: 3}, size: 4}", "p.size", "differs"),
        ("{c-l-a-s-s: File, value: 5}", "p.value", "expected the file's text"),
        ("{c-l-a-s-s: Directory, value: x}", "p.value", "unknown key 'value'"),
        ("{c-l-a-s-s: Directory, url: x, secondary-urls: y}", "p.secondary-urls", "unknown key"),
        ("{c-l-a-s-s: Value, url: x, value: y}", "p.url", "unknown key 'url'"),
        ("{c-l-a-s-s: Value}", "p", "the key 'value' is missing"),
        ("{c-l-a-s-s: Value, value: {a: 1}}", "p.value", "a scalar or a list of scalars"),
        ("{c-l-a-s-s: file, url: x}", "p.c-l-a-s-s", "did you mean File?"),
        ("{c-l-as-s: File, url: x}", "p.c-l-as-s", "did you mean 'c-l-a-s-s'?"),
        ("{class: Files, path: x}", "p.class", "did you mean 'File'?"),
        ("{c-l-a-s-s: File, class: File, url: x}", "p.class", "unknown key 'class'"),
        ("{class: File}", "p", "needs a location, a path or contents"),
        ("{class: Directory, basename: x}", "p", "needs a location, a path or a listing"),
        ("{class: File, path: x, contents: y}", "p.contents", "can't go together"),
        ("{class: File, location: x, path: y}", "p.path", "name different things"),
        ("{class: File, path: x, basename: a/b}", "p.basename", "without '/'"),
        ("{class: File, path: x, basename: ..}", "p.basename", "stays inside"),
        ("{class: File, path: x, checksum: md5$abc}", "p.checksum", "can't be verified"),
        (f"{{class: File, path: x, sha256: {SHA}, checksum: sha256${OTHER}}}", "p.checksum", "differs"),
        ("{class: File, contents: abc, size: 4}", "p.size", "3 bytes long"),
        ("{class: File, path: x, secondaryFiles: [y]}", "p.secondaryFiles[0]", "'class: File' or 'class: Directory'"),
        ("{class: File, path: x, secondaryFile: []}", "p.secondaryFile", "did you mean 'secondaryFiles'?"),
        ("{class: Directory, listing: [{class: Fil}]}", "p.listing[0]", "'class: File' or 'class: Directory'"),
        (f"{{class: Directory, path: x, listing: [], sha256: {SHA}}}", "p.sha256", "the listing says"),
    ],
)
def test_a_wrong_value_is_a_fault_at_its_place(tmp_path: Path, text: str, where: str, message: str) -> None:
    one = fault(tmp_path, text)
    assert one.where == f"params.{where}"
    assert message in one.message
    assert "secret" not in str(one)
    assert one.line == 4


@pytest.mark.parametrize("second", ["url", "value", "secondary-urls"])
def test_what_an_engine_fills_in_has_no_source(tmp_path: Path, second: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        value(tmp_path, f"{{c-l-a-s-s: File, autoFill: true, {second}: x}}")
    (one,) = caught.value.faults
    assert f"'autoFill' and '{second}' can't go together" in one.message


def test_what_is_said_of_a_whole_folder_holds_for_everything_in_it(tmp_path: Path) -> None:
    found = value(
        tmp_path,
        "{class: Directory, disclosable: false, clonable: false, listing: [{class: File, contents: x, cacheable: false,"
        " secondaryFiles: [{class: File, contents: y}]}, {class: Directory, listing: [{class: File, contents: z}]}]}",
    )
    assert isinstance(found, DirectoryValue)
    assert found.listing is not None
    first, folder = found.listing
    assert isinstance(first, FileValue)
    assert isinstance(folder, DirectoryValue)
    (deep,) = folder.listing or ()
    for one in (first, *first.secondary, folder, deep):
        assert (one.disclosable, one.clonable) == (False, False)
    assert [one.cacheable for one in (first, *first.secondary, deep)] == [False, False, True]


def test_an_empty_folder_can_have_a_name_but_no_place_in_another_folder(tmp_path: Path) -> None:
    named = value(tmp_path, "{c-l-a-s-s: Directory, preferred-name: out}")
    assert isinstance(named, DirectoryValue)
    assert named.basename == "out"
    with pytest.raises(DefinitionError, match="1 fault") as caught:
        value(tmp_path, "{c-l-a-s-s: Directory, relative-dir: deep}")
    assert caught.value.faults[0].where.endswith("relative-dir")
