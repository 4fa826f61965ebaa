"""Loading a workflow with cwltool: local, validated, the same way for reading and for running."""

from __future__ import annotations

import logging
import os
import re
import sys
from typing import Any

from cwltool import pathmapper, workflow
from cwltool.context import LoadingContext
from cwltool.errors import WorkflowException
from cwltool.load_tool import load_tool
from cwltool.loghandler import _logger as cwltool_logger
from schema_salad.ref_resolver import file_uri

from engines.cwltool.child import fetching
from engines.cwltool.child.schemas import SchemaStore, extend

_MOST = 20
_BY_WHOM = re.compile(r"^\[[^\]]*\] (Job error:\s*|Cannot make job:\s*)?")
_EXPRESSION = "Failed to evaluate expression"
_EMPTY_WORDS = ("Exception on step", "Got workflow error", "Unexpected exception", "Unhandled exception")


class Complaints(logging.Handler):
    """Keeps the errors that cwltool logs and doesn't raise."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Remember a message; the first ones tell the cause."""
        message = _BY_WHOM.sub("", record.getMessage())
        if record.levelno < logging.ERROR and not message.startswith(_EXPRESSION):
            return
        if len(self.messages) < _MOST and not message.startswith(_EMPTY_WORDS):
            self.messages.append(message)


def prepare(request: dict[str, Any]) -> Complaints:
    """Send cwltool's log to stderr, keep it off the network, give it its schemas and a fixed order of steps."""
    complaints = Complaints()
    written = logging.StreamHandler(sys.stderr)
    written.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for name in ("cwltool", "salad", "cwl_utils"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [written, complaints] if name == "cwltool" else [written]
        logger.propagate = False
    cwltool_logger.setLevel(logging.INFO)
    pathmapper.downloadHttpFile = _no_download
    workflow.random = _DocumentOrder
    SchemaStore(request.get("schemas"), request["key"]).serve()
    return complaints


def load(request: dict[str, Any], *, validate: bool) -> Any:
    """The process that ``root``, ``entry`` and ``process`` of the request name, as a cwltool object."""
    try:
        return _load(request, validate=validate)
    except fetching.Extended:
        # From here on every document is read with them: whose text says nothing of them is not read otherwise.
        fetching.extended = True
        extend()
        return _load(request, validate=validate)


def _load(request: dict[str, Any], *, validate: bool) -> Any:
    fetching.ROOT = os.path.realpath(request["root"])
    uri = file_uri(os.path.join(request["root"], request["entry"]))  # noqa: PTH118
    if request.get("process"):
        uri = f"{uri}#{request['process']}"
    context = LoadingContext(
        {
            "fetcher_constructor": fetching.LocalFetcher,
            "construct_tool_object": workflow.default_make_tool,
            "disable_js_validation": True,
            "do_validate": validate,
            "doc_cache": False,
            # Names of files are the user's: a space or a quote in one is not an error.
            "relax_path_checks": True,
        }
    )
    return load_tool(uri, context)


def _no_download(url: str) -> tuple[str, None]:
    raise WorkflowException(f"{url} was not staged, and nothing is fetched at run time")


class _DocumentOrder:
    """Stands for the module ``random`` where cwltool shuffles a workflow's steps."""

    @staticmethod
    def shuffle(_steps: list[Any]) -> None:
        """Leave them as the document has them."""
