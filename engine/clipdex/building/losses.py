"""What a build would drop from an index, and whether that is more than a user drops by hand.

A disk that is away, a share that is empty and a folder that was deleted look the same. So a build stops before it
drops more than half of an index, or all of a folder or subset. A few images are no disk: half of an index counts from
three images on, and a folder from two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipdex.building.settings import BuildSettings
from clipdex.encoder import AUTO, CPU
from clipdex.errors import DatasetEmpty, DatasetShrunk
from clipdex.paths import quoted
from clipdex.wording import counted
from clipdex_indexes import ItemRow

# From how many images on dropping more than half of an index, or all of a folder, stops a build.
_HALF_FROM = 3
_FOLDER_FROM = 2
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an index of which nothing is left.

    Attributes
    ----------
    name
        What it is called: ``folder a/b`` or ``subset val``.
    items
        Number of items that the index has of it.
    """

    name: str
    items: int


@dataclass(frozen=True, slots=True)
class Loss:
    """What a build would drop.

    Attributes
    ----------
    known, dropped
        Number of items that the index has, and of those that it would drop.
    whole
        The folders and subsets of which nothing would be left; of folders in each other, the topmost one.
    """

    known: int
    dropped: int
    whole: tuple[Part, ...] = ()

    @property
    def is_large(self) -> bool:
        """Whether the user should be asked first."""
        half = self.dropped >= _HALF_FROM and 2 * self.dropped > self.known
        return half or bool(self.whole)


@dataclass(slots=True)
class _Folder:
    prefix: str
    known: int = 0
    gone: int = 0


class Losses:
    """Counts what is gone, folder by folder, in one pass over an index and in memory bounded by what is gone."""

    def __init__(self) -> None:
        self.known = 0
        self.gone = 0
        self._open = [_Folder("")]
        self._folders: dict[str, int] = {}
        self._subsets: dict[str, _Folder] = {}

    def see(self, row: ItemRow, *, gone: bool) -> None:
        """Count one item of the index; they come in item order, so the items of a folder follow one another.

        Parameters
        ----------
        row
            The item.
        gone
            Whether the dataset has no such item any more.
        """
        self._enter(row.id)
        self.known += 1
        self.gone += gone
        subset = self._subsets.setdefault(row.subset, _Folder(row.subset))
        for part in (self._open[-1], subset):
            part.known += 1
            part.gone += gone

    def see_unchanged(self, folder: str, subset: str, count: int) -> None:
        """Count items of the index that the dataset has, all of one folder, before the other items of that folder."""
        self._enter(folder)
        self.known += count
        for part in (self._open[-1], self._subsets.setdefault(subset, _Folder(subset))):
            part.known += count

    def _enter(self, item_id: str) -> None:
        while not item_id.startswith(self._open[-1].prefix):
            self._leave()
        begin = len(self._open[-1].prefix)
        while (end := item_id.find("/", begin)) >= 0:
            begin = end + 1
            self._open.append(_Folder(item_id[:begin]))

    def _leave(self) -> None:
        folder = self._open.pop()
        self._open[-1].known += folder.known
        self._open[-1].gone += folder.gone
        if folder.known == folder.gone >= _FOLDER_FROM:
            self._folders[folder.prefix] = folder.known

    def all_gone(self) -> Loss:
        """Return the loss where everything that is gone is dropped."""
        self._settle()
        subsets = {subset.prefix: subset.gone for subset in self._subsets.values()}
        return Loss(self.known, self.gone, self._whole(self._folders, subsets))

    def of(self, rows: Iterable[ItemRow], others: int = 0) -> Loss:
        """Return the loss where some of what is gone is dropped.

        Parameters
        ----------
        rows
            The items that are dropped, all of them gone.
        others
            Number of items that are dropped although they are not gone, such as files that cannot be read any more.
        """
        self._settle()
        dropped = 0
        folders: Counter[str] = Counter()
        subsets: Counter[str] = Counter()
        for row in rows:
            dropped += 1
            subsets[row.subset] += 1
            end = 0
            while (end := row.id.find("/", end) + 1) > 0:
                if (folder := row.id[:end]) in self._folders:
                    folders[folder] += 1
        return Loss(self.known, dropped + others, self._whole(folders, subsets))

    def _settle(self) -> None:
        while len(self._open) > 1:
            self._leave()

    def _whole(self, folders: dict[str, int], subsets: dict[str, int]) -> tuple[Part, ...]:
        """Return the parts of which all items are among those counted."""
        whole: list[Part] = []
        last = None
        for prefix in sorted(folders):
            if folders[prefix] == self._folders[prefix] and (last is None or not prefix.startswith(last)):
                whole.append(Part(f"folder {prefix[:-1]}", folders[prefix]))
                last = prefix
        if len(self._subsets) > 1:
            for name, count in sorted(subsets.items()):
                # The folder of a subset says it already.
                if count == self._subsets[name].known >= _FOLDER_FROM and name + "/" not in folders:
                    whole.append(Part(f"subset {name}", count))
        return tuple(whole)


