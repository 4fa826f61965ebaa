"""A crate is validated without the network, by the same rules as the stock validator's."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from staging.errors import CrateError, NotFoundError, UsageError
from tests.support.crates import metadata_of, usual_workdir
from wfexs_like.cli.views import validation_view
from wfexs_like.crate.contexts import CONTEXT_FILES
from wfexs_like.crate.export import export_crate
from wfexs_like.crate.graph import METADATA
from wfexs_like.crate.judges import PROFILES, declared
from wfexs_like.crate.parsed_queries import ParsedQueries
from wfexs_like.crate.report_types import Validation, ValidationIssue
from wfexs_like.crate.validation import KNOWN, judge_crate, validate_crate
from wfexs_like.reading.metadata import parse_metadata

_SMALL = {
    "@context": "https://w3id.org/ro/crate/1.2/context",
    "@graph": [
        {
            "@id": METADATA,
            "@type": "CreativeWork",
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.2"},
            "about": {"@id": "./"},
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": "small",
            "description": "A crate with nothing in it.",
            "datePublished": "2026-01-01",
            "license": {"@id": "https://spdx.org/licenses/CC0-1.0"},
        },
        {
            "@id": "https://spdx.org/licenses/CC0-1.0",
            "@type": "CreativeWork",
            "name": "CC0",
            "description": "No rights reserved.",
        },
    ],
}


@pytest.fixture
def crate(tmp_path: Path) -> Path:
    destination = tmp_path / "crate"
    subject = usual_workdir(tmp_path, runs=1).subject()
    export_crate(subject, destination, kind="retrospective", validate=False, cache=tmp_path / "cache")
    return destination


@pytest.fixture
def warm(alike: Path) -> Path:
    """A cache that the tests share which are not about the cache: queries are parsed once."""
    return alike


def _change(crate: Path, entity_id: str, **changes: object) -> None:
    metadata = metadata_of(crate)
    entity = next(one for one in metadata["@graph"] if one["@id"] == entity_id)
    for key, value in changes.items():
        if value is None:
            del entity[key]
        else:
            entity[key] = value
    (crate / METADATA).write_text(json.dumps(metadata))


def _checks(validation: Validation, severity: str) -> set[str]:
    return {one.check for one in validation.issues if one.severity == severity}


def test_planted_faults_are_found_each_at_its_severity(crate: Path, warm: Path) -> None:
    (crate / "runs/1/outputs/sorted.txt").unlink()
    _change(crate, "./", license=None, author=None)
    validation = validate_crate(crate, cache=warm)
    assert validation.profile == "workflow-run-crate-0.5"
    assert not validation.passed
    assert validation.required == len(_checks(validation, "required")) >= 2
    assert any("sorted.txt" in one.message for one in validation.issues if one.severity == "required")
    assert any("author" in one.message for one in validation.issues if one.severity == "recommended")


def test_a_crate_is_sound_as_a_folder_as_a_zip_and_with_parsed_queries_at_hand(crate: Path, tmp_path: Path) -> None:
    zipped = tmp_path / "again.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        for path in crate.rglob("*"):
            archive.write(path, path.relative_to(crate))
    first = validate_crate(crate, cache=tmp_path / "cache")
    kept = list((tmp_path / "cache" / "validator").iterdir())
    again = validate_crate(zipped, cache=tmp_path / "cache")
    assert len(kept) == 1
    assert first == again
    assert first.passed
    assert _checks(first, "recommended") == {KNOWN}
    assert set(first.known) == {KNOWN}
    assert validation_view(first) == (
        "workflow-run-crate-0.5: passed (1 recommended check failed, "
        "which is known and unavoidable: tools in the crate have no absolute URI)"
    )


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((0, 0, 0), "p: passed (no check failed)"),
        ((1, 0, 0), "p: passed (1 required check failed)"),
        ((1, 2, 0), "p: passed (1 required and 2 recommended checks failed)"),
        ((1, 2, 3), "p: passed (1 required, 2 recommended and 3 optional checks failed)"),
    ],
)
def test_how_many_checks_failed_is_a_sentence(counts: tuple[int, int, int], words: str) -> None:
    required, recommended, optional = counts
    found = Validation(
        profile="p", passed=True, required=required, recommended=recommended, optional=optional, issues=()
    )
    assert validation_view(found) == words


def test_how_many_of_them_no_crate_can_pass_is_told() -> None:
    known = {"a_1": "nobody has one", "a_2": "nobody has one"}
    few = Validation(profile="p", passed=True, required=0, recommended=2, optional=0, issues=(), known=known)
    many = Validation(profile="p", passed=True, required=0, recommended=3, optional=0, issues=(), known=known)
    words = "known and unavoidable: nobody has one)"
    assert validation_view(few) == f"p: passed (2 recommended checks failed, all of them {words}"
    assert validation_view(many) == f"p: passed (3 recommended checks failed, 2 of them {words}"


def test_a_profile_that_is_misspelled_is_guessed(crate: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        validate_crate(crate, cache=tmp_path / "cache", profile="procces-run-crate-0.5")
    assert (caught.value.hint or "").startswith("did you mean process-run-crate-0.5? known: ")


def test_what_one_check_says_of_many_entities_is_one_line() -> None:
    issues = tuple(
        ValidationIssue(severity="recommended", check="x_1", entity=f"#{number}", message="no name") for number in "abc"
    )
    told = validation_view(Validation(profile="p", passed=True, required=0, recommended=1, issues=issues))
    assert told.splitlines()[0] == "recommended: x_1: no name (#a and 2 more)"


def test_where_a_crate_lies_and_how_it_is_named_makes_no_difference(crate: Path, tmp_path: Path, warm: Path) -> None:
    (tmp_path / "x").mkdir()
    place = tmp_path / "x/../100% a%20b#c?d ünï %"
    place.mkdir()
    moved = place / "c r%20.crate"
    crate.rename(moved)
    zipped = place / "c r%20.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        for path in moved.rglob("*"):
            archive.write(path, path.relative_to(moved))
    for one in (moved, zipped):
        validation = validate_crate(one, cache=warm)
        assert (validation.passed, _checks(validation, "recommended")) == (True, {KNOWN})


@pytest.mark.parametrize("ending", [".crate", ".zip"])
def test_a_crate_is_written_to_a_place_of_any_name(tmp_path: Path, warm: Path, ending: str) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/../a b%20").mkdir()
    destination = tmp_path / "x/../a b%20" / f"out%41 1{ending}"
    report = export_crate(usual_workdir(tmp_path, runs=1).subject(), destination, kind="retrospective", cache=warm)
    assert destination.exists()
    assert report.validation is not None
    assert report.validation.passed


def _broken(kept: Path) -> str:
    """What is kept, with every query made no query."""
    document = json.loads(kept.read_text())
    return json.dumps({**document, "queries": {key: ["CompValue"] for key in document["queries"]}})


def test_a_damaged_cache_does_no_harm(crate: Path, tmp_path: Path, warm: Path) -> None:
    profile = "workflow-ro-crate-1.0"
    validate_crate(crate, profile=profile, cache=warm)
    (kept,) = Path(shutil.copytree(warm / "validator", tmp_path / "cache" / "validator")).iterdir()
    kept.write_text(_broken(kept))
    assert validate_crate(crate, profile=profile, cache=tmp_path / "cache").passed


def test_damaged_queries_are_parsed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rdflib.plugins.sparql import processor

    real, asked = processor.parseQuery, "ASK { ?one a ?other }"
    expected = repr(real(asked))

    def parsed() -> str:
        monkeypatch.setattr(processor, "parseQuery", real)
        known = ParsedQueries(tmp_path)
        known.install()
        told = repr(processor.parseQuery(asked))
        known.save()
        return told

    assert parsed() == expected
    (kept,) = tmp_path.iterdir()
    other = {"schema": "wfexs-like/parsed-queries/1", "queries": {"a": 1}}
    for damage in ("", "[]", json.dumps(other), _broken(kept)):
        kept.write_text(damage)
        assert parsed() == expected, damage


def test_a_cache_that_cannot_be_made_does_no_harm(crate: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    assert validate_crate(crate, profile="workflow-ro-crate-1.0", cache=tmp_path / "cache").passed


def test_a_profile_may_be_named_by_its_address_and_an_unknown_one_is_refused(crate: Path, warm: Path) -> None:
    address = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
    assert validate_crate(crate, profile=address, cache=warm).profile == "workflow-ro-crate-1.0"
    with pytest.raises(UsageError, match="no profile"):
        validate_crate(crate, profile="nonsense", cache=warm)


def test_what_is_no_crate_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        validate_crate(tmp_path / "missing", cache=tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(CrateError, match="not an RO-Crate"):
        validate_crate(tmp_path / "folder", cache=tmp_path)
    for text in ("{", "[]", "\xff"):
        (tmp_path / "folder" / METADATA).write_text(text, encoding="latin-1")
        with pytest.raises(CrateError, match="can't be understood"):
            validate_crate(tmp_path / "folder", cache=tmp_path)


def test_a_context_that_is_not_built_in_is_refused_and_not_asked_for(crate: Path, tmp_path: Path) -> None:
    metadata = metadata_of(crate)
    metadata["@context"] = [metadata["@context"], "http://127.0.0.1:9/context"]
    (crate / METADATA).write_text(json.dumps(metadata))
    with pytest.raises(CrateError, match="not built in"):
        validate_crate(crate, cache=tmp_path)


def test_the_most_specific_profile_that_is_declared_is_chosen() -> None:
    def chosen(root: object, descriptor: object) -> str:
        graph = [
            {"@id": METADATA, "about": {"@id": "./"}, "conformsTo": descriptor},
            {"@id": "./", "conformsTo": root},
        ]
        return declared(parse_metadata(json.dumps({"@graph": graph}).encode()))[0].name

    base = {"@id": "https://w3id.org/ro/crate/1.1"}
    hub = {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"}
    runs = [{"@id": f"https://w3id.org/ro/wfrun/{one}/0.5"} for one in ("process", "workflow", "provenance")]
    assert chosen(runs, [base, hub]) == "provenance-run-crate-0.5"
    assert chosen(runs[:2], [base, hub]) == "workflow-run-crate-0.5"
    assert chosen(runs[0], base) == "process-run-crate-0.5"
    assert chosen(None, [base, hub]) == "workflow-ro-crate-1.0"
    assert chosen(None, base) == "ro-crate-1.1"
    assert chosen(None, {"@id": "https://example.org/mine"}) == "ro-crate-1.1"
    assert chosen({"@id": "https://w3id.org/ro/wfrun/process/0.1"}, base) == "process-run-crate-0.5"
    assert chosen({"@id": "https://w3id.org/ro/wfrun/process/0.6"}, base) == "process-run-crate-0.6"
    assert chosen(None, {"@id": "https://w3id.org/ro/crate/1.3/"}) == "ro-crate-1.3"


def test_every_profile_that_the_validator_ships_has_a_name(tmp_path: Path) -> None:
    from rocrate_validator.services import get_profiles

    assert {one.identifier for one in get_profiles()} == {one.shapes for one in PROFILES}
    assert {one.base for one in PROFILES} - {None} <= {one.shapes for one in PROFILES}


def test_a_level_has_to_be_met_and_what_none_can_meet_does_not_count(crate: Path, warm: Path) -> None:
    (sound,) = judge_crate(crate, level="recommended", cache=warm)
    assert (sound.passed, sound.recommended, set(sound.known)) == (True, 1, {KNOWN})
    _change(crate, "./", author=None)
    (told,) = judge_crate(crate, cache=warm)
    (held,) = judge_crate(crate, level="recommended", cache=warm)
    assert (told.passed, held.passed) == (True, False)
    assert told.issues == held.issues


def test_optional_checks_are_made_where_they_are_asked_for(crate: Path, warm: Path) -> None:
    (few,) = judge_crate(crate, profiles=("workflow-ro-crate-1.0",), cache=warm)
    (many,) = judge_crate(crate, profiles=("workflow-ro-crate-1.0",), level="optional", cache=warm)
    assert few.optional == 0 < many.optional
    assert len(few.checks) < len(many.checks)
    assert not few.skipped


def test_all_that_a_crate_declares_is_what_none_of_them_covers(crate: Path, warm: Path) -> None:
    _change(
        crate, "./", conformsTo=[{"@id": f"https://w3id.org/ro/wfrun/{one}/0.5"} for one in ("process", "workflow")]
    )
    wished = ("declared", "ro-crate-1.1", "declared")
    verdicts = judge_crate(crate, profiles=wished, cache=warm)
    assert [one.profile for one in verdicts] == ["workflow-run-crate-0.5", "ro-crate-1.1"]


def test_the_preview_of_a_zip_is_looked_into(tmp_path: Path, warm: Path) -> None:
    with zipfile.ZipFile(tmp_path / "small.zip", "w") as archive:
        archive.writestr(METADATA, json.dumps(_SMALL))
        archive.writestr("ro-crate-preview.html", "<!DOCTYPE html><title>small</title>")
    validation = validate_crate(tmp_path / "small.zip", profile="ro-crate-1.2", cache=warm)
    assert [one.message for one in validation.issues if one.severity == "required"] == []
    assert validation.passed


@pytest.mark.parametrize("generation", ["1.1", "1.2", "1.3"])
def test_of_each_generation_that_can_be_asked_for_the_context_is_built_in(generation: str) -> None:
    assert any(one.name == f"ro-crate-{generation}" for one in PROFILES)
    context = json.loads(CONTEXT_FILES[f"https://w3id.org/ro/crate/{generation}/context"].read_bytes())
    assert context["@id"] == f"https://w3id.org/ro/crate/{generation}/context"
    assert {"Dataset", "hasPart", "conformsTo", "FormalParameter"} <= context["@context"].keys()
