"""Histograms as bars of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_MOST_ROWS = 20
_WIDTH = 40
_MARK = "#"


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: what is counted, how many there are, and what is said beside it."""

    name: str
    count: int
    note: str = ""


def bars(title: str, rows: Sequence[Bar]) -> str:
    """Draw bars below each other, as lines; where there is one thing at least, a bar has one mark at least."""
    most = max((row.count for row in rows), default=0)
    names = max(map(len, (title, *(row.name for row in rows))))
    counts = max(len(f"{most:,}"), len("images"))
    lines = [f"{title:>{names}}  {'images':>{counts}}"]
    for row in rows:
        marks = _MARK * -(-row.count * _WIDTH // most) if most else ""
        lines.append(
            f"{row.name:>{names}}  {row.count:>{counts},}  {marks}{f' {row.note}' if row.note else ''}".rstrip()
        )
    return "".join(f"{line}\n" for line in lines)


def bars_of_distances(counts: Sequence[int], cut: int | None, note: str) -> str:
    """Draw the numbers of images at each distance, in at most about 20 rows of as many bits.

    Parameters
    ----------
    counts
        The number of images at each distance, from 0.
    cut, note
        The distance of the last hit, None where there is none, and what is said beside its row.
    """
    found = [distance for distance, count in enumerate(counts) if count]
    if not found:
        return bars("distance", [])
    width = 1
    while (found[-1] - found[0]) // width >= _MOST_ROWS:
        width *= 2
    rows = []
    for start in range(found[0] // width * width, found[-1] + 1, width):
        last = min(start + width, len(counts)) - 1
        name = f"{start}-{last}" if last > start else f"{start}"
        is_cut = cut is not None and start <= cut <= last
        rows.append(Bar(name, sum(counts[start : last + 1]), note if is_cut else ""))
    return bars("distance", rows)


def bars_of_scores(edges: Sequence[float], counts: Sequence[int], cut: float | None, note: str) -> str:
    """Draw the numbers of images between edges, ``[n + 1]``, in at most about 20 rows; the rest as above."""
    together = -(-len(counts) // _MOST_ROWS)
    rows = []
    for start in range(0, len(counts), together or 1):
        end = min(start + together, len(counts))
        is_cut = cut is not None and edges[start] <= cut < edges[end]
        rows.append(Bar(f"from {edges[start]:.4g}", sum(counts[start:end]), note if is_cut else ""))
    return bars("merged", rows)
