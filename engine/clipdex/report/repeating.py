"""The command line and the Python that give an answer again, as texts to copy."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from clipdex.datasets.record import DatasetRecord, reopened
from clipdex.defaults import ANY
from clipdex.paths import expanded
from clipdex.report.query_images import is_of_last_result
from clipdex.search.duplicates_result import DuplicatesResult
from clipdex.search.queries import DatasetItem, ImageQuery, ItemQuery, Query, TextQuery
from clipdex.search.request import SearchRequest
from clipdex.search.result import Result
from clipdex_indexes.filters import describe

_LONGEST_LINE = 100
_LONGEST = 20_000


class Repeating(NamedTuple):
    """A command line and a piece of Python; where one is empty, ``why_not`` is a sentence on that."""

    command: str = ""
    python: str = ""
    why_not: str = ""


def repeating(result: Result | DuplicatesResult) -> Repeating:
    """Return what gives an answer again, from the same datasets."""
    found = _of_duplicates(result) if isinstance(result, DuplicatesResult) else _of_result(result)
    if max(len(found.command), len(found.python)) > _LONGEST:
        return Repeating(why_not="The command line is left out, because it is very long.")
    return found


def _of_result(result: Result) -> Repeating:
    request = result.request
    if request is None:
        return Repeating(why_not="The result does not say what was asked so that it can be asked again.")
    images = [query.image for query in request.both if isinstance(query, ImageQuery)]
    if any(not isinstance(image, Path) or is_of_last_result(image) for image in images):
        return Repeating(why_not="An image of the query came from memory or from standard input, so it has no name.")
    known = {dataset.name for dataset in result.datasets}
    if any(isinstance(query, DatasetItem) and query.dataset not in known for query in request.both):
        return Repeating(why_not="An item of the query is of a dataset that was not searched.")
    command = _command_of(result, request)
    why_not = "" if command else "No command line says this: the texts or items have settings of their own."
    return Repeating(command, _python_of(result, request), why_not)


def _command_of(result: Result, request: SearchRequest) -> str:
    """Return the command line of a request, or nothing where its options cannot say it."""
    promptings = {query.prompting for query, _ in request.asked if isinstance(query, TextQuery)}
    subsets = {_subsets(query) for query in request.both if isinstance(query, ItemQuery | DatasetItem)}
    if len(promptings) > 1 or len(subsets) > 1:
        return ""
    several = len(result.datasets) > 1
    words = ["clipdex", "query", *_targets(result.datasets)]
    for query, negative in request.asked:
        words += _option(f"--{'not-' if negative else ''}{query.kind}", _value(query, several))
    words += [word for name in next(iter(subsets), ()) for word in _option("--query-item-subset", name)]
    words += ["-k", str(request.topk)]
    words += ["--merge", request.merge] if request.merge != ANY else []
    for name, values in (describe(request.filter) if request.filter else {}).items():
        option = f"--{name.replace('_', '-').removesuffix('s')}"
        words += [word for value in values for word in _option(option, value)]
    words += ["--max-distance", str(request.max_distance)] if request.max_distance is not None else []
    words += ["--min-strength", request.min_strength] if request.min_strength is not None else []
    switches = {
        "--rescore": request.rescore,
        "--exclude-self": request.exclude_self,
        "--no-prompt": promptings == {"none"},
        "--prompt-ensemble": promptings == {"ensemble"},
    }
    return _line([*words, *(switch for switch, on in switches.items() if on)])


def _subsets(query: ItemQuery | DatasetItem) -> tuple[str, ...]:
    return query.subsets if isinstance(query, ItemQuery) else (query.subset,)


def _value(query: Query | DatasetItem, several: bool) -> str:
    if isinstance(query, TextQuery):
        return query.text
    if isinstance(query, ImageQuery):
        return str(expanded(query.image).absolute()) if isinstance(query.image, Path) else ""
    return f"{query.dataset}:{query.id}" if several and query.dataset else query.id


def _option(flag: str, value: str) -> list[str]:
    return [f"{flag}={value}"] if value.startswith("-") else [flag, value]


def _targets(datasets: Sequence[DatasetRecord]) -> Iterator[str]:
    """Yield the words that say what was searched: first the datasets, then a folder of the index that is elsewhere."""
    sources, index = reopened(datasets)
    if sources:
        yield from (str(dataset.place) for dataset in datasets)
    if index is not None:
        yield from ("--index", str(index))


def _line(words: Sequence[str]) -> str:
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    """Return a word for a shell; one with control characters as Bash, Zsh and Fish escape them."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = "".join(_escaped(character) for character in word)
    return f"$'{escaped}'"


