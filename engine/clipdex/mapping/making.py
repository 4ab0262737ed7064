"""Making the map of datasets, or taking the one that is kept.

The map of one dataset is kept beside its index. That of several is another one, with landmarks of all of them; it is
kept beside the index whose folder sorts first, the last one that was made. Of a part of a dataset, the map is that of
the whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from stat import S_ISREG

import numpy as np

from clipdex.datasets.dataset import Dataset
from clipdex.errors import ExtraMissing, IndexWriteFailed
from clipdex.mapping.dataset_map import DatasetMap, MappedDataset
from clipdex.mapping.keeping import ONE, SEVERAL, Kept, Stamp, Unusable, name_of, read_map, write_map
from clipdex.mapping.landmarks import Drawn, blocks_of, draw
from clipdex.mapping.layout import by_components, by_tsne, tsne_package
from clipdex.mapping.placing import PCA, TSNE, Floats, Landmarks, Layout, place_all
from clipdex_indexes.arrays import Keys
from clipdex_indexes.storage.segment import Segment

Progress = Callable[[str, int, int], None]

# A layout whose landmarks were drawn from less than this share of the items says little of the others.
_FEW = 0.5


def map_of(datasets: Sequence[Dataset], *, renew: bool = False, progress: Progress | None = None) -> DatasetMap:
    """Return the map of open datasets: the kept one where there is one, with new items placed on it.

    Memory is 8 bytes an item, and at most about 200 MB more while landmarks are laid out.

    Parameters
    ----------
    datasets
        The datasets, of one model.
    renew
        Draw and lay out landmarks anew: old items move.
    progress
        Called with what is counted, how much is done, and of how much.
    """
    return _Making(datasets, progress or _no_progress).result(renew=renew)


def kept_map_of(datasets: Sequence[Dataset]) -> DatasetMap | None:
    """Return the kept map of open datasets, with new items placed on it; None where none is kept that can be used."""
    return _Making(datasets, _no_progress).kept_result()


def kept_version(datasets: Sequence[Dataset]) -> tuple[int, ...] | None:
    """Return what changes whenever the kept map of open datasets does; None where none is kept."""
    return _Making(datasets, _no_progress).kept_version


def _no_progress(what: str, done: int, total: int) -> None:
    pass


class _Making:
    def __init__(self, datasets: Sequence[Dataset], progress: Progress) -> None:
        self._datasets = datasets
        self._progress = progress
        self._notes: list[str] = []
        folders = [os.path.realpath(dataset.index.folder) for dataset in datasets]
        self._names = folders if len(set(folders)) > 1 else [""] * len(folders)
        first = datasets[folders.index(min(folders))].index.folder
        self._path: Path = first / (SEVERAL if len(set(folders)) > 1 else ONE)
        model = datasets[0].index.manifest.model
        self._stamp = Stamp(model.digest, model.bits, tuple(sorted(set(folders))) if any(self._names) else ())
        self._segments: dict[str, Segment] = {
            segment.stamp.name: segment for dataset in datasets for segment in dataset.index.segments
        }
        self._items = sum({dataset.index.folder: len(dataset.index) for dataset in datasets}.values())

    @property
    def kept_version(self) -> tuple[int, ...] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return (status.st_ino, status.st_size, status.st_mtime_ns) if S_ISREG(status.st_mode) else None

    def result(self, *, renew: bool) -> DatasetMap:
        if not self._items:
            return self._empty()
        kept = None if renew else self._kept()
        if kept is None:
            package = None
            try:
                package = tsne_package()
            except ExtraMissing as error:
                self._notes.append(f"The map shows principal components, which separate groups poorly. {error.message}")
            landmarks = self._landmarks()
            layout: Layout
            if package is None:
                layout = by_components(landmarks)
            else:
                layout = by_tsne(landmarks, package, lambda done, of: self._progress("steps of the layout", done, of))
            kept = Kept(layout, self._items, {}, {})
        elif self._items and kept.made_from < _FEW * self._items:
            self._notes.append(
                f"The landmarks of the map were drawn from {kept.made_from:,} images, and there are {self._items:,} "
                "now: a new layout (--renew) shows more of what came since, and moves what was there."
            )
        return self._whole(kept)

    def kept_result(self) -> DatasetMap | None:
        if not self._items:
            return self._empty()
        try:
            kept = read_map(self._path, self._stamp, self._rows())
        except Unusable:
            return None
        return None if kept is None else self._whole(kept)

    def _empty(self) -> DatasetMap:
        rows = {name: np.empty((count, 2), np.float32) for name, count in self._rows().items()}
        return DatasetMap(tuple(self._mapped(dataset, rows) for dataset in self._datasets), TSNE, 0)

    def _rows(self) -> dict[str, int]:
        return {name: len(segment.keys) for name, segment in self._segments.items()}

    def _whole(self, kept: Kept) -> DatasetMap:
        whole = self._placed(kept)
        if whole is not kept:
            self._keep(whole)
        count = len(whole.layout.keys) if isinstance(whole.layout, Landmarks) else 0
        mapped = tuple(self._mapped(dataset, whole.placed) for dataset in self._datasets)
        return DatasetMap(mapped, whole.layout.method, count, tuple(self._notes), name_of(whole.layout))

    def _kept(self) -> Kept | None:
        try:
            kept = read_map(self._path, self._stamp, self._rows())
        except Unusable as why:
            self._notes.append(f"The kept map {self._path} is not used: {why}. The map is made anew.")
            return None
        if kept is not None and kept.layout.method == PCA:
            try:
                tsne_package()
            except ExtraMissing as error:
                self._notes.append(f"The map shows principal components, which separate groups poorly. {error.message}")
            else:
                self._notes.append("The kept map was made without openTSNE. The map is made anew.")
                return None
        return kept

    def _landmarks(self) -> Keys:
        drawn: dict[Path, Drawn] = {}
        total, done = max(sum(len(segment.keys) for segment in self._segments.values()), 1), 0
        for dataset in self._datasets:
            if dataset.index.folder in drawn:
                continue
            one = drawn[dataset.index.folder] = Drawn(self._stamp.bits // 8)
            for segment in dataset.index.segments:
                for block in blocks_of(segment.keys, segment.live):
                    one.add(block)
                done += len(segment.keys)
                self._progress("percent of the landmarks drawn", 100 * done // total, 100)
        return draw(list(drawn.values()))

    def _placed(self, kept: Kept) -> Kept:
        """Return the map with all segments of the indexes; the same object where it has them already."""
        generations = {
            name: dataset.index.manifest.generation for name, dataset in zip(self._names, self._datasets, strict=True)
        }
        missing = [name for name in self._segments if name not in kept.placed]
        if not missing and kept.generations == generations:
            return kept
        total, done = max(sum(len(self._segments[name].keys) for name in missing), 1), 0

        def report(more: int) -> None:
            nonlocal done
            done += more
            self._progress("percent of the images placed", 100 * done // total, 100)

        placed: dict[str, Floats] = dict(kept.placed)
        for name in missing:
            placed[name] = place_all(kept.layout, self._segments[name].keys, report)
        return replace(kept, generations=generations, placed=placed)

    def _keep(self, kept: Kept) -> None:
        try:
            write_map(self._path, self._stamp, kept)
        except IndexWriteFailed as error:
            self._notes.append(f"The map could not be kept, and will be made again: {error.message}")

    def _mapped(self, dataset: Dataset, placed: Mapping[str, Floats]) -> MappedDataset:
        parts: list[Floats] = []
        for segment, live in zip(dataset.index.segments, dataset.live, strict=True):
            coordinates = placed[segment.stamp.name]
            if live is not None:
                coordinates = np.where(live[:, None], coordinates, np.float32(np.nan))
            parts.append(coordinates)
        starts = np.cumsum([0, *map(len, parts)])[: len(parts)]
        coordinates = np.concatenate([np.empty((0, 2), np.float32), *parts])
        return MappedDataset(
            dataset.name, dataset.index.manifest.generation, coordinates, tuple(int(start) for start in starts)
        )
