"""What the API takes and gives, as JSON Schema: requests are checked by it, and the OpenAPI document holds it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from clipdex.defaults import MERGES, PROMPTINGS, STRENGTHS
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


def text(description: str, **more: Any) -> Object:  # noqa: ANN401
    """Return the schema of a text."""
    return {"type": "string", "maxLength": MOST_TEXT, "description": description, **more}


def number(description: str, least: int = 0, **more: Any) -> Object:  # noqa: ANN401
    """Return the schema of a whole number."""
    return {"type": "integer", "minimum": least, "maximum": more.pop("most", 2**53), "description": description, **more}


def list_of(of: Object, description: str, **more: Any) -> Object:  # noqa: ANN401
    """Return the schema of a list."""
    return {"type": "array", "items": of, "description": description, **more}


def object_of(description: str, properties: Object, required: tuple[str, ...] = ()) -> Object:
    """Return the schema of an object that has no other keys."""
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def ref(name: str) -> Object:
    """Return what stands for a schema in ``DEFINITIONS``."""
    return {"$ref": f"#/components/schemas/{name}"}


def queries_of(*kinds: str) -> Object:
    """Return the schema of a query of one of these kinds, such as ``Text``."""
    return {"oneOf": [ref(f"{kind}Query") for kind in kinds], "discriminator": {"propertyName": "kind"}}


SWITCH = {"type": "boolean"}
_NAMES = list_of(text("A name or a pattern."), "Alternatives.", maxItems=MOST_FILTERS)
_QUERIES = queries_of("Text", "Item", "Upload")

FILTER_PARAMETERS: dict[str, Object] = {
    field.name: text("Only these items may be found; repeatable." if field.name[:4] != "not_" else "Left out.")
    for field in fields(ItemFilter)
}
ITEM_PARAMETERS: dict[str, Object] = {
    "dataset": text("Name of the dataset."),
    "subset": text("Subset of the item."),
    "id": text("Id of the item.", minLength=1),
}
SIZE_PARAMETER: Object = {
    "type": "integer",
    "enum": list(SIZES),
    "description": "The longer side in pixels, at most; smaller images stay as they are.",
}
PAGE_PARAMETERS: dict[str, Object] = {
    "limit": number("The most items that are returned.", 1, most=MOST_ITEMS),
    "cursor": text("Where to go on: next of the answer before.", maxLength=64),
}

FACETS_PARAMETERS: dict[str, Object] = {
    "kind": {
        "type": "string",
        "enum": ["labels", "tags", "subsets", "datasets"],
        "description": "Only names of this kind.",
    },
    "find": text("Only names that hold this text, in any case.", maxLength=1000),
    "limit": number("The most names of a kind.", 1, most=MOST_ITEMS),
}
DUPLICATES_PARAMETERS: dict[str, Object] = {
    "max_distance": number("Greatest distance of near images, in bits; one bit in 32 by default.", most=1 << 20),
    "across": {
        "type": "string",
        "enum": [SUBSETS, DATASETS],
        "description": "Only groups with images of several subsets or datasets.",
    },
    "identical": {"type": "boolean", "description": "Only files with the same content."},
    "keep": text("What is kept of a group: first, largest, oldest, newest, or a pattern.", maxLength=1000),
    "linkage": {
        "type": "string",
        "enum": list(LINKAGES),
        "description": "single: each image is near another one of its group. complete: near all of them.",
    },
}

DEFINITIONS: dict[str, Object] = {
    "TextQuery": object_of(
        "Images that show what a text says.",
        {
            "kind": {"type": "string", "const": "text"},
            "value": text("The text.", minLength=1),
            "prompting": {"type": "string", "enum": list(PROMPTINGS)},
        },
        ("kind", "value"),
    ),
    "ItemQuery": object_of(
        "Images like an item.",
        {
            "kind": {"type": "string", "const": "item"},
            "value": text("Its id.", minLength=1),
            "subsets": list_of(text("A subset."), "Subsets to look in; all by default.", maxItems=MOST_FILTERS),
            "dataset": text("Its dataset; any by default."),
        },
        ("kind", "value"),
    ),
    "UploadQuery": object_of(
        "Images like one that was uploaded.",
        {
            "kind": {"type": "string", "const": "upload"},
            "value": text("What /uploads returned.", pattern=UPLOAD_PATTERN),
        },
        ("kind", "value"),
    ),
    "Filter": object_of(
        "What may be found. Several values of one kind are alternatives, and all kinds must agree.",
        {field.name: _NAMES for field in fields(ItemFilter)},
    ),
    "SearchRequest": object_of(
        "One question. Image queries name an upload: images of the server are asked with by item, never by path.",
        {
            "schema": {"type": "integer", "enum": [1]},
            "queries": list_of(_QUERIES, "What is searched for.", minItems=1, maxItems=MOST_QUERIES),
            "negative": list_of(_QUERIES, "What is pushed away.", maxItems=MOST_QUERIES),
            "topk": number("Number of hits.", 1, most=MOST_HITS),
            "merge": {"type": "string", "enum": list(MERGES), "description": "How a list of queries is merged."},
            "rescore": SWITCH,
            "filter": ref("Filter"),
            "max_distance": number("Greatest distance of a hit, in bits."),
            "min_strength": {"type": "string", "enum": list(STRENGTHS), "description": "Least strength of a hit."},
            "prompting": {"type": "string", "enum": list(PROMPTINGS)},
            "exclude_self": SWITCH,
        },
        ("queries",),
    ),
    "Hit": {
        "type": "object",
        "description": "One answer. The result format documents all keys.",
        "properties": {
            "rank": number("From 1.", 1),
            "distance": number("Hamming distance in bits."),
            "query": number("The query that it matched best, from 0."),
            "dataset": text("Its dataset."),
            "id": text("Its id."),
            "subset": text("Its subset."),
            "path": text("Its file on the server."),
            "labels": list_of(text("A label."), "Its labels."),
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
            "topk": number("Number of hits that were wanted.", 1),
            "merge": text("The rule that merged the answers."),
            "request": ref("SearchRequest"),
            "queries": list_of({"type": "object"}, "The queries as they were encoded."),
            "datasets": list_of({"type": "object"}, "What was searched."),
            "hits": list_of(ref("Hit"), "Best first."),
        },
        "required": ["schema", "topk", "merge", "request", "queries", "datasets", "hits"],
    },
    "Item": object_of(
        "One item.",
        {
            "dataset": text("Its dataset."),
            "subset": text("Its subset."),
            "id": text("Its id."),
            "labels": list_of(text("A label."), "Its labels."),
            "path": text("Its file on the server."),
            "bytes": number("Size of the file when it was hashed."),
            "hash_key": text("Its hash key in hexadecimal, most significant bit first; of single items only."),
            "model_digest": text("Digest of the model that hashed it; of single items only."),
        },
        ("dataset", "subset", "id", "labels", "path", "bytes"),
    ),
    "Items": object_of(
        "A page of items, in order.",
        {
            "total": number("How many items pass the filter."),
            "items": list_of(ref("Item"), "The page."),
            "next": text("The cursor of the next page; not there at the end."),
        },
        ("total", "items"),
    ),
    "Counting": object_of(
        "Work that goes on: ask again.",
        {
            "counting": text("What is counted."),
            "done": number("How much of it is done."),
            "total": number("Of how much; 0 before it begins."),
        },
        ("counting", "done", "total"),
    ),
    "Duplicates": {
        "type": "object",
        "description": "Groups of duplicates, as clipdex duplicates --output json prints them, a page at a time.",
        "properties": {
            "schema": {"type": "integer", "enum": [1]},
            "max_distance": number("Two images are near when they differ in at most so many bits."),
            "total_groups": number("Number of all groups."),
            "total_items": number("Number of the images in them."),
            "groups": list_of({"type": "object"}, "Groups, the largest first; number is their place among all."),
            "next": text("The cursor of the next page; not there at the end."),
        },
        "required": ["schema", "max_distance", "total_groups", "total_items", "groups"],
    },
    "Names": object_of(
        "Names and how many items have each, the most frequent first.",
        {
            "total": number("How many names there are."),
            "first": list_of(
                object_of("A name.", {"name": text("It."), "items": number("How many items.")}, ("name", "items")),
                "The first of them.",
            ),
        },
        ("total", "first"),
    ),
    "Facets": object_of(
        "Exact numbers of items.",
        {
            "items": number("How many items were counted."),
            "unlabelled": number("How many of them have no label."),
            "problems": list_of(text("A sentence."), "Why some tags could not be counted."),
            **{kind: ref("Names") for kind in ("labels", "tags", "subsets", "datasets")},
        },
        ("items", "unlabelled", "problems"),
    ),
    "Histogram": {
        "type": "object",
        "description": "How many items are at each distance.",
        "properties": {
            "distances": list_of(number("Items."), "By the distance to the nearest query, from 0."),
            "queries": list_of(list_of(number("Items."), "By distance."), "The same for each query alone."),
            "scores": {"type": "object", "description": "By merged value, where another one orders the hits."},
        },
        "required": ["distances", "queries"],
    },
    "Map": object_of(
        "The map that there is.",
        {
            "items": number("How many items are on it."),
            "method": text("t-SNE, or PCA where openTSNE is not installed."),
            "landmarks": number("How many items were laid out; the others were placed by them."),
            "notes": list_of(text("A sentence."), "What was not as expected."),
        },
        ("items", "method", "landmarks", "notes"),
    ),
    "Tags": object_of(
        "The tags.",
        {"tags": list_of({"type": "object"}, "Each with name, items, gone and gone_ids.")},
        ("tags",),
    ),
    "TagChange": object_of(
        "Items that are given a tag, or lose it.",
        {
            "action": {"type": "string", "enum": ["add", "remove"]},
            "name": text("The tag."),
            "items": list_of(
                object_of("An item.", ITEM_PARAMETERS, tuple(ITEM_PARAMETERS)), "The items.", maxItems=MOST_TAGGED
            ),
        },
        ("action", "name", "items"),
    ),
    "TagChanged": object_of(
        "What that did.",
        {
            "name": text("The tag, with composed letters."),
            "changed": number("How many items changed."),
            "missing": list_of(text("An id."), "Items that are in no index."),
        },
        ("name", "changed", "missing"),
    ),
    "Upload": object_of(
        "An image that was uploaded, to be asked with.",
        {"kind": {"type": "string", "const": "upload"}, "value": text("Its name.", pattern=UPLOAD_PATTERN)},
        ("kind", "value"),
    ),
    "Info": object_of(
        "What is served.",
        {
            "version": text("Version of clipdex."),
            "items": number("Number of items."),
            "model": text("loading, ready, idle, or why the model cannot be used."),
            "datasets": list_of({"type": "object"}, "The datasets, as in a result."),
        },
        ("version", "items", "model", "datasets"),
    ),
    "Problem": {
        "type": "object",
        "description": "What went wrong (RFC 9457).",
        "properties": {
            "type": text("about:blank"),
            "title": text("The kind of problem."),
            "status": number("The HTTP status."),
            "detail": text("What was wrong, and what to do."),
        },
        "required": ["type", "title", "status", "detail"],
    },
}
