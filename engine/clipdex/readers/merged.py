"""Reading merged datasets: several datasets as one, whose index ``clipdex merge`` made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from clipdex.errors import DatasetError
from clipdex.media.locators import locator
from clipdex.readers.base import NO_OPTIONS, Reader, ReadItem, UnreadableItem
from clipdex.readers.ordering import in_item_order
from clipdex.readers.sources import Source, open_reader

FORMAT = "merged"
PARTS = "parts"


class MergedReader(Reader):
    """The items of several datasets; an id is ``DATASET/ID``.

    Parameters
    ----------
    location
        The folder that stands for all of them; only their index is in it.
    options
        ``parts``: location, format and options of each dataset, as ``parts_option`` writes them.

    Raises
    ------
    DatasetError
        When the options are not those of a merged dataset.
    """

    format = FORMAT
    about = "several datasets as one; made by clipdex merge"
    option_names: ClassVar[Mapping[str, str]] = {PARTS: "where the datasets are; written by clipdex merge"}
    in_order = True

    def __init__(self, location: Path, options: Mapping[str, str] = NO_OPTIONS) -> None:
        super().__init__(location, options)
        if not options.get(PARTS):
            raise DatasetError(f"{location} is no merged dataset: clipdex merge makes one.")
        self._parts = _parts(location, options[PARTS])

    @classmethod
    def detect(cls, location: Path) -> str | None:
        """Take none: only the index of a merged dataset says what it is."""
        return None

    def read(self) -> Iterator[ReadItem | UnreadableItem]:
        """Yield the items of all datasets, in item order."""
        self.forget_findings()
        for name, source in self._parts:
            reader = open_reader(source)
            for item in in_item_order(reader):
                if isinstance(item, UnreadableItem):
                    whole = item.unseen and item.id == "."
                    yield replace(item, id=name if whole else f"{name}/{item.id}")
                else:
                    media = locator(source.location, item.id, item.media)
                    yield item._replace(id=f"{name}/{item.id}", media=media)
            self.passed_over.update(reader.passed_over)
            self.annotation_problems.add_all(reader.annotation_problems, f"{name}/")
            self.remarks += [f"{name}: {remark}" for remark in reader.remarks]


def parts_option(sources: Mapping[str, Source]) -> dict[str, str]:
    """Return the options of the merged dataset of these sources, given by name."""
    parts = {name: [str(part.location), part.format, dict(part.options)] for name, part in sources.items()}
    return {PARTS: json.dumps(parts, ensure_ascii=False)}


def _parts(location: Path, text: str) -> list[tuple[str, Source]]:
    """Return the datasets with their names, in the order of their ids."""
    try:
        parts = [
            (name, Source(Path(path), format_name, options, name))
            for name, (path, format_name, options) in json.loads(text).items()
        ]
        texts = [text for _, part in parts for text in (part.format, *part.options, *part.options.values())]
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DatasetError(f"where the datasets of {location} are cannot be read: {error}.") from error
    are_texts = all(isinstance(text, str) for text in texts)
    for name, part in parts:
        if not part.location.is_absolute() or part.format == FORMAT or not are_texts:
            raise DatasetError(f"where the dataset {name!r} of {location} is cannot be read: {text!r}.")
    # With the slash, because that is how the ids sort.
    return sorted(parts, key=lambda part: f"{part[0]}/")