def _escaped(character: str) -> str:
    if character.isprintable():
        return f"\\{character}" if character in "\\'" else character
    return "".join(f"\\x{byte:02x}" for byte in character.encode(errors="surrogateescape"))


def _python_of(result: Result, request: SearchRequest) -> str:
    queries, negative = (
        [_as_python(query) for query, away in request.asked if away == negative] for negative in (False, True)
    )
    arguments = [_several(queries), f"topk={request.topk}"]
    arguments += [f"negative={_several(negative)}"] if negative else []
    arguments += [f"merge={request.merge!r}"] if request.merge != ANY else []
    arguments += [f"{name}=True" for name in ("rescore", "exclude_self") if getattr(request, name)]
    if request.filter:
        wanted = ", ".join(f"{name}={tuple(values)!r}" for name, values in describe(request.filter).items())
        arguments.append(f"filter=ItemFilter({wanted})")
    arguments += [f"max_distance={request.max_distance}"] if request.max_distance is not None else []
    arguments += [f"min_strength={request.min_strength!r}"] if request.min_strength is not None else []
    call = _call("result = explorer.explore_topk", arguments, "    ")
    opened = _call("Explorer", _opened(result.datasets), "")
    names = ["Explorer", *(name for name in ("ItemFilter", "ItemQuery", "TextQuery") if f"{name}(" in call)]
    path = "from pathlib import Path\n\n" if "Path(" in call else ""
    return f"{path}from clipdex import {', '.join(names)}\n\nwith {opened} as explorer:\n    {call}"


def _as_python(query: Query | DatasetItem) -> str:
    if isinstance(query, TextQuery):
        return repr(query.text) if query.prompting == "auto" else f"TextQuery({query.text!r}, {query.prompting!r})"
    if isinstance(query, ImageQuery):
        return f"Path({_value(query, False)!r})"
    if isinstance(query, DatasetItem):
        return f"explorer.item({query.id!r}, {query.subset!r}, {query.dataset!r})"
    more = [repr(query.subsets)] if query.subsets or query.dataset else []
    more += [repr(query.dataset)] if query.dataset else []
    return f"ItemQuery({', '.join([repr(query.id), *more])})"


def _several(queries: Sequence[str]) -> str:
    return queries[0] if len(queries) == 1 else f"[{', '.join(queries)}]"


def _opened(datasets: Sequence[DatasetRecord]) -> list[str]:
    """Return the arguments that open what was searched."""
    sources, index = reopened(datasets)
    places = [repr(str(dataset.place)) for dataset in datasets] if sources else []
    return [*places, *([f"index={str(index)!r}"] if index is not None else [])]


def _call(name: str, arguments: Sequence[str], indent: str) -> str:
    """Write a call in one line, or where that is long with a line for each argument."""
    line = f"{name}({', '.join(arguments)})"
    if len(indent) + len(line) <= _LONGEST_LINE:
        return line
    lines = "".join(f"{indent}    {argument},\n" for argument in arguments)
    return f"{name}(\n{lines}{indent})"


def _of_duplicates(result: DuplicatesResult) -> Repeating:
    values = {
        "max_distance": None if result.identical else result.max_distance,
        "across": result.across or None,
        "identical": result.identical or None,
        "keep": result.keep if result.keep != "first" else None,
        "linkage": result.linkage if result.linkage != "single" and not result.identical else None,
        "transforms": result.transforms or None,
        "limit": len(result.groups) if 0 < len(result.groups) < result.total_groups else None,
    }
    given = {name: value for name, value in values.items() if value is not None}
    words = ["clipdex", "duplicates", *_targets(result.datasets)]
    for name, value in given.items():
        flag = f"--{name.replace('_', '-')}"
        words += [flag] if value is True else _option(flag, str(value))
    arguments = [*_opened(result.datasets), *(f"{name}={value!r}" for name, value in given.items())]
    call = _call("result = find_duplicates", arguments, "")
    return Repeating(_line(words), f"from clipdex import find_duplicates\n\n{call}")
