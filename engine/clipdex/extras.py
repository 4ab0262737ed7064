"""Importing optional packages late. The error for a missing one names its pip command."""

from __future__ import annotations

import importlib
from types import ModuleType

from clipdex.errors import ExtraMissing


def optional(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a module of an extra.

    Parameters
    ----------
    module
        Name of the module.
    extra
        The extra of clipdex that installs it.
    purpose
        The purpose of the module, as the beginning of a sentence.

    Raises
    ------
    ExtraMissing
        When the module is not installed, or cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == module.partition(".")[0]
        why = "is not installed" if missing else f"cannot be imported ({error})"
        raise ExtraMissing(
            f"{purpose} needs the package {module.partition('.')[0]}, which {why}. Install it: "
            f"pip install 'clipdex[{extra}]'."
        ) from error
