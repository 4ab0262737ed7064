"""Hash keys that other indexes have of the files of a build: the indexes of folders in the dataset, and those above it.

Both are in item order, like the dataset, so one pass over all of them is enough, in bounded memory. An index is opened
when the first file of its folder comes, and closed after the last one. Only keys of equal content are offered: of a
file that has the path, size and modification time of the index, or whose content turns out to be that of the index. The
index must name the same model and precision, and all bytes of a segment are checked before a key of it is offered. An
index that cannot be used is left aside, with the reason; it never stops a build.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from clipdex.datasets.above import folders_above, has_index
from clipdex.datasets.dataset import require_same_root
from clipdex.datasets.failures import read_listed
from clipdex.defaults import INDEX_FOLDER
from clipdex.errors import ClipdexError
from clipdex.readers import Reader, ReadItem
from clipdex.readers.base import DAMAGED
from clipdex.readers.folder import FORMAT
from clipdex.readers.formats import GLOB
from clipdex_indexes import ItemRow, Location, ModelStamp, Snapshot


class Offer(NamedTuple):
    """What another index has of a file.

    Attributes
    ----------
    source
        The dataset of that index.
    key, content
        The hash key, and the hash of the content that it was made of; 0 where that is not known.
    same
        Whether the file has the size and modification time that the index has. Otherwise only its size is the same, and
        the key is of use if its content is ``content``.
    """

    source: str
    key: bytes
    content: int
    same: bool


class OtherIndexes:
    """The indexes that may have the hash keys of a dataset. Enter it, then ask for each item, in item order.

    Parameters
    ----------
    reader
        The dataset. Only plain folders of images have items that other indexes have under a known name.
    index
        The index folder that is built.
    stamp
        Model and precision of that index.

    Attributes
    ----------
    above
        The dataset above that has items of this one; None where there is none.
    left_aside
        Why indexes are not used, as the end of a sentence, by their dataset.
    """

    def __init__(self, reader: Reader, index: Path, stamp: ModelStamp) -> None:
        self._root = reader.root
        self._own = os.path.realpath(index)
        self._stamp = stamp
        self._above: list[_OtherIndex] = []
        # Of the folders that the current item is in, the outermost first: the path with a slash, and its index.
        self._open: list[tuple[str, _OtherIndex | None]] = []
        self._reads = reader.format in (FORMAT, GLOB)
        self.above: Path | None = None
        self.left_aside: dict[str, str] = {}

    def __enter__(self) -> OtherIndexes:
        if self._reads:
            for folder, path in folders_above(self._root):
                other = self._opened(folder, "", f"{path.relative_to(folder).as_posix()}/")
                if other is not None:
                    self.above = self.above or folder
                    self._above.append(other)
            self._open.append(("", self._opened_in("")))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for other in (*self._above, *(other for _, other in self._open)):
            if other is not None:
                other.close()

    def offer(self, item: ReadItem) -> Offer | None:
        """Return what the innermost of the indexes has of an item; None where none has a key that may be its own."""
        if not self._reads:
            return None
        self._enter(item.id)
        best: Offer | None = None
        others = [*self._above, *(other for _, other in self._open)]
        for other in reversed(others):
            if other is None or other.source in self.left_aside:
                continue
            try:
                offer = other.offer(item)
            except ClipdexError as error:
                self.left_aside[other.source] = error.message
                continue
            if offer is not None and (best is None or offer.same):
                best = offer
            if best is not None and best.same:
                break
        return best

    def _enter(self, item_id: str) -> None:
        while not item_id.startswith(self._open[-1][0]):
            _, other = self._open.pop()
            if other is not None:
                other.close()
        begin = len(self._open[-1][0])
        while (end := item_id.find("/", begin)) >= 0:
            begin = end + 1
            self._open.append((item_id[:begin], self._opened_in(item_id[:begin])))

    def _opened_in(self, prefix: str) -> _OtherIndex | None:
        folder = self._root / prefix
        return self._opened(folder, prefix, "") if has_index(folder / INDEX_FOLDER) else None

    def _opened(self, folder: Path, prefix: str, part: str) -> _OtherIndex | None:
        """Open the index in a folder; None where it cannot be opened, or has no items of the part."""
        if os.path.realpath(folder / INDEX_FOLDER) == self._own:
            return None
        try:
            other = _OtherIndex(folder, prefix, part)
        except ClipdexError as error:
            self.left_aside[str(folder)] = error.message
            return None
        if other.is_empty:
            other.close()
            return None
        if why := other.why_not(self._stamp):
            self.left_aside[other.source] = why
        return other


class _OtherIndex:
    """One of them.

    Parameters
    ----------
    folder
        Its dataset.
    prefix
        How ids of the dataset that is built begin in that folder.
    part
        How ids of the index begin for the same files.
    """

    def __init__(self, folder: Path, prefix: str, part: str) -> None:
        self.source = str(folder)
        self._prefix = prefix
        self._part = part
        self._index = Snapshot(folder / INDEX_FOLDER)
        self._whole: set[int] = set()
        try:
            require_same_root(self._index, folder)
            # Their files were decoded as far as they go, and have to be listed again.
            self._damaged = {failure.id for failure in read_listed(self._index.folder).of_kind(DAMAGED)}
            self._rows = self._index.items(begin=part)
            self._next = next(self._rows, None)
        except BaseException:
            self.close()
            raise
        self.is_empty = self._next is None or not self._next[1].id.startswith(part)

    def close(self) -> None:
        self._index.close()

    def why_not(self, stamp: ModelStamp) -> str:
        """Return why its keys are not those of a model; empty where they are."""
        manifest = self._index.manifest
        theirs = manifest.model
        if (theirs.digest, theirs.bits) != (stamp.digest, stamp.bits):
            return f"it was hashed by model {theirs.name!r} ({theirs.digest[:12]}), and not by {stamp.name!r}"
        if theirs.precision != stamp.precision:
            return f"it was hashed in {theirs.precision}, and not in {stamp.precision}"
        if manifest.source_format != FORMAT:
            return f"it is read as {manifest.source_format}, and not as a {FORMAT}"
        return ""

    def offer(self, item: ReadItem) -> Offer | None:
        found = self._row(self._part + item.id[len(self._prefix) :])
        if found is None:
            return None
        location, row = found
        same = row.mtime_ns == item.mtime_ns
        known = row.content and item.content in (0, row.content)
        if row.size != item.size or row.media or row.id in self._damaged or not (known or (same and not item.content)):
            return None
        if location.segment not in self._whole:
            self._index.require_whole(location.segment)
            self._whole.add(location.segment)
        return Offer(self.source, self._index.key(location).tobytes(), row.content, same)

    def _row(self, item_id: str) -> tuple[Location, ItemRow] | None:
        """Return an item; ids are asked for in order."""
        while self._next is not None and self._next[1].id < item_id:
            self._next = next(self._rows, None)
        return self._next if self._next is not None and self._next[1].id == item_id else None
