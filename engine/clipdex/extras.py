"""Optional packages: imported when they are needed, and named with their pip command when they are missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from clipdex.errors import ExtraMissing


def optional(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a module of an extra.

    Parameters
    ----------
    module
        Its name.
    extra
        The extra of clipdex that brings it.
    purpose
        What it is needed for, as the beginning of a sentence.

    Raises
    ------
    ExtraMissing
        When it is not installed, or cannot be imported.
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
