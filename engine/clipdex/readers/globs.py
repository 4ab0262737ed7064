"""Reading the images that match a pattern, such as ``photos/**/*.jpg``."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from clipdex.errors import DatasetNotFound
from clipdex.paths import before_wildcards, is_pattern, is_there
from clipdex.readers.base import NO_OPTIONS, ReadItem, Unchanged, UnreadableItem
from clipdex.readers.folder import FolderReader

if TYPE_CHECKING:
    from clipdex_indexes.known import KnownItems

_ANY_DEPTH = "**"


class GlobReader(FolderReader):
    """The images below a folder whose paths match a pattern.

    ``*``, ``?`` and ``[...]`` match within a name; ``**`` matches any number of folders. Ids, subsets and labels are
    those in the folder before the first wildcard.

    Parameters
    ----------
    location
        The pattern.

    Raises
    ------
    DatasetNotFound
        When the folder before its first wildcard does not exist.
    """

    format = "glob"
    about = "the images that a pattern matches, such as 'photos/**/*.jpg'"
    option_names: ClassVar[Mapping[str, str]] = NO_OPTIONS

    def __init__(self, location: Path, options: Mapping[str, str] = NO_OPTIONS) -> None:
        start = before_wildcards(location)
        super().__init__(start, options)
        self.location = location
        parts = location.parts[len(start.parts) :]
        if not parts:
            raise DatasetNotFound(f"{location} is no pattern: it has no wildcard, such as *, in it.")
        self._names = [re.compile(fnmatch.translate(part)).match if part != _ANY_DEPTH else None for part in parts]

    @classmethod
    def detect(cls, location: Path) -> str | None:
        """Take paths with a wildcard that do not exist as they are written."""
        if is_there(location) or not is_pattern(os.fspath(location)):
            return None
        return "it has a wildcard in it"

    def rules(self) -> str | None:
        """Return what the rules of ``FolderReader`` say, with the pattern."""
        return self._rules() if type(self) is GlobReader else None

    def _read(self, known: KnownItems | None) -> Iterator[ReadItem | UnreadableItem | Unchanged]:
        for item in super()._read(known):
            if isinstance(item, Unchanged):
                yield item
                continue
            failed = isinstance(item, UnreadableItem)
            above = failed and (item.id == "." or self._enters(item.id + "/"))
            if above or self._matches(item.id.split("/"), whole=True):
                yield item

    def _enters(self, folder: str) -> bool:
        return self._matches(folder[:-1].split("/"), whole=False)

    def _wants(self, item_id: str) -> bool:
        return self._matches(item_id.split("/"), whole=True)

    def _matches(self, parts: list[str], *, whole: bool) -> bool:
        """Tell whether names match the whole pattern or, without ``whole``, its beginning.

        Parameters
        ----------
        parts
            The names of a path.
        whole
            Whether all of the pattern has to match.
        """
        last = len(self._names)
        positions = self._past_any_depth({0})
        for part in parts:
            reached = set()
            for position in positions:
                name = self._names[position] if position < last else None
                if position < last and (name is None or name(part)):
                    reached.add(position if name is None else position + 1)
            positions = self._past_any_depth(reached)
        if whole:
            # A pattern that ends in ** matches whatever is below.
            return last in positions
        return any(position < last for position in positions)

    def _past_any_depth(self, positions: set[int]) -> set[int]:
        """Add the position after each ``**`` among them, because it may match no folder at all."""
        todo = list(positions)
        for position in todo:
            if position < len(self._names) and self._names[position] is None and position + 1 not in positions:
                positions.add(position + 1)
                todo.append(position + 1)
        return positions
