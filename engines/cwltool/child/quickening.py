"""Slow spots of cwltool that grow with the square of the input, and what is put in their place."""

from __future__ import annotations

import copy
from collections.abc import MutableMapping
from typing import Any

from cwltool import builder


class _Copy:
    """Stands for the module ``copy`` in ``cwltool.builder``.

    ``Builder.bind_input`` copies an array's binding for each of its items, with the whole array in it (``datum``),
    only to replace that by the item at once. The copy made here shares the ``datum``.
    """

    copy = staticmethod(copy.copy)

    @staticmethod
    def deepcopy(value: Any) -> Any:
        """A deep copy, but for a binding's ``datum``."""
        if not isinstance(value, MutableMapping) or "datum" not in value:
            return copy.deepcopy(value)
        made = copy.copy(value)
        datum = made.pop("datum")
        made = copy.deepcopy(made)
        made["datum"] = datum
        return made


def install() -> None:
    """Put the replacements in place."""
    builder.copy = _Copy
