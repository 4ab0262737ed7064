"""What the tools of MCP take, as JSON Schema: made of the schemas of the HTTP API, each sent in one piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clipdex.search.duplicate_settings import DATASETS, LINKAGES, SUBSETS
from clipdex_web.schema import (
    DEFINITIONS,
    ITEM_PARAMETERS,
    MOST_HITS,
    MOST_QUERIES,
    SIZE_PARAMETER,
    SWITCH,
    Object,
    list_of,
    number,
    object_of,
    queries_of,
    ref,
)
from clipdex_web.uploads import MOST_BYTES

SHOWN_GROUPS = 100
SHOWN_ITEMS = 20
SHOWN_PIXELS = 512
# Base64 writes three bytes as four letters.
_MOST_LETTERS = -(-MOST_BYTES // 3) * 4
_ASKED = DEFINITIONS["SearchRequest"]["properties"]
_QUERY = queries_of("Text", "Item", "Image")
_SETTINGS = {
    "topk": _ASKED["topk"],
    "filter": ref("Filter"),
    "max_distance": _ASKED["max_distance"],
    "min_strength": _ASKED["min_strength"],
    "from_rank": number("Leave out the hits before this rank, to go on where an answer was cut.", 1, most=MOST_HITS),
}
_EXCLUDED = {"type": "boolean", "description": "Whether to leave out the items that are asked with."}
_ONE_ITEM = {
    **ITEM_PARAMETERS,
    "dataset": {**ITEM_PARAMETERS["dataset"], "description": "Name of its dataset; any by default."},
    "subset": {**ITEM_PARAMETERS["subset"], "description": "Its subset; any by default."},
}

TOOL_DEFINITIONS: dict[str, Object] = {
    **DEFINITIONS,
    "ImageQuery": object_of(
        "Images like one that is sent.",
        {
            "kind": {"type": "string", "const": "image"},
            "value": {
                "type": "string",
                "minLength": 1,
                "maxLength": _MOST_LETTERS,
                "description": f"The bytes of an image file of at most {MOST_BYTES // 1_000_000} MB, as base64.",
            },
        },
        ("kind", "value"),
    ),
}


@dataclass(frozen=True, slots=True)
class ToolSchema:
    """One tool.

    Attributes
    ----------
    title
        What people read.
    description
        What it does, for whoever chooses among tools.
    takes
        The schema of its arguments, whose references lead to ``TOOL_DEFINITIONS``.
    """

    title: str
    description: str
    takes: Object

    @property
    def in_one_piece(self) -> Object:
        """The schema of its arguments, in which no reference is left."""
        inlined: Object = _inlined(self.takes)
        return inlined


TOOLS: dict[str, ToolSchema] = {
    "search": ToolSchema(
        "Search images",
        "Find the images nearest to texts, items or images that are sent. Distances are bits that differ; unrelated "
        "images differ in about half of the bits. A search always returns the nearest images, also where none fits: "
        "strength says how sure a hit is.",
        object_of(
            "One question.",
            {
                "queries": list_of(_QUERY, "What is searched for.", minItems=1, maxItems=MOST_QUERIES),
                "negative": list_of(_QUERY, "What is pushed away.", maxItems=MOST_QUERIES),
                **_SETTINGS,
                **{name: _ASKED[name] for name in ("merge", "rescore", "prompting")},
                "exclude_self": _EXCLUDED,
            },
            ("queries",),
        ),
    ),
    "similar": ToolSchema(
        "Find images like an item",
        "Find the images nearest to one item of the datasets, without that item. It needs no model.",
        object_of("An item.", {**_ONE_ITEM, **_SETTINGS}, ("id",)),
    ),
    "duplicates": ToolSchema(
        "Find duplicates",
        "Find groups of near-duplicates in all datasets, the largest first. Nothing is deleted. It takes a while where "
        "there are millions of items.",
        object_of(
            "Which groups.",
            {
                "max_distance": number("Greatest distance of near images, in bits; one bit in 32 by default."),
                "across": {
                    "type": "string",
                    "enum": [SUBSETS, DATASETS],
                    "description": "Only groups with images of several subsets (leaks), or of several datasets.",
                },
                "linkage": {
                    "type": "string",
                    "enum": list(LINKAGES),
                    "description": "Whether an image is near one other image of its group, or all of them.",
                },
                "identical": {**SWITCH, "description": "Whether to find only files with the same content."},
                "limit": number("Number of groups.", 1, most=MOST_HITS, default=SHOWN_GROUPS),
                "from_group": number("Leave out the groups before this number.", 1, most=MOST_HITS),
                "items_per_group": number("Number of items of each group.", 1, most=MOST_HITS, default=SHOWN_ITEMS),
            },
        ),
    ),
    "info": ToolSchema(
        "What can be searched",
        "Say which datasets are open, how many items they have, their subsets and most frequent labels, and whether "
        "the model is loaded.",
        object_of("Nothing.", {}),
    ),
    "thumbnail": ToolSchema(
        "See an image",
        "Show the image of an item: small, upright, as WebP, without metadata.",
        object_of("An item.", {**_ONE_ITEM, "size": {**SIZE_PARAMETER, "default": SHOWN_PIXELS}}, ("id",)),
    ),
}


def _inlined(schema: Any) -> Any:  # noqa: ANN401
    if isinstance(schema, list):
        return [_inlined(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(TOOL_DEFINITIONS[schema["$ref"].rpartition("/")[2]])
    # JSON Schema knows no discriminator: the constants say which is which.
    return {name: _inlined(value) for name, value in schema.items() if name != "discriminator"}
