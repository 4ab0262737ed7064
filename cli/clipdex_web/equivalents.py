"""The command line and the Python that give the answer of a page."""

from __future__ import annotations

import pprint
import shlex
from dataclasses import replace
from typing import Any

from clipdex.search.request import SearchRequest
from clipdex.search.result import Result
from clipdex_web.collection import Collection
from clipdex_web.state import IMAGE, ITEM, TEXT, Chip, State

_WIDTH = 100
_SET_THERE = "# set the filter there: no command lists images that nothing was asked of"


def command_line(collection: Collection, state: State) -> str:
    """Return the command line that gives the answer of a page, or that shows what a page without queries does."""
    words = ["clipdex", "query" if state.chips else "view", *collection.words]
    if collection.index is not None:
        words += ["--index", str(collection.index)]
    if state.chips:
        words += _words_of(collection, state)
    line = " ".join(map(shlex.quote, words))
    return f"{line}  {_SET_THERE}" if state.filter and not state.chips else line


def _words_of(collection: Collection, state: State) -> list[str]:
    plain = State()
    words = [_option(f"{'not-' if chip.negative else ''}{chip.kind}", _value(collection, chip)) for chip in state.chips]
    subsets = sorted({chip.item.subset for chip in state.chips if chip.kind == ITEM})
    if subsets and collection.several_subsets:
        words += [_option("query-item-subset", subset) for subset in subsets]
    words += [_option(name.replace("_", "-"), value) for name, value in state.filter_pairs()]
    for name in ("topk", "merge", "max_distance", "min_strength"):
        if getattr(state, name) != getattr(plain, name):
            words.append(_option(name.replace("_", "-"), str(getattr(state, name))))
    switches = {
        "--rescore": state.rescore,
        "--exclude-self": state.exclude_self,
        "--no-prompt": state.prompting == "none",
        "--prompt-ensemble": state.prompting == "ensemble",
    }
    return [*words, *(flag for flag, on in switches.items() if on)]


def _option(name: str, value: str) -> str:
    return f"--{name}={value}"


def _value(collection: Collection, chip: Chip) -> str:
    if chip.kind == TEXT:
        return chip.value
    if chip.kind == IMAGE:
        return str(collection.uploads.path(chip.value))
    return f"{chip.item.dataset}:{chip.item.id}" if collection.several else chip.item.id


def request_of(collection: Collection, state: State) -> dict[str, Any]:
    """Return the request of a page as plain values; uploads are named by their files."""

    def query(chip: Chip) -> dict[str, Any]:
        if chip.kind == TEXT:
            return {"kind": "text", "value": chip.value}
        if chip.kind == IMAGE:
            return {"kind": "image", "value": str(collection.uploads.path(chip.value))}
        item = chip.item
        return {"kind": "item", "value": item.id, "subsets": [item.subset], "dataset": item.dataset}

    plain = State()
    body: dict[str, Any] = {"queries": [query(chip) for chip in state.chips if not chip.negative]}
    if negative := [query(chip) for chip in state.chips if chip.negative]:
        body["negative"] = negative
    for name in ("topk", "merge", "rescore", "max_distance", "min_strength", "prompting", "exclude_self"):
        if getattr(state, name) != getattr(plain, name):
            body[name] = getattr(state, name)
    if state.filter:
        body["filter"] = _filter(state)
    return body


def _filter(state: State) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in state.filter_pairs():
        values.setdefault(f"{name}s", []).append(value)
    return values


def python_of(collection: Collection, state: State) -> str:
    """Return the Python that gives the answer of a page."""
    places = [str(dataset.root / dataset.part) for dataset in collection.explorer.datasets]
    arguments = [repr(place) for place, one in zip(places, collection.explorer.datasets, strict=True) if not one.lost]
    if collection.index is not None:
        arguments.append(f"index={str(collection.index)!r}")
    opened = f"with Explorer({', '.join(arguments)}) as explorer:"
    if state.chips:
        body = pprint.pformat(request_of(collection, state), width=_WIDTH, sort_dicts=False)
        return (
            f"from clipdex import Explorer, SearchRequest\n\nrequest = SearchRequest.from_dict(\n{_indented(body)}\n)\n"
            f"{opened}\n    for hit in explorer.search(request):\n        print(hit.rank, hit.distance, hit.id)\n"
        )
    names = ", ".join(f"{name}={tuple(values)!r}" for name, values in _filter(state).items())
    wanted = f"ItemFilter({names})" if names else ""
    start = (state.page - 1) * state.per
    return (
        f"from clipdex import Explorer{', ItemFilter' if names else ''}\n\n{opened}\n"
        f"    for item in explorer.listing({wanted}).page({start}, {state.per}):\n        print(item.row.id)\n"
    )


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def json_of(collection: Collection, state: State, result: Result) -> str:
    """Return a result as JSON, as ``clipdex query --output json`` prints it; ``--from`` asks it again."""
    return replace(result, request=SearchRequest.from_dict(request_of(collection, state)), images={}).to_json()
