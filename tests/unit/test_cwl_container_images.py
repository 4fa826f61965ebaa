"""Which image each tool and step of a CWL workflow runs in, as the real cwltool reads the documents."""

from __future__ import annotations

import pytest

from engines.base import Step, Tool
from engines.cwltool.references import references
from engines.interface import interface_as_json, interface_from_json
from staging.errors import DefinitionError
from tests.support.runs import Bench, bench, installed

__all__ = ["bench", "installed"]

pytestmark = pytest.mark.cwltool

TOOL = "cwlVersion: %s\nclass: CommandLineTool\nbaseCommand: [%s]\ninputs: {}\noutputs: {}\n"


def a_tool(requirement: str | None = None, *, section: str = "requirements", version: str = "v1.2") -> str:
    """A tool with that DockerRequirement."""
    made = TOOL % (version, "echo")
    return made if requirement is None else f"{made}{section}: {{DockerRequirement: {{{requirement}}}}}\n"


def one_tool(bench: Bench) -> Tool:
    """The only tool of ``main.cwl``."""
    (tool,) = bench.inspect().tools
    return tool


def steps(bench: Bench) -> dict[str, Step]:
    """The steps of ``main.cwl`` by name, after a round through JSON."""
    return {one.name: one for one in interface_from_json(interface_as_json(bench.inspect())).steps}


FORMS: tuple[tuple[str, str | None, dict[str, str] | None], ...] = (
    ("dockerPull: 'quay.io/a/b:1.0'", "quay.io/a/b:1.0", None),
    ("dockerPull: 'a/b@sha256:00'", "a/b@sha256:00", None),
    ("dockerImageId: mine", "mine", None),
    ("dockerPull: a/b, dockerImageId: a/b", "a/b", None),
    ("dockerPull: 'a/b:1', dockerImageId: mine", "mine", {"dockerPull": "a/b:1"}),
    ("dockerLoad: images/tools.tar, dockerImageId: mine", "mine", {"dockerLoad": "images/tools.tar"}),
    ("dockerLoad: images/tools.tar", "images/tools.tar", {"dockerLoad": "images/tools.tar"}),
    (
        "dockerImport: 'https://x.example/root.tar.gz', dockerImageId: mine",
        "mine",
        {"dockerImport": "https://x.example/root.tar.gz"},
    ),
    ("dockerFile: FROM scratch, dockerImageId: mine", "mine", {"dockerFile": "FROM scratch"}),
    ("dockerFile: FROM scratch", None, {"dockerFile": "FROM scratch"}),
    ("dockerPull: $(inputs.image)", "$(inputs.image)", {"expression": "$(inputs.image)"}),
    ("dockerPull: a/b, dockerOutputDirectory: /made", "a/b", None),
)


@pytest.mark.parametrize("version", ["v1.0", "v1.1", "v1.2"])
def test_every_form_of_the_requirement_is_told(bench: Bench, version: str) -> None:
    tools = [
        f"  - {{id: t{number:02}, class: CommandLineTool, baseCommand: echo, inputs: {{}}, outputs: {{}},"
        f" requirements: {{DockerRequirement: {{{requirement}}}}}}}"
        for number, (requirement, _, _) in enumerate(FORMS)
    ]
    uses = ", ".join(f"s{number:02}: {{run: '#t{number:02}', in: {{}}, out: []}}" for number in range(len(FORMS)))
    main = f"  - {{id: main, class: Workflow, inputs: {{}}, outputs: [], steps: {{{uses}}}}}"
    bench.write(main="\n".join([f"cwlVersion: {version}", "$graph:", *tools, main]))

    found = sorted(bench.inspect().tools, key=lambda one: one.id)

    told = [(one.container, one.container_required, one.container_recipe) for one in found]
    assert told == [(name, True, recipe) for _, name, recipe in FORMS]


def test_a_hint_is_no_requirement_and_software_is_no_image(bench: Bench) -> None:
    packages = "SoftwareRequirement: {packages: {samtools: {version: ['1.16']}}}"
    bench.write(main=f"{TOOL % ('v1.2', 'samtools')}hints: {{DockerRequirement: {{dockerPull: a/b}}, {packages}}}\n")

    tool = one_tool(bench)

    assert (tool.container, tool.container_required) == ("a/b", False)
    assert tool.software == ({"package": "samtools", "version": ["1.16"]},)

    bench.write(main=f"{TOOL % ('v1.2', 'samtools')}hints: {{{packages}}}\n")
    assert one_tool(bench).container is None


WORKFLOW = """
cwlVersion: v1.2
class: Workflow
requirements:
  DockerRequirement: {dockerPull: around}
  SubworkflowFeatureRequirement: {}
  ScatterFeatureRequirement: {}
  InlineJavascriptRequirement: {}
hints: {NetworkAccess: {networkAccess: true}}
inputs: {many: "int[]"}
outputs: []
steps:
  inherits: {run: bare.cwl, in: {}, out: []}
  chooses: {run: bare.cwl, in: {}, out: [], requirements: {DockerRequirement: {dockerPull: 'of-the-step:2'}}}
  own: {run: own.cwl, in: {}, out: [], requirements: {DockerRequirement: {dockerPull: 'of-the-step:2'}}}
  thinks:
    run: {class: ExpressionTool, expression: "${ return {}; }", inputs: {}, outputs: {}}
    in: {}
    out: []
  inner:
    in: {}
    out: []
    run:
      class: Workflow
      inputs: {}
      outputs: []
      steps:
        deep: {run: bare.cwl, in: {}, out: []}
  often:
    run: {class: CommandLineTool, baseCommand: "true", inputs: {n: int}, outputs: {}}
    scatter: n
    when: $(inputs.n > 1)
    in: {n: many}
    out: []
"""


