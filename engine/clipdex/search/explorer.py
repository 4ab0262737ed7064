"""The explorer: opens datasets, turns queries into hash keys, searches, merges."""

from __future__ import annotations

import operator
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
from PIL import Image

from clipdex.datasets.dataset import Dataset, open_alone, open_datasets, require_same_model
from clipdex.datasets.provenance import model_of
from clipdex.defaults import ANY, MAX_PIXELS, MERGES, TOPK
from clipdex.encoder import AUTO, CPU, Encoder, Model, find_model, hash_key, nearest_precision
from clipdex.errors import ImageError, ModelMismatch, QueryError, QueryImageError
from clipdex.media.decoding import from_memory, load_image
from clipdex.paths import expanded, quoted
from clipdex.readers.sources import Target, locate
from clipdex.search.filtering import checked_distance, selections_of
from clipdex.search.finding import FoundItem, find_item, find_items
from clipdex.search.merging import ItemKey
from clipdex.search.queries import ImageQuery, ItemQuery, Query, QueryLike, TextQuery, as_negatives, as_queries
from clipdex.search.ranking import Question, Ranked, rank
from clipdex.search.result import Hit, QueryRecord, Result
from clipdex_indexes import ItemFilter, ItemRow, Location
from clipdex_indexes.filters import describe

Keys = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class DatasetItem:
    """One image of a dataset that is open.

    Attributes
    ----------
    id, subset, labels
        As the index has them.
    dataset
        Name of its dataset.
    path
        Its file.
    hash_key
        uint8 ``[bits / 8]``, most significant bit first.
    model_digest
        What hashed it.
    """

    id: str
    subset: str
    labels: tuple[str, ...]
    dataset: str
    path: Path
    hash_key: Keys
    model_digest: str


