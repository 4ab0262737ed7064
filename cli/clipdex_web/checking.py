"""Checking values against a JSON Schema: those keywords of it that ``schema`` uses, with sentences for errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from clipdex.errors import QueryError
from clipdex.wording import shown, with_article

Schema = Mapping[str, Any]

_TYPES: dict[str, type] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": float,
}


def check(value: object, schema: Schema, definitions: Mapping[str, Schema], what: str = "the request") -> None:
    """Check a value that came as JSON.

    Parameters
    ----------
    value
        What came.
    schema
        Its schema. A ``oneOf`` chooses by the property that its ``discriminator`` names.
    definitions
        The schemas that a ``$ref`` may lead to, by the last part of the reference.
    what
        What the value is called in messages.

    Raises
    ------
    QueryError
        When it does not fit; the message says where.
    """
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if "oneOf" in schema:
        schema = _chosen(value, schema, definitions, what)
    if "type" in schema:
        _check_type(value, schema["type"], what)
    if "enum" in schema and value not in schema["enum"]:
        raise QueryError(f"{what} is {shown(value)}, and must be one of {', '.join(map(str, schema['enum']))}.")
    if isinstance(value, str):
        _check_text(value, schema, what)
    elif isinstance(value, int):
        _check_number(value, schema, what)
    elif isinstance(value, list):
        _check_length(len(value), schema.get("minItems", 0), schema.get("maxItems"), what, "entries")
        for number, one in enumerate(value, start=1):
            check(one, schema.get("items", {}), definitions, f"number {number} of {what}")
    elif isinstance(value, dict):
        _check_object(value, schema, definitions, what)


def _chosen(value: object, schema: Schema, definitions: Mapping[str, Schema], what: str) -> Schema:
    name = schema["discriminator"]["propertyName"]
    choices = {
        definitions[one["$ref"].rpartition("/")[2]]["properties"][name]["const"]: one["$ref"].rpartition("/")[2]
        for one in schema["oneOf"]
    }
    chosen = value.get(name) if isinstance(value, dict) else None
    if not isinstance(chosen, str) or chosen not in choices:
        raise QueryError(f"{what} is {shown(value)}, and must be an object with a {name}: {', '.join(choices)}.")
    return definitions[choices[chosen]]


def _check_type(value: object, kind: str, what: str) -> None:
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        raise QueryError(f"{what} is {shown(value)}, and must be {with_article(kind)}.")


def _check_text(value: str, schema: Schema, what: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise QueryError(f"{what} is {shown(value)}, which is no Unicode text.") from error
    _check_length(len(value), schema.get("minLength", 0), schema.get("maxLength"), what, "characters")
    if "pattern" in schema and re.search(schema["pattern"], value) is None:
        raise QueryError(f"{what} is {shown(value)}, and must match {schema['pattern']}.")


def _check_number(value: int, schema: Schema, what: str) -> None:
    if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        raise QueryError(
            f"{what} is {shown(value)}, and must be a whole number from {schema.get('minimum', 'any')} to "
            f"{schema.get('maximum', 'any')}."
        )


def _check_length(length: int, least: int, most: int | None, what: str, of: str) -> None:
    if length < least:
        raise QueryError(f"{what} has {length} {of}, and must have at least {least}.")
    if most is not None and length > most:
        raise QueryError(f"{what} has {length:,} {of}, and may have at most {most:,}.")


def _check_object(value: dict[str, Any], schema: Schema, definitions: Mapping[str, Schema], what: str) -> None:
    known = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            raise QueryError(f"{what} has no {name}.")
    for name, one in value.items():
        if name in known:
            check(one, known[name], definitions, name if what == "the request" else f"{name} of {what}")
        elif schema.get("additionalProperties") is False:
            raise QueryError(f"{what} has the unknown key {shown(name)}; it may have {', '.join(known)}.")


def from_text(text: str, schema: Schema, what: str) -> object:
    """Return the value that a parameter of an address has by its schema: a whole number, true or false, or a text.

    Raises
    ------
    QueryError
        When it does not fit.
    """
    value: object = text
    if schema.get("type") == "integer" and re.fullmatch("[0-9]{1,15}", text):
        value = int(text)
    elif schema.get("type") == "boolean" and text in ("true", "false"):
        value = text == "true"
    check(value, schema, {}, what)
    return value