@dataclass(frozen=True, slots=True)
class Guard:
    """Refuses to drop much of an index, with the command that does it.

    Parameters
    ----------
    location
        The dataset.
    settings
        How it is built.
    """

    location: Path
    settings: BuildSettings

    def refuse_none_seen(self, known: int, unread: str = "") -> None:
        """Refuse to drop the ``known`` items of an index of a dataset without images.

        ``unread`` is a sentence on files that are there and cannot be read.

        Raises
        ------
        DatasetEmpty
            Always.
        """
        raise DatasetEmpty(
            f"there are no images in {self.location} now, and its index of {counted(known, 'image')} is kept."
            f"{unread}{self._advice()}"
        )

    def refuse_none_hashed(self, unread: str = "") -> None:
        """Refuse to replace an index by an empty one; ``unread`` as of ``refuse_none_seen``.

        Raises
        ------
        DatasetEmpty
            Always.
        """
        raise DatasetEmpty(
            f"no image of {self.location} could be hashed, and its index is kept as it was.{unread}{self._advice()}"
        )

    def refuse_unseen(self, unseen: int) -> None:
        """Refuse to drop a number of items that could not be looked at.

        Raises
        ------
        DatasetShrunk
            Always.
        """
        raise DatasetShrunk(
            f"{counted(unseen, 'image')} in the index of {self.location} cannot be looked at now, and a rebuild would "
            f"drop them. Nothing was dropped.{self._advice()}"
        )

    def refuse_if_large(self, loss: Loss, unread: str = "") -> None:
        """Refuse a loss that the user should be asked about; ``unread`` as of ``refuse_none_seen``.

        Raises
        ------
        DatasetShrunk
            When it is large.
        """
        if loss.is_large:
            raise DatasetShrunk(
                f"{loss.dropped:,} of the {counted(loss.known, 'image')} in the index of {self.location} "
                f"{'is' if loss.dropped == 1 else 'are'} gone"
                f"{_parts(loss.whole)}.{unread} Nothing was dropped.{self._advice()}"
            )

    def _advice(self) -> str:
        settings = self.settings
        words = ["clipdex build", *(["--rebuild"] if settings.rebuild else []), "--prune", quoted(self.location)]
        words += [f"--index {quoted(settings.index)}"] if settings.index is not None else []
        if settings.rebuild:
            # What a new index does not take from the old one.
            words += [f"--model {quoted(settings.model)}"] if settings.model is not None else []
            words += [f"--device {quoted(settings.device)}"] if settings.device != CPU else []
            words += [f"--precision {quoted(settings.precision)}"] if settings.precision != AUTO else []
        return f" Is a disk or a share away? If the images are gone for good, drop them: {' '.join(words)}"


def _parts(whole: Sequence[Part]) -> str:
    said = [f"all {part.items:,} of the {part.name}" for part in whole[:_NAMED]]
    more = len(whole) - len(said)
    said += [f"all of {counted(more, 'other folder')}"] if more else []
    return f" ({', '.join(said)})" if said else ""
