"""What the API takes and gives, as JSON Schema: requests are checked by it, and the OpenAPI document holds it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from clipdex.defaults import MERGES, PROMPTINGS
from clipdex.search.duplicate_settings import DATASETS, LINKAGES, SUBSETS
from clipdex_indexes import ItemFilter

MOST_HITS = 10_000
MOST_QUERIES = 32
MOST_FILTERS = 200
MOST_TEXT = 10_000
MOST_ITEMS = 1000
MOST_MARKED = 10_000
MOST_TAGGED = 100_000
UPLOAD_PATTERN = "^[0-9a-f]{64}$"
SIZES = (256, 512, 1600)
THUMBNAIL = SIZES[0]
LARGE = SIZES[-1]

Object = dict[str, Any]


def _text(description: str, **more: Any) -> Object:  # noqa: ANN401
    return {"type": "string", "maxLength": MOST_TEXT, "description": description, **more}


def _number(description: str, least: int = 0, **more: Any) -> Object:  # noqa: ANN401
    return {"type": "integer", "minimum": least, "maximum": more.pop("most", 2**53), "description": description, **more}


def _list(of: Object, description: str, **more: Any) -> Object:  # noqa: ANN401
    return {"type": "array", "items": of, "description": description, **more}


def _object(description: str, properties: Object, required: tuple[str, ...] = ()) -> Object:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _ref(name: str) -> Object:
    return {"$ref": f"#/components/schemas/{name}"}


_SWITCH = {"type": "boolean"}
_NAMES = _list(_text("A name or a pattern."), "Alternatives.", maxItems=MOST_FILTERS)
_QUERIES = {"oneOf": [_ref(f"{kind}Query") for kind in ("Text", "Item", "Upload")]}
_QUERIES["discriminator"] = {"propertyName": "kind"}  # type: ignore[assignment]

FILTER_PARAMETERS: dict[str, Object] = {
    field.name: _text("Only these items may be found; repeatable." if field.name[:4] != "not_" else "Left out.")
    for field in fields(ItemFilter)
}
ITEM_PARAMETERS: dict[str, Object] = {
    "dataset": _text("Name of the dataset."),
    "subset": _text("Subset of the item."),
    "id": _text("Id of the item.", minLength=1),
}
SIZE_PARAMETER: Object = {
    "type": "integer",
    "enum": list(SIZES),
    "description": "The longer side in pixels, at most; smaller images stay as they are.",
}
PAGE_PARAMETERS: dict[str, Object] = {
    "limit": _number("The most items that are returned.", 1, most=MOST_ITEMS),
    "cursor": _text("Where to go on: next of the answer before.", maxLength=64),
}

FACETS_PARAMETERS: dict[str, Object] = {
    "kind": {
        "type": "string",
        "enum": ["labels", "tags", "subsets", "datasets"],
        "description": "Only names of this kind.",
    },
    "find": _text("Only names that hold this text, in any case.", maxLength=1000),
    "limit": _number("The most names of a kind.", 1, most=MOST_ITEMS),
}
DUPLICATES_PARAMETERS: dict[str, Object] = {
    "max_distance": _number("Greatest distance of near images, in bits; one bit in 32 by default.", most=1 << 20),
    "across": {
        "type": "string",
        "enum": [SUBSETS, DATASETS],
        "description": "Only groups with images of several subsets or datasets.",
    },
    "identical": {"type": "boolean", "description": "Only files with the same content."},
    "keep": _text("What is kept of a group: first, largest, oldest, newest, or a pattern.", maxLength=1000),
    "linkage": {
        "type": "string",
        "enum": list(LINKAGES),
        "description": "single: each image is near another one of its group. complete: near all of them.",
    },
}

DEFINITIONS: dict[str, Object] = {
    "TextQuery": _object(
        "Images that show what a text says.",
        {
            "kind": {"type": "string", "const": "text"},
            "value": _text("The text.", minLength=1),
            "prompting": {"type": "string", "enum": list(PROMPTINGS)},
        },
        ("kind", "value"),
    ),
    "ItemQuery": _object(
        "Images like an item.",
        {
            "kind": {"type": "string", "const": "item"},
            "value": _text("Its id.", minLength=1),
            "subsets": _list(_text("A subset."), "Subsets to look in; all by default.", maxItems=MOST_FILTERS),
            "dataset": _text("Its dataset; any by default."),
        },
        ("kind", "value"),
    ),
    "UploadQuery": _object(
        "Images like one that was uploaded.",
        {
            "kind": {"type": "string", "const": "upload"},
            "value": _text("What /uploads returned.", pattern=UPLOAD_PATTERN),
        },
        ("kind", "value"),
    ),
    "Filter": _object(
        "What may be found. Several values of one kind are alternatives, and all kinds must agree.",
        {field.name: _NAMES for field in fields(ItemFilter)},
    ),
    "SearchRequest": _object(
        "One question. Image queries name an upload: images of the server are asked with by item, never by path.",
        {
            "schema": {"type": "integer", "enum": [1]},
            "queries": _list(_QUERIES, "What is searched for.", minItems=1, maxItems=MOST_QUERIES),
            "negative": _list(_QUERIES, "What is pushed away.", maxItems=MOST_QUERIES),
            "topk": _number("Number of hits.", 1, most=MOST_HITS),
            "merge": {"type": "string", "enum": list(MERGES), "description": "How a list of queries is merged."},
            "rescore": _SWITCH,
            "filter": _ref("Filter"),
            "max_distance": _number("Greatest distance of a hit, in bits."),
            "prompting": {"type": "string", "enum": list(PROMPTINGS)},
            "exclude_self": _SWITCH,
        },
        ("queries",),
    ),
    "Hit": {
        "type": "object",
        "description": "One answer. The result format documents all keys.",
        "properties": {
            "rank": _number("From 1.", 1),
            "distance": _number("Hamming distance in bits."),
            "query": _number("The query that it matched best, from 0."),
            "dataset": _text("Its dataset."),
            "id": _text("Its id."),
            "subset": _text("Its subset."),
            "path": _text("Its file on the server."),
            "labels": _list(_text("A label."), "Its labels."),
        },
        "required": ["rank", "distance", "query", "dataset", "id", "subset", "path", "labels"],
    },
    "Result": {
        "type": "object",
        "description": "The result of a query, as clipdex query --output json prints it; request is as it was asked.",
        "properties": {
            "schema": {"type": "integer", "enum": [1]},
            "topk": _number("Number of hits that were wanted.", 1),
            "merge": _text("The rule that merged the answers."),
            "request": _ref("SearchRequest"),
            "queries": _list({"type": "object"}, "The queries as they were encoded."),
            "datasets": _list({"type": "object"}, "What was searched."),
            "hits": _list(_ref("Hit"), "Best first."),
        },
        "required": ["schema", "topk", "merge", "request", "queries", "datasets", "hits"],
    },
    "Item": _object(
        "One item.",
        {
            "dataset": _text("Its dataset."),
            "subset": _text("Its subset."),
            "id": _text("Its id."),
            "labels": _list(_text("A label."), "Its labels."),
            "path": _text("Its file on the server."),
            "bytes": _number("Size of the file when it was hashed."),
            "hash_key": _text("Its hash key in hexadecimal, most significant bit first; of single items only."),
            "model_digest": _text("Digest of the model that hashed it; of single items only."),
        },
        ("dataset", "subset", "id", "labels", "path", "bytes"),
    ),
    "Items": _object(
        "A page of items, in order.",
        {
            "total": _number("How many items pass the filter."),
            "items": _list(_ref("Item"), "The page."),
            "next": _text("The cursor of the next page; not there at the end."),
        },
        ("total", "items"),
    ),
    "Counting": _object(
        "Work that goes on: ask again.",
        {
            "counting": _text("What is counted."),
            "done": _number("How much of it is done."),
            "total": _number("Of how much; 0 before it begins."),
        },
        ("counting", "done", "total"),
    ),
    "Duplicates": {
        "type": "object",
        "description": "Groups of duplicates, as clipdex duplicates --output json prints them, a page at a time.",
        "properties": {
            "schema": {"type": "integer", "enum": [1]},
            "max_distance": _number("Two images are near when they differ in at most so many bits."),
            "total_groups": _number("Number of all groups."),
            "total_items": _number("Number of the images in them."),
            "groups": _list({"type": "object"}, "Groups, the largest first; number is their place among all."),
            "next": _text("The cursor of the next page; not there at the end."),
        },
        "required": ["schema", "max_distance", "total_groups", "total_items", "groups"],
    },
    "Names": _object(
        "Names and how many items have each, the most frequent first.",
        {
            "total": _number("How many names there are."),
            "first": _list(
                _object("A name.", {"name": _text("It."), "items": _number("How many items.")}, ("name", "items")),
                "The first of them.",
            ),
        },
        ("total", "first"),
    ),
    "Facets": _object(
        "Exact numbers of items.",
        {
            "items": _number("How many items were counted."),
            "unlabelled": _number("How many of them have no label."),
            "problems": _list(_text("A sentence."), "Why some tags could not be counted."),
            **{kind: _ref("Names") for kind in ("labels", "tags", "subsets", "datasets")},
        },
        ("items", "unlabelled", "problems"),
    ),
    "Histogram": {
        "type": "object",
        "description": "How many items are at each distance.",
        "properties": {
            "distances": _list(_number("Items."), "By the distance to the nearest query, from 0."),
            "queries": _list(_list(_number("Items."), "By distance."), "The same for each query alone."),
            "scores": {"type": "object", "description": "By merged value, where another one orders the hits."},
        },
        "required": ["distances", "queries"],
    },
    "Map": _object(
        "The map that there is.",
        {
            "items": _number("How many items are on it."),
            "method": _text("t-SNE, or PCA where openTSNE is not installed."),
            "landmarks": _number("How many items were laid out; the others were placed by them."),
            "notes": _list(_text("A sentence."), "What was not as expected."),
        },
        ("items", "method", "landmarks", "notes"),
    ),
    "Tags": _object(
        "The tags.",
        {"tags": _list({"type": "object"}, "Each with name, items, gone and gone_ids.")},
        ("tags",),
    ),
    "TagChange": _object(
        "Items that are given a tag, or lose it.",
        {
            "action": {"type": "string", "enum": ["add", "remove"]},
            "name": _text("The tag."),
            "items": _list(
                _object("An item.", ITEM_PARAMETERS, tuple(ITEM_PARAMETERS)), "The items.", maxItems=MOST_TAGGED
            ),
        },
        ("action", "name", "items"),
    ),
    "TagChanged": _object(
        "What that did.",
        {
            "name": _text("The tag, with composed letters."),
            "changed": _number("How many items changed."),
            "missing": _list(_text("An id."), "Items that are in no index."),
        },
        ("name", "changed", "missing"),
    ),
    "Upload": _object(
        "An image that was uploaded, to be asked with.",
        {"kind": {"type": "string", "const": "upload"}, "value": _text("Its name.", pattern=UPLOAD_PATTERN)},
        ("kind", "value"),
    ),
    "Info": _object(
        "What is served.",
        {
            "version": _text("Version of clipdex."),
            "items": _number("Number of items."),
            "model": _text("loading, ready, idle, or why the model cannot be used."),
            "datasets": _list({"type": "object"}, "The datasets, as in a result."),
        },
        ("version", "items", "model", "datasets"),
    ),
    "Problem": {
        "type": "object",
        "description": "What went wrong (RFC 9457).",
        "properties": {
            "type": _text("about:blank"),
            "title": _text("The kind of problem."),
            "status": _number("The HTTP status."),
            "detail": _text("What was wrong, and what to do."),
        },
        "required": ["type", "title", "status", "detail"],
    },
}
