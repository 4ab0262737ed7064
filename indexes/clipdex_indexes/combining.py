"""The items of several snapshots with the lowest costs, which are made of the distances to several queries.

``kernels.costs`` computes the costs; this module selects what is searched and puts ties in item order.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from clipdex_indexes.arrays import Ints, Keys, Masks
from clipdex_indexes.kernels.costs import Group, cost_range, count_costs, count_distances, lowest
from clipdex_indexes.kernels.rows import DEFAULT_SIZES, ScanSizes
from clipdex_indexes.searching import Found, to_search
from clipdex_indexes.snapshot import Location, Snapshot


def count_in(
    indexes: Sequence[Snapshot],
    queries: Keys,
    selections: Sequence[Masks] | None = None,
    sizes: ScanSizes = DEFAULT_SIZES,
) -> Ints:
    """Count how many items of several indexes are at each distance from each query, int64 ``[q, bits + 1]``.

    ``selections`` has for each index and each of its segments the items that count, bool ``[items]``; None for all.
    """
    _, arrays, masks = to_search(indexes, selections)
    return count_distances(arrays, queries, masks, sizes)


def count_costs_in(
    indexes: Sequence[Snapshot],
    groups: Sequence[Group],
    edges: Ints,
    selections: Sequence[Masks] | None = None,
    sizes: ScanSizes = DEFAULT_SIZES,
) -> Ints:
    """Count how many items of several indexes have costs, summed over the groups, between edges, int64 ``[n]``.

    ``edges`` are int64 ``[n + 1]``, ascending; an upper edge does not belong to its costs.
    """
    _, arrays, masks = to_search(indexes, selections)
    return count_costs(arrays, groups, edges, masks, sizes)


def cost_range_in(
    indexes: Sequence[Snapshot],
    groups: Sequence[Group],
    selections: Sequence[Masks] | None = None,
    sizes: ScanSizes = DEFAULT_SIZES,
) -> tuple[int, int] | None:
    """Return the lowest and the highest cost of the items of several indexes; None where there is no item."""
    _, arrays, masks = to_search(indexes, selections)
    return cost_range(arrays, groups, masks, sizes)


def search_combined(
    indexes: Sequence[Snapshot],
    groups: Sequence[Group],
    k: int,
    selections: Sequence[Masks] | None = None,
    sizes: ScanSizes = DEFAULT_SIZES,
) -> list[Found]:
    """Find the k items of several indexes whose costs, summed over the groups, are lowest.

    Returns
    -------
    list of Found
        With costs as distances; by cost, then order of the indexes, then item order: the same whatever the segments
        and threads.
    """
    searched, arrays, masks = to_search(indexes, selections)
    candidates = sorted(
        (cost, *segment, position)
        for segment, part in zip(searched, lowest(arrays, groups, k, masks, sizes), strict=True)
        for cost, position in zip(part.costs.tolist(), part.positions.tolist(), strict=True)
    )
    answer: list[Found] = []
    for (cost, number), group in itertools.groupby(candidates, key=lambda candidate: candidate[:2]):
        tied = [Found(cost, number, Location(segment, position)) for _, _, segment, position in group]
        if len({item.location.segment for item in tied}) > 1:
            rows = indexes[number].rows([item.location for item in tied])
            tied = [item for _, item in sorted(zip(rows, tied, strict=True), key=lambda pair: pair[0][:2])]
        answer += tied
        if len(answer) >= k:
            break
    return answer[:k]
