"""Reading a dataset with Datumaro: its items with subsets, labels and images."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from clipdex.media.locators import MEMBER
from clipdex.readers.base import MISSING, NO_IMAGE, NO_OPTIONS, Reader, ReadItem, UnreadableItem
from clipdex.readers.datumaro.layouts import evidence, importer_for
from clipdex.readers.datumaro.library import Reports, datumaro_errors, module, open_dataset
from clipdex.readers.datumaro.media import content_hash, media_of
from clipdex.readers.datumaro.quiet import quiet
from clipdex.readers.left_out import ItemFiles
from clipdex.readers.masks import is_usually_mask
from clipdex.readers.mounts import may_be_there
from clipdex.readers.naming import shown
from clipdex.wording import with_article

# Items taken from Datumaro at once: between them, others may log and warn.
_BATCH = 256


class DatumaroReader(Reader):
    """One dataset in one of Datumaro's formats; a class of its own for each format.

    Item id and subset are those of Datumaro; the id is mostly the name of the image without its extension. Labels are
    the categories of all annotations, each once, sorted; in a dataset without categories, the captions. An image with a
    file of its own is read from it; others are taken out of the dataset when needed. What Datumaro warns of, and the
    annotations that it cannot read, are among the problems. Images in the folder that Datumaro leaves out are counted.

    Parameters
    ----------
    location
        What Datumaro is to import.
    options
        Of Datumaro's importer, as its command line takes them.

    Attributes
    ----------
    importer
        Name of that importer.
    """

    importer: ClassVar[str]
    in_order = False

    @classmethod
    def require_options(cls, names: Iterable[str]) -> None:
        """Take any: the importer of Datumaro refuses those that it does not know."""

    def __init__(self, location: Path, options: Mapping[str, str] = NO_OPTIONS) -> None:
        # Only the importer of Datumaro knows the options, and it is not imported before something is read.
        super().__init__(location)
        self.options = dict(options)

    @classmethod
    def detect(cls, location: Path) -> str | None:
        """Look for the files that are typical of the format; Datumaro is not imported for that."""
        return evidence(location).get(cls.importer)

    def read(self) -> Iterator[ReadItem | UnreadableItem]:
        """Yield the items in the order of Datumaro, in bounded memory where its importer can stream."""
        self.forget_findings()
        files = ItemFiles(self.root)
        reports = Reports(self.root, self.annotation_problems)
        name = importer_for(self.importer, self.location)
        dataset = open_dataset(name, self.location, self.options, stream=True, reports=reports)
        kinds = module("components.media", f"Reading the format {name}")
        items = dataset.items()
        while True:
            with quiet(reports.said), datumaro_errors(name, self.location):
                batch = [self._read(item, kinds, names) for item, names in itertools.islice(items, _BATCH)]
            yield from reports.failed
            reports.failed.clear()
            yield from batch
            for item in batch:
                if isinstance(item, ReadItem) and not item.media.startswith(MEMBER):
                    files.add(item.media or item.id)
            if len(batch) < _BATCH:
                break
        if len(files) and self.location.is_dir():
            self.remarks += [remark] if (remark := files.remark(is_usually_mask, self.passed_over)) else []

    def _read(self, item: Any, kinds: Any, names: list[str]) -> ReadItem | UnreadableItem:  # noqa: ANN401
        media, item_id, subset = item.media, str(item.id), str(item.subset)
        if media is None:
            return UnreadableItem(item_id, f"there is no image for it (subset {subset})", MISSING)
        if not isinstance(media, kinds.Image) or isinstance(media, kinds.VideoFrame):
            return UnreadableItem(item_id, f"it is no image, but {_kind(media)}", NO_IMAGE)
        labels = self._labels(item, names)
        if isinstance(media, kinds.ImageFromFile):
            return self._from_file(item_id, subset, labels, media.path)
        size, content = content_hash(media)
        if not size:
            return UnreadableItem(item_id, f"there is no image for it (subset {subset})", MISSING)
        where = media_of(importer_for(self.importer, self.location), self.options, subset, item_id)
        return ReadItem(item_id, subset, labels, size, 0, where, content)

    def _from_file(self, item_id: str, subset: str, labels: tuple[str, ...], path: str) -> ReadItem | UnreadableItem:
        path = os.path.normpath(os.path.join(self.root, path))  # noqa: PTH118 - for each item
        try:
            status = os.stat(path)  # noqa: PTH116 - for each item
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a path"
            unseen = may_be_there(path, error)
            return UnreadableItem(item_id, f"its image {path} is not there ({reason})", MISSING, unseen)
        return ReadItem(item_id, subset, labels, status.st_size, status.st_mtime_ns, self._relative(path, item_id))

    def _labels(self, item: Any, names: list[str]) -> tuple[str, ...]:  # noqa: ANN401
        """Return the names of the categories of annotations by name, each once; without categories, the captions.

        The order of Datumaro may be that of a set, which is another one in each process.
        """
        found = set()
        for annotation in item.annotations:
            if not names and getattr(annotation, "caption", None):
                found.add(str(annotation.caption))
            number = getattr(annotation, "label", None)
            if number is None:
                continue
            if 0 <= int(number) < len(names):
                found.add(names[int(number)])
            else:
                self.annotation_problems.add(shown(str(item.id)), f"label {number} of an annotation has no name")
        return tuple(sorted(found - {""}))

    def _relative(self, path: str, item_id: str) -> str:
        root = os.fspath(self.root).rstrip(os.sep) + os.sep
        if not path.startswith(root):
            return path
        relative = path[len(root) :].replace(os.sep, "/")
        if relative == item_id:
            return ""
        return path if relative.startswith("!/") else relative


def _kind(media: Any) -> str:  # noqa: ANN401
    """Return what kind of media it is, such as ``a point cloud``."""
    name = getattr(getattr(media, "type", None), "name", type(media).__name__).replace("_", " ").lower()
    return with_article(name)
