"""The categories of one annotation file of COCO: their names, by the ids that annotations have."""

from __future__ import annotations

from collections.abc import Callable

from clipdex.readers.annotated.coco_ids import LONGEST_LABEL, Id, as_id, as_label, by_plain, no_id, not_an_object, plain
from clipdex.readers.annotated.json_stream import JsonStream, members_or_one
from clipdex.readers.annotated.json_words import kind_of, written
from clipdex.wording import shortened


class Categories:
    """The categories of one file.

    Parameters
    ----------
    problem
        Is told what cannot be read, as the end of a sentence, and the number of its line.

    Attributes
    ----------
    names
        The names by id.
    complete
        Whether all categories of the file are known.
    called_by_id
        The first id that is its own label, because the file has no category of it; None where there is none.
    """

    def __init__(self, problem: Callable[[str, int], None]) -> None:
        self._problem = problem
        self.names: dict[Id, str] = {}
        self.complete = True
        self.called_by_id: Id | None = None
        # Names of categories, also of those without an id.
        self._texts: dict[str, None] = {}
        self._same: dict[str | None, Id] | None = None

    def read(self, stream: JsonStream) -> None:
        """Read all categories."""
        for key, value in members_or_one(stream):
            if isinstance(value, str):
                if key is None:
                    self._texts[as_label(value)] = None
                    continue
                value = {"id": key, "name": value}
            elif key is not None and isinstance(value, int):
                value = {"id": value, "name": key}
            if not isinstance(value, dict):
                self._problem(f"a category {not_an_object(value)}", stream.line)
                continue
            said = value.get("name")
            number = as_id(value.get("id", key))
            if number is None:
                self._problem(f"a category {no_id(value)}", stream.line)
                self._texts[as_label(said)] = None
                continue
            self._add(number, said, stream.line)

    def _add(self, number: Id, said: object, line: int) -> None:
        name = as_label(said)
        shown = written(number)
        if not name:
            name = str(number)
            what = "no name" if said in (None, "") else f"{kind_of(said)} as its name"
            self._problem(f"the category {shown} has {what}, and is called by its id", line)
        elif isinstance(said, str) and name != said.strip():
            what = f"has {len(said):,} characters" if len(said) > len(name) + 3 > LONGEST_LABEL else "is no plain text"
            self._problem(f"the name of the category {shown} {what}: it is read as {shortened(name)}", line)
        known = self.names.setdefault(number, name)
        if known != name:
            self._problem(f"the category {shown} is {known} and {name}: the first counts", line)
        self._texts[name] = None

    def label(self, category_id: Id) -> str | None:
        """Return the name of a category, by its id, or by its name instead of one; None where there is none."""
        if self._same is None:
            self._same = by_plain(self.names)
        name = self.names.get(category_id)
        if name is None and (other := self._same.get(plain(category_id))) is not None:
            name = self.names[other]
        if name is None and isinstance(category_id, str) and as_label(category_id) in self._texts:
            name = as_label(category_id)
        return name

    def label_instead(self, category_id: Id) -> str | None:
        """Return the label that a category gets which is not in the file; None where the file should have had it.

        Where the file has no ids of categories, or not all of them, nothing else than the id is known.
        """
        if not self.names or not self.complete:
            if self.called_by_id is None:
                self.called_by_id = category_id
            return as_label(category_id)
        return as_label(category_id) if isinstance(category_id, str) and plain(category_id) is None else None
