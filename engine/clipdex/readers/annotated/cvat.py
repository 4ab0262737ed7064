"""Reading what CVAT exports as "CVAT for images" and "CVAT for video": XML, of a project, a task or a job."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import posixpath
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from clipdex.errors import DatasetError, DatasetNotFound
from clipdex.readers.annotated.cvat_images import CvatImages
from clipdex.readers.annotated.cvat_xml import Frame, Problem, Track, entries
from clipdex.readers.base import DEFAULT_SUBSET, MISSING, NO_OPTIONS, Reader, ReadItem, UnreadableItem
from clipdex.readers.elsewhere import ADDRESS
from clipdex.readers.files import item_of_file, relative_to
from clipdex.readers.layout import Layout
from clipdex.readers.left_out import ItemFiles
from clipdex.readers.masks import is_usually_mask
from clipdex.readers.naming import SUBSETS, is_hidden, is_system_folder, shown, subset_and_labels
from clipdex.wording import counted

_STARTS = re.compile(
    r"<annotations(?=[\s>])[^>]*>(?:\s|<!--.*?-->)*"
    r"<(?:version>\s*1\.|meta[\s>/]|image\s[^>]*\bname\s*=|track\s)",
    re.DOTALL,
)
_PLACES = ("*.xml", "*/*.xml", "*/*/*.xml")
# Files that are called after what is in them, and not after a subset.
_NO_SUBSET = re.compile(r"annotation|(?:labels?|default|cvat|export)\Z", re.IGNORECASE)
# Folders of XML that are none of a part of the dataset.
_OF_ANNOTATIONS = frozenset({"annotations", "annotation", "labels", "xml"})

# Id, subset, labels as JSON, path; where that is empty, what is wrong, and whether the image may be there all the same.
_Row = tuple[str, str, str, str, str, bool]


class CvatReader(Reader):
    """Images that the XML of CVAT names, with the labels of their tags, shapes and tracks.

    The id of an item is its name in CVAT, with the extension. In a folder of several exports, each in a folder of its
    own, the name of that folder is before it. The subset is that of the image or the task; else the name of the file,
    unless it is ``annotations.xml`` or ``labels.xml``; else the name of the folder, if that is one of a subset.

    Parameters
    ----------
    location
        A folder, or one XML file.

    Raises
    ------
    DatasetNotFound
        When there is no XML of CVAT.
    """

    format = "cvat"
    about = "CVAT for images and for video: XML of a project, a task or a job"

    def __init__(self, location: Path, options: Mapping[str, str] = NO_OPTIONS) -> None:
        super().__init__(location, options)
        # The subset that the name of a file tells, or an empty text.
        self._of_file: dict[PurePosixPath, str] = {}
        if not location.exists():
            raise DatasetNotFound(f"{location} does not exist.")

    @classmethod
    def detect(cls, location: Path) -> str | None:
        """Take XML that begins as that of CVAT, and folders with such a file."""
        layout = Layout(location)
        if location.is_file():
            named = location.suffix.lower() == ".xml"
            return "it begins as CVAT's XML" if named and _STARTS.search(layout.start("")) else None
        for pattern in _PLACES[:2]:
            for path in layout.find(pattern):
                if _STARTS.search(layout.start(path)):
                    return f"it has {path}"
        return None

    def read(self) -> Iterator[ReadItem | UnreadableItem]:
        """Yield the images that the XML names, each once, in bounded memory."""
        self.forget_findings()
        files = self._files()
        if not files:
            raise DatasetNotFound(f"{self.location} has no XML file of CVAT: none begins with <annotations>.")
        with contextlib.closing(sqlite3.connect("", isolation_level=None)) as database:
            database.executescript(
                "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
                "CREATE TABLE entry(id TEXT, subset TEXT, labels TEXT, path TEXT, reason TEXT, unseen INTEGER); BEGIN;"
            )
            for file in files:
                rows = self._rows(file)
                while batch := list(itertools.islice(rows, 10_000)):
                    database.executemany("INSERT INTO entry VALUES (?,?,?,?,?,?)", batch)
            yield from self._items(database)

    def _items(self, database: sqlite3.Connection) -> Iterator[ReadItem | UnreadableItem]:
        own_files = ItemFiles(self.root)
        ordered = database.execute("SELECT * FROM entry ORDER BY id, subset, rowid")
        for (item_id, subset), rows in itertools.groupby(ordered, lambda row: row[:2]):
            by_path: dict[str, dict[str, None]] = defaultdict(dict)
            reason, unseen = "", False
            for _, _, labels, path, why, away in rows:
                by_path[path].update(dict.fromkeys(json.loads(labels)))
                reason, unseen = reason or why, unseen or bool(away)
            if len(by_path) > 1:
                by_path.pop("", None)
            for number, (path, found) in enumerate(by_path.items()):
                if not path:
                    yield UnreadableItem(shown(item_id), reason, MISSING, unseen)
                    continue
                own_files.add(path)
                # Another image of the same name has the whole path as its id.
                own_id = item_id if number == 0 else relative_to(self.root, path)
                yield item_of_file(self.root, path, own_id, subset, tuple(found))
        if self.location.is_dir() and (remark := own_files.remark(is_usually_mask, self.passed_over)):
            self.remarks.append(remark)

    def _files(self) -> list[PurePosixPath]:
        """Return the XML files of CVAT relative to the root: those of the first level of folders that has some."""
        if self.location.is_file():
            return [PurePosixPath(self.location.name)]
        level = [""]
        for _ in _PLACES:
            found, below = [], []
            for folder in level:
                with contextlib.suppress(OSError), os.scandir(self.root / folder) as listed:
                    for entry in listed:
                        path = f"{folder}{entry.name}"
                        if is_hidden(path) or is_system_folder(entry.name):
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            below.append(f"{path}/")
                        elif entry.name.lower().endswith(".xml") and self._is_cvat(path):
                            found.append(PurePosixPath(path))
            if found:
                return sorted(found)
            level = below
        return []

    def _is_cvat(self, path: str) -> bool:
        return "<annotations" in Layout(self.root).start(path)

    def _rows(self, file: PurePosixPath) -> Iterator[_Row]:
        """Yield the images of a file."""
        images = CvatImages(self.root, file)
        prefix = self._prefix(file)
        tracks: dict[str, list[Track]] = defaultdict(list)
        try:
            for entry in entries(self.root / file):
                if isinstance(entry, Problem):
                    self.annotation_problems.add(shown(file.as_posix()), entry.reason, entry.line)
                elif isinstance(entry, Track):
                    tracks[entry.subset].append(entry)
                else:
                    yield self._row(entry, file, images, prefix)
        except DatasetError as error:
            self.annotation_problems.add(shown(file.as_posix()), error.message.rstrip("."))
        for subset, some in sorted(tracks.items()):
            yield from self._of_tracks(some, subset, file, images, prefix)
        if remark := images.guesses.remark():
            self.remarks.append(shown(f"{file}: {remark}."))
        if images.guessed:
            said, whose = ("was", "its name") if images.guessed == 1 else ("were", "their names")
            self.remarks.append(
                f"{file}: {counted(images.guessed, 'image')} {said} found only without the first folders of {whose}."
            )

    def _row(self, frame: Frame, file: PurePosixPath, images: CvatImages, prefix: str) -> _Row:
        subset = frame.subset or self._subset(frame.name, file)
        labels = json.dumps(frame.labels)
        item_id = prefix + _clean(frame.name)
        if ADDRESS.match(frame.name):
            return frame.name, subset, labels, "", f"{file}, line {frame.line}: addresses are not fetched", False
        path = images.find(frame.name, subset if frame.subset else "")
        if path is not None and subset == DEFAULT_SUBSET and not frame.subset:
            folder = posixpath.basename(posixpath.dirname(path))
            subset = folder if folder in SUBSETS else subset
        if path is None:
            away = images.may_be_there(frame.name, subset if frame.subset else "")
            return item_id, subset, labels, "", f"{file}, line {frame.line}: no such file: {frame.name}", away
        if ".." in item_id.split("/") or frame.name.startswith("/"):
            item_id = relative_to(self.root, path)
        return item_id, subset, labels, path, "", False

    def _of_tracks(
        self, tracks: list[Track], subset: str, file: PurePosixPath, images: CvatImages, prefix: str
    ) -> Iterator[_Row]:
        """Yield the frames of a video, with the labels of the objects that are seen in each."""
        frames, told = images.frames(subset)
        labels: dict[int, dict[str, None]] = defaultdict(dict)
        last = max(frames, default=-1)
        for track in tracks:
            for number in _seen(track, last):
                if track.label:
                    labels[number][track.label] = None
        gone = sum(number not in frames for number in labels)
        if gone:
            name = shown(file.as_posix())
            reason = (
                f"it labels {counted(gone, 'frame')} of a video without an image: make files frame_000000.jpg of it"
            )
            if frames:
                self.annotation_problems.add(name, reason, count=gone)
            else:
                yield name, DEFAULT_SUBSET, "[]", "", reason, False
        if frames and not told:
            first = frames[0]
            self.remarks.append(f"{file}: frame 0 is taken to be {first}, frame 1 the next image by name, and so on.")
        for number, path in sorted(frames.items()):
            name = path.rpartition("/")[2]
            yield (
                prefix + name,
                subset or self._subset(name, file),
                json.dumps(list(labels.get(number, ()))),
                path,
                "",
                False,
            )

    def _subset(self, name: str, file: PurePosixPath) -> str:
        """Return the subset of an image that has none in CVAT: what folder, file or path tell."""
        told = self._of_file.get(file)
        if told is None:
            folder = file.parent.name
            named = not _NO_SUBSET.match(file.stem)
            told = self._of_file[file] = folder if folder.lower() in SUBSETS else file.stem if named else ""
        return told or subset_and_labels(name.replace("\\", "/"))[0]

    def _prefix(self, file: PurePosixPath) -> str:
        folder = file.parent
        known = folder.name.lower() in SUBSETS or folder.name.lower() in _OF_ANNOTATIONS
        return "" if folder == PurePosixPath() or known else f"{folder}/"


def _clean(name: str) -> str:
    """Return the name of an image as an id: with slashes, and without those at its beginning."""
    parts = [part for part in name.replace("\\", "/").replace(":", "").split("/") if part not in ("", ".")]
    return "/".join(parts) or name


def _seen(track: Track, last: int) -> Iterator[int]:
    """Yield the frames, up to one, in which an object is seen; between two that are marked it is as in the first."""
    ordered = sorted(track.frames)
    for (number, seen), (following, _) in itertools.pairwise(
        [*ordered, (ordered[-1][0] + 1, False)] if ordered else []
    ):
        if seen:
            yield from range(number, max(number + 1, min(following, last + 1)))
