"""What the page shows: open datasets, asked through one explorer, and answers that are kept while they are paged."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from clipdex.errors import ClipdexError
from clipdex.search.explorer import Explorer
from clipdex.search.listing import ListedItem, Listing
from clipdex.search.result import Result
from clipdex_indexes import ItemFilter
from clipdex_indexes.filters import names_of
from clipdex_web.kept import KeptValues
from clipdex_web.state import ITEM, ItemName, State
from clipdex_web.uploads import Uploads

IDLE, LOADING, READY = "idle", "loading", "ready"
_KEPT_ANSWERS = 32
_KEPT_LISTINGS = 4
# Seconds; items of a hundred thousand are counted in a tenth of that.
_WAIT_FOR_COUNTS = 1.0


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
        self._counting = threading.Lock()
        self._facets: Future[Facets] | None = None
        subsets, _ = names_of(dataset.index for dataset in explorer.datasets)
        self.several_subsets = len(subsets) > 1

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
        if state.filter.tags or state.filter.not_tags:  # tags change while the index stays as it is
            return self._asked(question)
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
        if wanted.tags or wanted.not_tags:  # tags change while the index stays as it is
            return self.explorer.listing(wanted)
        return self._listings.get(wanted, lambda: self.explorer.listing(wanted))

    def item(self, name: ItemName) -> ListedItem:
        """Return one item.

        Raises
        ------
        ItemNotFound
            When there is none of that name.
        """
        return self.explorer.listed(*name)

    def facets(self) -> Facets | None:
        """Count the items of each label, subset and dataset, of all that is open.

        They are counted once, in the background. None where that takes longer than a page should wait.
        """
        with self._counting:
            if self._facets is None:
                self._facets = Future()
                threading.Thread(target=self._count, args=(self._facets,), name="clipdex-counts", daemon=True).start()
        try:
            return self._facets.result(_WAIT_FOR_COUNTS)
        except TimeoutError:
            return None

    def _count(self, facets: Future[Facets]) -> None:
        try:
            facets.set_result(self._counted())
        except Exception as error:  # noqa: BLE001 - whoever waits for them raises it
            facets.set_exception(error)

    def _counted(self) -> Facets:
        counts = self.explorer.facets()
        return Facets(*(tuple(one.items()) for one in (counts.labels, counts.subsets, counts.datasets)))


def name_of(item: ListedItem) -> ItemName:
    """Return what names an item."""
    return ItemName(item.dataset.name, item.row.subset, item.row.id)