def test_each_step_has_the_image_that_is_nearest_to_its_tool(bench: Bench) -> None:
    bench.write(main=WORKFLOW, bare=a_tool(), own=a_tool("dockerPull: of-the-tool"))

    found = {name: (one.container, one.container_required) for name, one in steps(bench).items()}

    assert found == {
        "inherits": ("around", True),
        "chooses": ("of-the-step:2", True),
        "own": ("of-the-tool", True),
        "thinks": (None, False),
        "inner": (None, False),
        "inner/deep": ("around", True),
        "often": ("around", True),
    }
    interface = bench.inspect()
    tools = {one.id: one.container for one in interface.tools}
    assert tools["own.cwl"] == "of-the-tool"
    assert tools["bare.cwl"] == next(one.container for one in interface.steps if one.tool == "bare.cwl")


def test_a_requirement_around_a_tool_goes_before_the_tool_s_hint(bench: Bench) -> None:
    bench.write(main=WORKFLOW, bare=a_tool("dockerPull: a-hint", section="hints"), own=a_tool())

    found = steps(bench)

    assert (found["inherits"].container, found["inherits"].container_required) == ("around", True)


def test_a_process_of_a_graph_has_its_own_image(bench: Bench) -> None:
    bench.write(
        main="""
        cwlVersion: v1.2
        $graph:
          - {id: one, class: CommandLineTool, baseCommand: "true", inputs: {}, outputs: {},
             requirements: {DockerRequirement: {dockerPull: first}}}
          - {id: two, class: CommandLineTool, baseCommand: "true", inputs: {}, outputs: {},
             hints: {DockerRequirement: {dockerPull: second}}}
          - id: main
            class: Workflow
            inputs: {}
            outputs: []
            steps:
              a: {run: "#one", in: {}, out: []}
              b: {run: "#two", in: {}, out: []}
        """
    )

    assert {one.id: one.container for one in bench.inspect().tools} == {
        "main.cwl#one": "first",
        "main.cwl#two": "second",
    }


def test_an_archive_beside_a_document_is_gathered_and_told_from_the_root(bench: Bench) -> None:
    text = a_tool("dockerLoad: '../images/my tools.tar', dockerImageId: mine")
    (bench.content / "workflow" / "tools").mkdir(parents=True)
    (bench.content / "workflow" / "tools" / "one.cwl").write_text(text)
    (bench.content / "workflow" / "images").mkdir()
    (bench.content / "workflow" / "images" / "my tools.tar").write_bytes(b"")
    bench.write(
        main="cwlVersion: v1.2\nclass: Workflow\ninputs: {}\noutputs: []\n"
        "steps: {a: {run: tools/one.cwl, in: {}, out: []}}"
    )

    assert one_tool(bench).container_recipe == {"dockerLoad": "images/my tools.tar"}
    assert steps(bench)["a"].container_recipe == {"dockerLoad": "images/my tools.tar"}
    assert references(text.encode(), "one.cwl") == (("../images/my tools.tar", True),)


@pytest.mark.parametrize(
    "text",
    [
        "{DockerRequirement: {dockerLoad: 'https://x.example/a.tar'}}",
        "{DockerRequirement: {dockerImport: $(inputs.a)}}",
        "{inputs: {dockerLoad: string}}",
        "{DockerRequirement: {dockerPull: a.tar}}",
    ],
)
def test_what_is_no_archive_beside_a_document_is_not_gathered(text: str) -> None:
    assert references(text.encode(), "a.cwl") == ()


def test_the_list_form_names_an_archive_too() -> None:
    text = b"requirements: [{class: DockerRequirement, dockerImport: root.tar.gz, dockerImageId: x}]"

    assert references(text, "a.cwl") == (("root.tar.gz", True),)


def test_a_wish_for_a_network_is_noted_when_the_workflow_is_read(bench: Bench) -> None:
    bench.write(main=a_tool() + "requirements: {NetworkAccess: {networkAccess: true}}")
    assert bench.inspect().notes == ("the tool main.cwl asks for a network, and there is none while a workflow runs",)

    bench.write(main=a_tool(version="v1.0"))
    assert bench.inspect().notes == ()


def test_cwltool_s_own_requirements_are_read(bench: Bench) -> None:
    namespace = '$namespaces: {cwltool: "http://commonwl.org/cwltool#"}\n'
    requirements = "requirements: {DockerRequirement: {dockerPull: a/b}, 'cwltool:ShmSize': {%s}}\n"
    bench.write(main=TOOL % ("v1.2", "echo") + namespace + requirements % "shmSize: 32m")

    assert one_tool(bench).container == "a/b"

    bench.write(main=TOOL % ("v1.2", "echo") + namespace + requirements % "size: 32m")
    with pytest.raises(DefinitionError, match="shmSize"):
        bench.inspect()
