"""Saving groups of near-duplicates: sheets with one or more rows of pictures per group, and the result as JSON."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from clipdex.defaults import MAX_PIXELS
from clipdex.report.drawing import (
    ACCENT,
    BACKGROUND,
    CELL,
    DECODING,
    FRAME,
    GAP,
    INK,
    MARGIN,
    PICTURE,
    draw_picture,
    draw_text,
    fitted,
    line_height,
    thumbnail,
)
from clipdex.report.save import free_name, fresh_folder, save_with
from clipdex.search.duplicates_result import DuplicateGroup, DuplicateItem, DuplicatesResult
from clipdex.wording import counted
from clipdex_indexes.storage.files import atomic_path, atomic_write

DEFAULT_FOLDER = "duplicates_result"
DATA = "duplicates.json"
_COLUMNS = 6
_MOST_OF_A_GROUP = 12
_GROUPS_A_SHEET = 25
_MOST_SHEETS = 20


@dataclass(frozen=True, slots=True)
class SavedGroups:
    """The saved files: the folder, its sheets and its JSON file, and the number of drawn groups."""

    folder: Path
    sheets: tuple[Path, ...]
    data: Path
    drawn: int


def save_duplicates(
    result: DuplicatesResult,
    folder: str | os.PathLike[str] | None = None,
    *,
    force: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> SavedGroups:
    """Save groups as ``groups-1.png`` and so on, with 25 groups each, and as ``duplicates.json``.

    The sheets show the first 500 groups, and the first 12 items of each. They say how much they leave out.

    Parameters
    ----------
    result
        The groups.
    folder
        A folder that does not exist yet, or is empty. None creates a new ``duplicates_result`` in the current folder.
    force
        Whether to add to a folder that is not empty. Nothing is replaced.
    max_pixels
        Images with more pixels are not drawn.

    Raises
    ------
    OutputError
        When the folder is not empty (without ``force``), is not a folder, or cannot be written.
    """

    def fill(draft: Path, target: Path) -> SavedGroups:
        data = free_name(draft / DATA)
        atomic_write(data, result.to_json().encode(errors="backslashreplace"))
        sheets = []
        shown = result.groups[: _GROUPS_A_SHEET * _MOST_SHEETS]
        for start in range(0, len(shown), _GROUPS_A_SHEET):
            path = free_name(draft / f"groups-{start // _GROUPS_A_SHEET + 1}.png")
            with atomic_path(path) as temporary:
                draw_groups(result, start, start + _GROUPS_A_SHEET, max_pixels=max_pixels).save(temporary, "PNG")
            sheets.append(target / path.name)
        return SavedGroups(target, tuple(sheets), target / data.name, len(shown))

    place = fresh_folder(Path(DEFAULT_FOLDER)) if folder is None else folder
    return save_with(fill, place, result.datasets, force=force)


def draw_groups(result: DuplicatesResult, start: int, end: int, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Draw the groups ``start`` to ``end``, with distance, id, dataset and subset below each picture."""
    groups = result.groups[start:end]
    cell_height = PICTURE[1] + 3 * line_height(13) + 2 * GAP
    head, name = line_height(22) + GAP, line_height(15) + GAP
    heights = [name + -(-min(len(group.items), _MOST_OF_A_GROUP) // _COLUMNS) * cell_height for group in groups]
    width = 2 * MARGIN + _COLUMNS * CELL
    sheet = Image.new("RGB", (width, 2 * MARGIN + head + sum(heights)), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw_text(draw, (MARGIN, MARGIN - 4), fitted(_title(result, start, groups), 18, width - 2 * MARGIN), 18, INK)
    top = MARGIN + head
    with ThreadPoolExecutor(DECODING) as pool:
        for number, (group, height) in enumerate(zip(groups, heights, strict=True), start=start + 1):
            items = group.items[:_MOST_OF_A_GROUP]
            draw.line([(MARGIN, top - GAP // 2), (width - MARGIN, top - GAP // 2)], fill=FRAME, width=2)
            draw_text(draw, (MARGIN, top), fitted(_heading(number, group), 15, width - 2 * MARGIN), 15, INK)
            pictures = pool.map(lambda item: thumbnail(item.path, PICTURE, max_pixels), items)
            for place, (item, picture) in enumerate(zip(items, pictures, strict=True)):
                row, column = divmod(place, _COLUMNS)
                corner = (MARGIN + column * CELL, top + name + row * cell_height)
                draw_picture(sheet, draw, picture, corner, PICTURE)
                _draw_names(draw, item, corner, several=len(result.datasets) > 1)
            top += height
    return sheet


def _title(result: DuplicatesResult, start: int, groups: Sequence[DuplicateGroup]) -> str:
    within = "of identical files" if result.identical else f"within {counted(result.max_distance, 'bit')}"
    title = f"{counted(result.total_groups, 'group')} {within}"
    if len(groups) < result.total_groups:
        title += f" (here {start + 1:,} to {start + len(groups):,})"
    title += f" in {', '.join(dataset.name for dataset in result.datasets)}"
    if result.total_same_file:
        title += f"; {counted(result.total_same_file, 'more image')} of files that are in the datasets twice"
    return title


def _heading(number: int, group: DuplicateGroup) -> str:
    heading = f"{number}. {counted(len(group.items), 'image')}"
    if len(group.items) > _MOST_OF_A_GROUP:
        heading += f" (the first {_MOST_OF_A_GROUP} shown)"
    heading += ", identical files" if group.identical else f", up to {counted(group.greatest_distance, 'bit')} apart"
    for what, names in (("datasets", group.datasets), ("subsets", group.subsets)):
        if len(names) > 1:
            heading += f", across {what} {', '.join(names)}"
    return heading


def _match(item: DuplicateItem) -> str:
    return ", ".join(filter(None, (item.match, item.problem, item.orientation, f"distance {item.distance}")))


def _draw_names(draw: ImageDraw.ImageDraw, item: DuplicateItem, corner: tuple[int, int], *, several: bool) -> None:
    left, below = corner[0], corner[1] + PICTURE[1] + 3
    where = f"{item.dataset}, {item.subset}" if several else item.subset
    for line, (text, ink) in enumerate(((_match(item), ACCENT), (item.id, INK), (where, INK))):
        draw_text(draw, (left, below + line * line_height(13)), fitted(text, 13, PICTURE[0]), 13, ink)
