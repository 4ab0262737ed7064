"""HTML from the templates in ``templates/``: everything that is put into them is escaped."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

from clipdex.report.thumbnails import Thumbnail
from clipdex.search.duplicates_result import DuplicateItem
from clipdex.search.hit import Hit
from clipdex.version import VERSION
from clipdex.wording import printable

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER = "templates"


class Tile(NamedTuple):
    """One image of a page.

    Attributes
    ----------
    name
        What it is called: its id.
    picture
        A small picture; where there is none, ``instead`` says why.
    number
        Its rank.
    distance
        A distance with its unit.
    strength
        How sure the hit is: ``strong``, ``fair`` or ``weak``.
    match
        Of a duplicate: ``kept``, ``identical`` or ``near``.
    notes
        What else there is to say of it, a line each.
    """

    name: str
    picture: Thumbnail | None
    instead: str = ""
    number: str = ""
    distance: str = ""
    strength: str = ""
    match: str = ""
    notes: tuple[str, ...] = ()


class Page(NamedTuple):
    """HTML, how many of all hits or items it shows, and those shown without a picture, each with the reason."""

    html: str
    shown: int
    total: int
    missing: tuple[tuple[Hit | DuplicateItem, str], ...]


def bounded(text: str, most: int = 200) -> str:
    """Return a text of a page; of a long one the beginning."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def picture_or_reason(found: Thumbnail | str) -> tuple[Thumbnail | None, str]:
    """Return a picture, or the reason why there is none, as templates take them."""
    return (found, "") if isinstance(found, Thumbnail) else (None, bounded(found))


def render(name: str, **values: Any) -> str:  # noqa: ANN401
    """Fill in a template. Control characters in texts become escapes, so that nothing hides in a page.

    Parameters
    ----------
    name
        File name of the template.
    **values
        What it shows.
    """
    return _environment().get_template(name).render(version=VERSION, **values)


@functools.cache
def _environment() -> Environment:
    # Here, because a query that makes no page does not need it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("clipdex.report", _FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_without_control_characters,
    )

    def style_hash(name: str) -> str:
        """Return what a content security policy allows a style by."""
        # In a page, a style begins and ends with the end of a line.
        return base64.b64encode(hashlib.sha256(f"\n{packaged(name)}".encode()).digest()).decode()

    environment.globals["style_hash"] = style_hash
    return environment


def _without_control_characters(value: object) -> object:
    # What templates have made has this method.
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


@functools.cache
def packaged(name: str) -> str:
    """Return a file that is beside the templates, as text."""
    return (resources.files("clipdex.report") / _FOLDER / name).read_text(encoding="utf-8")
