"""Filling in templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response

from clipdex import __version__
from clipdex.defaults import MERGES, STRENGTHS
from clipdex.wording import counted
from clipdex_web.collection import READY, Collection
from clipdex_web.problems import headers_of
from clipdex_web.schema import MOST_HITS
from clipdex_web.site import Site
from clipdex_web.state import AWAY

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"


class Rendering:
    """Makes pages of templates.

    Parameters
    ----------
    site
        What is served.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            version=__version__,
            up="",
            counted=counted,
            merges=MERGES,
            strengths=STRENGTHS,
            most_hits=MOST_HITS,
            ready=READY,
            away=AWAY,
        )
        self._templates.filters["bytes"] = _bytes

    @property
    def _collection(self) -> Collection:
        return self._site.collection

    def page(self, template: str, status: int = 200, **values: Any) -> Response:  # noqa: ANN401
        """Return a page."""
        text = self._templates.get_template(template).render(
            model=self._collection.model,
            datasets=[dataset.record for dataset in self._collection.explorer.datasets],
            **values,
        )
        # A path need not be valid Unicode.
        content = text.encode(errors="backslashreplace")
        return Response(content, status, headers_of(status), "text/html; charset=utf-8")


def _bytes(count: int) -> str:
    """Write a number of bytes for people."""
    if count < 1000:
        return counted(count, "byte")
    return f"{count / 1000:,.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:,.1f} MB"
