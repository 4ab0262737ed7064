"""Describing a dataset and its index."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipdex.datasets.comparing import Change, compare
from clipdex.datasets.dataset import Dataset, as_indexed, open_alone
from clipdex.datasets.failures import Failure, needing_extra, read_listed
from clipdex.datasets.opening import open_dataset
from clipdex.datasets.parts import contains, is_item_below
from clipdex.datasets.provenance import model_of
from clipdex.errors import DatasetError, ExtraMissing, ModelError
from clipdex.readers import UnreadableItem
from clipdex.readers.base import ANNOTATION, DAMAGED, Unchanged
from clipdex.readers.folder import FolderReader
from clipdex.readers.ordering import in_item_order
from clipdex.readers.sources import Source, Target, locate, open_reader


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """A dataset and its index.

    Attributes
    ----------
    root, index
        The dataset, and its index folder.
    part
        The part of the dataset that is described, as ``DatasetRecord.part`` has it; empty for all of it. Number, names
        and freshness of items are those of the part, and all else is of the whole index.
    format
        Format of the dataset.
    items, subsets, labels
        Number of items, of all and of each subset and label.
    complete
        Whether the last build came to its end. After one that was stopped, some items may be missing.
    segments, bytes
        Number of segments, and their size on disk.
    model, digest, bits, precision, model_kind, model_not_good_at, model_languages
        Model that hashed it. Kind, ``model_not_good_at`` and languages are empty where that model is not found any
        more. The languages are codes, and also empty where they are not known.
    writer
        Program that wrote the index last.
    failed, damaged
        Reasons of the failed files of the last build, by id, and of those that are in the index as far as they go. An
        id that failed before, such as one of another subset, has a number after it. Of a part, those whose id is a
        path in it.
    passed_over
        What the last build passed over, as ``BuildReport.passed_over`` has it.
    annotation_problems, annotations, remarks
        As in ``BuildReport``: the number of annotations that the last build could not read, the first of them as
        sentences, and what else it found.
    new, changed, gone
        Number of images that differ from the index now.
    not_compared
        Why the dataset could not be compared with its index; empty where it was.
    """

    root: Path
    index: Path
    format: str
    items: int
    subsets: dict[str, int]
    labels: dict[str, int]
    complete: bool
    segments: int
    bytes: int
    model: str
    digest: str
    bits: int
    precision: str
    model_kind: str
    model_not_good_at: str
    model_languages: tuple[str, ...]
    writer: str
    failed: dict[str, str]
    damaged: dict[str, str]
    passed_over: dict[str, int]
    annotation_problems: int
    annotations: list[str]
    remarks: list[str]
    new: int
    changed: int
    gone: int
    not_compared: str
    part: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the description as plain values, for JSON."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def describe(target: Target, *, index: str | os.PathLike[str] | None = None) -> DatasetInfo:
    """Describe a dataset that has an index, and compare the index with the files of now.

    Raises
    ------
    DatasetNotFound, DatasetNotIndexed, IndexFailure
        When there is no dataset or no index, or the index cannot be read.
    """
    source = locate(target)
    dataset = open_dataset(source, index)
    return _describe(source if not dataset.part else Source(dataset.root), dataset)


def describe_alone(index: str | os.PathLike[str]) -> DatasetInfo:
    """Describe an index by itself, such as one that was copied away from its images.

    Raises
    ------
    IndexFailure
        When there is no index, or it cannot be read.
    """
    alone = open_alone(index)
    return _describe(Source(alone.root), alone)


def _describe(source: Source, dataset: Dataset) -> DatasetInfo:
    root = source.location
    with dataset.index as opened:
        listed = read_listed(opened.folder)
        # The id of what failed may be that of a folder, or no path at all.
        items = [one for one in listed.failures if any(contains(dataset.part, one.id + end) for end in ("", "/"))]
        not_indexed = [failure for failure in items if failure.kind not in (DAMAGED, ANNOTATION)]
        try:
            if dataset.lost:
                raise DatasetError("the index does not say where its images are, and is not beside them.")
            changes = _changes(source, dataset, not_indexed)
            not_compared = ""
        except (DatasetError, ExtraMissing) as error:
            changes, not_compared = Counter(), error.message
        counts = opened.counts(dataset.selected)
        stamp = opened.manifest.model
        try:
            model = model_of(opened, root)
        except ModelError:
            model = None
        known = model if model is not None and model.digest == stamp.digest else None
        return DatasetInfo(
            root=root,
            index=opened.folder,
            format=opened.manifest.source_format,
            items=len(dataset),
            subsets=counts.subsets,
            labels=counts.labels,
            complete=opened.manifest.complete,
            segments=len(opened.segments),
            bytes=opened.size_on_disk(),
            model=stamp.name,
            digest=stamp.digest,
            bits=stamp.bits,
            precision=stamp.precision,
            model_kind=known.kind if known is not None else "",
            model_not_good_at=known.not_good_at if known is not None else "",
            model_languages=known.languages if known is not None else (),
            writer=opened.manifest.writer,
            failed=_reasons(failure for failure in items if failure.failed),
            damaged=_reasons(failure for failure in items if failure.kind == DAMAGED),
            passed_over=dict(Counter(listed.passed_over) + needing_extra(listed.failures)),
            annotation_problems=listed.annotation_problems,
            annotations=[f"{failure.id}: {failure.reason}" for failure in listed.of_kind(ANNOTATION)],
            remarks=list(listed.remarks),
            new=changes[Change.NEW],
            changed=changes[Change.CHANGED],
            gone=changes[Change.GONE],
            not_compared=not_compared,
            part=dataset.part,
        )


def _changes(source: Source, dataset: Dataset, failures: Sequence[Failure]) -> Counter[Change]:
    """Count how the items of a dataset differ from its index. Failed files that did not change do not count."""
    as_they_were = {(failure.id, failure.size, failure.mtime_ns) for failure in failures}
    reader = open_reader(as_indexed(source, dataset.index.manifest))
    if isinstance(reader, FolderReader):
        reader.only = dataset.part
    is_there = is_item_below(dataset.root, dataset.part) if dataset.part else None
    changes: Counter[Change] = Counter()
    for difference in compare(in_item_order(reader), dataset.items()):
        item = difference.item
        if isinstance(item, (UnreadableItem, Unchanged)):
            continue
        # Of a dataset that is read as a whole, the items elsewhere seem to be new.
        if is_there is not None and difference.known is None and item is not None and not is_there(item):
            continue
        if item is None or (item.id, item.size, item.mtime_ns) not in as_they_were:
            changes[difference.change] += 1
    return changes


def _reasons(failures: Iterable[Failure]) -> dict[str, str]:
    """Return the reasons of failures by id."""
    seen: Counter[str] = Counter()
    reasons = {}
    for failure in failures:
        seen[failure.id] += 1
        number = f" ({seen[failure.id]})" if seen[failure.id] > 1 else ""
        reasons[failure.id + number] = failure.reason
    return reasons
