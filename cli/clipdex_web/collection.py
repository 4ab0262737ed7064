"""What the page shows: open datasets, asked through one explorer, and answers that are kept while they are paged."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from clipdex.errors import ClipdexError, IndexFailure, TagsFailure
from clipdex.search.explorer import Explorer
from clipdex.search.facets import Facets
from clipdex.search.listing import ListedItem, Listing
from clipdex.search.result import Result
from clipdex_indexes import ItemFilter, read_manifest
from clipdex_indexes.filters import is_among, names_of
from clipdex_web.kept import KeptValues
from clipdex_web.state import ITEM, ItemName, State
from clipdex_web.uploads import Uploads

IDLE, LOADING, READY = "idle", "loading", "ready"
_KEPT_ANSWERS = 32
_KEPT_LISTINGS = 4
_KEPT_FACETS = 8
# Seconds; items of a hundred thousand are counted in a tenth of that.
_WAIT_FOR_COUNTS = 1.0

TagsVersion = tuple[tuple[int, ...], ...]


class Left(NamedTuple):
    """What is left of a question when a tag is taken from its last item: a page that was open before may name it.

    Attributes
    ----------
    state
        The question without the tags that no item has, as far as other tags are left to choose by.
    gone
        The tags of its filter that no item has.
    nothing
        Whether nothing passes, because the items of no other tag are wanted.
    """

    state: State
    gone: tuple[str, ...] = ()
    nothing: bool = False


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
        self._answers: KeptValues[tuple[State, TagsVersion], Result] = KeptValues(_KEPT_ANSWERS)
        self._listings: KeptValues[tuple[ItemFilter, TagsVersion], Listing] = KeptValues(_KEPT_LISTINGS)
        self._facets: KeptValues[tuple[ItemFilter, TagsVersion], Future[Facets]] = KeptValues(_KEPT_FACETS)
        subsets, _ = names_of(dataset.index for dataset in explorer.datasets)
        self.several_subsets = len(subsets) > 1
        self.version = _version_of(explorer)

    @property
    def model(self) -> str:
        """``idle``, ``loading``, ``ready``, or why the model cannot be used."""
        return READY if self.explorer.encoder is not None else self._model

    def changed(self) -> bool:
        """Tell whether an index on disk is another one than what is open; only manifests are read."""
        try:
            return any(
                read_manifest(dataset.index.folder) != dataset.index.manifest for dataset in self.explorer.datasets
            )
        except IndexFailure:  # being replaced, or gone: what is open can still be asked
            return False

    def refreshed(self) -> Collection | None:
        """Return a collection of the indexes as they are now; None where none has changed.

        This one stays as it is, for those that ask it meanwhile.

        Raises
        ------
        ClipdexError
            When the indexes cannot be read any more, or have different models now.
        """
        explorer = self.explorer.refreshed()
        return None if explorer is None else Collection(explorer, self.uploads, self.words, self.index)

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
        return self._answers.get((question, self._tags_version()), lambda: self._asked(question))

    def _asked(self, state: State) -> Result:
        for chip in state.chips:
            if chip.kind == ITEM:
                self.item(chip.item)
        return self.explorer.search(state.request(self.uploads.read))

    def left_of(self, state: State) -> Left:
        """Return a question without the tags of its filter that no item has any more."""
        chosen = state.filter
        asked = (*chosen.tags, *chosen.not_tags)
        if not asked:
            return Left(state)
        try:
            known = {name for dataset in self.explorer.datasets for name in dataset.index.tag_names()}
        except TagsFailure:  # whoever asks the question is told
            return Left(state)
        gone = tuple(dict.fromkeys(name for name in asked if not is_among(name, known)))
        tags, not_tags = (tuple(one for one in names if one not in gone) for names in (chosen.tags, chosen.not_tags))
        nothing = bool(chosen.tags) and not tags
        left = replace(chosen, tags=chosen.tags if nothing else tags, not_tags=not_tags)
        return Left(replace(state, filter=left), gone, nothing)

    def listing(self, wanted: ItemFilter) -> Listing:
        """Return the items that pass a filter.

        Raises
        ------
        QueryError
            When the filter has an unknown name.
        """
        return self._listings.get((wanted, self._tags_version()), lambda: self.explorer.listing(wanted))

    def item(self, name: ItemName) -> ListedItem:
        """Return one item.

        Raises
        ------
        ItemNotFound
            When there is none of that name.
        """
        return self.explorer.listed(*name)

    def facets(self, wanted: ItemFilter | None = None, *, wait: bool = True) -> Facets | None:
        """Count the items of each label, tag, subset and dataset: of all that is open, or of what passes a filter.

        They are counted once, in the background. None where that takes longer than a page should wait, or, without
        ``wait``, where it has not been done before.

        Raises
        ------
        QueryError
            When the filter has an unknown name.
        """
        chosen = ItemFilter() if wanted is None else wanted
        try:
            return self._facets.get((chosen, self._tags_version()), lambda: self._counting(chosen)).result(
                _WAIT_FOR_COUNTS if wait else 0
            )
        except TimeoutError:
            return None

    def _counting(self, wanted: ItemFilter) -> Future[Facets]:
        facets: Future[Facets] = Future()
        threading.Thread(target=self._count, args=(wanted, facets), name="clipdex-counts", daemon=True).start()
        return facets

    def _count(self, wanted: ItemFilter, facets: Future[Facets]) -> None:
        try:
            facets.set_result(self.explorer.facets(wanted))
        except Exception as error:  # noqa: BLE001 - whoever waits for them raises it
            facets.set_exception(error)

    def tags_of(self, names: Iterable[ItemName]) -> dict[ItemName, tuple[str, ...]]:
        """Return the tags of those of some items that have any; those of a file that cannot be read are left out."""
        by_dataset: dict[str, list[ItemName]] = {}
        for name in names:
            by_dataset.setdefault(name.dataset, []).append(name)
        found: dict[ItemName, tuple[str, ...]] = {}
        for dataset in self.explorer.datasets:
            wanted = [(name.id, name.subset) for name in by_dataset.get(dataset.name, ())]
            with contextlib.suppress(TagsFailure):
                known = dataset.index.tags.file.of_items(wanted)
                found.update(
                    (ItemName(dataset.name, subset, item_id), tags) for (item_id, subset), tags in known.items()
                )
        return found

    def _tags_version(self) -> TagsVersion:
        """Return what changes with the tags, which change while the indexes stay as they are."""
        return tuple(dataset.index.tags.file.version() for dataset in self.explorer.datasets)


def name_of(item: ListedItem) -> ItemName:
    """Return what names an item."""
    return ItemName(item.dataset.name, item.row.subset, item.row.id)


def _version_of(explorer: Explorer) -> str:
    """Return a text that is another one whenever a place on a page may stand for another image."""
    indexes = [(str(dataset.index.folder), dataset.index.manifest) for dataset in explorer.datasets]
    return hashlib.sha256(repr(indexes).encode(errors="backslashreplace")).hexdigest()[:12]
