"""From a query to the hash key that is searched for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clipdex.datasets.dataset import Dataset
from clipdex.errors import ImageError, ModelMismatch, QueryError, QueryImageError
from clipdex.paths import expanded, is_file, is_folder, quoted
from clipdex.search.finding import FoundItem, find_items
from clipdex.search.merging import ItemKey
from clipdex.search.queries import DatasetItem, ImageQuery, ItemQuery, Query, TextQuery
from clipdex.search.ranking import Question
from clipdex.search.result import QueryRecord
from clipdex.search.warning import warnings_of

if TYPE_CHECKING:
    from PIL import Image

    from clipdex.encoder.encoder import Encoder
    from clipdex.media.decoding import Decoded

Keys = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Asked:
    """A resolved query: its record and hash key; its embedding, item or image in memory, where it has one; warnings."""

    record: QueryRecord
    key: Keys
    embedding: npt.NDArray[np.float32] | None = None
    item: ItemKey | None = None
    image: Image.Image | None = None
    negative: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def question(self) -> Question:
        """What is searched for."""
        return Question(self.key, self.record.kind, self.embedding, self.negative)


def by_id(query: Query | DatasetItem, answers: Sequence[Asked]) -> Query | DatasetItem:
    """Return an item query that names the path of a file as one that names the id and the dataset of the item."""
    if isinstance(query, ItemQuery) and query.dataset is None and len(answers) == 1:
        [record] = [answer.record for answer in answers]
        path = expanded(query.id).absolute().resolve()
        if record.value != query.id and Path(record.path).resolve() == path:
            return ItemQuery(record.value, query.subsets, record.dataset)
    return query


def tower_of(query: Query | DatasetItem) -> str | None:
    """Return the tower that encodes a query, ``text`` or ``image``; None for an item, or a file that is not there."""
    if isinstance(query, TextQuery):
        return "text"
    if isinstance(query, ImageQuery) and (not isinstance(query.image, Path) or is_file(expanded(query.image))):
        return "image"
    return None


def require_no_folder(image: Path) -> None:
    """Refuse a folder in the place of a query image.

    Raises
    ------
    QueryImageError
        When it is one.
    """
    if is_folder(expanded(image)):
        raise QueryImageError(
            f"the query image {str(image)!r} cannot be used: it is a folder. Give an image file; a folder to search "
            f"goes in front of the options: clipdex query {quoted(image)} --image FILE"
        )


class Resolver:
    """Turns queries into hash keys.

    Parameters
    ----------
    datasets
        What is searched; items are found there.
    encoder
        Called when a text or an image has to be encoded; loads the model the first time.
    max_pixels
        Query images of more pixels are refused.
    """

    def __init__(self, datasets: Sequence[Dataset], encoder: Callable[[], Encoder], max_pixels: int) -> None:
        self._datasets = datasets
        self._encoder = encoder
        self._max_pixels = max_pixels

    def resolve(self, query: Query | DatasetItem, number: int) -> list[Asked]:
        """Turn one query into what is searched for: an id may be that of items in several subsets."""
        if isinstance(query, DatasetItem):
            return [self._resolve_own_item(query)]
        if isinstance(query, TextQuery):
            return [self._resolve_text(query)]
        if isinstance(query, ImageQuery):
            return [self._resolve_image(query, number)]
        return [self._resolve_item(found) for found in find_items(self._datasets, query)]

    def _resolve_text(self, query: TextQuery) -> Asked:
        encoder = self._encoder()
        encoded = encoder.text_key(query.text, query.prompting)
        record = QueryRecord(
            "text",
            query.text,
            encoded=encoded.encoded,
            ensemble=encoded.ensemble,
            truncated=encoded.truncated,
            unread=encoded.unread.words,
        )
        return Asked(record, encoded.key, encoded.embedding, warnings=warnings_of(query.text, encoded, encoder.model))

    def _resolve_item(self, found: FoundItem) -> Asked:
        dataset, row = self._datasets[found.dataset], found.row
        record = QueryRecord("item", row.id, path=dataset.media(row), dataset=dataset.name, subset=row.subset)
        key = dataset.index.key(found.location)
        return Asked(record, key, item=ItemKey(found.dataset, row.id, row.subset))

    def _resolve_own_item(self, item: DatasetItem) -> Asked:
        """Ask with the hash key of an item, which may be of a dataset that is not searched here."""
        stamp = self._datasets[0].index.manifest.model
        if item.model_digest != stamp.digest:
            raise ModelMismatch(
                f"the item {item.id!r} was hashed by another model ({item.model_digest[:12]}) than "
                f"{self._datasets[0].root} ({stamp.name!r}, {stamp.digest[:12]}): their hash keys cannot be compared."
            )
        if 8 * len(item.hash_key) != stamp.bits:
            raise QueryError(
                f"the hash key of the item {item.id!r} has {8 * len(item.hash_key)} bits, not {stamp.bits}."
            )
        record = QueryRecord("item", item.id, path=str(item.path), dataset=item.dataset, subset=item.subset)
        here = [
            ItemKey(number, row.id, row.subset)
            for number, dataset in enumerate(self._datasets)
            for _, row in dataset.index.find(item.id)
            if (row.id, row.subset, dataset.media(row)) == (item.id, item.subset, str(item.path))
        ]
        return Asked(record, item.hash_key, item=here[0] if here else None)

    def _resolve_image(self, query: ImageQuery, number: int) -> Asked:
        import io

        from clipdex.encoder.images import decode_to_hash  # late: only an image needs Pillow
        from clipdex.media.decoding import Decoded, from_memory

        settings = self._encoder().model.image
        if not isinstance(query.image, Path):
            name = query.name or f"image {number + 1}"
            shown = f"the query image {name!r}" if query.name else f"query {name}"
            try:
                decoded = (
                    decode_to_hash(io.BytesIO(query.image), settings, self._max_pixels)
                    if isinstance(query.image, bytes)
                    else Decoded(from_memory(query.image, settings.background, max_pixels=self._max_pixels))
                )
            except ImageError as error:
                raise QueryImageError(f"{shown} cannot be used: {error}.") from error
            return self._asked_image(QueryRecord("image", name), decoded, keep=True)
        require_no_folder(query.image)
        try:
            decoded = decode_to_hash(expanded(query.image), settings, self._max_pixels)
        except ImageError as error:
            raise QueryImageError(f"the query image {str(query.image)!r} cannot be used: {error}.") from error
        record = QueryRecord("image", str(query.image), path=str(expanded(query.image).absolute()))
        return self._asked_image(record, decoded)

    def _asked_image(self, record: QueryRecord, decoded: Decoded, *, keep: bool = False) -> Asked:
        from clipdex.encoder.encoder import hash_key

        encoder = self._encoder()
        embedding = encoder.image_embedding(decoded.image, decoded.beyond)
        centre = encoder.image_centre
        return Asked(record, hash_key(embedding, centre), embedding - centre, image=decoded.image if keep else None)
