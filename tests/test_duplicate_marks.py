"""Marks on groups of duplicates: they choose what is kept, and no picture loses its only copy."""

from __future__ import annotations

import itertools
import shutil

import pytest

from clipdex import Explorer, build, find_duplicates
from clipdex.errors import QueryError
from clipdex.search.duplicate_settings import DuplicateSettings
from clipdex.search.duplicates import duplicates_of
from clipdex.search.marking import with_marked
from helpers_engine import PHOTOS, touch_later

DOG, SEA = PHOTOS / "animals/german-shepherd.jpg", PHOTOS / "places/sea.jpg"


@pytest.fixture
def copies(tmp_path):
    """A folder with three identical dogs, and two seas."""
    root = tmp_path / "copies"
    root.mkdir()
    for name, source in (("a", DOG), ("b", DOG), ("c", DOG), ("d", SEA), ("e", SEA)):
        shutil.copy(source, root / f"{name}.jpg")
    build(root)
    return root


def named(root, *ids):
    return {(root.name, "default", f"{name}.jpg") for name in ids}


def matches(result):
    return [[(item.id[0], item.match, item.removable) for item in group.items] for group in result.groups]


def test_without_marks_nothing_changes(copies):
    result = find_duplicates(copies)
    with Explorer(copies) as explorer:
        assert with_marked(explorer.datasets, result) == result


def test_marked_items_are_kept_alone_and_other_groups_by_their_rule(copies):
    result = find_duplicates(copies)
    with Explorer(copies) as explorer:
        marked = with_marked(explorer.datasets, result, named(copies, "b", "c", "x"))
    assert matches(marked) == [
        [("b", "kept", False), ("c", "kept", False), ("a", "identical", True)],
        [("d", "kept", False), ("e", "identical", True)],
    ]


def test_a_marked_file_that_is_gone_saves_no_other_from_being_kept(copies):
    result = find_duplicates(copies)
    (copies / "b.jpg").unlink()
    touch_later(copies / "d.jpg")
    with Explorer(copies) as explorer:
        marked = with_marked(explorer.datasets, result, named(copies, "b", "d"))
    assert matches(marked) == [
        [("a", "kept", False), ("b", "identical", False), ("c", "identical", True)],
        [("e", "kept", False), ("d", "near", False)],
    ]
    assert (marked.total_missing, marked.total_changed) == (1, 1)


def test_what_is_far_from_what_is_marked_stays(photos):
    result = find_duplicates(photos, max_distance=150)
    [group] = [group for group in result.groups if group.greatest_distance > 150][:1]
    with Explorer(photos) as explorer:
        for item in group.items[:4]:
            marked = with_marked(explorer.datasets, result, {(item.dataset, item.subset, item.id)})
            again = next(one for one in marked.groups if one.items[0].id == item.id)
            assert [one.problem for one in again.items if one.distance > 150] == ["far"] * sum(
                one.distance > 150 for one in again.items
            )
            assert not any(one.removable for one in again.items if one.distance > 150)


def test_whatever_is_marked_a_copy_of_each_picture_stays(copies):
    result = find_duplicates(copies)
    every = sorted(named(copies, *"abcde"))
    with Explorer(copies) as explorer:
        for count in range(len(every) + 1):
            for marked in itertools.combinations(every, count):
                gone = {item.id[0] for item in with_marked(explorer.datasets, result, set(marked)).removable}
                assert gone.isdisjoint(item_id[0] for _, _, item_id in marked)
                assert not gone >= set("abc")
                assert not gone >= set("de")


def test_a_copy_that_became_a_link_to_another_is_no_copy_any_more(copies):
    result = find_duplicates(copies)
    (copies / "e.jpg").unlink()
    (copies / "e.jpg").symlink_to(copies / "d.jpg")
    with Explorer(copies) as explorer:
        marked = with_marked(explorer.datasets, result, named(copies, "e"))
    assert [[item.id for item in group.items] for group in marked.groups] == [["a.jpg", "b.jpg", "c.jpg"]]


def test_groups_with_transforms_cannot_be_marked(copies):
    with Explorer(copies) as explorer:
        result = duplicates_of(explorer.datasets, 16, DuplicateSettings())
        object.__setattr__(result, "transforms", True)
        with pytest.raises(QueryError, match="search without transforms"):
            with_marked(explorer.datasets, result)
