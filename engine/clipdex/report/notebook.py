"""What notebooks show of answers: tables of facts, and tiles with small pictures, in at most 1 MB of HTML."""

from __future__ import annotations

import importlib
import sys
import tempfile
import webbrowser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clipdex.building.build import BuildReport
from clipdex.datasets.failures import Failure
from clipdex.defaults import MAX_PIXELS
from clipdex.errors import OutputError
from clipdex.report.html_groups import shown_groups, title_of_groups
from clipdex.report.html_hits import facts_of, places, tile_of_hit, tiles_of_hits, title_of
from clipdex.report.html_page import save_html
from clipdex.report.html_templates import bounded, render
from clipdex.report.thumbnails import thumbnails
from clipdex.search.duplicates_result import DuplicatesResult
from clipdex.search.explorer import Explorer
from clipdex.search.hit import Hit
from clipdex.search.result import Result
from clipdex.wording import counted

_MOST_PICTURES = 50
_BYTES_OF_PICTURES = 750_000
_MOST_NAMED = 10
_PAGE = "result.html"

Facts = list[tuple[str, str]]


def html_of(value: object) -> str:
    """Return a result, a hit, an explorer or the report of a build as a piece of HTML.

    It shows the first 50 pictures. A picture that cannot be had is a tile that says why.
    """
    if isinstance(value, Result):
        return _hits(value)
    if isinstance(value, Hit):
        (picture,) = thumbnails([value.path], most_bytes=_BYTES_OF_PICTURES, max_pixels=MAX_PIXELS)
        return render("notebook_hits.html", title="", left_out="", warnings=[], tiles=[tile_of_hit(value, picture)])
    if isinstance(value, DuplicatesResult):
        return _groups(value)
    if isinstance(value, Explorer):
        return _table("Explorer", facts_of([dataset.record for dataset in value.datasets]))
    if isinstance(value, BuildReport):
        return _table(f"Build of {bounded(str(value.root), 400)}", _facts_of_build(value))
    raise TypeError(f"notebooks show nothing of {type(value).__name__}")


def show(value: Result | DuplicatesResult) -> Path | None:
    """Show a result in the notebook that runs this, or else as a page in the browser; return the file of the page."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if hasattr(shell, "kernel"):  # IPython in a terminal has none, and shows no HTML
        importlib.import_module("IPython.display").display(value)
        return None
    # The browser reads it some time later, so it stays.
    page = save_html(value, Path(tempfile.mkdtemp(prefix="clipdex-")) / _PAGE).file
    try:
        opened = webbrowser.open(page.as_uri())
    except webbrowser.Error:
        opened = False
    if not opened:
        raise OutputError(f"no browser can be opened here; the page is {page}.")
    return page


def _hits(result: Result) -> str:
    hits = result.hits[:_MOST_PICTURES]
    more = len(result.hits) - len(hits)
    return render(
        "notebook_hits.html",
        title=f"{title_of(result)}: {counted(len(result.hits), 'hit')} in {places(result.datasets)}",
        left_out=f"The first {len(hits)} of {counted(len(result.hits), 'hit')} are shown." if more else "",
        warnings=[bounded(sentence, 400) for sentence in result.warnings[:_MOST_NAMED]],
        tiles=tiles_of_hits(result, hits, _BYTES_OF_PICTURES, MAX_PIXELS),
    )


def _groups(result: DuplicatesResult) -> str:
    shown = shown_groups(result, MAX_PIXELS, most_pictures=_MOST_PICTURES, most_bytes=_BYTES_OF_PICTURES)
    return render(
        "notebook_groups.html",
        title=f"{title_of_groups(result)} in {places(result.datasets)}",
        left_out=shown.left_out,
        groups=shown.groups,
    )


def _table(title: str, facts: Facts) -> str:
    return render("notebook_facts.html", title=title, facts=facts)


def _facts_of_build(report: BuildReport) -> Facts:
    counts = {
        "Images in the index": report.items,
        "Added": report.added,
        "Changed": report.changed,
        "Touched": report.touched,
        "Renamed": report.renamed,
        "Unchanged": report.unchanged,
        "Removed": report.removed,
        "Kept": report.kept,
        "Annotations not read": report.annotation_problems,
    }
    always = ("Images in the index", "Added", "Unchanged")
    facts = [(name, f"{count:,}") for name, count in counts.items() if count or name in always]
    facts += _named("Failed", report.failed)
    facts += _named("Damaged", report.damaged)
    facts += [("Passed over", f"{count:,} {bounded(what)}") for what, count in _first(report.passed_over.items())]
    facts += [("Taken over", f"{count:,} from {bounded(what)}") for what, count in _first(report.taken_over.items())]
    facts += [("Left aside", bounded(f"{what}: {why}", 400)) for what, why in _first(report.left_aside.items())]
    facts += [("Remark", bounded(remark, 400)) for remark in report.remarks[:_MOST_NAMED]]
    how = f"{report.model}, {report.precision} on {report.device}"
    return [*facts, ("Time", f"{report.seconds:.1f} s"), ("Model", bounded(how)), ("Index", bounded(str(report.index)))]


def _named(term: str, failures: tuple[Failure, ...]) -> Facts:
    if not failures:
        return []
    facts = [(term, bounded(f"{failure.id}: {failure.reason}", 400)) for failure in failures[:_MOST_NAMED]]
    more = len(failures) - len(facts)
    return [(term, counted(len(failures), "image")), *facts, *([(term, f"{more:,} more")] if more else [])]


def _first(pairs: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return list(pairs)[:_MOST_NAMED]
