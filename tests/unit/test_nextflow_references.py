"""Which other files of its project a Nextflow document names."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.gathering import Gathered, check_contained, gather
from engines.nextflow.reading.references import FILES, FOLDERS, included_plugins, own_files, references
from staging.definition import Source
from staging.errors import DefinitionError, FetchError
from staging.fingerprints import Fingerprint
from staging.identifiers import Identifier
from staging.plan import Kind, PlanItem, Trust
from staging.wanted import StagedItem, Wanted

NEIGHBOURS = {*FILES, *(f"{one}/" for one in FOLDERS)}


def _found(text: str, name: str = "main.nf") -> dict[str, bool]:
    """Whether each is optional, by its text, but for the conventional neighbours."""
    return {one.text: one.optional for one in references(text.encode(), name) if one.text not in NEIGHBOURS}


MAIN = r'''
#!/usr/bin/env nextflow
nextflow.enable.dsl = 2
// include { GONE } from './modules/gone.nf'
include { FASTQC; MULTIQC as QC } from './modules/nf-core/fastqc'
include {
    ALIGN   // the "aligner"
} from './subworkflows/align/main.nf' addParams(options: [:])
include { paramsHelp } from 'plugin/nf-schema'
include OLD from '../shared/old.nf'
include './functions.nf'
include { A } from "$projectDir/workflows/a"
include { B } from "${params.where}/b.nf"
if (params.extra) { include { C } from './modules/c.nf' }

params.input = "$projectDir/data/ggal/*_{1,2}.fq"
params.config = "${baseDir}/assets/multi qc.yml"
params.index = "${projectDir}/index/${params.genome}/x.fa"
params.all = "$projectDir"
params.web = 'https://x.example/data.csv'
params.plain = 'data/x.csv'

process FOO {
    input: path include
    script:
    template 'foo.sh'
}
process BAR {
    script:
    """
    python3 "${projectDir}/scripts/second.py" ${task.cpus}
    """
    "$projectDir/scripts/run.py --out x.txt"
}
'''


def test_a_main_script_names_modules_templates_and_files_of_its_project() -> None:
    assert _found(MAIN) == {
        "./modules/nf-core/fastqc.nf": True,
        "./modules/nf-core/fastqc/main.nf": True,
        "./subworkflows/align/main.nf": False,
        "../shared/old.nf": False,
        "./functions.nf": False,
        "workflows/a.nf": True,
        "workflows/a/main.nf": True,
        "./modules/c.nf": True,
        "data/ggal/": True,
        "assets/multi": True,
        "assets/multi%20qc.yml": True,
        "index/": True,
        "templates/foo.sh": False,
        "scripts/run.py": True,
        "scripts/run.py%20--out%20x.txt": True,
        "scripts/second.py": True,
    }


def test_a_main_script_has_conventional_neighbours_and_a_module_has_none() -> None:
    assert {one.text for one in references(b"", "main.nf") if one.optional} == NEIGHBOURS
    assert references(b"", "modules/x/main.nf") == ()
    assert references(b"", "nextflow.config") == ()


def test_the_project_is_found_from_a_module_in_a_folder() -> None:
    text = (
        "include { X } from \"${projectDir}/modules/x\"\ntemplate 'x.R'\n"
        'a = "$projectDir/assets/b.txt"\nb = "${moduleDir}/resources/c.txt"'
    )

    assert _found(text, "modules/deep/main.nf") == {
        "../x.nf": True,
        "../x/main.nf": True,
        "templates/x.R": True,
        "../../templates/x.R": True,
        "../../assets/b.txt": True,
        "resources/c.txt": True,
    }
    # Above the project nobody knows what its folder is called.
    assert set(_found(text, "../shared/main.nf")) == {"templates/x.R", "resources/c.txt"}


CONFIG = r"""
includeConfig 'conf/base.config'
includeConfig("conf/modules.config")
includeConfig "$projectDir/conf/igenomes.config"
try { includeConfig "${params.custom_config_base}/nfcore_custom.config" } catch (Exception e) { }
includeConfig !System.getenv('NXF_OFFLINE') ? "${params.custom_config_base}/x.config" : "/dev/null"
profiles {
    test { includeConfig 'conf/test.config' }
}
params.schema = "${projectDir}/assets/schema.json"
"""


def test_a_configuration_includes_others() -> None:
    assert _found(CONFIG, "nextflow.config") == {
        "conf/base.config": False,
        "conf/modules.config": False,
        "conf/igenomes.config": False,
        "conf/test.config": True,
        "assets/schema.json": True,
    }


def test_a_schema_of_parameters_names_those_of_its_sample_sheets() -> None:
    text = '{"definitions": {"a": {"properties": {"input": {"schema": "assets/schema_input.json"}}}}}'

    assert _found(text, "nextflow_schema.json") == {"assets/schema_input.json": True}


@pytest.mark.parametrize("written", ["/opt/x.nf", "https://x.example/x.nf", "/opt/x"])
def test_an_absolute_module_is_left_as_it_is(written: str) -> None:
    assert _found(f"include {{ X }} from '{written}'") == {written: False}


@pytest.mark.parametrize("name", ["bin/x.py", "assets/x.yml", "README.md", "templates/x.sh"])
def test_other_files_refer_to_nothing(name: str) -> None:
    assert references(b"include { X } from './x.nf'", name) == ()


def test_what_can_be_no_path_is_none() -> None:
    long = "x" * 300
    text = f'a = "$projectDir/a\\\\b"\nb = "$projectDir/{long}"\nc = "$projectDir/.."\nd = "$projectDir/\\u0001"'

    assert _found(text, "m/x.nf") == {}
    assert _found('{"schema": "\\ud800"}', "nextflow_schema.json") == {}


_PIECES = st.sampled_from(
    ["include", " ", "{ A }", " from ", "'./x'", '"$projectDir/', "${", "}", '"', "'", "\n", "template ", "a*", "("]
)


@given(st.lists(_PIECES | st.text(max_size=4), max_size=20), st.sampled_from(["main.nf", "a/b.nf", "x.config"]))
def test_any_text_is_read(pieces: list[str], name: str) -> None:
    for one in references("".join(pieces).encode(errors="replace"), name):
        assert one.text


@given(st.binary(max_size=60), st.sampled_from(["main.nf", "nextflow_schema.json", "nextflow.config"]))
def test_any_bytes_are_read(document: bytes, name: str) -> None:
    references(document, name)


class Place:
    """A folder that files and folders are fetched from, by its path or as if by http (which has no folders)."""

    def __init__(self, root: Path, documents: dict[str, str], *, web: bool = False) -> None:
        self.root = root / "source"
        self.content = root / "content"
        self.web = web
        self.asked: list[str] = []
        for name, text in documents.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)

    def gather(self, main: str = "main.nf", locked: set[str] | None = None) -> Gathered:
        name = f"https://x.example/wf/{main}" if self.web else str(self.root / main)
        source = Source(mirrors=(Identifier.parse(name),))
        return gather(
            source,
            top="workflow",
            content=self.content,
            fetch=self.fetch,
            references=references,
            base=self.root,
            locked=locked,
        )

    def fetch(self, wanted: Sequence[Wanted]) -> tuple[StagedItem, ...]:
        return tuple(self._one(one) for one in wanted)

    def _one(self, one: Wanted) -> StagedItem:
        assert one.source is not None
        identifier = one.source.mirrors[0]
        path = identifier.local_path or self.root / str(identifier).removeprefix("https://x.example/wf/")
        self.asked.append(path.relative_to(self.root).as_posix())
        if not path.exists() or (self.web and path.is_dir()):
            raise FetchError(f"there is no {identifier}")
        target = self.content / one.path
        # Two things at one place are refused by the stager too.
        assert not any(one.is_file() for one in (target, *target.rglob("*")))
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        else:
            shutil.copy(path, target)
        item = PlanItem(
            role=one.role,
            name=one.name,
            identifier=str(identifier),
            pinned=str(identifier),
            kind=Kind.DIRECTORY if path.is_dir() else Kind.FILE,
            fingerprint=Fingerprint.of_bytes(one.name.encode()),
            size=1,
            trust=Trust.FIRST_USE,
            path=one.path,
        )
        return StagedItem(item=item, source="fetched", trust=Trust.FIRST_USE)

    def staged(self) -> set[str]:
        whole = self.content / "workflow"
        return {str(one.relative_to(whole)) for one in whole.rglob("*") if one.is_file()}


PIPELINE = {
    "main.nf": "include { A } from './modules/a'\ninclude { B } from './extra/b.nf'\np = \"$projectDir/data/x.csv\"",
    "modules/a/main.nf": "include { C } from '../../others/c'\ntemplate 'a.sh'",
    "modules/a/templates/a.sh": "",
    "modules/unused.nf": "",
    "extra/b.nf": "",
    "others/c.nf": 'x = "$projectDir/data/*.csv"',
    "data/x.csv": "",
    "data/y.csv": "",
    "nextflow.config": "includeConfig 'conf/base.config'",
    "conf/base.config": "",
    "bin/tool": "",
    "README.md": "",
}


def test_a_local_script_is_staged_with_all_that_it_needs_of_its_project(tmp_path: Path) -> None:
    place = Place(tmp_path, PIPELINE)

    gathered = place.gather()

    assert place.staged() == set(PIPELINE) - {"README.md"}
    assert gathered.entry == PurePosixPath("workflow/main.nf")
    # What came with a folder is no item of its own.
    assert {one.item.name for one in gathered.items} == {
        "workflow",
        *(f"workflow/{one}" for one in ("bin", "conf", "data", "extra/b.nf", "modules", "nextflow.config")),
        "workflow/others/c.nf",
    }


def test_over_http_the_documents_that_are_named_are_staged_and_no_folder_is_asked_for(tmp_path: Path) -> None:
    place = Place(tmp_path, PIPELINE, web=True)

    place.gather()

    assert place.staged() == {
        *("main.nf", "modules/a/main.nf", "modules/a/templates/a.sh", "extra/b.nf", "others/c.nf", "data/x.csv"),
        *("nextflow.config", "conf/base.config"),
    }
    assert not {"bin", "lib", "modules", "data"} & set(place.asked)


def test_a_module_that_is_not_there_is_a_fault_also_in_a_folder_that_is(tmp_path: Path) -> None:
    place = Place(tmp_path, {"main.nf": "include { A } from './modules/gone.nf'", "modules/a.nf": ""})

    with pytest.raises(FetchError, match="gone"):
        place.gather()


def test_a_project_that_climbs_is_staged_once_at_its_last_place(tmp_path: Path) -> None:
    documents = {"wf/main.nf": "include { A } from '../shared/a.nf'", "wf/bin/x": ""}
    documents |= {"shared/a.nf": "include { B } from '../bin/b.nf'", "bin/b.nf": ""}
    place = Place(tmp_path, documents)

    gathered = place.gather("wf/main.nf")

    assert gathered.entry == PurePosixPath("workflow/level1/main.nf")
    assert place.staged() == {"level1/main.nf", "level1/bin/x", "shared/a.nf", "bin/b.nf"}


def test_what_a_lock_does_not_have_is_absent_under_it(tmp_path: Path) -> None:
    place = Place(tmp_path, {"main.nf": "", "bin/x": "", "lib/X.groovy": ""})

    place.gather(locked={"workflow", "workflow/bin"})

    assert place.staged() == {"main.nf", "bin/x"}


def test_a_project_below_the_root_may_refer_to_what_is_beside_it_there(tmp_path: Path) -> None:
    (tmp_path / "wf").mkdir()
    (tmp_path / "wf" / "main.nf").write_text('x = "$projectDir/../shared/x"')

    check_contained(tmp_path, PurePosixPath("wf/main.nf"), references)
    with pytest.raises(DefinitionError, match="fault") as caught:
        check_contained(tmp_path / "wf", PurePosixPath("main.nf"), references)

    assert "outside" in caught.value.faults[0].message


def test_the_plugins_that_a_script_includes_from_are_told_with_their_lines() -> None:
    text = """
    // include { a } from 'plugin/nf-no'
    include { samplesheetToList; validate as v } from 'plugin/nf-schema'
    include { T } from './x'
    include { again } from "plugin/nf-schema"
    workflow { include { b } from 'plugin/nf-inner' }
    """
    assert included_plugins(text) == (("nf-schema", 3),)


def test_a_workflows_own_files_are_its_code_and_not_its_data(tmp_path: Path) -> None:
    files = {
        "main.nf": "",
        "nextflow.config": "includeConfig 'conf/base.config'\nprofiles { t { includeConfig 'conf/test.config' } }\n",
        "conf/base.config": "includeConfig 'deep/er.config'\n",
        "conf/deep/er.config": "",
        "conf/test.config": "",
        "conf/unused.config": "",
        "lib/A.groovy": "",
        "bin/tool.py": "",
        "templates/t.sh": "",
        "modules/m/main.nf": "",
        "modules/m/templates/m.sh": "",
        "modules/other/templates/o.sh": "",
        "assets/logo.png": "",
        "../outside.config": "",
    }
    folder = tmp_path / "wf"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "bin" / "link").symlink_to("/etc/hostname")
    (folder / "conf/deep/er.config").write_text("includeConfig '../../../outside.config'\n")

    assert own_files(folder, PurePosixPath(), {"main.nf", "nextflow.config", "modules/m/main.nf"}) == {
        "nextflow.config",
        "conf/base.config",
        "conf/deep/er.config",
        "conf/test.config",
        "lib/A.groovy",
        "bin/tool.py",
        "templates/t.sh",
        "modules/m/templates/m.sh",
    }
