"""Which names are offered for a mistyped one: near ones only."""

from __future__ import annotations

import pytest

from clipdex.search.finding import nearest_names

IDS = ["food/fig.jpg", "animals/koala.jpg", "animals/chelsea-the-cat.jpg", "things/chair.jpg", "images/000124.jpg"]
LABELS = ["person", "dog", "cat", "car", "elephant", "airplane", "traffic light", "motorcycle", "Dining Table"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("food/figs", "food/fig.jpg"),
        ("figs", "food/fig.jpg"),
        ("animls/koala", "animals/koala.jpg"),
        ("animals/kaola.jpg", "animals/koala.jpg"),
        ("Animals/Koala.JPG", "animals/koala.jpg"),
        ("animals/koala.png", "animals/koala.jpg"),
        ("zoo/koala", "animals/koala.jpg"),
        ("chelsea", "animals/chelsea-the-cat.jpg"),
        ("images/000123", "images/000124.jpg"),
    ],
)
def test_an_id_with_a_slip_is_near(typed, meant):
    assert nearest_names(typed, IDS)[0] == meant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("dgo", "dog"),
        ("dogs", "dog"),
        ("Cat", "cat"),
        ("elefant", "elephant"),
        ("aeroplane", "airplane"),
        ("trafic light", "traffic light"),
        ("light", "traffic light"),
        ("dining-table", "Dining Table"),
        ("motorcyle", "motorcycle"),
    ],
)
def test_a_label_with_a_slip_is_near(typed, meant):
    assert nearest_names(typed, LABELS)[0] == meant


@pytest.mark.parametrize(
    "typed", ["nothing like it", "animals/unicorn", "food/b", "unicorn.jpg", "lion", "", "x" * 100_000, "%", "/"]
)
def test_other_names_are_not_near(typed):
    assert nearest_names(typed, IDS + LABELS) == []


def test_at_most_three_are_offered_the_likest_first():
    names = ["label-10", "label-1", "label-2", "label-3", "other"]
    assert nearest_names("label-1", names) == ["label-1", "label-10", "label-2"]
    assert nearest_names("labell-3", names)[0] == "label-3"
