"""How long it takes to look at a dataset: to count labels and distances, to turn to a page, to find what is tagged.

python benchmarks/looking.py [--keys N]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from clipdex import DatasetItem, Explorer, ItemFilter, SearchRequest
from common import item_id, milliseconds, parse, random_keys, show_command, show_table, write_index

PAGE = 100


def main() -> None:
    """Make an index of one segment and one of ten, and print how long each way takes first, and again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000, help="number of keys (default: 1,000,000)")
    parser.add_argument("--labels", type=int, default=10_000, help="number of labels (default: 10,000)")
    parser.add_argument("--tagged", type=int, default=10_000, help="number of tagged items (default: 10,000)")
    parser.add_argument("--repeats", type=int, default=7, help="rounds (default: 7)")
    arguments = parse(parser, keys=3000, labels=50, tagged=100, repeats=2)
    show_command()
    keys = random_keys(arguments.keys)
    with tempfile.TemporaryDirectory(prefix="clipdex-benchmark-") as scratch:
        one, ten = Path(scratch, "one"), Path(scratch, "ten")
        write_index(one, keys, labels=arguments.labels)
        write_index(ten, keys, segments=10, labels=arguments.labels)
        _tag(one, arguments.tagged)
        middle = arguments.keys // 2
        queries = [_query(random_keys(1, seed)[0]) for seed in (1, 2, 3)]
        folders = ItemFilter(paths="*0/")
        ways: dict[str, tuple[Path, Callable[[Explorer], object]]] = {
            "facets of all": (one, lambda explorer: explorer.facets()),
            "facets of a tenth": (one, lambda explorer: explorer.facets(folders)),
            "facets of one label": (one, lambda explorer: explorer.facets(ItemFilter(labels="label 7"))),
            "histogram, one query": (one, lambda explorer: explorer.histogram(_request(explorer, queries[:1]))),
            "histogram, three queries": (one, lambda explorer: explorer.histogram(_request(explorer, queries))),
            "50 hits, one query": (one, lambda explorer: explorer.search(_request(explorer, queries[:1]))),
            "50 hits among the tagged": (one, lambda explorer: explorer.search(_request(explorer, queries[:1], "a"))),
            "page in the middle": (one, lambda explorer: explorer.listing().page(middle, PAGE)),
            "page in the middle, 10 segments": (ten, lambda explorer: explorer.listing().page(middle, PAGE)),
            "page of a tenth, 10 segments": (
                ten,
                lambda explorer: explorer.listing(folders).page(middle // 10, PAGE),
            ),
        }
        print(f"{arguments.keys:,} keys, {arguments.labels:,} labels, {arguments.tagged:,} tagged items:\n")
        show_table(
            ["way", "first, ms", "again, ms"], [[name, *_times(*way, arguments.repeats)] for name, way in ways.items()]
        )


def _tag(index: Path, count: int) -> None:
    with Explorer(index=index) as explorer:
        tags = explorer.datasets[0].index.tags
        step = len(explorer) // count
        tags.file.add("a", ((item_id(number * step), "default") for number in range(count)))


def _query(key: object) -> DatasetItem:
    return DatasetItem("query", "default", (), "elsewhere", Path("query"), key, "")  # type: ignore[arg-type]


def _request(explorer: Explorer, queries: list[DatasetItem], tag: str = "") -> SearchRequest:
    from dataclasses import replace

    digest = explorer.datasets[0].index.manifest.model.digest
    asked = tuple(replace(query, model_digest=digest) for query in queries)
    return SearchRequest(asked, filter=ItemFilter(tags=tag) if tag else None)


def _times(index: Path, call: Callable[[Explorer], object], repeats: int) -> list[str]:
    """Return the median time with an explorer that was just opened, and with the same one again."""
    first, again = [], []
    for _ in range(repeats):
        with Explorer(index=index) as explorer:
            for seconds in (first, again):
                begin = time.perf_counter()
                call(explorer)
                seconds.append(time.perf_counter() - begin)
    return [milliseconds(statistics.median(seconds)) for seconds in (first, again)]


if __name__ == "__main__":
    main()
