"""What the page shows: open datasets, asked through one explorer, and answers that are kept while they are paged."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clipdex.errors import ClipdexError
from clipdex.search.explorer import Explorer
from clipdex.search.listing import ListedItem, Listing
from clipdex.search.result import Result
from clipdex_indexes import ItemFilter
from clipdex_indexes.storage.table import counts_of
from clipdex_web.kept import KeptValues
from clipdex_web.state import ITEM, ItemName, State
from clipdex_web.uploads import Uploads

IDLE, LOADING, READY = "idle", "loading", "ready"
_KEPT_ANSWERS = 32
_KEPT_LISTINGS = 4


@dataclass(frozen=True, slots=True)
class Facets:
    """How many items there are of each label, subset and dataset, the most first."""

    labels: tuple[tuple[str, int], ...]
    subsets: tuple[tuple[str, int], ...]
    datasets: tuple[tuple[str, int], ...]


class Collection:
    """Open datasets and what was asked of them.

    Parameters
    ----------
    explorer
        Answers the questions; closed by its owner.
    uploads
        The images that can be asked with.
    words
        The arguments of a command line that name what is open.
    index
        Folder of the index, where one was named.
    """

    def __init__(
        self, explorer: Explorer, uploads: Uploads, words: Sequence[str] = (), index: Path | None = None
    ) -> None:
        self.explorer = explorer
        self.uploads = uploads
        self.index = index
        self.words = tuple(words) or tuple(str(dataset.record.place) for dataset in explorer.datasets)
        self.several = len(explorer.datasets) > 1
        self._model = IDLE
        self._answers: KeptValues[State, Result] = KeptValues(_KEPT_ANSWERS)
        self._listings: KeptValues[ItemFilter, Listing] = KeptValues(_KEPT_LISTINGS)
        self._facets: KeptValues[None, Facets] = KeptValues(1)

    @property
    def model(self) -> str:
        """``idle``, ``loading``, ``ready``, or why the model cannot be used."""
        return READY if self.explorer.encoder is not None else self._model

    def warm(self) -> None:
        """Load the model in the background, so that the first question need not wait for all of it."""
        self._model = LOADING
        threading.Thread(target=self._load, name="clipdex-model", daemon=True).start()

    def _load(self) -> None:
        try:
            self.explorer.load_model()
        except ClipdexError as error:
            self._model = error.message

    def answer(self, state: State) -> Result:
        """Ask the engine; an answer that was given lately is given again.

        Raises
        ------
        ClipdexError
            When it cannot be answered.
        """
        question = replace(state, page=1, per=State().per)
        return self._answers.get(question, lambda: self._asked(question))

    def _asked(self, state: State) -> Result:
        for chip in state.chips:
            if chip.kind == ITEM:
                self.item(chip.item)
        return self.explorer.search(state.request(self.uploads.read))

    def listing(self, wanted: ItemFilter) -> Listing:
        """Return the items that pass a filter.

        Raises
        ------
        QueryError
            When the filter has an unknown name.
        """
        return self._listings.get(wanted, lambda: self.explorer.listing(wanted))

    def item(self, name: ItemName) -> ListedItem:
        """Return one item.

        Raises
        ------
        ItemNotFound
            When there is none of that name.
        """
        return self.explorer.listed(*name)

    def facets(self) -> Facets:
        """Count the items of each label, subset and dataset, of all that is open."""
        return self._facets.get(None, self._counted)

    def _counted(self) -> Facets:
        labels: Counter[str] = Counter()
        subsets: Counter[str] = Counter()
        for dataset in self.explorer.datasets:
            whole = dataset.selected is None
            counts = dataset.index.counts() if whole else counts_of(row for _, row in dataset.items())
            labels.update(counts.labels)
            subsets.update(counts.subsets)
        datasets = Counter({dataset.name: len(dataset) for dataset in self.explorer.datasets})
        return Facets(_most_first(labels), _most_first(subsets), _most_first(datasets))


def _most_first(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def name_of(item: ListedItem) -> ItemName:
    """Return what names an item."""
    return ItemName(item.dataset.name, item.row.subset, item.row.id)
