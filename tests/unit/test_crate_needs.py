"""Needs of tools in words, and citations and recipes that lie beside a workflow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engines.base import Tool
from staging.fingerprints import Tree
from staging.plan import Kind, Role
from tests.flow.test_crates import export
from tests.support.crates import Workdir, empty_workdir, entities_of, ids
from wfexs_like.crate.citations import doi_address
from wfexs_like.crate.graph import Entity
from wfexs_like.crate.needs import amount, observe

CFF = """
cff-version: 1.2.0
title: A workflow
keywords: [mapping, 3, calling]
repository-code: https://example.org/flow.git
authors:
  - {given-names: Ada, family-names: Lovelace, orcid: "https://orcid.org/0000-0002-1825-0097"}
  - {name: Analytical Society}
preferred-citation:
  type: article
  title: Notes upon a workflow
  doi: 10.1000/abc.def
  year: 1843
  authors: [{given-names: Ada, family-names: Lovelace}]
references:
  - {type: software, title: A tool, url: "https://example.org/tool", date-released: 2020-01-02}
  - {type: software}
"""


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("cores", 1, "1 core"),
        ("cores", 0.5, "0.5 cores"),
        ("memory", 268435456, "256 MiB"),
        ("storage", 1610612736, "1.5 GiB"),
        ("memory", 1000, "1000 B"),
    ],
)
def test_amounts_are_told_in_units_that_people_know(key: str, value: float, words: str) -> None:
    assert amount(key, value) == words


def test_what_the_text_says_stands_before_what_an_engine_gave() -> None:
    entity = Entity("#t", ["SoftwareApplication"])
    entity.set("memoryRequirements", "1 GiB")
    observe(entity, Tool(id="t", kind="process", needs={"memory": 2**30}), {"memory": 2**31, "cores": 2})
    assert entity.as_json()["memoryRequirements"] == "1 GiB"
    assert entity.as_json()["processorRequirements"] == "2 cores"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.1000/abc", "https://doi.org/10.1000/abc"),
        ("https://doi.org/10.1000/abc", "https://doi.org/10.1000/abc"),
        ("doi:10.1000/abc", "https://doi.org/10.1000/abc"),
        ("https://bio.tools/x", None),
        (3, None),
    ],
)
def test_dois_are_known_however_they_are_written(text: object, address: str | None) -> None:
    assert doi_address(text) == address


def repository(root: Path, citation: str) -> Workdir:
    """A workflow that was staged as a folder, with a citation."""
    workdir = empty_workdir(root)
    workdir.write("workflow/CITATION.cff", citation.encode())
    tree = Tree.of_directory(workdir.content / "workflow")
    whole = replace(workdir.items[0], kind=Kind.DIRECTORY, fingerprint=tree.fingerprint, size=tree.size)
    workdir.items[0] = replace(whole, path=whole.path.parent if whole.path else None)
    assert whole.role is Role.WORKFLOW
    return workdir


def test_a_citation_beside_the_workflow_names_its_authors_and_what_to_cite(tmp_path: Path) -> None:
    export(repository(tmp_path, CFF).subject(), tmp_path / "crate", "prospective")

    entities = entities_of(tmp_path / "crate")
    main = entities["workflow/wf.cwl"]
    assert set(ids(main["author"])) == {"https://orcid.org/0000-0002-1825-0097", "#organisation/Analytical%20Society"}
    assert main["keywords"] == "mapping, calling"
    assert main["codeRepository"] == "https://example.org/flow.git"
    paper, tool = ids(main["citation"])
    assert paper == "https://doi.org/10.1000/abc.def"
    assert entities[paper]["@type"] == "ScholarlyArticle"
    assert (entities[paper]["name"], entities[paper]["datePublished"]) == ("Notes upon a workflow", "1843")
    assert entities[tool]["datePublished"] == "2020-01-02"
    assert entities["workflow/CITATION.cff"]["about"] == {"@id": "workflow/wf.cwl"}
    assert (tmp_path / "crate" / "workflow/CITATION.cff").is_file()


@pytest.mark.parametrize("text", ["[", "title: 3", "a: &x [1]\ntitle: x\nauthors: [*x, *x]", "\xff\xfe"])
def test_a_citation_that_is_none_is_passed_over(tmp_path: Path, text: str) -> None:
    export(repository(tmp_path, text).subject(), tmp_path / "crate", "prospective")
    assert "citation" not in entities_of(tmp_path / "crate")["workflow/wf.cwl"]
