"""Reading one annotation file of COCO into its subset.

A file may be of gigabytes and in any order, so it is read piece by piece. Ids of images and of categories are those of
their file.
"""

from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np

from clipdex.media.kinds import OTHER_SUFFIXES, suffix_of
from clipdex.readers.annotated.coco_categories import Categories
from clipdex.readers.annotated.coco_files import AnnotationFile, is_text
from clipdex.readers.annotated.coco_ids import Id, as_id, as_label, by_name, by_plain, no_id, not_an_object, plain
from clipdex.readers.annotated.coco_subsets import Labels, Subset
from clipdex.readers.annotated.image_folders import ImageFinder
from clipdex.readers.annotated.json_stream import JsonError, JsonStream, flat_object, members_or_one
from clipdex.readers.annotated.json_words import kind_of, written
from clipdex.readers.annotations import AnnotationProblems
from clipdex.readers.base import MISSING, NO_IMAGE, UNREADABLE, UnreadableItem
from clipdex.readers.naming import shown
from clipdex.wording import counted, shortened

# Where an image says what its file is called, the usual name first.
_NAMES = ("file_name", "filename", "path", "file", "name", "coco_url", "url", "flickr_url")
# Where an annotation says of which category it is, the usual key first.
_CATEGORIES = ("category_id", "category_ids", "category_name", "category", "label")
# Nearly all annotations and images are like this: read so, they take half the time.
_NUMBER = "([0-9]{1,18})"
_ANNOTATION = flat_object(image_id=_NUMBER, category_id=_NUMBER)
_IMAGE = flat_object(id=_NUMBER, file_name=r'"([^"\\{}]++)"')
# Numbers of images whose file cannot be read, and of images that have not been named so far.
_LEFT_OUT = -1
_UNKNOWN = -2


