"""Documents: what is read, what is refused, and where the fault is said to be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from staging.composing import MAX_DEPTH
from staging.documents import parse_document, read_document
from staging.errors import DefinitionError, Fault
from staging.nodes import Document, MapNode, ScalarNode, below, plain


def read(text: str, file: str = "a.yml") -> object:
    document = parse_document(text.encode(), file=file)
    assert not document.faults
    return plain(document.root)


def faults(text: str | bytes, file: str = "a.yml") -> tuple[Fault, ...]:
    try:
        return parse_document(text.encode() if isinstance(text, str) else text, file=file).faults
    except DefinitionError as error:
        return error.faults


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("12", 12),
        ("-0", 0),
        ("+7", 7),
        ("0x1F", 31),
        ("0o17", 15),
        ("1e5", 100000.0),
        ("-2.5E-3", -0.0025),
        (".5", 0.5),
        ("2.", 2.0),
        ("0.10", 0.1),
        ("y", "y"),
        ("2024-01-31", "2024-01-31"),
        ("1.2.3", "1.2.3"),
        ("1 2", "1 2"),
        ("0x", "0x"),
        ("=", "="),
        ("chr1:100-200", "chr1:100-200"),
        ("'no'", "no"),
        ('"007"', "007"),
        ("'1:30'", "1:30"),
        ("'null'", "null"),
        ("'.nan'", ".nan"),
    ],
)
def test_a_word_is_read_as_yaml_1_2_says_and_a_quoted_one_is_text(text: str, value: object) -> None:
    result = read(f"a: {text}\n")
    assert result == {"a": value}
    assert type(result["a"]) is type(value)  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("no", "write false, or 'no' in quotes for the text"),
        ("Yes", "write true, or 'Yes' in quotes for the text"),
        ("ON", "write true, or 'ON' in quotes for the text"),
        ("off", "write false, or 'off' in quotes for the text"),
        ("017", "write 17 for the number, or '017' in quotes for the text"),
        ("-007", "write -7 for the number, or '-007' in quotes for the text"),
        ("00", "write 0 for the number, or '00' in quotes for the text"),
        ("00.5", "write 0.5 for the number, or '00.5' in quotes for the text"),
        ("1:30", "write '1:30' in quotes for the text"),
        ("190:20:30.15", "write '190:20:30.15' in quotes for the text"),
        ("1_000", "write the number in decimal digits alone, or '1_000' in quotes for the text"),
        ("0b101", "write the number in decimal digits alone, or '0b101' in quotes for the text"),
        (".nan", "write a number, or '.nan' in quotes for the text"),
        ("-.inf", "write a number, or '-.inf' in quotes for the text"),
        ("NaN", "write a number, or 'NaN' in quotes for the text"),
        ("-Infinity", "write a number, or '-Infinity' in quotes for the text"),
        ("1e999", "write '1e999' in quotes for the text"),
        ("9" * 5000, "put quotes around it for a text"),
    ],
)
def test_a_word_that_readers_of_yaml_disagree_on_is_refused_with_what_to_write(text: str, hint: str) -> None:
    (fault,) = faults(f"a:\n  - {text}\n")
    assert (fault.where, fault.line, fault.column, fault.hint) == ("a[0]", 2, 5, hint)
    # What the hint says is taken.
    if "quotes for the text" in hint:
        assert read(f"a: '{text}'") == {"a": text}


def test_a_key_is_the_text_that_stands_there() -> None:
    assert read("on: 1\nno: 2\n017: 3\nnull: 4\n1.10: 5\n") == {"on": 1, "no": 2, "017": 3, "null": 4, "1.10": 5}


def test_a_number_keeps_the_text_it_was_written_as() -> None:
    document = parse_document(b"version: 1.10", file="a.yml")
    assert isinstance(document.root, MapNode)
    node = document.root.entries["version"]
    assert isinstance(node, ScalarNode)
    assert (node.value, node.text) == (1.1, "1.10")


def test_all_small_faults_of_a_document_come_at_once_and_both_places_of_a_double_key_are_named() -> None:
    found = faults("a: no\nb: !!python/name:os.system x\nc: 1\na: 3\nd: 0777\n")
    assert [(one.line, one.column, one.where) for one in found] == [(1, 4, "a"), (2, 4, "b"), (4, 1, "a"), (5, 4, "d")]
    assert "'a' stands twice; the first is in line 1, column 1" in found[2].message


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("", "the document is empty", 1, 1),
        ("# nothing\n", "the document is empty", 1, 1),
        ("a: 1\n---\nb: 2\n", "a second document starts here", 2, 1),
        ("a:\n\tb: 1\n", "a tab can't be used for indentation", 2, 1),
        ("a: b: c\n", "mapping values are not allowed", 1, 5),
        ("a: [1, 2\n", "did not find expected ',' or ']'", 2, 1),
        ("a: *b\n", "the alias *b has no anchor &b before it", 1, 4),
        ("a: &a [*a]\n", "the alias *a contains itself", 1, 8),
        ("[a]: 1\n", "a key must be a text", 1, 1),
        ("? {a: 1}\n: 2\n", "a key must be a text", 1, 3),
        ("a: &x [1]\n*x : 2\n", "a key must be a text", 2, 1),
        ("'': 1\n", "a key can't be empty", 1, 1),
        ("a: !foo 1\n", "the tag '!foo' is not allowed", 1, 4),
        ("a: !!str 1\n", "the tag '!!str' is not allowed", 1, 4),
        ('a: "x\\0y"\n', "a text can't have a NUL", 1, 4),
        ("a: x\x01y\n", "the control character U+0001 is not allowed", 1, 5),
        ("a: x\x85y\x9fz\n", "the control character U+009F is not allowed", 1, 7),
        ("é: \x7f\n", "the control character U+007F is not allowed", 1, 4),
        ("<<: 5\na: 1\n", "<< takes a map or a list of maps", 1, 1),
    ],
)
def test_what_is_no_document_is_told_with_its_place(text: str, message: str, line: int, column: int) -> None:
    (fault,) = faults(text)
    assert message in fault.message
    assert (fault.file, fault.line, fault.column) == ("a.yml", line, column)


def test_a_document_in_another_encoding_is_refused_at_the_byte() -> None:
    (fault,) = faults("a: 1\nb: caf\xe9".encode("latin-1"))
    assert (fault.line, fault.column, fault.hint) == (2, 7, "save it as UTF-8")
    assert faults("a: 1".encode("utf-16"))
    assert read("\ufeffa: é") == {"a": "é"}


def test_anchors_aliases_and_merge_keys_work() -> None:
    text = "base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\none: {<<: [*b, *m], x: 9}\ntwo: {'<<': 5}\nthree: *b\n"
    assert read(text) == {
        "base": {"x": 1, "y": 2},
        "more": {"y": 3, "z": 4},
        "one": {"x": 9, "y": 2, "z": 4},
        "two": {"<<": 5},
        "three": {"x": 1, "y": 2},
    }


def test_a_hundred_levels_are_read_and_one_more_is_not_also_by_way_of_aliases() -> None:
    assert read("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    (fault,) = faults("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    assert (fault.message, fault.column) == ("the document is nested more than 100 levels deep", 101)
    chain = "- &a0 []\n" + "".join(f"- &a{n} [*a{n - 1}]\n" for n in range(1, MAX_DEPTH + 2))
    (fault,) = faults(chain)
    assert "with its aliases" in fault.message


def test_json_is_read_as_json_has_it(tmp_path: Path) -> None:
    value = {"emoji": "\U0001f600", "slash": "a/b \\ud83d\\ude00", "tab": "\t", "n": [1e-7, -3, None, True], "deep": {}}
    for indent in (None, 1, "\t"):
        assert read(json.dumps(value, indent=indent), "job.json") == value
    assert read('{"a":1,"b":"\\/"}', "job.json") == {"a": 1, "b": "/"}
    assert faults('{"a": NaN}', "job.json")[0].message == "NaN is not a finite number"
    assert faults('{"a": "\\ud83d"}', "job.json")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    # JSON's own reader takes a lone surrogate, YAML no NUL and no byte that is no character.
    | st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=9), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON, st.booleans())
def test_whatever_json_writes_is_read_back_equal(value: object, ascii_only: bool) -> None:
    assert read(json.dumps(value, ensure_ascii=ascii_only), "a.json") == value


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=20))
def test_a_quoted_text_is_never_anything_else(text: str) -> None:
    assert read(yaml.safe_dump({"a": text}, default_style='"', allow_unicode=True), "a.yml") == {"a": text}


def test_both_parsers_of_pyyaml_give_the_same_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"a: [1, 'x', {b: &c no}]\nd: *c\na: 2\nlong: |\n  one\n  two\n"

    def told() -> tuple[Document, object]:
        document = parse_document(text, file="a.yml")
        return document, plain(document.root)

    fast, fast_value = told()
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    slow, slow_value = told()
    assert fast_value == slow_value == {"a": [1, "x", {"b": "no"}], "d": "no", "long": "one\ntwo\n"}
    assert fast.faults == slow.faults
    assert len(fast.faults) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing.yml", "no such file or directory"), (".", "is a folder, not a file"), ("\0", "has a NUL in it")],
)
def test_what_can_not_be_opened_is_a_fault_of_the_document(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        read_document(tmp_path / name)
    assert message in caught.value.message
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("where", "key", "path"),
    [
        ("", "a", "a"),
        ("a", "b-c", "a.b-c"),
        ("a", 3, "a[3]"),
        ("a", "b.c", "a['b.c']"),
        ("", "x y", "['x y']"),
    ],
)
def test_a_path_into_a_document_shows_where_one_key_ends(where: str, key: str | int, path: str) -> None:
    assert below(where, key) == path
