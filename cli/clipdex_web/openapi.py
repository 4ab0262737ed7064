"""The OpenAPI document of the API, made of the schemas that its requests are checked by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clipdex.version import VERSION
from clipdex_web.schema import (
    DEFINITIONS,
    DUPLICATES_PARAMETERS,
    FACETS_PARAMETERS,
    FILTER_PARAMETERS,
    ITEM_PARAMETERS,
    PAGE_PARAMETERS,
    SIZE_PARAMETER,
    Object,
)

JSON = "application/json"
PROBLEM = "application/problem+json"
_PICTURE = {"type": "string", "contentMediaType": "image/webp"}


def document() -> Object:
    """Return the document, as plain values."""
    items = {**PAGE_PARAMETERS, **FILTER_PARAMETERS}
    picture = {**ITEM_PARAMETERS, "size": SIZE_PARAMETER}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "clipdex",
            "version": VERSION,
            "description": "Exact image search over the datasets that this server has open.",
        },
        "servers": [{"url": ".", "description": "Where this document is."}],
        "security": [{"token": []}],
        "paths": {
            "/info": {"get": _read("What is served.", "Info", {})},
            "/search": {"post": _send("Search.", "Result", JSON, _schema("SearchRequest"))},
            "/uploads": {
                "post": _send(
                    "Upload an image of at most 20 MB, to ask with it.", "Upload", "application/octet-stream", {}, 201
                )
            },
            "/items": {"get": _read("Look through all items, page by page.", "Items", items, required=())},
            "/duplicates": {
                "get": _read(
                    "Groups of images that are the same, or nearly the same, the largest first.",
                    "Duplicates",
                    {**DUPLICATES_PARAMETERS, **PAGE_PARAMETERS},
                    required=(),
                    long=True,
                )
            },
            "/facets": {
                "get": _read(
                    "Count the items of each label, tag, subset and dataset.",
                    "Facets",
                    {**FACETS_PARAMETERS, **FILTER_PARAMETERS},
                    required=(),
                    long=True,
                ),
                "post": _send("Count the hits of a search.", "Facets", JSON, _schema("SearchRequest")),
            },
            "/histogram": {
                "post": _send("Count all items by their distance.", "Histogram", JSON, _schema("SearchRequest"))
            },
            "/map": {"get": _read("The map, where there is one.", "Map", {}, long=True)},
            "/tags": {
                "get": _read("The tags.", "Tags", {}),
                "post": _send("Give items a tag, or take it away.", "TagChanged", JSON, _schema("TagChange")),
            },
            "/item": {"get": _read("One item, with its hash key.", "Item", ITEM_PARAMETERS)},
            "/thumbnail": {
                "get": _read(
                    "The image of an item, small, upright and without metadata.",
                    _PICTURE,
                    picture,
                    required=tuple(ITEM_PARAMETERS),
                )
            },
            "/original": {
                "get": _read(
                    "The file of an item as it is, to be saved.",
                    {"type": "string", "contentMediaType": "application/octet-stream"},
                    ITEM_PARAMETERS,
                )
            },
        },
        "components": {
            "schemas": DEFINITIONS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schema(name: str) -> Object:
    return {"$ref": f"#/components/schemas/{name}"}


def _read(
    summary: str,
    answer: str | Object,
    parameters: Mapping[str, Object],
    required: tuple[str, ...] | None = None,
    *,
    long: bool = False,
) -> Object:
    needed = tuple(parameters) if required is None else required
    described = [
        {
            "name": name,
            "in": "query",
            "required": name in needed,
            **_of_parameter({key: value for key, value in schema.items() if key != "description"}, name),
            "description": schema["description"],
        }
        for name, schema in parameters.items()
    ]
    responses = _responses(answer)
    if long:
        responses["202"] = {
            "description": "Not yet done: ask again.",
            "content": {JSON: {"schema": _schema("Counting")}},
        }
    return {"summary": summary, "parameters": described, "responses": responses}


def _of_parameter(schema: Object, name: str) -> Object:
    """Return the schema of a parameter; those of filters can be repeated."""
    if name in FILTER_PARAMETERS:
        return {"schema": {"type": "array", "items": schema}, "style": "form", "explode": True}
    return {"schema": schema}


def _send(summary: str, answer: str, kind: str, body: Object, status: int = 200) -> Object:
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {kind: {"schema": body} if body else {}}},
        "responses": _responses(answer, status),
    }


def _responses(answer: str | Object, status: int = 200) -> dict[str, Any]:
    if isinstance(answer, str):
        content = {JSON: {"schema": _schema(answer)}}
    else:
        content = {answer["contentMediaType"]: {"schema": answer}}
    return {
        str(status): {"description": "Done.", "content": content},
        "default": {"description": "What went wrong.", "content": {PROBLEM: {"schema": _schema("Problem")}}},
    }
