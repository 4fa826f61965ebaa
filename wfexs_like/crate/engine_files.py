"""Engine files: what an engine was configured by, tied to what it did.

The profile wants configuration files in the ``object`` of the engine's OrganizeAction, among the ControlActions of the
steps; the validator's shape for it (``REFUSED``) wants nothing but those. So they are ``about`` the action, and among
its objects only where that is asked for: then that one check is left out.
Source: Provenance Run Crate 0.5 and 0.6, "Overview"; competency question 3.
"""

from __future__ import annotations

import json
from typing import Final

from engines.execution import Execution
from staging.plan import settings_as_json
from wfexs_like.crate.graph import Ref, fragment, path_id
from wfexs_like.crate.prospective import Prospective

REFUSED: Final = "provenance-run-crate-0.5_8.3"
WHY: Final = (
    "the engine's configuration is among the objects of its action, as the profile says and this check does not"
)
SETTINGS: Final = "engine-settings.json"


def describe_configuration(ground: Prospective, execution: Execution) -> None:
    """Tie the engine's configuration to its action in one run."""
    organize = fragment("organize", execution.uuid)
    if organize not in ground.graph:
        return
    for file in (*_of_workflow(ground), *_settings(ground, execution)):
        ground.graph[file].add("about", Ref(organize))
        if ground.subject.configured:
            ground.graph[organize].add("object", file)


def _of_workflow(ground: Prospective) -> list[Ref]:
    """The configuration that comes with the workflow and is in the crate."""
    documents = (path_id(str(ground.top() / one)) for one in ground.subject.interface.documents)
    return [Ref(one) for one in documents if one.endswith(".config") and one in ground.graph]


def _settings(ground: Prospective, execution: Execution) -> list[Ref]:
    """What the stage file asks of the engine, as a file of its own; nothing where something must not be told."""
    if ground.secretive:
        return []
    told = {
        "engine": execution.engine,
        "version": execution.engine_version,
        "settings": settings_as_json(ground.plan.settings),
        "containers": execution.runtime.name if execution.runtime is not None else None,
        "network": execution.network,
    }
    text = json.dumps(told, indent=1, ensure_ascii=False, sort_keys=True)
    if not ground.discretion.is_tellable(text, []):
        return []
    path = f"runs/{execution.run}/{SETTINGS}"
    entity = ground.data.made(path, text.encode() + b"\n", name="settings of the engine", encoding="application/json")
    entity.set("description", "What the engine was asked beyond the workflow and its parameters.")
    return [Ref(entity.id)]
