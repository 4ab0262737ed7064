"""The explorer: opens datasets, turns queries into hash keys, searches, merges."""

from __future__ import annotations

import operator
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
from PIL import Image

from clipdex.dataset import Dataset, open_datasets
from clipdex.defaults import MAX_PIXELS, TOPK
from clipdex.encoder import AUTO, CPU, Encoder, Model, find_model, load_image, nearest_precision
from clipdex.encoder.images import from_memory
from clipdex.errors import ImageError, ModelMismatch, QueryError, QueryImageError
from clipdex.filtering import checked_distance, selections_of
from clipdex.finding import FoundItem, find_item, find_items
from clipdex.merging import ItemKey, merge, rule_for
from clipdex.paths import expanded
from clipdex.provenance import model_of
from clipdex.queries import ImageQuery, ItemQuery, Query, QueryLike, TextQuery, as_queries
from clipdex.result import DatasetRecord, Hit, QueryRecord, Result
from clipdex.sources import Target, locate
from clipdex_indexes import ItemFilter, ItemRow, Location, search
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
        Index folder, where it is not ``.clipdex`` in the one target.
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
        if not targets:
            raise QueryError("there is no dataset to search: name at least one folder.")
        if index is not None and len(targets) > 1:
            raise QueryError("one index folder cannot hold several datasets: name one dataset with it.")
        self.topk = _checked_topk(topk)
        self._device = device
        self._precision = precision
        self._max_pixels = max_pixels
        self._closed = False
        self._model: Model | None = None
        self._loading = threading.Lock()
        self._loaded: Encoder | None = None
        if build:
            from clipdex.building import build as build_index

            for target in targets:
                build_index(target, index=index, model=model, device=device, precision=precision, max_pixels=max_pixels)
        self.datasets: list[Dataset] = open_datasets([locate(target) for target in targets], index)
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

    def _require_open(self) -> None:
        if self._closed:
            raise QueryError("this Explorer is closed: open another one, or ask inside its with block.")

    def explore_topk(
        self,
        query: QueryLike,
        topk: int | None = None,
        *,
        exclude_self: bool = False,
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
        filter
            What may be found; the hits are the nearest of that.
        max_distance
            Leave out what is farther than so many bits from the query that it matches best.

        Returns
        -------
        Result
            Hits, best first: by distance, then order of the datasets, then item order. A list gives each item once, at
            its best distance; a list of texts and images is merged by rank (see ``clipdex.merging``).

        Raises
        ------
        QueryError
            When the query cannot be answered: an empty text, an unreadable image, an unknown or ambiguous item, a topk
            below 1, a filter by a name that there is not.
        ModelError
            When the model of the index cannot be used.
        """
        self._require_open()
        k = _checked_topk(self.topk if topk is None else topk)
        farthest = checked_distance(max_distance)
        selections = selections_of(self.datasets, filter)
        asked = [one for number, given in enumerate(as_queries(query)) for one in self._resolve(given, number)]
        excluded = {one.item for one in asked if one.item is not None} if exclude_self else set()
        keys = np.stack([one.key for one in asked])
        found = search([dataset.index for dataset in self.datasets], keys, k + len(excluded), selections)
        rows = self._rows({(one.index, one.location) for answer in found for one in answer})
        answers = []
        for answer in found:
            items = []
            for one in answer:
                row = rows[one.index, one.location]
                item = ItemKey(one.index, row.id, row.subset)
                if item not in excluded and (farthest is None or one.distance <= farthest):
                    items.append((item, one.distance))
            answers.append(items[:k])
        by_item = {ItemKey(index, row.id, row.subset): row for (index, _), row in rows.items()}
        rule = rule_for([one.record.kind for one in asked])
        hits = []
        for rank, merged in enumerate(merge(answers, rule, k), start=1):
            dataset, row = self.datasets[merged.item.dataset], by_item[merged.item]
            path = dataset.media(row)
            hits.append(
                Hit(
                    rank,
                    merged.distance,
                    merged.query,
                    merged.place,
                    dataset.name,
                    row.id,
                    row.subset,
                    path,
                    row.labels,
                )
            )
        return Result(
            topk=k,
            merge=rule,
            queries=tuple(one.record for one in asked),
            datasets=tuple(self._record(dataset) for dataset in self.datasets),
            hits=tuple(hits),
            images={number: one.image for number, one in enumerate(asked) if one.image is not None},
            filter=describe(filter) if filter else {},
            max_distance=farthest,
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
        found = self.datasets[number]
        digest = found.index.manifest.model.digest
        path = Path(found.media(row))
        return DatasetItem(row.id, row.subset, row.labels, found.name, path, found.index.key(location), digest)

    def _rows(self, places: set[tuple[int, Location]]) -> dict[tuple[int, Location], ItemRow]:
        rows = {}
        for number, dataset in enumerate(self.datasets):
            here = [location for index, location in places if index == number]
            for location, row in zip(here, dataset.index.rows(here), strict=True):
                rows[number, location] = row
        return rows

    def _resolve(self, query: Query | DatasetItem, number: int) -> list[_Asked]:
        """Turn one query into what is searched for: an id may be that of items in several subsets."""
        if isinstance(query, DatasetItem):
            return [self._resolve_own_item(query)]
        if isinstance(query, TextQuery):
            encoded = self._encoder.text_key(query.text, query.prompting)
            record = QueryRecord(
                "text", query.text, encoded=encoded.encoded, ensemble=encoded.ensemble, truncated=encoded.truncated
            )
            return [_Asked(record, encoded.key)]
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
            return _Asked(QueryRecord("image", f"image {number + 1}"), self._encoder.image_key(image), image=image)
        try:
            image = load_image(expanded(query.image), settings.background, max_pixels=self._max_pixels)
        except ImageError as error:
            raise QueryImageError(f"the query image {str(query.image)!r} cannot be used: {error}.") from error
        record = QueryRecord("image", str(query.image), path=str(expanded(query.image).absolute()))
        return _Asked(record, self._encoder.image_key(image))

    def _record(self, dataset: Dataset) -> DatasetRecord:
        stamp = dataset.index.manifest.model
        return DatasetRecord(dataset.name, str(dataset.root), len(dataset.index), stamp.name, stamp.digest, stamp.bits)

    def _check_models(self, model: str | None) -> None:
        first = self.datasets[0]
        stamp = first.index.manifest.model
        for other in self.datasets[1:]:
            theirs = other.index.manifest.model
            if (theirs.digest, theirs.bits) != (stamp.digest, stamp.bits):
                raise ModelMismatch(
                    f"{first.root} was hashed by model {stamp.name!r} ({stamp.digest[:12]}) and {other.root} by "
                    f"{theirs.name!r} ({theirs.digest[:12]}): their hash keys cannot be compared. Build one of them "
                    "again with the model of the other: clipdex build --rebuild --model MODEL TARGET"
                )
        if model is not None:
            self._model = find_model(model)
        if self._model is not None and self._model.digest != stamp.digest:
            raise ModelMismatch(
                f"{first.root} was hashed by model {stamp.name!r} ({stamp.digest[:12]}), and not by {model!r}. "
                f"Leave out --model, or hash it again: clipdex build --rebuild --model {model} {first.root}"
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
                f"again: clipdex build --rebuild {self.datasets[0].root}"
            )
        precision = self._precision
        if precision == AUTO:
            precision = nearest_precision(stamp.precision, self._device)
        return Encoder(model, device=self._device, precision=precision)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query that was resolved: its record, hash key, and the item or image in memory that it is."""

    record: QueryRecord
    key: Keys
    item: ItemKey | None = None
    image: Image.Image | None = None


def _checked_topk(topk: int) -> int:
    try:
        number = 0 if isinstance(topk, bool) else operator.index(topk)
    except TypeError:
        number = 0
    if number < 1:
        raise QueryError(f"topk is {topk!r}, and must be a whole number of at least 1.")
    return number
