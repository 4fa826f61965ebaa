"""Programs: what tools wrap or need besides themselves, with all that a workflow tells of them.

Source: CWL v1.2, SoftwareRequirement; nf-core's ``meta.yml``; Process Run Crate 0.5, "Specifying software
dependencies".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from staging.plan import Json
from wfexs_like.crate.citations import doi_address
from wfexs_like.crate.discretion import public_identifier, web_address
from wfexs_like.crate.graph import Ref, fragment
from wfexs_like.crate.prospective import Prospective

_NO_PAGE: Final = "about:blank"
_REPOSITORY: Final = re.compile(r"https://(?:github\.com|gitlab\.com|bitbucket\.org|codeberg\.org)/[\w.-]+/[\w.-]+/?")


def describe_program(ground: Prospective, package: Mapping[str, Json]) -> Ref:
    """The program's entity: ``package`` is as in ``Tool.software``. What differs in name or version is another one."""
    name = ground.discretion.text(str(package.get("package") or "unnamed"))
    version = ground.discretion.text(", ".join(_texts(package, "version")) or "not stated")
    entity = ground.graph.add(fragment("software", name, version), "SoftwareApplication", name=name)
    entity.set("version", version)
    specs = [one for text in _texts(package, "specs") if (one := public_identifier(text)) is not None]
    papers = [address for text in (*specs, *_texts(package, "citations")) if (address := doi_address(text)) is not None]
    others = [one for text in _texts(package, "citations") if doi_address(text) is None and (one := _page(text))]
    known = [one for one in specs if doi_address(one) is None]
    home = _page(package.get("homepage"))
    addresses = (home, *(_conda_page(one) or web_address(one) for one in known), *papers)
    entity.set("url", next((one for one in addresses if one), _NO_PAGE))
    entity.add("identifier", *known)
    entity.add("description", ground.words(_text(package.get("description"))))
    entity.add("softwareHelp", _page(package.get("documentation")))
    entity.add("downloadUrl", _page(package.get("download")))
    repository = _page(package.get("repository")) or next((one for one in known if _REPOSITORY.fullmatch(one)), None)
    entity.add("codeRepository", repository)
    for licence in _texts(package, "licences"):
        entity.add("license", ground.contextual.licence(licence))
    for paper in dict.fromkeys((*papers, *others)):
        entity.add("citation", Ref(ground.graph.add(paper, "CreativeWork", name=paper, url=paper).id))
    return Ref(entity.id)


def _texts(package: Mapping[str, Json], key: str) -> list[str]:
    value = package.get(key)
    return [str(one) for one in value if one is not None] if isinstance(value, list | tuple) else []


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _page(value: Json) -> str | None:
    """An address of the web that may be told."""
    return web_address(public_identifier(value)) if isinstance(value, str) and value.startswith("http") else None


def _conda_page(identifier: str) -> str | None:
    """Where people find a package that a package-url of conda's names with its channel."""
    match = re.fullmatch(r"pkg:conda/([\w.-]+)/([\w.-]+)(?:@.*)?", identifier)
    return None if match is None else f"https://anaconda.org/{match[1]}/{match[2]}"
