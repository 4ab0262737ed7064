"""An answer as one HTML file that opens without a server: everything is in it, and it contacts no other host."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from clipdex.defaults import MAX_PIXELS
from clipdex.errors import IndexWriteFailed, OutputError
from clipdex.paths import expanded
from clipdex.report.html_groups import page_of_groups
from clipdex.report.html_hits import page_of_hits
from clipdex.report.html_templates import Page
from clipdex.report.save import free_name
from clipdex.search.duplicates_result import DuplicateItem, DuplicatesResult
from clipdex.search.hit import Hit
from clipdex.search.result import Result
from clipdex_indexes.storage.files import atomic_write


@dataclass(frozen=True, slots=True)
class SavedPage:
    """A saved page.

    Attributes
    ----------
    file
        Where it is.
    size
        Its size in bytes.
    shown, total
        How many hits, or items of groups, it shows, and how many there are.
    missing
        Those shown of which there is no picture, each with the reason.
    """

    file: Path
    size: int
    shown: int
    total: int
    missing: tuple[tuple[Hit | DuplicateItem, str], ...]


def save_html(
    result: Result | DuplicatesResult,
    file: str | os.PathLike[str],
    *,
    force: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> SavedPage:
    """Save an answer as one HTML file, with small pictures, distances, and how to ask again.

    It shows the first 400 hits; of groups the first 12 items each, up to 400. It says how many it leaves out. It has at
    most 8 MB.

    Parameters
    ----------
    result
        The hits of a query, or groups of duplicates.
    file
        Where to; its folder is made where it is not there.
    force
        Take the next free name, such as ``found-2.html``, where there is a file. Nothing is replaced.
    max_pixels
        Of images of more pixels there is no picture.

    Raises
    ------
    OutputError
        When there is such a file (without ``force``), or it cannot be written.
    """
    target = Path(os.path.abspath(expanded(file)))  # noqa: PTH100 - links stay
    try:
        if target.is_dir() or not target.name:
            raise OutputError(f"{target} is a folder; name a file, such as {target / 'found.html'}.")
        if os.path.lexists(target):
            if not force:
                raise OutputError(f"{target} is there already. Name another file, or save beside it with --force.")
            target = free_name(target)
        page = page_of(result, max_pixels)
        data = page.html.encode()
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(target, data)
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot save to {target}: {getattr(error, 'strerror', None) or error}.") from error
    except IndexWriteFailed as error:
        raise OutputError(error.message) from error
    return SavedPage(target, len(data), page.shown, page.total, page.missing)


def page_of(result: Result | DuplicatesResult, max_pixels: int = MAX_PIXELS) -> Page:
    """Return an answer as HTML; see ``save_html``."""
    if isinstance(result, DuplicatesResult):
        return page_of_groups(result, max_pixels)
    return page_of_hits(result, max_pixels)
