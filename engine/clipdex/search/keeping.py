"""Which item of a group of duplicates is kept.

- ``first``: the first in the order of the datasets, then of the ids, then of the subsets.
- ``largest``: the file with the most bytes.
- ``oldest``, ``newest``: the file that was modified first, or last.
- A pattern, such as ``originals/**``: every item whose id or whose path matches it. A group without such an item keeps
  the first. The id is matched as ``ItemFilter.paths`` matches it; the path is matched whole, and a relative pattern is
  also tried from the current folder.

Sizes and times are those that the index has. Of equal ones, the first item is kept. Not every item has them: an
archive may have no times, or say 1980-01-01. A group in which none is known keeps the first item.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from clipdex.errors import QueryError
from clipdex.paths import expanded
from clipdex.wording import shown
from clipdex_indexes import ItemRow
from clipdex_indexes.filters import Glob

FIRST, LARGEST, OLDEST, NEWEST = "first", "largest", "oldest", "newest"
RULES = (FIRST, LARGEST, OLDEST, NEWEST)

# 1980-01-01 00:00, as archives write a time that they do not know; there are no digital images as old as that.
_NO_TIME = 315_532_800

_LOWEST: dict[str, Callable[[ItemRow], int]] = {
    FIRST: lambda row: 0,
    LARGEST: lambda row: -row.size,
    OLDEST: lambda row: row.mtime_ns,
    NEWEST: lambda row: -row.mtime_ns,
}


class Keep:
    """The rule that chooses what is kept.

    Parameters
    ----------
    rule
        One of ``RULES``, or a pattern.

    Raises
    ------
    QueryError
        When it is neither.
    """

    def __init__(self, rule: str) -> None:
        self._rule = rule
        self._lowest: Callable[[ItemRow], int] | None = _LOWEST.get(rule) if isinstance(rule, str) else None
        self._of_ids: Glob | None = None
        self._of_paths: Glob | None = None
        if self._lowest is not None:
            return
        if not isinstance(rule, str) or not any(sign in rule for sign in "*?[/"):
            raise QueryError(
                f"keep is {shown(rule)}, and must be {', '.join(RULES)}, or a pattern of ids or paths, such as "
                "'originals/**'."
            )
        try:
            if not os.path.isabs(rule) and not rule.startswith("~"):  # noqa: PTH117 - a text
                self._of_ids = Glob(rule)
            self._of_paths = Glob(_as_id(os.path.join(os.getcwd(), expanded(rule)) + "/" * rule.endswith("/")))  # noqa: PTH109, PTH118
        except ValueError as error:
            raise QueryError(str(error)) from error

    @property
    def is_pattern(self) -> bool:
        """Whether the rule is a pattern, which may match several items of a group or none."""
        return self._lowest is None

    def kept(self, rows: Sequence[ItemRow], paths: Sequence[str]) -> list[int]:
        """Return the numbers of the items that are kept, in order; none where the rule tells nothing of any of them.

        Parameters
        ----------
        rows
            The items that may be kept, in order.
        paths
            Where their media are.
        """
        if self._lowest is not None:
            known = [number for number, row in enumerate(rows) if self._is_known(row)]
            return [min(known, key=lambda number: self._lowest_of(rows[number]))] if known else []
        return [number for number, row in enumerate(rows) if self._matches(row.id, paths[number])]

    def _is_known(self, row: ItemRow) -> bool:
        """Tell whether the index has of an item what the rule compares."""
        if self._rule in (OLDEST, NEWEST):
            return row.mtime_ns // 1_000_000_000 > _NO_TIME
        return self._rule != LARGEST or row.size > 0

    def _lowest_of(self, row: ItemRow) -> int:
        return self._lowest(row) if self._lowest is not None else 0

    def _matches(self, item_id: str, path: str) -> bool:
        return (self._of_ids is not None and self._of_ids.matches(item_id)) or (
            self._of_paths is not None and self._of_paths.matches(_as_id(path))
        )


def _as_id(path: str) -> str:
    """Write an absolute path as an id: with slashes, and without the first one."""
    return path.replace(os.sep, "/").lstrip("/")
