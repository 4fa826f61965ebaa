"""A run: the request's parameters through cwltool's library, with every step told."""

from __future__ import annotations

import functools
import gc
import os
from typing import Any

from cwltool.context import RuntimeContext
from cwltool.errors import UnsupportedRequirement, WorkflowException
from cwltool.process import add_sizes, shortname
from cwltool.stdfsaccess import StdFsAccess
from cwltool.utils import adjustDirObjs, adjustFileObjs, normalizeFilesDirs, trim_listing
from schema_salad.exceptions import ValidationException
from schema_salad.ref_resolver import Loader, file_uri
from schema_salad.sourceline import strip_dup_lineno

from engines.child import walls
from engines.child.events import Events
from engines.cwltool.child import borders, quickening
from engines.cwltool.child.containers import Staged, needs_graphics
from engines.cwltool.child.fetching import LocalFetcher
from engines.cwltool.child.hooks import Hooks
from engines.cwltool.child.light import Heavy
from engines.cwltool.child.loading import load, prepare
from engines.cwltool.child.scheduling import Scheduler
from engines.cwltool.child.trees import Recorder, local_path

_KEPT = ("class", "location", "basename", "format", "contents", "secondaryFiles", "listing")
_REQUIREMENTS = "https://w3id.org/cwl/cwl#requirements"


def run(request: dict[str, Any], events: Events) -> int:
    """Execute, and tell how it ended; returns the exit code that cwltool's command line would have."""
    complaints = prepare(request)
    os.environ.update(request["environment"])
    hooks: Hooks | None = None
    try:
        process = load(request, validate=request["validate"])
        if needs_graphics(process) and not request["heavy"]:
            raise Heavy
        if request["containers"] is not None:
            staged = Staged(request["containers"], root=request["root"])
            staged.settle(process, request["name"])
            staged.install()
        within = borders.Borders(staged=request["staged"], own=request["own"])
        access = _access(within)
        order = job_order(process, request, access)
        hooks = Hooks(
            events=events,
            recorder=Recorder(request["content"]),
            borders=within,
            complaints=complaints,
            main=request["name"],
            logs=request["logs"],
        )
        hooks.install()
        quickening.install()
        # What is loaded stays; from here on garbage is worth collecting, now and then.
        gc.freeze()
        gc.enable()
        gc.set_threshold(50_000, 20, 50)
        walls.close(request)
        scheduler = Scheduler(cores=request["cores"], memory=request["memory"] / 2**20)
        outputs, status = scheduler(process, order, runtime_context(request, access))
    except UnsupportedRequirement as error:
        return _ended(events, hooks, 33, None, f"the workflow uses something unsupported: {error}")
    except UnicodeEncodeError as error:
        return _ended(events, hooks, 1, None, f"a tool made a file whose name is not UTF-8: {error.object!r}")
    except (ValidationException, WorkflowException, RuntimeError, OSError, ValueError) as error:
        return _ended(events, hooks, 1, None, strip_dup_lineno(str(error)))
    if status == "success":
        return _ended(events, hooks, 0, outputs, None)
    return _ended(events, hooks, 1, outputs, complaints.messages[0] if complaints.messages else f"it ended {status}")


def _access(within: borders.Borders) -> Any:
    """Cwltool's door to the file system, opened to what is staged and the run's own."""

    class Access(StdFsAccess):  # type: ignore[misc]
        def open(self, fn: str, mode: str) -> Any:
            within.admit_path(self._abs(fn), "the workflow reads")
            return super().open(fn, mode)

        def listdir(self, fn: str) -> Any:
            within.admit_path(self._abs(fn), "the workflow lists")
            return super().listdir(fn)

    return Access


def job_order(process: Any, request: dict[str, Any], access: Any) -> dict[str, Any]:
    """The parameters in the form that cwltool's own command line gives them."""
    order: dict[str, Any] = {key: _location(value) for key, value in request["parameters"].items()}
    for slot in process.tool["inputs"]:
        name = shortname(slot["id"])
        if "default" in slot and name not in order:
            order[name] = slot["default"]
    namespaces = Loader(
        dict(process.metadata.get("$namespaces", {})), fetcher_constructor=LocalFetcher, doc_cache=False
    )

    def expand_format(found: Any) -> None:
        if "format" in found:
            found["format"] = namespaces.expand_url(found["format"], "")

    adjustFileObjs(order, functools.partial(add_sizes, access("")))
    adjustFileObjs(order, expand_format)
    adjustDirObjs(order, trim_listing)
    normalizeFilesDirs(order)
    if request["requirements"]:
        order[_REQUIREMENTS] = request["requirements"]
    return order


def runtime_context(request: dict[str, Any], access: Any) -> Any:
    """Where and how cwltool works: below the run's folder, without reading bytes to hash them."""
    return RuntimeContext(
        {
            "basedir": request["content"],
            "outdir": request["outputs"],
            "tmpdir_prefix": os.path.join(request["tmp"], "t"),  # noqa: PTH118
            "tmp_outdir_prefix": os.path.join(request["tmp"], "o"),  # noqa: PTH118
            "make_fs_access": access,
            "use_container": request["containers"] is not None,
            "pull_image": False,
            # No such file is made; without a place for it each job gets another folder.
            "cidfile_dir": request["tmp"],
            "compute_checksum": False,
            "preserve_environment": sorted({*request["environment"], *request["preserve"]}),
        }
    )


def _location(value: Any) -> Any:
    """A parameter with ``location`` in place of ``path``; a path is not a URI, so it is quoted here."""
    if isinstance(value, list):
        return [_location(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("class") not in ("File", "Directory"):
        return {key: _location(one) for key, one in value.items()}
    made = {key: _location(value[key]) for key in _KEPT if value.get(key) is not None}
    path = value.get("path")
    if isinstance(path, str):
        made["location"] = file_uri(path)
        made.setdefault("basename", os.path.basename(path))  # noqa: PTH119
    return made


def _ended(events: Events, hooks: Hooks | None, code: int, outputs: Any, error: str | None) -> int:
    failure = hooks.failures[0] if hooks is not None and hooks.failures else None
    events.tell(
        "ended",
        {
            "exit_code": code,
            "outputs": _absolute(outputs),
            "moved": hooks.moved if hooks is not None else {},
            "error": error,
            "refused": borders.REFUSED[:1],
            "failure": failure,
        },
    )
    return code


def _absolute(value: Any) -> Any:
    """Outputs with an absolute ``path`` in every File and Directory, and no more than a reader needs."""
    if isinstance(value, list):
        return [_absolute(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("class") not in ("File", "Directory"):
        return {str(key): _absolute(one) for key, one in value.items()}
    made = {key: value[key] for key in ("class", "basename", "format") if key in value}
    made["path"] = local_path(value)
    if value.get("secondaryFiles"):
        made["secondaryFiles"] = _absolute(value["secondaryFiles"])
    return made
