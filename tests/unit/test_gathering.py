"""A workflow named by its main document is fetched with all that it refers to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pytest

from engines.cwltool.references import references
from engines.gathering import Gathered, check_contained, gather
from staging.definition import Source
from staging.errors import DefinitionError
from staging.fingerprints import Fingerprint
from staging.identifiers import Identifier
from staging.plan import Kind, PlanItem, Trust
from staging.wanted import StagedItem, Wanted


class Web:
    """A made-up place that has documents; remembers what it was asked for."""

    def __init__(self, content: Path, documents: dict[str, str]) -> None:
        self.content = content
        self.documents = documents
        self.asked: list[str] = []

    def fetch(self, wanted: Sequence[Wanted]) -> tuple[StagedItem, ...]:
        return tuple(self._one(one) for one in wanted)

    def _one(self, one: Wanted) -> StagedItem:
        assert one.source is not None
        identifier = str(one.source.mirrors[0])
        self.asked.append(identifier)
        body = self.documents[identifier].encode()
        target = self.content / one.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
        item = PlanItem(
            role=one.role,
            name=one.name,
            identifier=identifier,
            pinned=identifier,
            kind=Kind.FILE,
            fingerprint=Fingerprint.of_bytes(body),
            size=len(body),
            trust=Trust.FIRST_USE,
            path=one.path,
        )
        return StagedItem(item=item, source="fetched", trust=Trust.FIRST_USE)


def _gather(web: Web, main: str) -> Gathered:
    source = Source(mirrors=(Identifier.parse(main),))
    return gather(source, top="workflow", content=web.content, fetch=web.fetch, references=references, base=web.content)


def _placed(gathered: Gathered) -> dict[str, str]:
    return {str(one.item.path): one.item.identifier for one in gathered.items}


def test_documents_below_the_main_one_keep_their_places(tmp_path: Path) -> None:
    web = Web(
        tmp_path,
        {
            "https://x.example/wf/main.cwl": "{steps: {a: {run: tools/a.cwl}}}",
            "https://x.example/wf/tools/a.cwl": "{expressionLib: [{$include: lib/f.js}]}",
            "https://x.example/wf/tools/lib/f.js": "var x = {;",
        },
    )

    gathered = _gather(web, "https://x.example/wf/main.cwl")

    assert gathered.entry == PurePosixPath("workflow/main.cwl")
    assert _placed(gathered) == {
        "workflow/main.cwl": "https://x.example/wf/main.cwl",
        "workflow/tools/a.cwl": "https://x.example/wf/tools/a.cwl",
        "workflow/tools/lib/f.js": "https://x.example/wf/tools/lib/f.js",
    }
    assert gathered.items[0].item.name == "workflow"


def test_a_reference_that_climbs_lifts_the_root_and_still_resolves(tmp_path: Path) -> None:
    web = Web(
        tmp_path,
        {
            "wf/deep/main.cwl": "{steps: {a: {run: ../tools/a.cwl}, b: {run: b.cwl}}}",
            "wf/deep/b.cwl": "{}",
            "wf/tools/a.cwl": "{steps: {x: {run: ../../shared/x.cwl}}}",
            "shared/x.cwl": "{steps: {x: {run: ../wf/deep/b.cwl}}}",
        },
    )

    gathered = _gather(web, "wf/deep/main.cwl")

    for one in gathered.items:
        path = tmp_path / str(one.item.path)
        for reference, _ in references(path.read_bytes(), ""):
            assert (path.parent / reference).resolve().is_file(), (one.item.path, reference)
        assert (tmp_path / "workflow").resolve() in path.resolve().parents


def test_a_cycle_of_documents_ends(tmp_path: Path) -> None:
    web = Web(tmp_path, {"a.cwl": "{run: b.cwl}", "b.cwl": "{run: a.cwl}"})

    assert len(_gather(web, "a.cwl").items) == 2


@pytest.mark.parametrize(
    "reference", ["https://evil.example/x.cwl", "/etc/passwd", "file:///etc/passwd", "http://[x]/"]
)
def test_an_absolute_reference_is_refused_by_name(tmp_path: Path, reference: str) -> None:
    web = Web(tmp_path, {"main.cwl": f"{{run: '{reference}'}}"})

    with pytest.raises(DefinitionError) as caught:
        _gather(web, "main.cwl")

    assert caught.value.faults[0].where == reference
    assert web.asked == ["main.cwl"]


def test_neighbours_are_asked_at_every_mirror(tmp_path: Path) -> None:
    seen: list[tuple[str, ...]] = []
    web = Web(tmp_path, {"https://a.example/main.cwl": "{run: t.cwl}", "https://a.example/t.cwl": "{}"})

    def fetch(wanted: Sequence[Wanted]) -> tuple[StagedItem, ...]:
        seen.extend(tuple(str(mirror) for mirror in one.source.mirrors) for one in wanted if one.source)
        return web.fetch(wanted)

    mirrors = tuple(Identifier.parse(one) for one in ("https://a.example/main.cwl", "https://b.example/m/main.cwl"))
    gather(Source(mirrors=mirrors), top="workflow", content=tmp_path, fetch=fetch, references=references, base=tmp_path)

    assert seen[1] == ("https://a.example/t.cwl", "https://b.example/m/t.cwl")


def test_a_local_workflow_can_not_reach_beyond_the_folder_of_its_stage_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "asked" / "wf").mkdir(parents=True)
    web = Web(tmp_path / "content", {"wf/main.cwl": "{$include: ../../secret}", "../secret": "secret"})
    source = Source(mirrors=(Identifier.parse("wf/main.cwl"),))

    with pytest.raises(DefinitionError) as caught:
        gather(
            source,
            top="workflow",
            content=web.content,
            fetch=web.fetch,
            references=references,
            base=tmp_path / "asked",
        )

    assert caught.value.faults[0].where == "../../secret"
    assert web.asked == ["wf/main.cwl"]


def test_a_local_document_that_is_a_link_to_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.cwl").write_text("{}")
    asked = tmp_path / "asked"
    asked.mkdir()
    (asked / "step.cwl").symlink_to("../secret.cwl")
    web = Web(tmp_path / "content", {"main.cwl": "{run: step.cwl}", "step.cwl": "{}"})
    source = Source(mirrors=(Identifier.parse("main.cwl"),))

    with pytest.raises(DefinitionError):
        gather(source, top="workflow", content=web.content, fetch=web.fetch, references=references, base=asked)


@pytest.mark.parametrize("reference", ["../../etc/hostname", "/etc/passwd", "file:///etc/passwd", "sub/../../../x"])
def test_a_workflow_in_a_repository_can_not_name_files_outside_it(tmp_path: Path, reference: str) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "main.cwl").write_text("{steps: {a: {run: tools/a.cwl}}}")
    (tmp_path / "tools" / "a.cwl").write_text(f"{{default: {{class: File, location: '{reference}'}}}}")

    with pytest.raises(DefinitionError) as caught:
        check_contained(tmp_path, PurePosixPath("main.cwl"), references)

    assert caught.value.faults[0].file == "tools/a.cwl"
