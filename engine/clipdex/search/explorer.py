"""The explorer: opens datasets and answers requests."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clipdex.datasets.dataset import Dataset, open_alone, require_same_model
from clipdex.datasets.opening import open_datasets
from clipdex.datasets.provenance import model_of
from clipdex.defaults import ANY, MAX_PIXELS, TOPK
from clipdex.encoder.devices import AUTO, CPU, nearest_precision
from clipdex.encoder.model import Model, find_model
from clipdex.errors import ModelMismatch, QueryError, TagsFailure
from clipdex.paths import quoted
from clipdex.readers.sources import Target, locate
from clipdex.search.filtering import count_selected, selections_of, without
from clipdex.search.finding import FoundItem, find_item
from clipdex.search.hit import Hit
from clipdex.search.judging import Judge
from clipdex.search.merging import ItemKey
from clipdex.search.queries import (
    DatasetItem,
    ItemQuery,
    QueryLike,
    TextQuery,
    as_negatives,
    as_queries,
)
from clipdex.search.ranking import Ranked, rank
from clipdex.search.request import SearchRequest, checked_topk
from clipdex.search.resolving import Asked, Resolver, by_id, tower_of
from clipdex.search.result import Result
from clipdex.search.strength import strength_of
from clipdex.search.warning import warnings_of_paths
from clipdex.showing import notebook_html
from clipdex.wording import counted, printable, shortened, type_of
from clipdex_indexes import ItemFilter, ItemRow, Location
from clipdex_indexes.arrays import Masks
from clipdex_indexes.filters import describe

if TYPE_CHECKING:
    # What a query for an item does not need is imported late.
    from clipdex.building.settings import BuildSettings
    from clipdex.encoder.encoder import Encoder
    from clipdex.mapping.dataset_map import DatasetMap
    from clipdex.mapping.making import Progress
    from clipdex.search.facets import Facets
    from clipdex.search.histogram import Histogram
    from clipdex.search.listing import ListedItem, Listing
    from clipdex.search.tagging import Item, Tag, Tagging

Keys = npt.NDArray[np.uint8]


class Explorer:
    """Answers "show me images like this" over one or several datasets.

    Parameters
    ----------
    *targets
        Datasets that have an index: folders of images, or others. Of a folder or an image without one, the nearest
        index above that has it is searched, and that part of it only.
    topk
        Number of hits for a query that does not say.
    build
        Whether to build the indexes first, or bring them up to date; or how, as settings. Of those, model, device,
        precision, index and max_pixels are the ones given here.
    model
        Name or folder of the model, which must be that of the indexes; None takes that.
    device
        Device of OpenVINO that runs the model: ``CPU``, ``GPU``, ``NPU``, ``AUTO``.
    precision
        ``f32``, ``bf16`` or ``f16``; ``auto`` takes that of the indexes, where the device has it.
    index
        Index folder, where it is not ``.clipdex`` in the only target. Without a target, the index is searched alone:
        its images may be on another machine.
    max_pixels
        Query images of more pixels are refused; with ``build``, all images.

    Raises
    ------
    DatasetNotFound, DatasetNotIndexed
        When there is no such dataset, or it has no index, and no index above has images of it.
    DatasetEmpty, DatasetShrunk
        With ``build``, when much of an index is gone, as ``clipdex.build`` says.
    ModelMismatch
        When the datasets were hashed by different models, or not by ``model``.
    IndexFailure
        When an index cannot be read.
    """

    def __init__(
        self,
        *targets: Target,
        topk: int = TOPK,
        build: bool | BuildSettings = False,
        model: str | None = None,
        device: str = CPU,
        precision: str = AUTO,
        index: str | os.PathLike[str] | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        if not targets and index is None:
            raise QueryError("there is no dataset to search: name at least one folder.")
        if index is not None and len(targets) > 1:
            raise QueryError("one index folder cannot hold several datasets: name one dataset with it.")
        self.topk = checked_topk(topk)
        self._device = device
        self._precision = precision
        self._max_pixels = max_pixels
        self._closed = False
        self._model: Model | None = None
        self._model_name = model
        self._loading = threading.Lock()
        self._loaded: Encoder | None = None
        self._judge = Judge(self._the_model)
        if build:
            from clipdex.building.build import build as build_index

            given = None if build is True else build
            for target in targets:
                build_index(
                    target, given, index=index, model=model, device=device, precision=precision, max_pixels=max_pixels
                )
        self.datasets: list[Dataset]
        if index is not None and not targets:
            self.datasets = [open_alone(index)]
        else:
            self.datasets = open_datasets([locate(target) for target in targets], index)
        try:
            self._check_models(model)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Explorer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return sum(map(len, self.datasets))

    def __repr__(self) -> str:
        if self._closed:
            return "<Explorer: closed>"
        names = [f"{dataset.name} ({counted(len(dataset), 'image')})" for dataset in self.datasets]
        model = self.datasets[0].index.manifest.model.name
        return f"<Explorer: {shortened(printable(', '.join(names)))}, model {model!r}>"

    def _repr_html_(self) -> str | None:
        # A notebook shows the text of a closed one.
        return None if self._closed else notebook_html(self)

    def close(self) -> None:
        """Close the indexes. A closed explorer answers nothing."""
        self._closed = True
        for dataset in self.datasets:
            dataset.index.close()

    def refresh(self) -> bool:
        """Open the indexes as they are on disk now; return whether any of them has changed.

        Until then, an explorer answers from what it has open, whatever a build does to the files. Do not call it while
        another thread asks.

        Raises
        ------
        ModelMismatch
            When the datasets are hashed by different models now.
        IndexFailure
            When an index cannot be read any more. In both cases the explorer stays as it was.
        """
        self._require_open()
        before = self.datasets
        after = [replace(dataset, index=dataset.index.snapshot()) for dataset in before]
        changed = [dataset.index.refresh() for dataset in after]
        self.datasets = after
        try:
            self._check_models(self._model_name)
        except BaseException:
            self.datasets = before
            raise
        if after[0].index.manifest.model != before[0].index.manifest.model:
            self._loaded = None
            self._judge = Judge(self._the_model)
        return any(changed)

    def refreshed(self) -> Explorer | None:
        """Return another explorer, of the indexes as they are on disk now; None where none of them has changed.

        This one stays as it is, so other threads may ask it meanwhile. Both share the model and what did not change.

        Raises
        ------
        ModelMismatch, IndexFailure
            As for ``refresh``.
        """
        other = copy.copy(self)
        return other if other.refresh() else None

    def _require_open(self) -> None:
        if self._closed:
            raise QueryError("this Explorer is closed: open another one, or ask inside its with block.")

    def explore_topk(  # noqa: PLR0913  # a request by its names
        self,
        query: QueryLike,
        topk: int | None = None,
        *,
        exclude_self: bool = False,
        merge: str = ANY,
        negative: QueryLike = (),
        rescore: bool = False,
        filter: ItemFilter | None = None,
        max_distance: int | None = None,
        min_strength: str | None = None,
    ) -> Result:
        """Find the items nearest to a query, exactly.

        Parameters
        ----------
        query
            A text (``str``), an image (``Path``, ``PIL.Image.Image``, the ``bytes`` of a file, or an array of pixels as
            ``ImageQuery`` takes it), an item (``DatasetItem``, ``ItemQuery`` or a ``Hit``), or a list that mixes them.
        topk
            Number of hits; all items where there are fewer. None takes that of the explorer.
        exclude_self
            Whether to leave out the items that are queries.
        merge
            How to merge a list. ``any``: near to any of the queries. ``all``: near to all of them. ``rank``: ranked
            high by all of them (see ``clipdex.search.ranking``).
        negative
            Queries, as in ``query``. Items like these are pushed away.
        rescore
            Whether to order the ``10 * topk`` nearest by the asymmetric distance, which uses more of a text or an image
            than its bits (see ``clipdex.search.rescoring``).
        filter
            The items that may be found: by label, tag, subset, path and dataset. The hits are the nearest of these.
        max_distance
            Greatest distance of a hit, in bits, to the query that it matches best. With ``merge`` other than ``any``,
            and with ``negative``, hits beyond it are left out of the ``topk`` best, so there may be fewer.
        min_strength
            Least strength of a hit: ``weak``, ``fair`` or ``strong`` (see ``clipdex.search.strength``). Hits below it
            are left out of the ``topk`` best, so there may be fewer.

        Returns
        -------
        Result
            Hits, best first: by distance, then in the order of the datasets, then in item order. A list gives each item
            once. A list of texts and images is merged by rank (see ``clipdex.search.merging``).

        Raises
        ------
        QueryError
            When the query cannot be answered: an empty text, an unreadable image, an unknown or ambiguous item, a topk
            below 1, an unknown merge mode, an unknown name in the filter, a least strength that is unknown, or that
            this model has no background for.
        ModelError
            When the model of the index cannot be used.
        TagsFailure
            When the filter has tags, and those of a dataset cannot be read.
        """
        self._require_open()
        return self.search(
            SearchRequest(
                tuple(as_queries(query)),
                tuple(as_negatives(negative)),
                topk=self.topk if topk is None else topk,
                merge=merge,
                rescore=bool(rescore),
                filter=filter,
                max_distance=max_distance,
                min_strength=min_strength,
                exclude_self=bool(exclude_self),
            )
        )

    def search(self, request: SearchRequest, *, histogram: bool = False) -> Result:
        """Find the items nearest to what a request asks for, exactly; see ``explore_topk``.

        Parameters
        ----------
        request
            What is asked.
        histogram
            Whether to count the items at each distance, too: ``Result.histogram``.

        Raises
        ------
        QueryError
            When these datasets cannot answer it: an unreadable image, an unknown or ambiguous item, an unknown name in
            the filter.
        ModelError
            When the model of the index cannot be used.
        """
        resolved = self._resolved(request)
        asked = _all_asked(request, resolved)
        items = {one.item for one in asked if one.item is not None}
        selections = selections_of(self.datasets, request.filter)
        rule, ranked = rank(
            [dataset.index for dataset in self.datasets],
            [one.question for one in asked],
            request.topk,
            mode=request.merge,
            rescore=request.rescore,
            excluded=items if request.exclude_self else (),
            selections=selections,
            max_distance=request.max_distance,
        )
        searched = count_selected(self.datasets, selections)
        judged = self._judge.judge(request, [one.question for one in asked], ranked, searched)
        tags, problems = self._tags_of(ranked)
        return Result(
            topk=request.topk,
            merge=rule,
            queries=tuple(replace(one.record, negative=one.negative) for one in asked),
            datasets=tuple(dataset.record for dataset in self.datasets),
            hits=tuple(
                self._hit(number, one, chance, tags.get(one.item, ()))
                for number, (one, chance) in enumerate(judged.hits, start=1)
            ),
            images={number: one.image for number, one in enumerate(asked) if one.image is not None},
            filter=describe(request.filter) if request.filter else {},
            max_distance=request.max_distance,
            min_strength=request.min_strength,
            mode=request.merge,
            rescored=request.rescore,
            warnings=(
                *dict.fromkeys(sentence for one in asked for sentence in one.warnings),
                *warnings_of_paths([query.text for query in request.both if isinstance(query, TextQuery)]),
                *problems,
                *judged.warnings,
            ),
            request=_by_ids(request, resolved),
            histogram=self._histogram(request, asked, selections) if histogram else None,
        )

    def histogram(self, request: SearchRequest) -> Histogram:
        """Count how many items are at each distance from what a request asks for, exactly.

        Every item that the filter lets through counts, without the queries themselves where the request excludes
        them. ``topk``, ``rescore`` and the greatest distance change nothing.

        Raises
        ------
        QueryError, ModelError
            As ``search`` does.
        """
        asked = _all_asked(request, self._resolved(request))
        return self._histogram(request, asked, selections_of(self.datasets, request.filter))

    def _resolved(self, request: SearchRequest) -> list[list[Asked]]:
        """Return for each query of a request, negative ones last, what it asks: several items may have its id."""
        self._require_open()
        if not isinstance(request, SearchRequest):
            raise QueryError(f"this takes a SearchRequest, and was given {type_of(request)}: ask with explore_topk.")
        resolver = Resolver(self.datasets, self._the_encoder, self._max_pixels)
        for tower in dict.fromkeys(tower_of(query) for query, _ in request.asked):
            if tower is not None:
                self._the_encoder().begin(tower)
        return [resolver.resolve(query, number) for number, (query, _) in enumerate(request.asked)]

    def _histogram(
        self, request: SearchRequest, asked: Sequence[Asked], selections: Sequence[Masks] | None
    ) -> Histogram:
        from clipdex.search.histogram import histogram_of

        if request.exclude_self:
            selections = without(self.datasets, selections, {one.item for one in asked if one.item is not None})
        indexes = [dataset.index for dataset in self.datasets]
        return histogram_of(indexes, [one.question for one in asked], request.merge, selections)

    def _hit(self, number: int, found: Ranked, chance: float | None, tags: tuple[str, ...]) -> Hit:
        dataset, row = self.datasets[found.item.dataset], found.row
        path = dataset.media(row)
        return Hit(
            rank=number,
            distance=found.distance,
            query=found.query,
            query_rank=found.place,
            dataset=dataset.name,
            id=row.id,
            subset=row.subset,
            path=path,
            labels=row.labels,
            score=found.score,
            merged=found.merged,
            chance=chance,
            strength=strength_of(chance),
            missing=not dataset.has_media(path),
            tags=tags,
        )

    def facets(self, filter: ItemFilter | None = None) -> Facets:
        """Count the items of each label, tag, subset and dataset, exactly.

        Parameters
        ----------
        filter
            The items that count; None for all.

        Raises
        ------
        QueryError
            When the filter has an unknown name.
        """
        from clipdex.search.facets import facets_of

        self._require_open()
        return facets_of(self.datasets, selections_of(self.datasets, filter))

    def item(self, item_id: str, subset: str | None = None, dataset: str | None = None) -> DatasetItem:
        """Return one item.

        Raises
        ------
        ItemNotFound, ItemAmbiguous
            When no item, or more than one, has that id.
        """
        self._require_open()
        return self.item_at(find_item(self.datasets, ItemQuery(item_id, () if subset is None else (subset,), dataset)))

    def item_at(self, found: FoundItem) -> DatasetItem:
        """Return an item that was found in the datasets."""
        return _dataset_item(self.datasets[found.dataset], found.location, found.row)

    def items(self, filter: ItemFilter | None = None) -> Iterator[DatasetItem]:
        """Yield every item, or those that pass a filter, with its hash key: dataset by dataset, in item order.

        It takes bounded memory. ``listing`` begins at any place.

        Raises
        ------
        QueryError
            When the filter has an unknown name.
        """
        self._require_open()
        return self._items(selections_of(self.datasets, filter))

    def _items(self, selections: Sequence[Masks] | None) -> Iterator[DatasetItem]:
        for number, dataset in enumerate(self.datasets):
            for location, row in dataset.index.items(None if selections is None else selections[number]):
                yield _dataset_item(dataset, location, row)

    def tags(self) -> list[Tag]:
        """Return the tags of the items, in the order of names, with the items that are gone.

        Raises
        ------
        TagsFailure
            When the tags of a dataset cannot be read.
        """
        from clipdex.search.tagging import tags_of

        self._require_open()
        return tags_of(self.datasets)

    def add_tag(self, name: str, items: Iterable[Item]) -> Tagging:
        """Give items a tag; whoever opens the index finds it.

        Parameters
        ----------
        name
            1 to 100 printable characters, without spaces at its ends.
        items
            Hits, or items of this explorer.

        Raises
        ------
        QueryError
            When the name cannot be that of a tag, or an item is of another dataset.
        TagsFailure
            When the tags of a dataset cannot be read or written.
        """
        from clipdex.search.tagging import add_tag

        self._require_open()
        return add_tag(self.datasets, name, items)

    def remove_tag(self, name: str, items: Iterable[Item] | None = None, *, gone: bool = False) -> int:
        """Take a tag from some items, or from all; return how many had it.

        Parameters
        ----------
        name
            A tag.
        items
            Hits, or items of this explorer; None for all items.
        gone
            Whether to take it only from the items that are not in an index any more, whatever ``items`` are.

        Raises
        ------
        QueryError
            When no item has the tag, or an item is of another dataset.
        TagsFailure
            When the tags of a dataset cannot be read or written.
        """
        from clipdex.search.tagging import forget_gone, remove_tag

        self._require_open()
        return forget_gone(self.datasets, name) if gone else remove_tag(self.datasets, name, items)

    def rename_tag(self, name: str, new: str) -> int:
        """Give the items of a tag another one instead, which others may have already; return how many there are.

        Raises
        ------
        QueryError
            When no item has the tag, or the new name cannot be that of a tag.
        TagsFailure
            When the tags of a dataset cannot be read or written.
        """
        from clipdex.search.tagging import rename_tag

        self._require_open()
        return rename_tag(self.datasets, name, new)

    def _tags_of(self, found: Sequence[Ranked]) -> tuple[dict[ItemKey, tuple[str, ...]], list[str]]:
        """Return the tags of ranked items, and why those of a dataset cannot be read: a search goes on without."""
        tags: dict[ItemKey, tuple[str, ...]] = {}
        problems = []
        for number, dataset in enumerate(self.datasets):
            items = [(one.item.id, one.item.subset) for one in found if one.item.dataset == number]
            try:
                known = dataset.index.tags.file.of_items(items)
            except TagsFailure as error:
                problems.append(error.message)
            else:
                tags.update((ItemKey(number, *item), names) for item, names in known.items())
        return tags, problems

    def map(self, *, renew: bool = False, progress: Progress | None = None) -> DatasetMap:
        """Return the map of the datasets: a place in the plane for every item, with like items near each other.

        It is kept beside the index, and new items are placed on it; see ``clipdex.mapping``.

        Parameters
        ----------
        renew
            Lay the map out anew: old items move.
        progress
            Called with what is counted, how much is done, and of how much.
        """
        from clipdex.mapping.making import map_of

        self._require_open()
        return map_of(self.datasets, renew=renew, progress=progress)

    def listing(self, filter: ItemFilter | None = None) -> Listing:
        """Return the items that pass a filter, to be looked through from any place on.

        Raises
        ------
        QueryError
            When the filter has a name that no dataset, subset, label or tag has.
        """
        from clipdex.search.listing import Listing

        self._require_open()
        return Listing(self.datasets, filter)

    def listed(self, dataset: str, subset: str, item_id: str) -> ListedItem:
        """Return the item with exactly this id, of this subset and dataset; ``item`` finds it by less.

        Raises
        ------
        ItemNotFound
            When there is none.
        """
        from clipdex.search.listing import listed_item

        self._require_open()
        return listed_item(self.datasets, dataset, subset, item_id)

    def _check_models(self, model: str | None) -> None:
        require_same_model(self.datasets)
        first = self.datasets[0]
        stamp = first.index.manifest.model
        if model is not None:
            self._model = find_model(model)
        if self._model is not None and self._model.digest != stamp.digest:
            raise ModelMismatch(
                f"{first.root} was hashed by model {stamp.name!r} ({stamp.digest[:12]}), and not by {model!r}. "
                "Leave out --model, or hash it again: clipdex build --rebuild "
                f"--model {quoted(str(model))} {quoted(first.root)}"
            )

    @property
    def encoder(self) -> Encoder | None:
        """The encoder that hashed queries so far; None where no query needed a model."""
        return self._loaded

    def _the_encoder(self) -> Encoder:
        with self._loading:
            if self._loaded is None:
                self._loaded = self._load_encoder()
            return self._loaded

    def load_model(self) -> Encoder:
        """Load the model now, and return its encoder: the first query with a text or an image need not wait for it.

        Raises
        ------
        ModelError
            When the model of the indexes cannot be used.
        """
        self._require_open()
        return self._the_encoder()

    def encoder_for_many(self) -> Encoder:
        """Return an encoder of the model of the indexes that hashes many images, as a build does.

        Raises
        ------
        ModelError
            When the model of the indexes cannot be used.
        """
        self._require_open()
        return self._load_encoder(many=True)

    def _the_model(self) -> Model:
        """Return the model of the indexes; raises ``ModelMismatch`` where it is another version here."""
        stamp = self.datasets[0].index.manifest.model
        model = self._model if self._model is not None else model_of(self.datasets[0].index, self.datasets[0].root)
        if model.digest != stamp.digest or model.embedding_size != stamp.bits:
            raise ModelMismatch(
                f"{self.datasets[0].root} was hashed by another version of model {stamp.name!r} "
                f"({stamp.digest[:12]}; here is {model.digest[:12]}). Item queries still work; for others hash it "
                f"again: clipdex build --rebuild {quoted(self.datasets[0].root)}"
            )
        return model

    def _load_encoder(self, *, many: bool = False) -> Encoder:
        from clipdex.encoder.encoder import Encoder

        model, precision = self._the_model(), self._precision
        if precision == AUTO:
            precision = nearest_precision(self.datasets[0].index.manifest.model.precision, self._device)
        return Encoder(model, many=many, device=self._device, precision=precision)


def _dataset_item(dataset: Dataset, location: Location, row: ItemRow) -> DatasetItem:
    digest = dataset.index.manifest.model.digest
    path = Path(dataset.media(row))
    return DatasetItem(row.id, row.subset, row.labels, dataset.name, path, dataset.index.key(location), digest)


def _all_asked(request: SearchRequest, resolved: Sequence[Sequence[Asked]]) -> list[Asked]:
    return [
        replace(one, negative=negative)
        for (_, negative), answers in zip(request.asked, resolved, strict=True)
        for one in answers
    ]


def _by_ids(request: SearchRequest, resolved: Sequence[Sequence[Asked]]) -> SearchRequest:
    """Return a request with the ids of items that were named by a path, which is relative to the current folder."""
    queries = [by_id(query, answers) for query, answers in zip(request.both, resolved, strict=True)]
    count = len(request.queries)
    return replace(request, queries=tuple(queries[:count]), negative=tuple(queries[count:]))
