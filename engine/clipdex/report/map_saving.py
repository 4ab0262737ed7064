"""Saving a map as a page, a picture or a table, by the ending of the file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from clipdex.datasets.dataset import Dataset
from clipdex.defaults import MAX_PIXELS
from clipdex.errors import IndexWriteFailed, OutputError
from clipdex.mapping.dataset_map import DatasetMap
from clipdex.paths import expanded, quoted
from clipdex.report.cells import as_it_is, as_text, row_writer
from clipdex.report.map_page import MOST_POINTS, map_page
from clipdex.report.map_picture import draw_map
from clipdex.report.map_points import COLOURINGS, points_of
from clipdex.report.save import free_name, keep_out_of_datasets
from clipdex.search.result import Result
from clipdex_indexes.storage.files import atomic_path

DEFAULT_FILE = "map.html"
PAGE, PICTURE, TABLE = ".html", ".png", ".csv"
ENDINGS = (PAGE, PICTURE, TABLE)
COLUMNS = ("id", "dataset", "x", "y", "labels", "subset")


def checked_file(file: str | os.PathLike[str] | None, *, force: bool = False) -> Path:
    """Return where a map is saved, before it is made.

    Parameters
    ----------
    file
        The file; None takes ``map.html``, or, without ``force``, the first of ``map-2.html`` and so on that is not
        there.
    force
        Whether a file that is there may be replaced.

    Raises
    ------
    OutputError
        When its ending is not one of ``.html``, ``.png`` and ``.csv``; when there is no such folder; when it is there.
    """
    if file is None:
        if not force:
            return free_name(Path(DEFAULT_FILE)).absolute()
        file = DEFAULT_FILE
    path = Path(os.path.abspath(expanded(file)))  # noqa: PTH100 - links stay
    if path.suffix.lower() not in ENDINGS:
        raise OutputError(
            f"{path} is neither a page, a picture nor a table: name a file that ends in .html, .png or .csv."
        )
    if path.is_dir() or (os.path.lexists(path) and not path.is_file()):
        raise OutputError(f"{path} is there, and not a file. Name another one.")
    if path.exists() and not force:
        raise OutputError(f"{path} is there. Name another file, or replace it with --force.")
    if not path.parent.is_dir():
        raise OutputError(f"there is no folder {path.parent}. Make it: mkdir -p {quoted(path.parent)}")
    return path


def save_map(
    datasets: Sequence[Dataset],
    dataset_map: DatasetMap,
    files: Sequence[Path],
    *,
    result: Result | None = None,
    colour_by: str | None = None,
    max_pixels: int = MAX_PIXELS,
    raw: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """Save a map in one or several files, each whole or not at all.

    Parameters
    ----------
    datasets
        The open datasets that the map is of.
    dataset_map
        Their map.
    files
        Files that end in ``.html`` (a page), ``.png`` (a picture) or ``.csv`` (a table).
    result
        A query of these datasets, whose hits the page and the picture show.
    colour_by
        ``label``, ``tag``, ``subset`` or ``dataset``; None takes what tells most.
    max_pixels
        Images of more pixels are shown as dots.
    raw
        Whether cells of a table may be what a spreadsheet takes for formulas.
    progress
        Called with what is counted, how much is done, and of how much.

    Raises
    ------
    OutputError
        When ``colour_by`` is none of these, or tags that cannot be read, or a file cannot be written or would be taken
        for an image of a dataset.
    """
    if colour_by is not None and colour_by not in COLOURINGS:
        raise OutputError(f"colour_by is {colour_by!r}, and must be one of {', '.join(COLOURINGS)}.")
    kinds = [file.suffix.lower() for file in files]
    records = [dataset.record for dataset in datasets]
    for file, kind in zip(files, kinds, strict=True):
        if kind == PICTURE:
            keep_out_of_datasets(records, file.parent)
    points = None
    if set(kinds) & {PAGE, PICTURE}:
        points = points_of(datasets, dataset_map, most_named=MOST_POINTS, result=result, progress=progress)
        if colour_by is not None and colour_by not in points.colourings:
            raise OutputError(points.problems[0])
    for file, kind in zip(files, kinds, strict=True):
        try:
            with atomic_path(file) as temporary:
                if kind == TABLE or points is None:
                    _write_table(datasets, dataset_map, temporary, raw=raw)
                elif kind == PICTURE:
                    note = _how(dataset_map)
                    draw_map(points, colour_by, note=note, max_pixels=max_pixels).save(temporary, "PNG", optimize=True)
                else:
                    notes = (f"Like images are near each other ({_how(dataset_map)}); the axes mean nothing.",)
                    page = map_page(points, colour_by, notes=notes, max_pixels=max_pixels)
                    temporary.write_bytes(page.encode(errors="backslashreplace"))
        except OSError as error:
            raise OutputError(f"cannot save to {file}: {error.strerror or error}.") from error
        except IndexWriteFailed as error:
            raise OutputError(error.message) from error


def _how(dataset_map: DatasetMap) -> str:
    if not dataset_map.landmarks:
        return "principal components of the hash keys"
    return f"{dataset_map.method} of {dataset_map.landmarks:,} landmarks"


def _write_table(datasets: Sequence[Dataset], dataset_map: DatasetMap, path: Path, *, raw: bool) -> None:
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        write, cell = row_writer(file, as_it_is), as_it_is if raw else as_text
        write(COLUMNS)
        for dataset, mapped in zip(datasets, dataset_map.datasets, strict=True):
            for location, row in dataset.items():
                x, y = mapped.at(location)
                texts = map(cell, (row.id, dataset.name, ";".join(row.labels), row.subset))
                item_id, name, labels, subset = texts
                write([item_id, name, f"{x:.6f}", f"{y:.6f}", labels, subset])
