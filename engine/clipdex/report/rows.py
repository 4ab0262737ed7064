"""The hits of a result, and the items of groups, as rows of a table."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from clipdex.report.cells import as_text, row_writer
from clipdex.search.result import Result

if TYPE_CHECKING:
    from clipdex.search.duplicates_result import DuplicatesResult


def more_values(result: Result) -> dict[str, list[float | None]]:
    """Return the values that hits have beside the distance, by name, if any hit has them."""
    both = {"score": [hit.score for hit in result.hits], "merged": [hit.merged for hit in result.hits]}
    return {name: values for name, values in both.items() if any(value is not None for value in values)}


def csv_of(result: Result, cell: Callable[[str], str] = as_text) -> str:
    """Return the hits as CSV, with a row of names; ``cell`` makes the cells of texts."""
    stream = io.StringIO(newline="")
    write = row_writer(stream, cell)
    more = more_values(result)
    tagged = ["tags"] if any(hit.tags for hit in result.hits) else []
    write(
        ["rank", "distance", "query", "dataset", "subset", "id", "path", "labels", "strength", "chance", *more, *tagged]
    )
    for hit, *values in zip(result.hits, *more.values(), strict=True):
        known = [hit.rank, hit.distance, hit.query, hit.dataset, hit.subset, hit.id, hit.path, ";".join(hit.labels)]
        write([*known, hit.strength, hit.chance, *values, *([";".join(hit.tags)] if tagged else [])])
    return stream.getvalue()


def csv_of_groups(result: DuplicatesResult, cell: Callable[[str], str] = as_text) -> str:
    """Return a row for each item of a group and, below, for each item that is the same file as another one.

    ``cell`` makes the cells of texts.
    """
    stream = io.StringIO(newline="")
    write = row_writer(stream, cell)
    head = ["group", "distance", "dataset", "subset", "id", "path", "labels", "match", "content", "size"]
    write([*head, "removable", "problem", "greatest_distance", "same_dataset", "same_subset", "same_id", "orientation"])
    for number, group in enumerate(result.groups, start=1):
        for item in group.items:
            known = [number, item.distance, item.dataset, item.subset, item.id, item.path, ";".join(item.labels)]
            removable = "yes" if item.removable else "no"
            more = [item.match, item.content or "", item.size, removable, item.problem, group.greatest_distance]
            write([*known, *more, "", "", "", item.orientation])
    for one in result.same_file:
        known = ["", "", one.dataset, one.subset, one.id, one.path, "", "same file", "", "", "no", "", ""]
        write([*known, one.same_dataset, one.same_subset, one.same_id, ""])
    return stream.getvalue()
