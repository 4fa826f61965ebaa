"""Recipes: the files by which the environments of tools are made.

Source: Provenance Run Crate 0.5, ``buildInstructions``; CodeMeta 3.0.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from engines.base import Tool
from staging.errors import PolicyError
from staging.paths import safe_join
from staging.plan import Kind, Role
from wfexs_like.crate.graph import Ref
from wfexs_like.crate.prospective import Prospective

_RECIPES: Final = ("environment.yml", "environment.yaml", "Dockerfile", "Containerfile")
_CONFORMS: Final = {
    "yml": ("https://docs.conda.io/projects/conda/en/latest/user-guide/tasks/manage-environments.html", "Conda"),
    "docker": ("https://docs.docker.com/reference/dockerfile/", "Dockerfile"),
}


class Recipes:
    """The files that say how the environment of a tool is made, each in the crate once."""

    def __init__(self, ground: Prospective) -> None:
        self.ground = ground
        self._folders = [
            item.path
            for item in ground.plan.of_role(Role.WORKFLOW)
            if item.kind is Kind.DIRECTORY and item.path is not None
        ]

    def of(self, tool_id: str, known: Tool | None) -> Ref | None:
        """What the tool names, or what lies beside its document in a workflow that was staged as a folder."""
        top = self.ground.top()
        if known is not None and known.recipe_file is not None:
            return self._file(top / known.recipe_file)
        document = PurePosixPath(tool_id.partition("#")[0])
        if known is None or document.suffix != ".cwl" or known.kind != "CommandLineTool":
            return None
        beside = (top / document).parent
        return next((found for name in _RECIPES if (found := self._file(beside / name)) is not None), None)

    def _file(self, path: PurePosixPath) -> Ref | None:
        if not any(path.is_relative_to(folder) for folder in self._folders):
            return None
        try:
            if not safe_join(self.ground.subject.content, str(path)).is_file():
                return None
        except PolicyError:
            return None
        entity = self.ground.data.document(str(path), name=path.name)
        kind = "yml" if path.suffix in (".yml", ".yaml") else "docker" if re.search("file$", path.name) else ""
        if kind:
            page, name = _CONFORMS[kind]
            self.ground.graph.add(page, "CreativeWork", name=name, url=page)
            entity.add("conformsTo", Ref(page))
        if kind == "docker":
            entity.set("encodingFormat", "text/plain")
        entity.set("description", "Says how the environment of tools of the workflow is made.")
        return Ref(entity.id)
