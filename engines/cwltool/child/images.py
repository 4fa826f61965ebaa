"""Images: which one a process runs in, by the name that cwltool says, and how that image comes to be.

Source: CWL v1.2, "DockerRequirement". The name on cwltool's ``docker run`` is ``dockerImageId`` where there is one,
else ``dockerPull``. Where CWL names an archive alone cwltool has no name for it, and the archive's own is taken.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import unquote, urlsplit

Data = dict[str, Any]

REQUIREMENT = "DockerRequirement"
_ARCHIVES = ("dockerLoad", "dockerImport")
_EXPRESSIONS = ("$(", "${")


def image_of(process: Any, root: str) -> Data:
    """``container``, ``container_required`` and ``container_recipe`` of ``engines.base.Tool``; ``root`` is a folder.

    Only a command line is run in a container: cwltool evaluates expressions itself, and a workflow's requirement is
    one of its steps'.
    """
    if process.tool["class"] != "CommandLineTool":
        return {"container": None, "container_required": False, "container_recipe": None}
    requirement, required = process.get_requirement(REQUIREMENT)
    if requirement is None:
        return {"container": None, "container_required": False, "container_recipe": None}
    return {
        "container": name_of(requirement, root),
        "container_required": bool(required),
        "container_recipe": _recipe(requirement, root),
    }


def name_of(requirement: Data, root: str) -> str | None:
    """What cwltool calls the image, ``None`` where nothing names it (a ``dockerFile`` alone)."""
    for key in ("dockerImageId", "dockerPull"):
        if requirement.get(key):
            return str(requirement[key])
    return next((_place(requirement, key, root) for key in _ARCHIVES if requirement.get(key)), None)


def _recipe(requirement: Data, root: str) -> Data | None:
    name = name_of(requirement, root)
    if name is not None and any(one in name for one in _EXPRESSIONS):
        # cwltool evaluates none there, and CWL knows none: no run could come to have that image.
        return {"expression": name}
    pulled = requirement.get("dockerPull")
    if pulled:
        return {"dockerPull": str(pulled)} if pulled != name else None
    for key in _ARCHIVES:
        if requirement.get(key):
            return {key: _place(requirement, key, root)}
    if requirement.get("dockerFile"):
        return {"dockerFile": str(requirement["dockerFile"])}
    # Whoever wants a container and says no image at all has made a mistake that is better told than passed over.
    return {"missing": ""} if name is None else None


def _place(requirement: Data, key: str, root: str) -> str:
    """An archive relative to the workflow's root where it lies there, or as it is written."""
    text = str(requirement[key])
    if urlsplit(text).scheme not in ("", "file"):
        return text
    document = str(getattr(getattr(requirement, "lc", None), "filename", None) or "").partition("#")[0]
    folder = os.path.dirname(unquote(urlsplit(document).path)) or root  # noqa: PTH120
    root = os.path.realpath(root)
    for path in dict.fromkeys((text, unquote(urlsplit(text).path))):
        found = os.path.realpath(os.path.join(folder, path))  # noqa: PTH118
        if found.startswith(f"{root}/") and os.path.exists(found):  # noqa: PTH110
            return os.path.relpath(found, root)
    return text