class FileReading:
    """Reads one annotation file into its subset.

    Parameters
    ----------
    root
        The folder that paths are relative to.
    file
        The file.
    subset, labels
        What it is read into.
    finder
        Finds its images.
    problems, remarks
        Are told of what cannot be read, and of what was guessed.
    """

    def __init__(
        self,
        root: Path,
        file: AnnotationFile,
        subset: Subset,
        labels: Labels,
        finder: ImageFinder,
        problems: AnnotationProblems,
        remarks: list[str],
    ) -> None:
        self._path = root / file.path
        self._name = file.path
        self._subset = subset
        self._labels = labels
        self._finder = finder
        self._problems = problems
        self._remarks = remarks
        # Images by their ids in this file: a number in here, and by that number the one in the subset.
        self._image_ids: dict[Id, int] = {}
        self._images = array("i")
        self._categories: dict[Id, int] = {}
        self._named = Categories(self._problem)
        # Lines of what is not known yet, when it is first met.
        self._image_lines: dict[int, int] = {}
        self._category_lines: dict[int, int] = {}
        self._pairs_images = array("i")
        self._pairs_categories = array("i")
        self._captions: list[tuple[int, str]] = []
        # Names that annotations have in place of the id of a category, of no category of the file.
        self._unknown_names: set[Id] = set()
        self._reads = {
            "images": self._read_images,
            "annotations": self._read_annotations,
            "categories": self._named.read,
        }

    def read(self) -> None:
        """Read the file as far as that is possible."""
        stream: JsonStream | None = None
        try:
            with self._path.open("rb") as handle:
                stream = JsonStream(handle)
                for key in stream.members():
                    if key not in self._reads:
                        continue
                    opening = stream.opening()
                    if opening in ("[", "{"):
                        self._reads[key](stream)
                    elif opening != "n":
                        self._problem(f"its {key} are no list", stream.position)
                if following := stream.following():
                    # Images of another dataset after this one are taken in like those of a file that is cut off.
                    self._subset.broken |= following == "{"
                    what = "another JSON object" if following == "{" else "something else"
                    self._problem(f"{what} follows after the end of its JSON, and is not read", stream.position)
        except JsonError as error:
            self._subset.broken = True
            self._named.complete = False
            line = stream.position if stream is not None else 0
            self._problem(f"{error.reason}; what comes before is read, and the rest is not", line)
        except OSError as error:
            self._subset.broken = True
            self._problem(f"it cannot be read: {error.strerror or error}")
        self._settle()
        if self._named.called_by_id is not None:
            said = written(self._named.called_by_id)
            why = "it has no categories with ids" if self._named.complete else "not all of its categories can be read"
            self._remark(f"{why}: the ids in its annotations are the labels, such as {said}")
        self._tell_guesses()

    def _problem(self, reason: str, line: int = 0, count: int = 1) -> None:
        self._problems.add(self._name, shown(reason), line, count)

    def _remark(self, what: str) -> None:
        self._remarks.append(shown(f"{self._name}: {what}."))

    def _read_images(self, stream: JsonStream) -> None:
        for key, value in members_or_one(stream):
            if isinstance(value, str) and key is not None:
                value = {"file_name": value}
            if not isinstance(value, dict):
                self._unnamed(f"an image {not_an_object(value)}", stream.line)
                continue
            number = self._image(value, stream)
            image_id = as_id(value.get("id", key))
            if image_id is None:
                self._problem(f"an image {no_id(value)}, so that no annotation can be of it", stream.line)
            else:
                self._add_image_id(image_id, number, stream)
            if key is None:
                for found_id, name in stream.run(_IMAGE):
                    self._add_image_id(int(found_id), self._file(name), stream)

    def _add_image_id(self, image_id: Id, number: int, stream: JsonStream) -> None:
        images = self._images
        own = self._image_ids.setdefault(image_id, len(images))
        if own == len(images):
            images.append(number)
        elif images[own] == _UNKNOWN:
            images[own] = number
        elif images[own] != number:
            reason = f"the id {written(image_id)} is of several images: its annotations count for the first"
            self._problem(reason, stream.line)

    def _image(self, value: dict[str, object], stream: JsonStream) -> int:
        """Find the file of an image by what the image says, and return its number in the subset."""
        name = value.get("file_name")
        if isinstance(name, str) and name:
            return self._file(name)
        said = [one for key in _NAMES if (one := value.get(key)) not in (None, "")]
        for one in said:
            # A number is a name without extension.
            if isinstance(one, str) or type(one) is int:
                return self._file(str(one))
        which = f"the image {written(value['id'])}" if "id" in value else "an image"
        what = f"{kind_of(said[0])} as its file_name" if said else "no file_name"
        self._unnamed(f"{which} has {what}", stream.line)
        return _LEFT_OUT

    def _file(self, name: str) -> int:
        """Find the file of an image, and return its number in the subset; ``_LEFT_OUT`` where it cannot be read."""
        subset = self._subset
        try:
            found = self._finder.find(name)
        except OSError as error:
            self._leave_out(name, f"{error.strerror or error}", UNREADABLE, unseen=True)
            return _LEFT_OUT
        if isinstance(found, str):
            if suffix_of(name) in OTHER_SUFFIXES:
                self._leave_out(name, f"a {suffix_of(name)} file is no image", NO_IMAGE)
            else:
                reason = f"{found}: {shortened(name)} (in {self._name})"
                self._leave_out(name, reason, MISSING, unseen=self._finder.may_be_away)
            return _LEFT_OUT
        path = found.path
        suffix = suffix_of(path)
        if suffix in OTHER_SUFFIXES:
            self._leave_out(name, f"a {suffix_of(path)} file is no image", NO_IMAGE)
            return _LEFT_OUT
        number = subset.images.setdefault(path, len(subset.sizes))
        if number < len(subset.sizes):
            return number
        suffix = path[path.rfind(".") :].lower()
        if suffix in OTHER_SUFFIXES or not is_text(path):
            del subset.images[path]
            if is_text(path):
                self._leave_out(name, f"a {suffix} file is no image", NO_IMAGE)
            else:
                self._leave_out(name, "the name is not valid UTF-8; rename it", UNREADABLE)
            return _LEFT_OUT
        subset.sizes.append(found.size)
        subset.times.append(found.mtime_ns)
        return number

    def _leave_out(self, name: str, reason: str, kind: str, *, unseen: bool = False) -> None:
        # Where its disk may be away, the index keeps what it has of the item: so the id is that of the item.
        short = self._finder.id_of(name) if unseen else name
        self._subset.failed.setdefault(name, UnreadableItem(shown(short), shown(reason), kind, unseen))

    def _unnamed(self, reason: str, line: int) -> None:
        name = f"{self._name}, line {line}"
        names = self._subset.failed
        while name in names:
            name += "'"
        names[name] = UnreadableItem(f"{self._name}, line {line}", shown(reason), UNREADABLE)

    def _read_annotations(self, stream: JsonStream) -> None:
        for key, value in members_or_one(stream):
            self._annotation(key, value, stream)
            if key is None and not self._known_annotations(stream):
                for image_id, category_id in stream.run(_ANNOTATION):
                    self._annotation(None, {"image_id": int(image_id), "category_id": int(category_id)}, stream)

    def _known_annotations(self, stream: JsonStream) -> bool:
        """Read the annotations that follow if they are of images and categories that were met before."""
        found, position = stream.ahead(_ANNOTATION)
        if not found:
            return True
        images, categories, _ = zip(*found, strict=True)
        before = len(self._pairs_images)
        try:
            self._pairs_images.extend(map(self._image_ids.__getitem__, map(int, images)))
            self._pairs_categories.extend(map(self._categories.__getitem__, map(int, categories)))
        except KeyError:
            del self._pairs_images[before:], self._pairs_categories[before:]
            return False
        stream.go_to(position)
        return True

    def _annotation(self, key: str | None, value: object, stream: JsonStream) -> None:
        """Read an annotation."""
        if isinstance(value, list) and (key is not None or any(isinstance(one, dict) for one in value)):
            # Those of one image. Lists in them are none of annotations.
            for one in value:
                of_image = {"image_id": key, **one} if isinstance(one, dict) and key is not None else one
                if isinstance(of_image, list):
                    self._problem(f"an annotation {not_an_object(of_image)}", stream.line)
                else:
                    self._annotation(None, of_image, stream)
            return
        if not isinstance(value, dict):
            self._problem(f"an annotation {not_an_object(value)}", stream.line)
            return
        which = f"the annotation {written(value['id'])}" if "id" in value else "an annotation"
        image_id = as_id(value.get("image_id"))
        if image_id is None:
            self._problem(f"{which} {no_id(value, 'image_id')}", stream.line)
            return
        image = self._image_ids.setdefault(image_id, len(self._images))
        if image == len(self._images):
            self._images.append(_UNKNOWN)
            self._image_lines[image] = stream.line
        caption = value.get("caption")
        has_category = any(key in value for key in _CATEGORIES)
        if isinstance(caption, str) and not has_category:
            self._captions.append((image, caption))
            return
        segments = value.get("segments_info")
        if not isinstance(segments, list) or has_category:
            said = next((found for key in _CATEGORIES if (found := value.get(key)) is not None), None)
            numbers = said if isinstance(said, list) else [said]
        else:
            numbers = [one.get("category_id") if isinstance(one, dict) else None for one in segments]
        for number in numbers:
            category_id = as_id(number)
            if category_id is None:
                self._problem(f"{which} {no_id(value, 'category_id')}", stream.line)
                continue
            category = self._categories.setdefault(category_id, len(self._categories))
            if category not in self._category_lines:
                self._category_lines[category] = stream.line
            self._pairs_images.append(image)
            self._pairs_categories.append(category)

    def _settle(self) -> None:
        """Hand the labels on to the subset, now that all ids are known."""
        images = np.array(self._images, np.int64)
        of_images, of_categories = np.array(self._pairs_images, np.int64), np.array(self._pairs_categories, np.int64)
        self._match_images(images)
        labels = np.array([self._label(category_id) for category_id in self._categories] or [_UNKNOWN], dtype=np.int64)
        numbers = images[of_images] if len(of_images) else of_images
        found = labels[of_categories] if len(of_categories) else of_categories
        self._tell_unknown("image_id", "image", self._image_ids, self._image_lines, of_images[numbers == _UNKNOWN])
        nameless = np.array([one in self._unknown_names for one in self._categories] or [False])
        unknown = ((found == _UNKNOWN) | nameless[of_categories]) & (numbers != _UNKNOWN)
        self._tell_unknown("category_id", "category", self._categories, self._category_lines, of_categories[unknown])
        kept = (numbers >= 0) & (found >= 0)
        self._subset.add_labels(numbers[kept], found[kept])
        for image, caption in self._captions:
            number = int(images[image])
            if number == _UNKNOWN:
                self._problem("a caption is of an image that is not there", self._image_lines.get(image, 0))
            elif number >= 0 and (text := as_label(caption)):
                self._subset.captions.append((number, text))

    def _tell_unknown(self, key: str, what: str, ids: dict[Id, int], lines: dict[int, int], wanted: np.ndarray) -> None:
        """Name the ids, of images or categories, that annotations have and nothing else."""
        numbers, counts = np.unique(wanted, return_counts=True)
        if not len(numbers):
            return
        unknown = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
        for one, number in ids.items():
            if number in unknown:
                end = ", which is the label" if one in self._unknown_names and what == "category" else ""
                reason = f"there is no {what} of the {key} {written(one)}{end}"
                self._problem(reason, lines.get(number, 0), unknown[number])

    def _match_images(self, images: np.ndarray) -> None:
        """Look for the images of ids that are written otherwise, as text or number, or as the name of the file."""
        unknown = {one: number for one, number in self._image_ids.items() if images[number] == _UNKNOWN}
        if not unknown:
            return
        known = {one: int(images[number]) for one, number in self._image_ids.items() if images[number] != _UNKNOWN}
        same = by_plain(known)
        names = (
            by_name(self._subset.images, set(known.values())) if any(isinstance(one, str) for one in unknown) else {}
        )
        guessed = 0
        example = ("", "")
        for one, number in unknown.items():
            other = same.get(plain(one))
            found = known[other] if other is not None else _UNKNOWN
            if other is None and isinstance(one, str):
                found = names.get(one, names.get(one.replace("\\", "/").rpartition("/")[2], _UNKNOWN))
            if found != _UNKNOWN:
                images[number] = found
                guessed += 1
                if guessed == 1:
                    example = (written(one), written(other) if other is not None else "a file name")
        if guessed:
            ids = "another id than its own" if guessed == 1 else "other ids than theirs"
            self._remark(
                f"annotations name {counted(guessed, 'image')} by {ids}, such as {example[0]} for {example[1]}; "
                "they are taken for the same"
            )

    def _label(self, category_id: Id) -> int:
        """Return the label of a category, as a number."""
        name = self._named.label(category_id)
        if name is None and (name := self._named.label_instead(category_id)) and self._named.called_by_id is None:
            self._unknown_names.add(category_id)
        return self._labels.number(name) if name else _UNKNOWN

    def _tell_guesses(self) -> None:
        guesses = self._finder.guesses
        if guesses.fronts:
            front, folder = next(iter(guesses.fronts.items()))
            more = f" and {counted(len(guesses.fronts) - 1, 'more folder')}" if len(guesses.fronts) > 1 else ""
            where = folder or "the folder of the dataset"
            are = "are" if more else "is"
            self._remark(f"its images are in {front}{more}, which {are} not here: they are read from {where}")
        if remark := guesses.remark():
            self._remark(remark)