class Explorer:
    """Answers "show me images like this" over one or several datasets.

    Parameters
    ----------
    *targets
        Folders of images, or other datasets, that have an index.
    topk
        How many hits a query gets when it does not say.
    build
        Build, or bring up to date, the indexes first.
    model
        Name or folder of the model, checked against the indexes; None takes theirs.
    device
        What computes, as OpenVINO names it: ``CPU``, ``GPU``, ``NPU``, ``AUTO``.
    precision
        ``f32``, ``bf16`` or ``f16``; ``auto`` takes that of the indexes, where the device has it.
    index
        Index folder, where it is not ``.clipdex`` in the one target. Without a target, the index alone is searched: its
        images may be on another machine.
    max_pixels
        Query images (and with ``build`` all) of more pixels are refused.

    Raises
    ------
    DatasetNotFound, DatasetNotIndexed
        When there is no such dataset, or it has no index.
    ModelMismatch
        When the datasets were hashed by different models, or by another one than ``model``.
    IndexFailure
        When an index cannot be read.
    """

    def __init__(
        self,
        *targets: Target,
        topk: int = TOPK,
        build: bool = False,
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
        self.topk = _checked_topk(topk)
        self._device = device
        self._precision = precision
        self._max_pixels = max_pixels
        self._closed = False
        self._model: Model | None = None
        self._model_name = model
        self._loading = threading.Lock()
        self._loaded: Encoder | None = None
        if build:
            from clipdex.building.build import build as build_index

            for target in targets:
                build_index(target, index=index, model=model, device=device, precision=precision, max_pixels=max_pixels)
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
        return sum(len(dataset.index) for dataset in self.datasets)

    def close(self) -> None:
        """Close the indexes; after that nothing can be asked."""
        self._closed = True
        for dataset in self.datasets:
            dataset.index.close()

    def refresh(self) -> bool:
        """See the indexes as they are on disk now; return whether any of them is another one.

        Until then, an explorer answers from what it opened, whatever a build does to the files. Not to be called while
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
        return any(changed)

    def _require_open(self) -> None:
        if self._closed:
            raise QueryError("this Explorer is closed: open another one, or ask inside its with block.")

    def explore_topk(
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
    ) -> Result:
        """Find the items nearest to a query, exactly.

        Parameters
        ----------
        query
            A text (``str``), an image (``Path`` or ``PIL.Image.Image``), an item (``DatasetItem`` or ``ItemQuery``), or
            a list that mixes them.
        topk
            How many hits; more than there are items gives all. None takes the explorer's.
        exclude_self
            Leave out the items that are asked with.
        merge
            How a list is merged: ``any``, near to any of the queries; ``all``, near to all of them; ``rank``, by the
            places that the queries give an item (see ``clipdex.search.ranking``).
        negative
            Like ``query``: push away items that are like these. None by default.
        rescore
            Put the ten times ``topk`` nearest by Hamming distance in order by the asymmetric distance, which uses more
            of a text or an image than its bits (see ``clipdex.search.rescoring``).
        filter
            What may be found; the hits are the nearest of that.
        max_distance
            Leave out what is farther than so many bits from the query that it matches best. With ``merge`` other than
            ``any``, and with ``negative``, that is taken from the ``topk`` best.

        Returns
        -------
        Result
            Hits, best first: by distance, then order of the datasets, then item order. A list gives each item once, at
            its best distance; a list of texts and images is merged by rank (see ``clipdex.search.merging``).

        Raises
        ------
        QueryError
            When the query cannot be answered: an empty text, an unreadable image, an unknown or ambiguous item, a topk
            below 1, an unknown way to merge, a filter by a name that there is not.
        ModelError
            When the model of the index cannot be used.
        """
        self._require_open()
        k = _checked_topk(self.topk if topk is None else topk)
        if merge not in MERGES:
            raise QueryError(f"merge is {merge!r}, and must be one of {', '.join(MERGES)}.")
        given = [(one, False) for one in as_queries(query)] + [(one, True) for one in as_negatives(negative)]
        asked = [
            replace(one, negative=pushed_away)
            for number, (each, pushed_away) in enumerate(given)
            for one in self._resolve(each, number)
        ]
        farthest = checked_distance(max_distance)
        rule, ranked = rank(
            [dataset.index for dataset in self.datasets],
            [one.question for one in asked],
            k,
            mode=merge,
            rescore=rescore,
            excluded={one.item for one in asked if one.item is not None} if exclude_self else (),
            selections=selections_of(self.datasets, filter),
            max_distance=farthest,
        )
        return Result(
            topk=k,
            merge=rule,
            queries=tuple(replace(one.record, negative=one.negative) for one in asked),
            datasets=tuple(dataset.record for dataset in self.datasets),
            hits=tuple(self._hit(number, one) for number, one in enumerate(ranked, start=1)),
            images={number: one.image for number, one in enumerate(asked) if one.image is not None},
            filter=describe(filter) if filter else {},
            max_distance=farthest,
            mode=merge,
            rescored=rescore,
        )

    def _hit(self, number: int, found: Ranked) -> Hit:
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
            missing=not dataset.has_media(path),
        )

    def item(self, item_id: str, subset: str | None = None, dataset: str | None = None) -> DatasetItem:
        """Return one item.

        Raises
        ------
        ItemNotFound, ItemAmbiguous
            When no item, or more than one, has that id.
        """
        self._require_open()
        number, location, row = find_item(
            self.datasets, ItemQuery(item_id, () if subset is None else (subset,), dataset)
        )
        return _dataset_item(self.datasets[number], location, row)

    def items(self) -> Iterator[DatasetItem]:
        """Yield every item with its hash key: dataset by dataset, in item order, in bounded memory."""
        self._require_open()
        for dataset in self.datasets:
            for location, row in dataset.index.items():
                yield _dataset_item(dataset, location, row)

    def _resolve(self, query: Query | DatasetItem, number: int) -> list[_Asked]:
        """Turn one query into what is searched for: an id may be that of items in several subsets."""
        if isinstance(query, DatasetItem):
            return [self._resolve_own_item(query)]
        if isinstance(query, TextQuery):
            encoded = self._encoder.text_key(query.text, query.prompting)
            record = QueryRecord(
                "text", query.text, encoded=encoded.encoded, ensemble=encoded.ensemble, truncated=encoded.truncated
            )
            return [_Asked(record, encoded.key, encoded.embedding)]
        if isinstance(query, ImageQuery):
            return [self._resolve_image(query, number)]
        return [self._resolve_item(found) for found in find_items(self.datasets, query)]

    def _resolve_item(self, found: FoundItem) -> _Asked:
        dataset, row = self.datasets[found.dataset], found.row
        record = QueryRecord("item", row.id, path=dataset.media(row), dataset=dataset.name, subset=row.subset)
        key = dataset.index.key(found.location)
        return _Asked(record, key, item=ItemKey(found.dataset, row.id, row.subset))

    def _resolve_own_item(self, item: DatasetItem) -> _Asked:
        """Ask with the hash key of an item, which may be of a dataset that is not searched here."""
        stamp = self.datasets[0].index.manifest.model
        if item.model_digest != stamp.digest:
            raise ModelMismatch(
                f"the item {item.id!r} was hashed by another model ({item.model_digest[:12]}) than "
                f"{self.datasets[0].root} ({stamp.name!r}, {stamp.digest[:12]}): their hash keys cannot be compared."
            )
        record = QueryRecord("item", item.id, path=str(item.path), dataset=item.dataset, subset=item.subset)
        here = [
            ItemKey(number, row.id, row.subset)
            for number, dataset in enumerate(self.datasets)
            for _, row in dataset.index.find(item.id)
            if (row.id, row.subset, dataset.media(row)) == (item.id, item.subset, str(item.path))
        ]
        return _Asked(record, item.hash_key, item=here[0] if here else None)

    def _resolve_image(self, query: ImageQuery, number: int) -> _Asked:
        settings = self._encoder.model.image
        if not isinstance(query.image, Path):
            try:
                image = from_memory(query.image, settings.background, max_pixels=self._max_pixels)
            except ImageError as error:
                raise QueryImageError(f"query image {number + 1} cannot be used: {error}.") from error
            return self._asked_image(QueryRecord("image", f"image {number + 1}"), image, keep=True)
        try:
            image = load_image(expanded(query.image), settings.background, max_pixels=self._max_pixels)
        except ImageError as error:
            raise QueryImageError(f"the query image {str(query.image)!r} cannot be used: {error}.") from error
        record = QueryRecord("image", str(query.image), path=str(expanded(query.image).absolute()))
        return self._asked_image(record, image)

    def _asked_image(self, record: QueryRecord, image: Image.Image, *, keep: bool = False) -> _Asked:
        embedding, centre = self._encoder.image_embedding(image), self._encoder.image_centre
        return _Asked(record, hash_key(embedding, centre), embedding - centre, image=image if keep else None)

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
        """What hashed the queries so far; None where none needed a model."""
        return self._loaded

    @property
    def _encoder(self) -> Encoder:
        with self._loading:
            if self._loaded is None:
                self._loaded = self._load_encoder()
            return self._loaded

    def _load_encoder(self) -> Encoder:
        stamp = self.datasets[0].index.manifest.model
        model = self._model if self._model is not None else model_of(self.datasets[0].index, self.datasets[0].root)
        if model.digest != stamp.digest or model.embedding_size != stamp.bits:
            raise ModelMismatch(
                f"{self.datasets[0].root} was hashed by another version of model {stamp.name!r} "
                f"({stamp.digest[:12]}; here is {model.digest[:12]}). Item queries still work; for others hash it "
                f"again: clipdex build --rebuild {quoted(self.datasets[0].root)}"
            )
        precision = self._precision
        if precision == AUTO:
            precision = nearest_precision(stamp.precision, self._device)
        return Encoder(model, device=self._device, precision=precision)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query that was resolved: its record, hash key, what that was made from, the item or image in memory it is."""

    record: QueryRecord
    key: Keys
    embedding: npt.NDArray[np.float32] | None = None
    item: ItemKey | None = None
    image: Image.Image | None = None
    negative: bool = False

    @property
    def question(self) -> Question:
        return Question(self.key, self.record.kind, self.embedding, self.negative)


def _dataset_item(dataset: Dataset, location: Location, row: ItemRow) -> DatasetItem:
    digest = dataset.index.manifest.model.digest
    path = Path(dataset.media(row))
    return DatasetItem(row.id, row.subset, row.labels, dataset.name, path, dataset.index.key(location), digest)


def _checked_topk(topk: int) -> int:
    try:
        number = 0 if isinstance(topk, bool) else operator.index(topk)
    except TypeError:
        number = 0
    if number < 1:
        raise QueryError(f"topk is {topk!r}, and must be a whole number of at least 1.")
    return number
