"""Settling: what a run that came to its end has made, measured, and whether that is what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engines import expectations
from engines.base import RunRequest
from engines.naming import give_names
from engines.outputs import Outputs
from engines.relative import Relative
from staging.errors import PolicyError, from_os_error


def settle(
    request: RunRequest,
    relative: Relative,
    exit_code: int,
    values: Mapping[str, Any],
    moved: Mapping[str, str],
    *,
    failure: Mapping[str, Any] | None,
    claimed: bool = False,
) -> dict[str, Any]:
    """The end of a run that its engine brought to an end: its outputs, measured, and what may be wrong with them.

    ``values`` have an absolute ``path`` in every File and Directory, and ``moved`` says where each of the steps'
    products went (absolute path then -> now). ``failure`` is what the engine itself says went wrong (``error``, and
    perhaps ``error_kind`` and ``tail``), or ``None``. Outputs that lead out of the run come before that.
    ``claimed``: the values were found by the stage file's own patterns.
    """
    end: dict[str, Any] = {"status": "completed", "exit_code": exit_code, "error": None}
    try:
        outputs = Outputs(root=request.folder / "outputs", content=request.content)
        outputs.admit(values)
        named, renamed = give_names(values, request.plan.outputs)
        end["outputs"] = outputs.settle(named)
        places = {old: renamed.get(new, new) for old, new in moved.items()}
        end["moved"] = {relative.path(old): relative.path(new) for old, new in places.items()}
    except PolicyError as error:
        return end | {"status": "failed", "error": error.message, "error_kind": error.kind, "outputs": {}}
    except OSError as error:
        return end | {
            "status": "failed",
            "error": from_os_error(error, "read the outputs").message,
            "outputs": {},
        }
    if failure is not None:
        return end | {"status": "failed", **failure}
    if claimed:
        for one in request.plan.outputs:
            end["outputs"].setdefault(one.name, None if one.maximum == 1 else [])
    folder = relative.path(f"{request.folder}/outputs/")
    if miss := expectations.check(request.plan.outputs, end["outputs"], claimed=claimed, folder=folder):
        return end | {"status": "failed", "error": miss}
    for slot in request.interface.outputs:
        end["outputs"].setdefault(slot.name, None)
    return end
