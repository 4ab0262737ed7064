"""How answers show themselves in notebooks and browsers.

The room of reports draws them (``clipdex.report.notebook``). It is above the rooms of what is shown, so it is imported
by name, and only when something is shown.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

_DRAWING = "clipdex.report.notebook"


def notebook_html(value: object) -> str:
    """Return what a notebook shows of a result, a hit, an explorer or the report of a build: HTML of at most 1 MB."""
    return str(_drawing().html_of(value))


class Showable:
    """A result that shows itself."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return notebook_html(self)

    def show(self) -> Path | None:
        """Show it with small pictures: in a notebook in place, or else as a page in the browser.

        Returns
        -------
        The file of the page, which is in a new temporary folder; None in a notebook.

        Raises
        ------
        OutputError
            When there is no browser; the message names the page.
        """
        file: Path | None = _drawing().show(self)
        return file


def _drawing() -> Any:  # noqa: ANN401
    return importlib.import_module(_DRAWING)
