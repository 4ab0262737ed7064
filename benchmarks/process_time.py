"""Wall times of whole processes: the first thing anybody notices of a command line.

Measures ``import click`` as the floor, ``--help``, ``--version``, and queries by item, text and image on an index of
made-up items (only the index is needed to answer, not the files); then where the time of a query goes, stage by stage.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from common import (
    ROOT,
    interleaved,
    item_id,
    medians,
    milliseconds,
    parse,
    random_keys,
    show_bar,
    show_command,
    show_table,
    write_index,
)

FLOOR = "`python -c 'import click'`"
HELP_LIMIT = 0.25

# Runs in a process of its own: prints the seconds that each stage of a query takes, as JSON.
_STAGES = """
import json, sys, time
from pathlib import Path
begin = time.perf_counter()
laps = []
def lap(name):
    global begin
    laps.append((name, time.perf_counter() - begin))
    begin = time.perf_counter()
kind, dataset, value = sys.argv[1:]
import click; lap("import click")
import numpy; lap("import numpy")
import faiss; lap("import faiss")
import PIL.Image; lap("import PIL")
if kind == "text":
    import tokenizers; lap("import tokenizers")
if kind != "item":
    sys.modules.setdefault("openvino.tools.ovc", None)  # as the command line does
    import openvino, openvino.preprocess; lap("import openvino")
import clipdex.search.explorer; lap("import clipdex (rest)")
explorer = clipdex.search.explorer.Explorer(dataset); lap("open the index")
if kind != "item":
    encoder = explorer._the_encoder(); lap("read model.json")
    if kind == "text":
        encoder._text_preparation; lap("check the note, load the tokenizer")
    getattr(encoder, f"_{kind}_tower"); lap("check the note, load the compiled tower")
query = clipdex.ItemQuery(value) if kind == "item" else value if kind == "text" else Path(value)
explorer.explore_topk(query); lap("answer")
import rich.console, rich.table; lap("import rich")
print(json.dumps(laps))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000, help="items in the index (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=9, help="rounds (default: %(default)s)")
    arguments = parse(parser, items=100, repeats=1)
    show_command()
    with tempfile.TemporaryDirectory(prefix="clipdex-benchmark-") as folder:
        dataset = Path(folder, "dataset")
        write_index(dataset / ".clipdex", random_keys(arguments.items))
        # The last result is remembered there: not in the user's own folder.
        environment = {**os.environ, "XDG_STATE_HOME": str(Path(folder, "state"))}
        values = {
            "item": item_id(arguments.items // 2),
            "text": "dog",
            "image": str(ROOT / "examples/photos/animals/parrot.jpg"),
        }
        measure_processes(dataset, values, environment, arguments.repeats)
        for kind, value in values.items():
            measure_stages(kind, dataset, value, environment, arguments.repeats)


def measure_processes(dataset: Path, values: dict[str, str], environment: dict[str, str], repeats: int) -> None:
    """Time whole processes."""
    program = [sys.executable, "-m", "clipdex_cli"]
    commands = {
        FLOOR: [sys.executable, "-c", "import click"],
        "`clipdex --version`": [*program, "--version"],
        "`clipdex --help`": [*program, "--help"],
        "`clipdex query --help`": [*program, "query", "--help"],
        "item query": [*program, "query", str(dataset), "--item", values["item"]],
        "item query, `--output json`": [*program, "query", str(dataset), "--output", "json", "--item", values["item"]],
        "text query": [*program, "query", str(dataset), "--text", values["text"]],
        "image query": [*program, "query", str(dataset), "--image", values["image"]],
    }
    run = functools.partial(subprocess.run, check=True, stdout=subprocess.DEVNULL, env=environment)
    found = interleaved(
        {name: functools.partial(run, command) for name, command in commands.items()}, repeats, warm=repeats > 1
    )
    middle = medians(found)
    floor = middle[FLOOR]
    show_table(
        ["process", "median ms", "fastest ms", "above import click, ms", "ratio"],
        [
            [name, *map(milliseconds, (value, min(found[name]), value - floor)), f"{value / floor:.1f}"]
            for name, value in middle.items()
        ],
    )
    above = middle["`clipdex --help`"] - floor
    show_bar("`clipdex --help` above import click", above, HELP_LIMIT, at_most=True, unit="s")


def measure_stages(kind: str, dataset: Path, value: str, environment: dict[str, str], repeats: int) -> None:
    """Time the stages of one kind of query, each in a fresh process.

    All have the tower compiled and checked before, by the processes that were timed.
    """
    command = [sys.executable, "-c", _STAGES, kind, str(dataset), value]
    laps: dict[str, list[float]] = {}
    for _ in range(repeats):
        output = subprocess.run(command, check=True, capture_output=True, env=environment).stdout
        for name, seconds in json.loads(output):
            laps.setdefault(name, []).append(seconds)
    show_table(
        [f"stage of the {kind} query", "median ms"],
        [[name, milliseconds(statistics.median(values))] for name, values in laps.items()],
    )


if __name__ == "__main__":
    main()
