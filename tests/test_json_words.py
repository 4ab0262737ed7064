"""Values of JSON in messages: what they are, as JSON calls it."""

from __future__ import annotations

import pytest

from clipdex.readers.annotated.json_words import kind_of, written


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "null", "null"),
        (True, "true", "true"),
        (5, "a number", "5"),
        (float("nan"), "a number", "NaN"),
        ("caf\u00e9", "a text", '"caf\u00e9"'),
        ([1], "a list", "[1]"),
        ({"a": None}, "an object", '{"a": null}'),
        ([0] * 1000, "a list", "a list of 1,000"),
        ("x" * 500, "a text", '"' + "x" * 99 + "... (502 characters)"),
        pytest.param(10**5000, "a number", "a number", id="long"),
    ],
)
def test_a_value_is_called_and_written_as_in_json(value, kind, text):
    assert (kind_of(value), written(value)) == (kind, text)
