"""Citations: how people want a workflow to be cited, as a ``CITATION.cff`` beside it says.

Source: Citation File Format 1.2.0. The file is somebody else's: it is read within limits, and what in it is not as the
format has it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from staging.errors import PolicyError
from staging.others_yaml import read_others_yaml
from staging.paths import safe_join
from staging.plan import Kind, Role
from wfexs_like.crate.discretion import public_identifier, web_address
from wfexs_like.crate.generations import SECOND
from wfexs_like.crate.graph import Entity, Ref, fragment

if TYPE_CHECKING:
    from wfexs_like.crate.prospective import Prospective

NAME: Final = "CITATION.cff"
_DOI: Final = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d{4,9}/[^\s\"'<>]+)", re.IGNORECASE)


def doi_address(text: object) -> str | None:
    """The address of what a DOI names, ``None`` if the text is none."""
    match = _DOI.fullmatch(text.strip()) if isinstance(text, str) else None
    return None if match is None else f"https://doi.org/{match[1]}"


def describe_citation(ground: Prospective, main: Entity) -> None:
    """Say of the workflow what its ``CITATION.cff`` says, where it was staged with one."""
    path = _place(ground)
    stated = _read(ground, path) if path is not None else None
    if path is None or stated is None:
        return
    document = ground.data.document(str(path), name=NAME)
    document.set("encodingFormat", "application/yaml").set("about", Ref(main.id))
    if not main.has("author"):
        main.add("author", *(_author(ground, one) for one in _maps(stated.get("authors"))))
    if not main.has("keywords"):
        listed = stated.get("keywords")
        words = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
        main.add("keywords", ground.words(", ".join(words)))
    page = stated.get("repository-code")
    if isinstance(page, str) and page.startswith("http") and not main.has("codeRepository"):
        main.add("codeRepository", web_address(public_identifier(page)))
    preferred = stated.get("preferred-citation")
    works = [preferred] if isinstance(preferred, Mapping) else [stated]
    for work in (*works, *_maps(stated.get("references"))):
        main.add("citation", _work(ground, work))


def _place(ground: Prospective) -> PurePosixPath | None:
    """Beside the workflow, else at the root of what was fetched with it."""
    folders = [
        item.path
        for item in ground.plan.of_role(Role.WORKFLOW)
        if item.kind is Kind.DIRECTORY and item.path is not None and item.disclosable
    ]
    beside = ground.plan.workflow.path.parent
    for folder in (beside, *folders):
        if any(folder.is_relative_to(one) for one in folders):
            try:
                if safe_join(ground.subject.content, str(folder / NAME)).is_file():
                    return folder / NAME
            except PolicyError:
                continue
    return None


def _read(ground: Prospective, path: PurePosixPath) -> Mapping[str, Any] | None:
    stated = read_others_yaml(safe_join(ground.subject.content, str(path)))
    return stated if isinstance(stated, Mapping) and isinstance(stated.get("title"), str) else None


def _maps(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _author(ground: Prospective, stated: Mapping[str, Any]) -> Ref | None:
    parts = (stated.get(key) for key in ("given-names", "name-particle", "family-names", "name-suffix"))
    name = " ".join(one.strip() for one in parts if isinstance(one, str) and one.strip())
    kind = "Person" if name else "Organization"
    told = {**stated, "name": name or stated.get("name"), "type": kind}
    return ground.contextual.author({key: told.get(key) for key in ("name", "orcid", "affiliation", "type")})


def _work(ground: Prospective, stated: Mapping[str, Any]) -> Ref | None:
    title = stated.get("title")
    if not isinstance(title, str):
        return None
    identifiers = [one.get("value") for one in _maps(stated.get("identifiers")) if one.get("type") == "doi"]
    address = next((found for one in (stated.get("doi"), *identifiers) if (found := doi_address(one))), None)
    page = stated.get("url")
    address = address or (public_identifier(page) if isinstance(page, str) and page.startswith("http") else None)
    if address is None and ground.graph.generation is SECOND:
        return None  # RO-Crate 1.3 wants a citation's address; the file itself is in the crate all the same.
    kind = "ScholarlyArticle" if stated.get("type") in ("article", "conference-paper") else "CreativeWork"
    name = ground.discretion.text(title)
    entity = ground.graph.add(address or fragment("citation", name), kind, name=name)
    entity.add("author", *(_author(ground, one) for one in _maps(stated.get("authors"))))
    entity.add("url", address)
    year = stated.get("year")
    released = stated.get("date-released")
    entity.add("datePublished", str(released) if released is not None else str(year) if isinstance(year, int) else None)
    return Ref(entity.id)
