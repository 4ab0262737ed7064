"""From the positions of a group to what a result says of it: what is kept, what is identical, what may be deleted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipdex.media.orientations import ORIENTATIONS
from clipdex.search.all_keys import AllKeys, Member
from clipdex.search.copies import FINE, PROBLEMS, Copies
from clipdex.search.duplicates_result import FAR, IDENTICAL, KEPT, NEAR, DuplicateGroup, DuplicateItem
from clipdex.search.keeping import Keep
from clipdex.search.nearness import Nearness


class Grouping:
    """Makes the groups of a result.

    Parameters
    ----------
    keys
        Where the items are.
    copies
        What is known of their files.
    nearness
        How far they are from each other.
    keep
        What is kept of each group.
    distance
        The greatest distance of near items.
    marked
        Positions of items that are kept whatever the rule says. A group of which some of these are there keeps them
        alone.
    """

    def __init__(
        self,
        keys: AllKeys,
        copies: Copies,
        nearness: Nearness,
        keep: Keep,
        distance: int,
        marked: frozenset[int] = frozenset(),
    ) -> None:
        self._keys = keys
        self._copies = copies
        self._nearness = nearness
        self._keep = keep
        self._distance = distance
        self._marked = marked

    def group(self, items_of_group: Sequence[Member]) -> DuplicateGroup:
        """Return items, in any order, as a group of a result."""
        members = sorted(items_of_group, key=lambda member: member.order)
        datasets = self._keys.datasets
        positions = np.array([member.position for member in members], np.int64)
        at = self._copies.at(positions)
        states = self._copies.states[at].tolist()
        contents = list(zip(self._copies.sizes[at].tolist(), self._copies.contents[at].tolist(), strict=True))
        paths = [datasets[member.dataset].media(member.row) for member in members]

        # What is kept must be there, as long as anything of the group is.
        sure = [number for number, state in enumerate(states) if state == FINE] or list(range(len(members)))
        chosen = [place for place, number in enumerate(sure) if members[number].position in self._marked]
        if not chosen:
            chosen = self._keep.kept([members[number].row for number in sure], [paths[number] for number in sure])
        kept = [sure[number] for number in chosen or [0]]
        all_kept = set(kept)
        others = [number for number in range(len(members)) if number not in all_kept]

        from_first = self._nearness.from_one(positions, kept[0])
        nearest = from_first.distances
        for number in kept[1:]:
            nearest = np.minimum(nearest, self._nearness.from_one(positions, number).distances)
        kept_contents = {contents[number] for number in kept if contents[number][1]}
        there = states[kept[0]] == FINE
        numbers: dict[tuple[int, int], int] = {}
        items = []
        for number in (*kept, *others):
            member, content = members[number], contents[number]
            is_kept, same = number in all_kept, content in kept_contents
            problem = PROBLEMS[states[number]] or ("" if same or nearest[number] <= self._distance else FAR)
            items.append(
                DuplicateItem(
                    distance=int(from_first.distances[number]),
                    dataset=datasets[member.dataset].name,
                    id=member.row.id,
                    subset=member.row.subset,
                    path=paths[number],
                    labels=member.row.labels,
                    match=KEPT if is_kept else IDENTICAL if same else NEAR,
                    content=numbers.setdefault(content, len(numbers) + 1) if content[1] else 0,
                    size=member.row.size,
                    removable=there and not is_kept and not problem,
                    problem=problem,
                    orientation=ORIENTATIONS[from_first.orientations[number]],
                )
            )
        return DuplicateGroup(tuple(items), self._nearness.greatest(positions), matched=bool(chosen))
