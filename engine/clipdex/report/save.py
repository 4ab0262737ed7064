"""Saving a result: a contact sheet, copies of the images, and the result itself.

Saving changes and deletes nothing that is there. A new folder appears whole or not at all. An empty folder is filled
when everything has been written. In a folder with files, saved files take free names.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TypeVar

from clipdex.datasets.record import DatasetRecord
from clipdex.defaults import IDS, MAX_PIXELS, RANKED, SAVED_NAMES, SUBSETS
from clipdex.errors import ImageError, IndexWriteFailed, OutputError
from clipdex.media.decoding import image_format
from clipdex.media.locators import split_locator
from clipdex.media.opening import open_media
from clipdex.paths import expanded
from clipdex.readers import IGNORE_MARK
from clipdex.report.query_images import SUFFIXES, own_images, with_files
from clipdex.report.sheet import draw_sheet
from clipdex.search.hit import Hit
from clipdex.search.result import Result
from clipdex_indexes.storage.files import TEMPORARY_PREFIX, atomic_path, atomic_write

DEFAULT_FOLDER = "explore_result"
SHEET = "sheet.png"
DATA = "result.json"
_LONGEST_NAME = 240
_FEWEST_DIGITS = 3
_BLOCK = 1 << 20
_Saved = TypeVar("_Saved")


@dataclass(frozen=True, slots=True)
class Saved:
    """What was saved: the folder, the contact sheet and the result in it, the copied images, and hits without image."""

    folder: Path
    sheet: Path
    data: Path
    images: tuple[Path, ...]
    missing: tuple[Hit, ...]


def fresh_folder(folder: Path) -> Path:
    """Return ``folder``, or the first of ``folder-2``, ``folder-3`` ... that does not exist."""
    return free_name(folder)


def save_result(
    result: Result,
    folder: str | os.PathLike[str] | None = None,
    *,
    force: bool = False,
    max_pixels: int = MAX_PIXELS,
    save_as: str = IDS,
) -> Saved:
    """Save a result: ``sheet.png``, ``result.json``, and a copy of each hit's image.

    An image of a query that is in no file, such as ``query-1.jpg``, is saved too, and ``result.json`` names it.

    Parameters
    ----------
    result
        What to save.
    folder
        Where to: a folder that is not there yet, or is empty. None makes a new ``explore_result`` here.
    force
        Add to a folder that has something in it. Nothing is replaced: what is the same stays, and for the rest
        another name is taken.
    max_pixels
        Images of more pixels are copied, but not drawn on the sheet.
    save_as
        The names of the copies: ``ids`` for ``<dataset>/<subset>/<id>``, ``subsets`` for ``<subset>/<id>``, or
        ``ranked`` for the rank and the last part of the id, such as ``001_dog.jpg``, which sorts by rank.

    Raises
    ------
    OutputError
        When the folder has something in it (without ``force``), is no folder, or cannot be written, or ``save_as`` is
        none of the three.
    """
    if save_as not in SAVED_NAMES:
        raise OutputError(f"save_as is {save_as!r}, and must be one of {', '.join(SAVED_NAMES)}.")
    return save_with(
        lambda draft, target: _fill(result, draft, target, max_pixels, save_as),
        fresh_folder(Path(DEFAULT_FOLDER)) if folder is None else folder,
        result.datasets,
        force=force,
    )


def save_with(
    fill: Callable[[Path, Path], _Saved],
    folder: str | os.PathLike[str],
    datasets: Iterable[DatasetRecord],
    *,
    force: bool = False,
) -> _Saved:
    """Save into a folder. ``fill(folder, target)`` writes the files; what it returns is returned.

    It writes into ``folder``, which becomes ``target`` when everything is written.

    Parameters
    ----------
    fill
        Writes what is to be saved; it may replace nothing.
    folder
        Where to: a folder that is not there yet, or is empty; with ``force`` any.
    datasets
        Those that the results are of; nothing is added to a folder that is part of one.
    force
        Add to a folder that has something in it.

    Raises
    ------
    OutputError
        When the folder has something in it (without ``force``), is no folder, or cannot be written.
    """
    target = Path(os.path.abspath(expanded(folder)))  # noqa: PTH100 - shorter to read, and links stay
    try:
        if target.exists() and not target.is_dir():
            raise OutputError(f"{target} is a file; name a folder to save to.")
        if target.is_dir() and any(target.iterdir()):
            if not force:
                raise OutputError(f"{target} has something in it. Name another folder, or add to it with --force.")
            keep_out_of_datasets(datasets, target)
            return fill(target, target)
        return _save_whole(fill, target)
    except OSError as error:
        raise OutputError(f"cannot save to {target}: {error.strerror or error}.") from error
    except IndexWriteFailed as error:
        raise OutputError(error.message) from error


def keep_out_of_datasets(datasets: Iterable[DatasetRecord], target: Path) -> None:
    """Refuse a folder whose contents the next build would take for images of a dataset that was searched."""
    real = target.resolve()
    for dataset in datasets:
        root = Path(dataset.root).resolve()
        if not real.is_relative_to(root):
            continue
        inside = [folder for folder in (real, *real.parents) if folder.is_relative_to(root)]
        if not any((folder / IGNORE_MARK).exists() or folder.name.startswith(".") for folder in inside):
            raise OutputError(
                f"{target} is part of the dataset {dataset.name}: what is saved there would be taken for its images. "
                "Name another folder."
            )


def _save_whole(fill: Callable[[Path, Path], _Saved], target: Path) -> _Saved:
    # An empty folder stays the one it is: it may be the working folder of a shell, or where a disk is mounted.
    there = target.is_dir()
    place = target if there else target.parent
    place.mkdir(parents=True, exist_ok=True)
    draft = place / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
    draft.mkdir()
    try:
        (draft / IGNORE_MARK).touch()
        saved = fill(draft, target)
        if there:
            _move_contents(draft, target)
        else:
            draft.rename(target)
    finally:
        if draft.exists():
            shutil.rmtree(draft, ignore_errors=True)
    return saved


def _move_contents(draft: Path, target: Path) -> None:
    """Move all that is in ``draft`` to ``target``, the mark first, or nothing."""
    moved: list[tuple[Path, Path]] = []
    try:
        for source in sorted(draft.iterdir()):
            wanted = target / source.name
            if os.path.lexists(wanted):
                raise OutputError(f"{wanted} has come into being meanwhile; name another folder.")
            source.rename(wanted)
            moved.append((source, wanted))
    except BaseException:
        for source, wanted in moved:
            wanted.rename(source)
        raise


def _fill(result: Result, folder: Path, target: Path, max_pixels: int, save_as: str) -> Saved:
    """Write everything into ``folder``, and say where it will be once that is called ``target``."""
    digits = _digits(len(result.hits))
    copies = [_copy(hit, folder, _names(hit, save_as, digits)) for hit in result.hits]
    data = free_name(folder / DATA)
    named = with_files(result, _save_own_images(result, folder, target))
    atomic_write(data, named.to_json().encode(errors="backslashreplace"))
    sheet = free_name(folder / SHEET)
    with atomic_path(sheet) as temporary:
        draw_sheet(result, max_pixels=max_pixels, copies=copies).save(temporary, "PNG")
    images = tuple(target / copy.relative_to(folder) for copy in copies if copy is not None)
    missing = tuple(hit for hit, copy in zip(result.hits, copies, strict=True) if copy is None)
    return Saved(target, target / sheet.name, target / data.name, images, missing)


def _save_own_images(result: Result, folder: Path, target: Path) -> dict[int, Path]:
    """Save the images of queries that are in no file of the user; return where they will be, by number of the query."""
    files = {}
    for number, own in own_images(result).items():
        path = free_name(folder / f"query-{number + 1}{own.suffix}")
        atomic_write(path, own.content)
        files[number] = target / path.name
    return files


def _copy(hit: Hit, folder: Path, names: Iterable[str]) -> Path | None:
    """Copy the image of one hit; None when it is not there, or is no image: a result may come from elsewhere.

    ``names`` are the parts of the path of the copy, as ``_names`` returns them.
    """
    source, member = split_locator(hit.path)
    try:
        content = open_media(hit.path)
    except ImageError:
        return None
    with content:
        kind = image_format(content)
        if kind is None:
            return None
        suffix = _suffix(source, member, kind)
        wanted = folder.joinpath(*_safe_parts(names, suffix))
        for parent in _folders_between(folder, wanted):
            if parent.is_symlink():
                raise OutputError(f"{parent} is a link that leads out of the folder to save to; name another folder.")
        wanted.parent.mkdir(parents=True, exist_ok=True)
        for copied in _numbered(wanted):
            if not copied.exists() and not copied.is_symlink():
                break
            if copied.is_file() and not copied.is_symlink() and _same_content(copied, content):
                return copied
        content.seek(0)
        with atomic_path(copied) as temporary, temporary.open("xb") as out:
            shutil.copyfileobj(content, out)
        if not member:
            with contextlib.suppress(OSError):
                shutil.copystat(source, copied)
        return copied


def _suffix(source: Path, member: str, kind: str) -> str:
    """Return the extension of a copy; members of some containers are called by a number."""
    return PurePosixPath(member or source).suffix or (SUFFIXES.get(kind, "") if member else "")


def ranked_name(hit: Hit, content: IO[bytes], hits: int) -> str:
    """Return the name of a copy that begins with the rank, as ``ranked`` of ``save_result`` does.

    Parameters
    ----------
    hit
        Whose image it is; as untrusted as its result.
    content
        The image, open; read from.
    hits
        How many hits there are.

    Raises
    ------
    ImageError
        When the content is no image.
    """
    kind = image_format(content)
    if kind is None:
        raise ImageError("not an image in a format that can be read")
    names = _names(hit, RANKED, _digits(hits))
    return _safe_parts(names, _suffix(*split_locator(hit.path), kind))[0]


def _digits(hits: int) -> int:
    """Return how many digits ranks have, so that they sort as texts."""
    return max(_FEWEST_DIGITS, len(str(hits)))


def _same_content(path: Path, content: IO[bytes]) -> bool:
    content.seek(0)
    with path.open("rb") as other:
        while block := other.read(_BLOCK):
            if content.read(len(block)) != block:
                return False
    return not content.read(1)


def _folders_between(folder: Path, path: Path) -> Iterator[Path]:
    parent = path.parent
    while parent != folder:
        yield parent
        parent = parent.parent


def _names(hit: Hit, save_as: str, digits: int) -> list[str]:
    """Return the parts of the path of a copy, as untrusted as the hit is.

    ``ranked`` has one: the rank in so many digits, and the last part of the id. Otherwise they are the dataset (not
    with ``subsets``), the subset and the parts of the id.
    """
    parts = [part for part in hit.id.split("/") if part] or ["item"]
    if save_as == RANKED:
        return [f"{hit.rank:0{digits}}_{parts[-1]}"]
    dataset = [] if save_as == SUBSETS else [hit.dataset.replace("/", "_")]
    return [*dataset, hit.subset.replace("/", "_"), *parts]


def _safe_parts(names: Iterable[str], suffix: str) -> list[str]:
    """Return names that stay where they are put; the last one has the suffix."""
    parts = [_safe(name) for name in names]
    if suffix and not parts[-1].lower().endswith(suffix.lower()):
        parts[-1] += _safe(suffix)
    return parts


def _safe(name: str) -> str:
    separators = {os.sep, os.altsep or os.sep, "\0"}
    name = "".join("_" if character in separators else character for character in name)
    name = name.encode(errors="replace")[:_LONGEST_NAME].decode(errors="ignore")
    return name if name.strip(".") and name else "_" * max(1, len(name))


def free_name(path: Path) -> Path:
    """Return ``path``, or the first of ``path-2``, ``path-3`` ... (before the extension) that does not exist."""
    return next(one for one in _numbered(path) if not one.exists() and not one.is_symlink())


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    for number in itertools.count(2):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")
