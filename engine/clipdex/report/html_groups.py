"""Groups of duplicates as a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from clipdex.report.html_hits import BYTES_OF_PICTURES, MOST_PICTURES, facts_of, places
from clipdex.report.html_templates import Page, Tile, bounded, picture_or_reason, render
from clipdex.report.repeating import repeating
from clipdex.report.thumbnails import Thumbnail, thumbnails
from clipdex.search.duplicates_result import (
    CHANGED,
    FAR,
    KEPT,
    MISSING,
    DuplicateGroup,
    DuplicateItem,
    DuplicatesResult,
)
from clipdex.search.keeping import RULES
from clipdex.wording import counted

_MOST_OF_A_GROUP = 12
_PROBLEMS = {MISSING: "missing", CHANGED: "changed since the build", FAR: "far from what is kept"}


class _Differ(NamedTuple):
    """What has to be said of each item, because the items differ in it."""

    datasets: bool
    subsets: bool


class Group(NamedTuple):
    """A group as a page shows it, and a sentence on the items that it does not show."""

    number: int
    title: str
    tiles: list[Tile]
    left_out: str


class ShownGroups(NamedTuple):
    """Groups as a page shows them, and sentences on what is left out.

    The items are those shown; those of them without a picture are missing, each with the reason.
    """

    groups: list[Group]
    left_out: list[str]
    items: list[DuplicateItem]
    missing: tuple[tuple[DuplicateItem, str], ...]


def page_of_groups(result: DuplicatesResult, max_pixels: int) -> Page:
    """Return groups of duplicates as a page: the first 12 items of each, up to 400 in all."""
    shown = shown_groups(result, max_pixels, most_pictures=MOST_PICTURES, most_bytes=BYTES_OF_PICTURES)
    html = render(
        "groups.html",
        title=title_of_groups(result),
        summary=f"{counted(result.total_items, 'image')} of {places(result.datasets)}",
        left_out=shown.left_out,
        warnings=[],
        groups=shown.groups,
        repeating=repeating(result),
        facts=[*facts_of(result.datasets), *_facts_of_groups(result)],
    )
    return Page(html, len(shown.items), sum(len(group.items) for group in result.groups), shown.missing)


def shown_groups(result: DuplicatesResult, max_pixels: int, *, most_pictures: int, most_bytes: int) -> ShownGroups:
    """Return the first groups, with the first 12 items of each, up to a number of pictures and of their bytes."""
    groups = _that_fit(result.groups, most_pictures)
    items = [item for group in groups for item in group.items[:_MOST_OF_A_GROUP]]
    differ = _Differ(len(result.datasets) > 1, len({item.subset for item in items}) > 1)
    pictures = thumbnails([item.path for item in items], most_bytes=most_bytes, max_pixels=max_pixels)
    tiles = iter([_tile_of_item(item, picture, differ) for item, picture in zip(items, pictures, strict=True)])
    shown = [
        Group(number, _heading(group), [next(tiles) for _ in group.items[:_MOST_OF_A_GROUP]], _rest(group))
        for number, group in enumerate(groups, start=1)
    ]
    left_out = []
    if len(groups) < result.total_groups:
        left_out.append(f"The first {len(groups):,} of {counted(result.total_groups, 'group')} are shown.")
    if result.total_same_file:
        left_out.append(
            f"Not counted as duplicates: {counted(result.total_same_file, 'image')} of files that are in the datasets "
            "twice."
        )
    missing = tuple((item, picture) for item, picture in zip(items, pictures, strict=True) if isinstance(picture, str))
    return ShownGroups(shown, left_out, items, missing)


def title_of_groups(result: DuplicatesResult) -> str:
    """Return what was found in a few words."""
    within = "of identical files" if result.identical else f"within {counted(result.max_distance, 'bit')}"
    across = f" across {result.across}" if result.across else ""
    return f"{counted(result.total_groups, 'group')} {within}{across}"


def _that_fit(groups: Sequence[DuplicateGroup], most: int) -> Sequence[DuplicateGroup]:
    pictures = 0
    for number, group in enumerate(groups):
        pictures += min(len(group.items), _MOST_OF_A_GROUP)
        if pictures > most:
            return groups[:number]
    return groups


def _heading(group: DuplicateGroup) -> str:
    if group.identical:
        heading = f"{counted(len(group.items), 'image')}, identical files"
    else:
        heading = f"{counted(len(group.items), 'image')}, up to {counted(group.greatest_distance, 'bit')} apart"
    for what, names in (("datasets", group.datasets), ("subsets", group.subsets)):
        if len(names) > 1:
            heading += f", across {what} {', '.join(names)}"
    return bounded(heading, 400)


def _rest(group: DuplicateGroup) -> str:
    more = len(group.items) - _MOST_OF_A_GROUP
    return f"{counted(more, 'more image')} of this group." if more > 0 else ""


def _tile_of_item(item: DuplicateItem, picture: Thumbnail | str, differ: _Differ) -> Tile:
    distance = "" if item.match == KEPT and not item.distance else counted(item.distance, "bit")
    where = [*([item.dataset] if differ.datasets else []), *([item.subset] if differ.subsets else [])]
    notes = [f"in {', '.join(where)}" if where else "", _PROBLEMS.get(item.problem, ""), item.orientation]
    notes.append(", ".join(item.labels))
    return Tile(
        bounded(item.id),
        *picture_or_reason(picture),
        distance=distance,
        match=item.match,
        notes=tuple(bounded(note) for note in notes if note),
    )


def _facts_of_groups(result: DuplicatesResult) -> list[tuple[str, str]]:
    facts = [("Kept", f"the {result.keep} image" if result.keep in RULES else f"what matches {result.keep}")]
    if not result.identical:
        facts.append(("Linkage", result.linkage))
    if result.transforms:
        facts.append(("Transforms", "rotated and mirrored copies too"))
    counts = {
        "Identical": result.total_identical_items,
        "Missing": result.total_missing,
        "Changed since the build": result.total_changed,
        "Not compared": result.total_unknown_content,
        "Not turned": result.total_not_turned,
    }
    return [*facts, *((name, counted(count, "image")) for name, count in counts.items() if count)]
