"""The hits of a result as rows of a table."""

from __future__ import annotations

import csv
import io

from clipdex.search.result import Result


def more_values(result: Result) -> dict[str, list[float | None]]:
    """Return the values that hits have beside the distance, by name, if any hit has them."""
    both = {"score": [hit.score for hit in result.hits], "merged": [hit.merged for hit in result.hits]}
    return {name: values for name, values in both.items() if any(value is not None for value in values)}


def csv_of(result: Result) -> str:
    """Return the hits as CSV, with a row of names."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    more = more_values(result)
    tagged = ["tags"] if any(hit.tags for hit in result.hits) else []
    writer.writerow(
        ["rank", "distance", "query", "dataset", "subset", "id", "path", "labels", "strength", "chance", *more, *tagged]
    )
    for hit, *values in zip(result.hits, *more.values(), strict=True):
        known = [hit.rank, hit.distance, hit.query, hit.dataset, hit.subset, hit.id, hit.path, ";".join(hit.labels)]
        writer.writerow([*known, hit.strength, hit.chance, *values, *([";".join(hit.tags)] if tagged else [])])
    return stream.getvalue()
