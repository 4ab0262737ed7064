"""What the API takes and gives, as JSON Schema: requests are checked by it, and the OpenAPI document holds it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from clipdex.defaults import MERGES, PROMPTINGS, STRENGTHS
from clipdex_indexes import ItemFilter

MOST_HITS = 10_000
MOST_QUERIES = 32
MOST_FILTERS = 200
MOST_TEXT = 10_000
MOST_ITEMS = 1000
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
            "min_strength": {"type": "string", "enum": list(STRENGTHS), "description": "Least strength of a hit."},
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
            "chance": {"type": "number", "description": "Chance of one as near where nothing fits."},
            "strength": {"type": "string", "enum": list(STRENGTHS), "description": "The same in a word."},
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
