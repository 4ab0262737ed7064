"""Looking through datasets without a question: their items in order, from any place on, and single items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clipdex.datasets.dataset import Dataset
from clipdex.errors import ItemNotFound
from clipdex.search.filtering import selections_of
from clipdex.wording import shown
from clipdex_indexes import ItemFilter, ItemRow, Location
from clipdex_indexes.arrays import Masks
from clipdex_indexes.paging import count_passing, page


@dataclass(frozen=True, slots=True)
class ListedItem:
    """One item of an open dataset, without its hash key.

    Attributes
    ----------
    dataset
        Its dataset.
    location
        Where the index has it.
    row
        What the index says of it.
    """

    dataset: Dataset
    location: Location
    row: ItemRow

    @property
    def path(self) -> str:
        """The locator of its media (see ``clipdex.media.locators``)."""
        return self.dataset.media(self.row)


class Listing:
    """The items of datasets that pass a filter: dataset by dataset, in item order.

    Several threads may use a listing. Where not all items pass, it keeps one byte of memory for each.

    Raises
    ------
    QueryError
        When the filter has a name that no dataset, subset, label or tag has.
    """

    def __init__(self, datasets: Sequence[Dataset], wanted: ItemFilter | None = None) -> None:
        self._datasets = tuple(datasets)
        selections: Sequence[Masks | None] = selections_of(datasets, wanted) or [None] * len(self._datasets)
        self._masks: list[Masks] = [
            dataset.index.selected(mask) for dataset, mask in zip(self._datasets, selections, strict=True)
        ]
        self._counts = [
            count_passing(dataset.index, masks) for dataset, masks in zip(self._datasets, self._masks, strict=True)
        ]

    def __len__(self) -> int:
        return sum(self._counts)

    @property
    def masks(self) -> list[Masks]:
        """For each dataset and segment the items that pass and are not removed, bool ``[items]``; None for all."""
        return list(self._masks)

    def page(self, start: int, count: int) -> list[ListedItem]:
        """Return ``count`` items after the first ``start``; fewer at the end. It takes as long at any place."""
        found: list[ListedItem] = []
        for dataset, masks, there in zip(self._datasets, self._masks, self._counts, strict=True):
            if len(found) < count and start < there:
                rows = page(dataset.index, masks, start, count - len(found))
                found += (ListedItem(dataset, location, row) for location, row in rows)
            start = max(0, start - there)
        return found


def listed_item(datasets: Sequence[Dataset], dataset: str, subset: str, item_id: str) -> ListedItem:
    """Return the item with exactly this id, of this subset and dataset.

    Raises
    ------
    ItemNotFound
        When there is none.
    """
    for one in datasets:
        if one.name == dataset and (location := one.index.locate(item_id, subset)) is not None:
            segment, position = location
            if one.selected is None or one.selected[segment][position]:
                [row] = one.index.rows([location])
                return ListedItem(one, location, row)
    raise ItemNotFound(f"no item has the id {shown(item_id)} in subset {shown(subset)} of dataset {shown(dataset)}.")
