"""Reading Pascal VOC: an XML file for each image, and lists of the images of each subset."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from clipdex.errors import DatasetError, DatasetNotFound
from clipdex.readers.annotated.voc_catalogue import Catalogue, Described, loosely
from clipdex.readers.annotated.voc_detection import evidence
from clipdex.readers.annotated.voc_files import DatasetFolder
from clipdex.readers.annotated.voc_folders import ANNOTATION_FOLDERS, LIST_FOLDER, Places, below_images
from clipdex.readers.annotated.voc_lists import ListReading, image_lists
from clipdex.readers.annotated.voc_matching import Matching
from clipdex.readers.annotated.voc_pairs import Paired
from clipdex.readers.annotated.voc_xml import Annotation, read_annotation, read_labels
from clipdex.readers.base import AWAY, NO_OPTIONS, Reader, ReadItem, UnreadableItem
from clipdex.readers.files import media_of
from clipdex.readers.masks import is_usually_mask
from clipdex.wording import counted

UNLISTED = "unlisted"
_YES_OR_NO = {"yes": True, "no": False}


class VocReader(Reader):
    """The images of a dataset of Pascal VOC, or of several below one folder.

    Every image that has a file of annotations or is in a list is an item. Its id is its path below its folder of
    images, and its labels are the names of its objects; without a file of annotations, the classes whose lists have it.
    Its subset is that of the lists, otherwise that of the folders, otherwise ``default``.

    Parameters
    ----------
    location
        The folder.
    options
        ``unlisted``: whether images without annotations that are in no list, and are no masks, are items, too.

    Raises
    ------
    DatasetNotFound
        When it is no folder.
    DatasetError
        When there is no such option, or it is neither yes nor no.
    """

    format = "voc"
    about = "Pascal VOC: an XML file for each image, beside it or in Annotations"
    option_names: ClassVar[Mapping[str, str]] = {
        UNLISTED: "yes: also the images that have no XML file and are in no list, but no masks (default: no)"
    }
    in_order = True

    def __init__(self, location: Path, options: Mapping[str, str] = NO_OPTIONS) -> None:
        super().__init__(location, options)
        if not location.is_dir():
            what = "is a file, and not a folder of Pascal VOC" if location.exists() else "does not exist"
            raise DatasetNotFound(f"{location} {what}.")
        wanted = self.options.get(UNLISTED, "no").lower()
        if wanted not in _YES_OR_NO:
            raise DatasetError(f"the option {UNLISTED} of the format {self.format} is yes or no, and not {wanted!r}.")
        self._unlisted = _YES_OR_NO[wanted]

    @classmethod
    def detect(cls, location: Path) -> str | None:
        """Look for the typical folders, and for XML files of Pascal VOC."""
        return evidence(location)

    def read(self) -> Iterator[ReadItem | UnreadableItem]:
        """Yield what cannot be read, then the items in item order, in bounded memory."""
        self.forget_findings()
        with contextlib.closing(Catalogue()) as catalogue:
            yield from _Reading(self, catalogue, unlisted=self._unlisted).items()


class _Reading:
    """One reading of a dataset."""

    def __init__(self, reader: VocReader, catalogue: Catalogue, *, unlisted: bool) -> None:
        self._reader = reader
        self._root = reader.root
        self._prefix = os.path.join(reader.root, "")  # noqa: PTH118 - a text, for each item
        self._problems = reader.annotation_problems
        self._catalogue = catalogue
        self._places = Places()
        self._unlisted = unlisted
        # Paths of files that may be lists, and of the folders that hold annotations.
        self._lists: list[str] = []
        self._annotated: set[str] = set()
        # Folders of annotations and lists that cannot be read.
        self._hidden = 0
        # Whether images have the same name but for their extensions.
        self._has_twins = False
        self._place = self._places.of("")

    def items(self) -> Iterator[ReadItem | UnreadableItem]:
        yield from self._walk()
        self._catalogue.settle()
        lists = image_lists(self._root, self._lists, self._annotated)
        ListReading(self._root, self._places, self._catalogue, self._problems).read(lists)
        matching = Matching(self._root, self._places, self._catalogue, self._problems)
        yield from matching.annotations()
        yield from matching.lines({one.path for one in lists if one.sure})
        self._remark_several(self._catalogue.take_subsets())
        if self._hidden:
            self._catalogue.take_all()
        elif self._unlisted:
            self._catalogue.take_all(self._is_mask)
        self._catalogue.separate_ids(self._places.paths())
        count = 0
        self._has_twins = self._catalogue.has_twins()
        paired = self._catalogue.paired()
        for item in map(self._item, self._catalogue.described()) if paired is None else self._paired(paired):
            yield item
            count += 1
        self._remark_left_out(self._catalogue.images() - count)

    def _walk(self) -> Iterator[UnreadableItem]:
        folder = DatasetFolder(self._root, self._add_image, self._add_annotation, self._lists.append)
        for item in folder.read():
            if isinstance(item, UnreadableItem):
                yield from self._failed(item)
        self._reader.passed_over.update(folder.passed_over)

    def _add_image(self, folder: str, name: str, size: int, mtime_ns: int) -> None:
        if self._place.path != folder:
            self._place = self._places.of(folder)
        self._catalogue.add_image(self._place, name, size, mtime_ns)

    def _add_annotation(self, folder: str, name: str) -> None:
        if self._place.path != folder:
            self._place = self._places.of(folder)
        self._annotated.add(folder)
        self._catalogue.add_annotation(self._place, name)

    def _failed(self, item: UnreadableItem) -> Iterator[UnreadableItem]:
        """Say what cannot be seen in terms of ids, and that annotations cannot be read."""
        if not item.unseen:
            yield item
            return
        kinds = {name.lower() for name in item.id.split("/")}
        if item.kind != AWAY and kinds & (ANNOTATION_FOLDERS | {LIST_FOLDER}):
            self._hidden += 1
            self._problems.add(item.id, item.reason)
            return
        folder, slash, name = item.id.rpartition("/")
        is_file = "." in name
        place = self._places.of(folder + slash if is_file else f"{item.id}/")
        item_id = place.ids + name if is_file else place.ids.rstrip("/")
        reason = item.reason if item_id == item.id else f"{item.id}: {item.reason}"
        yield UnreadableItem(item_id or ".", reason, item.kind, unseen=True)

    def _paired(self, found: Iterator[Paired]) -> Iterator[ReadItem]:
        """Yield the items of images that have one file of annotations or none."""
        prefix = self._prefix
        for place, name, subset, size, mtime_ns, annotation in found:
            labels = read_labels(prefix + annotation) if annotation else ()
            if isinstance(labels, Annotation):
                self._note(annotation, labels)
                labels = tuple(labels.labels)
            item_id = place.ids + name
            yield ReadItem(item_id, subset, labels, size, mtime_ns, _media(place.path + name, item_id))

    def _item(self, same: list[Described]) -> ReadItem:
        """Return the item of an image, with the labels of all of its annotations."""
        image = same[0]
        media = _media(self._places[image.folder].path + image.name, image.id)
        return ReadItem(image.id, image.subset, self._labels(image, same), image.size, image.mtime_ns, media)

    def _labels(self, image: Described, same: list[Described]) -> tuple[str, ...]:
        if image.annotation_name is None:
            return self._catalogue.classes(image.family, image.stem)
        twins = self._catalogue.twins(image) if self._has_twins else []
        if len(same) == 1 and image.said is None and not twins:
            found = read_labels(self._prefix + self._path_of(image))
            if isinstance(found, tuple):
                return found
            self._note(self._path_of(image), found)
            return tuple(found.labels)
        labels: dict[str, None] = {}
        for one in same:
            labels.update(self._labels_of(one, twins))
        return tuple(labels)

    def _labels_of(self, one: Described, twins: list[tuple[int, str]]) -> dict[str, None]:
        """Return the labels of one annotation of an image, unless it names another image of the same key."""
        if one.said is not None:
            filename, names = json.loads(one.said)
            labels = dict.fromkeys(names)
        else:
            found = read_annotation(self._prefix + self._path_of(one))
            if not twins or twins[0] == (one.folder, one.name):
                self._note(self._path_of(one), found)
            filename, labels = found.filename, found.labels
        named = loosely(filename.replace("\\", "/").rpartition("/")[2])
        is_of_another = loosely(one.name) != named and any(loosely(name) == named for _, name in twins)
        return {} if is_of_another else labels

    def _path_of(self, one: Described) -> str:
        return f"{self._places[one.annotation_folder or 0].path}{one.annotation_name}"

    def _note(self, path: str, found: Annotation) -> None:
        for reason, line in found.problems:
            self._problems.add(path, reason, line)

    def _remark_several(self, count: int) -> None:
        if count:
            subject = "image is in lists" if count == 1 else "images are in lists"
            self._reader.remarks.append(
                f"{count:,} {subject} of several subsets: the first of train, val and test counts."
            )

    def _remark_left_out(self, count: int) -> None:
        remarks = self._reader.remarks
        if self._hidden:
            remarks.append("All images are items, because annotations or lists cannot be read.")
            return
        masks, example, mask = 0, "", ""
        for number, name in self._catalogue.left_out() if count else ():
            path = self._places[number].path + name
            if self._is_mask(number, name):
                masks += 1
                mask = mask or path
            else:
                example = example or path
        count -= masks
        if masks:
            remarks.append(
                f"{counted(masks, 'image')} {'is' if masks == 1 else 'are'} left out as "
                f"{'a mask' if masks == 1 else 'masks'}, such as {mask}, because of folder or name; --format folder "
                "reads all images."
            )
        if count:
            has, is_ = ("has", "is") if count == 1 else ("have", "are")
            remarks.append(
                f"{counted(count, 'image')} {has} no XML file and {is_} in no list, and {is_} left out, such as "
                f"{example}; --option {UNLISTED}=yes takes {'it' if count == 1 else 'them'} in."
            )

    def _is_mask(self, folder: int, name: str) -> bool:
        """Tell whether an image without an annotation that is in no list is a mask, by its folders and its name."""
        return is_usually_mask(below_images(self._places[folder].path + name))


def _media(path: str, item_id: str) -> str:
    return "" if path == item_id else path if path[0] not in "!/" else media_of(path, path, item_id)
