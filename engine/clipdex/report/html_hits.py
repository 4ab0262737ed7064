"""Hits as a page, and as tiles for other pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from clipdex.datasets.record import DatasetRecord
from clipdex.defaults import ANY
from clipdex.report.html_templates import Page, Tile, bounded, picture_or_reason, render
from clipdex.report.repeating import repeating
from clipdex.report.thumbnails import Thumbnail, thumbnails
from clipdex.search.hit import Hit
from clipdex.search.result import QueryRecord, Result
from clipdex.wording import counted

# A page of this many pictures has at most 8 MB.
MOST_PICTURES = 400
BYTES_OF_PICTURES = 6_400_000
_BYTES_OF_QUERIES = 600_000
_MOST_QUERIES = 40
_MOST_DATASETS = 40
_LONGEST_TITLE = 120


def page_of_hits(result: Result, max_pixels: int) -> Page:
    """Return the hits of a query as a page: the first 400, and the first 40 queries."""
    hits = result.hits[:MOST_PICTURES]
    queries = result.queries[:_MOST_QUERIES]
    tiles = tiles_of_hits(result, hits, BYTES_OF_PICTURES, max_pixels)
    count = counted(len(result.hits), "hit")
    left_out = []
    if len(hits) < len(result.hits):
        left_out.append(f"The first {len(hits)} of {count} are shown.")
    if len(queries) < len(result.queries):
        left_out.append(f"The first {len(queries)} of {len(result.queries):,} queries are shown.")
    html = render(
        "hits.html",
        title=title_of(result),
        summary=f"{count} in {places(result.datasets)}",
        left_out=left_out,
        warnings=[bounded(sentence, 400) for sentence in result.warnings],
        queries=_queries(result, queries, max_pixels),
        hits=tiles,
        repeating=repeating(result),
        facts=[*facts_of(result.datasets), *_facts_of_question(result)],
    )
    missing = tuple((hit, tile.instead) for hit, tile in zip(hits, tiles, strict=True) if tile.picture is None)
    return Page(html, len(hits), len(result.hits), missing)


def title_of(result: Result) -> str:
    """Return what was asked in a few words."""
    names = [_name(query) for query in result.queries if not query.negative]
    away = [_name(query) for query in result.queries if query.negative]
    return bounded(", ".join(names) + (f", not {', '.join(away)}" if away else ""), _LONGEST_TITLE)


def _name(query: QueryRecord) -> str:
    if query.kind == "text":
        return f"“{query.value}”"
    return Path(query.value).name if query.kind == "image" else query.value


def tiles_of_hits(result: Result, hits: Sequence[Hit], most_bytes: int, max_pixels: int) -> list[Tile]:
    """Return a tile for each hit; what differs between the hits is said of each."""
    several_queries = sum(not query.negative for query in result.queries) > 1
    several_datasets = len(result.datasets) > 1
    several_subsets = len({hit.subset for hit in hits}) > 1
    pictures = thumbnails([hit.path for hit in hits], most_bytes=most_bytes, max_pixels=max_pixels)
    tiles = []
    for hit, picture in zip(hits, pictures, strict=True):
        notes = [f"like {_name(result.queries[hit.query])}"] if several_queries else []
        where = [*([hit.dataset] if several_datasets else []), *([hit.subset] if several_subsets else [])]
        notes += [f"in {', '.join(where)}"] if where else []
        tiles.append(tile_of_hit(hit, picture, notes))
    return tiles


def tile_of_hit(hit: Hit, picture: Thumbnail | str, notes: Sequence[str] = ()) -> Tile:
    """Return the tile of one hit, with a picture or the reason why there is none."""
    distance = counted(hit.distance, "bit") + (f", score {hit.score:.0f}" if hit.score is not None else "")
    lines = [", ".join(hit.labels), *notes]
    return Tile(
        bounded(hit.id),
        *picture_or_reason(picture),
        number=str(hit.rank),
        distance=distance,
        strength=hit.strength or "",
        notes=tuple(bounded(line) for line in lines if line),
    )


class _Query(NamedTuple):
    """A query as a page shows it."""

    kind: str
    name: str
    is_text: bool
    negative: bool
    picture: Thumbnail | None
    instead: str


def _queries(result: Result, queries: Sequence[QueryRecord], max_pixels: int) -> list[_Query]:
    sources = [result.images.get(number) or query.path for number, query in enumerate(queries)]
    pictures = thumbnails(sources, most_bytes=_BYTES_OF_QUERIES, max_pixels=max_pixels)
    return [
        _Query(
            f"not like this {query.kind}" if query.negative else query.kind,
            bounded(query.value if query.kind == "text" else _name(query), 400),
            query.kind == "text",
            query.negative,
            *picture_or_reason(picture),
        )
        for query, picture in zip(queries, pictures, strict=True)
    ]


def places(datasets: Sequence[DatasetRecord]) -> str:
    """Return the names of what was searched, and the number of images there."""
    images = counted(sum(dataset.items for dataset in datasets), "image")
    return f"{bounded(', '.join(dataset.name for dataset in datasets), 400)} ({images})"


def facts_of(datasets: Sequence[DatasetRecord]) -> list[tuple[str, str]]:
    """Return what was searched, and the models: pairs of a term and its description."""
    facts = [
        ("Dataset", bounded(f"{dataset.name}: {dataset.place}, {counted(dataset.items, 'image')}", 400))
        for dataset in datasets[:_MOST_DATASETS]
    ]
    if len(datasets) > _MOST_DATASETS:
        facts.append(("Dataset", f"{len(datasets) - _MOST_DATASETS:,} more"))
    models = dict.fromkeys(f"{dataset.model}, {dataset.bits} bits" for dataset in datasets)
    return [*facts, *(("Model", bounded(model)) for model in models)]


def _facts_of_question(result: Result) -> list[tuple[str, str]]:
    facts = [
        (name.replace("_", " ").capitalize(), bounded(", ".join(values), 400)) for name, values in result.filter.items()
    ]
    if result.max_distance is not None:
        facts.append(("Distance", f"at most {counted(result.max_distance, 'bit')}"))
    if result.min_strength is not None:
        facts.append(("Strength", f"at least {result.min_strength}"))
    if len(result.queries) > 1:
        facts.append(("Merged by", bounded(result.merge)))
    if result.mode != ANY:
        facts.append(("Merge mode", bounded(result.mode)))
    if result.rescored:
        facts.append(("Ordered by", "asymmetric distance"))
    return facts
