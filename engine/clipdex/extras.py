"""Importing optional packages late. The error for a missing one names its pip command."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType

from clipdex.errors import ExtraMissing

_TELEMETRY = "openvino_telemetry"


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
        with without_telemetry():
            return importlib.import_module(module)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == module.partition(".")[0]
        why = "is not installed" if missing else f"cannot be imported ({error})"
        raise ExtraMissing(
            f"{purpose} needs the package {module.partition('.')[0]}, which {why}. Install it: "
            f"pip install 'clipdex[{extra}]'."
        ) from error


@contextlib.contextmanager
def without_telemetry() -> Iterator[None]:
    """Hide the telemetry client of Intel's packages while they are imported, so that they report nothing.

    OpenVINO, NNCF and Datumaro report that they were imported, and used, where they find that client. Without it they
    work the same. A client that the program imported itself stays.
    """
    hidden = _TELEMETRY not in sys.modules
    if hidden:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules[_TELEMETRY]
