"""Answers as tables of pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clipdex.extras import optional

if TYPE_CHECKING:
    import pandas


def frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pandas.DataFrame:
    """Return rows as a table with these columns, also where there are no rows.

    Raises
    ------
    ExtraMissing
        When pandas is not installed.
    """
    table: pandas.DataFrame = optional("pandas", "pandas", "A table of pandas").DataFrame(
        list(rows), columns=list(columns)
    )
    return table
