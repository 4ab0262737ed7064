from __future__ import annotations

import numpy as np
import pytest

from clipdex.wording import counted, shortened, shown, type_of, with_article


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (3, "an int"),
        (np.zeros(1), "an ndarray"),
        ("x", "a str"),
        (1.5, "a float"),
        (None, "None"),
        (np.uint8(1), "a uint8"),
        (OSError(), "an OSError"),
        (object(), "an object"),
    ],
)
def test_types_have_their_article(value, said):
    assert type_of(value) == said


@pytest.mark.parametrize("said", ["a 'clip' model", "an 'align' model", "an image", "an XML file", "a PIL image", "a "])
def test_words_have_their_article(said):
    assert with_article(said.partition(" ")[2]) == said


def test_counts_have_their_plural():
    assert [counted(number, "image") for number in (0, 1, 2000)] == ["0 images", "1 image", "2,000 images"]


def test_texts_without_end_are_cut_off_and_say_how_long_they_are():
    assert shortened("x" * 200) == "x" * 200
    assert shortened("x" * 5000, 3) == "xxx... (5,000 characters)"
    assert shown("x" * 5000, 3) == "'xx... (5,002 characters)"
