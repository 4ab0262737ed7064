"""Maintaining an index: checking all of it, and merging its segments."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clipdex.datasets.dataset import open_index
from clipdex.readers.sources import Target, locate
from clipdex_indexes import Verification


@dataclass(frozen=True, slots=True)
class OptimizeReport:
    """What merging did: dataset, index folder, number of items, and segments and bytes before and after."""

    root: Path
    index: Path
    items: int
    segments_before: int
    segments: int
    bytes_before: int
    bytes: int


def verify(
    target: Target,
    *,
    index: str | os.PathLike[str] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Verification:
    """Check every byte of the index of a dataset, and that its files agree with each other.

    Parameters
    ----------
    target
        The dataset.
    index
        Index folder, where it is not ``.clipdex`` in the target.
    progress
        Called with what is counted (``bytes``, then ``items``), the number done, and the total.

    Raises
    ------
    DatasetNotFound, DatasetNotIndexed, IndexFailure
        When there is no dataset or no index; when it is so damaged that it cannot be opened.
    """
    with open_index(locate(target), index) as opened:
        return opened.verify(progress)


def optimize(
    target: Target,
    *,
    index: str | os.PathLike[str] | None = None,
    wait: bool = False,
    waiting: Callable[[str], None] | None = None,
) -> OptimizeReport:
    """Merge all segments of the index of a dataset into one; removed items are left out.

    Raises
    ------
    DatasetNotFound, DatasetNotIndexed, IndexFailure
        When there is no dataset or no index; when it is damaged, locked, or cannot be written.
    """
    source = locate(target)
    with open_index(source, index) as opened:
        segments, size = len(opened.segments), opened.size_on_disk()
        opened.optimize(wait=wait, waiting=waiting)
        return OptimizeReport(
            source.location, opened.folder, len(opened), segments, len(opened.segments), size, opened.size_on_disk()
        )
