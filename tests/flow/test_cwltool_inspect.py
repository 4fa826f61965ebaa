"""What the real cwltool says of workflows that are not run."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.cwltool.inspect import locate, recognises
from staging.errors import DefinitionError, PolicyError
from tests.support.runs import Bench, bench, installed, tool

__all__ = ["bench", "installed"]

pytestmark = pytest.mark.cwltool

ONE_STEP = "cwlVersion: v1.2\nclass: Workflow\ninputs: {}\noutputs: []\nsteps: {a: {run: %s, in: {}, out: []}}"


def test_types_are_told_with_every_name_resolved(bench: Bench) -> None:
    bench.write(
        main="""
        cwlVersion: v1.2
        class: CommandLineTool
        requirements:
          SchemaDefRequirement:
            types:
              - $import: types.cwl
              - {name: shade, type: enum, symbols: [dark, light]}
        baseCommand: echo
        inputs:
          plain: File
          maybe: int?
          several: string[]
          maybe_several: "File[]?"
          choice: {type: {type: enum, symbols: [red, green]}}
          named: "types.cwl#pair"
          shades: {type: {type: array, items: "#shade"}}
          any: Any
          given: {type: int, default: 5, label: A number, doc: [one, two]}
        outputs: {}
        """,
        types="""
        name: pair
        type: record
        fields:
          - {name: left, type: int, doc: the left one}
          - {name: right, type: "File?", secondaryFiles: [.bai]}
        """,
    )

    interface = bench.inspect()

    types = {one.name: one.type for one in interface.inputs}
    assert types["plain"] == "File"
    assert types["maybe"] == ["null", "int"]
    assert types["several"] == {"type": "array", "items": "string"}
    assert types["maybe_several"] == ["null", {"type": "array", "items": "File"}]
    assert types["choice"] == {"type": "enum", "symbols": ["red", "green"]}
    assert types["shades"] == {"type": "array", "items": {"type": "enum", "symbols": ["dark", "light"]}}
    assert types["any"] == "Any"
    assert types["named"] == {
        "type": "record",
        "fields": [
            {"name": "left", "type": "int", "doc": "the left one"},
            {"name": "right", "type": ["null", "File"], "secondaryFiles": [".bai"]},
        ],
    }
    given = next(one for one in interface.inputs if one.name == "given")
    assert (given.default, given.has_default, given.required) == (5, True, False)
    assert (given.label, given.doc) == ("A number", "one\ntwo")
    required = {one.name for one in interface.inputs if one.required}
    assert required == {"plain", "several", "choice", "named", "shades", "any"}
    assert interface.documents == ("main.cwl", "types.cwl")


def test_steps_tools_and_connections_of_nested_workflows(bench: Bench) -> None:
    bench.write(
        main="""
        cwlVersion: v1.2
        class: Workflow
        label: The whole
        requirements: {SubworkflowFeatureRequirement: {}, ScatterFeatureRequirement: {}}
        inputs: {words: "string[]"}
        outputs: {all: {type: "File[]", outputSource: last/all}}
        steps:
          last: {run: inner.cwl, in: {words: first/words}, out: [all]}
          first:
            run:
              class: ExpressionTool
              requirements: {InlineJavascriptRequirement: {}}
              inputs: {words: "string[]"}
              outputs: {words: "string[]"}
              expression: "${return {words: inputs.words};}"
            in: {words: words}
            out: [words]
        """,
        inner="""
        cwlVersion: v1.2
        class: Workflow
        requirements: {ScatterFeatureRequirement: {}}
        inputs: {words: "string[]"}
        outputs: {all: {type: "File[]", outputSource: echo/out}}
        steps:
          echo: {run: echo.cwl, scatter: word, label: Say it, in: {word: words}, out: [out]}
        """,
        echo=tool(
            "echo $0",
            inputs="{word: {type: string, inputBinding: {}}}",
            more="stdout: o\nhints: {DockerRequirement: {dockerPull: 'debian:12'}, SoftwareRequirement: "
            "{packages: {coreutils: {version: ['9']}}}}",
        ),
    )

    interface = bench.inspect()

    assert (interface.kind, interface.label, interface.needs_javascript) == ("Workflow", "The whole", True)
    assert [(one.name, one.position, one.tool) for one in interface.steps] == [
        ("first", 0, "main.cwl#first/run"),
        ("last", 1, "inner.cwl"),
        ("last/echo", 2, "echo.cwl"),
    ]
    assert interface.steps[2].scatter == ("word",)
    assert interface.steps[2].label == "Say it"
    assert set(interface.connections) == {
        ("words", "first/words"),
        ("first/words", "last/words"),
        ("last/words", "last/echo/word"),
        ("last/echo/out", "last/all"),
        ("last/all", "all"),
    }
    echo = next(one for one in interface.tools if one.id == "echo.cwl")
    assert (echo.kind, echo.program, echo.container, echo.container_required) == (
        "CommandLineTool",
        "sh",
        "debian:12",
        False,
    )
    assert echo.software[0]["package"] == "coreutils"
    assert {one.id: one.kind for one in interface.tools}["main.cwl#first/run"] == "ExpressionTool"


def test_everything_that_belongs_to_a_workflow_is_a_document_of_it(bench: Bench) -> None:
    bench.write(
        main="""
        cwlVersion: v1.2
        class: Workflow
        requirements: {InlineJavascriptRequirement: {expressionLib: [{$include: lib/code.js}]}}
        inputs:
          genome: {type: File, default: {class: File, location: data/genome.fa}}
        outputs: []
        steps: {one: {run: sub/one.cwl, in: {}, out: []}}
        """,
        **{"sub/one": tool("true", outputs="{}", more="")},
    )
    for name in ("lib/code.js", "data/genome.fa", "unrelated.txt"):
        path = bench.content / "workflow" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("// x")

    interface = bench.inspect()

    assert interface.documents == ("data/genome.fa", "lib/code.js", "main.cwl", "sub/one.cwl")
    assert interface.inputs[0].default == {"class": "File", "path": "data/genome.fa"}


PACKAGE = "      map: {version: ['8'], 's:license': 'https://spdx.org/licenses/MIT', 's:citation': 10.1000/a}\n"


def test_licence_and_authors_are_read_from_annotations(bench: Bench) -> None:
    bench.write(
        main=tool("true", outputs="{}", more="hints:\n  SoftwareRequirement:\n    packages:\n" + PACKAGE)
        + "$namespaces: {s: https://schema.org/}\n"
        + "s:keywords: [mapping, 'calling, counting']\n"
        + "s:codeRepository: https://example.org/flow\n"
        + "s:license: https://spdx.org/licenses/Apache-2.0\n"
        + "s:author:\n  - {class: s:Person, s:name: A. Author, s:identifier: https://orcid.org/0000-0002-1825-0097}\n"
    )

    interface = bench.inspect()

    assert interface.licence == "https://spdx.org/licenses/Apache-2.0"
    assert interface.authors[0]["name"] == "A. Author"
    assert interface.authors[0]["identifier"] == "https://orcid.org/0000-0002-1825-0097"
    assert interface.keywords == ("mapping", "calling", "counting")
    assert interface.repository == "https://example.org/flow"
    assert interface.tools[0].software == (
        {
            "package": "map",
            "version": ["8"],
            "licences": ["https://spdx.org/licenses/MIT"],
            "citations": ["10.1000/a"],
        },
    )


@pytest.mark.parametrize(
    ("expression", "needed"),
    [("$(inputs.word)", False), ("x$(inputs.word)y", False), ("${return 'x';}", True), ("$(inputs.word + 'x')", True)],
)
def test_javascript_is_needed_only_for_expressions(bench: Bench, expression: str, needed: bool) -> None:
    more = f'requirements: {{InlineJavascriptRequirement: {{}}}}\nstdout: "{expression}"'
    bench.write(main=tool("true", inputs="{word: string}", more=more))

    assert bench.inspect().needs_javascript is needed


def test_secondary_files_are_patterns(bench: Bench) -> None:
    bench.write(main=tool("true", inputs='{b: {type: File, secondaryFiles: [".bai", "^.idx?"]}}'))

    assert bench.inspect().inputs[0].secondary == (".bai", "^.idx?")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            ONE_STEP % "gone.cwl",
            "gone",
        ),
        ("cwlVersion: v9\nclass: CommandLineTool\ninputs: {}\noutputs: {}", "v9|version"),
        ("class: CommandLineTool\ninputs: {}\noutputs: {}", "cwlVersion"),
        ("cwlVersion: v1.2\nclass: CommandLineTool\ninputs: {a: no_such_type}\noutputs: {}", "no_such_type"),
        ("cwlVersion: v1.2\nclass: [", "main.cwl"),
        ("- a\n- list", "main.cwl"),
        ("", "main.cwl"),
        (
            ONE_STEP % "../../etc/x.cwl",
            "x.cwl",
        ),
        (
            ONE_STEP % "main.cwl",
            "main.cwl",
        ),
    ],
)
def test_an_invalid_workflow_is_refused_in_short_words(bench: Bench, text: str, words: str) -> None:
    bench.write(main=text)

    with pytest.raises(DefinitionError, match=words) as caught:
        bench.inspect()

    assert str(bench.content) not in caught.value.message
    assert "Traceback" not in caught.value.message


def test_a_document_outside_of_the_workflow_is_not_read(bench: Bench) -> None:
    outside = bench.content / "outside.cwl"
    outside.write_text(tool("true", outputs="{}", more=""))
    bench.write(
        main="""
        cwlVersion: v1.2
        class: Workflow
        inputs: {}
        outputs: []
        steps: {a: {run: ../outside.cwl, in: {}, out: []}}
        """
    )

    with pytest.raises(DefinitionError, match="outside"):
        bench.inspect()


def test_the_entry_is_found_by_name_or_when_there_is_no_doubt(tmp_path: Path) -> None:
    (tmp_path / "only.cwl").write_text("cwlVersion: v1.2")
    assert locate(tmp_path, None)[1].name == "only.cwl"
    (tmp_path / "second.cwl").write_text("cwlVersion: v1.2")
    with pytest.raises(DefinitionError, match="several CWL documents") as caught:
        locate(tmp_path, None)
    assert caught.value.hint == "name one of: only.cwl, second.cwl"
    (tmp_path / "main.cwl").write_text("cwlVersion: v1.2")
    assert locate(tmp_path, None)[1].name == "main.cwl"


def test_entries_may_be_percent_encoded_and_name_a_process(tmp_path: Path) -> None:
    folder = tmp_path / "sub dir"
    folder.mkdir()
    (folder / "a#b.cwl").write_text("cwlVersion: v1.2")

    root, entry, process = locate(tmp_path, "sub%20dir/a%23b.cwl#step%20one")

    assert (root, str(entry), process) == (tmp_path, "sub dir/a#b.cwl", "step one")
    assert str(locate(tmp_path, "sub%20dir")[1]) == "sub dir/a#b.cwl"


def test_a_single_file_is_its_own_workflow(tmp_path: Path) -> None:
    (tmp_path / "x.cwl").write_text("cwlVersion: v1.2")

    assert locate(tmp_path / "x.cwl", "#main") == (tmp_path, locate(tmp_path, "x.cwl")[1], "main")


def test_an_entry_that_climbs_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out.cwl").write_text("cwlVersion: v1.2")

    with pytest.raises((DefinitionError, PolicyError)):
        locate(tmp_path / "in", "../out.cwl")


def test_a_document_is_known_by_its_content_too(tmp_path: Path) -> None:
    (tmp_path / "flow.yml").write_text("# a comment\ncwlVersion: v1.2\n")
    (tmp_path / "packed").write_text('{\n  "cwlVersion": "v1.2"}')
    (tmp_path / "main.nf").write_text("nextflow.enable.dsl=2")

    assert recognises(tmp_path, "flow.yml")
    assert recognises(tmp_path, "packed")
    assert not recognises(tmp_path, "main.nf")
    assert not recognises(tmp_path, None)


def test_names_with_spaces_and_hashes_are_no_trouble(bench: Bench) -> None:
    bench.content = bench.content / "a b#c%20d"
    bench.write(main=tool("echo hello"))

    interface = bench.inspect()

    assert interface.documents == ("main.cwl",)
    execution = bench.run()
    assert bench.text(execution.outputs["out"]) == "hello\n", execution.error
