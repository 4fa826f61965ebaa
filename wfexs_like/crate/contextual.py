"""Contextual entities: people, organisations, licences, profiles, languages and software."""

from __future__ import annotations

import re
from collections.abc import Mapping

from wfexs_like.crate.discretion import Discretion, public_identifier, web_address
from wfexs_like.crate.graph import Graph, Ref, fragment
from wfexs_like.crate.licences import licence_url
from wfexs_like.crate.vocabulary import BIOSCHEMAS_NAMES, ENGINE_PAGES, LANGUAGES
from wfexs_like.settings import Person

_ORCID = re.compile(r"^(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])/?$")
# RFC 6694: a URL that leads nowhere, which is what is known of the address.
_NO_PAGE = "about:blank"


class Contextual:
    """Makes contextual entities in ``graph``, each once."""

    def __init__(self, graph: Graph, discretion: Discretion) -> None:
        self.graph = graph
        self.discretion = discretion

    def profile(self, address: str) -> Ref:
        """A profile that an entity conforms to."""
        name, version = {**BIOSCHEMAS_NAMES, **self.graph.generation.names}[address]
        self.graph.add(address, *self.graph.generation.profile_types, name=name, version=version)
        return Ref(address)

    def not_stated(self) -> Ref:
        """The organisation that stands where nobody said who."""
        self.graph.add(
            "#not-stated",
            "Organization",
            name="not stated",
            description="Nobody was named here when the crate was made.",
            url=_NO_PAGE,
        )
        return Ref("#not-stated")

    def licence(self, stated: str | None) -> Ref:
        """A licence: an address, an SPDX identifier, any other words, or none at all."""
        if stated is None or not stated.strip():
            self.graph.add(
                "#licence-not-stated",
                "CreativeWork",
                name="no licence stated",
                description="Nobody stated under which licence this may be used: ask its authors first.",
            )
            return Ref("#licence-not-stated")
        words = self.discretion.text(stated.strip())
        address = licence_url(stated)
        address = public_identifier(address) if address else None
        if address is None:
            self.graph.add(fragment("licence", words), "CreativeWork", name=words)
            return Ref(fragment("licence", words))
        self.graph.add(address, "CreativeWork", name=address.rpartition("/")[2] or address, url=address)
        return Ref(address)

    def person(self, person: Person) -> Ref:
        """The user as the settings state them."""
        return self._person(person.name, person.orcid, person.affiliation)

    def author(self, stated: Mapping[str, object]) -> Ref | None:
        """An author as a document states one (name, ORCID, affiliation); ``None`` if there is no name or identifier."""

        def first(*keys: str) -> str | None:
            texts = (stated.get(key) for key in keys)
            return next((text.strip() for text in texts if isinstance(text, str) and text.strip()), None)

        identifier = first("orcid", "pid", "identifier", "@id", "id", "url")
        name = first("name") or identifier
        if name is None:
            return None
        affiliation = stated.get("affiliation")
        if isinstance(affiliation, Mapping):
            affiliation = affiliation.get("name") or affiliation.get("@id")
        kind = str(stated.get("type") or stated.get("@type") or stated.get("class") or "Person")
        if kind.endswith("Organization"):
            return self.organisation(name, identifier)
        return self._person(name, identifier, affiliation if isinstance(affiliation, str) else None)

    def _person(self, name: str, identifier: str | None, affiliation: str | None) -> Ref:
        orcid = _ORCID.match(identifier or "")
        if orcid:
            person_id = f"https://orcid.org/{orcid[1]}"
        elif identifier and re.match(r"^https?://", identifier) and public_identifier(identifier):
            person_id = public_identifier(identifier) or identifier
        else:
            person_id = fragment("person", name)
        person = self.graph.add(person_id, "Person", name=name)
        person.add("affiliation", self.organisation(affiliation) if affiliation else self.not_stated())
        return Ref(person_id)

    def organisation(self, stated: str, address: str | None = None) -> Ref:
        """An organisation: ``Name``, an address (as of ROR), or ``Name <address>``."""
        match = re.match(r"^(?P<name>.*?)\s*[<(]?(?P<url>https?://[^\s<>()]+)[>)]?\s*$", stated)
        name, url = (match["name"], match["url"]) if match else (stated.strip(), address)
        if url is None or not url.startswith(("https://", "http://")):
            organisation_id = fragment("organisation", name)
            self.graph.add(organisation_id, "Organization", name=name, url=_NO_PAGE)
            return Ref(organisation_id)
        self.graph.add(url, "Organization", name=name or url, url=url)
        return Ref(url)

    def language(self, word: str, version: str) -> Ref:
        """The workflow's language."""
        address, name, short, page = LANGUAGES.get(word, (fragment("language", word), word, word, _NO_PAGE))
        language = self.graph.add(address, "ComputerLanguage", name=name, alternateName=short)
        if page.startswith("http"):
            self.graph.add(page, "WebSite", name=name)
        language.add("url", Ref(page) if page.startswith("http") else page)
        if word == "cwl" and version:
            identifier = f"https://w3id.org/cwl/{version}/"
            self.graph.add(identifier, "CreativeWork", name=f"CWL {version}", url=identifier)
            language.add("identifier", Ref(identifier))
        elif word == "nextflow":
            language.add("identifier", Ref(page))
        if version:
            language.add("version", version)
        return Ref(address)

    def engine(self, name: str, version: str, identifier: str | None, sha256: str | None) -> Ref:
        """The program that runs the workflow."""
        shown = public_identifier(identifier) if identifier else None
        engine_id = shown or fragment("engine", name, version)
        engine = self.graph.add(engine_id, "SoftwareApplication", name=f"{name} {version}", version=version)
        engine.add("url", ENGINE_PAGES.get(name) or web_address(shown) or shown or _NO_PAGE)
        if sha256 is not None:
            engine.add("sha256", sha256)
        return Ref(engine_id)

    def software(self, name: str, version: str, identifier: str | None, sha256: str | None, about: str) -> Ref:
        """A program that another one needs: a plugin of the engine, or what the engine runs on."""
        shown = public_identifier(identifier) if identifier else None
        software_id = shown or fragment("software", name, version)
        software = self.graph.add(software_id, "SoftwareApplication", name=f"{name} {version}".strip())
        software.set("version", version or "not stated").set("description", about)
        software.set("url", web_address(shown) or shown or _NO_PAGE)
        software.add("sha256", sha256)
        return Ref(software_id)

    def ourselves(self, version: str, *, ran: bool) -> Ref:
        """The software that makes the crate; the README tells how."""
        self.graph.add(
            "#wfexs-like",
            "SoftwareApplication",
            name="wfexs-like",
            version=version,
            description="Staged the workflow and its inputs, had the engine run it, wrote this crate."
            if ran
            else "Staged the workflow and its inputs, wrote this crate. Nothing was run.",
            url="README.md",
        )
        return Ref("#wfexs-like")

    def encoding(self, address: str, name: str | None = None) -> Ref:
        """A file format named by an address, such as EDAM's."""
        if address in self.graph:
            return Ref(address)
        self.graph.add(address, "WebSite", name=name or re.split(r"[/#]", address.rstrip("/#"))[-1] or address)
        return Ref(address)
