"""Merged datasets: several datasets as one, which ``clipdex merge`` makes an index of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clipdex.errors import DatasetError
from clipdex.media import locator
from clipdex.readers.base import NO_OPTIONS, Reader, ReadItem, UnreadableItem

if TYPE_CHECKING:
    from clipdex.sources import Source

FORMAT = "merged"


class MergedReader(Reader):
    """The items of several datasets: their ids have the name of their dataset and a slash in front.

    Parameters
    ----------
    location
        The folder that stands for all of them; only their index is in it.
    options
        For each name of a dataset, where it is and how it is read, as ``part_option`` writes it.

    Raises
    ------
    DatasetError
        When the options are not those of a merged dataset.
    """

    format = FORMAT
    about = "several datasets as one; made by clipdex merge"
    in_order = True

    def __init__(self, location: Path, options: Mapping[str, str] = NO_OPTIONS) -> None:
        super().__init__(location, options)
        if not options:
            raise DatasetError(f"{location} is no merged dataset: clipdex merge makes one.")
        # With the slash, because that is how the ids sort.
        self._parts = sorted(
            ((name, _part(name, text)) for name, text in options.items()), key=lambda part: part[0] + "/"
        )

    @classmethod
    def detect(cls, location: Path) -> str | None:
        """Nothing can be seen of it but its index, which says the format."""
        return None

    def read(self) -> Iterator[ReadItem | UnreadableItem]:
        """Yield the items of all datasets, in item order."""
        from clipdex.readers.ordering import in_item_order
        from clipdex.sources import open_reader

        for name, source in self._parts:
            for item in in_item_order(open_reader(source)):
                if isinstance(item, UnreadableItem):
                    yield UnreadableItem(f"{name}/{item.id}", item.reason, item.kind)
                else:
                    media = locator(source.location, item.id, item.media)
                    yield item._replace(id=f"{name}/{item.id}", media=media)


def part_option(source: Source) -> str:
    """Return where a dataset is and how it is read, as an option of the merged one."""
    return json.dumps([str(source.location), source.format, dict(source.options)], ensure_ascii=False)


def _part(name: str, text: str) -> Source:
    from clipdex.sources import Source

    try:
        location, format_name, options = json.loads(text)
        texts = [location, format_name, *options, *options.values()]
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DatasetError(f"where the dataset {name!r} of a merged one is cannot be read: {error}.") from error
    if not all(isinstance(one, str) for one in texts) or not Path(location).is_absolute() or format_name == FORMAT:
        raise DatasetError(f"where the dataset {name!r} of a merged one is cannot be read: {text!r}.")
    return Source(Path(location), format_name, options, name)
