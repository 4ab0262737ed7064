"""The items of several snapshots with the lowest costs, which are made of the distances to several queries.

``kernels.costs`` computes the costs; this module selects what is searched and puts ties in item order.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from clipdex_indexes.arrays import Ints, Keys, Masks
from clipdex_indexes.kernels.costs import Group, Lowest, cost_range, count_costs, count_distances, lowest
from clipdex_indexes.kernels.counted import MakeGroups, count_and_lowest
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
    return _in_item_order(indexes, searched, lowest(arrays, groups, k, masks, sizes), k)


def search_counted(
    indexes: Sequence[Snapshot],
    queries: Keys,
    groups_of: MakeGroups,
    k: int,
    selections: Sequence[Masks] | None = None,
    sizes: ScanSizes = DEFAULT_SIZES,
) -> tuple[Ints, list[Found]]:
    """Count all items at each distance, and find the k items whose costs by these counts are lowest.

    Parameters
    ----------
    queries
        uint8 ``[q, bits / 8]``.
    groups_of
        Makes at least one group of counts, int64 ``[q, bits + 1]``. The queries of the groups are among ``queries``.
    indexes, k, selections, sizes
        As of ``search_combined``. Items that are not selected count, too, and are not found.

    Returns
    -------
    tuple of counts and list of Found
        As ``count_in`` and ``search_combined`` return them.
    """
    if selections is not None:
        counts = count_in(indexes, queries, sizes=sizes)
        return counts, search_combined(indexes, groups_of(counts), k, selections, sizes)
    searched, arrays, masks = to_search(indexes, None)
    counts, parts = count_and_lowest(arrays, queries, groups_of, k, masks, sizes)
    return counts, _in_item_order(indexes, searched, parts, k)


def _in_item_order(
    indexes: Sequence[Snapshot], searched: list[tuple[int, int]], parts: Sequence[Lowest], k: int
) -> list[Found]:
    """Return the k lowest of what was found in each segment, ties in item order."""
    candidates = sorted(
        (cost, *segment, position)
        for segment, part in zip(searched, parts, strict=True)
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
